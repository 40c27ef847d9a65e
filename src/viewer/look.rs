//! The exposure and the warmth of the picture as settings of a run: what was found by eye is not lost.

use crate::error::Result;
use crate::pipeline::record::{Run, Stage};
use crate::settings::Settings;
use crate::storage;
use std::path::{Path, PathBuf};

/// How the photographs of a run were lit by a camera response.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    scene: PathBuf,
    /// `enhance.exposure` as it was set or found, EV, and `enhance.warmth`.
    exposure: f32,
    warmth: f32,
}

impl Look {
    /// Nothing where the photographs were lit otherwise.
    pub fn of(run: &Run, settings: &Settings) -> Option<Self> {
        let exposure = run.stage(Stage::ENHANCE)?.exposure()?;
        Some(Self { scene: run.scene.clone(), exposure, warmth: settings.enhance.warmth })
    }

    /// Writes it, brighter by `stops` and warmer by `warmth` EV, as settings to `folder`, under a name that is not taken; the
    /// file, and what to do with it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, stops: f32, warmth: f32, folder: &Path) -> Result<(PathBuf, String)> {
        let candidates = (1..).map(|n| if n == 1 { "look.toml".into() } else { format!("look-{n}.toml") });
        let path = candidates.map(|name| folder.join(name)).find(|path| !path.exists()).unwrap_or_default();
        let rounded = |value: f32| format!("{:.2}", value + 0.0);
        let [exposure, warmer] = [self.exposure + stops, self.warmth + warmth].map(rounded);
        let text = format!(
            "# What the window showed: brighter by {} EV, warmer by {} EV than the run was.\n[enhance]\nexposure = \
             {exposure}\nwarmth = {warmer}\n",
            rounded(stops),
            rounded(warmth)
        );
        storage::write_bytes(&path, text.as_bytes())?;
        let words = format!("{}: settings for a run of {} that looks so", path.display(), self.scene.display());
        Ok((path, words))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_is_written_as_settings_that_a_run_takes() {
        let folder = tempfile::tempdir().unwrap();
        let look = Look { scene: "night".into(), exposure: -0.18, warmth: 0.1 };
        let (first, words) = look.save(0.75, -0.3, folder.path()).unwrap();
        assert!(words.contains("a run of night") && words.contains("look.toml"), "{words}");
        let (second, _) = look.save(0.75, -0.3, folder.path()).unwrap();
        assert_ne!(first, second, "a file that is there stays");
        let layers = crate::settings::Layers { file: Some(first), ..Default::default() };
        let enhance = layers.resolve().unwrap().enhance;
        assert_eq!((enhance.exposure, enhance.warmth), (0.57, -0.2));
        enhance.validate().unwrap();
    }
}
