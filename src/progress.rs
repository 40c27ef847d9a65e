//! How stages report what they do and learn that they should stop.

use crate::error::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A request to stop, shared by whoever may ask (signal handler, window) and whoever works.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Asks all holders of this flag to stop at the next safe point.
    pub fn request(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether someone asked to stop.
    pub fn requested(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// What a stage reports to. One stage at a time: `begin`, any number of `set`, `end`.
pub trait Progress: Sync {
    /// A stage starts: its name (`"enhance"`), what it counts (`"images"`) and how many there are.
    fn begin(&self, _stage: &str, _unit: &str, _total: u64) {}
    /// `done` of the stage's units are finished; `note` holds live figures (loss, splats) and may be empty.
    fn set(&self, _done: u64, _note: &str) {}
    /// The stage is over.
    fn end(&self) {}
    /// The flag that asks this stage to stop.
    fn stop(&self) -> &Stop;

    /// Fails with [`Error::Interrupted`] once a stop was requested.
    fn check(&self) -> Result<()> {
        if self.stop().requested() { Err(Error::Interrupted(String::new())) } else { Ok(()) }
    }
}

/// Reports nothing; stops only when asked through its flag.
#[derive(Debug, Default)]
pub struct Silent(pub Stop);

impl Progress for Silent {
    fn stop(&self) -> &Stop {
        &self.0
    }
}
