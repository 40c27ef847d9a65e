#!/usr/bin/env bash
# What keeps splats of dark pictures from those of the truth: new views of generated captures whose dark pictures are JPEG
# files, of the same with 16 bits (noise, but nothing rounded), and of the truth in their place.
#
#   tools/bench/limits.sh OUT SEED|SCENE.toml …
#
# A number is a random room (train-chroma room --seed). The camera is calibrated on the first view's pair of exposures;
# the network's weights: WEIGHTS (default: auto). Training flags: RUN_FLAGS (default: --preset preview --downscale 2
# --steps 400). What is finished in OUT is not done again. The binaries are built in release mode first, unless NAKA_GS
# and TRAIN_CHROMA name them.
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 2; }
root=$(cd "$(dirname "$0")/../.." && pwd)
out=$1
shift
read -ra run_flags <<< "${RUN_FLAGS:---preset preview --downscale 2 --steps 400}"
if [ -z "${NAKA_GS:-}" ] || [ -z "${TRAIN_CHROMA:-}" ]; then
    cargo build --release --quiet --manifest-path "$root/Cargo.toml" -p naka-gs -p train-chroma
    NAKA_GS=$root/target/release/naka-gs
    TRAIN_CHROMA=$root/target/release/train-chroma
fi
quiet=(--progress none --quiet)

photograph() { # SEED or SCENE, the files' kind, folder
    local scene=$3.toml
    if [[ $1 =~ ^[0-9]+$ ]]; then
        local deep=()
        [ "$2" = jpeg ] || deep=(--deep)
        "$TRAIN_CHROMA" room "$3/capture" --seed "$1" "${deep[@]}" > /dev/null
    else
        sed -e "s/^quality = .*/&\nfile = \"$2\"/" "$1" > "$scene"
        "$NAKA_GS" demo --scene "$scene" --photograph -o "$3" "${quiet[@]}" > /dev/null
    fi
}

echo "| capture | dark pictures | new views: PSNR / SSIM |"
echo "| --- | --- | --- |"
for scene in "$@"; do
    name=$(basename "${scene%.toml}")
    for kind in jpeg png truth; do
        work=$out/$name-$kind
        mkdir -p "$work"
        if [ ! -s "$work/run/metrics.json" ]; then
            if [ "$kind" = truth ]; then
                # Not in place: the program's own captures may not be changed.
                mkdir -p "$work/capture"
                cp -r "$out/$name-jpeg"/capture/{test,transforms_*.json} "$work/capture"
                cp -r "$out/$name-jpeg/capture/truth" "$work/capture/train"
                flags=(--response none --weights none)
            else
                [ -d "$work/capture" ] || photograph "$scene" "$kind" "$work"
                first=$(find "$work/capture/train" -type f | sort | head -n 1)
                "$NAKA_GS" calibrate "$first" "$work/capture/truth/0001.JPG" -o "$work/camera.toml" "${quiet[@]}" > /dev/null
                flags=(--response camera --camera "$work/camera.toml" --weights "${WEIGHTS:-auto}")
            fi
            "$NAKA_GS" run "$work/capture" "${run_flags[@]}" "${flags[@]}" -o "$work/run" "${quiet[@]}" > /dev/null
        fi
        python3 - "$work/run/metrics.json" "$name" "$kind" <<'PY'
import json, sys
found = json.load(open(sys.argv[1]))
print(f"| {sys.argv[2]} | {sys.argv[3]} | {found['psnr']:.2f} / {found['ssim']:.3f} |", flush=True)
PY
    done
done
