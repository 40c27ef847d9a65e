#!/usr/bin/env bash
# The training benchmark: PSNR of held-out views over seconds, steps/s and milliseconds per kernel.
#
#   tools/bench/train.sh SCENE [STEPS] [naka-gs train flags …]
#
# SCENE is a folder of lit, posed images; every 8th view is held out. Prints a table and the peak memory of the whole
# process; everything else is in OUT/run.json. The binary is built in release mode first.
set -euo pipefail
[ $# -ge 1 ] || { sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 2; }
scene=$1
steps=${2:-1000}
shift $(($# > 1 ? 2 : 1))
root=$(cd "$(dirname "$0")/../.." && pwd)
cargo build --release --quiet --manifest-path "$root/Cargo.toml"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
time=$(command -v /usr/bin/time || true)
${time:+$time -f 'whole process: %e s wall, %U s user, %M KiB peak memory'} \
    "$root/target/release/naka-gs" train "$scene" --holdout 8 --steps "$steps" --eval-every $((steps / 10)) \
    --progress none "$@" -o "$out/run" > "$out/stdout"
python3 - "$out/run/run.json" <<'PY'
import json, sys
run = json.load(open(sys.argv[1]))
def find(node, key):
    if isinstance(node, dict):
        if key in node:
            return node[key]
        node = list(node.values())
    for child in node if isinstance(node, list) else []:
        if (found := find(child, key)) is not None:
            return found
print("adapter:", find(run, "adapter"))
print("step  seconds  splats  held-out PSNR")
for point in find(run, "curve") or []:
    if point["psnr"] is not None:
        print(f"{point['step']:5d} {point['seconds']:7.1f} {point['splats']:8d} {point['psnr']:7.2f}")
print(f"steps/s {find(run, 'steps_per_second'):.2f}, pairs {find(run, 'pairs')}, visible {find(run, 'visible')}")
for name, ms in sorted((find(run, "kernel_milliseconds") or {}).items(), key=lambda item: -item[1]):
    print(f"{ms:8.2f} ms  {name}")
PY
