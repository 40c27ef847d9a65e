//! Finished files of the current stage, listed in `run.json`, so that a killed run continues after them.

use super::output::{Files, NOTE_EVERY, OutputFolder};
use super::record::{Run, Stage};
use crate::error::Result;
use crate::progress::Journal;
use crate::sync::lock;
use std::path::Path;
use std::sync::Mutex;
use std::time::Instant;

/// The journal of one stage.
pub struct StageJournal<'a> {
    folder: &'a OutputFolder,
    stage: Stage,
    state: Mutex<State>,
}

struct State {
    run: Run,
    written: Instant,
}

impl<'a> StageJournal<'a> {
    /// Of the `stage` that `run` records as begun.
    pub fn new(folder: &'a OutputFolder, run: &Run, stage: Stage) -> Self {
        let state = Mutex::new(State { run: run.clone(), written: Instant::now() });
        Self { folder, stage, state }
    }

    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut lock(&self.state))
    }
}

fn outputs(run: &mut Run, stage: Stage) -> Option<&mut Files> {
    run.stage_mut(stage).map(|record| &mut record.outputs)
}

impl Journal for StageJournal<'_> {
    fn is_finished(&self, path: &Path) -> bool {
        let name = self.folder.name_of(path);
        let written = self.with(|state| outputs(&mut state.run, self.stage)?.get(&name).cloned().flatten());
        written.is_some_and(|written| self.folder.unchanged(&name, &written))
    }

    fn finished(&self, path: &Path) -> Result<()> {
        let name = self.folder.name_of(path);
        let written = self.folder.content(&name);
        self.with(|state| {
            if let Some(outputs) = outputs(&mut state.run, self.stage) {
                outputs.insert(name, written);
            }
            if state.written.elapsed() < NOTE_EVERY {
                return Ok(());
            }
            state.written = Instant::now();
            state.run.write(self.folder.path())
        })
    }
}
