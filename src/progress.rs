//! How stages report what they do and learn that they should stop.

use crate::error::{Error, Result};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// A request to stop, shared between those who may ask (signal handler, window) and the workers.
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

/// What a stage reports to. One stage at a time: `begin`, any number of `set`, `end`. One that fails or is stopped has no
/// `end`.
pub trait Progress: Sync {
    /// A stage starts: its name (`"enhance"`), what it counts (`"images"`) and how many there are.
    fn begin(&self, _stage: &str, _unit: &str, _total: u64) {}
    /// `done` of the stage's units are finished; `note` holds live figures (loss, splats) and may be empty. May come from
    /// several threads at once, and out of order.
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

/// Progress that others hold, too.
impl<P: Progress + Send + ?Sized> Progress for Arc<P> {
    fn begin(&self, stage: &str, unit: &str, total: u64) {
        (**self).begin(stage, unit, total);
    }

    fn set(&self, done: u64, note: &str) {
        (**self).set(done, note);
    }

    fn end(&self) {
        (**self).end();
    }

    fn stop(&self) -> &Stop {
        (**self).stop()
    }

    fn check(&self) -> Result<()> {
        (**self).check()
    }
}

/// Remembers which files of a stage are finished, so that one that was interrupted goes on after them.
pub trait Journal: Sync {
    /// Whether the file is finished, and still as it was written.
    fn is_finished(&self, path: &Path) -> bool;
    /// The file has been written.
    ///
    /// # Errors
    /// What is remembered cannot be stored.
    fn finished(&self, path: &Path) -> Result<()>;
}

/// Reports nothing; stops only when asked through its flag.
#[derive(Debug, Default)]
pub struct Silent(pub Stop);

impl Progress for Silent {
    fn stop(&self) -> &Stop {
        &self.0
    }
}

/// What a stage has said so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// What it is called.
    pub stage: String,
    /// What it counts (`"images"`).
    pub unit: String,
    /// How many are done.
    pub done: u64,
    /// How many there are.
    pub total: u64,
    /// Text shown next to the count.
    pub note: String,
    /// When it began.
    pub since: Instant,
    /// Whether it is over.
    pub ended: bool,
}

/// Progress that another thread reads when it likes.
#[derive(Debug, Default)]
pub struct Board {
    standing: Mutex<Option<Standing>>,
    stop: Stop,
}

impl Board {
    /// Of stages that `stop` stops.
    pub fn new(stop: Stop) -> Self {
        Self { stop, ..Self::default() }
    }

    /// Where the last stage that began stands.
    pub fn standing(&self) -> Option<Standing> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Standing>> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Progress for Board {
    fn begin(&self, stage: &str, unit: &str, total: u64) {
        let (stage, unit, since) = (stage.into(), unit.into(), Instant::now());
        *self.lock() = Some(Standing { stage, unit, done: 0, total, note: String::new(), since, ended: false });
    }

    fn set(&self, done: u64, note: &str) {
        if let Some(standing) = self.lock().as_mut() {
            standing.done = done;
            standing.note.clear();
            standing.note.push_str(note);
        }
    }

    fn end(&self) {
        if let Some(standing) = self.lock().as_mut() {
            standing.ended = true;
        }
    }

    fn stop(&self) -> &Stop {
        &self.stop
    }
}

/// Reports to two at once; the first one's flag stops.
pub struct Both<'a>(pub &'a dyn Progress, pub &'a dyn Progress);

impl Progress for Both<'_> {
    fn begin(&self, stage: &str, unit: &str, total: u64) {
        self.0.begin(stage, unit, total);
        self.1.begin(stage, unit, total);
    }

    fn set(&self, done: u64, note: &str) {
        self.0.set(done, note);
        self.1.set(done, note);
    }

    fn end(&self) {
        self.0.end();
        self.1.end();
    }

    fn stop(&self) -> &Stop {
        self.0.stop()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_shows_what_both_were_told() {
        let (silent, board) = (Silent::default(), Board::default());
        assert_eq!(board.standing(), None);
        let both = Both(&silent, &board);
        both.begin("enhance", "images", 30);
        both.set(7, "0007.JPG");
        let standing = std::thread::scope(|threads| threads.spawn(|| board.standing()).join().unwrap()).unwrap();
        assert_eq!(
            (standing.stage.as_str(), standing.unit.as_str(), standing.note.as_str()),
            ("enhance", "images", "0007.JPG")
        );
        assert_eq!((standing.done, standing.total, standing.ended), (7, 30, false));
        both.end();
        assert!(board.standing().unwrap().ended);
        silent.stop().request();
        assert!(matches!(both.check(), Err(Error::Interrupted(_))));
    }
}
