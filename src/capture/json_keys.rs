//! Unknown keys of a transforms file: some of them would change the meaning of the others.

use serde::Deserialize;
use serde::de::IgnoredAny;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Keys that are read, at the top or in a frame.
const READ: [&str; 26] = [
    "frames",
    "file_path",
    "transform_matrix",
    "ply_file_path",
    "mask_path",
    "train_filenames",
    "val_filenames",
    "test_filenames",
    "fl_x",
    "fl_y",
    "camera_angle_x",
    "camera_angle_y",
    "cx",
    "cy",
    "w",
    "h",
    "k1",
    "k2",
    "k3",
    "k4",
    "k5",
    "k6",
    "p1",
    "p2",
    "is_fisheye",
    "camera_model",
];
/// Keys that are irrelevant to pictures and poses: settings of other programs, and what was done to the poses before.
const WITHOUT_EFFECT: [&str; 21] = [
    "aabb_scale",
    "scale",
    "offset",
    "applied_transform",
    "applied_scale",
    "orientation_override",
    "auto_scale_poses_override",
    "colmap_im_id",
    "sharpness",
    "sharpen",
    "rotation",
    "depth_file_path",
    "depth_path",
    "depth_unit_scale_factor",
    "integer_depth_scale",
    "enable_depth_loading",
    "normal_file_path",
    "n_extra_learnable_dims",
    "camera_id",
    "image_id",
    "name",
];

#[derive(Deserialize)]
struct Keys {
    frames: Vec<BTreeMap<String, IgnoredAny>>,
    #[serde(flatten)]
    top: BTreeMap<String, IgnoredAny>,
}

/// The keys of the transforms file `text` that are neither read nor without effect, sorted.
fn unknown(text: &str) -> serde_json::Result<Vec<String>> {
    let Keys { frames, top } = serde_json::from_str(text)?;
    let keys: BTreeSet<String> = frames.into_iter().chain([top]).flat_map(BTreeMap::into_keys).collect();
    let known = |key: &String| READ.contains(&key.as_str()) || WITHOUT_EFFECT.contains(&key.as_str());
    Ok(keys.into_iter().filter(|key| !known(key)).collect())
}

/// Warns about them. An unreadable file is refused by the reader of its poses.
pub fn warn_of_unknown(path: &Path, text: &str) {
    let keys = unknown(text).unwrap_or_default();
    if !keys.is_empty() {
        tracing::warn!(
            "{}: these keys are not understood and change nothing: {}; if one of them gives poses, lenses or pictures \
             another meaning, convert the file",
            path.display(),
            super::messages::list_names(&keys)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_not_understood_are_found_at_both_levels() {
        let text = r#"{"w": 3, "aabb_scale": 16, "rolling_shutter": [0], "frames": [
            {"file_path": "a", "time": 0.5}, {"file_path": "b", "fisheye_crop_radius": 9, "sharpness": 1}]}"#;
        assert_eq!(unknown(text).unwrap(), ["fisheye_crop_radius", "rolling_shutter", "time"]);
    }
}
