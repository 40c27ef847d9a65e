//! PSNR and SSIM of the views that have a reference.

use crate::error::Result;
use crate::pipeline::definition::{Definition, Plan};
use crate::pipeline::output::names;
use crate::pipeline::record::{Counts, write_json};
use crate::pipeline::session::{Session, counts};
use crate::pipeline::stage::Stage;
use crate::pipeline::{fingerprint, measure};
use serde_json::json;

pub(in crate::pipeline) struct Eval;

impl Definition for Eval {
    fn stage(&self) -> Stage {
        Stage::EVAL
    }

    fn builds_on(&self) -> &'static [Stage] {
        &[Stage::ENHANCE, Stage::TRAIN]
    }

    fn fingerprint(&self, plan: &Plan<'_>) -> String {
        fingerprint::of(&(plan.fingerprint(Stage::TRAIN), plan.inputs.of_views(&plan.capture.test)))
    }

    fn outputs(&self, _plan: &Plan<'_>) -> Vec<String> {
        vec![names::METRICS.into()]
    }

    fn make(&self, session: &mut Session<'_>) -> Result<Counts> {
        let holdout = session.lit()?.clone().with_exposures(&session.exposures()).holdout;
        session.load_splats()?;
        let mut painter = session.painter()?;
        let downscale = session.job.settings.downscale;
        let metrics = measure::measure(&mut painter, &session.capture, &holdout, downscale, session.progress)?;
        write_json(&session.out(names::METRICS), &metrics)?;
        counts(&json!({ "test": metrics.metrics.test.views.len(), "holdout": holdout.len() }))
    }
}
