#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Records a second from a source of records through the store to a broker and to a database, beside
what mosquitto_pub reaches with the same records on the same broker."""

import contextlib
import os
import statistics
import subprocess
import time

from figures import Figures
from remotes import Folder, Influxd, Mosquitto, Stream

ROUNDS, TO_BROKER, TO_DATABASE = 3, 60000, 100000


class PlainMosquitto(Mosquitto):
    """As it is installed, with no subscriber."""

    def __init__(self):
        super().__init__()
        (self.folder / "mosquitto.conf").write_text(
            f"listener {self.port} 127.0.0.1\nuser root\nallow_anonymous true\nlog_dest none\n")


def publish(broker, lines):
    """mosquitto_pub alone: from its start until the broker has confirmed all lines."""
    host, port = broker.host.split(":")
    begin = time.monotonic()
    subprocess.run(["mosquitto_pub", "-h", host, "-p", port, "-q", "1", "-l", "-t",
                    "npc/home/door/counts"], input=lines, check=True)
    return lines.count(b"\n") / (time.monotonic() - begin)


def stream_to(uri, count):
    folder = Folder()
    try:
        stream = Stream(folder, uri, rate=0)
        stream.ledger = None  # It costs more than the sink does.
        stream.start("--records", count)
        end = stream.finish()
        if end["updaters"][0]["delivered"] != count or end["updaters"][0]["pending"]:
            raise RuntimeError(f"not all was delivered: {end}")
        return count / end["seconds"], end["processor_us"] / count
    finally:
        folder.close()


def sample_of(count):
    """The records of a stream as lines."""
    folder = Folder()
    try:
        stream = Stream(folder, f"file:{folder / 'lines'}", store=None, rate=0)
        stream.ledger = None
        stream.start("--records", count)
        stream.finish()
        return (folder / "lines").read_bytes()
    finally:
        folder.close()


def main():
    figures = Figures(__doc__, *Mosquitto.programs, "mosquitto_pub", *Influxd.programs)
    with contextlib.ExitStack() as stack:
        broker, database = PlainMosquitto(), Influxd()
        stack.callback(broker.close)
        stack.callback(database.close)
        broker.start()
        database.prepare()
        lines = sample_of(TO_BROKER)
        alone, rounds = [], []
        for _ in range(ROUNDS):
            alone.append(publish(broker, lines))
            rounds.append([stream_to(broker.uri, TO_BROKER),
                           stream_to(broker.uri + "?topics=counts", TO_BROKER),
                           stream_to(database.uri, TO_DATABASE)])
            print(f"{'':8} mosquitto_pub {alone[-1]:.0f}, npcsink to mqtt {rounds[-1][0][0]:.0f}, "
                  f"without influx and state {rounds[-1][1][0]:.0f}, "
                  f"to influxdb {rounds[-1][2][0]:.0f} records/s", flush=True)
        alone = statistics.median(alone)
        ours, lean, points = ([statistics.median(each) for each in zip(*runs)]
                              for runs in zip(*rounds))
        figures.note("processors", os.cpu_count())
        figures.note("load, of others too", os.getloadavg()[0])
        figures.note("mosquitto_pub -q 1 -l, messages/s", alone)
        for what, (speed, processor) in (("mqtt", ours), ("mqtt with ?topics=counts", lean),
                                         ("influxdb", points)):
            figures.note(f"npcsink to {what}, records/s", speed)
            figures.note(f"npcsink to {what}, processor time a record, us", processor)
        figures.require("npcsink to mqtt over mosquitto_pub alone", ours[0] / alone, ">=", 0.3)
        figures.aim("npcsink to influxdb, records/s", points[0], 20000)
    figures.end()


main()
