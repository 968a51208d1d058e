#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A frozen broker slows neither npcsink's render down nor an updater beside it. The broker is
healthy and frozen in turns, in one run, so that what else the machine does hits both."""

import contextlib
import signal
import statistics
import time

from figures import Figures
from farside import Folder, Mosquitto, Stream, eventually

ROUNDS, SECONDS, RATE = 5, 12, 500


def render_times(stream):
    """The figures since the last call."""
    count = len([1 for kind, _ in stream.said() if kind == "render_us"])
    stream.process.signal(signal.SIGUSR1)
    if not eventually(lambda: len([1 for kind, _ in stream.said() if kind == "render_us"]) > count):
        raise RuntimeError("the stream does not answer: " + stream.errors())
    return stream.last("render_us")



def main():
    figures = Figures(__doc__, *Mosquitto.programs)
    with contextlib.ExitStack() as stack:
        folder, broker = Folder(), Mosquitto()
        stack.callback(folder.close)
        stack.callback(broker.close)
        broker.prepare()
        stream = Stream(folder, f"{broker.uri} file:{folder / 'counts.jsonl'}", rate=RATE)
        stream.start()
        stack.callback(lambda: stream.process.kill())
        if not eventually(broker.arrivals):
            raise RuntimeError("nothing arrives: " + stream.errors())
        phases = {"healthy": [], "frozen": []}
        behind = 0
        for _ in range(ROUNDS):
            for name, number in (("healthy", signal.SIGCONT), ("frozen", signal.SIGSTOP)):
                broker.signal(number)
                time.sleep(1)
                render_times(stream)
                time.sleep(SECONDS)
                phases[name].append(render_times(stream))
                if name == "frozen":
                    # The file has what there was a moment ago.
                    before = stream.last("stats")
                    eventually(lambda: stream.last("stats")["updaters"][1]["delivered"]
                               >= before["received"], patience=5)
                    after = stream.last("stats")["updaters"][1]["delivered"]
                    behind = max(behind, before["received"] - after)
        broker.signal(signal.SIGCONT)
        end = stream.finish()
        for name, reports in phases.items():
            for part in ("median", "p99", "max"):
                figures.note(f"{name}, render time, {part}, us",
                             statistics.median(report[part] for report in reports))
        figures.require("99th percentile of the render time, frozen over healthy",
                        figures.figures["frozen, render time, p99, us"]
                        / figures.figures["healthy, render time, p99, us"], "<=", 2)
        figures.require("records that the file beside it lacks after the freeze", behind, "<=", 0)
        taken = stream.records()[0]
        eventually(lambda: taken <= set(broker.arrivals()), patience=20)
        figures.require("records lost", len(taken - set(broker.arrivals())), "<=", 0)
        figures.require("records pending at the end",
                        sum(each["pending"] for each in end["updaters"]), "<=", 0)
    figures.end()


main()
