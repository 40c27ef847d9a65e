#!/usr/bin/env python3
"""How much other views know of a shadow's color: Cb and Cr of dark JPEG files at stereo points, in one view and in all.

    tools/bench/shadow_evidence.py SCENE=RUN ...

RUN is a run of SCENE with its points.ply. Cb and Cr are averaged over 7 x 7 pixels of the full-size files around each point. Values
that light or noise spread evenly lie within 0.1 of a whole level in a fifth of the cases; what was rounded away lies there in one
view, and in the mean of all views if the others rounded it to the same level. Needs numpy, scipy and Pillow.
"""

import sys
from pathlib import Path

import fit_response
import numpy as np
from PIL import Image

# Points that are looked at, views that must see one, and bands of dark luma, in levels.
POINTS = 12000
VIEWS = 5
BANDS = [(0, 0.8), (0.8, 1.5), (1.5, 3)]
# Pixels of full-size files that points hide behind each other in.
CELL = 24


def levels(path):
    """Y, Cb and Cr as the file has them, Cb and Cr less 128, averaged."""
    image = Image.open(path)
    image.draft("YCbCr", image.size)
    levels = np.asarray(image if image.mode == "YCbCr" else image.convert("YCbCr")).astype(np.float32)
    levels[..., 1:] -= 128
    return fit_response.smoothed(levels, 7)


def seen(scene, positions):
    """[views, points, 3]; NaN where a view does not see a point."""
    for name, matrix, lens in fit_response.cameras(scene / "transforms_train.json"):
        image = levels(scene / "train" / name)
        at, visible = fit_response.project(positions, matrix, lens, image.shape[1::-1], cell=CELL)
        view = np.full((len(positions), 3), np.nan, np.float32)
        view[visible] = fit_response.sampled(image, at[visible])
        yield view


def locked(values):
    return (np.abs(values - np.round(values)) < 0.1).mean()


def main():
    fit_response.DOWNSCALE = 1
    print("| capture | levels of luma | points | views | one view | mean of views | between views: Cb | Cr |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for argument in sys.argv[1:]:
        scene, run = map(Path, argument.split("="))
        positions = fit_response.points(run / "points.ply")
        positions = np.random.default_rng(0).permutation(positions)[:POINTS]
        views = np.array(list(seen(scene, positions)))
        count = np.isfinite(views[..., 0]).sum(axis=0)
        views, count = views[:, count >= VIEWS], count[count >= VIEWS]
        luma = np.nanmedian(views[..., 0], axis=0)
        for low, high in BANDS:
            band = (luma >= low) & (luma < high)
            if not band.any():
                continue
            colors = views[:, band, 1:]
            cb, cr = np.median(np.nanstd(colors, axis=0), axis=0)
            shares = f"{locked(colors[np.isfinite(colors)]):.2f} | {locked(np.nanmean(colors, axis=0)):.2f}"
            print(f"| {scene.name} | {low}–{high} | {band.sum()} | {count[band].mean():.0f} | {shares} | {cb:.3f} | {cr:.3f} |")


if __name__ == "__main__":
    main()
