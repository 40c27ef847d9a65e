#!/usr/bin/env bash
# PPM, file to file, beside the same steps by NumPy and SciPy (tools/bench/ppm.py), on the same clouds in one run.
#
#   tools/bench/ppm.sh [COUNT …]        default: 10000 1000000
#
# Clouds are noisy spheres of radius 2 ("sparse") and 0.5 ("crowded"), as in benches/points.rs, with and without pooling.
# Prints seconds (wall, and user + system of all threads), peak memory and counts of both. Whole processes are timed,
# start-up included. $PYTHON (default: python3) needs numpy and scipy. 20 000 000 points take SciPy minutes and
# gigabytes: SCIPY=no leaves it out.
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
python=${PYTHON:-python3}
[ $# -gt 0 ] || set -- 10000 1000000
command -v /usr/bin/time > /dev/null || { echo "ppm.sh: install GNU time (apt install time)" >&2; exit 1; }
if ! "$python" -c 'import numpy, scipy' 2> /dev/null; then
    echo "ppm.sh: $python has no numpy and scipy; make an environment that has them:" >&2
    echo "  python3 -m venv venv && venv/bin/pip install numpy scipy && PYTHON=venv/bin/python $0 $*" >&2
    exit 1
fi
cargo build --release --quiet --manifest-path "$root/Cargo.toml"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Runs "$@", prints wall, user + system seconds and MiB; the command's own output goes to $work/out.
measure() {
    /usr/bin/time -o "$work/time" -f '%e %U %S %M' "$@" > "$work/out" 2> "$work/err" || { cat "$work/err" >&2; exit 1; }
    awk '{ printf "%8.2f %8.2f %7.0f", $1, $2 + $3, $4 / 1024 }' "$work/time"
}

# The number of points in a PLY file.
points() { head -c 200 "$1" | awk '/^element vertex/ { printf "%10d", $3; exit }'; }

printf '%-10s %-8s %-7s %-8s %8s %8s %7s %10s\n' points cloud pooling program wall cpu MiB left
for count in "$@"; do
    for cloud in sparse crowded; do
        "$python" "$root/tools/bench/ppm.py" make "$count" "$cloud" "$work/cloud.ply"
        for size in 0.01 0; do
            row() { printf '%-10s %-8s %-7s %-8s ' "$count" "$cloud" "$size" "$1"; }
            row naka-gs
            measure "$root/target/release/naka-gs" ppm "$work/cloud.ply" -o "$work/ours.ply" -w --voxel-size "$size"
            echo " $(points "$work/ours.ply")"
            [ "${SCIPY:-yes}" = no ] && continue
            row scipy
            measure "$python" "$root/tools/bench/ppm.py" prune "$work/cloud.ply" "$work/theirs.ply" --voxel-size "$size"
            echo " $(points "$work/theirs.ply")"
        done
    done
done
