//! The optimization of the splats.

use super::enhance::lit_fingerprint;
use crate::error::Result;
use crate::pipeline::definition::{Definition, Plan};
use crate::pipeline::fingerprint;
use crate::pipeline::output::names;
use crate::pipeline::record::Counts;
use crate::pipeline::session::{Session, counts};
use crate::pipeline::stage::Stage;
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

    fn fingerprint(&self, plan: &Plan<'_>) -> String {
        let points = plan.fingerprint(Stage::PPM).or_else(|| plan.fingerprint(Stage::PRIOR));
        let started = fingerprint::of(&(lit_fingerprint(plan), points, plan.job.settings.train.cache_key()));
        fingerprint::changed(&started, plan.changes)
    }

    fn outputs(&self, _plan: &Plan<'_>) -> Vec<String> {
        vec![names::SPLATS.into()]
    }

    fn make(&self, session: &mut Session<'_>) -> Result<Counts> {
        let lit = session.lit()?.clone().with_exposures(&session.exposures());
        // In another frame they are those of the file, as after an interruption: checkpoints know them to the bit.
        let points = match session.points.take().filter(|_| session.capture.frame.is_identity()) {
            Some(points) => points,
            None => prior::read_in(session.out(names::POINTS), &session.capture.frame)?,
        };
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

    fn discard_partial(&self, out: &Path) -> Result<()> {
        train::discard_checkpoints(&out.join(names::CHECKPOINTS))
    }
}
