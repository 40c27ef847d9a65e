#!/usr/bin/env bash
# What a point prior gains: test PSNR of one capture at equal steps from
#   frustum  random points before the cameras
#   colmap   COLMAP's sparse points, triangulated with the capture's poses on the lit images (needs COLMAP)
#   stereo   naka-gs's own stereo
# each with the point preprocessing (+ppm) and without, for several seeds.
#
#   tools/bench/priors.sh OUT SCENE
#
# SCENE is a capture with transforms_train.json and test references. Training flags: RUN_FLAGS (default: --preset
# preview); seeds: SEEDS (default: "1 2 3"); rows: PRIORS (default: all); a folder with COLMAP's points in the capture's
# frame: COLMAP_POINTS (default: made here); points made: PLAIN_POINTS (default: 40000), and for stereo+ppm STEREO_POINTS
# (default: 160000). What is finished in OUT is not done again, so an interrupted table continues; other flags need
# another OUT. The binary is built in release mode first, unless NAKA_GS names one.
set -euo pipefail
[ $# -eq 2 ] || { sed -n '2,14s/^# \{0,1\}//p' "$0"; exit 2; }
root=$(cd "$(dirname "$0")/../.." && pwd)
out=$1
scene=$2
read -ra run_flags <<< "${RUN_FLAGS:---preset preview}"
read -ra seeds <<< "${SEEDS:-1 2 3}"
read -ra priors <<< "${PRIORS:-frustum+ppm stereo+ppm colmap+ppm frustum stereo colmap}"
if [ -z "${NAKA_GS:-}" ]; then
    cargo build --release --quiet --manifest-path "$root/Cargo.toml"
    NAKA_GS=$root/target/release/naka-gs
fi
quiet=(--progress none --quiet)
mkdir -p "$out"

# The lit images are the same for all rows: made once, by a run of hardly any training.
lit=$out/lit
[ -s "$lit/metrics.json" ] ||
    "$NAKA_GS" run "$scene" "${run_flags[@]}" --make frustum --steps 1 -o "$lit" "${quiet[@]}" > /dev/null

if [ -z "${COLMAP_POINTS:-}" ]; then
    COLMAP_POINTS=$out/colmap/triangulated
    case " ${priors[*]} " in
        *colmap*) [ -d "$COLMAP_POINTS" ] || python3 "$root/tools/bench/triangulate.py" "$scene" "$lit/images" "$out/colmap" ;;
    esac
fi

for seed in "${seeds[@]}"; do
    for prior in "${priors[@]}"; do
        result=$out/$prior-$seed
        [ ! -s "$result/metrics.json" ] || continue
        case $prior in
            frustum*) flags=(--make frustum) ;;
            stereo*) flags=(--make stereo) ;;
            colmap*) flags=(--points "$COLMAP_POINTS") ;;
        esac
        case $prior in *+ppm) flags+=(--thin-made) ;; *) flags+=(--voxel-size 0 --iters 0) ;; esac
        # About as many splats in every row: the preprocessing takes three of four stereo points, and hardly a random one.
        case $prior in
            stereo+ppm) flags+=(--make-points "${STEREO_POINTS:-160000}") ;;
            *) flags+=(--make-points "${PLAIN_POINTS:-40000}") ;;
        esac
        if [ ! -d "$result" ]; then
            mkdir "$result.part"
            cp -r "$lit/images" "$lit/run.json" "$lit/settings.toml" "$result.part"
            mv "$result.part" "$result"
        fi
        "$NAKA_GS" run "$scene" "${run_flags[@]}" --seed "$seed" "${flags[@]}" -w -o "$result" "${quiet[@]}" > /dev/null
    done
done

python3 - "$out" "${priors[@]}" <<'PY'
import glob, json, statistics, sys
out, priors = sys.argv[1], sys.argv[2:]
print("| points from | seeds | points | PSNR: mean (each) | SSIM | seconds of training |")
print("| --- | --- | --- | --- | --- | --- |")
for prior in priors:
    runs = [(json.load(open(f"{path}/metrics.json")), json.load(open(f"{path}/run.json")))
            for path in sorted(glob.glob(f"{out}/{prior}-[0-9]*")) if glob.glob(f"{path}/metrics.json")]
    if not runs:
        continue
    psnr = [metrics["psnr"] for metrics, _ in runs]
    seconds = [stage["seconds"] for _, run in runs for stage in run["stages"] if stage["stage"] == "train"]
    print(f"| {prior} | {len(runs)} | {statistics.mean(run['splats'] for _, run in runs):.0f} "
          f"| {statistics.mean(psnr):.2f} ({', '.join(f'{p:.2f}' for p in psnr)}) "
          f"| {statistics.mean(metrics['ssim'] for metrics, _ in runs):.3f} | {statistics.mean(seconds):.0f} |")
PY
