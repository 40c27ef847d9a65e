#!/bin/sh
# Stands in for COLMAP in tests, called through a link. The folder the link lies in directs it and holds what it recorded:
#   calls              every call's arguments, one line a call
#   modern             if there: COLMAP 4's names of commands and options
#   crash, hang, fail  the command that dies of a signal, never ends (its process is in `pid`), or exits with 1
#   nothing            if there: the mapper finds no model
#   poses              the text model's images: lines `QW QX QY QZ TX TY TZ CAMERA NAME`, and cameras in `cameras`
here=$(dirname "$0")
is() { [ -f "$here/$1" ] && [ "$(cat "$here/$1")" = "$2" ]; }
command=$1
if [ "$command" = help ]; then
    [ -f "$here/modern" ] && echo "COLMAP 4.1.0 (Commit x without CUDA)" || echo "COLMAP 3.8 -- Structure-from-Motion"
    printf '  %s\n' feature_extractor exhaustive_matcher sequential_matcher transitive_matcher mapper model_converter
    [ -f "$here/modern" ] && printf '  %s\n' global_mapper view_graph_calibrator
    exit 0
fi
if [ "$2" = -h ]; then
    if [ -f "$here/modern" ]; then extraction=FeatureExtraction matching=FeatureMatching; else extraction=SiftExtraction matching=SiftMatching; fi
    for option in random_seed database_path ImageReader.camera_model ImageReader.mask_path ImageReader.single_camera ImageReader.single_camera_per_folder SiftExtraction.max_num_features \
        $extraction.use_gpu $extraction.max_image_size $extraction.num_threads $matching.use_gpu $matching.num_threads \
        ExhaustiveMatching.block_size SequentialMatching.overlap SequentialMatching.loop_detection \
        Mapper.min_model_size Mapper.num_threads GlobalMapper.gp_use_gpu; do
        echo "  --$option arg (=1)"
    done
    exit 0
fi
echo "$@" >> "$here/calls"
while [ $# -gt 1 ]; do
    case $1 in
        --database_path) database=$2 ;;
        --output_path) output=$2 ;;
    esac
    shift
done
is crash "$command" && { echo "about to crash"; kill -SEGV $$; }
is hang "$command" && { echo "[thinking]"; echo $$ > "$here/pid"; exec sleep 600; }
is fail "$command" && { echo "ERROR: out of ideas"; exit 3; }
case $command in
    feature_extractor)
        echo x >> "$database"
        printf 'Processed file [%s/2]\n  Name: x\n' 1 2
        ;;
    mapper | global_mapper)
        [ -f "$here/nothing" ] && { echo "ERROR: failed to create sparse model"; exit 1; }
        mkdir -p "$output/0" "$output/1"
        printf '\002\000\000\000\000\000\000\000' > "$output/0/images.bin"
        printf '\004\000\000\000\000\000\000\000' > "$output/1/images.bin"
        echo "Registering image #1 (3)"
        ;;
    model_converter)
        { echo "# Camera list"; cat "$here/cameras"; } > "$output/cameras.txt"
        echo "# Image list" > "$output/images.txt"
        number=1
        while read -r pose; do
            printf '%s %s.jpg\n10 20 -1 30 40.5 7\n' "$number" "$pose" >> "$output/images.txt"
            number=$((number + 1))
        done < "$here/poses"
        printf '# 3D points\n1 0.1 0.2 3 9 8 7 0.5 1 0 2 0\n2 0 0 4 9 8 7 1.5 1 0 2 0\n' > "$output/points3D.txt"
        ;;
esac
exit 0
