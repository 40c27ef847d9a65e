//! `naka-gs export`

use super::output::{self, OutFile};
use naka_gs::Result;
use naka_gs::splat::{self, write};
use std::path::PathBuf;

/// Splats in another format, by the ending of -o: .ply, .compressed.ply, .spz, .sog, .glb or .splat
#[derive(clap::Args)]
#[command(
    visible_alias = "convert",
    after_help = "Examples:
  naka-gs export out/demo/splats.ply -o demo.spz              an eighth of the size
  naka-gs export out/demo/splats.ply -o demo.compressed.ply   for SuperSplat
  naka-gs convert scene.spz -o scene.ply                      back, for programs that read PLY only
What each format loses: docs/splats.md"
)]
pub struct Export {
    /// Splats in any format that is read: PLY, SuperSplat's compressed PLY, SPZ, SOG, GLB, .splat
    splats: PathBuf,
    #[command(flatten)]
    out: OutFile,
    /// The splats were trained with `antialiased`, though the file does not say so
    #[arg(long)]
    antialiased: bool,
}

impl Export {
    pub fn run(self) -> Result<()> {
        write::Format::of_ending(&self.out.path)?;
        self.out.check()?;
        let (found, frame) = splat::read_framed(&self.splats)?;
        let antialiased = self.antialiased || found.antialiased;
        write::write(&self.out.path, &write::Export { splats: &found.splats, frame, antialiased })?;
        output::line(self.out.path.display().to_string())
    }
}
