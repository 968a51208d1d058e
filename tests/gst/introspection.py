#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The library from Python, by its introspection data. Reports as TAP.

Usage: introspection.py DIRECTORY, that of the library and its typelib in the build.
"""
import contextlib
import io
import os
import pathlib
import re
import sys
import traceback

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs" / "record.md"


def is_equal(got, expected):
    if got != expected:
        raise AssertionError(f"{got!r} instead of {expected!r}")


def example():
    counts = GstNpc.Counts.new("home", "door", "5f0c")
    counts.seq, counts.time, counts.interval = 48213, 1767225600000, 2000
    counts.people, counts.people_max, counts.moving, counts.faces = 3, 4, 1, 1
    counts.flags = GstNpc.CountsFlags.DEGRADED | GstNpc.CountsFlags.PARTIAL
    counts.add_object("car")
    counts.add_line("door")
    counts.add_zone("queue")
    for path, number in {"objects.car": 2, "lines.door.in": 5, "lines.door.out_total": 1 << 40,
                         "zones.queue.people_max": 3, "zones.queue.dwell": 31000}.items():
        is_equal(counts.set_number(path, number), True)
    return counts


def check_lists(counts):
    is_equal((counts.site, counts.camera, counts.boot), ("home", "door", "5f0c"))
    is_equal((counts.seq, counts.time, counts.people, counts.faces), (48213, 1767225600000, 3, 1))
    is_equal((counts.get_n_objects(), counts.get_n_lines(), counts.get_n_zones()), (1, 1, 1))
    car, door, queue = counts.get_object(0), counts.get_line(0), counts.get_zone(0)
    is_equal((car.name, car.count), ("car", 2))
    is_equal((door.name, door.in_, door.out, door.out_total), ("door", 5, 0, 1 << 40))
    is_equal((queue.name, queue.people, queue.people_max, queue.dwell), ("queue", 0, 3, 31000))
    is_equal(tuple(counts.get_number("lines.door.in")), (True, 5))
    is_equal(tuple(counts.get_number("lines.gate.in")), (False, 0))


def makes_a_record_and_reads_its_lists():
    check_lists(example())


def reads_what_it_has_written():
    counts = example()
    for written in (GstNpc.Counts.from_json(counts.to_json(), -1),
                    GstNpc.Counts.from_line_protocol(counts.to_line_protocol(), -1),
                    GstNpc.Counts.from_structure(counts.to_structure()),
                    GstNpc.Counts.from_message(counts.to_message(None, 0, 0, 0, 2 * Gst.SECOND)),
                    counts.copy()):
        check_lists(written)
        is_equal(written.flags, counts.flags)
        is_equal(written.to_json(), counts.to_json())


def keeps_a_line_when_its_record_has_gone():
    lines = [GstNpc.Counts.from_json(example().to_json(), -1).get_line(0) for _ in range(1000)]
    is_equal({(line.name, line.in_) for line in lines}, {("door", 5)})


def removes_entries():
    counts = example()
    counts.remove_line(0)
    is_equal(counts.get_n_lines(), 0)
    is_equal(GstNpc.Counts.from_json(counts.to_json(), -1).get_n_zones(), 1)


def says_why_a_record_is_refused():
    try:
        GstNpc.Counts.from_json('{"version":1}', -1)
    except GLib.Error as error:
        is_equal(error.message, 'The field "site" is missing.')
        is_equal(error.matches(GstNpc.error_quark(), GstNpc.Error.FIELD), True)
    else:
        raise AssertionError("it was taken")


def has_names_and_constants():
    is_equal((GstNpc.name_is_valid("door"), GstNpc.name_is_valid("my door")), (True, False))
    is_equal((GstNpc.NAME_MAX, GstNpc.RECORD_MAX, GstNpc.COUNTS_VERSION), (64, 4096, 1))
    is_equal(Gst.Caps.from_string(GstNpc.COUNTS_CAPS).get_structure(0).get_value("format"), "json")


def adds_detections_to_a_buffer():
    buffer, detection = Gst.Buffer.new(), GstNpc.Detection()
    detection.label, detection.width, detection.height, detection.confidence = "person", 10, 20, 0.5
    is_equal(GstNpc.buffer_add_detection(buffer, detection, 64, 48), True)
    is_equal(GstNpc.buffer_add_detection(buffer, detection, 0, 0), False)


def runs_what_the_page_shows():
    block = re.search("```python\n(.*?)```", PAGE.read_text(), re.DOTALL)[1]
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown):
        exec(compile(block, PAGE, "exec"), {})
    is_equal(shown.getvalue(), "entrance 5\n3 people\n")


def main():
    cases = (makes_a_record_and_reads_its_lists, reads_what_it_has_written,
             keeps_a_line_when_its_record_has_gone, removes_entries, says_why_a_record_is_refused,
             has_names_and_constants, adds_detections_to_a_buffer, runs_what_the_page_shows)
    print(f"1..{len(cases)}")
    for number, case in enumerate(cases, 1):
        name = case.__name__.replace("_", " ")
        try:
            case()
            print(f"ok {number} - {name}")
        except Exception:
            print(f"not ok {number} - {name}")
            print("".join(f"# {line}\n" for line in traceback.format_exc().splitlines()), end="")


def skip(why):
    print(f"1..0 # SKIP {why}")
    sys.exit()


directory = pathlib.Path(sys.argv[1])
if not (directory / "GstNpc-1.0.typelib").exists():
    skip("the build had no g-ir-scanner: gobject-introspection and libgirepository1.0-dev")
try:
    import gi
    gi.require_version("Gst", "1.0")
except (ImportError, ValueError) as missing:
    skip(f"{missing}: python3-gi and gir1.2-gstreamer-1.0 are needed")
if os.environ.get("GI_TYPELIB_PATH") != str(directory):
    # The loader reads its path when a process starts.
    os.environ["GI_TYPELIB_PATH"] = os.environ["LD_LIBRARY_PATH"] = str(directory)
    os.execv(sys.executable, [sys.executable, *sys.argv])
gi.require_version("GstNpc", "1.0")
from gi.repository import GLib, Gst, GstNpc  # noqa: E402
Gst.init(None)
main()
