//! A picture for each test pose.

use crate::capture::{Lens, View};
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
        let test = shown(&plan.capture.test, plan.estimated);
        render_fingerprint(plan.fingerprint(Stage::TRAIN).unwrap_or_default(), &test)
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
        let views = &shown(&session.capture.test, session.given.is_none());
        let journal = session.journal(self.stage());
        let folder = session.out(names::RENDERS);
        render_views(&mut session.painter()?, views, &folder, Some(&journal), session.progress)?;
        // What was written, so that pictures of another origin are recognized.
        let written = |view: &View| {
            let name = render_name(&view.name);
            session.folder.content(&format!("{}/{name}", names::RENDERS)).map(|written| (name, written.sha256))
        };
        let sha256: BTreeMap<_, _> = views.iter().filter_map(written).collect();
        counts(&json!({ "images": sha256.len(), "sha256": sha256 }))
    }
}

/// The views to render: poses that were `estimated` are those of photographs, whose enhanced pictures are undistorted.
fn shown(test: &[View], estimated: bool) -> Vec<View> {
    test.iter().map(|view| View { lens: view.lens.filter(|_| !estimated), ..view.clone() }).collect()
}

/// The lenses that bend renders of `test` poses, which runs of earlier versions left straight; `None` where there are none.
pub(super) fn bending(test: &[View]) -> Option<Vec<Lens>> {
    let lenses: Vec<Lens> = test.iter().filter_map(|view| view.bending().map(|(lens, _)| lens)).collect();
    (!lenses.is_empty()).then_some(lenses)
}

/// The fingerprint of the renders of `test` poses, of the model whose training has the fingerprint `trained`. Where test
/// views stand follows from the model and from where they stood in the capture as it came.
pub fn render_fingerprint(trained: &str, test: &[View]) -> String {
    let poses = fingerprint::of_poses(test);
    match bending(test) {
        Some(lenses) => fingerprint::of(&(trained, poses, lenses)),
        None => fingerprint::of(&(trained, poses)),
    }
}
