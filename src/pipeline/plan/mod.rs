//! Plans which stages have to be made, and which are kept from an earlier run in the same folder.
//!
//! A stage is kept if it finished, was made from the same inputs and settings (its fingerprint, which includes the
//! fingerprints of the stages before it), from what those stages wrote (`made_from`), and if its files are as it wrote
//! them. A stage that was begun from other inputs or settings belongs to a different run: it is replaced only with
//! `--overwrite`, and then only it and what follows it. One that failed before it wrote anything counts as absent.

use super::definition::{Definition, PlanContext};
use super::output::OutputFolder;
use super::record::{Run, Stage, StageRecord, Status};
use super::stages;
use crate::error::{Error, Result};

/// One stage of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which one.
    pub stage: Stage,
    /// A hash of what it depends on.
    pub fingerprint: String,
    /// The files it writes, by their path below the output folder.
    pub outputs: Vec<String>,
    /// Fingerprints of runs that made some of the same files.
    pub related: Vec<String>,
}

impl Step {
    /// The step of a stage, given those before it.
    pub(super) fn of(definition: &dyn Definition, plan: &PlanContext<'_>) -> Self {
        let (fingerprint, outputs) = (definition.fingerprint(plan), definition.outputs(plan));
        Self { stage: definition.stage(), fingerprint, outputs, related: definition.related(plan) }
    }

    /// Whether `record` is of another run, some of whose files are this one's.
    pub fn is_related(&self, record: &StageRecord) -> bool {
        self.related.contains(&record.fingerprint)
    }

    /// The stages whose files it reads.
    pub fn builds_on(&self) -> &'static [Stage] {
        stages::definition(self.stage).builds_on()
    }
}

/// What to do with a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Its outputs are current.
    Keep,
    /// It has to be made; an unfinished attempt came from the same inputs and settings, or those of a related run, and may be
    /// continued.
    Make,
    /// It has to be made, after the removal of results from other inputs.
    Replace,
}

/// Decides over every step, given the record of the folder.
///
/// # Errors
/// [`Error::Exists`] if results of a different run, finished or not, or files that no run wrote, would be replaced
/// without `overwrite`.
pub fn decide(steps: &[Step], earlier: Option<&Run>, folder: &OutputFolder, overwrite: bool) -> Result<Vec<Action>> {
    let mut actions: Vec<Action> = Vec::with_capacity(steps.len());
    for step in steps {
        let record = earlier.and_then(|run| run.stage(step.stage));
        let listed = |name: &String| record.is_some_and(|record| record.outputs.contains_key(name));
        let unrecorded = step.outputs.iter().find(|name| !listed(name) && folder.occupied(name));
        let different = record.is_some_and(|record| record.fingerprint != step.fingerprint);
        let results = record.filter(|record| different && !left_nothing(record, folder));
        if !overwrite && (results.is_some() || unrecorded.is_some()) {
            // Where nothing of the different run is finished yet, the folder is what is in the way.
            let present = step.outputs.iter().find(|name| folder.occupied(name));
            return Err(Error::Exists(present.map_or_else(|| folder.path().to_path_buf(), |name| folder.join(name))));
        }
        let before = steps.iter().zip(&actions).filter(|(earlier, _)| step.builds_on().contains(&earlier.stage));
        let settled = before.fold(true, |settled, (_, action)| settled && *action == Action::Keep);
        actions.push(match (record, earlier) {
            (Some(record), Some(run)) if unrecorded.is_none() && (!different || step.is_related(record)) => {
                let same = !settled || record.made_from == run.made_by(step.builds_on());
                match same {
                    true if settled && !different && is_current(record, step, folder) => Action::Keep,
                    true => Action::Make,
                    false => Action::Replace,
                }
            }
            (None, _) if unrecorded.is_none() => Action::Make,
            _ => Action::Replace,
        });
    }
    make_together(steps, &mut actions);
    Ok(actions)
}

/// Whether a stage failed before it wrote anything: its inputs may be repaired since, and nothing is lost.
fn left_nothing(record: &StageRecord, folder: &OutputFolder) -> bool {
    let partial = stages::definition(record.stage).partial();
    let mut files = record.outputs.keys().chain(&partial);
    record.status == Status::Failed && !files.any(|name| folder.occupied(name))
}

fn is_current(record: &StageRecord, step: &Step, folder: &OutputFolder) -> bool {
    let complete = record.status.finished() || record.status == Status::Stale;
    complete && step.outputs.iter().all(|name| record.outputs.contains_key(name)) && folder.intact(&record.outputs)
}

/// Makes a stage again together with the one whose files hold its result.
fn make_together(steps: &[Step], actions: &mut [Action]) {
    for (at, step) in steps.iter().enumerate() {
        let home = stages::definition(step.stage).stored_with();
        if let Some(home) = steps.iter().position(|other| Some(other.stage) == home)
            && actions[at] == Action::Keep
        {
            actions[at] = actions[home];
        }
    }
}

#[cfg(test)]
mod tests;
