//! A finished run as a source of renders, checked to be complete and current.

use crate::capture::{self, View};
use crate::error::{Error, Result};
use crate::hash::sha256;
use crate::pipeline::fingerprint::Content;
use crate::pipeline::output::names;
use crate::pipeline::record::{RUN_FILE, Run, Stage, StageRecord};
use crate::pipeline::{render_fingerprint, render_name, unique_renders};
use crate::scenes;
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// A scene's name and its test frames, in the order of `transforms_test.json`.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    /// The scene folder's own name, or a demo's.
    pub name: String,
    /// Its folder.
    pub path: PathBuf,
    /// The poses that are asked for.
    pub test: Vec<View>,
}

impl Scene {
    /// # Errors
    /// A scene that cannot be read, or one without test poses.
    pub fn open(path: &Path, options: &capture::Options) -> Result<Self> {
        let test = capture::load(path, options)?.test;
        if test.is_empty() {
            let found = "has no test poses (transforms_test.json)";
            return Err(Error::input(path, found, "a submission is renders of test poses: leave this scene out"));
        }
        Ok(Self { name: scenes::name_of(path), path: path.to_path_buf(), test })
    }
}

/// The output folder of a run whose renders are finished and its own.
#[derive(Clone, Debug)]
pub struct FinishedRun {
    /// The output folder of the run.
    pub out: PathBuf,
    /// The scene that it is of.
    pub scene: Scene,
    /// Its record.
    pub record: Run,
}

const AGAIN: &str = "run the same `naka-gs run` command again, then submit";

impl FinishedRun {
    /// Opens the output folder `out`. Its scene is where the run found it, or in the folder `scenes` where given.
    ///
    /// # Errors
    /// A folder without a record; renders that are not finished, not of the model that was trained last, or not of
    /// today's test poses; a scene that is gone or has no test poses.
    pub fn open(out: &Path, scenes: Option<&Path>) -> Result<Self> {
        let record = Run::read(out)?;
        let record = record.ok_or_else(|| {
            Error::input(out, format!("holds no {RUN_FILE}"), "give the output folder of a finished `naka-gs run`")
        })?;
        let place = scene_folder(&record.scene, scenes);
        if !place.is_dir() {
            let found = format!("was made from {}, which does not exist", place.display());
            return Err(Error::input(out.join(RUN_FILE), found, "name the folder that the scene lies in by `scenes`"));
        }
        let settings = record.settings(out)?;
        let scene = Scene::open(&place, &settings.capture_options(&place))?;
        let run = Self { out: out.to_path_buf(), scene, record };
        run.check_renders()?;
        Ok(run)
    }

    /// Whether this run and `other` are of one capture, wherever it lay: what both read of it is the same, and most of what
    /// one of them read. Their masks and points may differ.
    pub(super) fn is_of_capture_of(&self, other: &Self) -> bool {
        if self.record.scene == other.record.scene {
            return true;
        }
        let (own, others) = (self.files_of_scene(), other.files_of_scene());
        let (few, many) = if own.len() <= others.len() { (own, others) } else { (others, own) };
        let shared = few.iter().filter_map(|(name, content)| Some((content, many.get(name)?)));
        let same: Vec<bool> = shared.map(|(content, other)| content == other).collect();
        2 * same.len() > few.len() && same.iter().all(|same| *same)
    }

    /// The photographs and poses of the scene that the run read, by their path in its folder.
    fn files_of_scene(&self) -> BTreeMap<&Path, &Content> {
        let files = self.record.inputs.iter();
        let below = files.map(|(path, file)| (Path::new(path).strip_prefix(&self.record.scene), file.content()));
        let is_extra = |path: &Path| {
            let in_masks =
                path.iter().any(|part| ["mask", "masks"].iter().any(|masks| part.eq_ignore_ascii_case(masks)));
            in_masks || path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("ply"))
        };
        below.filter_map(|(path, content)| Some((path.ok()?, content))).filter(|(path, _)| !is_extra(path)).collect()
    }

    /// The file of the render of a test frame.
    pub fn render(&self, view: &View) -> PathBuf {
        self.out.join(names::RENDERS).join(render_name(&view.name))
    }

    /// The content of a render.
    ///
    /// # Errors
    /// A file that does not exist, or is not the one that the run wrote.
    pub fn read_render(&self, view: &View) -> Result<Vec<u8>> {
        let path = self.render(view);
        let bytes = match std::fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::input(&path, "does not exist: this test frame was not rendered", AGAIN));
            }
            bytes => bytes.map_err(Error::io(&path))?,
        };
        let written = self.stage(Stage::RENDER)?.counts.get("sha256").and_then(|all| all.get(render_name(&view.name)));
        if written.is_some_and(|hash| hash != sha256(&bytes).as_str()) {
            let found = format!("is not the picture that the run of {} wrote", self.out.display());
            return Err(Error::input(&path, found, format!("delete it and {AGAIN}")));
        }
        Ok(bytes)
    }

    /// Models that its renders are the mean of.
    pub fn models(&self) -> u64 {
        let seeds = self.record.settings.get("seeds").and_then(serde_json::Value::as_u64);
        seeds.unwrap_or(1)
    }

    /// Wall seconds per picture of the stage that rendered them.
    pub fn seconds_per_image(&self) -> f64 {
        let seconds = self.record.stage(Stage::RENDER).map_or(0.0, |stage| stage.seconds);
        seconds / self.scene.test.len().max(1) as f64
    }

    fn stage(&self, stage: Stage) -> Result<&StageRecord> {
        let record = self.record.stage(stage).filter(|record| record.status.finished());
        record.ok_or_else(|| {
            let found = format!("the stage {} is not finished", stage.name());
            Error::input(self.out.join(RUN_FILE), found, AGAIN)
        })
    }

    fn check_renders(&self) -> Result<()> {
        let (trained, rendered) = (self.stage(Stage::TRAIN)?, self.stage(Stage::RENDER)?);
        unique_renders(&self.scene.path, &self.scene.test)?;
        let of_model = rendered.made_from == self.record.made_by(&[Stage::TRAIN]);
        if !of_model || rendered.fingerprint != render_fingerprint(&trained.fingerprint, &self.scene.test) {
            let found = "its pictures are stale: the model was trained again, or the test poses changed, since";
            return Err(Error::input(self.out.join(names::RENDERS), found, AGAIN));
        }
        Ok(())
    }
}

/// The folder of a scene that was `recorded`, or the one like it in the folder `scenes`: as many of its last folders count
/// as `scenes` has, for scenes may lie in groups.
fn scene_folder(recorded: &Path, scenes: Option<&Path>) -> PathBuf {
    let Some(scenes) = scenes else { return recorded.to_path_buf() };
    let names: Vec<Component<'_>> = recorded.components().filter(|part| matches!(part, Component::Normal(_))).collect();
    let below = |from: usize| names[from..].iter().fold(scenes.to_path_buf(), |path, name| path.join(name));
    let own = below(names.len().saturating_sub(1));
    (0..names.len()).map(below).find(|path| path.is_dir()).unwrap_or(own)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenes_elsewhere_keep_their_groups() {
        let dir = tempfile::tempdir().unwrap();
        for scene in ["low/Land", "mid/Land", "Port"] {
            std::fs::create_dir_all(dir.path().join(scene)).unwrap();
        }
        for (recorded, place) in [
            ("/data/low/Land", "low/Land"),
            ("/data/mid/Land", "mid/Land"),
            ("/data/mid/Port", "Port"),
            ("low/Land", "low/Land"),
            ("/data/low/Gone", "Gone"),
        ] {
            assert_eq!(scene_folder(Path::new(recorded), Some(dir.path())), dir.path().join(place), "{recorded}");
        }
        assert_eq!(scene_folder(Path::new("/data/low/Land"), None), Path::new("/data/low/Land"));
    }
}
