#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Sequence audit: every record that was handed to npcsink is at the remote, whatever happens to
the remote, the network, the disk or our own process. Reports as TAP.

The remote of mqtt is a subscriber with a persistent session, that of influxdb a query. A reader
drops what it has seen by (site, camera, boot, seq): what came again is counted as a repeat.

A record is handed over when npcsink has returned from taking it. It is in the store some ms later:
until then its crash journal keeps it over a kill of our own process."""

import argparse
import collections
import concurrent.futures
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import traceback

from remotes import (Folder, Influxd, Mosquitto, Network, Stream, eventually, missing_programs,
                     records_in)

# Seconds and numbers of a short and of a long run; the long ones are those of the requirement.
SHORT = {"outage": 10, "freeze": 8, "kills": 25, "cuts": 40, "full": 8}
LONG = {"outage": 60, "freeze": 30, "kills": 50, "cuts": 200, "full": 30}


class Trial:
    """What a case works with."""

    def __init__(self, kind, length, dice, network=None):
        self.folder = Folder()
        self.length, self.dice = length, dice
        self.network = network
        self.far = kind(network)
        self.stream = Stream(self.folder, self.far.uri)
        self.notes = []

    def close(self):
        if self.stream.process:
            self.stream.process.kill()
        self.far.close()
        self.folder.close()
        if self.network:
            self.network.close()

    def note(self, text):
        self.notes.append(text)

    def await_flow(self):
        """The stream runs, and what it sends arrives."""
        if not eventually(lambda: self.far.arrivals()):
            raise RuntimeError("nothing arrives: " + self.stream.errors())

    def finish(self):
        end = self.stream.finish()
        for updater in end["updaters"]:
            if updater["pending"] or updater["dropped"] or updater.get("refused", 0):
                self.note(f"pending {updater['pending']}, dropped {updater['dropped']}, "
                          f"last error: {updater['last-error']}")

    def audit(self):
        """Raises what is wrong; notes what was found."""
        taken, stored = self.stream.records()
        eventually(lambda: taken <= set(self.far.arrivals()), patience=20, pause=0.5)
        arrivals = self.far.arrivals()
        seen = set(arrivals)
        lost = taken - seen
        self.note(f"{len(taken)} handed over, {len(lost)} lost, "
                  f"{len(arrivals) - len(seen)} repeats dropped by their identity")
        if taken - stored:
            self.note(f"{len(taken - stored)} not known to be stored at the end of their run")
        # A reader of MQTT drops a record that it has seen; a database has nobody who would.
        if self.far.kind == "influxdb" and len(arrivals) != len(seen):
            raise AssertionError("records are there twice")
        if lost:
            raise AssertionError(f"lost: {sorted(lost, key=lambda one: one[2:])[:10]}")
        # At a kill the log may lack the last record of a run.
        newest = collections.Counter()
        for _, _, boot, seq in taken:
            newest[boot] = max(newest[boot], seq)
        strange = {one for one in seen - taken if one[3] > newest[one[2]] + 1}
        if strange:
            raise AssertionError(f"never handed over: {sorted(strange)[:10]}")
        if not taken:
            raise AssertionError("nothing was handed over")


def absent_at_start(trial):
    trial.far.prepare()
    trial.far.kill()
    trial.stream.start()
    time.sleep(trial.length["outage"] / 2)
    trial.far.restart()
    time.sleep(2)
    trial.finish()
    trial.audit()


def killed(trial):
    trial.far.prepare()
    trial.stream.start()
    trial.await_flow()
    # So that it is busy with what waited when it dies.
    trial.far.signal(signal.SIGSTOP)
    time.sleep(2)
    trial.far.signal(signal.SIGCONT)
    time.sleep(trial.dice.uniform(0, 0.03))
    trial.far.kill()
    time.sleep(trial.length["outage"])
    trial.far.restart()
    time.sleep(2)
    trial.finish()
    trial.audit()


def network_cut(trial):
    trial.far.prepare()
    trial.stream.start()
    trial.await_flow()
    trial.network.cut()
    time.sleep(trial.length["outage"])
    trial.network.mend()
    time.sleep(2)
    trial.finish()
    trial.audit()


def frozen(trial):
    trial.far.prepare()
    trial.stream.start()
    trial.await_flow()
    trial.far.signal(signal.SIGSTOP)
    time.sleep(trial.length["freeze"])
    trial.far.signal(signal.SIGCONT)
    time.sleep(2)
    trial.finish()
    trial.audit()


def we_are_killed(trial):
    """At random moments from the first instant of a start on, also while it starts up; the second
    half of them with the remote absent, so that only the store has what came."""
    trial.far.prepare()
    for number in range(trial.length["kills"]):
        if number == trial.length["kills"] // 2:
            trial.far.kill()
        trial.stream.start()
        time.sleep(trial.dice.uniform(0.02, 1.2))
        trial.stream.process.kill()
    trial.far.restart()
    trial.stream.start("--records", 20)
    trial.finish()
    trial.audit()


def clock_goes_back(trial):
    """Each 50 records the clock goes back to one moment, at which each run begins too, as on a
    board without a clock: many records share a time, within a run and across them."""
    trial.far.prepare()
    for _ in range(2):
        trial.stream.start("--back", 50)
        trial.await_flow()
        time.sleep(1)
        trial.stream.process.kill()
    trial.stream.start("--back", 50, "--records", 200)
    trial.finish()
    trial.audit()


def store_cut(trial):
    """The file or its journal loses its end, at random places of a store that was killed."""
    trial.far.prepare()
    trial.far.kill()
    trial.stream.rate = 900
    trial.stream.start()
    if not eventually(lambda: len(trial.stream.records()[1]) > 5000):
        raise RuntimeError("the store does not fill: " + trial.stream.errors())
    trial.stream.process.kill()
    original, everything = trial.stream.store, trial.stream.records()[0]
    trial.far.restart()
    outcomes = collections.Counter()
    for number in range(trial.length["cuts"]):
        outcomes[cut_once(trial, number, original, everything)] += 1
    trial.note(f"{trial.length['cuts']} cuts: " + ", ".join(
        f"{count} {outcome}" for outcome, count in sorted(outcomes.items())))


def cut_once(trial, number, original, everything):
    files = {suffix: original.with_name(original.name + suffix) for suffix in ("", "-wal")}
    sizes = {suffix: file.stat().st_size for suffix, file in files.items() if file.exists()}
    offset = trial.dice.randrange(sum(sizes.values()))
    suffix = "" if offset < sizes[""] else "-wal"
    offset -= 0 if suffix == "" else sizes[""]
    where = f"cut {number} at byte {offset} of {sizes[suffix]} of counts.db{suffix}"

    def copy_into(name):
        folder = trial.folder / name
        folder.mkdir()
        for each in sizes:
            shutil.copy(files[each], folder / ("counts.db" + each))
        os.truncate(folder / ("counts.db" + suffix), offset)
        return folder

    known = records_in(copy_into(f"witness-{number}") / "counts.db")
    folder = copy_into(f"cut-{number}")
    trial.far.forget()
    stream = Stream(folder, trial.far.uri)
    stream.start("--records", 3)
    stream.process.wait()
    end = stream.last("end")
    taken = stream.records()[0]
    if end is None or len(taken) != 3 or end["updaters"][0]["pending"]:
        raise AssertionError(f"{where}: {end} {stream.errors()}")
    expected = taken | (known or set())
    eventually(lambda: expected <= set(trial.far.arrivals()), patience=10)
    seen = set(trial.far.arrivals())
    replaced = "replaced" in stream.store_messages()
    if expected - seen:
        raise AssertionError(f"{where}: of {len(known or ())} that SQLite still reads were not "
                             f"delivered: {sorted(expected - seen)[:5]}, replaced: {replaced}, "
                             f"at the end: {end['updaters']}")
    if known is None and not replaced:
        raise AssertionError(f"{where}: damaged, and not set aside: {stream.said()}")
    if seen - taken - everything:
        raise AssertionError(f"{where}: records that never were: {list(seen - taken)[:5]}")
    shutil.rmtree(folder)
    shutil.rmtree(trial.folder / f"witness-{number}")
    return "set aside with a message" if replaced else "recovered to the last committed record"


def disk_full(trial):
    """A small disk fills with the remote absent, and our process is killed then; after space is
    freed all of it is stored."""
    disk = trial.folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", disk], check=True)
    try:
        trial.far.prepare()
        trial.far.kill()
        (disk / "filler").write_bytes(bytes(10 << 20))
        trial.stream.store = disk / "counts.db"
        trial.stream.rate = 400
        trial.stream.start()
        if not eventually(lambda: "failing" in trial.stream.store_messages()):
            raise RuntimeError("the disk does not fill: " + str(trial.stream.last("stats")))
        time.sleep(trial.length["full"] / 2)
        trial.stream.process.kill()
        trial.stream.start()
        time.sleep(trial.length["full"] / 2)
        waiting = trial.stream.last("stats")["store"]["unstored"]
        (disk / "filler").unlink()
        if not eventually(lambda: trial.stream.store_messages()[-1:] == ["writing"]):
            raise RuntimeError("the store does not recover: " + str(trial.stream.store_messages()))
        trial.note(f"full for {trial.length['full']} s, {waiting} records waited in memory")
        taken = trial.stream.records()[0]
        if not eventually(lambda: taken <= (records_in(trial.stream.store) or set()), patience=20):
            raise AssertionError("not all is stored after the disk was freed: "
                                 + str(trial.stream.last("stats")))
        trial.stream.process.kill()
        # All comes from the disk now.
        trial.far.restart()
        trial.stream.rate = 100
        trial.stream.start("--records", 3)
        trial.finish()
        trial.audit()
    finally:
        trial.stream.process.kill()
        subprocess.run(["umount", "-l", disk], check=True)


CASES = [  # what happens, needs root, needs a network of its own
    (absent_at_start, "remote absent at start, for {outage}/2 s", False, False),
    (killed, "remote killed with -9 for {outage} s", False, False),
    (network_cut, "network cut for {outage} s", True, True),
    (frozen, "remote frozen for {freeze} s", False, False),
    (we_are_killed, "our process killed with -9 at {kills} random moments", False, False),
    (clock_goes_back, "clock goes back to the same moment each 50 records", False, False),
    (store_cut, "store cut at {cuts} random offsets", False, False),
    (disk_full, "disk full for {full} s and freed again", True, False),
]


def run_case(case, kind, length, seed):
    what, _, needs_root, needs_network = case
    missing = missing_programs("setpriv", *kind.programs, *(["ip"] if needs_network else []))
    if missing:
        return "skip", [f"not installed: {', '.join(missing)}"]
    if needs_root and os.geteuid() != 0:
        return "skip", ["needs root, for namespaces and small disks"]
    trial = None
    try:
        dice = random.Random(f"{seed} {kind.kind} {what.__name__}")
        network = None
        if needs_network:
            try:
                network = Network()
            except subprocess.CalledProcessError as error:
                return "skip", [f"no network namespace: {error.stderr.decode().strip()}"]
        trial = Trial(kind, length, dice, network)
        begin = time.monotonic()
        what(trial)
        trial.note(f"{time.monotonic() - begin:.0f} s")
        return "ok", trial.notes
    except Exception:  # pylint: disable=broad-except
        return "not ok", (trial.notes if trial else []) + traceback.format_exc().splitlines()
    finally:
        if trial:
            trial.close()


def main():
    parser = argparse.ArgumentParser(description="Sequence audit of npcsink.")
    parser.add_argument("stream", help="the program that makes records")
    parser.add_argument("--long", action="store_true", help="outages of full length, for minutes")
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--only", default="", help="cases with this in their name")
    parser.add_argument("--jobs", type=int, default=7, help="cases at the same time")
    options = parser.parse_args()
    Stream.program = os.path.abspath(options.stream)
    length = LONG if options.long else SHORT
    print(f"# seed {options.seed}")
    runs = []
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as pool:
        for case in CASES:
            for kind in (Mosquitto, Influxd):
                name = f"{kind.kind}: {case[1].format(**length)}"
                if options.only in f"{kind.kind} {case[0].__name__}":
                    runs.append((name, pool.submit(run_case, case, kind, length, options.seed)))
        print(f"1..{len(runs)}")
        failed = 0
        for number, (name, run) in enumerate(runs, 1):
            result, notes = run.result()
            failed += result == "not ok"
            verdict = "not ok" if result == "not ok" else "ok"
            skip = f" # SKIP {notes[0]}" if result == "skip" else ""
            print(f"{verdict} {number} - {name}{skip}")
            for line in notes if result != "skip" else []:
                print(f"# {line}")
            sys.stdout.flush()
    return 1 if failed else 0


sys.exit(main())
