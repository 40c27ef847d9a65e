//! The fuzz targets; `fuzz_targets/` has one program for each, `README.md` says how they are run.

mod targets;

pub use targets::*;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The folder of this process, in memory where the system has such a file system.
pub fn scratch() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let memory = PathBuf::from("/dev/shm");
        let parent = if memory.is_dir() { memory } else { std::env::temp_dir() };
        let folder = parent.join(format!("naka-gs-fuzz-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("the scratch folder can be made");
        folder
    })
}
