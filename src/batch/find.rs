//! The scenes below a folder.

use crate::capture::{holds_images, image_count, is_scene, photo_folder};
use crate::error::{Error, Result};
use crate::pipeline::frames::MANIFEST;
use crate::pipeline::record::{RUN_FILE, Run};
use crate::poses::MIN_REGISTERED;
use crate::video::is_video;
use std::path::{Path, PathBuf};

/// A scene of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Its path below the folder of the batch, with `/` between folders; the results' path below theirs.
    pub name: String,
    /// Its folder, or the video that it is.
    pub folder: PathBuf,
}

/// Largest depth of the search: links could lead in circles.
const DEEPEST: usize = 16;

/// The scenes below `folder` (or `folder` itself), by name: folders with poses, and those with at least three photographs
/// and no folder with poses below, and videos that lie in none of these. A scene's own folders are not looked into, nor are
/// folders of results (`out`, any with a `run.json`, and frames of videos) and hidden ones. A folder with poses is a
/// scene even where it holds frames, or a `run.json` of another program.
///
/// # Errors
/// A folder that cannot be read, without a scene, or that is the results of a run.
pub fn find(folder: &Path, out: &Path) -> Result<Vec<Found>> {
    let real = folder.canonicalize().map_err(Error::io(folder))?;
    let results = out.canonicalize().ok();
    if results.as_ref() == Some(&real) {
        let found = format!("{} is the folder of the scenes", out.display());
        return Err(Error::setting("out", found, "choose another folder for the results"));
    }
    if !real.is_dir() {
        return Err(Error::input(folder, "is a file", "give a folder with scenes in it"));
    }
    let scenes = if is_scene(folder) { vec![] } else { below(folder, "", results.as_deref(), DEEPEST)? };
    if is_scene(folder) || (photographs(folder) && !posed(&scenes)) {
        if Run::is_in(folder) {
            let remedy = "give the folder of the scene, or one with scenes below it";
            return Err(Error::input(folder, "holds the results of a run, which are no scene", remedy));
        }
        let name = real.file_name().unwrap_or_else(|| "scene".as_ref()).to_string_lossy().into_owned();
        return Ok(vec![Found { name, folder: folder.to_path_buf() }]);
    }
    if scenes.is_empty() {
        let found = "holds no scene, nor does a folder below it";
        let remedy = "a scene is a folder with transforms_train.json, transforms.json or COLMAP's sparse, or with at \
                      least three photographs, or a video";
        return Err(Error::input(folder, found, remedy));
    }
    Ok(scenes)
}

fn below(folder: &Path, prefix: &str, out: Option<&Path>, depth: usize) -> Result<Vec<Found>> {
    let entries = std::fs::read_dir(folder).map_err(Error::io(folder))?;
    let mut paths = entries.map(|e| e.map(|e| e.path()).map_err(Error::io(folder))).collect::<Result<Vec<_>>>()?;
    paths.sort();
    let mut scenes = Vec::new();
    for path in paths {
        let Some(own) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else { continue };
        if is_video(&path) {
            scenes.push(Found { name: format!("{prefix}{own}"), folder: path });
            continue;
        }
        let results = [RUN_FILE, MANIFEST].iter().any(|record| path.join(record).exists())
            || (out.is_some() && path.canonicalize().ok().as_deref() == out);
        if own.starts_with('.') || !path.is_dir() || (results && !is_scene(&path)) {
            continue;
        }
        if Run::is_in(&path) {
            tracing::info!("{} holds the results of a run: skipped", path.display());
            continue;
        }
        let name = format!("{prefix}{own}");
        let look = depth > 0 && !is_scene(&path);
        let others = if look { below(&path, &format!("{name}/"), out, depth - 1)? } else { vec![] };
        if is_scene(&path) || (photographs(&path) && !posed(&others)) {
            scenes.push(Found { name, folder: path });
        } else {
            scenes.extend(others);
        }
    }
    Ok(scenes)
}

/// Whether `folder` holds enough photographs to estimate poses.
fn photographs(folder: &Path) -> bool {
    // Folders below it, unless they are those of its `images/`, may be scenes of their own.
    let own = photo_folder(folder).filter(|photos| photos != folder || holds_images(folder));
    own.is_some_and(|photos| image_count(&photos) >= MIN_REGISTERED)
}

fn posed(scenes: &[Found]) -> bool {
    scenes.iter().any(|scene| is_scene(&scene.folder))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::output::Files;
    use crate::pipeline::record::{Stage, StageRecord};
    use crate::settings::Settings;

    fn make(root: &Path, files: &[impl AsRef<Path>]) {
        for file in files {
            let path = root.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
    }

    fn names(found: Result<Vec<Found>>) -> Vec<String> {
        found.unwrap().into_iter().map(|found| found.name).collect()
    }

    #[test]
    fn scenes_at_any_depth_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        make(
            dir.path(),
            &[
                "b/transforms_train.json",
                "b/images/transforms.json",
                "a/one/sparse/0/cameras.bin",
                "a/two/transforms.json",
                ".hidden/transforms.json",
                "notes/readme.txt",
                "old/run.json",
                "old/capture/transforms_train.json",
                "out/b/transforms.json",
            ],
        );
        let out = dir.path().join("out");
        assert_eq!(names(find(dir.path(), &out)), ["a/one", "a/two", "b"]);
        // Photographs alone, directly or in their usual folder; not a few, and not those beside scenes with poses.
        let photos = |folder: &str, count: usize| {
            make(dir.path(), &(0..count).map(|i| format!("{folder}/{i}.JPG")).collect::<Vec<_>>());
        };
        photos("c", 3);
        photos("c/small", 3);
        photos("d/images", 4);
        photos("few", 2);
        photos("a", 5);
        photos("old/renders", 9);
        photos("out/d/images", 9);
        assert_eq!(names(find(dir.path(), &out)), ["a/one", "a/two", "b", "c", "d"]);
        assert_eq!(names(find(&dir.path().join("c"), &out)), ["c"]);
        assert!(find(&dir.path().join("few"), &out).unwrap_err().to_string().contains("three photographs, or a video"));
        assert_eq!(names(find(&dir.path().join("a/two"), &out)), ["two"]);
        assert!(find(&dir.path().join("notes"), &out).unwrap_err().to_string().contains("no scene"));
        assert!(find(&dir.path().join("nowhere"), &out).is_err());
        assert!(find(&dir.path().join("notes/readme.txt"), &out).is_err());
        assert_eq!(find(dir.path(), dir.path()).unwrap_err().exit_code(), 2);
    }

    /// Results have pictures, and COLMAP's `sparse/0` or `transforms.json`, as a scene does.
    #[test]
    fn earlier_results_are_no_scenes_of_a_batch() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("full");
        make(dir.path(), &["room/1.jpg", "room/2.jpg", "room/3.jpg", "other/transforms.json", "other/run.json"]);
        make(&dir.path().join("quick/room"), &["sparse/0/cameras.bin", "images/1.jpg", "images/2.jpg", "images/3.jpg"]);
        let results = dir.path().join("quick/room");
        let mut run = Run::new(&dir.path().join("room"), &Settings::default());
        run.put(StageRecord::beginning(Stage::POSES, "", String::new(), Files::new()));
        run.write(&results).unwrap();
        assert_eq!(names(find(dir.path(), &out)), ["other", "room"]);
        let error = find(&results, &out).unwrap_err().to_string();
        assert!(error.contains("results of a run"), "{error}");
        // What another program calls `run.json`.
        std::fs::write(results.join(RUN_FILE), r#"{"name": "sweep 7"}"#).unwrap();
        assert_eq!(names(find(dir.path(), &out)), ["other", "quick/room", "room"]);
        assert_eq!(names(find(&results, &out)), ["room"]);
    }

    #[test]
    fn videos_are_scenes_where_there_are_no_others_around_them() {
        let dir = tempfile::tempdir().unwrap();
        make(
            dir.path(),
            &["walk.MP4", "._walk.MP4", "notes.txt", "b/film.mov", "posed/transforms.json", "posed/film.mov"],
        );
        make(dir.path(), &["c/1.jpg", "c/2.jpg", "c/3.jpg", "c/film.mov"]);
        make(dir.path(), &["walk.frames/1.png", "walk.frames/2.png", "walk.frames/3.png", "walk.frames/frames.json"]);
        assert_eq!(names(find(dir.path(), &dir.path().join("out"))), ["b/film.mov", "c", "posed", "walk.MP4"]);
    }
}
