//! PSNR and SSIM of the views that have a reference.

use super::render::bending;
use crate::error::Result;
use crate::eval::Lpips;
use crate::pipeline::definition::{Definition, PlanContext};
use crate::pipeline::output::names;
use crate::pipeline::record::Counts;
use crate::pipeline::session::{Session, counts};
use crate::pipeline::stage::Stage;
use crate::pipeline::{Painter, fingerprint, measure};
use crate::storage::write_json;
use serde_json::json;

pub(in crate::pipeline) struct Eval;

impl Definition for Eval {
    fn stage(&self) -> Stage {
        Stage::EVAL
    }

    fn builds_on(&self) -> &'static [Stage] {
        &[Stage::ENHANCE, Stage::TRAIN]
    }

    fn fingerprint(&self, plan: &PlanContext<'_>) -> String {
        let (trained, test) = (plan.fingerprint(Stage::TRAIN), &plan.capture.test);
        let measured = fingerprint::of(&(trained, plan.inputs.of_views(test)));
        // Runs of earlier versions undistorted the references instead.
        let bent = bending(test).is_some_and(|_| !plan.estimated);
        let measured = if bent { fingerprint::of(&(measured, "bent")) } else { measured };
        let networks: Vec<_> = Lpips::files(&plan.job.settings.eval).iter().map(|file| plan.inputs.of(file)).collect();
        if networks.is_empty() { measured } else { fingerprint::of(&(measured, networks)) }
    }

    fn outputs(&self, _plan: &PlanContext<'_>) -> Vec<String> {
        vec![names::METRICS.into()]
    }

    fn make(&self, session: &mut Session<'_>) -> Result<Counts> {
        let holdout = session.lit()?.clone().with_exposures(&session.exposures()).holdout;
        session.load_splats()?;
        session.load_models()?;
        let settings = &session.job.settings;
        let lpips = Lpips::open(&settings.eval)?;
        let (capture, progress) = (&session.capture, session.progress);
        let measure = |mut painter: Painter<'_>| {
            measure::measure(&mut painter, capture, &holdout, settings.downscale, lpips.as_ref(), progress)
        };
        let mut metrics = measure(session.painter()?)?;
        if settings.seeds > 1 {
            let measured = metrics.resolution.size.is_some();
            metrics.seeds = Some(settings.seeds);
            metrics.distilled = measured.then(|| measure(session.painter_of_file()?)).transpose()?.map(|of| of.metrics);
        }
        write_json(&session.out(names::METRICS), &metrics)?;
        let mut all = counts(&json!({ "test": metrics.metrics.test.views.len(), "holdout": holdout.len() }))?;
        if let Some(distilled) = &metrics.distilled {
            all.insert("seeds".into(), settings.seeds.into());
            all.insert("psnr".into(), metrics.metrics.test.psnr.into());
            all.insert("psnr_distilled".into(), distilled.test.psnr.into());
        }
        Ok(all)
    }
}
