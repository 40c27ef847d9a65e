//! What a stage is: its name, what it depends on, what it writes and how it is made. Each is one file of `stages/`.

use super::fingerprint::Hashes;
use super::record::{Counts, StageRecord};
use super::session::Session;
use super::stage::Stage;
use super::{Job, Scope};
use crate::capture::Capture;
use crate::error::Result;
use crate::prior::Origin;
use crate::train::Change;
use std::collections::BTreeMap;
use std::path::Path;

/// How a stage is planned and made. Default methods hold what most stages share.
pub(super) trait Definition: Sync {
    /// Its name.
    fn stage(&self) -> Stage;

    /// Whether a run of this scope includes the stage, once there are poses.
    fn is_in(&self, _scope: &Scope) -> bool {
        true
    }

    /// The stages whose files it reads.
    fn builds_on(&self) -> &'static [Stage];

    /// A hash of everything that its result depends on, the stages before it included ([`PlanContext::fingerprint`]).
    fn fingerprint(&self, plan: &PlanContext<'_>) -> String;

    /// The files that it writes, by their path below the output folder.
    fn outputs(&self, plan: &PlanContext<'_>) -> Vec<String>;

    /// Fingerprints of runs that made some of the same files, from which this one continues.
    fn related(&self, _plan: &PlanContext<'_>) -> Vec<String> {
        Vec::new()
    }

    /// What a run that continues from the record `earlier` keeps of it: files, and counts of an unfinished attempt. With
    /// `other` that was a related run, and its other files are removed.
    ///
    /// # Errors
    /// Files that cannot be moved or removed.
    fn resume(&self, _session: &mut Session<'_>, earlier: &StageRecord, _other: bool) -> Result<StageRecord> {
        Ok(StageRecord { counts: Counts::new(), ..earlier.clone() })
    }

    /// Makes it.
    fn make(&self, session: &mut Session<'_>) -> Result<Counts>;

    /// The stage whose files hold all that remains of this one's result: the two are made together, and no run ends between
    /// them.
    fn stored_with(&self) -> Option<Stage> {
        None
    }

    /// Notes that its files are current, where the session may hold other data.
    fn keep(&self, _session: &mut Session<'_>) {}

    /// The file or folder, by its path below the output folder, from which an unfinished attempt is continued.
    fn partial(&self) -> Option<String> {
        None
    }

    /// Removes what an unfinished attempt in the output folder `out` could be continued from.
    fn discard_partial(&self, _out: &Path) -> Result<()> {
        Ok(())
    }
}

/// What the fingerprints and outputs of the stages depend on.
pub(super) struct PlanContext<'a> {
    pub job: &'a Job,
    pub inputs: &'a Hashes,
    /// As it came.
    pub capture: &'a Capture,
    /// With the poses that the prior leads to.
    pub posed: &'a Capture,
    /// Whether this program estimated the poses: their model lies in the output folder.
    pub estimated: bool,
    pub origin: &'a Origin,
    /// Those of the settings while the model was trained.
    pub changes: &'a [Change],
    /// The fingerprints of the stages before.
    pub before: BTreeMap<Stage, String>,
}

impl PlanContext<'_> {
    /// The fingerprint of an earlier stage; `None` where this run does not have it.
    pub fn fingerprint(&self, stage: Stage) -> Option<&str> {
        self.before.get(&stage).map(String::as_str)
    }
}
