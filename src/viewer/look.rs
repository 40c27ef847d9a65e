//! Saves the exposure and the warmth that were chosen in the window as settings of a run.

use crate::enhance::{Config, MOST_STOPS, MOST_WARMTH};
use crate::error::Result;
use crate::pipeline::record::{Run, Stage};
use crate::settings::Settings;
use crate::storage;
use std::path::{Path, PathBuf};

/// The smallest exposure but 0 that is written, which has two decimals. 0 stands for what EXIF data say.
const LEAST_STOPS: f32 = 0.01;

/// How the photographs of a run were exposed by a camera response, or by their camera.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    scene: PathBuf,
    /// `enhance.exposure` as it was set or found, EV.
    exposure: f32,
    enhance: Config,
}

impl Look {
    /// `None` where the photographs were lit by a response without an exposure.
    pub fn of(run: &Run, settings: &Settings) -> Option<Self> {
        let exposure = run.stage(Stage::ENHANCE)?.exposure()?;
        Some(Self { scene: run.scene.clone(), exposure, enhance: settings.enhance.clone() })
    }

    /// Writes it, brighter by `stops` and warmer by `warmth` EV, as settings to `folder`, under a name that is not taken; the
    /// file, and what to do with it. Values are clamped to what the settings allow.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self, stops: f32, warmth: f32, folder: &Path) -> Result<(PathBuf, String)> {
        let candidates = (1..).map(|n| if n == 1 { "look.toml".into() } else { format!("look-{n}.toml") });
        let path = candidates.map(|name| folder.join(name)).find(|path| !path.exists()).unwrap_or_default();
        let rounded = |value: f32| format!("{:.2}", value + 0.0);
        let shown = [self.exposure + stops, self.enhance.warmth + warmth];
        let [mut exposure, warmer] =
            [shown[0].clamp(-MOST_STOPS, MOST_STOPS), shown[1].clamp(-MOST_WARMTH, MOST_WARMTH)];
        let is_cut = [exposure, warmer] != shown;
        if stops != 0.0 && exposure.abs() < LEAST_STOPS {
            exposure = LEAST_STOPS;
        }
        let text = format!(
            "# What the window showed: brighter by {} EV, warmer by {} EV than the run was.\n[enhance]\nexposure = \
             {}\nwarmth = {}\n{}",
            rounded(stops),
            rounded(warmth),
            rounded(exposure),
            rounded(warmer),
            other_settings(&self.enhance)
        );
        storage::write_bytes(&path, text.as_bytes())?;
        let mut words = format!("{}: settings for a run of {} that looks so", path.display(), self.scene.display());
        if is_cut {
            words += &format!(", as far as ±{MOST_STOPS} EV of exposure and ±{MOST_WARMTH} EV of warmth reach");
        }
        Ok((path, words))
    }
}

/// What else a run was set to that is not the default (the response and its file, the network), as lines of TOML. These values
/// are written as in JSON.
fn other_settings(config: &Config) -> String {
    let [set, usual] = [config, &Config::default()].map(|config| serde_json::to_value(config).unwrap_or_default());
    let entries = set.as_object().into_iter().flatten();
    let others = entries.filter(|(key, value)| {
        !["exposure", "warmth"].contains(&key.as_str()) && usual.get(key.as_str()) != Some(*value)
    });
    others.map(|(key, value)| format!("{key} = {value}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::enhance::Response;
    use crate::settings::Layers;

    fn resolved(file: PathBuf) -> Config {
        let enhance = Layers { file: Some(file), ..Layers::default() }.resolve().unwrap().enhance;
        enhance.validate().unwrap();
        enhance
    }

    #[test]
    fn a_look_is_written_as_settings_that_a_run_takes() {
        let folder = tempfile::tempdir().unwrap();
        let enhance = Config { warmth: 0.1, ..Config::default() };
        let look = Look { scene: "night".into(), exposure: -0.18, enhance };
        let (first, words) = look.save(0.75, -0.3, folder.path()).unwrap();
        assert!(words.contains("a run of night") && words.ends_with("looks so"), "{words}");
        let (second, _) = look.save(0.75, -0.3, folder.path()).unwrap();
        assert_ne!(first, second, "a file that is there stays");
        assert_eq!(resolved(first), Config { exposure: 0.57, warmth: -0.2, ..Config::default() });
    }

    #[test]
    fn a_look_keeps_the_response_of_the_run_within_what_settings_allow() {
        let folder = tempfile::tempdir().unwrap();
        let enhance = Config {
            response: Response::Camera,
            camera: "my \"best\"\\camera.toml".into(),
            exif_exposure: false,
            weights: "none".into(),
            denoise: 0.3,
            ..Config::default()
        };
        let look = Look { scene: "night".into(), exposure: 3.0, enhance: enhance.clone() };
        let (file, words) = look.save(4.0, -2.5, folder.path()).unwrap();
        assert!(words.contains("±5 EV"), "{words}");
        assert_eq!(resolved(file), Config { exposure: 5.0, warmth: -2.0, ..enhance.clone() });
        // 0 would be what EXIF data say.
        let (file, _) = look.save(-3.0, 0.0, folder.path()).unwrap();
        assert_eq!(resolved(file), Config { exposure: 0.01, ..enhance });
    }
}
