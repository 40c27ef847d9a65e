//! `naka-gs enhance`

use super::output::{self, OutFolder};
use super::progress::Reporter;
use super::setting_flags::{Enhance as EnhanceTables, SettingFlags};
use naka_gs::Result;
use naka_gs::pipeline::photos;
use std::path::{Path, PathBuf};

/// Dark photographs to lit ones
#[derive(clap::Args)]
pub struct Enhance {
    /// Images, folders of images, or a scene
    #[arg(required = true, value_name = "IN")]
    inputs: Vec<PathBuf>,
    #[command(flatten)]
    out: OutFolder,
    /// Also write OUT/sheet.jpg: pictures as they were, brightened, and lit, side by side
    #[arg(long)]
    sheet: bool,
    /// Also write what the chroma network changes to OUT/maps, as 16-bit pictures in which mid-gray is no change
    #[arg(long)]
    maps: bool,
    #[command(flatten)]
    settings: SettingFlags<EnhanceTables>,
}

impl Enhance {
    pub fn run(self, reporter: &Reporter) -> Result<()> {
        let settings = self.settings.resolve()?;
        let job = photos::Job {
            out: self.out.or_named_after(self.namesake()),
            inputs: self.inputs,
            overwrite: self.out.overwrite,
            sheet: self.sheet,
            maps: self.maps,
            settings,
        };
        let lit = photos::light(&job, reporter)?;
        output::line(job.out.display().to_string())?;
        if let Some(sheet) = &lit.sheet {
            output::line(sheet.display().to_string())?;
        }
        lit.complete()
    }

    /// What the results are named after: the input, or the folder that the first of several lies in.
    fn namesake(&self) -> &Path {
        match &self.inputs[..] {
            [one] => one,
            several => match several.first().and_then(|first| first.parent()) {
                Some(folder) if !folder.as_os_str().is_empty() => folder,
                _ => Path::new("."),
            },
        }
    }
}
