# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the benchmarks of the way out share: options, requirements and what is missing."""

import argparse
import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "system"))
import remotes  # pylint: disable=wrong-import-position

SKIPPED = 77


class Figures:
    """Parses the options, notes what was measured and judges it: each requirement is printed."""

    def __init__(self, description, *programs, more=()):
        parser = argparse.ArgumentParser(description=description)
        parser.add_argument("stream", help="the program that makes records")
        parser.add_argument("--json", help="where the figures go too")
        for name, settings in more:
            parser.add_argument(name, **settings)
        self.options = parser.parse_args()
        remotes.Stream.program = os.path.abspath(self.options.stream)
        self.figures, self.requirements = {}, []
        missing = remotes.missing_programs("setpriv", *programs)
        if missing:
            print(f"not installed: {', '.join(missing)}")
            sys.exit(SKIPPED)

    def note(self, what, value):
        print(f"{'':8} {what}: {value:.6g}" if isinstance(value, float) else
              f"{'':8} {what}: {value}", flush=True)
        self.figures[what] = value

    def require(self, what, value, relation, limit):
        holds = value >= limit if relation == ">=" else value <= limit
        print(f"{'holds' if holds else 'FAILS':8} {what}: {value:.6g}, required {relation} "
              f"{limit:.6g}", flush=True)
        self.requirements.append({"what": what, "value": value, "relation": relation,
                                  "limit": limit, "holds": holds})

    def aim(self, what, value, limit):
        """What depends on the machine and its load is no reason to fail."""
        verdict = "met" if value >= limit else "missed on this machine under this load"
        print(f"{'':8} {what}: {value:.6g}, the aim of {limit:.6g} is {verdict}", flush=True)
        self.figures[what] = value

    def end(self):
        if self.options.json:
            with open(self.options.json, "w", encoding="utf-8") as file:
                json.dump({"figures": self.figures, "requirements": self.requirements}, file,
                          indent=1)
        sys.exit(0 if all(each["holds"] for each in self.requirements) else 1)
