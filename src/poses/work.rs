//! Temporary files of COLMAP and this stage until the poses are found. Only these are deleted: other files in the work folder
//! stay, and then the folder stays, too.

use crate::error::Result;
use crate::storage;
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

/// Names of the pictures that features are looked for in, one a line.
pub const LIST: &str = "images.txt";
/// The pictures.
pub const PICTURES: &str = "images";
/// What masks hide of them.
pub const MASKS: &str = "masks";
/// COLMAP's features and matches.
pub const DATABASE: &str = "database.db";
/// The models found, in folders with numbers for names.
pub const MODELS: &str = "models";
/// The largest model as text.
pub const TEXT: &str = "text";
/// The steps, each of which leaves `STEP.done`.
pub const STEPS: [&str; 3] = ["features", "matches", "models"];

/// What versions 3.8 to 4 of COLMAP write for a model.
const MODEL_FILES: [&str; 5] = ["cameras", "images", "points3D", "frames", "rigs"];

/// The file in [`MASKS`] for a picture.
pub fn mask_name(picture: &str) -> String {
    format!("{picture}.png")
}

/// The file that says that a step is finished.
pub fn mark(step: &str) -> String {
    format!("{step}.done")
}

/// Notes which pictures will be written, so that they can be told from others.
///
/// # Errors
/// The list cannot be written.
pub fn announce<'n>(work: &Path, pictures: impl Iterator<Item = &'n str>) -> Result<()> {
    let list: String = pictures.map(|name| format!("{name}\n")).collect();
    storage::write_bytes(work.join(LIST), list.as_bytes())
}

/// Removes the work folder.
///
/// # Errors
/// A file that cannot be removed.
pub fn remove(work: &Path) -> Result<()> {
    let pictures = std::fs::read_to_string(work.join(LIST)).unwrap_or_default();
    remove_named(&work.join(PICTURES), pictures.lines().map(String::from))?;
    remove_named(&work.join(MASKS), pictures.lines().map(mask_name))?;
    remove_models(work)?;
    remove_model(&work.join(TEXT))?;
    let database = ["", "-shm", "-wal", "-journal"].map(|ending| format!("{DATABASE}{ending}"));
    let marks = STEPS.map(mark);
    // The list goes last: it says which pictures are ours.
    for name in database.iter().chain(&marks).map(String::as_str).chain([LIST]) {
        storage::remove_file(work.join(name))?;
    }
    if work.exists() && !storage::remove_empty_folder(work) {
        tracing::warn!("{} holds files that this run did not make: left alone", work.display());
    }
    Ok(())
}

/// Removes the files `names` within `folder`, and the folders that are empty then.
fn remove_named(folder: &Path, names: impl Iterator<Item = String>) -> Result<()> {
    let names: Vec<String> = names.filter(|name| is_within(folder, name)).collect();
    names.iter().try_for_each(|name| storage::remove_file(folder.join(name)))?;
    storage::remove_leftovers_below(folder);
    let folders: BTreeSet<&str> =
        names.iter().flat_map(|name| name.match_indices('/').map(|(end, _)| &name[..end])).collect();
    // What is within another folder goes before it.
    folders.into_iter().rev().chain([""]).for_each(|name| _ = storage::remove_empty_folder(folder.join(name)));
    Ok(())
}

/// Whether `name` is that of a file within `folder`, links followed.
fn is_within(folder: &Path, name: &str) -> bool {
    let plain = Path::new(name).components().all(|part| matches!(part, Component::Normal(_)));
    let Some(parent) = Path::new(name).parent().filter(|_| plain) else { return false };
    match (folder.canonicalize(), folder.join(parent).canonicalize()) {
        (Ok(folder), Ok(real)) => real == folder.join(parent),
        _ => false,
    }
}

/// Removes the models found so far.
pub fn remove_models(work: &Path) -> Result<()> {
    let models = work.join(MODELS);
    let entries = std::fs::read_dir(&models).into_iter().flatten().flatten().map(|entry| entry.path());
    let numbered = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().parse::<u32>().is_ok());
    let folders: Vec<PathBuf> = entries.filter(numbered).filter(|path| path.is_dir() && !path.is_symlink()).collect();
    // GLOMAP and some versions write a single model without a folder of its own.
    folders.iter().chain([&models]).try_for_each(|folder| remove_model(folder))
}

fn remove_model(folder: &Path) -> Result<()> {
    for name in MODEL_FILES.iter().flat_map(|name| ["bin", "txt"].map(|ending| format!("{name}.{ending}"))) {
        storage::remove_file(folder.join(name))?;
    }
    storage::remove_file(folder.join("project.ini"))?;
    storage::remove_empty_folder(folder);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn only_known_files_go() {
        let dir = tempfile::tempdir().unwrap();
        let work = dir.path().join("poses");
        let ours = [
            "images/a.png.jpg",
            "images/cam0/b.png.jpg",
            "masks/cam0/b.png.jpg.png",
            "database.db",
            "database.db-wal",
            "features.done",
            "models/0/cameras.bin",
        ];
        let more = ["models/12/rigs.bin", "models/0/project.ini", "text/points3D.txt"];
        let fill = || {
            for name in ours.iter().chain(&more) {
                fs::create_dir_all(work.join(name).parent().unwrap()).unwrap();
                fs::write(work.join(name), "").unwrap();
            }
            fs::write(work.join(LIST), "a.png.jpg\ncam0/b.png.jpg\n../../precious\ncam0/../../../precious\n").unwrap();
        };
        fs::write(dir.path().join("precious"), "mine").unwrap();
        fill();
        remove(&work).unwrap();
        assert!(!work.exists() && dir.path().join("precious").exists());
        fill();
        let mine =
            ["images/b.png.jpg", "images/cam0/mine.jpg", "models/notes.txt", "notes.txt", "models/mine/cameras.bin"];
        for name in mine {
            fs::create_dir_all(work.join(name).parent().unwrap()).unwrap();
            fs::write(work.join(name), "mine").unwrap();
        }
        remove(&work).unwrap();
        assert!(mine.iter().all(|name| work.join(name).exists()));
        assert!(ours.iter().all(|name| !work.join(name).exists()));
    }
}
