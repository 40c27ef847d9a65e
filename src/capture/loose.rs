//! Photographs without poses, and poses without photographs, for single stages.

use super::file_names::{ENDINGS, RECORD, check_text, ending, is_hidden, is_scene, masked};
use super::frame::{refuse_frame, view};
use super::messages::list_names;
use super::{Camera, Capture, View, image_size, kinds, names, transforms};
use crate::error::{Error, Result};
use glam::DMat4;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Folders beside photographs that hold other pictures, in lower case.
pub const OTHERS: [&str; 16] = [
    "masks",
    "mask",
    "depth",
    "depths",
    "normals",
    "sparse",
    "colmap",
    "test",
    "val",
    "truth",
    "renders",
    "__macosx",
    "@eadir",
    "$recycle.bin",
    "#recycle",
    "@recycle",
];
/// Folders within each other that are looked into for photographs.
const DEEPEST: usize = 16;

/// The photograph `path`, or those in the folder `path`: [`readable_photos`], all of them.
///
/// # Errors
/// As there, and for any image whose header cannot be read.
pub fn photos(path: impl AsRef<Path>) -> Result<Capture> {
    let (capture, mut unreadable) = readable_photos(&[path])?;
    if unreadable.is_empty() { Ok(capture) } else { Err(unreadable.swap_remove(0)) }
}

/// The photographs among `paths`, and those of the folders among them, by name, as a capture whose cameras have sizes but
/// no poses (all at the origin): enough for stages that look at pixels only. Of a folder without photographs directly in
/// it those below it count (a folder for each camera of a rig). Files whose header cannot be read are set aside and
/// returned as errors that name them, as long as there are others.
///
/// # Errors
/// A path that does not exist, a folder without images, or nothing that can be read.
pub fn readable_photos(paths: &[impl AsRef<Path>]) -> Result<(Capture, Vec<Error>)> {
    let mut files = Vec::new();
    for path in paths.iter().map(AsRef::as_ref) {
        match std::fs::metadata(path).map_err(Error::io(path))?.is_dir() {
            true => {
                files.extend(images_in(path)?.into_iter().map(|file| (file, Some(path))));
                kinds::warn_of(path);
                kinds::warn_of_second(path);
                warn_of_unused(path);
            }
            false => files.push((path.to_path_buf(), None)),
        }
    }
    let (mut train, mut unreadable) = (Vec::new(), Vec::new());
    let mut files = files.into_iter().peekable();
    while let Some((_, folder)) = files.peek() {
        let (folder, mut views) = (*folder, Vec::new());
        while let Some((file, _)) = files.next_if(|(_, other)| *other == folder) {
            match photo(&file) {
                Ok(view) => views.push(view),
                Err(error) => unreadable.push(error),
            }
        }
        // The folder does not matter for a file that is given by itself.
        if let Some(folder) = folder {
            names::assign(folder, folder, &mut views, false)?;
        }
        train.extend(views);
    }
    if train.is_empty() {
        let none = || Error::setting("IN", "no image is named", "name images, folders of images, or a scene");
        return Err(if unreadable.is_empty() { none() } else { unreadable.swap_remove(0) });
    }
    // The folder that a camera.toml may lie in.
    let root = match paths {
        [folder] if folder.as_ref().is_dir() => folder.as_ref().to_path_buf(),
        _ => train[0].image.as_deref().and_then(Path::parent).unwrap_or(Path::new("")).to_path_buf(),
    };
    Ok((Capture { root, train, ..Capture::default() }, unreadable))
}

/// Whether there are images directly in the folder `path`.
pub fn holds_images(path: &Path) -> bool {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries.into_iter().any(|entry| is_image(&entry.path()))
}

/// Whether there are images in the folder `path` or in photographs' folders below it.
pub fn holds_images_below(path: &Path) -> bool {
    holds_images(path) || !below(path).is_empty()
}

/// How many photographs of the folder `path` there are.
pub fn image_count(path: &Path) -> usize {
    images_in(path).map_or(0, |images| images.len())
}

/// Whether `path` is an image file, by the ending. Hidden files are none: macOS leaves `._0001.jpg` beside each file that it
/// copies. Nor are masks beside their photographs.
pub fn is_image(path: &Path) -> bool {
    (is_common(path) || kinds::is_second(path)) && !is_hidden(path) && path.is_file() && !is_mask(path)
}

/// Whether `path` is named as a mask of a photograph beside it.
fn is_mask(path: &Path) -> bool {
    let Some(base) = masked(path) else { return false };
    let is_file = |name: String| path.with_file_name(name).is_file();
    let with =
        |ending: &str| is_file(format!("{base}.{ending}")) || is_file(format!("{base}.{}", ending.to_uppercase()));
    let whole = kinds::endings().any(|known| ending(Path::new(base)) == known);
    (whole && is_file(base.into())) || kinds::endings().any(with)
}

fn is_common(path: &Path) -> bool {
    ENDINGS.contains(&ending(path).as_str())
}

/// Drops RAW, EXR and WebP files from folders that also hold common pictures.
fn keep_common(files: &mut Vec<PathBuf>) {
    let folders: BTreeSet<PathBuf> =
        files.iter().filter(|file| is_common(file)).filter_map(|file| file.parent().map(Path::to_path_buf)).collect();
    files.retain(|file| is_common(file) || !file.parent().is_some_and(|folder| folders.contains(folder)));
}

/// The images in `folder`, by name: those directly in it, else those in the folders below it.
pub(super) fn images_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::io(folder))? {
        files.push(entry.map_err(Error::io(folder))?.path());
    }
    files.retain(|path| is_image(path));
    if files.is_empty() {
        files = below(folder);
    }
    if files.is_empty() {
        let none = || {
            Error::input(folder, "holds no images", format!("images end in {}, or as RAW files do", ENDINGS.join(", ")))
        };
        return Err(kinds::refuse_folder(folder).unwrap_or_else(none));
    }
    keep_common(&mut files);
    files.sort();
    Ok(files)
}

/// Warns of images below `folder` that are not used because there are others directly in it.
pub(super) fn warn_of_unused(folder: &Path) {
    let below = if holds_images(folder) { below(folder) } else { Vec::new() };
    if !below.is_empty() {
        let names: Vec<_> = below.iter().filter_map(|file| file.strip_prefix(folder).ok()?.to_str()).collect();
        let (count, names) = (below.len(), list_names(&names));
        tracing::warn!(
            "{}: {count} images in folders below it are not used, since there are images in it: {names}",
            folder.display()
        );
    }
}

/// The images in the folders below `folder`, by path; except results, masks and similar ones.
fn below(folder: &Path) -> Vec<PathBuf> {
    let (mut found, mut seen) = (Vec::new(), BTreeSet::new());
    collect(folder, DEEPEST, &mut seen, &mut found);
    keep_common(&mut found);
    found.sort();
    found
}

fn collect(folder: &Path, depth: usize, seen: &mut BTreeSet<PathBuf>, found: &mut Vec<PathBuf>) {
    // Links may lead in a circle.
    if depth == 0 || !folder.canonicalize().is_ok_and(|real| seen.insert(real)) {
        return;
    }
    for path in std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let own = !is_hidden(&path) && !OTHERS.contains(&name.as_str()) && !path.join(RECORD).exists();
        if own && path.is_dir() && !is_scene(&path) {
            collect(&path, depth - 1, seen, found);
        } else if depth < DEEPEST && is_image(&path) {
            found.push(path);
        }
    }
}

fn photo(file: &Path) -> Result<View> {
    check_text(file)?;
    let (width, height) = image_size(file)?;
    let (w, h) = (f64::from(width), f64::from(height));
    let camera =
        Camera { width, height, fx: w, fy: w, cx: w / 2.0, cy: h / 2.0, viewmat: DMat4::IDENTITY, reduction: 1.0 };
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let name = kinds::result_name(&name);
    Ok(View { name, image: Some(file.to_path_buf()), camera, lens: None, mask: None, gain: None, shots: Vec::new() })
}

/// The poses of a `transforms_*.json`, without their images; the file must give the size (`w`, `h`).
///
/// # Errors
/// One [`Error::Input`] naming the file and the first frame that cannot be used.
pub fn poses(path: impl AsRef<Path>) -> Result<Vec<View>> {
    let path = path.as_ref();
    let frames = transforms::read(path)?.frames;
    let views = frames.iter().enumerate().map(|(index, frame)| {
        let refuse = |found: String, remedy: &str| refuse_frame(path, index, frame, &found, remedy);
        let size = frame.size.ok_or_else(|| refuse("no image size".into(), "add w and h to the file"))?;
        let camera = frame.camera(size).map_err(|found| refuse(found, "correct the intrinsics"))?;
        Ok(view(frame, None, camera))
    });
    let mut views = views.collect::<Result<Vec<_>>>()?;
    names::assign(path, path.parent().unwrap_or(path), &mut views, false)?;
    Ok(views)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn photographs_of_a_folder_by_name() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["b.png", "a.PNG"] {
            ::image::RgbImage::new(5, 3).save_with_format(dir.path().join(name), ::image::ImageFormat::Png).unwrap();
        }
        std::fs::write(dir.path().join("notes.txt"), "").unwrap();
        let (capture, unreadable) = readable_photos(&[dir.path()]).unwrap();
        assert!(unreadable.is_empty() && capture.root == dir.path());
        let names: Vec<_> = capture.train.into_iter().map(|v| (v.name, v.camera.width)).collect();
        assert_eq!(names, [("a.PNG".to_string(), 5), ("b.png".to_string(), 5)]);
        let (one, _) = readable_photos(&[dir.path().join("b.png")]).unwrap();
        assert_eq!((one.train[0].camera.height, one.root.as_path()), (3, dir.path()));
        assert!(
            readable_photos(&[dir.path().join("b.png"), dir.path().join("c.png")])
                .unwrap_err()
                .to_string()
                .contains("c.png")
        );
    }

    #[test]
    fn an_empty_folder_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        assert!(readable_photos(&[dir.path()]).unwrap_err().to_string().contains("no images"));
    }

    #[test]
    fn files_that_are_no_images_are_set_aside() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.jpg"), "").unwrap();
        assert!(readable_photos(&[dir.path()]).unwrap_err().to_string().contains("a.jpg"), "there is no other");
        ::image::RgbImage::new(5, 3).save(dir.path().join("b.png")).unwrap();
        let (capture, unreadable) = readable_photos(&[dir.path()]).unwrap();
        assert_eq!((capture.train.len(), unreadable.len()), (1, 1));
        assert!(unreadable[0].to_string().contains("a.jpg"));
        assert!(photos(dir.path()).unwrap_err().to_string().contains("a.jpg"));
    }

    #[test]
    fn poses_need_a_size() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("transforms_test.json");
        let frame = r#"{"file_path": "a.png", "transform_matrix": [[1,0,0,0],[0,1,0,0],[0,0,1,0],[0,0,0,1]]}"#;
        std::fs::write(&path, format!(r#"{{"fl_x": 10, "w": 8, "h": 6, "frames": [{frame}]}}"#)).unwrap();
        assert_eq!(poses(&path).unwrap()[0].camera.height, 6);
        std::fs::write(&path, format!(r#"{{"fl_x": 10, "frames": [{frame}]}}"#)).unwrap();
        assert!(poses(&path).unwrap_err().to_string().contains("size"));
    }
}
