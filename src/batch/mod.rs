//! Many scenes, one after the other or several at a time; one that fails does not stop the others.

mod complete;
mod find;
pub mod summary;
mod table;

pub use complete::ensure_complete;
pub use find::{Found, find};
pub use summary::{Row, Status};

use crate::capture::Facts;
use crate::error::{Error, Result};
use crate::pipeline::output::OutputFolder;
use crate::pipeline::{self, Outcome, Scope, Shared};
use crate::progress::{Progress, Stop};
use crate::settings::{self, Layers, Settings};
use crate::sync::lock;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;
use table::Table;

/// The name of a scene's own settings file, in its folder.
pub const SETTINGS_FILE: &str = "naka-gs.toml";

/// A folder of scenes, and what to do with them.
#[derive(Clone, Debug)]
pub struct Job {
    /// The folder with the scenes.
    pub folder: PathBuf,
    /// The folder of results; those of a scene lie there under the scene's name.
    pub out: PathBuf,
    /// Settings of every scene; one's own file comes between the settings file and the flags.
    pub layers: Layers,
    /// Whether results of different runs may be replaced.
    pub overwrite: bool,
    /// Scenes at one time, each with buffers of its own on the adapter.
    pub jobs: usize,
}

/// An observer of a batch.
pub trait Watch: Sync {
    /// Progress of one scene's run, by the scene's name.
    fn of_scene(&self, name: &str) -> Box<dyn Progress + '_>;
    /// A scene's run has ended well; `out` holds its results.
    fn finished(&self, out: &Path, outcome: &Outcome, progress: &dyn Progress);
    /// The flag that stops all.
    fn stop(&self) -> &Stop;
}

/// Runs every scene of `job`, as `naka-gs run` does one. `summary.csv` in the output folder is up to date after each.
///
/// # Errors
/// No scene, or a table of another origin in the output folder; before anything is written. A scene that fails is no
/// error here: see [`verdict`].
pub fn run(job: &Job, watch: &dyn Watch) -> Result<Vec<Row>> {
    job.layers.resolve()?;
    let scenes = find(&job.folder, &job.out)?;
    let folder = OutputFolder::open(&job.out)?;
    let waiting = scenes.iter().map(|scene| Row::waiting(&scene.name)).collect();
    let table = Mutex::new(Table::begin(&folder, waiting, job.overwrite)?);
    let next = AtomicUsize::new(0);
    let work = || -> Result<()> {
        while let Some((index, scene)) = next_scene(&scenes, &next, watch.stop()) {
            let mut row = Row { status: Status::Running, ..Row::waiting(&scene.name) };
            lock(&table).put(index, row.clone())?;
            let started = Instant::now();
            let outcome = run_scene(job, scene, watch);
            row.seconds = started.elapsed().as_secs_f64();
            row.finish(outcome);
            if let Some(error) = &row.error {
                tracing::error!("{}: {error}", scene.name);
            }
            lock(&table).put(index, row)?;
        }
        Ok(())
    };
    std::thread::scope(|threads| {
        let workers: Vec<_> = (0..job.jobs.clamp(1, scenes.len())).map(|_| threads.spawn(work)).collect();
        let ended =
            workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        ended.collect::<Vec<_>>().into_iter().collect::<Result<()>>()
    })?;
    Ok(table.into_inner().unwrap_or_else(PoisonError::into_inner).into_rows())
}

/// The overall result of a batch.
///
/// # Errors
/// [`Error::Interrupted`] if scenes are left because of a stop; else [`Error::Input`] naming the scenes that failed.
pub fn verdict(folder: &Path, rows: &[Row]) -> Result<()> {
    let count = |statuses: &[Status]| rows.iter().filter(|row| statuses.contains(&row.status)).count();
    if count(&[Status::Interrupted, Status::Waiting]) > 0 {
        let done = count(&[Status::Done, Status::Kept]);
        let of = rows.len();
        return Err(Error::Interrupted(format!(
            "{done} of {of} scenes are finished; run the same command again to continue"
        )));
    }
    let failed: Vec<&str> =
        rows.iter().filter(|row| row.status == Status::Failed).map(|row| row.scene.as_str()).collect();
    if failed.is_empty() {
        return Ok(());
    }
    let found = format!("{} of {} scenes failed ({})", failed.len(), rows.len(), failed.join(", "));
    let remedy = format!("see the table or {}; the same command tries them again", summary::SUMMARY_FILE);
    Err(Error::input(folder, found, remedy))
}

fn next_scene<'s>(scenes: &'s [Found], next: &AtomicUsize, stop: &Stop) -> Option<(usize, &'s Found)> {
    if stop.requested() {
        return None;
    }
    let index = next.fetch_add(1, Ordering::Relaxed);
    scenes.get(index).map(|scene| (index, scene))
}

fn run_scene(job: &Job, scene: &Found, watch: &dyn Watch) -> Result<Outcome> {
    // Of the level that is always shown: messages say of which scene they are.
    let _scene = tracing::error_span!("scene", name = %scene.name).entered();
    let progress = watch.of_scene(&scene.name);
    let run = pipeline::Job {
        scene: scene.folder.clone(),
        out: job.out.join(&scene.name),
        settings: scene_settings(&job.layers, &scene.folder)?,
        overwrite: job.overwrite,
        scope: Scope::Everything,
    };
    let of_frames = |frames: &Path| settings_for(&job.layers, frames, None);
    let shared = Shared { settings: Some(&of_frames), ..Shared::default() };
    let outcome = pipeline::run(&run, &shared, progress.as_ref())?;
    watch.finished(&run.out, &outcome, progress.as_ref());
    Ok(outcome)
}

/// The settings of the scene in `folder`: those of all, with its own file (if any) over the settings file of all and
/// under the flags.
fn scene_settings(layers: &Layers, folder: &Path) -> Result<Settings> {
    let own = folder.join(SETTINGS_FILE);
    settings_for(layers, folder, own.is_file().then_some(own))
}

/// The settings for the photographs in `folder`.
fn settings_for(layers: &Layers, folder: &Path, own_file: Option<PathBuf>) -> Result<Settings> {
    Layers { own_file, photographs: Facts::of(folder, settings::MANY), ..layers.clone() }.resolve()
}
