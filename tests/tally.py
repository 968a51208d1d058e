#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Counts the test cases in meson's logs, names those that failed or were skipped, and exits with 1
unless some passed and none failed. Arguments: TITLE=PATH, the path without .json or .junit.xml."""

import collections
import json
import re
import sys
import xml.etree.ElementTree as ET

GOOD = ("OK", "SKIP", "EXPECTEDFAIL")


def plain(name):
    """A test's name without the project and the suites that meson puts before it."""
    return re.sub(r"^.* / |^.* - [^:]*:", "", name)


def reason(element):
    return (element.get("message") or element.text or "").strip()


def read(title, base, totals, lines):
    failed_cases = collections.Counter()
    for suite in ET.parse(base + ".junit.xml").getroot().iter("testsuite"):
        for case in suite.iter("testcase"):
            # A suite is PROJECT.TEST[.GROUP]; or PROJECT alone, of tests that are one case each.
            test = plain(suite.get("name").partition(".")[2])
            where = f"{test} {case.get('name')}" if test else plain(case.get("name"))
            bad = [child for child in case if child.tag in ("failure", "error")]
            skipped = case.find("skipped")
            if bad:
                totals["failed"] += 1
                failed_cases[(test or where).partition(".")[0]] += 1
                lines.append(f"failed  {title}: {where}")
            elif skipped is not None or case.get("status") == "notrun":
                totals["skipped"] += 1
                why = reason(skipped) if skipped is not None else "disabled"
                why = why or (case.findtext("system-out") or "").strip()
                lines.append(f"skipped {title}: {where}: {why.splitlines()[-1] if why else ''}")
            else:
                totals["passed"] += 1
    # A crash, a leak or a time-out leaves no failed case behind: the executable's own result counts.
    with open(base + ".json", encoding="utf-8") as log:
        for run in map(json.loads, log):
            name = plain(run["name"])
            if run["result"] not in GOOD and not failed_cases[name]:
                totals["failed"] += 1
                lines.append(f"failed  {title}: {name}: {run['result']}, exit {run['returncode']}")


def main():
    totals, lines = collections.Counter(), []
    for argument in sys.argv[1:]:
        title, _, base = argument.partition("=")
        read(title, base, totals, lines)
    for line in sorted(lines, reverse=True):
        print(line)
    summary = f"{totals['passed']} passed, {totals['failed']} failed"
    print(summary + (f", {totals['skipped']} skipped" if totals["skipped"] else ""))
    return 0 if totals["passed"] and not totals["failed"] else 1


sys.exit(main())
