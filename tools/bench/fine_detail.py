#!/usr/bin/env python3
"""How much fine structure dark JPEG files still hold.
  fine_detail.py DARK.JPG LIT.JPG...    (the dark file gives the quantization table)
Takes each lit picture to a dark one by the inverse of a Naka-Rushton curve (45 times less light), adds noise, rounds and
quantizes as a JPEG encoder does, averages 3 x 3 pixels and enhances it again. Prints, for bands of luma, the contrast of what is finer
than 5 pixels as a part of the truth's, their correlation, and the mean square error in levels, of one picture and of eight averaged.
Needs numpy, pillow, scipy.
"""
import sys
import numpy as np
from PIL import Image
from scipy.fft import dctn, idctn
from scipy.ndimage import uniform_filter

LUMA = np.array([.299, .587, .114])
WHITE, RATIO = 1.116, 45.0  # of exposure-45
FACTOR, VIEWS = 3, 8
BANDS = ((0, .1), (.1, .25), (.25, .5), (.5, 1))


def darker(y):
    light = y / (WHITE - y) / RATIO
    return WHITE * light / (1 + light)


def lit(y):
    light = np.maximum(y, 0) / (WHITE - y) * RATIO
    return np.minimum(WHITE * light / (1 + light), 1)


def averaged(image):
    h, w = image.shape
    return image.reshape(h // FACTOR, FACTOR, w // FACTOR, FACTOR).mean((1, 3))


def through_jpeg(levels, table):
    h, w = levels.shape
    blocks = np.round(levels).reshape(h // 8, 8, w // 8, 8).transpose(0, 2, 1, 3) - 128
    kept = np.round(dctn(blocks, axes=(2, 3), norm='ortho') / table) * table
    return (idctn(kept, axes=(2, 3), norm='ortho') + 128).transpose(0, 2, 1, 3).reshape(h, w)


def main():
    table = np.array(Image.open(sys.argv[1]).quantization[0]).reshape(8, 8)
    random = np.random.default_rng(1)
    for path in sys.argv[2:]:
        truth = np.asarray(Image.open(path).convert('RGB')).astype(float) / 255 @ LUMA
        h, w = (side - side % (8 * FACTOR) for side in truth.shape)
        truth = truth[:h, :w]
        wanted = averaged(truth)
        level = uniform_filter(wanted, 5)
        fine = lambda image: image - uniform_filter(image, 5)
        for sigma in (0.3, 0.6):
            noisy = lambda: darker(truth) * 255 + random.normal(0, sigma, truth.shape)
            views = [lit(averaged(through_jpeg(noisy(), table)) / 255) for _ in range(VIEWS)]
            for name, image in (('one', views[0]), (f'{VIEWS} averaged', np.mean(views, 0))):
                for low, high in BANDS:
                    there = (level > low) & (level <= high)
                    a, b = fine(image)[there], fine(wanted)[there]
                    print(f'{path} noise {sigma} {name}: luma {low}-{high} contrast {a.std() / b.std():.2f} '
                          f'correlation {np.corrcoef(a, b)[0, 1]:.2f} error {((a - b) ** 2).mean() * 255 ** 2:.0f}')


if __name__ == '__main__':
    main()
