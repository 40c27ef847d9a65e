#!/usr/bin/env bash
# What each part of restoration gains: PSNR / SSIM of restored views, and of new views after training, against the
# truth of generated scenes.
#
#   tools/bench/restoration.sh OUT [SCENE …]
#
# SCENE is a scene file (default: scenes/night.toml), or a finished capture folder with `truth/`. Rows: the
# Naka–Rushton response alone; a camera calibrated on the first view's pair of exposures; the same with the network.
# Training flags: RUN_FLAGS (default: --preset preview --downscale 1 --steps 700); the network's weights: WEIGHTS
# (default: auto). What is finished in OUT is not done again, so an interrupted table continues; other flags or weights
# need another OUT. The binary is built in release mode first, unless NAKA_GS names one.
set -euo pipefail
[ $# -ge 1 ] || { sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 2; }
root=$(cd "$(dirname "$0")/../.." && pwd)
out=$1
shift
[ $# -ge 1 ] || set -- "$root/scenes/night.toml"
read -ra run_flags <<< "${RUN_FLAGS:---preset preview --downscale 1 --steps 700}"
if [ -z "${NAKA_GS:-}" ]; then
    cargo build --release --quiet --manifest-path "$root/Cargo.toml"
    NAKA_GS=$root/target/release/naka-gs
fi
quiet=(--progress none --quiet)

row() { # SCENE's folder, capture, row's name, flags of `run`
    local work=$1 capture=$2 name=$3
    shift 3
    local result=$work/$name
    if [ ! -s "$result.restored.json" ]; then
        "$NAKA_GS" run "$capture" "${run_flags[@]}" "$@" -o "$result" "${quiet[@]}" > /dev/null
        "$NAKA_GS" eval "$result/images" "$capture/truth" --json "${quiet[@]}" > "$result.json.part"
        mv "$result.json.part" "$result.restored.json"
    fi
    python3 - "$result.restored.json" "$result/metrics.json" "$(basename "$work")" "$name" <<'PY'
import json, sys
restored, new = (json.load(open(path)) for path in sys.argv[1:3])
figure = lambda m: "–" if m.get("psnr") is None else f"{m['psnr']:.2f} / {m['ssim']:.3f}"
print(f"| {sys.argv[3]} | {sys.argv[4]} | {figure(restored)} | {figure(new)} |", flush=True)
PY
}

echo "| scene | restoration | restored views: PSNR / SSIM | new views: PSNR / SSIM |"
echo "| --- | --- | --- | --- |"
for scene in "$@"; do
    work=$out/$(basename "${scene%.toml}")
    mkdir -p "$work"
    capture=$scene
    if [ -f "$scene" ]; then
        capture=$work/capture
        "$NAKA_GS" demo --scene "$scene" --photograph -o "$work" "${quiet[@]}" > /dev/null
    fi
    first=$(ls "$capture/truth" | head -n 1)
    [ -f "$work/camera.toml" ] ||
        "$NAKA_GS" calibrate "$capture/train/$first" "$capture/truth/$first" -o "$work/camera.toml" "${quiet[@]}" > /dev/null
    row "$work" "$capture" prior --response naka --weights none
    row "$work" "$capture" camera --response camera --camera "$work/camera.toml" --weights none
    row "$work" "$capture" network --response camera --camera "$work/camera.toml" --weights "${WEIGHTS:-auto}"
done
