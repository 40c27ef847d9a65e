#!/usr/bin/env python3
"""The eight constants of the built-in camera `exposure-40`, fitted.

    tools/bench/exposure_40.py SCENE OUT

SCENE is a capture whose test views have lit references in `SCENE/test`. It is trained without the network (OUT/run and
the file as it then was, OUT/camera.toml, unless they are there) and its test views are rendered at the training size
(OUT/renders). Splats average noise and rounding over all views, so these renders, taken back through the response, say
what the dark levels are. Even areas of 4 x 4 pixels are fitted: green's curve of `exposure-40-plain`, shifted, after a
gain and a matrix for yellows and greens whose rows sum to 1.
Prints the mean square that the file and the fit leave, and the constants.
Needs numpy, scipy and Pillow; the binary is the release build, unless NAKA_GS names one.
"""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.optimize import least_squares

ROOT = Path(__file__).resolve().parents[2]
NAKA_GS = os.environ.get("NAKA_GS", ROOT / "target/release/naka-gs")
CAMERAS = ROOT / "src/enhance/cameras"
DOWNSCALE = 4
# As in src/enhance/camera.rs and src/enhance/calibrate/blocks.rs.
LEAST_CHROMA = 0.3
EVEN = 0.12
# Residual, in levels, from which areas count as outliers.
SCALE = 12.0


class Curve:
    """A curve of a camera file, as src/enhance/camera.rs has it."""

    def __init__(self, knots):
        levels, self.y = np.array(knots, float).T
        self.u = np.arcsinh(levels)
        secants = np.diff(self.y) / np.diff(self.u)
        self.m = np.concatenate([secants[:1], (secants[1:] + secants[:-1]) / 2, secants[-1:]])
        for i, secant in enumerate(secants):
            length = np.hypot(self.m[i], self.m[i + 1]) / secant
            if length > 3:
                self.m[i : i + 2] *= 3 / length

    def __call__(self, level):
        u = np.arcsinh(level)
        i = np.clip(np.searchsorted(self.u, u) - 1, 0, len(self.u) - 2)
        h = self.u[i + 1] - self.u[i]
        t = (u - self.u[i]) / h
        start, end = 2 * t**3 - 3 * t**2 + 1, 3 * t**2 - 2 * t**3
        inner = start * self.y[i] + (t**3 - 2 * t**2 + t) * h * self.m[i] + end * self.y[i + 1] + (t**3 - t**2) * h * self.m[i + 1]
        slope = lambda k: self.m[k] / np.cosh(self.u[k])
        below = self.y[0] + (level - np.sinh(self.u[0])) * slope(0)
        rest = 255 - self.y[-1]
        above = 255 - rest / (1 + np.maximum(level - np.sinh(self.u[-1]), 0) * slope(-1) / rest)
        return np.where(u <= self.u[0], below, np.where(u >= self.u[-1], above, inner))

    def inverse(self, value):
        levels = np.concatenate([np.linspace(-2, 4, 6000), np.geomspace(4.001, 400, 6000)])
        return np.interp(value, self(levels), levels)


def share(x):
    """How much of the matrix counts: all of it for yellows and greens, nothing for blues."""
    return np.clip((x[:, 1] - x[:, 2]) / np.maximum(np.ptp(x, axis=1), LEAST_CHROMA), 0, 1)[:, None]


def mixed(x, matrix, gain):
    return gain * (x + share(x) * (x @ matrix.T - x))


def unmixed(y, matrix, gain):
    """The inverse of `mixed`, by damped steps (the share of the matrix depends on the result)."""
    x = y / gain
    for _ in range(60):
        linear = np.eye(3) + share(x)[:, :, None] * (matrix - np.eye(3))
        x = 0.5 * (x + np.linalg.solve(linear, (y / gain)[:, :, None])[:, :, 0])
    return x


def areas(image):
    """Mean and standard deviation of areas of 4 x 4 pixels."""
    height, width = (n // 4 * 4 for n in image.shape[:2])
    blocks = image[:height, :width].reshape(height // 4, 4, width // 4, 4, 3)
    return blocks.mean(axis=(1, 3)).reshape(-1, 3), blocks.std(axis=(1, 3)).reshape(-1, 3)


def read(path, size=None):
    image = Image.open(path).convert("RGB")
    if size:
        channels = [Image.fromarray(np.asarray(c, np.float32)).resize(size, Image.BOX) for c in image.split()]
        return np.stack([np.asarray(c) for c in channels], axis=2)
    return np.asarray(image, np.float32)


def rendered(scene, out):
    """The test views of a run without the network, at the size that it was trained at."""
    run, renders, cameras, camera = (out / name for name in ("run", "renders", "cameras.json", "camera.toml"))
    if not (run / "splats.ply").exists():
        out.mkdir(parents=True, exist_ok=True)
        shutil.copy(CAMERAS / "exposure-40.toml", camera)
        flags = ["--preset", "preview", "--downscale", str(DOWNSCALE), "--camera", camera, "--weights", "none"]
        subprocess.run([NAKA_GS, "run", scene, *flags, "-o", run], check=True)
    poses = json.loads((scene / "transforms_test.json").read_text())
    for table in [poses, *poses["frames"]]:
        for key in ("w", "h"):
            if key in table:
                table[key] = round(table[key] / DOWNSCALE)
        for key in ("fl_x", "fl_y", "cx", "cy"):
            if key in table:
                table[key] /= DOWNSCALE
    cameras.write_text(json.dumps(poses))
    subprocess.run([NAKA_GS, "render", run / "splats.ply", "--cameras", cameras, "-o", renders, "--overwrite"], check=True)
    return renders


def load(renders, references, curves, matrix, gain):
    dark, lit = [], []
    for reference in sorted(references.iterdir()):
        render = read(renders / reference.name)
        truth, truth_deviation = areas(read(reference, (render.shape[1], render.shape[0])))
        mean, deviation = areas(render)
        levels = np.stack([curve.inverse(render[..., c]) for c, curve in enumerate(curves)], axis=2)
        source, _ = areas(unmixed(levels.reshape(-1, 3), matrix, gain).reshape(levels.shape))
        even = (deviation / (mean + 4) < EVEN) & (truth_deviation / (truth + 4) < EVEN) & (mean < 250) & (truth < 250) & (mean > 1)
        keep = even.all(axis=1)
        dark.append(source[keep])
        lit.append(truth[keep])
    return np.concatenate(dark), np.concatenate(lit)


def with_rows_of_one(six):
    a, b, c, d, e, f = six
    return np.array([[1 - a - b, a, b], [c, 1 - c - d, d], [e, f, 1 - e - f]])


def main():
    if len(sys.argv) != 3:
        raise SystemExit(__doc__)
    scene, out = map(Path, sys.argv[1:3])
    renders = rendered(scene, out)
    now = tomllib.loads((out / "camera.toml").read_text())
    knots = np.array(tomllib.loads((CAMERAS / "exposure-40-plain.toml").read_text())["green"])
    matrix, gain = np.array(now["matrix"]), now["gain"]
    curves = [Curve(now[name]) for name in ("red", "green", "blue")]
    dark, lit = load(renders, scene / "test", curves, matrix, gain)

    def response(p):
        return Curve(knots - [p[7], 0])(mixed(dark, with_rows_of_one(p[:6]), p[6]))

    start = [*matrix[[0, 0, 1, 1, 2, 2], [1, 2, 0, 2, 0, 1]], gain, knots[0, 0] - now["green"][0][0]]
    fit = least_squares(lambda p: (response(p) - lit).ravel(), start, loss="cauchy", f_scale=SCALE).x
    squares = lambda p: ((response(p) - lit) ** 2).mean(axis=0)
    for name, p in (("file", start), ("fit", fit)):
        print(f"{name}: mean square {squares(p).mean():.1f} (red, green, blue {squares(p).round(1)}), {len(dark)} areas")
    print("gain =", round(fit[6], 3))
    print("matrix =", with_rows_of_one(fit[:6]).round(3).tolist())
    print("curves =", (knots - [fit[7], 0]).round(2).tolist())


if __name__ == "__main__":
    main()
