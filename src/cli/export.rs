//! `naka-gs export`

use super::output;
use super::progress::Reporter;
use naka_gs::capture::Camera;
use naka_gs::capture::ending;
use naka_gs::pipeline::{training_cameras, training_cameras_beside};
use naka_gs::splat::{self, write as formats};
use naka_gs::{Error, Progress, Result, page};
use std::path::{Path, PathBuf};

/// Splats in another format, or as a page that browsers open, by the ending of -o: .html, .ply, .compressed.ply, .spz,
/// .v4.spz (SPZ of version 4, which newer readers take), .sog, .glb or .splat
#[derive(clap::Args)]
#[command(
    visible_alias = "convert",
    after_help = "Examples:
  naka-gs export out/demo/splats.ply -o demo.html             one page to walk in, in any browser
  naka-gs export out/demo/splats.ply -o demo.spz              an eighth of the size
  naka-gs export out/demo/splats.ply -o demo.compressed.ply   for SuperSplat
  naka-gs convert scene.spz -o scene.ply                      back, for programs that read PLY only
What each format loses: docs/splats.md"
)]
pub struct Export {
    /// Splats in any format that is read: PLY, SuperSplat's compressed PLY, SPZ, SOG, GLB, .splat; or the folder of a run
    splats: PathBuf,
    /// File to write [default with --html: SPLATS with the ending .html]
    #[arg(short = 'o', long = "out", value_name = "FILE", required_unless_present = "html")]
    out: Option<PathBuf>,
    /// Replace the file if it exists
    #[arg(short = 'w', long)]
    overwrite: bool,
    /// A page, as for the ending .html
    #[arg(long)]
    html: bool,
    /// Where the cameras of a page come from: an output folder, a scene folder or a transforms file [default: the folder
    /// that SPLATS are in]
    #[arg(long, value_name = "SCENE")]
    cameras: Option<PathBuf>,
    /// The splats were trained with `antialiased`, though the file does not say so
    #[arg(long)]
    antialiased: bool,
}

impl Export {
    pub fn run(mut self, reporter: &Reporter) -> Result<()> {
        self.splats = output::splats_file(self.splats);
        let out = self.out.clone().unwrap_or_else(|| self.splats.with_extension("html"));
        let target = Target::of(&out, self.html)?;
        if target != Target::Page && self.cameras.is_some() {
            return Err(Error::setting("--cameras", "the file is no page", "leave it out, or choose a name.html"));
        }
        output::claim(&out, self.overwrite)?;
        output::not_in_place(&self.splats, &out)?;
        let (found, frame) = splat::read_framed(&self.splats)?;
        let antialiased = self.antialiased || found.antialiased;
        let cameras = match &self.cameras {
            Some(scene) => training_cameras(scene)?,
            None if target == Target::Page => training_cameras_beside(&self.splats).unwrap_or_default(),
            None => Vec::new(),
        };
        found.check_axes(&self.splats, &frame, &cameras);
        reporter.check()?;
        write(target, &out, &formats::Export { splats: &found.splats, frame, antialiased }, &cameras)?;
        output::line(out.display().to_string())
    }
}

/// What a file is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    Page,
    Splats,
}

impl Target {
    /// By the ending of `path`, or a page anyway.
    pub fn of(path: &Path, page: bool) -> Result<Self> {
        if page || ["html", "htm"].contains(&ending(path).as_str()) {
            return Ok(Self::Page);
        }
        formats::Format::of_ending(path).map(|_| Self::Splats).map_err(|error| match error {
            Error::Input { path, found, remedy } => {
                Error::Input { path, found, remedy: remedy + ", or .html for a page" }
            }
            other => other,
        })
    }
}

/// Writes the file.
pub fn write(target: Target, out: &Path, export: &formats::Export, cameras: &[Camera]) -> Result<()> {
    match target {
        Target::Page => page::write_scene(out, export, cameras),
        Target::Splats => formats::write(out, export).map(|_| ()),
    }
}
