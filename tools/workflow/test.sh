#!/usr/bin/env bash
# The workflow on this machine: two tiny scenes, killed while they train, continued, and compared with `naka-gs run`.
#   tools/workflow/test.sh [path of naka-gs]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
naka_gs=${1:-$here/../../target/release/naka-gs}
if ! command -v snakemake >/dev/null; then
    echo "skipped: snakemake is not installed (pip install snakemake)"
    exit 0
fi
naka_gs=$(realpath "$naka_gs")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

for scene in one site/two; do
    "$naka_gs" --quiet demo --photograph --scene "$here/../../scenes/tiny.toml" -o made >/dev/null
    mkdir -p "scenes/$(dirname "$scene")"
    mv made/capture "scenes/$scene"
done
echo 'seed = 9' > scenes/site/two/naka-gs.toml
flags=(--adapter cpu --make-points 1000 --steps 600 --checkpoint-every 20 --downscale 2)
list=$(printf '"%s",' "${flags[@]}")
workflow() {
    snakemake --snakefile "$here/Snakefile" --profile "$here/profiles/local" --quiet all "$@" \
        --config "naka_gs=$naka_gs" threads=1 submission=entry.zip "flags=[${list%,}]"
}

# In a session of its own, so that all of it can be killed at once.
setsid bash -c "$(declare -f workflow); $(declare -p here naka_gs list); workflow" >first.log 2>&1 &
first=$!
for _ in $(seq 1200); do
    compgen -G 'out/*/checkpoints/*' >/dev/null && break
    kill -0 $first 2>/dev/null || { cat first.log; echo "FAILED: the workflow ended before it could be killed"; exit 1; }
    sleep 0.1
done
kill -KILL -- "-$first"
wait $first 2>/dev/null || true
[ ! -e out/.done/one/train ] || { echo "FAILED: killed too late to tell anything"; exit 1; }

workflow --unlock >/dev/null 2>&1
workflow >second.log 2>&1 || { cat second.log; exit 1; }
grep -q '"resumed_at": 0,' out/one/run.json && { echo "FAILED: training began anew"; exit 1; }
workflow >third.log 2>&1

"$naka_gs" --quiet run scenes/one -o straight/one "${flags[@]}" >/dev/null
"$naka_gs" --quiet run scenes/site/two -o straight/site/two --config scenes/site/two/naka-gs.toml "${flags[@]}" >/dev/null
for scene in one site/two; do
    diff -r "out/$scene/images" "straight/$scene/images"
    cmp "out/$scene/points.ply" "straight/$scene/points.ply"
    # Training is not reproducible to the last bit, whether it is stopped or not.
    psnr() { grep -m1 '"psnr"' "$1/$scene/metrics.json" | tr -cd '0-9.'; }
    awk -v a="$(psnr out)" -v b="$(psnr straight)" -v scene="$scene" 'BEGIN {
        printf "%s: %.2f dB, %.2f dB straight\n", scene, a, b
        exit !(a > 5 && a - b < 0.5 && b - a < 0.5)
    }' || { echo "FAILED: the numbers of $scene differ"; exit 1; }
done
"$naka_gs" submit scenes/one scenes/site/two --check entry.zip
echo "passed: killed in training, continued, and equal to naka-gs run"
