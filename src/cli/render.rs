//! `naka-gs render`

use super::output::{self, OutFolder};
use super::progress::Reporter;
use super::setting_flags::{Render as RenderTables, SettingFlags};
use naka_gs::gpu::{Gpu, Mask};
use naka_gs::pipeline::{Painter, render_name, render_views};
use naka_gs::{Error, Result, capture, splat};
use std::path::PathBuf;

/// Pictures of a splat file from the poses of a transforms file
#[derive(clap::Args)]
pub struct Render {
    /// Splats in the 3DGS layout
    splats: PathBuf,
    /// Poses, with `w` and `h`
    #[arg(long, value_name = "transforms_test.json")]
    cameras: PathBuf,
    /// The splats were trained with `antialiased`
    #[arg(long)]
    antialiased: bool,
    #[command(flatten)]
    out: OutFolder,
    #[command(flatten)]
    settings: SettingFlags<RenderTables>,
}

impl Render {
    pub fn run(self, reporter: &Reporter) -> Result<()> {
        let settings = self.settings.resolve(None)?;
        let out = self.out.or_named_after(&self.splats);
        let mut views = capture::poses(&self.cameras)?;
        views.iter_mut().for_each(|view| view.camera = view.camera.downscaled(settings.downscale));
        let targets = views.iter().map(|view| out.join(render_name(&view.name)));
        if let Some(present) = targets.into_iter().find(|path| path.exists() && !self.out.overwrite) {
            return Err(Error::Exists(present));
        }
        let splats = splat::ply::read(&self.splats)?;
        let gpu = Gpu::open(&settings.adapter_choice(), Mask::from_env()?)?;
        let mut painter = Painter::new(&gpu, &splats, self.antialiased)?;
        render_views(&mut painter, &views, &out, reporter)?;
        output::settings_into(&out, &settings)?;
        output::line(out.display().to_string())
    }
}
