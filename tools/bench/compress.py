#!/usr/bin/env python3
"""Compression without photographs: PSNR at poses that it has not seen, beside splat-transform's decimation.

    compress.py RUN TRANSFORMS OUT [--every N] [--downscale F] [--parts 75 50 25 10 5] [--sizes 1 0.5 0.25 0.1]
                [--naka-gs FILE] [--splat-transform FILE] [-- FLAGS OF COMPRESS …]

RUN is the output folder of `naka-gs run` or `demo`. TRANSFORMS has the poses (with w, h and fl_y; of --every N every N-th in
the order of names, as --holdout N keeps them from training), whose views are rendered at 1/F of their size. Results are
compared with renders of the original as PNG. Parts are percent of the splats, as PLY; sizes are MB, as SPZ. Prints a table
in Markdown with the seconds that compression took on all threads. Everything is kept in OUT; what is there is not made again.
"""

import argparse
import json
import math
import os
import resource
import subprocess
import sys


def call(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)}:\n{done.stderr}")
    return done.stdout


def seconds_of(*command):
    """Processor time of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    call(*command)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def camera_path(transforms, every, factor):
    with open(transforms) as file:
        scene = json.load(file)
    width, height = int(scene["w"]) // factor, int(scene["h"]) // factor
    fov = 2 * math.degrees(math.atan(int(scene["h"]) / 2 / scene["fl_y"]))
    frames = sorted(scene["frames"], key=lambda frame: frame["file_path"])[::every]
    cameras = [
        {"camera_to_world": sum(frame["transform_matrix"], []), "fov": fov, "aspect": width / height} for frame in frames
    ]
    return {
        "camera_type": "perspective",
        "render_width": width,
        "render_height": height,
        "fps": 1,
        "seconds": len(cameras),
        "camera_path": cameras,
        "keyframes": [],
    }


class Bench:
    def __init__(self, options):
        self.options = options
        self.path = os.path.join(options.out, "path.json")
        os.makedirs(options.out, exist_ok=True)
        with open(self.path, "w") as file:
            json.dump(camera_path(options.transforms, options.every, options.downscale), file)
        self.splats = os.path.join(options.run, "splats.ply")
        self.original = self.render(self.splats, "original")

    def render(self, splats, name):
        folder = os.path.join(self.options.out, "renders", name)
        if not os.path.isdir(folder):
            call(self.options.naka_gs, "render", splats, "--path", self.path, "-o", folder, "--quiet")
        return folder

    def psnr(self, splats, name):
        found = call(self.options.naka_gs, "eval", self.render(splats, name), self.original, "--json", "--quiet")
        return json.loads(found)["psnr"]

    def made(self, name, *command):
        """The file `name`, made by the command that ends with it if it is not there, and the seconds that this took."""
        file, note = os.path.join(self.options.out, name), os.path.join(self.options.out, name + ".seconds")
        if not os.path.exists(file):
            taken = seconds_of(*command, file)
            with open(note, "w") as out:
                out.write(str(taken))
        with open(note) as found:
            return file, float(found.read())

    def compressed(self, name, *budget):
        compress = [self.options.naka_gs, "compress", self.options.run, "--progress", "none", *budget]
        return self.made(name, *compress, *self.options.flags, "-o")


def count_of(splats):
    with open(splats, "rb") as file:
        for line in file:
            if line.startswith(b"element vertex"):
                return int(line.split()[2])
    sys.exit(f"{splats}: no splats")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run")
    parser.add_argument("transforms")
    parser.add_argument("out")
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--downscale", type=int, default=1)
    parser.add_argument("--parts", type=float, nargs="*", default=[75, 50, 25, 10, 5])
    parser.add_argument("--sizes", type=float, nargs="*", default=[1, 0.5, 0.25, 0.1])
    parser.add_argument("--naka-gs", default="naka-gs")
    parser.add_argument("--splat-transform", default="splat-transform")
    # argparse has no use for what stands behind "--" where other lists come before it.
    end = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    options = parser.parse_args(sys.argv[1:end], argparse.Namespace(flags=sys.argv[end + 1 :]))
    bench = Bench(options)
    total = count_of(bench.splats)
    print("| splats | compress | seconds | splat-transform | seconds |\n| --- | --- | --- | --- | --- |")
    for part in options.parts:
        count = str(round(total * part / 100))
        ours, ours_seconds = bench.compressed(f"{part:g}.ply", "--splats", count)
        decimate = [options.splat_transform, "-q", "-g", "cpu", bench.splats, "--decimate", count]
        theirs, their_seconds = bench.made(f"{part:g}_st.ply", *decimate)
        ours, theirs = bench.psnr(ours, f"{part:g}"), bench.psnr(theirs, f"{part:g}_st")
        row = f"| {part:g} % ({count}) | {ours:.2f} | {ours_seconds:.0f} | {theirs:.2f} | {their_seconds:.0f} |"
        print(row, flush=True)
    print("\n| size | compress | bytes | seconds |\n| --- | --- | --- | --- |")
    for size in options.sizes:
        file, seconds = bench.compressed(f"{size:g}.spz", "--size", f"{size:g}")
        psnr, length = bench.psnr(file, f"{size:g}_spz"), os.path.getsize(file)
        print(f"| {size:g} MB | {psnr:.2f} | {length} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
