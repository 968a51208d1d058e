#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A password stays in its file: it is in no log at GST_DEBUG=9, no message, no property, not in the
store and not in what /proc shows of the process, whether it is right or wrong. Reports as TAP."""

import argparse
import base64
import os
import pathlib
import random
import subprocess
import sys
import time
import traceback

from remotes import (Folder, Influxd, Mosquitto, Stream, eventually, missing_programs)


def forms_of(password):
    """What it looks like in a log: as it is, in hexadecimal, in base64 after 0 to 2 bytes."""
    raw = password.encode()
    forms = {raw, raw.hex().encode(), raw.hex(" ").encode()}
    for before in range(3):
        encoded = base64.b64encode(bytes(before) + raw)
        # Without the characters that its neighbours have a part in.
        forms.add(encoded[2 if before else 0:len(encoded) - 4])
    return forms


class MqttLogin:
    """A broker that knows the user me."""

    programs = (*Mosquitto.programs, "mosquitto_passwd")

    def __init__(self, folder, password):
        users = folder / "users"
        users.touch(0o600)
        subprocess.run(["mosquitto_passwd", "-b", users, "me", password], check=True,
                       capture_output=True)
        self.far = Mosquitto(options=f"allow_anonymous false\npassword_file {users}\n")
        self.uri = f"mqtt://me@{self.far.host}/"

    def start(self):
        self.far.start()


class InfluxLogin:
    """A database that knows the user me."""

    programs = Influxd.programs

    def __init__(self, _, password):
        self.password = password
        self.far = Influxd(options="auth-enabled = true\n")
        self.uri = f"influxdb://me@{self.far.host}/npc"

    def start(self):
        self.far.start()
        self.far.query(f"CREATE USER me WITH PASSWORD '{self.password}' WITH ALL PRIVILEGES")
        self.far.login = f"me:{self.password}"
        self.far.query("CREATE DATABASE npc")


def search(folder, password, more):
    """Fails if the password is in the folder, but for its file, or in `more` (name: bytes)."""
    places = {str(path.relative_to(folder.path)): path.read_bytes()
              for path in folder.path.rglob("*")
              if path.is_file() and path.name not in ("password", "users")}
    places.update(more)
    found = [name for name, content in places.items()
             if any(form in content for form in forms_of(password))]
    if found:
        raise AssertionError(f"the password is in: {', '.join(found)}")
    return places


def runs_with(login_of, is_right):
    folder, login, stream = Folder(), None, None
    try:
        right = f"pass-{random.randrange(1 << 62):x}"
        mine = right if is_right else f"wrong-{random.randrange(1 << 62):x}"
        login = login_of(folder, right)
        login.start()
        (folder / "password").touch(0o600)
        (folder / "password").write_text(mine + "\n")
        stream = Stream(folder, f"{login.uri}?password-file={folder / 'password'}", rate=50)
        # Without a wait at the end for what a wrong password never delivers.
        stream.start("--drain", 30 if is_right else 0, GST_DEBUG="9", GST_DEBUG_NO_COLOR="1")
        state = "connected" if is_right else "disconnected"
        if not eventually(lambda: any(content["state"] == state for kind, content in stream.said()
                                      if kind == "npc-updater")):
            raise AssertionError(f"not {state}: {stream.last('stats')} {stream.errors()}")
        process = pathlib.Path(f"/proc/{stream.process.pid}")
        shown = {f"/proc/PID/{name}": (process / name).read_bytes()
                 for name in ("cmdline", "environ", "comm")}
        before = stream.last("stats")["received"] if stream.last("stats") else 0
        time.sleep(1)
        end = stream.finish()
        if end["received"] <= before:
            raise AssertionError("the pipeline stood still")
        if (end["updaters"][0]["pending"] == 0) != is_right:
            raise AssertionError(f"unexpected: {end['updaters']}")
        why = [content["reason"] for kind, content in stream.said()
               if kind == "npc-updater" and content["state"] == "disconnected"]
        if not is_right and "refused the user name or the password" not in why[0]:
            raise AssertionError(f"it was not the password: {why}")
        places = search(folder, mine, shown)
        if b"npcsink" not in places["output.err"] or b"TRACE" not in places["output.err"]:
            raise AssertionError("there is no log at level 9")
        if "password-file" not in end["properties"]["updaters"]:
            raise AssertionError("the properties were not printed")
        return [f"{len(places['output.err']) >> 10} KiB of log searched", *why[:1]]
    finally:
        if stream and stream.process:
            stream.process.kill()
        if login:
            login.far.close()
        folder.close()


def refuses_it_in_the_uri(login_of, _):
    """Only a file may hold it: the URI is refused, and not repeated."""
    folder = Folder()
    try:
        password = f"pass-{random.randrange(1 << 62):x}"
        scheme = "mqtt" if login_of is MqttLogin else "influxdb"
        stream = Stream(folder, f"{scheme}://me:{password}@127.0.0.1:1/npc", rate=50)
        stream.start(GST_DEBUG="9", GST_DEBUG_NO_COLOR="1")
        if stream.process.wait() == 0 or not stream.last("error"):
            raise AssertionError(f"it was not refused: {stream.said()}")
        search(folder, password, {})
        return [stream.last("error")]
    finally:
        folder.close()


def main():
    parser = argparse.ArgumentParser(description="Searches for passwords.")
    parser.add_argument("stream", help="the program that makes records")
    Stream.program = os.path.abspath(parser.parse_args().stream)
    cases = [(f"{login.__name__}: {title}", login, case, is_right)
             for login in (MqttLogin, InfluxLogin)
             for title, case, is_right in (("the right password", runs_with, True),
                                           ("a wrong password", runs_with, False),
                                           ("a password in the URI", refuses_it_in_the_uri, None))]
    print(f"1..{len(cases)}")
    failed = False
    for number, (name, login, case, is_right) in enumerate(cases, 1):
        missing = missing_programs("setpriv", *login.programs)
        if missing:
            print(f"ok {number} - {name} # SKIP not installed: {', '.join(missing)}")
            continue
        try:
            notes = case(login, is_right)
            print(f"ok {number} - {name}")
        except Exception:  # pylint: disable=broad-except
            notes, failed = traceback.format_exc().splitlines(), True
            print(f"not ok {number} - {name}")
        for note in notes:
            print(f"# {note}")
    return 1 if failed else 0


sys.exit(main())
