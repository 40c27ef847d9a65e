//! Makes paths in settings absolute: records and settings files are read from other folders, too.

use super::Settings;
use crate::eval::Lpips;
use std::path::{Path, PathBuf};

impl Settings {
    /// The same settings with their paths in full. Those that have no full path in Unicode stay.
    #[must_use]
    pub fn with_full_paths(&self) -> Self {
        let mut full = self.clone();
        let Self { enhance, poses, prior, eval, .. } = &mut full;
        for path in [&mut prior.points, &mut prior.colors].into_iter().flatten() {
            *path = in_full(path);
        }
        poses.poses_from = text_in_full(&poses.poses_from);
        // A bare name is searched in `PATH`.
        if Path::new(&poses.colmap).components().count() > 1 {
            poses.colmap = text_in_full(&poses.colmap);
        }
        if enhance.camera_file().is_some() {
            enhance.camera = text_in_full(&enhance.camera);
        }
        if enhance.weights_file().is_some() {
            enhance.weights = text_in_full(&enhance.weights);
        }
        let networks = Lpips::files(eval);
        let networks: Vec<String> = networks.iter().map(|file| text_in_full(&file.to_string_lossy())).collect();
        // A comma stands between two files.
        if !networks.is_empty() && networks.iter().all(|file| !file.contains(',')) {
            eval.lpips = networks.join(",");
        }
        full
    }
}

fn in_full(path: &Path) -> PathBuf {
    let full = std::path::absolute(path).ok().filter(|full| full.to_str().is_some());
    full.unwrap_or_else(|| path.to_path_buf())
}

fn text_in_full(path: &str) -> String {
    in_full(Path::new(path)).to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_in_full_and_words_stay() {
        let here = std::env::current_dir().unwrap();
        let at = |name: &str| here.join(name).to_string_lossy().into_owned();
        let mut settings = Settings::default();
        assert_eq!(settings.with_full_paths(), settings);
        settings.prior.points = Some("a/p.ply".into());
        settings.prior.colors = Some("c.npy".into());
        settings.poses.poses_from = "./poses".into();
        settings.poses.colmap = "bin/colmap".into();
        settings.enhance.camera = "camera.toml".into();
        settings.enhance.weights = "w.pth".into();
        settings.eval.lpips = "vgg.pth, lin.pth".into();
        let full = settings.with_full_paths();
        assert_eq!(full.prior.points, Some(at("a/p.ply").into()));
        assert_eq!(full.prior.colors, Some(at("c.npy").into()));
        assert_eq!([&full.poses.poses_from, &full.poses.colmap], [&at("poses"), &at("bin/colmap")]);
        assert_eq!([&full.enhance.camera, &full.enhance.weights], [&at("camera.toml"), &at("w.pth")]);
        assert_eq!(full.eval.lpips, format!("{},{}", at("vgg.pth"), at("lin.pth")));
        assert_eq!(full.with_full_paths(), full);
        assert_eq!(settings.to_toml().unwrap(), full.to_toml().unwrap());
    }
}
