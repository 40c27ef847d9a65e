//! Remembers which drivers have passed the checks on this machine: a run checks each once.

use super::{Check, run};
use crate::error::Result;
use crate::gpu::Gpu;
use crate::hash::hex;
use crate::storage;
use crate::sync::lock;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// The folder that records drivers that have passed; without it, runs do not check.
static FOLDER: Mutex<Option<PathBuf>> = Mutex::new(None);

/// Lets [`once`] check drivers, and record in `folder` (which need not exist) which have passed. It holds for the whole
/// process.
pub fn remember_in(folder: &Path) {
    *lock(&FOLDER) = Some(folder.to_path_buf());
}

/// Checks a device whose driver is not on record, where there is a record ([`remember_in`]): warns about failures, and
/// continues.
///
/// # Errors
/// A device that fails altogether.
pub fn once(gpu: &Gpu) -> Result<()> {
    match lock(&FOLDER).clone() {
        Some(folder) => check(&gpu.driver(), &folder, || run(gpu)),
        None => Ok(()),
    }
}

fn check(driver: &str, folder: &Path, run: impl FnOnce() -> Result<Vec<Check>>) -> Result<()> {
    let record = folder.join(format!("{}.driver", &hex(Sha256::digest(driver))[..16]));
    if std::fs::read(&record).is_ok_and(|content| content == driver.as_bytes()) {
        return Ok(());
    }
    tracing::info!("first use of this driver: its kernels are checked");
    let failed: Vec<String> =
        run()?.iter().filter(|check| !check.pass).map(|check| format!("{}: {}", check.name, check.detail)).collect();
    if failed.is_empty() {
        // Without a record the check merely runs again.
        let written = storage::create_folder(folder).and_then(|()| storage::write_bytes(&record, driver.as_bytes()));
        written.unwrap_or_else(|error| tracing::debug!("the check of the driver is not recorded: {error}"));
    } else {
        tracing::warn!(
            "this adapter fails its checks ({}): results may be wrong; update its driver, or choose another `adapter` \
             (`naka-gs doctor` has the list)",
            failed.join("; ")
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_driver_is_checked_once_where_that_can_be_recorded() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("cache/naka-gs");
        let runs = Cell::new(0);
        let check = |driver: &str, folder: &Path, pass: bool| {
            let before = runs.get();
            let checks = || {
                runs.set(before + 1);
                Ok(vec![Check { name: "sort", pass, detail: String::new() }])
            };
            check(driver, folder, checks).unwrap();
            runs.get() > before
        };
        assert!(check("a", &folder, false) && check("a", &folder, true), "what failed is no record");
        assert!(!check("a", &folder, true));
        assert!(check("b", &folder, true));
        for record in std::fs::read_dir(&folder).unwrap() {
            std::fs::write(record.unwrap().path(), "another").unwrap();
        }
        assert!(check("a", &folder, true), "a record of something else");
        // A file is where the folder would be.
        std::fs::write(dir.path().join("file"), "").unwrap();
        assert!(
            check("a", &dir.path().join("file/naka-gs"), true) && check("a", &dir.path().join("file/naka-gs"), true)
        );
    }
}
