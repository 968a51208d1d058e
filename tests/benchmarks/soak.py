#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Soak: records to a broker, a database and a file while random faults follow one another. Memory,
file handles and threads stay flat, the store stays within its bounds, and nothing is lost."""

import collections
import contextlib
import os
import pathlib
import random
import re
import signal
import sqlite3
import statistics
import subprocess
import threading
import time

from figures import Figures
from remotes import Folder, Influxd, Mosquitto, Stream, eventually

RATE = 900  # a second; the times of records are whole ms
RETENTION, STORE_SIZE = 30, 48 << 20
TIDY = 60  # s between npcsink's looks for records that are too old


class Faults:
    """One fault at a time, of 0 to 5 s, then a pause of 0 to 3 s."""

    def __init__(self, dice, broker, database, disk):
        self.dice, self.broker, self.database, self.disk = dice, broker, database, disk
        self.done = {}

    def kill(self, far):
        far.kill()
        time.sleep(self.dice.uniform(0, 5))
        far.restart()

    def freeze(self, far):
        far.signal(signal.SIGSTOP)
        time.sleep(self.dice.uniform(0, 5))
        far.signal(signal.SIGCONT)

    def fill(self, _):
        filler = self.disk / "filler"
        with contextlib.suppress(OSError), open(filler, "wb", buffering=0) as file:
            while file.write(bytes(1 << 16)):
                pass
        time.sleep(self.dice.uniform(0, 5))
        filler.unlink()

    def one(self):
        kinds = [(self.kill, self.broker), (self.freeze, self.broker), (self.kill, self.database),
                 (self.freeze, self.database)]
        if self.disk:
            kinds.append((self.fill, None))
        fault, far = self.dice.choice(kinds)
        fault(far)
        name = fault.__name__ + (f" {far.kind}" if far else " disk")
        self.done[name] = self.done.get(name, 0) + 1
        time.sleep(self.dice.uniform(0, 3))


def sample(stream):
    """What the process and its store take now."""
    process = pathlib.Path(f"/proc/{stream.process.pid}")
    status = dict(line.split(":", 1) for line in (process / "status").read_text().splitlines())
    handles = sorted(re.sub(r"\d+", "N", os.readlink(each)) for each in (process / "fd").iterdir())
    sizes = {file.name: file.stat().st_size for file in stream.store.parent.glob("counts.db*")}
    return {"resident, KiB": int(status["VmRSS"].split()[0]), "file handles": len(handles),
            "threads": int(status["Threads"]), "store, bytes": sum(sizes.values()),
            "handles": dict(collections.Counter(handles)), "sizes": sizes}


class Sampler(threading.Thread):
    """Looks twice a second until stop() or the end of the process."""

    def __init__(self, stream):
        super().__init__(daemon=True)
        self.stream, self.samples, self.stopped = stream, [], threading.Event()
        self.start()

    def run(self):
        # A journal may go, and the process end, between two looks at them.
        while self.stream.process.running() and not self.stopped.wait(0.5):
            with contextlib.suppress(OSError, KeyError):
                self.samples.append(sample(self.stream))

    def stop(self):
        self.stopped.set()
        self.join()


def judge(figures, samples, stream):
    """What grows with time is larger in the second half. Connections come and go: of handles and
    threads the most counts."""
    half = len(samples) // 2
    for what, measure, factor in (("resident, KiB", statistics.median, 1.15),
                                  ("file handles", max, 1), ("threads", max, 1)):
        early, late = (measure(each[what] for each in part)
                       for part in (samples[half // 4:half], samples[half:]))
        name = "median" if measure is statistics.median else "most"
        figures.note(f"{what}, {name} of the first half", early)
        figures.require(f"{what}, {name} of the second half", late, "<=", early * factor)
    for what, part in (("file handles", "handles"), ("store, bytes", "sizes")):
        figures.note(f"{what}, at the most", max(samples, key=lambda each: each[what])[part])
    figures.require("store, most bytes", max(each["store, bytes"] for each in samples), "<=",
                    STORE_SIZE)
    with contextlib.closing(sqlite3.connect(f"file:{stream.store}?mode=ro", uri=True)) as database:
        count, oldest = database.execute("SELECT count(*), min(time) FROM records").fetchone()
    figures.note("records in the store at the end", count)
    figures.require("age of the oldest record in the store, s", time.time() - oldest / 1000, "<=",
                    RETENTION + 2 * TIDY)


def soak(figures, stack, dice):
    folder, broker, database = Folder(), Mosquitto(), Influxd()
    for each in (folder, broker, database):
        stack.callback(each.close)
    disk = folder / "disk"
    disk.mkdir()
    is_small = os.geteuid() == 0 and subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", disk], check=False).returncode == 0
    if is_small:
        stack.callback(lambda: subprocess.run(["umount", "-l", disk], check=False))
    else:
        print(f"{'':8} the disk does not get full: that needs root")
    broker.prepare()
    database.prepare()
    file = folder / "counts.jsonl"
    stream = Stream(folder, f"{broker.uri} {database.uri} file:{file}", disk / "counts.db",
                    rate=RATE)
    stream.start("--records", figures.options.records, "--retention", RETENTION, "--store-size",
                 STORE_SIZE, "--drain", 120)
    stack.callback(lambda: stream.process.kill())
    faults, sampler = Faults(dice, broker, database, disk if is_small else None), Sampler(stream)
    stack.callback(sampler.stop)
    begin, received = time.monotonic(), 0
    while received < figures.options.records * 0.97:
        faults.one()
        received = (stream.last("stats") or {"received": 0})["received"]
        if time.monotonic() - begin > 3 * figures.options.records / RATE + 60:
            raise RuntimeError(f"the stream does not move: {stream.last('stats')}")
    sampler.stop()  # Before the end, when it hurries and then closes what it had open.
    end = stream.finish(patience=240)
    figures.note("faults", ", ".join(f"{n} {name}" for name, n in sorted(faults.done.items())))
    judge(figures, sampler.samples, stream)
    taken = stream.records()[0]
    figures.require("records handed over", len(taken), ">=", figures.options.records)
    for far in (broker, database):
        eventually(lambda far=far: taken <= set(far.arrivals()), patience=30, pause=1)
        arrivals = far.arrivals()
        figures.note(f"{far.kind}: repeats dropped by their identity",
                     len(arrivals) - len(set(arrivals)))
        figures.require(f"{far.kind}: records lost", len(taken - set(arrivals)), "<=", 0)
    figures.require("file: records lost",
                    figures.options.records - len(set(file.read_bytes().splitlines())), "<=", 0)
    for updater in end["updaters"]:
        name = updater["updater"].split(":")[0]
        figures.note(f"{name}: most that waited", max(
            each["pending"] for kind, content in stream.said() if kind == "stats"
            for each in content["updaters"] if each["updater"] == updater["updater"]))
        figures.require(f"{name}: records dropped or refused",
                        updater["dropped"] + updater.get("refused", 0), "<=", 0)


def main():
    figures = Figures(__doc__, *Mosquitto.programs, *Influxd.programs, more=[
        ("--records", {"type": int, "default": 200000}),
        ("--seed", {"type": int, "default": random.randrange(1 << 32)})])
    print(f"{'':8} seed {figures.options.seed}")
    with contextlib.ExitStack() as stack:
        soak(figures, stack, random.Random(figures.options.seed))
    figures.end()


main()
