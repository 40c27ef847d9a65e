//! Conflicts of flags with a settings file. Flags override the file's values of the same keys; but a preset and a number of
//! steps imply values of other keys, which the file may set, too.

use super::{Change, Key, Layer, Preset, Settings, keys_from};
use crate::capture::list_names;
use crate::error::{Error, Result};
use crate::sync::lock;
use crate::train::densify::Strategy;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Mutex;

/// Settings that are numbers of steps, and follow the length of a training.
const TIMES: [&str; 5] = [
    "train.sh_interval",
    "train.densify.start",
    "train.densify.stop",
    "train.densify.every",
    "train.densify.reset_every",
];

/// The warnings that were given: a batch resolves its settings for each scene again.
static GIVEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// A setting before the changes and after them.
struct Outcome {
    path: String,
    start: Value,
    now: Value,
    /// Who set it last.
    by: Option<Layer>,
}

/// Refuses a preset that the user's file overrides completely, and warns where the file `file`, the `layer`, overrides what
/// flags imply.
///
/// # Errors
/// [`Error::Setting`] for the preset.
pub(super) fn check(file: &Path, layer: Layer, changes: &[Change<'_>], start: &Settings, now: &Settings) -> Result<()> {
    let outcomes = outcomes(changes, start, now);
    let warnings = [preset(file, layer, changes, &outcomes, now)?, times(file, layer, &outcomes, now)];
    for warning in warnings.into_iter().flatten() {
        if lock(&GIVEN).insert(warning.clone()) {
            tracing::warn!("{warning}");
        }
    }
    Ok(())
}

fn outcomes(changes: &[Change<'_>], start: &Settings, now: &Settings) -> Vec<Outcome> {
    let last = |path: &str| changes.iter().rev().find(|change| change.sets(path)).map(|change| change.layer);
    let outcome = |(start, now): (Key, Key)| {
        let by = last(&now.path);
        Outcome { path: now.path, start: start.default, now: now.default, by }
    };
    keys_from(start).into_iter().zip(keys_from(now)).map(outcome).collect()
}

/// The warning about a preset given as a flag; none where the file was made for the same one.
fn preset(
    file: &Path,
    layer: Layer,
    changes: &[Change<'_>],
    outcomes: &[Outcome],
    now: &Settings,
) -> Result<Option<String>> {
    let of = |layer| changes.iter().rev().find(|change| change.layer == layer && change.key.path == "preset");
    if of(Layer::Flag).is_none() {
        return Ok(None);
    }
    // A file that names none is for the default preset.
    let mut made_for = Settings::default();
    of(layer).map_or(Ok(()), |change| change.apply(&mut made_for))?;
    if made_for.preset == now.preset {
        return Ok(None);
    }
    let presets =
        [Preset::Preview, Preset::Standard, Preset::Paper].map(|preset| (preset, keys_from(&preset.settings())));
    let value = |of: Preset, path: &str| {
        let keys = presets.iter().find(|(preset, _)| *preset == of).map(|(_, keys)| keys);
        keys.and_then(|keys| keys.iter().find(|key| key.path == path)).map(|key| &key.default)
    };
    let differs = |outcome: &&Outcome, presets: &[Preset]| {
        let first = value(presets[0], &outcome.path);
        outcome.path != "preset" && presets.iter().any(|preset| value(*preset, &outcome.path) != first)
    };
    let all = presets.each_ref().map(|(preset, _)| *preset);
    let against = outcomes.iter().filter(|outcome| outcome.by == Some(layer) && outcome.start != outcome.now);
    let against: Vec<&str> = against.filter(|of| differs(of, &all)).map(|outcome| outcome.path.as_str()).collect();
    if against.is_empty() {
        return Ok(None);
    }
    let (name, file, list) = (text(now.preset), file.display(), list_names(&against));
    let mut changed = outcomes.iter().filter(|outcome| differs(outcome, &[made_for.preset, now.preset]));
    // Settings of a single scene are no reason to refuse a preset for all.
    if layer == Layer::File && changed.all(|outcome| outcome.by.is_some()) {
        let found = format!(
            "{name} has no effect: {file} sets everything that presets differ in, with other values for {list}"
        );
        let remedy = "remove from the file what the preset should set, or leave out the preset";
        return Err(Error::setting("preset", found, remedy));
    }
    Ok(Some(format!("{file} takes precedence over the preset {name}, which does not set: {list}")))
}

/// The warning about times in a file that do not scale with a flag for the steps.
fn times(file: &Path, layer: Layer, outcomes: &[Outcome], now: &Settings) -> Option<String> {
    let flagged = outcomes.iter().any(|outcome| outcome.path == "train.steps" && outcome.by == Some(Layer::Flag));
    let grows = now.train.densify.strategy != Strategy::None;
    let of_file = |outcome: &&Outcome| outcome.by == Some(layer) && outcome.start != outcome.now;
    let fixed = outcomes.iter().filter(|outcome| TIMES.contains(&outcome.path.as_str())).filter(of_file);
    let fixed = fixed.filter(|outcome| grows || !outcome.path.contains("densify"));
    let list: Vec<String> =
        fixed.map(|outcome| format!("{} = {} (not {})", outcome.path, outcome.now, outcome.start)).collect();
    (flagged && !list.is_empty()).then(|| {
        let (file, steps, list) = (file.display(), now.train.steps, list.join(", "));
        format!(
            "{file} sets numbers of steps that do not follow `train.steps = {steps}`: {list}; remove them from the \
             file, or set them too"
        )
    })
}

fn text(preset: Preset) -> String {
    serde_json::to_value(preset).ok().and_then(|name| Some(name.as_str()?.to_string())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::super::{Layer, Layers, Preset, Settings};
    use crate::train;

    /// The warnings about `flags` given over a file that holds `text`.
    fn said(text: &str, flags: &[(&str, &str)]) -> Result<Vec<String>, String> {
        said_over(Layer::File, text, flags)
    }

    /// As [`said`], of the file of a `layer`.
    fn said_over(layer: Layer, text: &str, flags: &[(&str, &str)]) -> Result<Vec<String>, String> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("my.toml");
        std::fs::write(&file, text).unwrap();
        let flags = flags.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        let [users, own] = [Layer::File, Layer::Scene].map(|of| (of == layer).then(|| file.clone()));
        let layers = Layers { file: users, own_file: own, flags, ..Layers::default() };
        layers.resolve().map_err(|error| error.to_string())?;
        let keys = super::super::keys();
        let changes = layers.changes(&keys).unwrap();
        let start = layers.start(&changes).unwrap();
        let mut now = start.clone();
        changes.iter().for_each(|change| change.apply(&mut now).unwrap());
        let outcomes = super::outcomes(&changes, &start, &now);
        let preset = super::preset(&file, layer, &changes, &outcomes, &now).unwrap();
        Ok([preset, super::times(&file, layer, &outcomes, &now)].into_iter().flatten().collect())
    }

    #[test]
    fn a_preset_over_the_settings_of_a_run_is_refused() {
        let of_run = Preset::Standard.settings().to_toml().unwrap();
        let error = said(&of_run, &[("preset", "preview")]).unwrap_err();
        for words in ["preset: preview has no effect", "my.toml", "downscale, "] {
            assert!(error.contains(words), "'{words}' is not in: {error}");
        }
        // Without effect, but not otherwise either.
        assert_eq!(said(&of_run, &[("preset", "standard"), ("downscale", "2")]), Ok(vec![]));
        assert_eq!(said(&of_run, &[("downscale", "3")]), Ok(vec![]));
    }

    #[test]
    fn what_stands_over_a_preset_is_named() {
        let of = |text: &str| said(text, &[("preset", "preview")]).unwrap();
        let warned = of("downscale = 1\nseed = 7\n");
        assert!(warned.len() == 1 && warned[0].ends_with("not set: downscale"), "{warned:?}");
        assert_eq!(of("preset = \"paper\"\ndownscale = 3\nseed = 7\n"), [""; 0]);
        assert_eq!(of("preset = \"preview\"\ndownscale = 1\n"), [""; 0], "made for this preset");
    }

    #[test]
    fn what_a_scene_of_its_own_settings_keeps_from_flags_is_named() {
        let mut of_run: toml::Table = Preset::Standard.settings().to_toml().unwrap().parse().unwrap();
        of_run.remove("allow_outside");
        for (table, key) in [("poses", "poses_from"), ("poses", "colmap"), ("prior", "points"), ("prior", "colors")] {
            of_run.get_mut(table).unwrap().as_table_mut().unwrap().remove(key);
        }
        let of_run = toml::to_string(&of_run).unwrap();
        let warned = said_over(Layer::Scene, &of_run, &[("preset", "preview"), ("steps", "20000")]).unwrap();
        assert!(warned.len() == 2 && warned[1].contains("train.densify.stop = 1500"), "{warned:?}");
        for words in ["my.toml takes precedence over the preset preview", "downscale"] {
            assert!(warned[0].contains(words), "'{words}' is not in: {}", warned[0]);
        }
        assert_eq!(said_over(Layer::Scene, "downscale = 1\n", &[("steps", "20000")]), Ok(vec![]));
    }

    #[test]
    fn times_that_do_not_follow_the_steps_are_named() {
        let of_run = |settings: Settings| settings.to_toml().unwrap();
        let standard = of_run(Preset::Standard.settings());
        let warned = said(&standard, &[("steps", "20000")]).unwrap();
        assert!(warned.len() == 1, "{warned:?}");
        for words in ["`train.steps = 20000`", "train.densify.stop = 1500 (not 15000)"] {
            assert!(warned[0].contains(words), "'{words}' is not in: {}", warned[0]);
        }
        let all = [("steps", "20000"), ("start", "1"), ("stop", "9"), ("every", "5"), ("reset-every", "3")];
        assert_eq!(said(&standard, &all), Ok(vec![]));
        assert_eq!(said(&standard, &[]), Ok(vec![]));
        // Published times do not depend on the length, and without growth they mean nothing.
        assert_eq!(said(&of_run(Preset::Paper.settings()), &[("steps", "400")]), Ok(vec![]));
        let still = train::densify::Config { strategy: train::densify::Strategy::None, ..Default::default() };
        let standard = Preset::Standard.settings();
        let still = Settings { train: train::Config { densify: still, ..standard.train.clone() }, ..standard };
        assert_eq!(said(&of_run(still), &[("steps", "20000")]), Ok(vec![]));
    }
}
