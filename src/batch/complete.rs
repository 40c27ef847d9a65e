//! Checks that there is a run of every scene in the table of a batch.

use super::summary::{self, Row, SUMMARY_FILE, Status};
use crate::error::{Error, Result};
use crate::pipeline::record::RUN_FILE;
use std::path::Path;

/// Fails where the table of a batch in the folder `path`, or in one below it, has a scene without a run: results gathered there
/// would lack it. Warns about runs that are older than a failure. `path` may be the table, too (`out/*` in a shell); any other
/// file is ignored.
///
/// # Errors
/// [`Error::Input`] naming table and scenes; a folder that cannot be read.
pub fn ensure_complete(path: &Path) -> Result<()> {
    match path.parent() {
        Some(folder) if path.ends_with(SUMMARY_FILE) && path.is_file() => check_table(folder),
        _ if path.is_dir() => check_folders(path),
        _ => Ok(()),
    }
}

fn check_folders(folder: &Path) -> Result<()> {
    if folder.join(RUN_FILE).is_file() {
        return Ok(());
    }
    check_table(folder)?;
    let entries = std::fs::read_dir(folder).map_err(Error::io(folder))?;
    let paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    // Links could lead in circles, and a run is made where it lies.
    paths.filter(|path| path.is_dir() && !path.is_symlink()).try_for_each(|path| check_folders(&path))
}

/// A file of that name from another program is not a table.
fn check_table(folder: &Path) -> Result<()> {
    let unread = |error| tracing::warn!("{error}; whether a scene of a batch has no run there is not checked");
    let rows = summary::read(folder).map_err(unread).ok().flatten().unwrap_or_default();
    let has_run = |row: &&Row| folder.join(&row.scene).join(RUN_FILE).is_file();
    let (made, absent): (Vec<&Row>, Vec<&Row>) = rows.iter().partition(has_run);
    for row in made.iter().filter(|row| !matches!(row.status, Status::Done | Status::Kept)) {
        let (folder, status) = (folder.join(&row.scene), row.status.name());
        tracing::warn!("{}: {status} in the table of its batch, so it may hold an earlier run", folder.display());
    }
    if absent.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = absent.iter().map(|row| row.scene.as_str()).collect();
    let found = format!("has scenes of which there is no run: {}", names.join(", "));
    let remedy = "run the same batch again, or name the folders of the runs that count";
    Err(Error::input(folder.join(SUMMARY_FILE), found, remedy))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn row(scene: &str, status: Status) -> Row {
        Row { status, ..Row::waiting(scene) }
    }

    #[test]
    fn a_scene_without_a_run_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let (night, run) = (dir.path().join("night"), |scene: &str| dir.path().join("night").join(scene));
        for scene in ["a", "low/b"] {
            fs::create_dir_all(run(scene)).unwrap();
            fs::write(run(scene).join(RUN_FILE), "{}").unwrap();
        }
        // `low/b` failed at a later time than it was made.
        let rows = [row("a", Status::Done), row("low/b", Status::Failed)];
        summary::write(&night, &rows).unwrap();
        ensure_complete(dir.path()).unwrap();
        let rows = [rows.as_slice(), &[row("c", Status::Failed), row("low/d", Status::Waiting)]].concat();
        summary::write(&night, &rows).unwrap();
        for path in [dir.path(), &night, &night.join(SUMMARY_FILE)] {
            let error = ensure_complete(path).unwrap_err().to_string();
            assert!(error.contains("summary.csv") && error.contains("no run: c, low/d;"), "{error}");
        }
        ensure_complete(&run("a")).unwrap();
        fs::write(night.join(SUMMARY_FILE), "name,mark\nAnna,1\n").unwrap();
        ensure_complete(dir.path()).unwrap();
    }
}
