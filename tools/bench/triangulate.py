#!/usr/bin/env python3
"""COLMAP's sparse points of a capture with known poses.

    tools/bench/triangulate.py SCENE LIT_IMAGES OUT

Features and matches of the lit images of SCENE (transforms_train.json), triangulated with the given poses. The model
is OUT/triangulated (binary, in the capture's frame). Needs `colmap` (3.8 or newer) on the PATH, and nothing else.
"""

import json
import math
import sqlite3
import struct
import subprocess
import sys
from pathlib import Path

scene, images, out = map(Path, sys.argv[1:4])
database, given, triangulated = out / "database.db", out / "given", out / "triangulated"


def colmap(command, **flags):
    arguments = [part for name, value in flags.items() for part in (f"--{name.replace('__', '.')}", str(value))]
    with open(out / "colmap.log", "a") as log:
        subprocess.run(["colmap", command, *arguments], check=True, stdout=log, stderr=log)


def jpeg_or_png_size(path):
    data = path.read_bytes()
    if data[:8] == b"\x89PNG\r\n\x1a\n":
        return struct.unpack(">II", data[16:24])
    at = 2
    while at + 9 < len(data):
        marker, length = data[at + 1], struct.unpack(">H", data[at + 2:at + 4])[0]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5:at + 9])
            return width, height
        at += 2 + length
    raise SystemExit(f"{path}: neither a JPEG nor a PNG")


def quaternion(r):
    """(w, x, y, z) of a rotation matrix, by its largest component."""
    candidates = [1 + r[0][0] + r[1][1] + r[2][2], 1 + r[0][0] - r[1][1] - r[2][2],
                  1 - r[0][0] + r[1][1] - r[2][2], 1 - r[0][0] - r[1][1] + r[2][2]]
    k = candidates.index(max(candidates))
    d, a = math.sqrt(candidates[k]) * 2, [r[2][1] - r[1][2], r[0][2] - r[2][0], r[1][0] - r[0][1]]
    s = [r[0][1] + r[1][0], r[0][2] + r[2][0], r[1][2] + r[2][1]]
    return [[d / 4, a[0] / d, a[1] / d, a[2] / d], [a[0] / d, d / 4, s[0] / d, s[1] / d],
            [a[1] / d, s[0] / d, d / 4, s[2] / d], [a[2] / d, s[1] / d, s[2] / d, d / 4]][k]


def world_to_camera(c2w):
    """OpenGL camera-to-world to OpenCV world-to-camera: rotation and translation."""
    rows = [[c2w[i][0], -c2w[i][1], -c2w[i][2]] for i in range(3)]
    rotation = [[rows[j][i] for j in range(3)] for i in range(3)]
    return rotation, [-sum(rotation[i][j] * c2w[j][3] for j in range(3)) for i in range(3)]


out.mkdir(parents=True, exist_ok=True)
given.mkdir(exist_ok=True)
triangulated.mkdir(exist_ok=True)
transforms = json.loads((scene / "transforms_train.json").read_text())
frames = {Path(frame["file_path"]).name: frame for frame in transforms["frames"]}
first = next(iter(frames))
width, height = jpeg_or_png_size(images / first)
value = lambda key: frames[first].get(key, transforms.get(key))
sx, sy = width / value("w"), height / value("h")
parameters = [value("fl_x") * sx, (value("fl_y") or value("fl_x")) * sy, value("cx") * sx, value("cy") * sy]
if not database.exists():
    colmap("feature_extractor", database_path=database, image_path=images, ImageReader__single_camera=1,
           ImageReader__camera_model="PINHOLE", ImageReader__camera_params=",".join(map(str, parameters)),
           SiftExtraction__use_gpu=0)
    colmap("exhaustive_matcher", database_path=database, SiftMatching__use_gpu=0)
with sqlite3.connect(database) as connection:
    ids = dict(connection.execute("SELECT name, image_id FROM images"))
(given / "cameras.txt").write_text(f"1 PINHOLE {width} {height} {' '.join(map(str, parameters))}\n")
lines = []
for name, frame in frames.items():
    rotation, translation = world_to_camera(frame["transform_matrix"])
    pose = " ".join(map(str, [*quaternion(rotation), *translation]))
    lines += [f"{ids[name]} {pose} 1 {name}", ""]
(given / "images.txt").write_text("\n".join(lines) + "\n")
(given / "points3D.txt").write_text("")
colmap("point_triangulator", database_path=database, image_path=images, input_path=given, output_path=triangulated)
