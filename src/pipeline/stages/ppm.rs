//! The prior's points, pooled and pruned.

use crate::capture::{self, Camera, Capture};
use crate::error::Result;
use crate::pipeline::Scope;
use crate::pipeline::definition::{Definition, PlanContext};
use crate::pipeline::fingerprint;
use crate::pipeline::output::names;
use crate::pipeline::record::Counts;
use crate::pipeline::session::{Session, counts};
use crate::pipeline::stage::Stage;
use crate::ppm;
use crate::prior::{self, PointCloud};
use glam::{DMat4, DVec3};

pub(in crate::pipeline) struct Ppm;

impl Definition for Ppm {
    fn stage(&self) -> Stage {
        Stage::PPM
    }

    fn is_in(&self, scope: &Scope) -> bool {
        *scope == Scope::Everything
    }

    fn builds_on(&self) -> &'static [Stage] {
        &[Stage::ENHANCE, Stage::PRIOR]
    }

    fn fingerprint(&self, plan: &PlanContext<'_>) -> String {
        fingerprint::of(&(plan.fingerprint(Stage::PRIOR), &plan.job.settings.ppm))
    }

    fn outputs(&self, _plan: &PlanContext<'_>) -> Vec<String> {
        vec![names::POINTS.into()]
    }

    fn make(&self, session: &mut Session<'_>) -> Result<Counts> {
        let points = session.points.take().unwrap_or_default();
        let (points, report) = prune(points, session.made_points, &session.capture, &session.job.settings.ppm)?;
        prior::write_ply_in(session.out(names::POINTS), &points, &session.capture.frame)?;
        session.points = Some(points);
        counts(&report)
    }

    fn keep(&self, session: &mut Session<'_>) {
        // The file has them.
        session.points = None;
    }
}

/// Pools and prunes `points` as a run does. Points that this program made from the photographs (`made`) are pooled, and
/// thinned only where the settings ask for it: they already have the density that training needs.
///
/// # Errors
/// Settings outside their range.
pub fn prune(
    points: PointCloud,
    made: bool,
    capture: &Capture,
    config: &ppm::Config,
) -> Result<(PointCloud, ppm::Report)> {
    let normalize = normalization(capture, &points);
    let cameras: Vec<Camera> = capture.train.iter().map(|view| view.camera.clone()).collect();
    let config = if made && !config.thin_made { config.without_thinning() } else { config.clone() };
    ppm::run(points, &config, &normalize, &cameras)
}

/// The similarity to the frame in which PPM's lengths are measured: from the cameras, then the points' principal axes.
pub fn normalization(capture: &Capture, points: &PointCloud) -> DMat4 {
    let cameras: Vec<_> = capture.train.iter().map(|view| view.camera.clone()).collect();
    let world = capture::world_normalization(&cameras);
    let normalized = points.positions.iter().map(|p| world.transform_point3(DVec3::from(p.map(f64::from))));
    let finite: Vec<DVec3> = normalized.filter(|p| p.is_finite()).collect();
    capture::principal_axes(&finite) * world
}
