//! `naka-gs submit`

use super::output;
use super::progress::Reporter;
use naka_gs::batch;
use naka_gs::capture::{self, is_scene};
use naka_gs::pipeline::record::Run;
use naka_gs::submit::{self, FinishedRun, Job, NTIRE_3DRR, Readme, Scene, Template};
use naka_gs::{Error, Result};
use std::path::{Path, PathBuf};

/// Renders of runs as a challenge's zip file, or a check of one
#[derive(clap::Args)]
pub struct Submit {
    /// Output folders of runs (with --check also scenes); folders of such, as of a batch
    #[arg(required = true, value_name = "OUT")]
    inputs: Vec<PathBuf>,
    /// Zip file to write
    #[arg(short, long, value_name = "FILE.zip", required_unless_present = "check")]
    out: Option<PathBuf>,
    /// Replace the file if it exists
    #[arg(short = 'w', long)]
    overwrite: bool,
    /// Write nothing, but check that this zip holds all test frames of the given scenes as it should
    #[arg(long, value_name = "FILE.zip", conflicts_with_all = ["out", "average", "readme", "description", "extra_data"])]
    check: Option<PathBuf>,
    /// Names in the zip: {scene}, {scene_lowercase}, {index:04} (from 1, in the order of the test poses), {name}
    #[arg(long, default_value = NTIRE_3DRR, hide_default_value = false)]
    template: String,
    /// Submit the mean picture where there are several runs of a scene
    #[arg(long)]
    average: bool,
    /// Add a readme.txt: runtime per image, CPU or GPU, extra data, description
    #[arg(long)]
    readme: bool,
    /// What the readme.txt says of the method (implies --readme)
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Whether other data than the scene's was learned from [default: whether a run used a chroma network]
    #[arg(long, value_name = "true|false")]
    extra_data: Option<bool>,
    /// Folder that the scenes lie in, if not where the runs found them
    #[arg(long, value_name = "DIR")]
    scenes: Option<PathBuf>,
}

impl Submit {
    pub fn run(self, reporter: &Reporter) -> Result<()> {
        let template: Template = self.template.parse()?;
        if let Some(zip) = &self.check {
            return self.check_zip(zip, &template, reporter);
        }
        let zip = self.out.clone().unwrap_or_default();
        if zip.extension().is_none_or(|ending| !ending.eq_ignore_ascii_case("zip")) {
            let found = format!("'{}'", zip.display());
            return Err(Error::setting("--out", found, "name a .zip file, such as submission.zip"));
        }
        output::claim(&zip, self.overwrite)?;
        self.inputs.iter().try_for_each(|input| batch::ensure_complete(input))?;
        let wanted = self.readme || self.description.is_some() || self.extra_data.is_some();
        let readme = wanted.then_some(Readme { extra_data: self.extra_data, description: self.description });
        let job = Job { outs: self.inputs, zip, template, average: self.average, readme, scenes: self.scenes };
        let done = submit::submit(&job, reporter)?;
        let of = if done.runs > done.scenes { format!(" of {} runs", done.runs) } else { String::new() };
        output::line(format!("{} images of {} scenes{of}", done.images, done.scenes))?;
        output::line(job.zip.display().to_string())
    }

    fn check_zip(&self, zip: &Path, template: &Template, reporter: &Reporter) -> Result<()> {
        // Runs that were averaged are of one scene.
        let mut scenes: Vec<Scene> = Vec::new();
        for input in &self.inputs {
            for scene in self.scenes_of(input)? {
                if !scenes.contains(&scene) {
                    scenes.push(scene);
                }
            }
        }
        let images = submit::check(zip, &scenes, template, reporter)?;
        output::line(format!("{}: {images} images of {} scenes, all as they should be", zip.display(), scenes.len()))
    }

    /// The scene at `input`, those of the runs in it, or, without runs, the scenes in it.
    fn scenes_of(&self, input: &Path) -> Result<Vec<Scene>> {
        let open = |scene: &Path| Scene::open(scene, &capture::Options::default());
        // The results of a run look like a scene.
        if is_scene(input) && !Run::is_in(input) {
            return Ok(vec![open(input)?]);
        }
        batch::ensure_complete(input)?;
        match submit::find_runs(&[input.to_path_buf()]) {
            Ok(outs) => outs.iter().map(|out| Ok(FinishedRun::open(out, self.scenes.as_deref())?.scene)).collect(),
            Err(no_runs) => {
                // Without poses there are none to test.
                let found = batch::find(input, Path::new("")).unwrap_or_default();
                let scenes: Vec<_> = found.into_iter().filter(|scene| is_scene(&scene.folder)).collect();
                if scenes.is_empty() { Err(no_runs) } else { scenes.iter().map(|scene| open(&scene.folder)).collect() }
            }
        }
    }
}
