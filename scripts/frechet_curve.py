#!/usr/bin/env python3
"""Draws the Fréchet distance over the epochs as SVG.

    python scripts/frechet_curve.py OUT.svg RUN|EVAL.json...

A RUN is a run directory, whose metrics.jsonl has the distances that `ganlet train --eval-every` measured: a line each. From an EVAL.json,
written by `ganlet eval --json`, every generator named ...seedS-epochE is taken: points, joined by dashes where the seed is the
same. Standard library only.
"""

import json
import math
import re
import sys
from pathlib import Path

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 60, 16, 16, 44
EPOCHS = 200
DISTANCES = (80, 2000)
RUNS, POINTS = "#1f5fbf", "#d1495b"


def x(epoch):
    return LEFT + (WIDTH - LEFT - RIGHT) * epoch / EPOCHS


def y(distance):
    low, high = map(math.log, DISTANCES)
    return TOP + (HEIGHT - TOP - BOTTOM) * (high - math.log(min(distance, DISTANCES[1]))) / (high - low)


def line(points, color, dashes=""):
    path = " ".join(f"{x(epoch):.1f},{y(distance):.1f}" for epoch, distance in points)
    return f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="1.6" stroke-dasharray="{dashes}"/>'


def text(left, top, words, anchor="middle", color="black"):
    return f'<text x="{left:.1f}" y="{top:.1f}" text-anchor="{anchor}" fill="{color}">{words}</text>'


def of_run(path):
    reports = map(json.loads, (path / "metrics.jsonl").read_text().splitlines())
    return [(report["epoch"], report["frechet"]) for report in reports if "frechet" in report]


def of_eval(path):
    """The points of each seed."""
    seeds = {}
    for row in json.loads(path.read_text())["rows"]:
        if found := re.search(r"(.*seed\d+)-epoch(\d+)", row["name"]):
            seeds.setdefault(found[1], []).append((int(found[2]), row["frechet"]["value"]))
    return [sorted(points) for points in seeds.values()]


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    out, *sources = map(Path, sys.argv[1:])
    parts = []
    for distance in (100, 200, 500, 1000, 2000):
        parts.append(f'<path d="M{LEFT} {y(distance):.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(text(LEFT - 6, y(distance) + 4, distance, "end"))
    for epoch in range(0, EPOCHS + 1, 50):
        parts.append(f'<path d="M{x(epoch):.1f} {TOP}V{HEIGHT - BOTTOM}" stroke="#ddd"/>')
        parts.append(text(x(epoch), HEIGHT - BOTTOM + 18, epoch))
    parts.append(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, "epochs"))
    middle = (TOP + HEIGHT - BOTTOM) / 2
    parts.append(f'<g transform="rotate(-90 16 {middle})">{text(16, middle, "Fréchet distance")}</g>')
    for source in sources:
        if source.is_dir():
            parts.append(line(of_run(source), RUNS))
            continue
        for points in of_eval(source):
            parts.append(line(points, POINTS, "5 4"))
            parts += [f'<circle cx="{x(e):.1f}" cy="{y(d):.1f}" r="3.5" fill="{POINTS}"/>' for e, d in points]
    parts.append(text(WIDTH - RIGHT - 10, TOP + 24, "Ganlet, a line per seed", "end", RUNS))
    parts.append(text(WIDTH - RIGHT - 10, TOP + 44, "PyTorch, the same recipe", "end", POINTS))
    out.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="13">\n'
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


if __name__ == "__main__":
    main()
