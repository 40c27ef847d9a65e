//! Finds cameras next to a folder of photographs, where other programs put them, and checks that they belong to these.

use super::file_names::{RECORD, SETTINGS, is_hidden, is_scene};
use super::loose::{OTHERS, images_in};
use super::messages::list_names;
use super::names::SMALLER;
use super::resolve::photo_folder;
use super::{colmap, models};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Name of the folder of photographs in a COLMAP project.
const CUSTOMARY: [&str; 2] = ["images", "input"];

/// Cameras that lie beside a folder of photographs, where other programs put them: in its `colmap/` or `colmap/sparse/`
/// (nerfstudio), or in a `sparse/` beside the folder (a COLMAP project) that names these photographs.
pub fn cameras_beside(folder: &Path) -> Option<PathBuf> {
    let own = models::in_colmap(folder).ok()?;
    if own.is_some() {
        return own;
    }
    let real = folder.canonicalize().ok()?;
    let model = models::in_sparse(real.parent()?).ok()??;
    // The reader of the model reports what is wrong with it.
    let Ok(poses) = colmap::poses(&model) else { return Some(model) };
    let named: BTreeSet<String> = poses.iter().map(|pose| stem(Path::new(&pose.image.replace('\\', "/")))).collect();
    if !agree(&real, &named) {
        let names: Vec<&String> = named.iter().collect();
        let (model, folder) = (model.display(), folder.display());
        tracing::warn!("{model}: is not used for {folder}: it is of other photographs ({})", list_names(&names));
        return None;
    }
    let rivals = rivals(&real, &named);
    if !rivals.is_empty() {
        // For example a dark series and its lit twin, of which one has the poses; but two walks may look the same.
        tracing::warn!(
            "{}: is used for {}, but the photographs in {} have the same names; if the model was made from those, move {} \
             to a folder of its own",
            model.display(),
            folder.display(),
            list_names(&rivals),
            folder.display()
        );
    }
    Some(model)
}

/// The folders next to `folder` to whose photographs a model of `named` may belong as well.
fn rivals(folder: &Path, named: &BTreeSet<String>) -> Vec<String> {
    let own = folder.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    if CUSTOMARY.contains(&own.as_str()) || own.starts_with(SMALLER) {
        return Vec::new();
    }
    let entries = folder.parent().and_then(|parent| std::fs::read_dir(parent).ok()).into_iter().flatten().flatten();
    let others = entries.map(|entry| entry.path()).filter(|other| other != folder && may_rival(other));
    let others = others.filter(|other| agree(other, named));
    let mut names: Vec<String> = others.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect();
    names.sort();
    names
}

/// Whether `path` is a folder that may hold photographs of its own, not results or smaller copies.
fn may_rival(path: &Path) -> bool {
    if !path.is_dir() {
        return false;
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    // Results have the names of the photographs that they were made from.
    let results = [RECORD, SETTINGS].iter().any(|file| path.join(file).exists());
    let other = OTHERS.contains(&name.as_str()) || name.starts_with(SMALLER) || is_hidden(path);
    !results && !other && !is_scene(path)
}

/// Whether a model of the photographs `named` belongs to those in `folder`: most of each are among the other.
fn agree(folder: &Path, named: &BTreeSet<String>) -> bool {
    let photographs = photo_folder(folder).and_then(|folder| images_in(&folder).ok()).unwrap_or_default();
    let photographs: BTreeSet<String> = photographs.iter().map(|path| stem(path)).collect();
    let both = photographs.intersection(named).count();
    2 * both > photographs.len().min(named.len())
}

/// The name of a photograph, whatever its format and letter case.
fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// A COLMAP project of the photographs `model`, with folders of photographs beside its `sparse`.
    fn project(model: &[&str], folders: &[(&str, &[&str])]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let sparse = dir.path().join("sparse/0");
        fs::create_dir_all(&sparse).unwrap();
        let line = |name: &&str| format!("1 1 0 0 0 0 0 0 1 cam0/{name}\n\n");
        fs::write(sparse.join("cameras.txt"), "1 PINHOLE 6 4 5 5 3 2\n").unwrap();
        fs::write(sparse.join("images.txt"), model.iter().map(line).collect::<String>()).unwrap();
        for (folder, names) in folders {
            fs::create_dir(dir.path().join(folder)).unwrap();
            names.iter().for_each(|name| fs::write(dir.path().join(folder).join(name), "").unwrap());
        }
        dir
    }

    #[test]
    fn a_model_beside_a_folder_is_that_of_its_photographs() {
        let (one, two) = (&["1.jpg", "2.jpg", "3.jpg"][..], &["7.jpg", "8.jpg", "9.jpg"][..]);
        let used = |folders: &[(&str, &[&str])], folder: &str| {
            let dir = project(one, folders);
            cameras_beside(&dir.path().join(folder)).is_some()
        };
        assert!(used(&[("walk", one)], "walk"));
        // Of another format, more than have a pose, or fewer.
        assert!(used(&[("walk", &["1.PNG", "2.PNG", "3.PNG", "4.PNG", "5.PNG", "6.PNG", "7.PNG"])], "walk"));
        assert!(used(&[("walk", &["2.jpg"])], "walk"));
        // A second walk, with names of its own or the same.
        assert!(!used(&[("images", one), ("walk", two)], "walk"));
        let rivals = |folders: &[(&str, &[&str])], folder: &str| {
            let dir = project(one, folders);
            assert!(cameras_beside(&dir.path().join(folder)).is_some());
            super::rivals(&dir.path().join(folder), &["1", "2", "3"].map(String::from).into())
        };
        assert!(rivals(&[("images", one), ("walk", one)], "images").is_empty());
        assert!(rivals(&[("images", one), ("images_2", one)], "images_2").is_empty());
        assert_eq!(rivals(&[("images", one), ("walk", one)], "walk"), ["images"]);
        assert_eq!(rivals(&[("dark", one), ("lit", one)], "dark"), ["lit"]);
        // Smaller copies and masks are the same photographs.
        let copies = [("walk", one), ("images_4", one), ("masks", one), ("lit", &["1.jpg", "2.jpg", SETTINGS])];
        assert!(rivals(&copies, "walk").is_empty());
    }
}
