#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Records a second from a source of records through the store to a broker and to a database, beside
what mosquitto_pub reaches with the same records on the same broker."""

import contextlib
import statistics
import subprocess
import time

from figures import Figures
from farside import Folder, Influxd, Mosquitto, Stream

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
        stream.ledger = "/dev/null"
        stream.start("--records", count)
        end = stream.finish()
        if end["updaters"][0]["delivered"] != count or end["updaters"][0]["pending"]:
            raise RuntimeError(f"not all was delivered: {end}")
        return count / end["seconds"]
    finally:
        folder.close()


def sample_of(count):
    """The records of a stream as lines."""
    folder = Folder()
    try:
        stream = Stream(folder, f"file:{folder / 'lines'}", store=None, rate=0)
        stream.ledger = "/dev/null"
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
        alone, ours, lean, points = [], [], [], []
        for _ in range(ROUNDS):
            alone.append(publish(broker, lines))
            ours.append(stream_to(broker.uri, TO_BROKER))
            lean.append(stream_to(broker.uri + "?topics=counts", TO_BROKER))
            points.append(stream_to(database.uri, TO_DATABASE))
            print(f"{'':8} mosquitto_pub {alone[-1]:.0f}, npcsink to mqtt {ours[-1]:.0f}, with one "
                  f"message a record {lean[-1]:.0f}, to influxdb {points[-1]:.0f} records/s",
                  flush=True)
        figures.note("mosquitto_pub -q 1 -l, messages/s", statistics.median(alone))
        figures.note("npcsink to mqtt, records/s", statistics.median(ours))
        figures.note("npcsink to mqtt with ?topics=counts, records/s", statistics.median(lean))
        figures.note("messages of npcsink (counts and influx) over those of mosquitto_pub",
                     2 * statistics.median(ours) / statistics.median(alone))
        figures.require("npcsink to mqtt over mosquitto_pub alone",
                        statistics.median(ours) / statistics.median(alone), ">=", 0.5)
        figures.require("npcsink to influxdb, records/s", statistics.median(points), ">=", 20000)
    figures.end()


main()
