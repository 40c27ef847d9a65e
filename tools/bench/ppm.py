"""Point preprocessing by NumPy and SciPy: the steps of `naka-gs ppm`, for tools/bench/ppm.sh.

    ppm.py prune IN.ply OUT.ply [--voxel-size 0.01] [--threads N]
    ppm.py make COUNT sparse|crowded OUT.ply

`prune`: voxel pooling by a sort of voxel coordinates, then up to six iterations of pruning by the distance to the nearest other
point (cKDTree, built anew in each, searched by N threads). Reads and writes binary PLY with x, y, z as float and red,
green, blue as uchar. Prints one JSON line: seconds of reading, pooling, pruning and writing, and the counts.
`make` writes a noisy sphere of radius 2 (sparse) or 0.5 (crowded), as benches/points.rs has them.
"""

import argparse
import json
import sys
import time

try:
    import numpy as np
    from scipy.spatial import cKDTree
except ImportError as error:
    sys.exit(f"ppm.py: {error}; try: python3 -m venv venv && venv/bin/pip install numpy scipy, then PYTHON=venv/bin/python")

ROW = np.dtype([("position", "<f4", 3), ("color", "u1", 3)])
HEADER = "ply\nformat binary_little_endian 1.0\nelement vertex {}\n" + "".join(
    f"property {kind} {name}\n" for kind, name in [("float", "x"), ("float", "y"), ("float", "z")]
    + [("uchar", "red"), ("uchar", "green"), ("uchar", "blue")]) + "end_header\n"


def read(path):
    with open(path, "rb") as file:
        lines = []
        while not lines or lines[-1] != "end_header":
            lines.append(file.readline().decode("ascii").strip())
            if not lines[-1]:
                sys.exit(f"ppm.py: {path}: no PLY header")
        count = next(int(line.split()[2]) for line in lines if line.startswith("element vertex"))
        if HEADER.format(count).split("\n")[:-1] != lines:
            sys.exit(f"ppm.py: {path}: not the layout that naka-gs writes")
        rows = np.fromfile(file, ROW, count)
    return rows["position"].astype(np.float64), rows["color"]


def write(path, points, colors):
    rows = np.empty(len(points), ROW)
    rows["position"], rows["color"] = points, colors
    with open(path, "wb") as file:
        file.write(HEADER.format(len(points)).encode())
        rows.tofile(file)


def pool(points, colors, size):
    """One point per voxel: the mean position, the rounded mean color, ordered by voxel."""
    if size == 0 or len(points) == 0:
        return points, colors
    cells = np.floor(points / size).astype(np.int64)
    order = np.lexsort(cells.T[::-1])
    cells = cells[order]
    starts = np.flatnonzero(np.r_[True, (cells[1:] != cells[:-1]).any(axis=1)])
    count = np.diff(np.r_[starts, len(points)])[:, None]
    mean = lambda values: np.add.reduceat(values[order].astype(np.float64), starts) / count
    return mean(points), np.rint(mean(colors)).astype(np.uint8)


def prune(points, colors, threads, tau=0.005, beta=0.01, iterations=6, least=5000, seed=42):
    random = np.random.default_rng(seed)
    first, counts = len(points), []
    for _ in range(iterations):
        if len(points) < 2:
            break
        distance = cKDTree(points).query(points, k=2, workers=threads)[0][:, 1]
        chance = np.minimum(1, distance / (tau + 1e-8))
        keep = random.random(len(points)) < chance
        # The statistics of an iteration.
        distance.mean(), np.median(distance), chance.mean()
        if keep.sum() < least:
            break
        tau *= np.exp(beta * len(points) / first)
        points, colors = points[keep], colors[keep]
        counts.append(len(points))
    return points, colors, counts


def make(count, radius, path, part=1 << 20):
    random = np.random.default_rng(1)
    with open(path, "wb") as file:
        file.write(HEADER.format(count).encode())
        for start in range(0, count, part):
            rows = np.empty(min(part, count - start), ROW)
            direction = random.random((len(rows), 3)) - 0.5
            direction /= np.linalg.norm(direction, axis=1, keepdims=True)
            rows["position"] = direction * (radius + 0.01 * random.random((len(rows), 1)))
            rows["color"] = random.integers(0, 256, (len(rows), 3))
            rows.tofile(file)


def time_prune(given):
    clock = [time.perf_counter()]
    lap = lambda: clock.append(time.perf_counter()) or clock[-1] - clock[-2]
    points, colors = read(given.input)
    result = {"input": len(points), "read": lap()}
    points, colors = pool(points, colors, given.voxel_size)
    result |= {"pooled": len(points), "pool": lap()}
    points, colors, _ = prune(points, colors, given.threads)
    result |= {"output": len(points), "prune": lap()}
    write(given.output, points, colors)
    print(json.dumps(result | {"write": lap()}))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("prune")
    one.add_argument("input")
    one.add_argument("output")
    one.add_argument("--voxel-size", type=float, default=0.01)
    one.add_argument("--threads", type=int, default=-1)
    other = commands.add_parser("make")
    other.add_argument("count", type=int)
    other.add_argument("cloud", choices=["sparse", "crowded"])
    other.add_argument("output")
    given = parser.parse_args()
    if given.command == "make":
        make(given.count, {"sparse": 2.0, "crowded": 0.5}[given.cloud], given.output)
    else:
        time_prune(given)


main()
