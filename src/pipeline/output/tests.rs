use super::*;
use crate::capture::{Camera, Capture, View};
use glam::DMat4;
use std::fs;

fn capture_of(photos: &[&Path]) -> Capture {
    let camera =
        Camera { width: 4, height: 4, fx: 4.0, fy: 4.0, cx: 2.0, cy: 2.0, viewmat: DMat4::IDENTITY, reduction: 1.0 };
    let view = |photo: &&Path| {
        fs::create_dir_all(photo.parent().unwrap()).unwrap();
        fs::write(photo, "photo").unwrap();
        View {
            name: "a.png".into(),
            image: Some(photo.to_path_buf()),
            camera: camera.clone(),
            lens: None,
            mask: None,
            gain: None,
            shots: Vec::new(),
        }
    };
    Capture { train: photos.iter().map(view).collect(), ..Capture::default() }
}

#[test]
fn results_do_not_go_among_the_photographs() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let capture = capture_of(&[&at("scene/images/cam0/a.png")]);
    for out in ["scene", "scene/images", "scene/images/cam0", "scene/images/cam0/out", ".", "other/../scene/images"] {
        let refused = ensure_disjoint(&at(out), &capture).unwrap_err();
        assert_eq!(refused.exit_code(), 2, "{out}: {refused}");
    }
    for out in ["out", "scene/out", "scene/images/cam1", "scene/images2"] {
        ensure_disjoint(&at(out), &capture).unwrap_or_else(|error| panic!("{out}: {error}"));
    }
    // A demo's capture lies among its results.
    ensure_disjoint(&at("demo"), &capture_of(&[&at("demo/capture/train/a.png")])).unwrap();
    let cloud = at("scene/points.ply");
    fs::write(&cloud, "").unwrap();
    let inputs = [cloud];
    assert!(ensure_no_input(&at("scene"), ["points.ply"].into_iter(), &inputs).is_err());
    assert!(ensure_no_input(&at("out"), ["points.ply"].into_iter(), &inputs).is_ok());
}

#[cfg(unix)]
#[test]
fn links_lead_to_no_photographs() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let capture = capture_of(&[&at("scene/images/a.png")]);
    std::os::unix::fs::symlink(at("scene/images"), at("out")).unwrap();
    assert!(ensure_disjoint(&at("out"), &capture).is_err());
    // A photograph that is a link to a file among the results.
    fs::create_dir_all(at("results/images")).unwrap();
    fs::write(at("results/images/b.png"), "photo").unwrap();
    let mut linked = capture.clone();
    std::os::unix::fs::symlink(at("results/images/b.png"), at("scene/images/b.png")).unwrap();
    linked.train[0].image = Some(at("scene/images/b.png"));
    assert!(ensure_disjoint(&at("results"), &linked).is_err());
}

#[test]
fn only_what_is_listed_and_unchanged_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    fs::create_dir_all(out.join("images")).unwrap();
    fs::write(dir.path().join("precious"), "mine").unwrap();
    let names = ["images/a.jpg", "images/edited.jpg", "images/unlisted.jpg", "images/half.jpg"];
    names.iter().for_each(|name| fs::write(out.join(name), "picture").unwrap());
    let folder = OutputFolder::open(&out).unwrap();
    let mut files: Files = names[..2].iter().map(|name| (name.to_string(), folder.content(name))).collect();
    files.insert(names[3].into(), None);
    // From a record that somebody else wrote.
    files.insert("../precious".into(), None);
    files.insert(dir.path().join("precious").to_string_lossy().into_owned(), None);
    fs::write(out.join("images/edited.jpg"), "edited!").unwrap();
    folder.remove(&files).unwrap();
    let left = names.map(|name| out.join(name).exists());
    assert_eq!(left, [false, true, true, false]);
    assert!(dir.path().join("precious").exists());
    fs::remove_file(out.join("images/edited.jpg")).unwrap();
    folder.remove(&files).unwrap();
    assert!(out.join("images/unlisted.jpg").exists(), "a folder with anything in it stays");
}

#[test]
fn what_is_in_the_way_is_moved_aside() {
    let dir = tempfile::tempdir().unwrap();
    let folder = OutputFolder::open(dir.path()).unwrap();
    for expected in ["points.ply.bak", "points.ply.bak2"] {
        fs::write(dir.path().join("points.ply"), "mine").unwrap();
        folder.make_way("points.ply", None).unwrap();
        assert!(!folder.occupied("points.ply"));
        assert_eq!(fs::read(dir.path().join(expected)).unwrap(), b"mine");
    }
    fs::write(dir.path().join("points.ply"), "ours").unwrap();
    let ours = folder.content("points.ply");
    folder.make_way("points.ply", Some(&ours)).unwrap();
    assert!(folder.occupied("points.ply"));
    fs::write(dir.path().join("points.ply"), "edit").unwrap();
    folder.make_way("points.ply", Some(&ours)).unwrap();
    assert_eq!(fs::read(dir.path().join("points.ply.bak3")).unwrap(), b"edit");
}

/// A received folder may have a link in the place of the lock, which whoever works there writes into.
#[cfg(unix)]
#[test]
fn a_lock_is_no_link() {
    let dir = tempfile::tempdir().unwrap();
    let (out, thesis) = (dir.path().join("out"), dir.path().join("thesis.tex"));
    fs::create_dir(&out).unwrap();
    fs::write(&thesis, "mine").unwrap();
    std::os::unix::fs::symlink("../thesis.tex", out.join(".naka-gs.lock")).unwrap();
    let refused = OutputFolder::open(&out).unwrap_err().to_string();
    assert!(refused.contains(".naka-gs.lock") && refused.contains("not a regular file"), "{refused}");
    assert_eq!(fs::read(&thesis).unwrap(), b"mine");
    assert!(fs::symlink_metadata(out.join(".naka-gs.lock")).unwrap().is_symlink());
}

/// An output folder `out` that is held, in a folder of its own.
#[cfg(unix)]
fn held() -> (tempfile::TempDir, std::path::PathBuf, OutputFolder) {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let first = OutputFolder::open(&out).unwrap();
    (dir, out, first)
}

#[cfg(unix)]
#[test]
fn a_folder_that_was_moved_or_made_anew_is_not_written_into() {
    let (dir, out, first) = held();
    storage::write_bytes(first.join("a.jpg"), b"picture").unwrap();
    first.ensure_held().unwrap();
    fs::rename(&out, dir.path().join("moved")).unwrap();
    let refused = storage::write_bytes(first.join("checkpoints/a"), b"state").unwrap_err().to_string();
    assert!(refused.contains("checkpoints") && refused.contains("was moved"), "{refused}");
    assert!(!out.exists());
    // Another one works in a new folder of this name.
    fs::create_dir(&out).unwrap();
    fs::write(out.join(".naka-gs.lock"), "12345 on another").unwrap();
    assert!(storage::write_bytes(first.join("a.jpg"), b"picture").is_err());
    assert!(first.ensure_held().unwrap_err().to_string().contains("was moved"));
    assert_eq!(fs::read_dir(&out).unwrap().count(), 1);
    // Moved back.
    fs::remove_dir_all(&out).unwrap();
    fs::rename(dir.path().join("moved"), &out).unwrap();
    storage::write_bytes(first.join("a.jpg"), b"picture").unwrap();
}

#[test]
fn a_name_that_leads_up_again_stays_one() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("new/x/../out");
    let folder = OutputFolder::open(&out).unwrap();
    storage::write_bytes(out.join("a.jpg"), b"picture").unwrap();
    drop(folder);
    assert!(out.join("a.jpg").is_file());
}

#[cfg(unix)]
#[test]
fn the_lock_of_a_folder_made_anew_stays() {
    let (_dir, out, first) = held();
    fs::remove_dir_all(&out).unwrap();
    fs::create_dir(&out).unwrap();
    let second = OutputFolder::open(&out).unwrap();
    assert!(first.ensure_held().is_err());
    drop(first);
    second.ensure_held().unwrap();
    assert!(matches!(OutputFolder::open(&out), Err(crate::Error::InUse { .. })));
}

#[test]
fn a_folder_has_one_owner() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("new/out");
    let first = OutputFolder::open(&out).unwrap();
    let refused = OutputFolder::open(&out).unwrap_err();
    let text = refused.to_string();
    // Where locks are mandatory nobody else reads whose it is.
    let named = cfg!(windows) || text.contains(&std::process::id().to_string());
    assert!(named && text.contains("out"), "{text}");
    drop(first);
    assert!(!dir.path().join("new").exists(), "nothing was written into it");
    fs::create_dir_all(&out).unwrap();
    // A killed owner leaves its file, and no lock.
    fs::write(out.join(".naka-gs.lock"), "12345 on another").unwrap();
    let again = OutputFolder::open(&out).unwrap();
    drop(again);
    assert_eq!(fs::read_dir(&out).unwrap().count(), 0);
}
