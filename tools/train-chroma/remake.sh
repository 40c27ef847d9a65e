#!/bin/sh
# Makes the network that comes with naka-gs (src/enhance/models/chroma.safetensors) from nothing but Debian's packages and
# random rooms:
#   sh tools/train-chroma/remake.sh FOLDER
# Needs 1.3 GB in FOLDER, 6 GB of memory and, on two cores, 40 minutes. What is there already is not made again;
# an interrupted training continues. The result is FOLDER/chroma.safetensors.
set -eu
folder=${1:?usage: remake.sh FOLDER}
tools=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$folder"
cd "$tools/../.."
RUSTFLAGS="-C target-cpu=native" cargo build --release -p train-chroma
train=${CARGO_TARGET_DIR:-target}/release/train-chroma
sh "$tools/photographs.sh" "$folder/photographs"
if [ ! -d "$folder/pairs" ]; then
    rm -rf "$folder/pairs.part"
    "$train" synthesize "$folder/pairs.part" --photographs "$tools/photographs.toml" --from "$folder/photographs" \
        --photograph-captures 110 --room-captures 80 --seed 2
    mv "$folder/pairs.part" "$folder/pairs"
fi
resume=
[ ! -f "$folder/whole.state.safetensors" ] || resume=--resume
"$train" train "$folder/pairs" --downscale 4,2 --holdout 17 --steps 10000 --learning-rate 1e-3 --every 1000 $resume \
    -o "$folder/whole.safetensors"
"$train" prune "$folder/whole.safetensors" "$folder/pairs" --keep 0.6 --holdout 17 -o "$folder/chroma.safetensors"
