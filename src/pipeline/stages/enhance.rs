//! Dark photographs to lit ones.

use crate::capture::Capture;
use crate::enhance;
use crate::error::Result;
use crate::pipeline::definition::{Definition, PlanContext};
use crate::pipeline::fingerprint::{self, Content, Hashes};
use crate::pipeline::output::names;
use crate::pipeline::record::Counts;
use crate::pipeline::session::{Session, counts};
use crate::pipeline::stage::Stage;
use crate::pipeline::{Job, Scope, transforms};

pub(in crate::pipeline) struct Enhance;

impl Definition for Enhance {
    fn stage(&self) -> Stage {
        Stage::ENHANCE
    }

    fn is_in(&self, scope: &Scope) -> bool {
        *scope == Scope::Everything
    }

    fn builds_on(&self) -> &'static [Stage] {
        &[]
    }

    fn fingerprint(&self, plan: &PlanContext<'_>) -> String {
        let (job, settings) = (plan.job, &plan.job.settings);
        let camera = camera_files(job, plan.inputs);
        let weights = settings.enhance.weights_file().and_then(|file| plan.inputs.of(file));
        let models = (weights, enhance::built_in_hash());
        let photos = photos_fingerprint(plan.inputs, plan.capture);
        fingerprint::of(&(photos, camera, settings.enhance.cache_key(), settings.downscale, models))
    }

    fn outputs(&self, plan: &PlanContext<'_>) -> Vec<String> {
        let views = plan.capture.train.iter().chain(&plan.capture.holdout);
        let pictures = views.map(|view| format!("{}/{}", names::IMAGES, view.name));
        // The model of estimated poses exists already.
        let cameras = (!plan.estimated).then(|| names::TRANSFORMS.to_string());
        pictures.chain(cameras).chain(transforms::mask_files(plan.capture)).collect()
    }

    fn make(&self, session: &mut Session<'_>) -> Result<Counts> {
        let settings = &session.job.settings;
        let (images, journal) = (session.out(names::IMAGES), session.journal(self.stage()));
        let out = enhance::Folders { journal: Some(&journal), ..enhance::Folders::from(&images) };
        let (gpu, capture, progress) = (session.gpu()?, &session.capture, session.progress);
        let (lit, report) =
            enhance::enhance_capture(gpu, capture, &settings.enhance, settings.downscale, out, progress)?;
        session.lit = Some(lit);
        transforms::write_masks(&session.job.out, &session.capture, settings.downscale)?;
        if let Some(given) = &session.given {
            let (path, folder) = (session.out(names::TRANSFORMS), format!("{}/", names::IMAGES));
            transforms::write(&path, given, settings.downscale, &folder)?;
        }
        counts(&report)
    }
}

/// The fingerprint of the photographs that a run trains on: lit by this stage, or as they are.
pub(in crate::pipeline) fn lit_fingerprint(plan: &PlanContext<'_>) -> String {
    let as_they_are = || fingerprint::of(&(photos_fingerprint(plan.inputs, plan.capture), plan.job.settings.downscale));
    plan.fingerprint(Stage::ENHANCE).map_or_else(as_they_are, String::from)
}

pub(super) fn photos_fingerprint(inputs: &Hashes, capture: &Capture) -> String {
    fingerprint::of(&[inputs.of_views(&capture.train), inputs.of_views(&capture.holdout)])
}

/// The files that may describe the camera's response: the scene's own and the one in the settings, by the paths that they are
/// opened with.
pub(super) fn camera_files(job: &Job, inputs: &Hashes) -> [Option<Content>; 2] {
    let own = job.scene.join("camera.toml");
    [Some(own.as_path()), job.settings.enhance.camera_file()].map(|file| inputs.of(file?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    #[test]
    fn the_camera_file_counts_by_the_path_that_it_is_opened_by() {
        // Below the working directory, as the command line names it; the scene lies elsewhere.
        let here = std::env::current_dir().unwrap();
        let (work, scene) = (tempfile::tempdir_in(&here).unwrap(), tempfile::tempdir().unwrap());
        let file = work.path().join("mine.toml");
        let mut settings = Settings::default();
        settings.enhance.camera = file.strip_prefix(&here).unwrap().to_string_lossy().into_owned();
        let (scene, out) = (scene.path().to_path_buf(), scene.path().join("out"));
        let job = Job { scene, out, settings, overwrite: false, scope: Scope::Everything };
        let found = |ratio: f32| {
            std::fs::write(&file, format!("kind = 'srgb-exposure'\nratio = {ratio}")).unwrap();
            let inputs = Hashes::default();
            (camera_files(&job, &inputs), inputs.paths())
        };
        let ((first, inputs), (second, _)) = (found(40.0), found(50.0));
        assert!(first[1].is_some() && first != second, "{first:?} {second:?}");
        assert_eq!(inputs, std::slice::from_ref(&file), "it is an input, which results may not replace");
    }
}
