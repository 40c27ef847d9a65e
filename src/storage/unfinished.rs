//! Temporary files that this process is writing, so that it can remove them when it ends early.

use crate::sync::lock;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

/// A temporary name in use, until this is dropped.
pub(super) struct Unfinished(PathBuf);

impl Unfinished {
    pub(super) fn new(temporary: &Path) -> Self {
        lock(&UNFINISHED).push(temporary.to_path_buf());
        Self(temporary.to_path_buf())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        lock(&UNFINISHED).retain(|other| *other != self.0);
    }
}

/// Removes the unfinished files of this process, which is about to end: nothing may write after this call.
pub fn remove_unfinished() {
    for temporary in lock(&UNFINISHED).iter() {
        // One that has got its name by now is none.
        let _ = fs::remove_file(temporary);
    }
}
