# SPDX-License-Identifier: LGPL-2.1-or-later
"""Real remotes for npcsink - a Mosquitto with a subscriber, an InfluxDB - that can be killed,
frozen and cut off, and the process under audit that streams records to them."""

import base64
import contextlib
import itertools
import json
import os
import pathlib
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

# A proxy of the surroundings is not meant for servers of our own.
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
# Daemons are often outside of a user's PATH.
PATH = os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin:/sbin"
PATIENCE = 90  # seconds; only there so that a broken test ends


def eventually(condition, patience=PATIENCE, pause=0.05):
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(pause)
    return True


def missing_programs(*names):
    return [name for name in names if shutil.which(name, path=PATH) is None]


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Folder:
    """A directory that goes with the object, and with it what a store in it has left elsewhere."""

    def __init__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="npc-audit-"))

    def __truediv__(self, name):
        return self.path / name

    def close(self):
        shutil.rmtree(self.path, ignore_errors=True)
        for journal in pathlib.Path("/dev/shm").glob("npcsink-*"):
            # Others come and go.
            with contextlib.suppress(OSError):
                if str(self.path).encode() in journal.read_bytes()[:1024]:
                    journal.unlink()


class Process:
    """A child that dies with us. Its output goes to the end of `log`, its errors to `log`.err."""

    def __init__(self, arguments, log, prefix=()):
        with open(log, "ab") as out, open(str(log) + ".err", "ab") as err:
            self.child = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", *prefix, *map(str, arguments)],
                stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                env={**os.environ, "PATH": PATH, "no_proxy": "*"})
        self.pid = self.child.pid

    def signal(self, number):
        if self.child.poll() is None:
            self.child.send_signal(number)

    def running(self):
        return self.child.poll() is None

    def wait(self, patience=PATIENCE):
        return self.child.wait(patience)

    def kill(self):
        self.signal(signal.SIGKILL)
        self.child.wait()


class Network:
    """A network namespace for a remote, and the link to it. Needs root."""

    numbers = itertools.count(1)

    def __init__(self):
        number = next(Network.numbers)
        self.name = f"npc-{os.getpid()}-{number}"
        self.link = f"npc{os.getpid() % 100000}.{number}"
        # A network for benchmarks (RFC 2544): nobody's own.
        base = (os.getpid() * 16 + number) % 16384 * 4
        self.address, ours = (f"198.18.{base // 256}.{base % 256 + i}" for i in (1, 2))
        self.prefix = ("ip", "netns", "exec", self.name)
        self.ip("netns", "add", self.name)
        try:
            self.ip("link", "add", self.link, "type", "veth", "peer", "far", "netns", self.name)
            self.ip("address", "add", ours + "/30", "dev", self.link)
            self.ip("link", "set", self.link, "up")
            for command in (["address", "add", self.address + "/30", "dev", "far"],
                            ["link", "set", "far", "up"], ["link", "set", "lo", "up"]):
                self.ip("-n", self.name, *command)
        except subprocess.CalledProcessError:
            self.close()
            raise

    @staticmethod
    def ip(*arguments):
        subprocess.run(["ip", *arguments], check=True, capture_output=True)

    def cut(self):
        self.ip("link", "set", self.link, "down")

    def mend(self):
        self.ip("link", "set", self.link, "up")

    def close(self):
        # The link goes with its other end.
        subprocess.run(["ip", "netns", "delete", self.name], capture_output=True, check=False)


class FarSide:
    """What the two have in common. `network`: None, or where it lives."""

    def __init__(self, network=None):
        self.folder = Folder()
        self.network = network
        self.port = free_port()
        self.host = f"{network.address if network else '127.0.0.1'}:{self.port}"
        self.prefix = network.prefix if network else ()
        self.process = None

    def signal(self, number):
        self.process.signal(number)

    def kill(self):
        self.process.kill()

    def close(self):
        if self.process:
            self.signal(signal.SIGCONT)
            self.process.kill()
        self.folder.close()

    def log(self):
        return (self.folder / "log.err").read_text(errors="replace")

    def start(self):
        self.process = Process(self.command(), self.folder / "log", self.prefix)
        if not eventually(self.answers):
            raise RuntimeError("it did not start: " + self.log()[-2000:])


class Mosquitto(FarSide):
    """A broker and a subscriber of all records whose session survives.

    What the broker has confirmed must reach the audit, whatever happens to the broker. It writes a
    message into the subscriber's socket before it sends the PUBACK, and there a kill does not reach
    it. With QoS 1 the subscriber would answer, and one that cannot answer a killed broker throws
    away what it has not read yet; hence QoS 0, which the session queues too."""

    kind = "mqtt"
    programs = ("mosquitto", "mosquitto_sub")

    def __init__(self, network=None, options=""):
        super().__init__(network)
        (self.folder / "mosquitto.conf").write_text(
            f"listener {self.port} {self.host.split(':')[0]}\nuser root\nallow_anonymous true\n"
            "log_dest stderr\nlog_type error\nlog_type warning\nlog_type notice\n"
            # Nothing may be dropped because much waits.
            "max_inflight_messages 0\nmax_queued_messages 0\nqueue_qos0_messages true\n"
            f"persistence true\npersistence_location {self.folder.path}/\n{options}")
        self.uri = f"mqtt://{self.host}/"
        self.subscriber = None

    def command(self):
        return ["mosquitto", "-c", self.folder / "mosquitto.conf"]

    def answers(self):
        try:
            with socket.create_connection(("127.0.0.1", self.port) if not self.network else
                                          (self.network.address, self.port), 1):
                return True
        except OSError:
            return not self.process.running()

    def subscribe(self, more=()):
        host, port = self.host.split(":")
        return Process(["mosquitto_sub", "-h", host, "-p", port, "-i", "audit", "-c", "-q", "0",
                        "-t", "npc/+/+/counts", "-F", "%p", *more],
                       self.folder / "received", self.prefix)

    def subscriptions(self):
        return self.log().count(" as audit ")

    def prepare(self):
        """The session of the subscriber is on the disk, where a kill does not reach it either."""
        self.start()
        if self.subscribe(["-E"]).wait() != 0:
            raise RuntimeError("the subscriber was refused: " + self.log()[-2000:])
        self.signal(signal.SIGUSR1)
        if not eventually((self.folder / "mosquitto.db").exists):
            raise RuntimeError("the broker did not save its sessions")
        self.subscriber = self.subscribe()
        self.await_subscriber(2)

    def await_subscriber(self, count):
        """What comes after that is in the subscriber's socket before it is confirmed."""
        if not eventually(lambda: self.subscriptions() >= count):
            raise RuntimeError("the subscriber did not come back")

    def restart(self):
        count = self.subscriptions()
        self.start()
        self.await_subscriber(count + 1)

    def close(self):
        if self.subscriber:
            self.subscriber.kill()
        super().close()

    def received(self, since=0):
        """A list of identities (site, camera, boot, seq), and where the next ones begin."""
        with open(self.folder / "received", "rb") as file:
            file.seek(since)
            text = file.read()
        text = text[:text.rfind(b"\n") + 1]
        records = map(json.loads, text.splitlines())
        return ([(r["site"], r["camera"], r["boot"], r["seq"]) for r in records],
                since + len(text))

    def arrivals(self):
        return self.received()[0]

    def forget(self):
        """The next arrivals() count from here in tests that look often."""
        (self.folder / "received").open("r+").truncate(0)


class Influxd(FarSide):
    """A database. It knows a point by site, camera and time; boot and seq are in the ns of the time.
    It confirms what is on its disk."""

    kind = "influxdb"
    programs = ("influxd",)

    def __init__(self, network=None, options=""):
        super().__init__(network)
        self.uri = f"influxdb://{self.host}/npc"
        (self.folder / "influxdb.conf").write_text(
            f'reporting-disabled = true\nbind-address = "127.0.0.1:{free_port()}"\n'
            f'[meta]\ndir = "{self.folder / "meta"}"\n'
            f'[data]\ndir = "{self.folder / "data"}"\nwal-dir = "{self.folder / "wal"}"\n'
            "query-log-enabled = false\n[monitor]\nstore-enabled = false\n"
            f'[http]\nbind-address = "{self.host}"\nlog-enabled = false\n{options}')

    def command(self):
        return ["influxd", "-config", self.folder / "influxdb.conf"]

    login = None  # or user:password

    def query(self, statement):
        data = urllib.parse.urlencode({"q": statement, "db": "npc"}).encode()
        headers = {"Accept": "application/csv"}
        if self.login:
            login = base64.b64encode(self.login.encode()).decode()
            headers["Authorization"] = f"Basic {login}"
        request = urllib.request.Request(f"http://{self.host}/query", data, headers)
        with DIRECT.open(request, timeout=PATIENCE) as answer:
            return answer.read().decode()

    def answers(self):
        try:
            self.query("SHOW DATABASES")
            return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            return not self.process.running()

    def prepare(self):
        self.start()
        self.query("CREATE DATABASE npc")

    restart = FarSide.start

    def arrivals(self):
        lines = self.query("SELECT boot, seq, site, camera FROM npc").splitlines()
        if not lines:
            return []
        column = {name: i for i, name in enumerate(lines[0].split(","))}
        rows = [line.split(",") for line in lines[1:]]
        return [(row[column["site"]], row[column["camera"]], row[column["boot"]],
                 int(row[column["seq"]])) for row in rows]

    def forget(self):
        self.query("DROP DATABASE npc")
        self.query("CREATE DATABASE npc")


class Stream:
    """The process under audit: records ! npcsink, started again and again with the same store."""

    program = None  # path of the program `stream`

    def __init__(self, folder, updaters, store="counts.db", camera="door", rate=300):
        self.folder, self.updaters, self.camera, self.rate = folder, updaters, camera, rate
        self.store = folder / store if store else None
        self.ledger = folder / "ledger"
        self.process, self.output, self.endless = None, 0, True

    def start(self, *options, **environment):
        """Without the option --records it runs until finish()."""
        self.endless = "--records" not in options
        command = [self.program, "--updaters", self.updaters, "--camera", self.camera, "--rate",
                   self.rate, *options]
        if self.ledger:
            command += ["--log", self.ledger]
        if self.store:
            command += ["--store", self.store]
        self.output = self.size()
        variables = [f"{name}={value}" for name, value in environment.items()]
        self.process = Process(command, self.folder / "output", ["env", *variables])

    def size(self):
        output = self.folder / "output"
        return output.stat().st_size if output.exists() else 0

    def said(self):
        """What this run has said: a list of (kind, content)."""
        with open(self.folder / "output", "rb") as file:
            file.seek(self.output)
            text = file.read()
        lines = text[:text.rfind(b"\n") + 1].splitlines()
        return [next(iter(json.loads(line).items())) for line in lines]

    def last(self, kind):
        found = [content for name, content in self.said() if name == kind]
        return found[-1] if found else None

    def store_messages(self):
        return [content["state"] for kind, content in self.said() if kind == "npc-store"]

    def finish(self, patience=PATIENCE):
        """End of stream, everything delivered. Returns the last statistics."""
        if self.endless:
            # It may still be starting: before its first words SIGTERM would end it at once.
            eventually(lambda: self.said() or not self.process.running(), patience)
            self.process.signal(signal.SIGTERM)
        status = self.process.wait(patience)
        end = self.last("end")
        if status != 0 or end is None:
            raise RuntimeError(f"the stream ended with {status}: {self.errors()}")
        return end

    def errors(self):
        said = [content for kind, content in self.said() if kind == "error"]
        return str(said) + (self.folder / "output.err").read_text(errors="replace")[-1000:]

    def records(self):
        """What was handed over, and what of that was in the store: two sets of identities."""
        taken, stored, boot = set(), set(), ""
        upto = -1
        ledger = self.ledger.read_text() if self.ledger.exists() else ""
        for line in ledger.splitlines():
            what, value = line.split()
            if what == "b":
                boot, upto = value, -1
            elif what == "h":
                taken.add(("home", self.camera, boot, int(value)))
            elif what == "s":
                stored.update(("home", self.camera, boot, seq)
                              for seq in range(upto + 1, int(value) + 1))
                upto = int(value)
        return taken | stored, stored


def records_in(store):
    """The whole records that SQLite itself reads in a store, or None if it finds damage. Works on
    the file. It has no checksums: a record may have lost its end all the same."""
    database = sqlite3.connect(store)
    try:
        if database.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
            return None
        if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'records'").fetchone():
            return set()
        return set(database.execute("SELECT site, camera, boot, seq FROM records"
                                    " WHERE json_valid(record)"))
    except sqlite3.Error:
        return None
    finally:
        database.close()
