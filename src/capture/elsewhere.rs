//! Reports poses in places or formats that are not read.

use super::file_names::{RECORD, ending, folder_in, holds_model, is_hidden, is_scene};
use super::models;
use crate::error::{Error, Result};
use crate::limits;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Largest depth of nested folders, and number of entries, to search.
const DEEPEST: usize = 3;
const MOST_ENTRIES: usize = 5000;
/// Bytes at the start of a text file that identify its kind.
const START: u64 = 1 << 16;

/// Fails where a folder of photographs without poses has some in a file or folder of another name, and warns of files
/// of poses that are not read.
///
/// # Errors
/// A JSON file with frames under another name than a scene's; a COLMAP model in another place than a scene's.
pub fn look_for_other_poses(scene: &Path) -> Result<()> {
    for path in entries(scene) {
        let ending = ending(&path);
        match ending.as_str() {
            "json" if has_frames(&path) => {
                let found = "holds poses, but a scene's are called transforms.json or transforms_train.json";
                return Err(Error::input(
                    path,
                    found,
                    "rename it to transforms.json, or pass it as `poses.poses_from`",
                ));
            }
            "xml" | "csv" | "nvm" | "out" => {
                if let Some(program) = program_of(&start(&path), &ending) {
                    let file = path.display();
                    tracing::warn!(
                        "{file}: poses of {program} are not read: export them as a COLMAP model (text) or transforms.json"
                    );
                }
            }
            _ => {}
        }
    }
    let mut told = BTreeSet::new();
    for folder in folders(scene) {
        if holds_model(&folder) {
            let found = "holds a COLMAP model, but a scene's is in sparse/0";
            return Err(Error::input(
                folder,
                found,
                "pass it as `poses.poses_from`, or move it out of the scene folder",
            ));
        }
        for path in entries(&folder) {
            // One file of many is enough.
            if let Some(kind) = kind_of(&path).filter(|kind| told.insert(*kind)) {
                tracing::warn!("{}: {kind} are not read: give a COLMAP model or transforms.json", path.display());
            }
        }
    }
    if let Some(folder) = scene_below(scene) {
        tracing::warn!("{}: holds poses, which are not used: give that folder as the scene", folder.display());
    }
    Ok(())
}

/// The first folder below `scene` that is a scene itself.
pub fn scene_below(scene: &Path) -> Option<PathBuf> {
    let mut folders = vec![(scene.to_path_buf(), 0)];
    let mut seen = 0;
    while let Some((folder, depth)) = folders.pop() {
        let below: Vec<PathBuf> = entries(&folder).into_iter().filter(|path| path.is_dir()).collect();
        seen += below.len();
        // Results look like scenes.
        let is_one = |path: &&PathBuf| {
            let like_one = is_scene(path) && !path.join(RECORD).exists();
            like_one && (depth > 0 || path.file_name().is_none_or(|name| !name.eq_ignore_ascii_case("sparse")))
        };
        let found = below.iter().find(is_one).filter(|path| {
            folder_in(path, "sparse").is_none() || models::find(path).is_ok_and(|model| model.is_some())
        });
        if let Some(found) = found {
            return Some(found.clone());
        }
        if depth + 1 < DEEPEST && seen < MOST_ENTRIES {
            folders.extend(below.into_iter().map(|path| (path, depth + 1)));
        }
    }
    None
}

/// `scene` and the folders below it that are neither hidden nor results nor scenes of their own.
fn folders(scene: &Path) -> Vec<PathBuf> {
    let (mut found, mut at) = (vec![(scene.to_path_buf(), 0)], 0);
    while let Some((folder, depth)) = found.get(at).filter(|_| found.len() < MOST_ENTRIES).cloned() {
        let looked_at =
            |path: &PathBuf| !is_hidden(path) && path.is_dir() && !path.join(RECORD).exists() && !is_scene(path);
        if depth < DEEPEST {
            found.extend(entries(&folder).into_iter().filter(looked_at).map(|path| (path, depth + 1)));
        }
        at += 1;
    }
    found.into_iter().map(|(folder, _)| folder).collect()
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut entries: Vec<PathBuf> = entries.take(MOST_ENTRIES).collect();
    entries.sort();
    entries
}

fn has_frames(path: &Path) -> bool {
    let value = limits::read_text(path).ok().and_then(|text| serde_json::from_str::<serde_json::Value>(&text).ok());
    let frames = value.as_ref().and_then(|value| value.get("frames")?.as_array()?.first());
    frames.is_some_and(|frame| frame.get("transform_matrix").is_some())
}

/// The kind of a pose file that is recognized by its name.
fn kind_of(path: &Path) -> Option<&'static str> {
    let name = path.file_name()?.to_str()?.to_lowercase();
    match name.as_str() {
        "poses_bounds.npy" => Some("poses of LLFF"),
        "reconstruction.json" if start(path).contains("\"cameras\"") => Some("poses of OpenSfM"),
        name if name.starts_with("cameras") && name.ends_with(".npz") => Some("poses of IDR and NeuS"),
        "metadata" | "metadata.json" if has_keys(path, &["poses", "K"]) => Some("poses of Record3D"),
        "sfm_data.json" if has_keys(path, &["extrinsics"]) => Some("poses of OpenMVG"),
        name if name.ends_with(".sfm") && has_keys(path, &["poses", "views"]) => Some("poses of Meshroom"),
        name if name.ends_with(".json") && has_keys(path, &["t_00", "t_23"]) => Some("poses of Polycam"),
        name if name.ends_with("cam.txt") && start(path).trim_start().starts_with("extrinsic") => {
            Some("poses of MVSNet")
        }
        name if name.ends_with(".txt") && is_in(path, "pose") && is_matrix(&start(path)) => Some("poses of ScanNet"),
        name if name.ends_with(".txt") && start(path).to_lowercase().contains("# timestamp tx ty tz") => {
            Some("poses of TUM's format")
        }
        _ => None,
    }
}

/// Whether the text of JSON that the file begins with has all of these keys.
fn has_keys(path: &Path, keys: &[&str]) -> bool {
    let start = start(path);
    keys.iter().all(|key| start.contains(&format!("\"{key}\"")))
}

fn is_in(path: &Path, folder: &str) -> bool {
    path.parent().and_then(Path::file_name).is_some_and(|name| name.eq_ignore_ascii_case(folder))
}

/// Whether a text is a 4 × 4 matrix.
fn is_matrix(text: &str) -> bool {
    text.split_ascii_whitespace().filter(|word| word.parse::<f64>().is_ok()).count() == 16 && text.lines().count() >= 4
}

fn start(path: &Path) -> String {
    let mut bytes = Vec::new();
    // What cannot be read is no file of poses.
    let _ = File::open(path).and_then(|file| file.take(START).read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}

fn program_of(start: &str, ending: &str) -> Option<&'static str> {
    let first = start.lines().next().unwrap_or_default().to_lowercase();
    match ending {
        "xml" if start.contains("<document") && start.contains("<camera") => Some("Metashape"),
        "xml" if start.contains("<BlocksExchange") => Some("ContextCapture"),
        "csv" if first.contains("name") && (first.contains("heading") || first.contains("omega")) => {
            Some("RealityCapture")
        }
        "nvm" if start.starts_with("NVM_V3") => Some("VisualSFM"),
        "out" if start.starts_with("# Bundle") => Some("Bundler"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_misnamed_transforms_file_is_named() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("notes.json"), "{\"frames\": 3}").unwrap();
        fs::write(dir.path().join("broken.json"), "{").unwrap();
        look_for_other_poses(dir.path()).unwrap();
        fs::write(dir.path().join("transform_train.json"), "{\"frames\": [{\"transform_matrix\": []}]}").unwrap();
        let error = look_for_other_poses(dir.path()).unwrap_err().to_string();
        assert!(error.contains("transform_train.json") && error.contains("transforms.json"), "{error}");
    }

    #[test]
    fn a_colmap_model_in_a_folder_of_another_name_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let model = |folder: &Path| {
            fs::create_dir_all(folder).unwrap();
            ["cameras.txt", "images.txt"].iter().for_each(|name| fs::write(folder.join(name), "").unwrap());
        };
        fs::write(dir.path().join("images.txt"), "a list of photographs").unwrap();
        model(&dir.path().join("results/sparse/0"));
        fs::write(dir.path().join("results/run.json"), "{}").unwrap();
        model(&dir.path().join("dense/sparse"));
        look_for_other_poses(dir.path()).unwrap();
        model(&dir.path().join("reconstruction/0"));
        let error = look_for_other_poses(dir.path()).unwrap_err().to_string();
        assert!(error.contains("reconstruction/0") && error.contains("poses_from"), "{error}");
    }

    #[test]
    fn files_of_other_programs_are_known_by_their_name() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("reconstruction.json"), "[{\"cameras\": {}, \"shots\": {}}]").unwrap();
        for (name, known) in
            [("poses_bounds.npy", true), ("cameras_sphere.npz", true), ("reconstruction.json", true), ("a.npz", false)]
        {
            assert_eq!(kind_of(&dir.path().join(name)).is_some(), known, "{name}");
        }
        let rows = "1 0 0 0\n0 1 0 0\n0 0 1 0\n0 0 0 1\n";
        for (name, content, known) in [
            ("keyframes/cameras/17.json", "{\"t_00\": 1, \"t_23\": 2}", Some("Polycam")),
            ("metadata", "{\"poses\": [], \"K\": []}", Some("Record3D")),
            ("metadata.json", "{\"title\": \"K\"}", None),
            ("sfm_data.json", "{\"views\": [], \"extrinsics\": []}", Some("OpenMVG")),
            ("cameras.sfm", "{\"views\": [], \"poses\": []}", Some("Meshroom")),
            ("cams/00000001_cam.txt", "extrinsic\n1 0 0 0\n", Some("MVSNet")),
            ("pose/0.txt", rows, Some("ScanNet")),
            ("notes/0.txt", rows, None),
            ("groundtruth.txt", "# timestamp tx ty tz qx qy qz qw\n", Some("TUM")),
        ] {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, content).unwrap();
            let found = kind_of(&path);
            assert_eq!(found.is_some(), known.is_some(), "{name}");
            assert!(found.is_none_or(|found| found.contains(known.unwrap())), "{found:?}");
        }
    }

    #[test]
    fn files_of_other_programs_are_known_by_their_content() {
        for (start, ending, program) in [
            (
                "<?xml version=\"1.0\"?><document version=\"1.5.0\"><chunk><cameras><camera id=\"0\"/>",
                "xml",
                Some("Metashape"),
            ),
            ("<?xml version=\"1.0\"?><note/>", "xml", None),
            ("#name,x,y,alt,heading,pitch,roll,f\n", "csv", Some("RealityCapture")),
            ("name,price\n", "csv", None),
            ("NVM_V3\n", "nvm", Some("VisualSFM")),
            ("# Bundle file v0.3\n", "out", Some("Bundler")),
        ] {
            assert_eq!(program_of(start, ending), program, "{start}");
        }
    }

    #[test]
    fn a_scene_further_down_is_found() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(scene_below(dir.path()), None);
        // As COLMAP's automatic reconstruction leaves it.
        let folder = dir.path().join("dense/0");
        fs::create_dir_all(folder.join("sparse")).unwrap();
        assert_eq!(scene_below(dir.path()), None);
        for name in ["cameras.txt", "images.txt", "points3D.txt"] {
            fs::write(folder.join("sparse").join(name), "").unwrap();
        }
        assert_eq!(scene_below(dir.path()), Some(folder));
    }
}
