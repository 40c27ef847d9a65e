//! Writes the checkpoints of a run at time intervals, on a thread of its own.

use super::super::config::Config;
use super::{Checkpoint, State, load, save};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::storage;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A write under way.
struct Writing {
    step: u32,
    began: Instant,
    thread: JoinHandle<(Result<()>, Duration)>,
}

/// The checkpoints of one run.
pub struct Keeper {
    dir: PathBuf,
    identity: String,
    /// Time between two checkpoints; nothing where none are due by time.
    every: Option<Duration>,
    /// When the last write began, or the run did, and what a write takes.
    began: Instant,
    takes: Duration,
    writing: Option<Writing>,
    /// Step of the newest generation that is whole, and whether it is the one named `latest`.
    kept: Option<u32>,
    rotate: bool,
}

impl Keeper {
    /// For a run with this identity, and where it continues from.
    ///
    /// # Errors
    /// Checkpoints of which none can be used.
    pub fn open(gpu: &Gpu, dir: &Path, identity: String, config: &Config) -> Result<(Self, Option<Checkpoint>)> {
        storage::remove_leftovers(dir);
        let loaded = load(dir, &identity, config)?;
        let mut keeper = Self {
            dir: dir.into(),
            identity,
            every: (config.checkpoint_seconds > 0.0).then(|| Duration::from_secs_f32(config.checkpoint_seconds)),
            began: Instant::now(),
            takes: Duration::ZERO,
            writing: None,
            kept: loaded.as_ref().map(|(state, _)| state.step),
            rotate: loaded.as_ref().is_some_and(|(_, latest)| *latest),
        };
        let checkpoint = loaded.map(|(state, _)| Checkpoint::upload(gpu, state)).transpose()?;
        keeper.began = Instant::now();
        Ok((keeper, checkpoint))
    }

    /// What the states of this run carry.
    pub fn identity(&self) -> &str {
        &self.identity
    }

    /// Whether it is time for a checkpoint. The time that a write takes counts, so that no more work than the interval
    /// is lost when the process dies just before a write is complete.
    pub fn due(&mut self) -> bool {
        if self.writing.as_ref().is_some_and(|writing| !writing.thread.is_finished()) {
            return false;
        }
        self.every.is_some_and(|every| self.began.elapsed() + self.takes.min(every / 2) >= every)
    }

    /// Begins to write `state`; waits for an older write. A write that fails is a warning, no more.
    pub fn begin(&mut self, state: State) {
        self.settle();
        self.began = Instant::now();
        let (dir, rotate, step, began) = (self.dir.clone(), self.rotate, state.step, self.began);
        let write = move || (save(&dir, &state, rotate), began.elapsed());
        match std::thread::Builder::new().name("checkpoint".into()).spawn(write) {
            Ok(thread) => self.writing = Some(Writing { step, began, thread }),
            Err(error) => self.warn(step, &Error::io(&self.dir)(error)),
        }
    }

    /// Waits for the write under way.
    pub fn settle(&mut self) {
        let Some(Writing { step, began, thread }) = self.writing.take() else { return };
        let gone = || (Err(Error::io(&self.dir)(std::io::Error::other("the writer panicked"))), began.elapsed());
        let (written, took) = thread.join().unwrap_or_else(|_| gone());
        self.takes = took;
        match written {
            Ok(()) => self.wrote(step),
            Err(error) => self.warn(step, &error),
        }
    }

    /// Writes `state` at once.
    ///
    /// # Errors
    /// It is not written.
    pub fn write(&mut self, state: &State) -> Result<()> {
        self.settle();
        save(&self.dir, state, self.rotate)?;
        self.wrote(state.step);
        Ok(())
    }

    /// Which checkpoint there is, in words.
    pub fn words(&self) -> String {
        match self.kept {
            Some(step) => format!("the checkpoint of step {step} is kept in {}", self.dir.display()),
            None => "no checkpoint exists yet".into(),
        }
    }

    fn wrote(&mut self, step: u32) {
        (self.kept, self.rotate) = (Some(step), true);
    }

    fn warn(&self, step: u32, error: &Error) {
        let words = self.words();
        tracing::warn!("the checkpoint of step {step} could not be written: {error}; training goes on, {words}");
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.settle();
    }
}
