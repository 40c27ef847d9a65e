//! Every setting of the program, in one struct: the flags of the command line, the keys of a settings file
//! (`--config`) and the `settings.toml` beside each result are this struct, and its doc comments are their help.
//!
//! Precedence: [`Preset`] < settings file < the scene's own file < flags ([`Layers::resolve`]).

mod conflicts;
pub mod file;
mod from_data;
mod full_paths;
mod keys;
mod presets;

pub use keys::{Key, keys, keys_from};
pub use presets::{MANY, Preset, demo};

use crate::capture::{self, Facts};
use crate::error::{Error, Result};
use crate::gpu::Choice;
use crate::{enhance, eval, poses, ppm, prior, train, video};
use documented::DocumentedFields;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Most models of one run. Where errors are independent, 16 leave a sixteenth of what averaging can take away.
pub const MOST_SEEDS: u32 = 16;

/// The resolved settings of a run. A key outside the tables sets the key of the same name in every table (`seed`).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// What the other settings start from: preview (fast, small), standard, or paper (the published settings)
    pub preset: Preset,
    /// The GPU to use: a part of its name, its number in `naka-gs doctor`, `cpu` for a software one, or `best`
    pub adapter: String,
    /// Seed of everything random
    pub seed: u64,
    /// Models to train, with consecutive seeds: renders are averaged over them, and `splats.ply` is one model fitted to that
    /// average
    pub seeds: u32,
    /// Train on images of 1/N of their size
    pub downscale: u32,
    /// Keep every N-th view (by index, from 0) from training and measure it against its lit image
    pub holdout: Option<u32>,
    /// Allow paths in the scene's files to lead outside the scene folder
    pub allow_outside: bool,
    /// Masks beside the photographs and their alpha channels: `use` (what is black in a mask is hidden), `invert` (what is
    /// bright in a mask is) or `ignore`
    pub masks: capture::MaskUse,
    /// Frames of a video that become photographs
    pub video: video::Config,
    /// Dark to enhanced
    pub enhance: enhance::Config,
    /// Poses, for photographs that have none
    pub poses: poses::Config,
    /// Points to start from
    pub prior: prior::Config,
    /// Point preprocessing
    pub ppm: ppm::Config,
    /// Optimization of the splats
    pub train: train::Config,
    /// What is measured
    pub eval: eval::Config,
}

impl Default for Settings {
    fn default() -> Self {
        Preset::Standard.settings()
    }
}

impl Settings {
    /// As the text of a `settings.toml`, with paths in full: it is read in other folders, too.
    pub fn to_toml(&self) -> Result<String> {
        let body = toml::to_string(&self.with_full_paths())
            .map_err(|e| Error::setting("settings", e.to_string(), "report this bug"))?;
        Ok(file::text(&body))
    }

    /// The adapter to open.
    pub fn adapter_choice(&self) -> Choice {
        let Ok(choice) = self.adapter.parse();
        choice
    }

    /// How the capture in the folder `scene` is read.
    pub fn capture_options(&self, scene: &Path) -> capture::Options {
        let named = Some(&self.poses.poses_from).filter(|path| !path.is_empty()).map(PathBuf::from);
        let beside = || if capture::is_scene(scene) { None } else { capture::cameras_beside(scene) };
        let cameras = named.or_else(beside);
        capture::Options { holdout: self.holdout, allow_outside: self.allow_outside, cameras, masks: self.masks }
    }

    /// Refuses values that no stage could use.
    ///
    /// # Errors
    /// [`Error::Setting`] for the first one.
    pub fn check(&self) -> Result<()> {
        if self.downscale == 0 {
            return Err(Error::setting("downscale", "0", "use 1 for full size, 2 for half, …"));
        }
        if self.holdout == Some(0) {
            return Err(Error::setting("holdout", "0", "use 8 to keep every 8th view, or leave it out"));
        }
        if !(1..=MOST_SEEDS).contains(&self.seeds) {
            let remedy = format!("use 1 for a single model, or 2 to {MOST_SEEDS} for the mean of so many");
            return Err(Error::setting("seeds", self.seeds.to_string(), remedy));
        }
        self.train.validate()?;
        self.train.densify.validate()
    }
}

/// Where the settings of a run come from.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    /// What to start from where no preset is named; the preset *standard* if `None`.
    pub base: Option<Settings>,
    /// Facts about the photographs, on which presets depend where `base` is not given.
    pub photographs: Option<Facts>,
    /// A settings file.
    pub file: Option<PathBuf>,
    /// A settings file that comes with the data. It may set only the keys that [`from_data`] allows: none that names a
    /// program, or a file to read.
    pub own_file: Option<PathBuf>,
    /// Flags: (name without dashes, value), in the order given.
    pub flags: Vec<(String, String)>,
}

impl Layers {
    /// Preset, then file, then the scene's own file, then flags.
    ///
    /// # Errors
    /// [`Error::Setting`] for unknown keys and unusable values, naming flag or file and key, and for a preset flag that the
    /// settings file overrides completely.
    pub fn resolve(&self) -> Result<Settings> {
        let keys = keys();
        let changes = self.changes(&keys)?;
        let start = self.start(&changes)?;
        let mut settings = start.clone();
        changes.iter().try_for_each(|change| change.apply(&mut settings))?;
        settings.check()?;
        for (file, layer) in [(&self.file, Layer::File), (&self.own_file, Layer::Scene)] {
            if let Some(file) = file {
                conflicts::check(file, layer, &changes, &start, &settings)?;
            }
        }
        Ok(settings)
    }

    /// What the layers set, the last wins.
    fn changes<'k>(&self, keys: &'k [Key]) -> Result<Vec<Change<'k>>> {
        let mut changes = Vec::new();
        if let Some(path) = &self.file {
            changes.extend(file_changes(keys, path, Layer::File)?);
        }
        if let Some(path) = &self.own_file {
            let own = file_changes(keys, path, Layer::Scene)?;
            own.iter().try_for_each(from_data::check)?;
            changes.extend(own);
        }
        for (flag, text) in &self.flags {
            let key = keys.iter().find(|k| k.flag == *flag).ok_or_else(|| unknown(keys, flag, flag))?;
            let (origin, candidates) = (key.path.clone(), key.candidates(text));
            changes.push(Change { origin, layer: Layer::Flag, key, candidates });
        }
        Ok(changes)
    }

    /// What the `changes` start from: the preset, for so many steps and such photographs.
    fn start(&self, changes: &[Change<'_>]) -> Result<Settings> {
        let mut settings = self.base.clone().unwrap_or_default();
        if let Some(change) = changes.iter().rev().find(|c| c.key.path == "preset") {
            let mut named = Settings::default();
            change.apply(&mut named)?;
            settings = named.preset.settings();
        }
        let steps = steps(&settings, changes)?;
        if let Some(steps) = steps.filter(|_| settings.preset != Preset::Paper) {
            settings.train = settings.train.of_length(steps);
        }
        if let Some(photographs) = self.photographs.filter(|_| self.base.is_none()) {
            settings = follow(settings, &photographs, steps);
        }
        Ok(settings)
    }
}

/// The steps of the training, where `changes` set them.
fn steps(settings: &Settings, changes: &[Change<'_>]) -> Result<Option<u32>> {
    let mut changed = settings.clone();
    changes.iter().try_for_each(|change| change.apply(&mut changed))?;
    Ok(changes.iter().any(|change| change.key.path == "train.steps").then_some(changed.train.steps))
}

/// Adapts a preset's `settings` to the photographs, and to the number of steps where it is set.
fn follow(settings: Settings, photographs: &Facts, steps: Option<u32>) -> Settings {
    let Some(settings) = settings.for_many_clean(photographs, steps) else { return settings };
    let (views, noise, train) = (photographs.views, 100.0 * photographs.noise, &settings.train);
    tracing::info!(
        "{views} photographs with little noise ({noise:.1} %): 1/{} of the size, {} steps, SH degree {}, and the model grows, \
         where settings do not say otherwise",
        settings.downscale,
        train.steps,
        train.sh_degree
    );
    settings
}

/// Where a value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Layer {
    File,
    Scene,
    Flag,
}

/// One key that gets a value; the first of `candidates` that fits the key's type is taken.
struct Change<'k> {
    origin: String,
    layer: Layer,
    key: &'k Key,
    candidates: Vec<serde_json::Value>,
}

impl Change<'_> {
    /// Whether it sets the key `path`: a key outside tables sets those of its name in every table.
    fn sets(&self, path: &str) -> bool {
        self.key.path == path || (self.key.section.is_empty() && path.ends_with(&format!(".{}", self.key.path)))
    }

    fn apply(&self, settings: &mut Settings) -> Result<()> {
        let mut first_error = None;
        for value in &self.candidates {
            match self.key.set(settings, value) {
                Ok(changed) => {
                    *settings = changed;
                    return Ok(());
                }
                Err(error) => first_error = first_error.or(Some(error)),
            }
        }
        let found = first_error.map_or_else(|| "no value".into(), |e| e.to_string());
        Err(Error::setting(&self.origin, found, format!("it means: {}", self.key.help)))
    }
}

fn file_changes<'k>(keys: &'k [Key], path: &Path, layer: Layer) -> Result<Vec<Change<'k>>> {
    let text = crate::limits::read_text(path)?;
    let table: toml::Table = text.parse().map_err(|e: toml::de::Error| {
        Error::setting(path.display().to_string(), e.to_string(), "write it as TOML: key = value")
    })?;
    let mut changes = Vec::new();
    collect(keys, (path, layer), "", &table, &mut changes)?;
    // Keys outside tables set all tables, so they come first wherever they stand.
    changes.sort_by_key(|c| c.key.path.matches('.').count());
    Ok(changes)
}

fn collect<'k>(
    keys: &'k [Key],
    (path, layer): (&Path, Layer),
    prefix: &str,
    table: &toml::Table,
    out: &mut Vec<Change<'k>>,
) -> Result<()> {
    for (name, value) in table {
        let full = format!("{prefix}{}", name.replace('-', "_"));
        let flag = name.replace('_', "-");
        let origin = format!("{}: {prefix}{name}", path.display());
        let key = keys.iter().find(|k| k.path == full || (prefix.is_empty() && k.flag == flag));
        let is_table = keys.iter().any(|k| k.path.starts_with(&format!("{full}.")));
        match (key, value) {
            (_, toml::Value::Table(inner)) if is_table => {
                collect(keys, (path, layer), &format!("{full}."), inner, out)?;
            }
            (Some(key), _) => {
                let value = serde_json::to_value(value).map_err(|e| {
                    Error::setting(&origin, e.to_string(), "use a number, a text, true or false, or a list")
                })?;
                out.push(Change { origin, layer, key, candidates: vec![value] });
            }
            (None, _) => return Err(unknown(keys, &origin, &flag)),
        }
    }
    Ok(())
}

/// Jaro–Winkler similarity from which a key is taken for a misspelling of another.
const ALIKE: f64 = 0.85;

/// The error for a key that does not exist, with the nearest one that does.
fn unknown(keys: &[Key], origin: &str, flag: &str) -> Error {
    let likeness = |key: &Key| strsim::jaro_winkler(&key.flag, flag);
    let near = keys.iter().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let remedy = match near.filter(|key| likeness(key) >= ALIKE) {
        Some(key) => format!("did you mean {}?", key.path),
        None => "docs/usage.md and the settings.toml of a run have the names of the keys".into(),
    };
    Error::setting(origin, "no such key", remedy)
}

#[cfg(test)]
mod tests;
