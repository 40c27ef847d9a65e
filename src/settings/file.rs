//! `settings.toml` beside results. The file carries a hash that shows whether the program wrote it, so that one written or
//! edited by a user is never replaced without `--overwrite`.

use super::Settings;
use crate::error::{Error, Result};
use crate::hash::sha256;
use crate::storage;
use std::path::Path;

/// Text before the hash of the rest, in the first line.
const MARK: &str = "; sha256 of what follows: ";

/// The text of the file: a comment with the hash of what follows it, then the settings.
pub(super) fn text(body: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    format!("# Resolved settings of naka-gs {version}, as a settings file{MARK}{}\n{body}", sha256(body))
}

/// Whether `text` is a settings file as the program wrote it.
fn is_unedited(text: &str) -> bool {
    let Some((first, body)) = text.split_once('\n') else { return false };
    first.split_once(MARK).is_some_and(|(_, recorded)| recorded == sha256(body))
}

/// Fails where [`write()`] would have to move a file aside without `overwrite`.
///
/// # Errors
/// [`Error::Exists`].
pub fn check(path: &Path, overwrite: bool) -> Result<()> {
    if overwrite || is_ours(path) { Ok(()) } else { Err(Error::Exists(path.to_path_buf())) }
}

/// Writes the settings beside a result. A file there that the program did not write, or that was edited, is moved aside
/// with `overwrite`, and is an error without.
///
/// # Errors
/// [`Error::Exists`], and those of writing.
pub fn write(path: &Path, settings: &Settings, overwrite: bool) -> Result<()> {
    check(path, overwrite)?;
    if !is_ours(path) {
        let backup = storage::set_aside(path)?;
        tracing::warn!("{} was not written by naka-gs, or edited: kept as {}", path.display(), backup.display());
    }
    storage::write_bytes(path, settings.to_toml()?.as_bytes())
}

/// Whether nothing is at `path`, or a file as the program wrote it.
fn is_ours(path: &Path) -> bool {
    match std::fs::symlink_metadata(path) {
        Err(_) => true,
        Ok(data) => data.is_file() && std::fs::read_to_string(path).is_ok_and(|text| is_unedited(&text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_as_written_are_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("settings.toml");
        let settings = Settings::default();
        write(&path, &settings, false).unwrap();
        write(&path, &Settings { seed: 7, ..settings.clone() }, false).unwrap();
        let written = std::fs::read_to_string(&path).unwrap();
        assert!(written.contains("seed = 7"));
        for mine in [written.replace("seed = 7", "seed = 8"), "# mine\n".into(), String::new()] {
            std::fs::write(&path, &mine).unwrap();
            assert!(matches!(write(&path, &settings, false), Err(Error::Exists(_))));
            assert_eq!(std::fs::read_to_string(&path).unwrap(), mine);
            write(&path, &settings, true).unwrap();
            let backup = storage::set_aside(&path).unwrap();
            std::fs::remove_file(backup).unwrap();
        }
        let backups = ["settings.toml.bak", "settings.toml.bak2"].map(|name| dir.path().join(name));
        assert!(std::fs::read_to_string(&backups[0]).unwrap().contains("seed = 8"));
        assert_eq!(std::fs::read_to_string(&backups[1]).unwrap(), "# mine\n");
    }
}
