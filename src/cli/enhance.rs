//! `naka-gs enhance`

use super::output::{self, OutFolder};
use super::progress::Reporter;
use super::setting_flags::{Enhance as EnhanceTables, SettingFlags};
use naka_gs::gpu::{Gpu, Mask};
use naka_gs::pipeline::keep_apart;
use naka_gs::{Error, Result, capture, enhance};
use std::path::PathBuf;

/// Dark photographs to lit ones
#[derive(clap::Args)]
pub struct Enhance {
    /// An image, a folder of images, or a scene
    input: PathBuf,
    #[command(flatten)]
    out: OutFolder,
    #[command(flatten)]
    settings: SettingFlags<EnhanceTables>,
}

impl Enhance {
    pub fn run(self, reporter: &Reporter) -> Result<()> {
        let settings = self.settings.resolve(None)?;
        let out = self.out.or_named_after(&self.input);
        let options = capture::Options { holdout: None, allow_outside: settings.allow_outside };
        let photos = if capture::is_scene(&self.input) {
            capture::load(&self.input, &options)?
        } else {
            capture::photos(&self.input)?
        };
        let targets = photos.train.iter().map(|view| out.join(&view.name));
        if let Some(present) = targets.into_iter().find(|path| path.exists() && !self.out.overwrite) {
            return Err(Error::Exists(present));
        }
        keep_apart(&[&out], &photos)?;
        let gpu = Gpu::open(&settings.adapter_choice(), Mask::from_env()?)?;
        enhance::enhance_capture(&gpu, &photos, &settings.enhance, settings.downscale, &out, reporter)?;
        output::settings_into(&out, &settings)?;
        output::line(out.display().to_string())
    }
}
