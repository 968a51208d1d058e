#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Draws the figures of the measurements and writes them into docs/. Argument: the folder with
accuracy.json, speed.json, sizes.json, tracks.json, memory.json and instructions.json; what is not
there is left as it was. tests/benchmarks/report makes them and calls this."""

import json
import pathlib
import re
import sys
from xml.sax.saxutils import escape

DOCS = pathlib.Path(__file__).resolve().parent.parent / "docs"

# Okabe and Ito's colours: told apart by the colour-blind too.
COLOURS = ["#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#999999"]
MARGIN_LEFT, MARGIN_TOP, MARGIN_RIGHT, MARGIN_BOTTOM = 64, 44, 24, 48


class Plot:
    """A white card, so that it reads the same on a dark page and on a light one."""

    def __init__(self, title, width=760, height=320, left=MARGIN_LEFT):
        self.width, self.height, self.left = width, height, left
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
            f'width="{width}" height="{height}" role="img" '
            'font-family="system-ui, sans-serif" font-size="12">',
            f"<title>{escape(title)}</title>",
            f'<rect x="0.5" y="0.5" width="{width - 1}" height="{height - 1}" rx="8" fill="#ffffff" '
            'stroke="#999999"/>']
        self.text(width / 2, 22, title, anchor="middle", size=14)

    def text(self, x, y, text, anchor="start", size=12, colour="#222222"):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" '
                          f'font-size="{size}" fill="{colour}">{escape(text)}</text>')

    def line(self, x1, y1, x2, y2, colour="#dddddd", width=1.0):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" '
                          f'stroke="{colour}" stroke-width="{width}"/>')

    def path(self, points, colour, dashed=False):
        where = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dashes = ' stroke-dasharray="5 3"' if dashed else ""
        self.parts.append(f'<polyline points="{where}" fill="none" stroke="{colour}" '
                          f'stroke-width="2"{dashes}/>')

    def dot(self, x, y, colour):
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}"/>')

    def bar(self, x, y, width, height, colour):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" width="{max(width, 0):.1f}" '
                          f'height="{height:.1f}" fill="{colour}"/>')

    def legend(self, names, colours=COLOURS):
        x = self.left
        for name, colour in zip(names, colours):
            self.bar(x, 32, 12, 4, colour)
            self.text(x + 16, 38, name, size=11)
            x += 32 + 6.2 * len(name)

    def write(self, name):
        text = "\n".join([*self.parts, "</svg>"]) + "\n"
        (DOCS / name).write_text(text, encoding="utf-8")


def ticks(most, wanted=5):
    """Round numbers from 0 to at least `most`."""
    step = 1e-9
    while step * wanted < most:
        for factor in (2, 2.5, 2):
            if step * wanted < most:
                step *= factor
    return [i * step for i in range(int(most / step + 0.999999) + 1)]


def axes(plot, x_most, y_most, x_name, y_name):
    """Draws a grid; returns functions from values to places."""
    right, bottom = plot.width - MARGIN_RIGHT, plot.height - MARGIN_BOTTOM
    x_ticks, y_ticks = ticks(x_most), ticks(y_most)

    def across(value):
        return plot.left + (right - plot.left) * value / x_most

    def up(value):
        return bottom - (bottom - MARGIN_TOP - 8) * value / y_ticks[-1]

    for value in y_ticks:
        plot.line(plot.left, up(value), right, up(value))
        plot.text(plot.left - 6, up(value) + 4, f"{value:.6g}", anchor="end")
    for value in x_ticks:
        if value <= x_most * 1.0001:
            plot.line(across(value), bottom, across(value), bottom + 4, "#222222")
            plot.text(across(value), bottom + 17, f"{value:.6g}", anchor="middle")
    plot.text((plot.left + right) / 2, plot.height - 10, x_name, anchor="middle")
    plot.text(12, 38, y_name, size=11)
    return across, up


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def refresh(document, name, text):
    """Puts text between the two comments that name it."""
    path = DOCS / document
    old = path.read_text(encoding="utf-8")
    begin, end = f"<!-- figures: {name} -->", "<!-- end -->"
    pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.S)
    if not pattern.search(old):
        sys.exit(f"{path} has no place for the figures {name}.")
    new = pattern.sub(lambda _: f"{begin}\n{text}\n{end}", old, count=1)
    path.write_text(new, encoding="utf-8")


def people_rows(clip):
    for row in clip["detectors"]:
        people, moving = row["people"], row["moving"]
        yield [row["detector"], f"{people['mae']:.2f}", f"{people['bias']:+.2f}",
               f"{people['exact']:.0%}", f"{people['within_one']:.0%}", f"{moving['mae']:.2f}",
               f"{moving['bias']:+.2f}"]


def crossing_rows(clip):
    for row in clip["detectors"]:
        if "crossings" not in row:
            continue
        cells = [row["detector"]]
        for way in ("plus", "minus"):
            score = row["crossings"][way]
            cells += [str(score[key]) for key in ("counted", "true", "missed", "phantom")]
        cells.append(f"{row['crossings']['f1']:.2f}")
        if "identities" in row:
            who = row["identities"]
            cells += [str(who["switches"]), f"{who['followed'] / who['boxes']:.1%}",
                      f"{who['mota']:.2f}"]
        yield cells


def draw_people(clip):
    rows = [row for row in clip["detectors"] if "crossings" in row][:2]
    plot = Plot("People in the clip of pedestrians, windows of "
                f"{clip['window_seconds']:g} s: true and counted", left=48)
    rate = rows[0]["clip_frames_per_second"]
    windows = rows[0]["windows"]
    most = max(max(w["people"], w["true_people"]) for row in rows for w in row["windows"])
    across, up = axes(plot, windows[-1]["last"] / rate, most, "seconds", "")

    def steps(values):
        return [(across(edge / rate), up(value)) for window, value in values
                for edge in (window["first"], window["last"])]

    plot.path(steps([(w, w["true_people"]) for w in windows]), COLOURS[0])
    for row, colour in zip(rows, COLOURS[1:]):
        plot.path(steps([(w, w["people"]) for w in row["windows"]]), colour, dashed=True)
    plot.legend(["true", *(row["detector"] for row in rows)])
    plot.write("accuracy-people.svg")


def draw_crossings(clip):
    rows = [row for row in clip["detectors"] if "crossings" in row][:2]
    rate = rows[0]["clip_frames_per_second"]
    lanes = []
    for sign, way in (("+", "rightward"), ("-", "leftward")):
        lanes.append((f"{way}, true", COLOURS[0],
                      [first / rate for first, _, s in clip["true_crossings"] if s == sign]))
        for row, colour in zip(rows, COLOURS[1:]):
            lanes.append((f"{way}, {row['detector'].split()[0]}", colour,
                          [time for time, s in row["crossing_events"] if s == sign]))
    plot = Plot(f"Crossings of the line {clip['line']}", left=230, height=80 + 30 * len(lanes))
    most = rows[0]["frames"] / rate
    right = plot.width - MARGIN_RIGHT

    def across(seconds):
        return plot.left + (right - plot.left) * seconds / most

    for i, (name, colour, times) in enumerate(lanes):
        y = 54 + 30 * i
        plot.text(plot.left - 12, y + 4, name, anchor="end")
        plot.line(plot.left, y, right, y)
        for time in times:
            plot.line(across(time), y - 9, across(time), y + 9, colour, 2)
    for value in ticks(most):
        if value <= most:
            plot.text(across(value), plot.height - 26, f"{value:g}", anchor="middle")
    plot.text((plot.left + right) / 2, plot.height - 8, "seconds", anchor="middle")
    plot.write("accuracy-crossings.svg")


def accuracy(figures):
    people_head = ["detector", "MAE", "bias", "exact", "±1", "moving: MAE", "bias"]
    for clip in figures:
        way = ("down", "up") if clip["line"].startswith("y") else ("right", "left")
        head = ["detector"] + [f"{w}: {key}" if key == "counted" else key for w in way
                               for key in ("counted", "true", "missed", "phantom")] + ["F1"]
        if clip["has_people"]:
            refresh("accuracy.md", "people", table(people_head, people_rows(clip)))
            refresh("accuracy.md", "crossings",
                    table(head + ["IDSW", "followed", "MOTA"], crossing_rows(clip)))
            draw_people(clip)
            draw_crossings(clip)
        else:
            refresh("accuracy.md", "cars", table(head, crossing_rows(clip)))


def stages_of(run):
    """Stage and ms, largest things under the names of npcdetect's stats."""
    stages = {name.removesuffix("-time"): ms for name, ms in run["stages_ms"].items()}
    stages["rest of npcdetect"] = run["npcdetect_ms"] - sum(stages.values())
    stages["npccount"] = run["npccount_ms"]
    stages["npcsink"] = run["npcsink_ms"]
    stages["between"] = run["ms"] - sum(stages.values())
    return stages


def speed(figures):
    original = figures["original"]
    rows = [["original algorithm", f"{original['frames_per_second']:.2f}", f"{original['ms']:.1f}",
             f"{original['cpu_ms']:.1f}", "1", ""]]
    budgets = {}
    for row in figures["detectors"]:
        clip = row["clip"]
        for key, name in (("clip", ""), ("still", ", still"), ("noisy", ", still, noise")):
            run = row[key]
            times = run["frames_per_second"] / original["frames_per_second"]
            against = "" if key == "clip" else f"{run['frames_per_second'] / clip['frames_per_second']:.1f}"
            rows.append([row["detector"] + name, f"{run['frames_per_second']:.1f}",
                         f"{run['ms']:.2f}", f"{run['cpu_ms']:.2f}", f"{times:.1f}", against])
            budgets[row["detector"] + name] = stages_of(run)
    refresh("performance.md", "speed",
            table(["", "frames/s", "ms a frame", "processor ms", "times the original",
                   "times its moving clip"], rows)
            + f"\n\nThe load average was {figures['load_before']:.1f} before it began, on "
              f"{figures['processors']} processors.")
    names = list(dict.fromkeys(stage for budget in budgets.values() for stage in budget))
    refresh("performance.md", "budget", table(
        ["ms a frame", *names],
        [[name, *(f"{budget.get(stage, 0):.3f}" for stage in names)]
         for name, budget in budgets.items()]))
    refresh("performance.md", "requirements", table(
        ["required", "measured", "limit", ""],
        [[r["what"], f"{r['value']:.2f}", f"{r['relation'].replace('<', '&lt;').replace('>', '&gt;')} "
          f"{r['limit']:g}", "holds" if r["holds"] else "**fails**"]
         for r in figures["requirements"]]))
    draw_budget({name: budget for name, budget in budgets.items() if "still" not in name})


def draw_budget(budgets):
    plot = Plot("Budget of a frame by stage, the clip at 768x576", height=84 + 44 * len(budgets),
                left=210)
    names = list(dict.fromkeys(stage for budget in budgets.values() for stage in budget))
    names = [name for name in names if any(b[name] > 0 for b in budgets.values())]
    most = max(sum(budget.values()) for budget in budgets.values())
    scale = (plot.width - plot.left - 90) / most
    for i, (name, budget) in enumerate(budgets.items()):
        x, y = plot.left, 60 + 44 * i
        plot.text(x - 10, y + 17, name, anchor="end", size=11)
        for stage, colour in zip(names, COLOURS[1:] + COLOURS[:1] + ["#bbbbbb"]):
            plot.bar(x, y, budget[stage] * scale, 26, colour)
            x += max(budget[stage], 0) * scale
        plot.text(x + 6, y + 17, f"{sum(budget.values()):.2f} ms")
    plot.left = 16
    plot.legend(names, COLOURS[1:] + COLOURS[:1] + ["#bbbbbb"])
    plot.write("performance-budget.svg")


def sizes(figures):
    by_detector = {}
    for row in figures["rows"]:
        by_detector.setdefault(row["detector"], []).append(row)
    columns = [f"{row['width']}x{row['height']}" for row in next(iter(by_detector.values()))]
    refresh("performance.md", "sizes", table(
        ["frames/s", *columns],
        [[name, *(f"{row['frames_per_second']:.1f}" for row in rows)]
         for name, rows in by_detector.items()]))
    plot = Plot("Frames per second against the size of the frames")
    most = max(row["width"] * row["height"] / 1e6 for row in figures["rows"])
    across, up = axes(plot, most * 1.03, max(row["frames_per_second"] for row in figures["rows"]),
                      "million pixels", "")
    for (name, rows), colour in zip(by_detector.items(), COLOURS[1:]):
        points = [(across(row["width"] * row["height"] / 1e6), up(row["frames_per_second"]))
                  for row in rows]
        plot.path(points, colour)
        for x, y in points:
            plot.dot(x, y, colour)
    plot.legend(by_detector, COLOURS[1:])
    plot.write("performance-sizes.svg")


def tracks(figures):
    rows = figures["rows"]
    refresh("performance.md", "tracks", table(
        ["people", "mean ms", "99 of 100 frames within", "longest"],
        [[str(row["people"]), f"{row['mean_ms']:.4f}", f"{row['p99_ms']:.4f}",
          f"{row['longest_ms']:.4f}"] for row in rows]))
    plot = Plot("Tracker, 20 lines and 20 zones: ms a frame against people")
    across, up = axes(plot, rows[-1]["people"], max(row["p99_ms"] for row in rows), "people", "")
    for key, colour in (("mean_ms", COLOURS[1]), ("p99_ms", COLOURS[2])):
        plot.path([(across(row["people"]), up(row[key])) for row in rows], colour)
    plot.legend(["mean", "99 of 100 frames within"], COLOURS[1:])
    plot.write("performance-tracks.svg")


def memory(figures):
    refresh("performance.md", "memory", (
        f"Peak resident set {figures['peak_early_kb'] / 1024:.1f} MiB at frame "
        f"{figures['early']:,}, {figures['peak_kb'] / 1024:.1f} MiB at frame {figures['frames']:,}: "
        f"{figures['growth_percent']:+.2f} %."))
    plot = Plot("Resident memory of the whole pipeline")
    samples = figures["samples"]
    across, up = axes(plot, figures["frames"], samples[-1][2] / 1024, "frames", "MiB")
    plot.path([(across(frame), up(now / 1024)) for frame, now, _ in samples], COLOURS[1])
    plot.write("performance-memory.svg")


def instructions(figures):
    names = list(figures["rows"][0]["stages"])
    refresh("performance.md", "instructions", table(
        ["million instructions a frame", *names, "whole"],
        [[row["detector"], *(f"{max(row['stages'][name], 0) / 1e6:.2f}" for name in names),
          f"{row['instructions'] / 1e6:.1f}"] for row in figures["rows"]])
            + f"\n\nThe first {figures['frames'][1]} frames less the first {figures['frames'][0]}.")
    refresh("performance.md", "pi4", table(
        ["estimate, one core of a Raspberry Pi 4", "ms a frame", "frames/s",
         "instructions a ns on the server"],
        [[row["detector"], f"{row['pi4_ms']['hopeful']:.1f} to {row['pi4_ms']['cautious']:.1f}",
          f"{1000 / row['pi4_ms']['cautious']:.0f} to {1000 / row['pi4_ms']['hopeful']:.0f}",
          f"{row['here_per_ns']:.1f}"] for row in figures["rows"]]))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = pathlib.Path(sys.argv[1])
    for show in (accuracy, speed, sizes, tracks, memory, instructions):
        file = folder / f"{show.__name__}.json"
        if file.exists():
            show(json.loads(file.read_text(encoding="utf-8")))
        else:
            print(f"There is no {file}: its figures in docs stay as they are.", file=sys.stderr)


main()
