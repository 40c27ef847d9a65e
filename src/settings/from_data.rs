//! The keys that a settings file in a scene may set. Scenes may come from strangers, so such a file may neither name programs
//! to run or files to read, nor grant itself permissions. Keys that are not listed here are refused.

use super::Change;
use crate::error::{Error, Result};
use serde_json::Value;

/// Keys that may have any valid value.
const HARMLESS: &[&str] = &[
    "preset",
    "adapter",
    "seed",
    "seeds",
    "downscale",
    "holdout",
    "masks",
    "video.frames",
    "video.candidates",
    "enhance.response",
    "enhance.scope",
    "enhance.n",
    "enhance.sigma",
    "enhance.normalize",
    "enhance.dequantize",
    "enhance.exif_exposure",
    "enhance.exposure",
    "enhance.warmth",
    "enhance.denoise",
    "enhance.working",
    "enhance.eight_bit",
    "poses.mapper",
    "poses.lens",
    "poses.feature_size",
    "poses.max_features",
    "poses.match_all_up_to",
    "poses.colmap_minutes",
    "poses.colmap_threads",
    "poses.seed",
    "prior.align",
    "prior.poses",
    "prior.make",
    "prior.make_points",
    "prior.max_points",
    "prior.ignore_existing",
    "prior.min_existing",
    "prior.min_confidence",
    "prior.image_size",
    "prior.max_views",
    "prior.min_correlation",
    "prior.min_views",
    "prior.pose_check",
    "prior.match_exposures",
    "prior.seed",
    "ppm.voxel_size",
    "ppm.tau0",
    "ppm.beta",
    "ppm.iters",
    "ppm.min_points",
    "ppm.thin_made",
    "ppm.floaters",
    "ppm.seed",
    "train.steps",
    "train.seed",
    "train.sh_degree",
    "train.sh_interval",
    "train.lr_means",
    "train.lr_means_decay",
    "train.lr_scales",
    "train.lr_quats",
    "train.lr_opacities",
    "train.lr_sh",
    "train.lr_decay",
    "train.ssim_weight",
    "train.antialiased",
    "train.background",
    "train.opacity_regularizer",
    "train.scale_regularizer",
    "train.init_opacity",
    "train.init_scale",
    "train.init_thickness",
    "train.scale_floor",
    "train.ramp",
    "train.ramp_until",
    "train.refine_poses",
    "train.checkpoint_every",
    "train.checkpoint_seconds",
    "train.deterministic",
    "train.eval_every",
    "train.densify.strategy",
    "train.densify.start",
    "train.densify.stop",
    "train.densify.every",
    "train.densify.grad_threshold",
    "train.densify.scale_threshold",
    "train.densify.prune_opacity",
    "train.densify.prune_scale",
    "train.densify.reset_every",
    "train.densify.max_splats",
    "train.densify.grow",
    "train.densify.growth_factor",
    "train.densify.noise",
];

/// Keys that may name a file, with their harmless values.
const BY_VALUE: [(&str, &[&str]); 3] = [
    ("eval.lpips", &["none"]),
    ("enhance.weights", &["auto", "none"]),
    ("enhance.camera", &["", "exposure-45", "exposure-40", "exposure-40-plain"]),
];

/// Fails for a change that a scene may not make.
pub(super) fn check(change: &Change<'_>) -> Result<()> {
    let path = change.key.path.as_str();
    let listed = |value: &Value, allowed: &[&str]| value.as_str().is_some_and(|value| allowed.contains(&value));
    let by_value = BY_VALUE.iter().find(|(key, _)| *key == path).map(|(_, allowed)| *allowed);
    let allowed = match by_value {
        Some(allowed) => change.candidates.iter().all(|value| listed(value, allowed)),
        None => HARMLESS.contains(&path),
    };
    if allowed {
        return Ok(());
    }
    let found = "a settings file in a scene folder may not set this: it names a program or file, or lifts a limit";
    let remedy = format!("if you trust it, set `{}` yourself, or in a settings file of your own", change.key.path);
    Err(Error::setting(&change.origin, found, remedy))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Layers, keys};

    /// Every key is either listed or refused on purpose: a new one needs a decision.
    #[test]
    fn every_key_was_decided_on() {
        let refused = ["allow_outside", "poses.poses_from", "poses.colmap", "prior.points", "prior.colors"];
        for key in keys() {
            let path = key.path.as_str();
            let by_value = BY_VALUE.iter().any(|(key, _)| *key == path);
            let times = usize::from(HARMLESS.contains(&path)) + usize::from(refused.contains(&path));
            assert_eq!(times + usize::from(by_value), 1, "{path}: harmless, or a way out of the scene folder?");
        }
        let known: Vec<String> = keys().into_iter().map(|key| key.path).collect();
        assert!(HARMLESS.iter().all(|path| known.iter().any(|key| key == path)));
    }

    #[test]
    fn data_names_no_programs_and_files() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("naka-gs.toml");
        let resolve = |text: &str| {
            std::fs::write(&path, text).unwrap();
            Layers { own_file: Some(path.clone()), ..Layers::default() }.resolve()
        };
        for text in [
            "[poses]\ncolmap = \"./run-me\"",
            "colmap = \"./run-me\"",
            "poses-from = \"/etc\"",
            "points = \"../points.ply\"",
            "[prior]\ncolors = \"x.npy\"",
            "weights = \"x.pth\"",
            "[enhance]\ncamera = \"../camera.toml\"",
            "allow_outside = true",
        ] {
            let error = resolve(text).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{text}");
            let error = error.to_string();
            assert!(error.contains("naka-gs.toml") && error.contains("of your own"), "{error}");
        }
        let settings =
            resolve("steps = 4\nweights = \"none\"\ncamera = \"exposure-40-plain\"\n[ppm]\ntau0 = 0.1").unwrap();
        assert_eq!((settings.train.steps, settings.ppm.tau0), (4, 0.1));
    }
}
