//! Lights photographs without training a model: single ones, folders, or those of a scene.

use super::output::{Listed, OutputFolder, Results, ensure_disjoint, ensure_no_input, names};
use super::{before_after, transforms};
use crate::capture::{self, Capture, View, is_scene, read_image};
use crate::enhance::{self, Folders, Report};
use crate::error::{Error, Result};
use crate::gpu::{Gpu, Mask};
use crate::progress::Progress;
use crate::settings::Settings;
use rayon::prelude::*;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Names of other output files, which no picture may have.
const RESERVED: [&str; 7] =
    [names::SHEET, MAPS, names::MASKS, names::SETTINGS, names::RESULTS, names::RUN, names::TRANSFORMS];
const MAPS: &str = "maps";
/// Images decoded at one time.
const IN_WORK: usize = 6;

/// Which photographs, and where to.
#[derive(Clone, Debug)]
pub struct Job {
    /// Images and folders of images, or one scene. All are one capture and get one response.
    pub inputs: Vec<PathBuf>,
    /// Folder of the lit pictures, under the names of the photographs.
    pub out: PathBuf,
    /// Whether pictures that are there may be replaced. Photographs never are.
    pub overwrite: bool,
    /// Whether to lay out `sheet.jpg` there.
    pub sheet: bool,
    /// Whether to write the network's maps to `maps/` there.
    pub maps: bool,
    /// The resolved settings.
    pub settings: Settings,
}

/// What was done.
#[derive(Debug)]
pub struct Lit {
    /// What the stage did.
    pub report: Report,
    /// The sheet of pictures, if one was asked for.
    pub sheet: Option<PathBuf>,
    /// Why files were left out. Photographs of a scene never are: one that cannot be read is an error.
    pub unreadable: Vec<Error>,
}

impl Lit {
    /// Fails where files were left out, with all their names.
    ///
    /// # Errors
    /// [`Error::Input`] for the first of them.
    pub fn complete(&self) -> Result<()> {
        let paths = self.unreadable.iter().filter_map(|error| match error {
            Error::Input { path, .. } | Error::Io { path, .. } => Some(path),
            _ => None,
        });
        let paths: Vec<_> = paths.collect();
        let Some(first) = paths.first() else { return Ok(()) };
        let names: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
        let (count, all) = (names.len(), names.len() + self.report.images);
        let found = format!("{count} of {all} files could not be read ({})", names.join(", "));
        Err(Error::input(first.parent().unwrap_or(first), found, "the other pictures are written"))
    }
}

/// Lights the photographs of `job`.
///
/// # Errors
/// Nothing that can be read, results that are in the way or would replace a photograph; all before anything is
/// written. Then those of [`enhance::enhance_capture`].
pub fn light(job: &Job, progress: &dyn Progress) -> Result<Lit> {
    if job.maps && job.settings.enhance.weights == "none" {
        return Err(Error::setting(
            "maps",
            "there is no network (`enhance.weights = none`)",
            "leave out one of the two",
        ));
    }
    let (mut photos, mut unreadable) = open(job)?;
    ensure_apart(job, &photos)?;
    let names = lit_views(&photos).map(|view| &view.name);
    let reserved = |name: &&String| RESERVED.contains(&name.split('/').next().unwrap_or_default());
    if let Some(name) = names.clone().find(reserved) {
        let found = format!("a photograph is named {name}, like a file or folder of results");
        return Err(Error::setting("IN", found, "rename it"));
    }
    let [sheet, maps] =
        [(job.sheet, names::SHEET), (job.maps, MAPS)].map(|(wanted, name)| wanted.then(|| job.out.join(name)));
    let map_files = names.clone().flat_map(|name| enhance::map_names(name).map(|map| format!("{MAPS}/{map}")));
    let targets = names.cloned().chain(map_files.filter(|_| job.maps));
    let is_posed = is_scene(&job.inputs[0]);
    let cameras = is_posed.then(|| job.out.join(names::TRANSFORMS));
    let beside = sheet.iter().map(|_| names::SHEET).chain(cameras.iter().map(|_| names::TRANSFORMS));
    let masks = transforms::mask_files(&photos);
    let targets: Vec<String> = targets.chain(beside.map(String::from)).chain(masks).collect();
    let folder = OutputFolder::open(&job.out)?;
    ensure_not_beside(job, &folder, &targets)?;
    let results = Results::plan(&folder, targets, job.overwrite)?;
    if !is_posed {
        unreadable.extend(set_aside(&mut photos, progress)?);
    }
    for error in &unreadable {
        tracing::warn!("left out: {error}");
    }
    let gpu = Gpu::open(&job.settings.adapter_choice(), Mask::of_process())?;
    let (enhance, downscale) = (&job.settings.enhance, job.settings.downscale);
    let report = results.make(&job.settings, |journal| {
        let out = Folders { images: &job.out, maps: maps.as_deref(), journal: Some(journal) };
        let (lit, report) = enhance::enhance_capture(&gpu, &photos, enhance, downscale, out, progress)?;
        if job.maps && report.network == "none" {
            tracing::warn!("no maps are written: {} ({}) does not use the network", report.response, report.reason);
        }
        if let Some(path) = &sheet {
            let [dark, lit] = [&photos, &lit].map(|capture| lit_views(capture).cloned().collect::<Vec<_>>());
            before_after::lay_out(&dark, &lit, path)?;
        }
        if let Some(path) = &cameras {
            transforms::write(path, &photos, downscale, "")?;
        }
        transforms::write_masks(&job.out, &photos, downscale)?;
        Ok(report)
    })?;
    Ok(Lit { report, sheet, unreadable })
}

/// Fails where results would go among the photographs of a folder or scene, or replace a photograph that is named.
fn ensure_apart(job: &Job, photos: &Capture) -> Result<()> {
    let named = |view: &View| job.inputs.iter().any(|input| view.image.as_deref() == Some(input));
    let in_folders = photos.train.iter().filter(|view| !named(view)).cloned().collect();
    ensure_disjoint(&job.out, &Capture { train: in_folders, ..photos.clone() })?;
    let files = lit_views(photos).chain(&photos.test).flat_map(View::files);
    let poses = job.inputs.iter().map(|input| input.join(names::TRANSFORMS));
    let files: Vec<PathBuf> = files.map(Path::to_path_buf).chain(poses).collect();
    let names = lit_views(photos).map(|view| view.name.as_str());
    ensure_no_input(&job.out, names.chain(RESERVED), &files)
}

/// Fails where a picture would go in the place of another one that lies beside a photograph that is named: the JPEG of a
/// RAW file is a photograph, too.
fn ensure_not_beside(job: &Job, out: &OutputFolder, targets: &[String]) -> Result<()> {
    let folder = |path: &Path| Path::new(".").join(path).parent()?.canonicalize().ok();
    let place = out.path().canonicalize().ok();
    let lies_there = |input: &&PathBuf| !input.is_dir() && folder(input) == place;
    let Some(input) = job.inputs.iter().find(lies_there) else { return Ok(()) };
    match Listed::read(out, job.overwrite)?.foreign(targets) {
        None => Ok(()),
        Some(name) => {
            let (file, input) = (out.join(name), input.display());
            let found = format!("{} lies among the photographs, beside {input}, and would be replaced", file.display());
            Err(Error::setting("out", found, "choose another output folder"))
        }
    }
}

/// The views that get a lit picture.
fn lit_views(capture: &Capture) -> impl Iterator<Item = &View> + Clone {
    capture.train.iter().chain(&capture.holdout)
}

fn open(job: &Job) -> Result<(Capture, Vec<Error>)> {
    match &job.inputs[..] {
        [scene] if is_scene(scene) => {
            let (allow_outside, masks) = (job.settings.allow_outside, job.settings.masks);
            let options = capture::Options { allow_outside, masks, ..Default::default() };
            Ok((capture::load(scene, &options)?, Vec::new()))
        }
        several => match several.iter().find(|path| is_scene(path)) {
            Some(scene) => Err(Error::input(scene, "a scene beside other inputs", "enhance every scene by itself")),
            None => {
                let (mut photos, unreadable) = capture::readable_photos(several)?;
                capture::add_masks(&mut photos, job.settings.masks)?;
                capture::assign_gains(&mut photos);
                Ok((photos, unreadable))
            }
        },
    }
}

/// Decodes every photograph once and sets aside those that fail: one broken file should not stop the others, but must be found
/// before their response is estimated and written.
pub(super) fn set_aside(photos: &mut Capture, progress: &dyn Progress) -> Result<Vec<Error>> {
    progress.begin("check", "images", photos.train.len() as u64);
    let done = AtomicU64::new(0);
    let (mut readable, mut unreadable) = (Vec::new(), Vec::new());
    for group in photos.train.chunks(IN_WORK.min(rayon::current_num_threads())) {
        progress.check()?;
        let decode = |view: &View| {
            let found = view.image.as_deref().map(read_image).transpose();
            progress.set(done.fetch_add(1, Ordering::Relaxed) + 1, "");
            found.err()
        };
        let found: Vec<_> = group.par_iter().map(decode).collect();
        for (view, error) in group.iter().zip(found) {
            match error {
                None => readable.push(view.clone()),
                // Nothing is wrong with the file.
                Some(error @ Error::OutOfHostMemory(_)) => return Err(error),
                Some(error) => unreadable.push(error),
            }
        }
    }
    progress.end();
    if readable.is_empty() {
        return Err(unreadable.swap_remove(0));
    }
    photos.train = readable;
    Ok(unreadable)
}
