//! `run.json`: what was made in an output folder, from what, and how long it took. It makes runs resumable.

use super::fingerprint::{self, Content, Hashed};
use super::frames::Source;
use super::output::{Files, names};
pub use super::stage::Stage;
use crate::capture::SceneFrame;
use crate::error::{Error, Result};
use crate::gpu::Variants;
use crate::settings::Settings;
use crate::storage::write_json;
use crate::train::Change;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The name of the record in an output folder.
pub const RUN_FILE: &str = names::RUN;
/// The format of the record. Format 1, which had no such key, did not list files.
pub const FORMAT: u32 = 2;

/// What a stage counted.
pub type Counts = Map<String, Value>;

/// How far a stage came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// In progress, or the program was killed.
    Running,
    /// Finished in this run.
    Done,
    /// Finished in an earlier run from the same inputs and settings.
    Kept,
    /// Stopped by the user.
    Interrupted,
    /// Ended with an error.
    Failed,
    /// Was finished, but an earlier stage is being made again: current only if that one gives the same result.
    Stale,
}

impl Status {
    /// Whether the stage's outputs are complete.
    pub fn finished(self) -> bool {
        matches!(self, Self::Done | Self::Kept)
    }
}

/// One stage of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageRecord {
    /// Which one.
    pub stage: Stage,
    /// How far it came.
    pub status: Status,
    /// Wall time of all attempts that led to its result; that of a process that was killed is not known.
    pub seconds: f64,
    /// What the stage reports: images, points, splats, …
    #[serde(default)]
    pub counts: Counts,
    /// SHA-256 of the inputs and settings it was made from.
    pub fingerprint: String,
    /// SHA-256 of what the stages that it builds on had written ([`Run::made_by`]).
    #[serde(default)]
    pub made_from: String,
    /// The files it wrote; those without a hash are not finished.
    #[serde(default)]
    pub outputs: Files,
}

impl StageRecord {
    /// A stage that begins to write `outputs`.
    pub fn beginning(stage: Stage, fingerprint: &str, made_from: String, outputs: Files) -> Self {
        let (status, fingerprint) = (Status::Running, fingerprint.to_string());
        Self { stage, status, seconds: 0.0, counts: Counts::new(), fingerprint, made_from, outputs }
    }

    /// Settings that were changed while the model was trained.
    pub fn changes(&self) -> Vec<Change> {
        self.count("changes").unwrap_or_default()
    }

    /// What the prior found the exposures of photographs to differ by, by name: factors of their linear light.
    pub fn exposures(&self) -> BTreeMap<String, [f32; 3]> {
        self.count("exposures").unwrap_or_default()
    }

    /// EV by which the camera response of the enhancement was exposed longer than its own exposure; `None` for other responses.
    pub fn exposure(&self) -> Option<f32> {
        self.count("exposure").unwrap_or_default()
    }

    /// Fails where a count that later stages depend on is not what it should be.
    fn check(&self) -> Result<(), serde_json::Error> {
        self.count::<Vec<Change>>("changes")?;
        self.count::<BTreeMap<String, [f32; 3]>>("exposures").map(|_| ())
    }

    fn count<T: DeserializeOwned + Default>(&self, name: &str) -> Result<T, serde_json::Error> {
        self.counts.get(name).map_or_else(|| Ok(T::default()), T::deserialize)
    }
}

/// A value as it is written. [`serde_json::to_value`] widens numbers of single precision first: 0.33 becomes
/// 0.33000001311302185.
pub(super) fn to_value(value: &impl Serialize) -> Result<Value, serde_json::Error> {
    serde_json::from_str(&serde_json::to_string(value)?)
}

/// The contents of `run.json`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Version of the program.
    pub version: String,
    /// [`FORMAT`] of the program that wrote it.
    #[serde(default = "first_format")]
    pub format: u32,
    /// The adapter that ran the kernels, once one was needed.
    pub adapter: Option<String>,
    /// The kernel variants that it ran; their results differ by rounding.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variants: Option<Variants>,
    /// The scene folder, in full.
    pub scene: PathBuf,
    /// The video that its photographs are frames of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video: Option<Source>,
    /// The resolved [`Settings`], with paths in full.
    pub settings: Value,
    /// The frame that the model was trained in, where it is not the capture's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame: Option<SceneFrame>,
    /// The stages that were begun, in order.
    pub stages: Vec<StageRecord>,
    /// Gaussians in `splats.ply`.
    pub splats: Option<u64>,
    /// Training steps done.
    pub steps: Option<u64>,
    /// Training steps a second, on average.
    pub steps_per_second: Option<f64>,
    /// Largest amount of device memory that buffers held at one time.
    pub peak_device_bytes: Option<u64>,
    /// Milliseconds per kernel and training step, from GPU timestamps where the adapter has them.
    #[serde(default)]
    pub kernel_ms: BTreeMap<String, f64>,
    /// The files that were read, by path.
    #[serde(default)]
    pub inputs: BTreeMap<String, Hashed>,
    /// Files of no stage: the demo's sheet, the report.
    #[serde(default)]
    pub files: Files,
}

fn first_format() -> u32 {
    1
}

impl Run {
    /// A record without stages.
    pub fn new(scene: &Path, settings: &Settings) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION").into(),
            format: FORMAT,
            scene: std::path::absolute(scene).unwrap_or_else(|_| scene.to_path_buf()),
            settings: to_value(&settings.with_full_paths()).unwrap_or_default(),
            ..Self::default()
        }
    }

    /// The record in the folder `out`, if there is one.
    ///
    /// # Errors
    /// A file that cannot be read, is no record, or is one of a later format.
    pub fn read(out: &Path) -> Result<Option<Self>> {
        let path = out.join(RUN_FILE);
        let text = match std::fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            text => text.map_err(Error::io(&path))?,
        };
        Self::parse(&text).map(Some).map_err(|(found, remedy)| Error::input(&path, found, remedy))
    }

    /// The record in the text of a `run.json`, or what was found and what to do.
    fn parse(text: &[u8]) -> Result<Self, (String, &'static str)> {
        let no_record = |error: serde_json::Error| {
            (format!("is not a run record ({error})"), "choose another output folder (`out`), or move the file away")
        };
        let value: Value = serde_json::from_slice(text).map_err(no_record)?;
        if later_format(&value) {
            let found = "was written by a later version of naka-gs".into();
            return Err((found, "update naka-gs, or choose another output folder (`out`)"));
        }
        let run: Self = serde_json::from_value(value).map_err(no_record)?;
        run.stages.iter().try_for_each(StageRecord::check).map_err(no_record)?;
        Ok(run)
    }

    /// Whether the record in the folder `out` is one that only a later version of the program can read.
    pub fn is_later(out: &Path) -> bool {
        let text = std::fs::read(out.join(RUN_FILE)).unwrap_or_default();
        serde_json::from_slice(&text).is_ok_and(|value| later_format(&value))
    }

    /// Whether a run of this program worked in the folder `out`: its results look like a scene.
    pub fn is_in(out: &Path) -> bool {
        match Self::read(out) {
            Ok(run) => run.is_some_and(|run| !run.stages.is_empty()),
            Err(_) => Self::is_later(out),
        }
    }

    /// The settings of the run.
    ///
    /// # Errors
    /// Settings that this version does not have, or values that it does not know: the record is of another version, or
    /// was edited.
    pub fn settings(&self, out: &Path) -> Result<Settings> {
        serde_json::from_value(self.settings.clone()).map_err(|error| {
            let found = format!("its settings are not those of naka-gs {} ({error})", env!("CARGO_PKG_VERSION"));
            Error::input(
                out.join(RUN_FILE),
                found,
                "run the same scene again with `overwrite`, or into another folder (`out`)",
            )
        })
    }

    /// A hash of what the `stages` wrote for others. No stage reads the cameras and masks that lie beside the pictures, which
    /// runs of earlier versions lack.
    pub fn made_by(&self, stages: &[Stage]) -> String {
        fn read(record: &StageRecord) -> BTreeMap<&String, &Option<Content>> {
            let beside = |name: &str| name == names::TRANSFORMS || Path::new(name).starts_with(names::MASKS);
            record.outputs.iter().filter(|(name, _)| !beside(name)).collect()
        }
        fingerprint::of(&stages.iter().map(|stage| self.stage(*stage).map(read)).collect::<Vec<_>>())
    }

    /// Writes the record into the folder `out`.
    pub fn write(&self, out: &Path) -> Result<()> {
        write_json(&out.join(RUN_FILE), self)
    }

    /// Copies from `earlier` what describes the trained model.
    pub fn take_training(&mut self, earlier: &Self) {
        (self.splats, self.steps, self.steps_per_second) = (earlier.splats, earlier.steps, earlier.steps_per_second);
        self.peak_device_bytes = earlier.peak_device_bytes;
        self.kernel_ms.clone_from(&earlier.kernel_ms);
    }

    /// The changes of a training that is finished while what comes after it is not: this run continues with them. Once it is
    /// finished, its settings differ from those that it was started with.
    pub fn changes_under_way(&self) -> Vec<Change> {
        let finished = |stage| self.stage(stage).filter(|record| record.status.finished());
        match finished(Stage::EVAL) {
            Some(_) => Vec::new(),
            None => finished(Stage::TRAIN).map(StageRecord::changes).unwrap_or_default(),
        }
    }

    /// Whether every stage was finished by an earlier run.
    pub fn all_kept(&self) -> bool {
        self.stages.iter().all(|stage| stage.status == Status::Kept)
    }

    /// The record of a stage.
    pub fn stage(&self, stage: Stage) -> Option<&StageRecord> {
        self.stages.iter().find(|record| record.stage == stage)
    }

    /// What the prior found the exposures of photographs to differ by ([`StageRecord::exposures`]).
    pub fn exposures(&self) -> BTreeMap<String, [f32; 3]> {
        self.stage(Stage::PRIOR).map(StageRecord::exposures).unwrap_or_default()
    }

    /// The record of a stage, to be changed.
    pub(super) fn stage_mut(&mut self, stage: Stage) -> Option<&mut StageRecord> {
        self.stages.iter_mut().find(|record| record.stage == stage)
    }

    /// Puts a stage's record in the place of the one it had.
    pub fn put(&mut self, record: StageRecord) {
        self.stages.retain(|r| r.stage != record.stage);
        self.stages.push(record);
        self.stages.sort_by_key(|r| r.stage);
    }
}

fn later_format(value: &Value) -> bool {
    value.get("format").and_then(Value::as_u64).is_some_and(|format| format > u64::from(FORMAT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_as_short_as_they_were_set() {
        let mut settings = Settings::default();
        settings.enhance.exposure = 0.33;
        assert_eq!(to_value(&settings).unwrap()["enhance"]["exposure"].to_string(), "0.33");
    }
}
