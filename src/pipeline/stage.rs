//! What a stage is: its name, what it depends on, what it writes and how it is made. Each is one file of `stages/`.

use super::fingerprint::Hashes;
use super::session::Session;
use super::stages::STAGES;
use super::{Job, Scope};
use crate::capture::Capture;
use crate::error::Result;
use crate::prior::Origin;
use crate::train::Change;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::path::Path;

/// What a stage counted, for `run.json`.
pub(super) type Counts = Map<String, Value>;

/// A stage by its name. Stages are ordered as they are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stage(&'static str);

impl Stage {
    /// The stage of this name, which [`STAGES`] lists.
    pub(super) const fn new(name: &'static str) -> Self {
        Self(name)
    }

    /// All of them, in order.
    pub fn all() -> impl Iterator<Item = Self> {
        STAGES.iter().map(|definition| definition.stage())
    }

    /// Those that a run may stop after.
    pub fn ends() -> impl Iterator<Item = Self> {
        STAGES.iter().filter(|definition| definition.lives_in().is_none()).map(|definition| definition.stage())
    }

    /// The stage of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|stage| stage.0 == name)
    }

    /// As in `run.json` and in progress lines.
    pub fn name(self) -> &'static str {
        self.0
    }

    pub(super) fn definition(self) -> &'static dyn Definition {
        STAGES[self.position()]
    }

    fn position(self) -> usize {
        STAGES.iter().position(|definition| definition.stage() == self).expect("every stage is listed")
    }
}

impl PartialOrd for Stage {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Stage {
    fn cmp(&self, other: &Self) -> Ordering {
        self.position().cmp(&other.position())
    }
}

impl Serialize for Stage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0)
    }
}

impl<'de> Deserialize<'de> for Stage {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::named(&name).ok_or_else(|| D::Error::custom(format!("no stage is called `{name}`")))
    }
}

/// How a stage is planned and made. What it has in common with others is a default.
pub(super) trait Definition: Sync {
    /// Its name.
    fn stage(&self) -> Stage;

    /// Whether a run of this scope has it, once there are poses.
    fn is_in(&self, scope: &Scope) -> bool;

    /// The stages whose files it reads.
    fn builds_on(&self) -> &'static [Stage];

    /// A hash of everything that its result depends on, the stages before it included ([`Plan::fingerprint`]).
    fn fingerprint(&self, plan: &Plan<'_>) -> String;

    /// The files that it writes, by their path below the output folder.
    fn outputs(&self, plan: &Plan<'_>) -> Vec<String>;

    /// Makes it.
    fn make(&self, session: &mut Session<'_>) -> Result<Counts>;

    /// The stage whose files are all that is left of its result: the two are made together, and no run ends between them.
    fn lives_in(&self) -> Option<Stage> {
        None
    }

    /// Notes that its files are current, where the session may hold other data.
    fn keep(&self, _session: &mut Session<'_>) {}

    /// Removes what an unfinished attempt in the output folder `out` would be continued from.
    fn discard_partial(&self, _out: &Path) -> Result<()> {
        Ok(())
    }
}

/// What the fingerprints and outputs of the stages follow from.
pub(super) struct Plan<'a> {
    pub job: &'a Job,
    pub inputs: &'a Hashes,
    /// As it came.
    pub capture: &'a Capture,
    /// With the poses that the prior leads to.
    pub posed: &'a Capture,
    pub origin: &'a Origin,
    /// Those of the settings while the model was trained.
    pub changes: &'a [Change],
    /// The fingerprints of the stages before.
    pub before: BTreeMap<Stage, String>,
}

impl Plan<'_> {
    /// The fingerprint of an earlier stage; `None` where this run does not have it.
    pub fn fingerprint(&self, stage: Stage) -> Option<&str> {
        self.before.get(&stage).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_build_on_earlier_ones_and_are_known_by_name() {
        let all: Vec<Stage> = Stage::all().collect();
        assert!(all.is_sorted() && all.windows(2).all(|pair| pair[0] != pair[1]));
        for stage in all {
            assert_eq!(Stage::named(stage.name()), Some(stage));
            assert!(stage.definition().builds_on().iter().all(|before| *before < stage));
            assert!(stage.definition().lives_in().is_none_or(|home| home > stage));
            let text = serde_json::to_string(&stage).unwrap();
            assert_eq!(serde_json::from_str::<Stage>(&text).unwrap(), stage);
        }
        let error = serde_json::from_str::<Stage>("\"bake\"").unwrap_err().to_string();
        assert!(error.contains("bake"), "{error}");
        assert!(Stage::ends().all(|stage| stage != Stage::PRIOR));
    }
}
