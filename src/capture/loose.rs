//! Photographs without poses, and poses without photographs: what single stages work on.

use super::resolve::check_text;
use super::{Camera, Capture, View, image_size, raw, scene, transforms};
use crate::error::{Error, Result};
use glam::DMat4;
use std::path::{Path, PathBuf};

/// Endings of image files, in lower case.
pub(super) const ENDINGS: [&str; 5] = ["png", "jpg", "jpeg", "tif", "tiff"];

/// The photograph `path`, or those directly in the folder `path`: [`readable_photos`], all of them.
///
/// # Errors
/// As there, and for any image whose header cannot be read.
pub fn photos(path: impl AsRef<Path>) -> Result<Capture> {
    let (capture, mut unreadable) = readable_photos(&[path])?;
    if unreadable.is_empty() { Ok(capture) } else { Err(unreadable.swap_remove(0)) }
}

/// The photographs among `paths`, and those directly in the folders among them, by name, as a capture whose cameras have
/// sizes but no poses (all at the origin): enough for stages that look at pixels only. Files whose header cannot be
/// read are set aside and returned as errors that name them, as long as there are others.
///
/// # Errors
/// A path that does not exist, a folder without images, or nothing that can be read.
pub fn readable_photos(paths: &[impl AsRef<Path>]) -> Result<(Capture, Vec<Error>)> {
    let mut files = Vec::new();
    for path in paths.iter().map(AsRef::as_ref) {
        match std::fs::metadata(path).map_err(Error::io(path))?.is_dir() {
            true => {
                files.extend(images_in(path)?);
                raw::warn_of(path);
            }
            false => files.push(path.to_path_buf()),
        }
    }
    let (mut train, mut unreadable) = (Vec::new(), Vec::new());
    for file in files {
        match photo(&file) {
            Ok(view) => train.push(view),
            Err(error) => unreadable.push(error),
        }
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

/// The folder of the photographs of a scene folder without poses: the folder itself, its `images/` or its `train/`,
/// whichever holds images.
pub fn photo_folder(scene: &Path) -> Option<PathBuf> {
    let folders = [scene.to_path_buf(), scene.join("images"), scene.join("train")];
    folders.into_iter().find(|folder| holds_images(folder))
}

/// How many files of the folder `path` are named as images.
pub fn image_count(path: &Path) -> usize {
    images_in(path).map_or(0, |images| images.len())
}

fn is_image(path: &Path) -> bool {
    let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
    path.is_file() && ENDINGS.contains(&ending.as_str())
}

/// The images directly in `folder`, by name.
pub(super) fn images_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(Error::io(folder))? {
        let path = entry.map_err(Error::io(folder))?.path();
        if is_image(&path) {
            files.push(path);
        }
    }
    if files.is_empty() {
        return Err(raw::refuse_folder(folder).unwrap_or_else(|| {
            Error::input(folder, "holds no images", format!("images end in {}", ENDINGS.join(", ")))
        }));
    }
    files.sort();
    Ok(files)
}

fn photo(file: &Path) -> Result<View> {
    check_text(file)?;
    let (width, height) = image_size(file)?;
    let (w, h) = (f64::from(width), f64::from(height));
    let camera = Camera { width, height, fx: w, fy: w, cx: w / 2.0, cy: h / 2.0, viewmat: DMat4::IDENTITY };
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(View { name, image: Some(file.to_path_buf()), camera, lens: None, mask: None, gain: None })
}

/// The poses of a `transforms_*.json`, without their images; the file must give the size (`w`, `h`).
///
/// # Errors
/// One [`Error::Input`] naming the file and the first frame that cannot be used.
pub fn poses(path: impl AsRef<Path>) -> Result<Vec<View>> {
    let path = path.as_ref();
    let frames = transforms::read(path)?.frames;
    let views = frames.iter().enumerate().map(|(index, frame)| {
        let refuse = |found: String, remedy: &str| scene::refuse_frame(path, index, frame, &found, remedy);
        let size = frame.size.ok_or_else(|| refuse("no image size".into(), "add w and h to the file"))?;
        let camera = frame.camera(size).map_err(|found| refuse(found, "correct the intrinsics"))?;
        scene::view(path, frame, None, camera)
    });
    let views = views.collect::<Result<Vec<_>>>()?;
    scene::unique_names(path, &views)?;
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
