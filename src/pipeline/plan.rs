//! Which stages have to be made, and which are kept from an earlier run in the same folder.
//!
//! A stage is kept if it finished, was made from the same inputs and settings (its fingerprint, which includes the
//! fingerprints of the stages before it) and its outputs are still there. A stage that was begun from other inputs or
//! settings belongs to a different run: it is replaced only with `--overwrite`, and then only it and what follows it.

use super::record::{Run, Stage};
use crate::error::{Error, Result};
use std::path::{Path, PathBuf};

/// One stage of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub stage: Stage,
    pub fingerprint: String,
    /// Files and folders that must exist for the stage to count as made.
    pub outputs: Vec<PathBuf>,
}

/// What to do with a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Its outputs are current.
    Keep,
    /// It has to be made; whatever it began earlier came from the same inputs and settings and may be continued.
    Make,
    /// It has to be made, and what a different run left must go first.
    Replace,
}

/// Decides over every step, given the record of the folder.
///
/// # Errors
/// [`Error::Exists`] if results of a different run would be replaced without `overwrite`.
pub fn decide(steps: &[Step], earlier: Option<&Run>, overwrite: bool) -> Result<Vec<Action>> {
    let mut actions: Vec<Action> = Vec::with_capacity(steps.len());
    for step in steps {
        let record = earlier.and_then(|run| run.stage(step.stage));
        let present = step.outputs.iter().find(|path| path.exists());
        let action = match (record, present) {
            (Some(r), _) if r.fingerprint == step.fingerprint => {
                let complete = r.status.finished() && step.outputs.iter().all(|path| path.exists());
                if complete { Action::Keep } else { Action::Make }
            }
            (Some(_), _) | (None, Some(_)) => Action::Replace,
            (None, None) => Action::Make,
        };
        if action == Action::Replace && !overwrite {
            return Err(exists(step, present.map(PathBuf::as_path), steps));
        }
        actions.push(action);
    }
    keep_prior_with_ppm(steps, &mut actions);
    Ok(actions)
}

fn exists(step: &Step, present: Option<&Path>, steps: &[Step]) -> Error {
    // Where nothing of the different run is finished yet, the folder is what is in the way.
    let folder = || steps.iter().flat_map(|s| &s.outputs).find_map(|path| path.parent());
    Error::Exists(present.or_else(folder).unwrap_or(Path::new(step.stage.name())).to_path_buf())
}

/// The prior's points live on only in what PPM made of them.
fn keep_prior_with_ppm(steps: &[Step], actions: &mut [Action]) {
    let position = |stage| steps.iter().position(|s| s.stage == stage);
    if let (Some(prior), Some(ppm)) = (position(Stage::Prior), position(Stage::Ppm))
        && actions[prior] == Action::Keep
    {
        actions[prior] = actions[ppm];
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::{StageRecord, Status};
    use super::*;

    fn step(stage: Stage, fingerprint: &str, out: &Path) -> Step {
        Step { stage, fingerprint: fingerprint.into(), outputs: vec![out.join(stage.name())] }
    }

    fn record(stages: &[(Stage, &str, Status)]) -> Run {
        let mut run = Run::default();
        for &(stage, fingerprint, status) in stages {
            let (fingerprint, counts) = (fingerprint.to_string(), serde_json::Map::new());
            run.put(StageRecord { stage, status, seconds: 1.0, counts, fingerprint });
        }
        run
    }

    #[test]
    fn finished_stages_are_kept_and_interrupted_ones_continued() {
        let dir = tempfile::tempdir().unwrap();
        let steps = [step(Stage::Enhance, "a", dir.path()), step(Stage::Train, "b", dir.path())];
        std::fs::write(dir.path().join("enhance"), "").unwrap();
        let run = record(&[(Stage::Enhance, "a", Status::Done), (Stage::Train, "b", Status::Interrupted)]);
        assert_eq!(decide(&steps, Some(&run), false).unwrap(), [Action::Keep, Action::Make]);
    }

    #[test]
    fn a_lost_output_is_made_again() {
        let dir = tempfile::tempdir().unwrap();
        let steps = [step(Stage::Enhance, "a", dir.path())];
        let run = record(&[(Stage::Enhance, "a", Status::Kept)]);
        assert_eq!(decide(&steps, Some(&run), false).unwrap(), [Action::Make]);
    }

    #[test]
    fn a_different_run_needs_overwrite_and_replaces_only_what_differs() {
        let dir = tempfile::tempdir().unwrap();
        let steps = [step(Stage::Enhance, "a", dir.path()), step(Stage::Train, "new", dir.path())];
        std::fs::write(dir.path().join("enhance"), "").unwrap();
        let run = record(&[(Stage::Enhance, "a", Status::Done), (Stage::Train, "old", Status::Interrupted)]);
        assert!(matches!(decide(&steps, Some(&run), false), Err(Error::Exists(_))));
        assert_eq!(decide(&steps, Some(&run), true).unwrap(), [Action::Keep, Action::Replace]);
    }

    #[test]
    fn files_without_a_record_are_not_ours() {
        let dir = tempfile::tempdir().unwrap();
        let steps = [step(Stage::Train, "a", dir.path())];
        std::fs::write(dir.path().join("train"), "precious").unwrap();
        let error = decide(&steps, None, false).unwrap_err();
        assert!(error.to_string().contains("train"), "{error}");
    }

    #[test]
    fn the_prior_is_made_again_for_a_new_ppm() {
        let dir = tempfile::tempdir().unwrap();
        let prior = Step { outputs: Vec::new(), ..step(Stage::Prior, "p", dir.path()) };
        let steps = [prior, step(Stage::Ppm, "new", dir.path())];
        let run = record(&[(Stage::Prior, "p", Status::Done), (Stage::Ppm, "old", Status::Done)]);
        assert_eq!(decide(&steps, Some(&run), true).unwrap(), [Action::Replace, Action::Replace]);
    }
}
