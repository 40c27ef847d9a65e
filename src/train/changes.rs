//! Settings that are changed while training goes on, and the record of it.
//!
//! A run keeps the settings it was started with: its checkpoint and its fingerprint are for them. Changes are recorded with
//! their step, in the checkpoint (so that a resumed run continues with them) and in the report (so that the result does not
//! pass for one of the original settings).

use super::config::Config;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The settings that can change while training: those that every step reads again. What the model was made from (`seed`,
/// `sh_degree`, `init_*`), what it means (`antialiased`), `scale_floor` and `densify` cannot.
pub const CHANGEABLE: [&str; 16] = [
    "steps",
    "sh_interval",
    "lr_means",
    "lr_means_decay",
    "lr_scales",
    "lr_quats",
    "lr_opacities",
    "lr_sh",
    "lr_decay",
    "ssim_weight",
    "background",
    "opacity_regularizer",
    "scale_regularizer",
    "ramp",
    "ramp_until",
    "eval_every",
];

/// What was changed at one step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Steps that were done before.
    pub step: u32,
    /// New values by the settings' names.
    pub settings: Map<String, Value>,
}

impl Config {
    /// What `new` has in place of these settings, after `step` steps.
    ///
    /// # Errors
    /// [`Error::Setting`] where `new` cannot be trained with, differs in a setting that is fixed once training has
    /// begun, or has fewer steps than are done.
    pub fn change_to(&self, new: &Self, step: u32) -> Result<Change> {
        new.validate()?;
        if new.steps <= step {
            let remedy = "use more, or stop the run";
            return Err(Error::setting("train.steps", format!("{}, but {step} are done", new.steps), remedy));
        }
        let (old, mut settings) = (table(self)?, table(new)?);
        settings.retain(|name, value| old.get(name) != Some(value));
        match settings.keys().find(|name| !CHANGEABLE.contains(&name.as_str())) {
            Some(fixed) => {
                let remedy = "start another run to change it";
                Err(Error::setting(format!("train.{fixed}"), "is fixed once training has begun", remedy))
            }
            None => Ok(Change { step, settings }),
        }
    }

    /// These settings after `changes`.
    ///
    /// # Errors
    /// [`Error::Setting`] for a name or value that no setting has.
    pub fn changed(&self, changes: &[Change]) -> Result<Self> {
        let (mut all, mut changed) = (table(self)?, self.clone());
        for (name, value) in changes.iter().flat_map(|change| &change.settings) {
            all.insert(name.clone(), value.clone());
            // One by one, so that the setting is named.
            changed = serde_json::from_value(Value::Object(all.clone())).map_err(|error| {
                Error::setting(format!("train.{name}"), format!("{value} ({error})"), "give another value")
            })?;
        }
        changed.validate()?;
        Ok(changed)
    }
}

/// Adds `change` to the record; changes at the same step are merged.
pub(super) fn note(changes: &mut Vec<Change>, change: &Change) {
    match changes.last_mut() {
        _ if change.settings.is_empty() => {}
        Some(last) if last.step == change.step => last.settings.extend(change.settings.clone()),
        _ => changes.push(change.clone()),
    }
}

fn table(config: &Config) -> Result<Map<String, Value>> {
    match serde_json::to_value(config).map_err(|error| Error::setting("train", error.to_string(), "report this bug"))? {
        Value::Object(table) => Ok(table),
        other => Err(Error::setting("train", other.to_string(), "report this bug")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::config::Background;
    use super::*;

    #[test]
    fn what_changed_is_found_and_applied_again() {
        let old = Config::default();
        let new = Config { lr_sh: 3e-3, background: Background::Black, steps: 9000, ..old.clone() };
        let change = old.change_to(&new, 100).unwrap();
        assert_eq!(change.settings.keys().collect::<Vec<_>>(), ["background", "lr_sh", "steps"]);
        assert_eq!(old.changed(std::slice::from_ref(&change)).unwrap(), new);
        let later = Config { lr_sh: 1e-3, ..new.clone() };
        let (mut changes, second) = (vec![change], new.change_to(&later, 100).unwrap());
        note(&mut changes, &second);
        note(&mut changes, &Change { step: 200, settings: Map::new() });
        assert_eq!((changes.len(), old.changed(&changes).unwrap()), (1, later));
    }

    #[test]
    fn what_is_fixed_or_impossible_is_refused_by_name() {
        let old = Config::default();
        for (new, name) in [
            (Config { seed: 1, ..old.clone() }, "train.seed"),
            (Config { sh_degree: 1, ..old.clone() }, "train.sh_degree"),
            (Config { antialiased: true, ..old.clone() }, "train.antialiased"),
            (Config { lr_sh: f32::NAN, ..old.clone() }, "train.lr_sh"),
            (Config { steps: 100, ..old.clone() }, "train.steps"),
        ] {
            let message = old.change_to(&new, 100).unwrap_err().to_string();
            assert!(message.contains(name), "{message}");
        }
    }

    #[test]
    fn every_setting_that_can_change_is_one() {
        let all = table(&Config::default()).unwrap();
        assert!(CHANGEABLE.iter().all(|name| all.contains_key(*name)));
    }
}
