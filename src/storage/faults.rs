//! Fault injection for tests: the n-th change below a folder fails, is cut short, or is the last before a simulated kill.

use super::Change;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// How a change fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// It returns an error, as on a full disk; later changes work.
    Error,
    /// A write takes half of its bytes, then fails; other changes as with `Error`.
    ShortWrite,
    /// It does not happen, nor does any later one: the process was killed before it.
    Kill,
}

struct Armed {
    folder: PathBuf,
    kind: Kind,
    /// Changes until the one that fails.
    left: usize,
    hit: bool,
    /// Changes that were asked for.
    log: Vec<String>,
}

static ARMED: Mutex<Vec<Armed>> = Mutex::new(Vec::new());

fn armed() -> MutexGuard<'static, Vec<Armed>> {
    ARMED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Faults are below one folder, so that tests do not disturb each other.
pub struct Guard(PathBuf);

/// Lets the `at`-th change (from 0) below `folder` fail.
pub fn arm(folder: &Path, kind: Kind, at: usize) -> Guard {
    armed().push(Armed { folder: folder.into(), kind, left: at, hit: false, log: Vec::new() });
    Guard(folder.into())
}

impl Guard {
    /// Ends it; whether the fault was met.
    pub fn disarm(self) -> bool {
        armed().iter().any(|armed| armed.folder == self.0 && armed.hit)
    }

    /// The changes so far, for messages.
    pub fn log(&self) -> Vec<String> {
        armed().iter().filter(|armed| armed.folder == self.0).flat_map(|armed| armed.log.clone()).collect()
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        armed().retain(|armed| armed.folder != self.0);
    }
}

/// Which fault, if any, meets the change that is about to happen at `path`.
fn meet(what: &str, path: &Path) -> Option<Kind> {
    let mut all = armed();
    let armed = all.iter_mut().find(|armed| path.starts_with(&armed.folder))?;
    armed.log.push(format!("{what} {}", path.strip_prefix(&armed.folder).unwrap_or(path).display()));
    if armed.hit {
        return (armed.kind == Kind::Kill).then_some(Kind::Kill);
    }
    if armed.left > 0 {
        armed.left -= 1;
        return None;
    }
    armed.hit = true;
    Some(armed.kind)
}

pub(super) fn change(kind: Change, path: &Path) -> io::Result<()> {
    match meet(&format!("{kind:?}"), path) {
        None => Ok(()),
        Some(kind) => Err(failure(kind)),
    }
}

/// The bytes of a write that get through.
pub(super) fn write<'b>(path: &Path, bytes: &'b [u8]) -> io::Result<&'b [u8]> {
    match meet("Write", path) {
        None => Ok(bytes),
        // The next write is where the caller hears of it.
        Some(Kind::ShortWrite) if bytes.len() > 1 => {
            if let Some(armed) = armed().iter_mut().find(|armed| path.starts_with(&armed.folder)) {
                (armed.hit, armed.left) = (false, 0);
            }
            Ok(&bytes[..bytes.len() / 2])
        }
        Some(kind) => Err(failure(kind)),
    }
}

fn failure(kind: Kind) -> io::Error {
    match kind {
        Kind::Kill => io::Error::other("injected: the process is gone"),
        Kind::Error | Kind::ShortWrite => io::Error::new(io::ErrorKind::StorageFull, "injected: no space left"),
    }
}
