#!/usr/bin/env python3
"""How `naka-gs enhance` lights captures that are darker than lit pictures by other ratios than the built-in response was made for.

  tools/bench/ratios.py FOLDER [NAKA_GS] [FLAGS ...]

Up to six pictures of FOLDER become dark ones of 360 pixels: light behind a camera's curve, divided by each ratio, with shot and
read noise, as JPEG files. Prints mean PSNR of `enhance FLAGS --weights none` against the lit pictures, the median, and the response.
Curves: sRGB alone, a camera's (S-shaped behind sRGB), and film's (Hable's, with a long toe). Needs numpy and Pillow.
"""
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

RATIOS = [8, 12, 18, 25, 32, 45, 64, 90, 150]
# Electrons of a pixel that is white in the lit picture, and of the read-out.
FULL, READ = 20000.0, 3.0
LEVELS = np.linspace(0, 1, 4097)
SIGMOID = 1 / (1 + np.exp(-6 * (LEVELS**0.9 - 0.42)))
CAMERA = (SIGMOID - SIGMOID[0]) / (SIGMOID[-1] - SIGMOID[0])
FILM_LIGHT = np.linspace(0, 11.2 / 3.52, 100_001)


def to_linear(x):
    return np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)


def to_srgb(x):
    x = np.clip(x, 0, 1)
    return np.where(x <= 0.0031308, x * 12.92, 1.055 * x ** (1 / 2.4) - 0.055)


def film(light):
    def hable(v):
        return (v * (0.22 * v + 0.03) + 0.002) / (v * (0.22 * v + 0.3) + 0.06) - 0.01 / 0.3

    return to_srgb(hable(3.52 * np.maximum(light, 0)) / hable(11.2))


FILM = film(FILM_LIGHT)
CURVES = {
    "sRGB": (to_srgb, to_linear),
    "camera": (lambda light: np.interp(to_srgb(light), LEVELS, CAMERA), lambda y: to_linear(np.interp(y, CAMERA, LEVELS))),
    "film": (film, lambda y: np.interp(y, FILM, FILM_LIGHT)),
}


def read(path, side=None):
    image = Image.open(path).convert("RGB")
    if side:
        scale = side / max(image.size)
        image = image.resize([max(1, round(scale * s)) for s in image.size], Image.BOX)
    return np.asarray(image) / 255.0


def main():
    files = sorted(p for p in Path(sys.argv[1]).rglob("*") if p.suffix.lower() in (".jpg", ".jpeg", ".png"))
    program, flags = (sys.argv[2:3] or ["naka-gs"])[0], sys.argv[3:]
    lit = [read(path, 360) for path in files[:: max(1, len(files) // 6)][:6]]
    rng = np.random.default_rng(1)
    print(f"{len(lit)} pictures, median {255 * np.median(np.concatenate([p.mean(-1).ravel() for p in lit])):.0f} of 255")
    for curve, (levels, light) in CURVES.items():
        for ratio in RATIOS:
            with tempfile.TemporaryDirectory() as folder:
                dark, out = Path(folder, "dark"), Path(folder, "lit")
                dark.mkdir()
                for i, picture in enumerate(lit):
                    electrons = FULL * light(picture) / ratio
                    noisy = (rng.poisson(electrons) + rng.normal(0, READ, electrons.shape)) / FULL
                    image = Image.fromarray((255 * levels(noisy) + 0.5).astype(np.uint8))
                    image.save(dark / f"{i}.jpg", quality=95)
                command = [program, "enhance", dark, "-o", out, "--weights", "none", *flags]
                said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
                found = [read(out / f"{i}.jpg") for i in range(len(lit))]
            psnr = np.mean([-10 * np.log10(((a - b) ** 2).mean()) for a, b in zip(found, lit)])
            median = 255 * np.median(np.concatenate([p.mean(-1).ravel() for p in found]))
            response = next(line.split("response: ")[1] for line in said.splitlines() if "response: " in line)
            print(f"{curve:7} ÷{ratio:<4} {psnr:6.2f} dB, median {median:3.0f}: {response.split(';')[0]}", flush=True)


if __name__ == "__main__":
    main()
