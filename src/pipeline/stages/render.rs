//! A picture for each test pose.

use crate::capture::View;
use crate::error::Result;
use crate::pipeline::Scope;
use crate::pipeline::definition::{Definition, PlanContext};
use crate::pipeline::fingerprint;
use crate::pipeline::output::names;
use crate::pipeline::pictures::{render_name, render_views};
use crate::pipeline::record::Counts;
use crate::pipeline::session::{Session, counts};
use crate::pipeline::stage::Stage;
use serde_json::json;
use std::collections::BTreeMap;

pub(in crate::pipeline) struct Render;

impl Definition for Render {
    fn stage(&self) -> Stage {
        Stage::RENDER
    }

    fn is_in(&self, scope: &Scope) -> bool {
        *scope == Scope::Everything
    }

    fn builds_on(&self) -> &'static [Stage] {
        &[Stage::TRAIN]
    }

    fn fingerprint(&self, plan: &PlanContext<'_>) -> String {
        render_fingerprint(plan.fingerprint(Stage::TRAIN).unwrap_or_default(), &plan.capture.test)
    }

    fn outputs(&self, plan: &PlanContext<'_>) -> Vec<String> {
        plan.capture.test.iter().map(|view| format!("{}/{}", names::RENDERS, render_name(&view.name))).collect()
    }

    fn make(&self, session: &mut Session<'_>) -> Result<Counts> {
        if session.job.settings.seeds > 1 {
            session.load_models()?
        } else {
            session.load_splats()?
        }
        let (views, journal) = (&session.capture.test, session.journal(self.stage()));
        let folder = session.out(names::RENDERS);
        render_views(&mut session.painter()?, views, &folder, Some(&journal), session.progress)?;
        // What was written, so that a picture of another origin is known for one.
        let written = |view: &View| {
            let name = render_name(&view.name);
            session.folder.content(&format!("{}/{name}", names::RENDERS)).map(|written| (name, written.sha256))
        };
        let sha256: BTreeMap<_, _> = views.iter().filter_map(written).collect();
        counts(&json!({ "images": sha256.len(), "sha256": sha256 }))
    }
}

/// The fingerprint of the renders of `test` poses, of the model whose training has the fingerprint `trained`. Where test
/// views stand follows from the model and from where they stood in the capture as it came.
pub fn render_fingerprint(trained: &str, test: &[View]) -> String {
    fingerprint::of(&(trained, fingerprint::of_poses(test)))
}
