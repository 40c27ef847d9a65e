//! Keeping and making stages, with their state in `run.json`.

use super::fingerprint;
use super::output::Files;
use super::plan::{Action, Step};
use super::record::{Counts, Stage, StageRecord, Status};
use super::session::Session;
use super::stages::definition;
use crate::error::{Error, Result};
use std::time::Instant;

/// Notes that a stage's results are current.
pub(super) fn keep(session: &mut Session<'_>, stage: Stage) -> Result<()> {
    if let Some(mut record) = session.run.stage(stage).cloned() {
        tracing::info!("{}: kept", stage.name());
        record.status = Status::Kept;
        session.run.put(record);
    }
    definition(stage).keep(session);
    session.run.write(&session.job.out)
}

/// Makes a stage, with its state in `run.json` from beginning to end. Before the first change, it and the stages `later` are
/// marked as not current, until they are made or checked again.
pub(super) fn make(session: &mut Session<'_>, step: &Step, action: Action, later: &[Step]) -> Result<()> {
    session.progress.check()?;
    invalidate(session, step, later)?;
    let folder = session.folder;
    let before = session.run.stage(step.stage).cloned();
    let (earlier, counts): (Files, Counts) = match before.clone() {
        None => Default::default(),
        Some(record) if action == Action::Replace => {
            remove_earlier(session, step.stage)?;
            let left = record.outputs.into_iter().filter(|(name, _)| folder.occupied(name));
            (left.collect(), Counts::new())
        }
        Some(record) => {
            let kept = definition(step.stage).resume(session, &record, step.is_related(&record))?;
            (kept.outputs, kept.counts)
        }
    };
    for name in &step.outputs {
        folder.make_way(name, earlier.get(name))?;
    }
    let finished = |name: &String| {
        let written = earlier.get(name).cloned().flatten();
        (name.clone(), written.filter(|written| action == Action::Make && folder.unchanged(name, written)))
    };
    let made_from = session.run.made_by(step.builds_on());
    let outputs: Files = step.outputs.iter().map(finished).collect();
    let spent = before.filter(|_| action == Action::Make).map_or(0.0, |before| seconds_spent(&before, &outputs));
    let mut record = StageRecord::beginning(step.stage, &step.fingerprint, made_from, outputs);
    // On record from the start: a run that is killed loses only its own time.
    (record.counts, record.seconds) = (counts, spent);
    let started = Instant::now();
    session.run.put(record.clone());
    session.run.write(&session.job.out)?;
    let made = definition(step.stage).make(session).and_then(|counts| session.check_gpu().map(|()| counts));
    // Errors of a stage in a folder that was moved are less informative.
    folder.ensure_held()?;
    record.seconds = spent + started.elapsed().as_secs_f64();
    record.outputs = step.outputs.iter().map(|name| (name.clone(), folder.content(name))).collect();
    match made {
        Ok(counts) => {
            (record.status, record.counts) = (Status::Done, counts);
            if step.stage == Stage::TRAIN {
                record.fingerprint = fingerprint::changed(&step.fingerprint, &record.changes());
            }
            session.run.put(record);
            session.run.write(&session.job.out)?;
            // The partial results have served their purpose, and the record says so.
            definition(step.stage).discard_partial(&session.job.out)
        }
        Err(error) => {
            // A lost device makes any later call fail; report the loss instead.
            let cause = session.check_gpu().err().filter(|_| matches!(error, Error::Gpu(_)));
            let error = cause.unwrap_or(error).in_stage(step.stage.name());
            let interrupted = matches!(error, Error::Interrupted(_));
            record.status = if interrupted { Status::Interrupted } else { Status::Failed };
            if let Some(begun) = session.run.stage(step.stage) {
                record.counts.clone_from(&begun.counts);
            }
            session.run.put(record);
            if let Err(second) = session.run.write(&session.job.out) {
                tracing::warn!("{second}");
            }
            Err(error)
        }
    }
}

/// Seconds recorded in `before` for what a stage continues from: those of an unfinished attempt, or, of a finished one, the
/// share of its files that are `kept`.
fn seconds_spent(before: &StageRecord, kept: &Files) -> f64 {
    let share = match before.status {
        Status::Running | Status::Interrupted | Status::Failed => 1.0,
        Status::Done | Status::Kept | Status::Stale => {
            (kept.values().flatten().count() as f64 / before.outputs.len().max(1) as f64).min(1.0)
        }
    };
    share * before.seconds
}

/// Notes in `run.json` that `step`, the stages `later` and the files of no stage are not current, then removes those files of
/// the later ones that will certainly be replaced.
fn invalidate(session: &mut Session<'_>, step: &Step, later: &[Step]) -> Result<()> {
    let mut outdated = std::mem::take(&mut session.run.files);
    for other in later.iter().chain([step]) {
        let Some(mut record) = session.run.stage(other.stage).cloned() else { continue };
        if record.status.finished() {
            record.status = Status::Stale;
        }
        if other.stage != step.stage && record.fingerprint != other.fingerprint {
            outdated.append(&mut record.outputs.clone());
        }
        session.run.put(record);
    }
    if session.run.stages.iter().all(|record| record.status != Status::Stale) && outdated.is_empty() {
        return Ok(());
    }
    session.run.files.clone_from(&outdated);
    session.run.write(&session.job.out)?;
    session.folder.remove(&outdated)?;
    session.run.files.clear();
    Ok(())
}

/// Removes the files that an earlier run in this folder made in `stage`, except those that were changed since.
fn remove_earlier(session: &Session<'_>, stage: Stage) -> Result<()> {
    let Some(record) = session.run.stage(stage) else { return Ok(()) };
    session.folder.remove(&record.outputs)?;
    definition(stage).discard_partial(&session.job.out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::fingerprint::Content;

    #[test]
    fn time_counts_as_far_as_its_result_is_kept() {
        let content = Content { bytes: 1, sha256: String::new() };
        let outputs = |finished: usize| -> Files {
            (0..4).map(|at| (at.to_string(), (at < finished).then(|| content.clone()))).collect()
        };
        let mut before = StageRecord::beginning(Stage::RENDER, "", String::new(), outputs(4));
        before.seconds = 8.0;
        // An attempt that ended early may go on from more than its files.
        for status in [Status::Running, Status::Interrupted, Status::Failed] {
            before.status = status;
            assert_eq!(seconds_spent(&before, &outputs(0)), 8.0);
        }
        for status in [Status::Done, Status::Kept, Status::Stale] {
            before.status = status;
            assert_eq!([0, 3, 4].map(|kept| seconds_spent(&before, &outputs(kept))), [0.0, 6.0, 8.0]);
        }
        before.outputs = Files::new();
        assert_eq!(seconds_spent(&before, &Files::new()), 0.0);
    }
}
