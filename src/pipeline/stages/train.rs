//! The optimization of the splats.

use super::enhance::lit_fingerprint;
use crate::error::Result;
use crate::pipeline::definition::{Definition, PlanContext};
use crate::pipeline::fingerprint;
use crate::pipeline::output::names;
use crate::pipeline::record::{Counts, StageRecord};
use crate::pipeline::session::{Session, counts};
use crate::pipeline::several;
use crate::pipeline::stage::Stage;
use crate::settings::MOST_SEEDS;
use crate::{prior, splat, train};
use std::path::Path;

pub(in crate::pipeline) struct Train;

impl Definition for Train {
    fn stage(&self) -> Stage {
        Stage::TRAIN
    }

    fn builds_on(&self) -> &'static [Stage] {
        &[Stage::ENHANCE, Stage::PRIOR, Stage::PPM]
    }

    fn fingerprint(&self, plan: &PlanContext<'_>) -> String {
        of_seeds(plan, plan.job.settings.seeds)
    }

    fn outputs(&self, plan: &PlanContext<'_>) -> Vec<String> {
        let seeds = plan.job.settings.seeds;
        let models = (0..seeds).filter(|_| seeds > 1).map(names::model);
        models.chain([names::SPLATS.to_string()]).collect()
    }

    fn related(&self, plan: &PlanContext<'_>) -> Vec<String> {
        // A model whose settings were changed cannot be one of several.
        match plan.job.settings.seeds {
            0..=1 => Vec::new(),
            _ if !plan.changes.is_empty() => Vec::new(),
            seeds => (1..=MOST_SEEDS).filter(|other| *other != seeds).map(|other| of_seeds(plan, other)).collect(),
        }
    }

    fn resume(&self, session: &mut Session<'_>, earlier: &StageRecord, other: bool) -> Result<StageRecord> {
        match session.job.settings.seeds {
            0..=1 => Ok(StageRecord { counts: Counts::new(), ..earlier.clone() }),
            _ => several::resume(session, earlier, other),
        }
    }

    fn make(&self, session: &mut Session<'_>) -> Result<Counts> {
        let lit = session.lit()?.clone().with_exposures(&session.exposures());
        // In another frame they are those of the file, as after an interruption: checkpoints store them exactly.
        let points = match session.points.take().filter(|_| session.capture.frame.is_identity()) {
            Some(points) => points,
            None => prior::read_in(session.out(names::POINTS), &session.capture.frame)?,
        };
        if session.job.settings.seeds > 1 {
            return several::make(session, &lit, &points);
        }
        let folder = session.out(names::CHECKPOINTS);
        let config = &session.job.settings.train;
        let (gpu, watch) = (session.gpu()?, session.shared.watch);
        let (splats, report) = train::train(gpu, &lit, &points, config, &folder, session.progress, watch)?;
        splat::ply::write_in(session.out(names::SPLATS), &splats, &session.capture.frame, config.antialiased)?;
        let (peak, run) = (gpu.peak_bytes(), &mut session.run);
        (run.splats, run.steps) = (Some(splats.len() as u64), Some(u64::from(report.steps)));
        (run.steps_per_second, run.peak_device_bytes) = (Some(report.steps_per_second), Some(peak));
        run.kernel_ms.clone_from(&report.kernel_milliseconds);
        // Scales are rounded where the file has another unit: renders are of the file, now as after an interruption.
        session.splats = Some(splats).filter(|_| session.capture.frame.unit == 1.0);
        counts(&report)
    }

    fn partial(&self) -> Option<String> {
        Some(names::CHECKPOINTS.into())
    }

    fn discard_partial(&self, out: &Path) -> Result<()> {
        train::discard_checkpoints(&out.join(names::CHECKPOINTS))
    }
}

/// The fingerprint of a training of so many `seeds`. Where there are several, the file that shows their mean follows the test
/// poses, too.
fn of_seeds(plan: &PlanContext<'_>, seeds: u32) -> String {
    let points = plan.fingerprint(Stage::PPM).or_else(|| plan.fingerprint(Stage::PRIOR));
    let one = fingerprint::of(&(lit_fingerprint(plan), points, plan.job.settings.train.cache_key()));
    let started = match seeds {
        0..=1 => one,
        _ => fingerprint::of(&(one, seeds, fingerprint::of_poses(&plan.capture.test))),
    };
    fingerprint::changed(&started, plan.changes)
}
