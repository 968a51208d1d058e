#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Usage: deployments.py BUILD. The pages docs/deploy-*.md, typed line by line on boards of their own,
each a network namespace with its own /etc, /var/lib and /run: real broker, real database, a real clip."""

import collections
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile

from remotes import eventually, missing_programs

SOURCES = pathlib.Path(__file__).resolve().parents[2]
DASHBOARD = SOURCES / "pipelines/deployments/grafana/npc.json"
PATIENCE = 180  # seconds; only there so that a broken test ends
FRAMES = 300
BUCKET = 10000  # ms


class Systemctl:
    """As much of it as the pages use: it starts what a unit's file says, as the unit's user."""

    def __init__(self, arguments):
        verb, *units = [word for word in arguments if word != "--now"]
        if verb == "restart" or (verb == "enable" and "--now" in arguments):
            for unit in units:
                self.start(unit)
        elif verb not in ("enable", "daemon-reload"):
            sys.exit(f"systemctl {verb} is not known here")

    @staticmethod
    def start(name):
        template, _, instance = name.partition("@")
        folders = [pathlib.Path("/etc/systemd/system"), pathlib.Path("/lib/systemd/system")]
        file = template + ("@" if instance else "") + ".service"
        unit = next(folder / file for folder in folders if (folder / file).exists())
        settings = collections.defaultdict(list)
        for line in unit.read_text().splitlines():
            key, equals, value = line.partition("=")
            if equals and not line.startswith("#"):
                settings[key].append(value.replace("%i", instance).replace("$$", "$")
                                     .replace("$INFLUXD_OPTS", ""))
        for command in settings["ExecStartPre"]:
            subprocess.run(shlex.split(command), check=True)
        user = settings["User"]
        for folder in settings["StateDirectory"]:
            path = pathlib.Path("/var/lib") / folder
            path.mkdir(exist_ok=True)
            shutil.chown(path, *user)
        environment = dict(os.environ)
        files = [pathlib.Path(name.lstrip("-")) for name in settings["EnvironmentFile"]]
        given = [word for file in files if file.exists() for word in shlex.split(file.read_text())]
        for word in given + [word for line in settings["Environment"] for word in shlex.split(line)]:
            key, _, value = word.partition("=")
            environment[key] = value
        as_user = ["setpriv", f"--reuid={user[0]}", f"--regid={user[0]}", "--init-groups"] if user else []
        with open(f"/run/{name}.log", "ab") as log:
            process = subprocess.Popen(as_user + shlex.split(settings["ExecStart"][-1]), stdout=log,
                                       stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
                                       env=environment)
        pathlib.Path(f"/run/{name}.pid").write_text(str(process.pid))


class Board:
    """A machine of its own, as far as the pages see it. All of it goes with its first process."""

    STUBS = {
        "sudo": '#!/bin/sh\nexec "$@"\n',
        # Installed already, as by tests/run; the page must not need more.
        "apt-get": '#!/bin/sh\nshift 2\nexec dpkg-query -W "$@"\n',
        "systemctl": f'#!/bin/sh\nexec {sys.executable} {pathlib.Path(__file__).resolve()} --systemctl "$@"\n',
    }
    SETUP = """set -e
mount -t tmpfs tmpfs "$1"
for place in etc var/lib var/log; do
  mkdir -p "$1/$place" "$1/work/$place"
  mount -t overlay overlay -o "lowerdir=/$place,upperdir=$1/$place,workdir=$1/work/$place" "/$place"
done
mount -t tmpfs tmpfs /run
ip link set lo up
touch "$1/ready"
exec sleep infinity
"""

    def __init__(self, build):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="npc-board-"))
        self.bin = self.folder / "bin"
        self.errors = self.folder.with_suffix(".log")
        with open(self.errors, "wb") as errors:
            self.first = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--mount", "--pid", "--fork",
                 "--kill-child", "--mount-proc", "sh", "-c", self.SETUP, "sh", str(self.folder)],
                stdin=subprocess.DEVNULL, stdout=errors, stderr=errors)
        self.build = build

    def up(self):
        """Whether it is: an overlay or a namespace may not be had here."""
        inside = lambda: self.pid() and self.run("test", "-e", str(self.folder / "ready")).returncode == 0
        if not eventually(lambda: self.first.poll() is not None or inside()) or self.first.poll() is not None:
            return False
        for name, text in self.STUBS.items():
            self.write(self.bin / name, text, "755")
        return True

    def pid(self):
        """Of the first process: unshare is outside of what it makes."""
        outside = self.first.pid
        return pathlib.Path(f"/proc/{outside}/task/{outside}/children").read_text().strip()

    def run(self, *command, text=None):
        environment = {**os.environ, "PATH": f"{self.bin}:{os.environ['PATH']}:/usr/sbin:/sbin",
                       "GST_PLUGIN_PATH_1_0": str(self.build / "elements"), "no_proxy": "*",
                       "LD_LIBRARY_PATH": str(self.build / "gst/npc"),
                       "GST_REGISTRY_1_0": "/run/registry.bin"}
        return subprocess.run(["nsenter", "--target", self.pid(), "--net", "--mount", "--pid", "--",
                               "sh", "-c", 'cd "$0" && exec "$@"', SOURCES, *command],
                              input=text, capture_output=True, text=True, check=False, env=environment,
                              timeout=PATIENCE)

    def write(self, path, text, mode="644"):
        result = self.run("install", "-D", "-m", mode, "/dev/stdin", str(path), text=text)
        assert result.returncode == 0, result.stderr

    def read(self, path):
        return self.run("cat", str(path)).stdout

    def type(self, lines):
        result = self.run("bash", "-euo", "pipefail", "-c", lines)
        assert result.returncode == 0, f"{lines}\n{result.stdout}{result.stderr}{self.logs()}"

    def logs(self):
        return self.run("sh", "-c", "tail -n 12 /run/*.log /var/log/mosquitto/*.log").stdout

    def ended(self, unit):
        # Nobody waits for it: a board's first process is no init.
        return "State:\tZ" in self.run("sh", "-c", f'cat "/proc/$(cat /run/{unit}.pid)/status"').stdout

    def records(self, store):
        """What the camera counted: from its own store."""
        program = ("import sqlite3, sys; print('\\n'.join(row[0] for row in sqlite3.connect('file:' + sys.argv[1] + '?mode=ro', uri=True)"
                   ".execute('SELECT record FROM records ORDER BY id')))")
        lines = self.run(sys.executable, "-c", program, store).stdout.splitlines()
        return [json.loads(line) for line in lines if line]

    def query(self, statement):
        """Of the database: {(name, tags, column): {time in ms: value}}."""
        answer = self.run("curl", "-sSG", "--data-urlencode", f"q={statement}", "-d", "db=npc", "-d", "epoch=ms",
                          "http://127.0.0.1:8086/query")
        found = {}
        for series in json.loads(answer.stdout)["results"][0].get("series", []):
            tags = tuple(value for _, value in sorted(series.get("tags", {}).items()))
            for row in series["values"]:
                if row[1] is not None:
                    found.setdefault(tags, {})[row[0]] = row[1]
        return found

    def close(self):
        if self.first.poll() is None:
            self.first.send_signal(signal.SIGKILL)
        self.first.wait()
        shutil.rmtree(self.folder, ignore_errors=True)
        self.errors.unlink(missing_ok=True)


def blocks(page, heading=""):
    """The lines to type of a page, below a heading."""
    text = (SOURCES / "docs" / page).read_text()
    if heading:
        text = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^```sh\n(.*?)^```", text, re.M | re.S)


def expected(records, values, combine):
    """{tags: {bucket: value}} of (tags, value) pairs of each record."""
    found = collections.defaultdict(lambda: collections.defaultdict(list))
    for record in records:
        for tags, value in values(record):
            found[tags][record["time"] // BUCKET * BUCKET].append(value)
    return {tags: {bucket: combine(all_of_it) for bucket, all_of_it in series.items()}
            for tags, series in found.items()}


def of_camera(key):
    return lambda record: [((record["camera"], record["site"]), record[key])]


def of_each(kind, key):
    # Tags in the order of their names: camera, line or zone, site; "zone" comes after "site".
    if kind == "lines":
        return lambda record: [((record["camera"], name, record["site"]), one[key])
                               for name, one in record["lines"].items()]
    return lambda record: [((record["camera"], record["site"], name), one[key])
                           for name, one in record["zones"].items()]


def count_of(record):
    return [((record["camera"], record["site"]), 1)]


# What each panel shows, from the records themselves.
PANELS = {
    ("People", "A"): (of_camera("people_max"), max),
    ("People", "B"): (of_camera("people"), statistics.fmean),
    ("Crossings", "A"): (of_each("lines", "in"), sum),
    ("Crossings", "B"): (of_each("lines", "out"), sum),
    ("Zones", "A"): (of_each("zones", "people"), statistics.fmean),
    ("Records", "A"): (count_of, sum),
}


def check_panels(board, records):
    """Asks the database what each panel asks, and compares."""
    first, last = records[0]["time"], records[-1]["time"]
    bounds = f"time >= {first // BUCKET * BUCKET}ms AND time < {(last // BUCKET + 1) * BUCKET}ms"
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel["targets"]:
            statement = re.sub(r"\$(site|camera)", ".*", target["query"].replace("$timeFilter", bounds)
                               .replace("$__interval", f"{BUCKET}ms"))
            answer = board.query(statement)
            name = panel["title"], target["refId"]
            if panel["title"] == "Newest record of each camera":
                truth = {(records[-1]["camera"], records[-1]["site"]): {last: records[-1]["people"]}}
            else:
                truth = expected(records, *PANELS[name])
            if panel["title"] == "Records":  # It shows zeros where there is nothing.
                answer = {tags: {when: value for when, value in series.items() if value}
                          for tags, series in answer.items()}
            rounded = [{tags: {when: round(value, 6) for when, value in series.items()}
                        for tags, series in all_of_it.items()} for all_of_it in (answer, truth)]
            assert rounded[0] == rounded[1], f"{name}\n{statement}\nis {rounded[0]}\nnot {rounded[1]}"


def put_clip(board, clip, pipeline):
    """In place of the camera: all else of the pipeline is as it is shipped."""
    text = board.read(pipeline)
    camera = "libcamerasrc ! video/x-raw,format=NV12,width=640,height=480,framerate=10/1"
    assert camera in text, text
    board.write("/var/lib/clip.avi", "")
    board.run("cp", str(clip), "/var/lib/clip.avi")
    board.write(pipeline, text.replace(
        camera, f"filesrc location=/var/lib/clip.avi ! decodebin ! identity eos-after={FRAMES}"))


def standalone(build, clip):
    board = Board(build)
    try:
        if not board.up():
            return "no namespaces or overlays here"
        for heading in ("1. Broker and database", "2. The camera"):
            for lines in blocks("deploy-standalone.md", heading):
                if "npc@door" in lines:
                    put_clip(board, clip, "/etc/npc/door.pipeline")
                board.type(lines)
        assert eventually(lambda: board.ended("npc@door"), PATIENCE), board.logs()
        records = board.records("/var/lib/npc/door.db")
        assert len(records) >= FRAMES / 10 / 2 - 1, board.logs()
        assert sum(record["people"] for record in records) > len(records), "nobody was counted"
        check_panels(board, records)
        state = board.run("mosquitto_sub", "-t", "npc/home/door/state", "-C", "1", "-W", "30")
        assert json.loads(state.stdout)["seq"] == records[-1]["seq"], state
        found = board.run("mosquitto_sub", "-t", "homeassistant/device/npc_home_door/config", "-C", "1", "-W", "30")
        assert "No-picture" in found.stdout, found
    finally:
        board.close()
    return None


def connect(one, other):
    """A network between two boards; addresses are those of benchmarks, nobody's own."""
    subprocess.run(["ip", "link", "add", "uplink", "netns", one.pid(), "type", "veth",
                    "peer", "name", "uplink", "netns", other.pid()], check=True, capture_output=True)
    for board, address in ((one, "198.18.0.1/30"), (other, "198.18.0.2/30")):
        board.type(f"ip address add {address} dev uplink; ip link set uplink up; "
                   "echo 198.18.0.1 broker.example >>/etc/hosts")


def cannot_be_another(broker):
    """The shipped access list, with the real broker: home/door is not home/hall."""
    broker.type("mosquitto_passwd -b /etc/mosquitto/npc.passwords home/hall hall\n"
                "mosquitto_passwd -b /etc/mosquitto/npc.passwords reader reader\n"
                'kill -HUP "$(cat /run/mosquitto/mosquitto.pid)"')
    door = broker.read("/etc/npc/door.password").strip()
    client = "--cafile /etc/npc/ca.pem -h broker.example -p 8883"
    # Each has a session first, in which the broker keeps what it may read, and then looks.
    readers = {"reader": ("reader", "reader", 9), "door": ("home/door", door, 1), "hall": ("home/hall", "hall", 1)}
    subscribe = {name: f"mosquitto_sub {client} -i {name} -c -q 1 -u {user} -P {password} -t 'npc/#' -v -R"
                 for name, (user, password, _) in readers.items()}
    topics = [f"npc/home/{camera}/{what}" for camera in ("door", "hall")
              for what in ("counts", "influx", "state", "status", "health", "lost", "resend")]
    publish = "".join(f"mosquitto_pub {client} -V 5 -q 1 -u home/door -P {door} -t {topic} -m from-door || true\n"
                      for topic in [*topics, "npc/home/door", "npc/other/door/counts", "homeassistant/status"])
    bridge = f'mosquitto_pub {client} -q 1 -u bridge -P "$(cat /etc/npc/bridge.password)" -m from-bridge -t '
    broker.type("".join(f"{line} -E\n" for line in subscribe.values()) + publish
                + f"mosquitto_pub {client} -q 1 -u home/hall -P hall -t npc/home/hall/counts -m from-hall\n"
                + "".join(f"{bridge} npc/home/{camera}/resend\n" for camera in ("door", "hall")))
    seen = {name: broker.run("bash", "-c", f"{line} -C {readers[name][2]} -W 60").stdout.splitlines()
            for name, line in subscribe.items()}
    allowed = {f"npc/home/door/{what} from-door" for what in ("counts", "influx", "state", "status", "health", "lost")}
    requests = {f"npc/home/{camera}/resend from-bridge" for camera in ("door", "hall")}
    assert set(seen["reader"]) == allowed | requests | {"npc/home/hall/counts from-hall"}, seen
    assert seen["door"] == ["npc/home/door/resend from-bridge"], seen
    assert seen["hall"] == ["npc/home/hall/resend from-bridge"], seen
    refused = broker.run("bash", "-c", f"mosquitto_sub {client} -t 'npc/#' -C 1 -W 5")
    assert refused.returncode != 0 and not refused.stdout, refused


def cloud(build, clip):
    broker, camera = Board(build), Board(build)
    try:
        if not broker.up() or not camera.up():
            return "no namespaces or overlays here"
        connect(broker, camera)
        for lines in blocks("deploy-cloud.md", "On the broker"):
            broker.type(lines)
        for file in ("/etc/npc/ca.pem", "/etc/npc/door.password"):
            camera.write(file, broker.read(file))
        camera.type("ip link set uplink down")  # Until all is counted.
        for lines in blocks("deploy-cloud.md", "On the camera"):
            if "npc@door" in lines:
                put_clip(camera, clip, "/etc/npc/door.pipeline")
                text = camera.read("/etc/npc/door.pipeline")
                # It ends with the clip: longer than it takes to see that the network is there again.
                camera.write("/etc/npc/door.pipeline", text.replace("! npcsink", "! npcsink drain-timeout=120000000000"))
            camera.type(lines)
        windows = FRAMES // 10 // 2
        assert eventually(lambda: len(camera.records("/var/lib/npc/door.db")) >= windows - 1, PATIENCE), camera.logs()
        camera.type("ip link set uplink up")
        assert eventually(lambda: camera.ended("npc@door"), PATIENCE), camera.logs()
        records = camera.records("/var/lib/npc/door.db")
        count = 'SELECT count("people") FROM npc'
        assert eventually(lambda: sum(sum(one.values()) for one in broker.query(count).values()) >= len(records), PATIENCE), \
            broker.logs() + camera.logs()
        log = camera.read("/run/npc@door.log").replace("\\ ", " ")
        assert "There is no MQTT broker to reach at broker.example" in log, log
        check_panels(broker, records)
        cannot_be_another(broker)
        outside = camera.run("curl", "-sS", "--max-time", "5", "http://broker.example:8086/ping")
        assert outside.returncode == 7, f"the database is open to others: {outside}"
    finally:
        camera.close()
        broker.close()
    return None


def main():
    build = pathlib.Path(sys.argv[1]).resolve()
    clip = os.environ.get("NPC_CLIP", "")
    missing = missing_programs("mosquitto", "influxd", "unshare", "nsenter", "curl")
    reason = ("root is needed" if os.geteuid() != 0 else f"not here: {' '.join(missing)}" if missing
              else "" if os.path.exists(clip) else "NPC_CLIP is no clip")
    tests = {"one board": standalone, "cameras, a broker and a database": cloud}
    for number, (name, test) in enumerate(tests.items(), 1):
        try:
            skipped = reason or test(build, clip)
            print(f"ok {number} - {name}" + (f" # SKIP {skipped}" if skipped else ""), flush=True)
        except Exception as error:  # pylint: disable=broad-except
            text = f"{type(error).__name__}: {error}".replace("\n", "\n# ")
            print(f"not ok {number} - {name}\n# {text}", flush=True)
    print(f"1..{len(tests)}")


if __name__ == "__main__":
    if sys.argv[1] == "--systemctl":
        Systemctl(sys.argv[2:])
    else:
        main()
