#!/usr/bin/env python3
"""The job: mean, variance, correlation and regression line of each set of points in a CSV file (columns set, x, y).

Prints one line for each set. A value that is no number ends it with exit code 3, and its place is told.
"""

import csv
import math
import os
import pathlib
import sys

WRONG_DATA = 3


def read(path):
    """The points of each set, in the file's order."""
    sets = {}
    with open(path, newline="") as file:
        rows = csv.DictReader(file)
        for row in rows:
            try:
                point = float(row["x"]), float(row["y"])
            except ValueError as error:
                print(f"{path.name}, line {rows.line_num}: {error}", file=sys.stderr)
                sys.exit(WRONG_DATA)
            sets.setdefault(row["set"], []).append(point)
    return sets


def statistics(points):
    n = len(points)
    mean_x, mean_y = (sum(p[axis] for p in points) / n for axis in (0, 1))
    xx = sum((x - mean_x) ** 2 for x, _ in points)
    yy = sum((y - mean_y) ** 2 for _, y in points)
    xy = sum((x - mean_x) * (y - mean_y) for x, y in points)
    slope = xy / xx
    return {
        "points": n,
        "mean x": mean_x,
        "mean y": mean_y,
        "variance x": xx / (n - 1),
        "variance y": yy / (n - 1),
        "correlation": xy / math.sqrt(xx * yy),
        "slope": slope,
        "intercept": mean_y - slope * mean_x,
    }


def main():
    digits = int(os.environ.get("DIGITS", "2"))
    for name, points in read(pathlib.Path(__file__).parent / sys.argv[1]).items():
        figures = ((k, v if k == "points" else f"{v:.{digits}f}") for k, v in statistics(points).items())
        print(f"set {name}: " + ", ".join(f"{key} {value}" for key, value in figures))


if __name__ == "__main__":
    main()
