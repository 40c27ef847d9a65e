//! `naka-gs ppm`

use super::output::{self, OutFile};
use super::progress::Reporter;
use super::setting_flags::{Ppm as PpmTables, SettingFlags};
use glam::DMat4;
use naka_gs::capture::{Camera, SceneFrame, View};
use naka_gs::pipeline::{self, record::write_json};
use naka_gs::{Error, Result, capture, eval, ppm, prior, storage};
use std::path::PathBuf;

/// Fewer, better points: voxel pooling and distance-adaptive pruning
#[derive(clap::Args)]
pub struct Ppm {
    /// PLY, NPY, NPZ, or a COLMAP model
    points: PathBuf,
    /// Folder of the scene that the points belong to: lengths are then meant in its normalized frame, as in a run, and
    /// its cameras tell what floats; otherwise lengths are meant in the file's own frame
    #[arg(long, value_name = "SCENE")]
    scene: Option<PathBuf>,
    /// Write statistics of every iteration as JSON, and as a plot beside it (FILE.svg)
    #[arg(long, value_name = "FILE.json")]
    stats: Option<PathBuf>,
    /// Also write a picture of the points (points.sheet.jpg): along three axes, or as the scene's cameras see them
    #[arg(long)]
    sheet: bool,
    #[command(flatten)]
    out: OutFile,
    #[command(flatten)]
    settings: SettingFlags<PpmTables>,
}

impl Ppm {
    pub fn run(self, _reporter: &Reporter) -> Result<()> {
        let settings = self.settings.resolve(None)?;
        self.out.check_with_settings()?;
        let plot = self.stats.as_ref().map(|stats| stats.with_extension("svg"));
        if self.stats.is_some() && self.stats == plot {
            return Err(Error::setting(
                "--stats",
                "a name that ends in .svg",
                "name a .json file; the plot goes beside it",
            ));
        }
        let replaced = self.stats.iter().chain(&plot).find(|path| path.exists() && !self.out.overwrite);
        if let Some(path) = replaced {
            return Err(output::taken(path));
        }
        let sheet = self.sheet.then(|| self.out.sheet()).transpose()?;
        let options = capture::Options { allow_outside: settings.allow_outside, ..capture::Options::default() };
        let scene = self.scene.as_ref().map(|scene| capture::load(scene, &options)).transpose()?;
        let scene = scene.map(|scene| scene.in_scene_frame());
        let frame = match &scene {
            Some(scene) => scene.frame,
            // Lengths are the file's own, and so is the origin.
            None => SceneFrame { unit: 1.0, ..prior::stated_frame(&self.points)?.unwrap_or_default() },
        };
        let points = prior::read_in(&self.points, &frame)?;
        let normalize = scene.as_ref().map_or(DMat4::IDENTITY, |scene| pipeline::normalization(scene, &points));
        let views: &[View] = scene.as_ref().map_or(&[], |scene| &scene.train);
        let cameras: Vec<Camera> = views.iter().map(|view| view.camera.clone()).collect();
        let (points, report) = ppm::run(points, &settings.ppm, &normalize, &cameras)?;
        prior::write_ply_in(&self.out.path, &points, &frame)?;
        if let (Some(stats), Some(plot)) = (&self.stats, &plot) {
            write_json(stats, &report)?;
            storage::write_bytes(plot, ppm::plot(&report).as_bytes())?;
        }
        self.out.wrote(&settings)?;
        if let Some(sheet) = &sheet {
            eval::write_jpeg(sheet, &eval::cloud_sheet(&points, views)?)?;
            output::line(sheet.display().to_string())?;
        }
        Ok(())
    }
}
