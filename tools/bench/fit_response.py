#!/usr/bin/env python3
"""The constants of the built-in camera response `exposure-45`, fitted to several captures, and scored on each left out.

    tools/bench/fit_response.py SCENE=RUN[=LIT ...] ...

SCENE is a capture with lit references of test views: `SCENE/test/NAME`, or small pictures `SCENE/reference_NAME.png`, which are
aligned (scales and shifts of a few percent). RUN is what `naka-gs run SCENE --camera exposure-40 --weights none --downscale 4
--until ppm` wrote: its stereo points are seen in lit training views, whose median over the views is taken back through
`exposure-40` (noise and rounding are averaged, nothing is trained), and in the references. Each capture gets an exposure of its
own; the others' constants and mean exposure are scored on the one left out.
LIT is a folder of the same views lit otherwise, at the size of the run's: their error at the points is printed by dark luma.
Prints a camera file of all captures, and of all but each one. One capture alone is fitted on every second of its views, then on the
others, which says how well it carries over to views of the same place. Needs numpy, scipy and Pillow.
"""

import json
import re
import sys
import tomllib
from pathlib import Path

import numpy as np
from exposure_40 import CAMERAS, Curve, read, share, unmixed
from PIL import Image
from scipy.ndimage import uniform_filter
from scipy.optimize import least_squares, minimize

DOWNSCALE = 4
# Points count where a reference deviates by less than this, in levels, within 5 pixels.
EVEN = 25
# Residual, in levels, from which points count as outliers.
SCALE = 20.0
RATIO = 45.0
LUMA = np.array([0.299, 0.587, 0.114])
# Dark luma, in levels, between which errors are printed.
BANDS = [-1, 0.15, 0.4, 0.8, 1.5, 3, 8, 99]
# white, log2 of ratio x gain, black, part of the matrix of exposure-40, red's lead
START = [1.15, 5.6, -0.15, 1.0, 0.5]
YELLOWS = np.array(tomllib.loads((CAMERAS / "exposure-40.toml").read_text())["matrix"])


def respond(p, ev, dark):
    """The lit levels of dark ones; `ev` moves the exposure."""
    mixed = yellows(dark, p[3])
    mixed[:, 0] += p[4] * np.maximum(dark[:, 0] - dark[:, 1:].max(axis=1), 0) * (1 - share(dark)[:, 0])
    white, ratio, light = 255 * p[0], 2 ** (p[1] + ev), mixed - p[2]
    odds = ratio * np.maximum(light, 0) / (white - np.minimum(light, 0.98 * white))
    return np.clip(np.where(light > 0, white * odds / (1 + odds), ratio * light), 0, 255)


def yellows(dark, part):
    return dark + share(dark) * (dark @ (part * (YELLOWS - np.eye(3))).T)


def smoothed(image, size):
    return np.stack([uniform_filter(channel, size) for channel in np.moveaxis(image, 2, 0)], axis=2)


def sampled(image, at):
    corner = np.floor(at - 0.5).astype(int)
    across, down = (at - 0.5 - corner).T[:, :, None]
    x, y = corner.T
    upper = image[y, x] * (1 - across) + image[y, x + 1] * across
    return upper * (1 - down) + (image[y + 1, x] * (1 - across) + image[y + 1, x + 1] * across) * down


def cameras(path):
    table = json.loads(path.read_text())
    for frame in table["frames"]:
        matrix = np.linalg.inv(np.array(frame["transform_matrix"]) @ np.diag([1.0, -1, -1, 1]))
        lens = np.array([frame.get(key, table.get(key)) for key in ("fl_x", "fl_y", "cx", "cy")]) / DOWNSCALE
        yield Path(frame["file_path"]).name, matrix, lens


def points(path):
    data = path.read_bytes()
    end = data.index(b"end_header\n") + len(b"end_header\n")
    count = int(re.search(rb"element vertex (\d+)", data[:end])[1])
    layout = np.dtype([("position", "<f4", 3), ("color", "u1", 3), ("normal", "<f4", 3)])
    return np.frombuffer(data, layout, count, end)["position"].astype(float)


def project(positions, matrix, lens, size, cell=6, slack=1.03):
    """Where points are in a picture, and which are seen: none nearer lies within a cell or its neighbors."""
    x, y, z = (positions @ matrix[:3, :3].T + matrix[:3, 3]).T
    at = np.stack([x / z * lens[0] + lens[2], y / z * lens[1] + lens[3]], axis=1)
    inside = np.flatnonzero((z > 0.05) & (at > 2).all(axis=1) & (at < np.array(size) - 3).all(axis=1))
    column, row = (at[inside] / cell).astype(int).T
    depth = np.full((size[1] // cell + 2, size[0] // cell + 2), np.inf)
    np.minimum.at(depth, (row, column), z[inside])
    nearest = np.min([np.roll(depth, (i, j), (0, 1)) for i in (-1, 0, 1) for j in (-1, 0, 1)], axis=0)
    return at, inside[z[inside] <= slack * nearest[row, column]]


def aligned(reference, size, at, guess):
    """Positions in a small reference: the scales and shifts that bring it closest to the lit levels guessed."""
    half, smooth = np.array(reference.shape[1::-1]) / 2, smoothed(reference, 3)
    moved = lambda t: (at / np.array(size) * 2 - 1) * half * t[:2] + half + t[2:]
    inside = lambda q: (q > 2).all(axis=1) & (q < 2 * half - 3).all(axis=1)

    def cost(t):
        q = moved(t)
        return np.minimum(np.abs(guess[inside(q)] - sampled(smooth, q[inside(q)])), 60).mean()

    starts = [np.array([s, s, dx, dy]) for s in (1, 1.01, 1.02) for dx in (-4, -2, 0, 2, 4) for dy in (-4, -2, 0, 2, 4)]
    best = min(starts, key=cost)
    simplex = best + np.vstack([np.zeros(4), np.diag([0.006, 0.006, 1.5, 1.5])])
    q = moved(minimize(cost, best, method="Nelder-Mead", options={"initial_simplex": simplex, "maxiter": 400}).x)
    return q, inside(q)


def medians(scene, positions, folder):
    """The median of each point's color over the lit views of a folder that see it, which points two views see, and the
    views' size."""
    views = []
    for name, matrix, lens in cameras(scene / "transforms_train.json"):
        image = smoothed(read(folder / name), 3)
        size = image.shape[1::-1]
        at, seen = project(positions, matrix, lens, size)
        views.append(np.full((len(positions), 3), np.nan, np.float32))
        views[-1][seen] = sampled(image, at[seen])
    often = np.isfinite(np.array(views)[..., 0]).sum(axis=0) >= 2
    lit = np.zeros((len(positions), 3))
    lit[often] = np.nanmedian(np.array(views)[:, often], axis=0)
    return lit, often, size


def load(scene, run, folders):
    """Dark and reference levels of the points of a capture, by its reference views; the errors of lit views are printed."""
    camera = tomllib.loads((CAMERAS / "exposure-40.toml").read_text())
    views = {}
    curves = [Curve(camera[name]) for name in ("red", "green", "blue")]
    positions = points(run / "points.ply")
    lit, often, size = medians(scene, positions, run / "images")
    others = [medians(scene, positions, folder)[0] for folder in folders]
    levels = np.stack([curve.inverse(lit[:, c]) for c, curve in enumerate(curves)], axis=1)
    dark, errors = unmixed(levels, np.array(camera["matrix"]), camera["gain"]), []
    names = ["run", *map(str, folders)]
    for name, matrix, lens in cameras(scene / "transforms_test.json"):
        small = scene / f"reference_{Path(name).stem}.png"
        path = small if small.exists() else scene / "test" / name
        if not path.exists():
            continue
        reference = read(path) if path == small else read(path, size)
        at, seen = project(positions, matrix, lens, size)
        seen = seen[often[seen]]
        q, inside = at[seen], np.full(len(seen), True)
        if path == small:
            q, inside = aligned(reference, size, at[seen], respond([1.2, 5.7, -0.1, 0.6, 0.6], 0, dark[seen]))
        square = lambda image: smoothed(image.astype(np.float64), 5)
        deviation = np.sqrt(np.maximum(square(reference**2) - square(reference) ** 2, 0)).max(axis=2, keepdims=True)
        keep = inside.copy()
        keep[inside] = sampled(deviation, q[inside])[:, 0] < EVEN
        rows = seen[keep]
        truth = sampled(smoothed(reference, 3), q[keep])
        views[name] = dark[rows], truth
        errors.append((dark[rows] @ LUMA, *(other[rows] - truth for other in [lit, *others])))
    luma, *errors = [np.concatenate(part) for part in zip(*errors)]
    for name, error in zip(names, errors):
        print(f"{scene.name}, {name}:")
        by_luma(luma, error)
    return views


def together(views):
    return tuple(np.concatenate(part) for part in zip(*views))


def by_luma(luma, error):
    """Mean squares of the error of luma and of color, in bands of dark luma."""
    bright = error @ LUMA
    color = error - bright[:, None]
    for low, high in zip(BANDS, BANDS[1:]):
        band = (luma > low) & (luma <= high)
        if band.sum() > 30:
            squares = (bright[band] ** 2).mean(), (color[band] ** 2).mean()
            print(f"  {low} to {high}: {band.sum()} points, luma %.0f, color %.0f" % squares)


def fit(captures):
    """The constants, and the exposure of each capture around their mean."""

    def residual(p):
        parts = []
        for (dark, lit), ev in zip(captures, p[len(START) :]):
            parts.append((respond(p, ev, dark) - lit).ravel() / np.sqrt(len(dark)) * 50)
        return np.concatenate([*parts, [1e3 * p[len(START) :].sum()]])

    start = np.array([*START, *[0.0] * len(captures)])
    scales = np.maximum(np.abs(start), 0.1)
    found = least_squares(residual, start, loss="soft_l1", f_scale=SCALE * 50 / np.sqrt(5000), x_scale=scales).x
    return found[: len(START)], found[len(START) :]


def decibels(p, ev, capture):
    dark, lit = capture
    return -10 * np.log10(((respond(p, ev, dark) - lit) ** 2).mean() / 255**2)


def show_camera(p):
    gain = 2 ** p[1] / RATIO
    print(f'kind = "naka-rushton"\nratio = {RATIO}\nwhite = {p[0]:.3f}\ngain = {gain:.3f}')
    print(f"black = {[float(round(gain * p[2], 3))] * 3}")
    rows = np.eye(3) + p[3] * (YELLOWS - np.eye(3))
    print(f'hues = "yellow"\nmatrix = {np.round(rows, 3).tolist()}\nred_lead = {p[4]:.3f}')


def halves(capture, views):
    """Fits one capture on every second of its views and scores the others, both ways."""
    if len(views) < 2:
        raise SystemExit(f"{capture} has {len(views)} lit view; two or more are needed")
    ways = list(views)[::2], list(views)[1::2]
    for fitted, others in (ways, ways[::-1]):
        p, _ = fit([together(views[name] for name in fitted)])
        score = decibels(p, 0, together(views[name] for name in others))
        print(f"{capture}, fitted on {' '.join(fitted)}: {p.round(3)}; {score:.2f} dB on {' '.join(others)}")
        show_camera(p)


def main():
    if len(sys.argv) < 2 or not all("=" in argument for argument in sys.argv[1:]):
        raise SystemExit(__doc__)
    arguments = [[Path(part) for part in argument.split("=")] for argument in sys.argv[1:]]
    names, views = [scene.name for scene, *_ in arguments], [load(scene, run, lit) for scene, run, *lit in arguments]
    if len(views) == 1:
        return halves(names[0], views[0])
    captures = [together(capture.values()) for capture in views]
    for i, name in enumerate(names):
        p, evs = fit(captures[:i] + captures[i + 1 :])
        steps = np.arange(-1, 1.01, 0.05)
        best = max(steps, key=lambda ev: decibels(p, ev, captures[i]))
        print(f"without {name}: {p.round(3)}, exposures {evs.round(2)}; {len(captures[i][0])} points of it:")
        print(f"  {decibels(p, 0, captures[i]):.2f} dB, {decibels(p, best, captures[i]):.2f} dB at its best of {best:+.2f} EV")
        show_camera(p)
    p, evs = fit(captures)
    for name, ev, capture in zip(names, evs, captures):
        print(f"{name}: {ev:+.2f} EV, {decibels(p, ev, capture):.2f} dB; {decibels(p, 0, capture):.2f} dB at the mean")
    show_camera(p)


if __name__ == "__main__":
    main()
