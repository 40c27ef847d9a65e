//! `naka-gs ppm`

use super::output::{self, Inputs, OutFile};
use super::progress::Reporter;
use super::setting_flags::{Ppm as PpmTables, SettingFlags};
use glam::DMat4;
use naka_gs::capture::{Camera, Capture, SceneFrame, View};
use naka_gs::pipeline;
use naka_gs::prior::{Found, ReadOptions, Similarity};
use naka_gs::storage::write_json;
use naka_gs::{Error, Result, capture, eval, ppm, prior, storage};
use std::path::{Path, PathBuf};

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
        let settings = self.settings.resolve()?;
        self.out.check_with_settings()?;
        let plot = self.stats.as_ref().map(|stats| stats.with_extension("svg"));
        if self.stats.is_some() && self.stats == plot {
            return Err(Error::setting(
                "--stats",
                "a name that ends in .svg",
                "name a .json file; the plot goes beside it",
            ));
        }
        self.stats.iter().chain(&plot).try_for_each(|path| output::claim(path, self.out.overwrite))?;
        let sheet = self.sheet.then(|| self.out.sheet()).transpose()?;
        let outs: Vec<&Path> = [Some(&self.out.path), self.stats.as_ref(), plot.as_ref(), sheet.as_ref()]
            .into_iter()
            .flatten()
            .map(PathBuf::as_path)
            .collect();
        self.distinct(plot.as_deref())?;
        let options = capture::Options { allow_outside: settings.allow_outside, ..capture::Options::default() };
        let scene = self.scene.as_ref().map(|scene| capture::load(scene, &options)).transpose()?;
        let scene = scene.map(|scene| scene.in_scene_frame());
        let inputs =
            scene.iter().fold(Inputs::default().file_or_folder(&self.points), |inputs, scene| inputs.scene(scene));
        inputs.ensure_kept(outs)?;
        let options = ReadOptions { min_confidence: settings.prior.min_confidence as f32, ..ReadOptions::default() };
        let (found, frame) = match &scene {
            Some(Capture { frame, .. }) => {
                let to = Similarity::IDENTITY.in_frame(frame);
                (prior::read_with(&self.points, &ReadOptions { to, ..options })?, *frame)
            }
            // Lengths are the file's own.
            None => prior::read_recentered(&self.points, &options)?,
        };
        let Found { cloud: points, total, not_finite, unsure } = found;
        self.describe(&frame);
        let normalize = scene.as_ref().map_or(DMat4::IDENTITY, |scene| pipeline::normalization(scene, &points));
        let views: &[View] = scene.as_ref().map_or(&[], |scene| &scene.train);
        let cameras: Vec<Camera> = views.iter().map(|view| view.camera.clone()).collect();
        let (points, report) = ppm::run(points, &settings.ppm, &normalize, &cameras)?;
        let (input, dropped) = (total as usize, report.dropped + not_finite as usize);
        let report = ppm::Report { input, dropped, unsure: unsure as usize, ..report };
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

    /// Fails where one file is to hold two results.
    fn distinct(&self, plot: Option<&Path>) -> Result<()> {
        let full = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
        let out = full(&self.out.path);
        match self.stats.as_deref().into_iter().chain(plot).find(|path| full(path) == out) {
            Some(path) => {
                let found = format!("{} is where the points go", path.display());
                Err(Error::setting("--stats", found, "choose another name"))
            }
            None => Ok(()),
        }
    }

    /// Prints a note where coordinates of the result are relative to another origin.
    fn describe(&self, frame: &SceneFrame) {
        if frame.is_recentered() {
            let [x, y, z] = frame.origin.to_array();
            tracing::warn!(
                "{}: its coordinates are too far from the origin for the single precision of PLY files: the \
                 coordinates in {} are relative to ({x}, {y}, {z}), as a comment in that file says",
                self.points.display(),
                self.out.path.display()
            );
        }
    }
}
