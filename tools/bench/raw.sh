#!/usr/bin/env bash
# What RAW files bring over JPEG: PSNR and SSIM (and PSNR after a global fit of colors) of enhanced and of new views of
# the demo's scene, photographed small as DNG, as JPEG developed from the same samples, and as JPEG of an ideal sensor.
#
#   NAKA_GS=target/debug/naka-gs tools/bench/raw.sh OUT [RATIO …]
#
# RATIO (default: 40 160): how many times too short the exposure is. Rows "known" have the capture's camera.toml, rows
# "auto" what is chosen without one, rows "built-in" the response for JPEG files. What is finished in OUT is not done
# again. RUN_FLAGS: flags of training. SIZE: the photographs' (default: 432 288, which are averaged to a quarter).
set -euo pipefail
[ $# -ge 1 ] || { sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 2; }
root=$(cd "$(dirname "$0")/../.." && pwd)
out=$1
shift
[ $# -ge 1 ] || set -- 40 160
read -ra run_flags <<< "${RUN_FLAGS:---preset preview --downscale 4 --steps 400 --weights none}"
read -r width height <<< "${SIZE:-432 288}"
naka=${NAKA_GS:-$root/target/release/naka-gs}
quiet=(--progress none --quiet)

row() { # RATIO, FILE, row's name, capture, flags of `run`
    local result=$out/$1-$2-$3 capture=$4
    if [ ! -s "$result.enhanced.json" ]; then
        "$naka" run "$capture" "${run_flags[@]}" "${@:5}" -o "$result" "${quiet[@]}" > "$result.log" 2>&1 || cat "$result.log"
        "$naka" eval "$result/images" "$out/$1-$2/capture/truth" --json "${quiet[@]}" > "$result.json.part"
        mv "$result.json.part" "$result.enhanced.json"
    fi
    python3 - "$result.enhanced.json" "$result/metrics.json" "$1" "$2" "$3" <<'PY'
import json, sys
enhanced, new = (json.load(open(path)) for path in sys.argv[1:3])
fitted = lambda m: m["psnr_affine"]
figure = lambda m: f"{m['psnr']:.2f} / {fitted(m):.2f} / {m['ssim']:.3f}"
print("| " + " | ".join(sys.argv[3:6]) + f" | {figure(enhanced)} | {figure(new)} |", flush=True)
PY
}

echo "| ratio | file | response | enhanced views: PSNR / fitted / SSIM | new views: PSNR / fitted / SSIM |"
echo "| --- | --- | --- | --- | --- |"
for ratio in "$@"; do
    for file in jpeg developed-jpeg dng; do
        work=$out/$ratio-$file
        mkdir -p "$work"
        sed -e "s/^ratio = .*/ratio = $ratio.0/; s/^quality = .*/&\nfile = \"$file\"/" \
            -e "s/^width = 480$/width = $width/; s/^height = 320$/height = $height/; s/^train = 32/train = 12/; s/^test = 6/test = 3/" \
            -e 's/^texel = .*/texel = 0.12/; s/^samples = .*/samples = 9/' "$root/scenes/night.toml" > "$work/scene.toml"
        [ -d "$work/capture" ] || "$naka" demo --scene "$work/scene.toml" --photograph -o "$work" "${quiet[@]}" > /dev/null
        rm -rf "$work/plain"
        mkdir "$work/plain"
        cp -r "$work"/capture/{train,test,transforms_*.json} "$work/plain"
        row "$ratio" "$file" known "$work/capture"
        row "$ratio" "$file" auto "$work/plain"
        [ "$file" = jpeg ] || row "$ratio" "$file" built-in "$work/plain" --response camera
    done
done
