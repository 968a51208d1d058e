#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""A broker in trouble - frozen, absent, with a slow name server, hostile - slows down neither
npcsink's render nor what is delivered beside it: a file, and another broker by the same library. It
is healthy and in trouble in turns, in one run, so that what else the machine does hits both."""

import contextlib
import signal
import socket
import statistics
import threading
import time

from figures import Figures
from remotes import Folder, Mosquitto, Stream, eventually

ROUNDS, SECONDS, RATE = 3, 8, 200
OTHERS = ("file", "other broker")


class Hostile:
    """A broker that says yes, then sends nonsense or floods, or reads nothing, in turns."""

    def __init__(self, port):
        self.listener = socket.create_server(("127.0.0.1", port), backlog=16)
        self.ended = False
        self.thread = threading.Thread(target=self.serve)
        self.thread.start()

    def serve(self):
        number = 0
        self.listener.settimeout(0.2)
        while not self.ended:
            with contextlib.suppress(OSError):
                client, _ = self.listener.accept()
                threading.Thread(target=self.answer, args=(client, number)).start()
                number += 1

    def answer(self, client, number):
        with client, contextlib.suppress(OSError):
            client.settimeout(1)
            client.recv(65536)
            client.sendall(bytes.fromhex("20050000027e00" if number % 4 == 0 else "2003000000"))
            topic = b"homeassistant/status"
            publish = b"\x00" + bytes([len(topic)]) + topic + b"\x00" + b"x" * 60000
            length = bytes([len(publish) & 127 | 128, len(publish) >> 7 & 127 | 128,
                            len(publish) >> 14])
            while not self.ended:
                if number % 4 == 1:
                    client.sendall(b"\x30" + length + publish)
                elif number % 4 == 2:
                    client.sendall(b"\x40\x02\x12\x34" * 100 + b"\xff\xff\xff\xff")
                else:
                    time.sleep(0.1)

    def close(self):
        self.ended = True
        self.thread.join()
        self.listener.close()


class Trouble:
    """What can be wrong with a broker, and its end."""

    def __init__(self, broker, slow_names):
        self.broker, self.slow_names, self.hostile = broker, slow_names, None

    def begin(self, kind):
        if kind == "frozen":
            self.broker.signal(signal.SIGSTOP)
            return
        if kind == "slow in its name server":
            self.slow_names.touch()
        self.broker.kill()
        if kind == "hostile":
            self.broker.subscriber.signal(signal.SIGSTOP)  # It is not to be met by that one too.
            self.hostile = Hostile(self.broker.port)
        elif kind != "absent":
            self.broker.restart()

    def end(self, kind):
        self.slow_names.unlink(missing_ok=True)
        if self.hostile:
            self.hostile.close()
            self.hostile = None
            self.broker.subscriber.signal(signal.SIGCONT)
        if kind == "frozen":
            self.broker.signal(signal.SIGCONT)
        elif not self.broker.process.running():
            self.broker.restart()


KINDS = ("frozen", "absent", "slow in its name server", "hostile")


def render_times(stream):
    """The figures since the last call."""
    count = len([1 for kind, _ in stream.said() if kind == "render_us"])
    stream.process.signal(signal.SIGUSR1)
    if not eventually(lambda: len([1 for kind, _ in stream.said() if kind == "render_us"]) > count):
        raise RuntimeError("the stream does not answer: " + stream.errors())
    return stream.last("render_us")


def delivered(stream, index):
    return stream.last("stats")["updaters"][index]["delivered"]


def measure(stream):
    """Render times, and what the others have delivered a second."""
    time.sleep(1)
    render_times(stream)
    begin, before = time.monotonic(), [delivered(stream, i + 1) for i in range(len(OTHERS))]
    time.sleep(SECONDS)
    took = time.monotonic() - begin
    rates = [(delivered(stream, i + 1) - before[i]) / took for i in range(len(OTHERS))]
    return render_times(stream), rates


def median_of(reports, part):
    return statistics.median(report[part] for report, _ in reports)


def compare(figures, kind, healthy, troubled):
    for name, reports in (("healthy", healthy), (kind, troubled)):
        for part in ("median", "p99", "max"):
            figures.note(f"{name}, render time, {part}, us", median_of(reports, part))
    figures.require(f"99th percentile of the render time, {kind} over healthy",
                    median_of(troubled, "p99") / median_of(healthy, "p99"), "<=", 2)
    for i, other in enumerate(OTHERS):
        rate = [statistics.median(rates[i] for _, rates in reports)
                for reports in (healthy, troubled)]
        figures.note(f"{other}, records/s, healthy", rate[0])
        figures.require(f"{other}, records/s, {kind} over healthy", rate[1] / rate[0], ">=", 0.8)


def main():
    figures = Figures(__doc__, *Mosquitto.programs, more=[
        ("--slow-names", {"required": True, "help": "the library of slownames.c"}),
        ("--only", {"choices": KINDS, "help": "one kind of trouble"})])
    with contextlib.ExitStack() as stack:
        folder, broker, other = Folder(), Mosquitto(), Mosquitto()
        for each in (folder, broker, other):
            stack.callback(each.close)
            if each is not folder:
                each.prepare()
        trouble = Trouble(broker, folder / "slow-names")
        stream = Stream(folder, f"mqtt://broker.invalid:{broker.port} "
                        f"file:{folder / 'counts.jsonl'} {other.uri}", rate=RATE)
        stream.start(LD_PRELOAD=figures.options.slow_names, NPC_SLOW_NAMES=trouble.slow_names)
        stack.callback(lambda: stream.process.kill())
        if not eventually(broker.arrivals) or not eventually(other.arrivals):
            raise RuntimeError("nothing arrives: " + stream.errors())
        for kind in [figures.options.only] if figures.options.only else KINDS:
            healthy, troubled = [], []
            for _ in range(ROUNDS):
                healthy.append(measure(stream))
                trouble.begin(kind)
                try:
                    troubled.append(measure(stream))
                finally:
                    trouble.end(kind)
                # It comes back by itself, and takes what has waited.
                if not eventually(lambda: stream.last("stats")["updaters"][0]["pending"] < RATE):
                    raise RuntimeError("it does not come back: " + str(stream.last("stats")))
            compare(figures, kind, healthy, troubled)
        end = stream.finish()
        taken = stream.records()[0]
        for far_side in (broker, other):
            eventually(lambda side=far_side: taken <= set(side.arrivals()), patience=20)
            figures.require("records lost", len(taken - set(far_side.arrivals())), "<=", 0)
        figures.require("records pending at the end",
                        sum(each["pending"] for each in end["updaters"]), "<=", 0)
    figures.end()


main()
