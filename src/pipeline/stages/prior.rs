//! Points to start from: those that came with the capture, or made from its photographs.

use super::enhance::lit_fingerprint;
use crate::error::Result;
use crate::pipeline::Scope;
use crate::pipeline::definition::{Definition, PlanContext};
use crate::pipeline::fingerprint;
use crate::pipeline::output::names;
use crate::pipeline::record::Counts;
use crate::pipeline::session::{Session, counts};
use crate::pipeline::stage::Stage;
use crate::prior;
use crate::prior::stereo::{self, Kept};
use std::path::Path;

pub(in crate::pipeline) struct Prior;

impl Definition for Prior {
    fn stage(&self) -> Stage {
        Stage::PRIOR
    }

    fn builds_on(&self) -> &'static [Stage] {
        &[Stage::ENHANCE]
    }

    fn fingerprint(&self, plan: &PlanContext<'_>) -> String {
        fingerprint::of(&(lit_fingerprint(plan), placed(plan), plan.job.settings.prior.cache_key()))
    }

    fn outputs(&self, plan: &PlanContext<'_>) -> Vec<String> {
        // A whole run keeps the points only in the result of PPM.
        if plan.job.scope == Scope::Everything { Vec::new() } else { vec![names::POINTS.into()] }
    }

    fn stored_with(&self) -> Option<Stage> {
        Some(Stage::PPM)
    }

    fn make(&self, session: &mut Session<'_>) -> Result<Counts> {
        let lit = session.lit()?.clone();
        let record = session.run().stage(self.stage());
        let identity = record.map(|record| format!("{} {}", record.fingerprint, record.made_from)).unwrap_or_default();
        let kept = Kept::new(&session.out(names::STEREO), identity, stereo::WRITE_EVERY);
        let (config, progress) = (&session.job.settings.prior, session.progress);
        let gpu = || session.shared_gpu();
        let (points, report) = prior::prior(gpu, &lit, &session.origin, config, Some(&kept), progress)?;
        if session.job.scope != Scope::Everything {
            prior::write_ply_in(session.out(names::POINTS), &points, &session.capture.frame)?;
        }
        session.points = Some(points);
        session.made_points = report.made();
        counts(&report)
    }

    fn partial(&self) -> Option<String> {
        Some(names::STEREO.into())
    }

    fn discard_partial(&self, out: &Path) -> Result<()> {
        stereo::discard(&out.join(names::STEREO))
    }
}

/// A hash of the given points, and of the placement of them and the cameras. Enhancement does not depend on the cameras that a
/// prior chooses, so only the stages after the prior are made again where these change.
fn placed(plan: &PlanContext<'_>) -> String {
    let PlanContext { job, inputs, posed, origin, .. } = plan;
    let points = origin.points.as_deref().map(|path| inputs.of_any(path));
    let colors = job.settings.prior.colors.as_deref().map(|path| inputs.of(path));
    let cameras = [&posed.train, &posed.holdout].map(|views| fingerprint::of_poses(views));
    let beside = origin.beside.as_ref().map(|(similarity, _)| similarity.matrix());
    let placed = fingerprint::of(&(points, colors, origin.similarity.matrix(), beside, cameras));
    // The files' coordinates depend on the frame.
    if posed.frame.is_identity() { placed } else { fingerprint::of(&(placed, posed.frame)) }
}
