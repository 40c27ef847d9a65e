//! Renders of many scenes in one zip file, in the form that challenge servers require.
//!
//! Everything is checked before anything is written, since servers count invalid submissions, too.

mod archive;
mod check;
mod picture;
mod readme;
mod run;
mod template;

pub use check::check;
pub use readme::Readme;
pub use run::{FinishedRun, Scene};
pub use template::{NTIRE_3DRR, Template};

use crate::capture::{Image, View, mean_image};
use crate::error::{Error, Result};
use crate::eval::{Sampling, encode_jpeg};
use crate::parallel::try_map;
use crate::pipeline::fingerprint::of_poses;
use crate::pipeline::record::RUN_FILE;
use crate::progress::Progress;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The name of the note inside the zip.
const README: &str = "readme.txt";

/// What goes into a submission.
#[derive(Clone, Debug, Default)]
pub struct Job {
    /// Output folders of runs, and folders of such.
    pub outs: Vec<PathBuf>,
    /// The file to write.
    pub zip: PathBuf,
    /// How its entries are named.
    pub template: Template,
    /// Whether several runs of a scene become their mean, instead of an error.
    pub average: bool,
    /// Whether a `readme.txt` goes in, and what it says.
    pub readme: Option<Readme>,
    /// Where the scenes are, if not where the runs found them.
    pub scenes: Option<PathBuf>,
}

/// What went into a submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Submitted {
    /// Scenes in it.
    pub scenes: usize,
    /// Runs that they are from.
    pub runs: usize,
    /// Pictures in it.
    pub images: usize,
}

/// The runs of one scene; more than one to be averaged.
struct Group(Vec<FinishedRun>);

/// A picture to come: the test frame and the runs that rendered it.
struct Picture<'a> {
    name: String,
    view: &'a View,
    runs: &'a [FinishedRun],
}

/// Checks every render of `job`, then writes the zip. The caller decides whether one may be replaced.
///
/// # Errors
/// The first thing that is wrong: see [`FinishedRun`]; pictures that do not decode, are not of their frame's size or
/// black; names that are not unique; several runs of a scene without `average`; two scenes of one name.
pub fn submit(job: &Job, progress: &dyn Progress) -> Result<Submitted> {
    let runs = open_runs(job)?;
    let count = runs.len();
    let groups = group(runs, job.average)?;
    let pictures = pictures(&groups, &job.template)?;
    validate(&pictures, progress)?;
    let scenes: Vec<&[FinishedRun]> = groups.iter().map(|group| group.0.as_slice()).collect();
    let mut readme = job.readme.as_ref().map(|readme| readme.text(&scenes).into_bytes());
    progress.begin("zip", "images", pictures.len() as u64);
    let mut left = pictures.iter();
    archive::write(&job.zip, || {
        progress.check()?;
        let done = (pictures.len() - left.len()) as u64;
        match left.next() {
            Some(picture) => {
                progress.set(done + 1, &picture.name);
                Ok(Some((picture.name.clone(), picture.bytes()?)))
            }
            None => Ok(readme.take().map(|text| (README.to_string(), text))),
        }
    })?;
    progress.end();
    Ok(Submitted { scenes: groups.len(), runs: count, images: pictures.len() })
}

/// The output folders of runs among `folders` and below them, in order. Files next to them (a batch's summary) are ignored.
///
/// # Errors
/// A path that does not exist; a folder without a run in it.
pub fn find_runs(folders: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for folder in folders {
        if !folder.is_dir() && folder.exists() && folders.len() > 1 {
            tracing::info!("{}: not a folder: skipped", folder.display());
            continue;
        }
        let before = found.len();
        collect_runs(folder, &mut found)?;
        if found.len() == before {
            let nothing = format!("holds no {RUN_FILE}, nor does a folder below it");
            return Err(Error::input(folder, nothing, "give the output folder of a finished `naka-gs run` or `batch`"));
        }
    }
    Ok(found)
}

fn collect_runs(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    if folder.join(RUN_FILE).is_file() {
        found.push(folder.to_path_buf());
        return Ok(());
    }
    let entries = std::fs::read_dir(folder).map_err(Error::io(folder))?;
    let mut paths = entries.map(|e| e.map(|e| e.path()).map_err(Error::io(folder))).collect::<Result<Vec<_>>>()?;
    paths.sort();
    // Links could lead in circles, and a run is made where it lies.
    let inside = |path: &PathBuf| path.is_dir() && !path.is_symlink();
    paths.iter().filter(|path| inside(path)).try_for_each(|path| collect_runs(path, found))
}

fn open_runs(job: &Job) -> Result<Vec<FinishedRun>> {
    let mut outs = Vec::new();
    for out in find_runs(&job.outs)? {
        let real = out.canonicalize().map_err(Error::io(&out))?;
        if outs.iter().any(|(other, _)| *other == real) {
            return Err(Error::input(out, "is named twice", "name every run once"));
        }
        outs.push((real, out));
    }
    outs.iter().map(|(_, out)| FinishedRun::open(out, job.scenes.as_deref())).collect()
}

/// The runs by scene, in order of first appearance.
fn group(runs: Vec<FinishedRun>, average: bool) -> Result<Vec<Group>> {
    let mut groups: Vec<Group> = Vec::new();
    for run in runs {
        let same = |group: &&mut Group| group.0[0].scene.name.to_lowercase() == run.scene.name.to_lowercase();
        let Some(group) = groups.iter_mut().find(same) else {
            groups.push(Group(vec![run]));
            continue;
        };
        let first = &group.0[0];
        if !first.is_of_capture_of(&run) {
            let scenes = [&run, first].map(|run| run.record.scene.display());
            let found = format!("is of {}, which has the name of {}, but holds other files", scenes[0], scenes[1]);
            let remedy = "submit them apart, or rename one of these folders and run it again";
            return Err(Error::input(&run.out, found, remedy));
        }
        let found = format!("is a run of the scene {}, as is {}", run.scene.name, first.out.display());
        if !average {
            let remedy = "leave one out, or give `average` to submit the mean of both";
            return Err(Error::input(&run.out, found, remedy));
        }
        if of_poses(&first.scene.test) != of_poses(&run.scene.test) {
            let found = format!("{found}, but their test poses differ");
            return Err(Error::input(&run.out, found, "only runs of one and the same scene have a mean"));
        }
        group.0.push(run);
    }
    Ok(groups)
}

fn pictures<'a>(groups: &'a [Group], template: &Template) -> Result<Vec<Picture<'a>>> {
    let mut names = BTreeMap::new();
    let mut pictures = Vec::new();
    for Group(runs) in groups {
        let scene = &runs[0].scene;
        for (index, view) in (1..).zip(&scene.test) {
            let name = template.name(&scene.name, index, &view.name);
            if let Some(other) = names.insert(name.to_lowercase(), runs[0].out.clone()) {
                let found = format!("{} and {} both give a picture {name}", other.display(), runs[0].out.display());
                return Err(Error::setting("template", found, "give every scene and frame a name of its own"));
            }
            pictures.push(Picture { name, view, runs });
        }
    }
    Ok(pictures)
}

fn validate(pictures: &[Picture], progress: &dyn Progress) -> Result<()> {
    progress.begin("check", "images", pictures.len() as u64);
    let mut done = 0;
    for part in pictures.chunks(rayon::current_num_threads().max(1)) {
        progress.check()?;
        try_map(part, |picture| picture.images().try_for_each(|image| image.map(drop)))?;
        done += part.len();
        progress.set(done as u64, "");
    }
    progress.end();
    Ok(())
}

impl Picture<'_> {
    /// The render of every run.
    fn images(&self) -> impl Iterator<Item = Result<Image>> {
        let size = [self.view.camera.width, self.view.camera.height];
        self.runs.iter().map(move |run| picture::decode(&run.render(self.view), &run.read_render(self.view)?, size))
    }

    /// The file: of one run as it is, of several the mean, encoded once as single runs are.
    fn bytes(&self) -> Result<Vec<u8>> {
        if let [run] = self.runs {
            return run.read_render(self.view);
        }
        let mean = mean_image(self.images())?;
        let encoded = mean.and_then(|mean| encode_jpeg(&mean, 95, Sampling::Half).ok());
        encoded.ok_or_else(|| Error::input(&self.name, "has no mean", "render the runs again"))
    }
}
