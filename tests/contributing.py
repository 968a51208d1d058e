#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Takes the worked examples out of docs/contributing.md.

Usage: contributing.py PAGE FOLDER
Writes the files of the new updater, receiver and detector to FOLDER, and below it where the page
has them, so that an example includes its header as it will.
"""
import pathlib
import re
import sys
import textwrap

page, folder = map(pathlib.Path, sys.argv[1:])
text = page.read_text()
for place in ("npcsink/updaters/syslog.h", "npcsink/updaters/syslog.cpp",
              "npcsrc/receivers/udp.h", "npcsrc/receivers/udp.cpp", "npcdetect/detectors/lamps.cpp"):
    _, found, rest = text.partition(f"`elements/{place}`")
    block = re.search(r"^ *```cpp\n(.*?)^ *```$", rest, re.S | re.M) if found else None
    if not block:
        sys.exit(f"{page} has no code for {place}")
    (folder / place).parent.mkdir(parents=True, exist_ok=True)
    # Not under its own name: it would be found in place of the system's.
    for file in (folder / f"example-{pathlib.Path(place).name}", folder / place):
        file.write_text(textwrap.dedent(block[1]))
