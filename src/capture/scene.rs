//! A scene folder to a [`Capture`]: which files count, and every check a view has to pass.

use super::frame::Frame;
use super::{Camera, Capture, Lens, View, colmap, image_size, transforms};
use crate::error::{Error, Result};
use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

/// How [`load`] reads a scene.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Every N-th view by index, from 0, is kept from training.
    pub holdout: Option<u32>,
    /// Images may lie outside the scene folder (absolute paths, `..`, symbolic links).
    pub allow_outside: bool,
    /// Take the cameras from here instead of the scene folder: a COLMAP model, a folder that holds one, or a
    /// `transforms.json`. Of its images those count that are in the scene folder.
    pub cameras: Option<PathBuf>,
}

/// The fewest views that say anything about depth.
pub(super) const MIN_VIEWS: usize = 3;
const LAYOUT: &str = "a scene needs transforms_train.json or transforms.json or COLMAP's sparse/0, and its images in \
                      train/ or images/";

/// Reads the scene folder `scene`: cameras from `transforms_train.json`, else `transforms.json`, else COLMAP
/// `sparse/0` or `sparse`; test poses from `transforms_test.json`; a point prior from `ply_file_path`, else
/// `points.ply`, else the COLMAP model. Images are looked for where the file names them, then in `train/` and
/// `images/`; only their headers are read.
///
/// # Errors
/// One [`Error::Input`] naming the file for the first thing that cannot be used: see the module's tests.
pub fn load(scene: impl AsRef<Path>, options: &Options) -> Result<Capture> {
    let root = scene.as_ref();
    let resolver = Resolver::new(root, options)?;
    let source = match &options.cameras {
        Some(path) => resolver.only_present(Source { ply_file_path: None, ..Source::find(path)? })?,
        None => Source::find(root)?,
    };
    let mut views = resolver.train_views(&source)?;
    unique_names(&source.path, &views)?;
    let mut holdout = Vec::new();
    if let Some(every) = options.holdout {
        (holdout, views) = split_holdout(views, every)?;
    }
    if views.len() < MIN_VIEWS {
        let found = format!("{} views to train on ({} held out)", views.len(), holdout.len());
        return Err(Error::input(&source.path, found, "at least 3 are needed: add views, or hold out fewer"));
    }
    let test = resolver.test_views(&views)?;
    let points = resolver.points(&source)?;
    Ok(Capture { root: root.to_path_buf(), train: views, holdout, test, points })
}

/// Whether the folder `path` holds cameras, that is, whether [`load`] would find a scene there.
pub fn is_scene(path: impl AsRef<Path>) -> bool {
    let has = |name: &&str| path.as_ref().join(name).exists();
    ["transforms_train.json", "transforms.json", "sparse"].iter().any(has)
}

/// Cameras that lie beside a folder of photographs, where other programs put them: in its `colmap/sparse/0`
/// (nerfstudio), or in a `sparse/` beside the folder (a COLMAP project).
pub fn cameras_beside(folder: &Path) -> Option<PathBuf> {
    let parent = folder.canonicalize().ok()?.parent().map(Path::to_path_buf).unwrap_or_default();
    let candidates = [folder.join("colmap/sparse/0"), parent.join("sparse/0"), parent.join("sparse")];
    candidates.into_iter().find(|candidate| colmap::is_model(candidate))
}

/// Where the training cameras come from.
struct Source {
    path: PathBuf,
    frames: Vec<Frame>,
    ply_file_path: Option<String>,
}

impl Source {
    fn find(root: &Path) -> Result<Self> {
        if root.is_file() {
            let file = transforms::read(root)?;
            return Ok(Self { path: root.into(), frames: file.frames, ply_file_path: None });
        }
        for name in ["transforms_train.json", "transforms.json"] {
            let path = root.join(name);
            if path.exists() {
                let file = transforms::read(&path)?;
                return Ok(Self { path, frames: file.frames, ply_file_path: file.ply_file_path });
            }
        }
        let model = ["sparse/0", "sparse", "colmap/sparse/0", "0", ""].iter().map(|name| root.join(name));
        let model = model.into_iter().find(|folder| colmap::is_model(folder));
        let Some(path) = model else {
            return Err(Error::input(root, "holds no cameras", LAYOUT));
        };
        Ok(Self { frames: colmap::read(&path)?, path, ply_file_path: None })
    }
}

/// Finds the files that frames name, inside the scene folder unless allowed otherwise.
struct Resolver<'a> {
    root: &'a Path,
    /// The root without symbolic links.
    real_root: PathBuf,
    allow_outside: bool,
}

impl<'a> Resolver<'a> {
    fn new(root: &'a Path, options: &Options) -> Result<Self> {
        let real_root = root.canonicalize().map_err(Error::io(root))?;
        if !real_root.is_dir() {
            return Err(Error::input(root, "is a file, not a scene folder", LAYOUT));
        }
        check_text(&real_root)?;
        Ok(Self { root, real_root, allow_outside: options.allow_outside })
    }

    /// The cameras of another folder, without those whose images are not in this one.
    fn only_present(&self, source: Source) -> Result<Source> {
        let (mut frames, mut absent) = (Vec::new(), Vec::new());
        for frame in source.frames {
            match self.find(&source.path, &frame.image)? {
                Some(_) => frames.push(frame),
                None => absent.push(frame.image),
            }
        }
        if !absent.is_empty() {
            let (count, of, names) = (absent.len(), source.path.display(), absent.join(", "));
            tracing::warn!("{of}: {count} of its images are not in {}: {names}", self.root.display());
        }
        Ok(Source { frames, ..source })
    }

    fn train_views(&self, source: &Source) -> Result<Vec<View>> {
        let views = source.frames.iter().enumerate().map(|(index, frame)| {
            let refuse = |found: String, remedy: &str| refuse_frame(&source.path, index, frame, &found, remedy);
            let Some(image) = self.find(&source.path, &frame.image)? else {
                let found = "its image does not exist (looked there, in train/ and in images/)".to_string();
                return Err(refuse(found, "restore the image or remove the frame"));
            };
            let size = image_size(&image)?;
            check_size(&image, size, frame, &source.path)?;
            let camera = frame.camera(size).map_err(|found| refuse(found, "correct the intrinsics"))?;
            view(&source.path, frame, Some(image), camera)
        });
        views.collect()
    }

    /// Test poses; a reference that does not exist is no error. A size that is not given is that of the training views.
    fn test_views(&self, train: &[View]) -> Result<Vec<View>> {
        let path = self.root.join("transforms_test.json");
        if !path.exists() {
            return Ok(Vec::new());
        }
        let frames = transforms::read(&path)?.frames;
        let views = frames.iter().enumerate().map(|(index, frame)| {
            let image = self.find(&path, &frame.image)?;
            let mut size = frame.size;
            if let Some(file) = &image {
                let actual = image_size(file)?;
                check_size(file, actual, frame, &path)?;
                size = Some(actual);
            }
            let size = size.or(train.first().map(|v| (v.camera.width, v.camera.height))).unwrap_or((1, 1));
            let camera = frame
                .camera(size)
                .map_err(|found| refuse_frame(&path, index, frame, &found, "correct the intrinsics"))?;
            view(&path, frame, image, camera)
        });
        let views = views.collect::<Result<Vec<_>>>()?;
        unique_names(&path, &views)?;
        Ok(views)
    }

    fn points(&self, source: &Source) -> Result<Option<PathBuf>> {
        if let Some(named) = &source.ply_file_path {
            self.check_inside_by_name(&source.path, named)?;
            let path = self.root.join(named);
            if path.is_file() {
                return self.check_inside(&source.path, path).map(Some);
            }
            tracing::warn!("{}: `ply_file_path` names {named}, which does not exist", source.path.display());
        }
        let points = self.root.join("points.ply");
        if points.is_file() {
            return Ok(Some(points));
        }
        let has_points = |folder: &PathBuf| {
            ["points3D.bin", "points3D.txt", "points3D.ply"].iter().any(|name| folder.join(name).is_file())
        };
        let own = ["sparse/0", "sparse"].map(|name| self.root.join(name));
        Ok([source.path.clone()].into_iter().chain(own).find(has_points))
    }

    /// The file that `source` names `named`: there, with an extension added, or under that name in `train/` or `images/`.
    fn find(&self, source: &Path, named: &str) -> Result<Option<PathBuf>> {
        let named = named.replace('\\', "/");
        self.check_inside_by_name(source, &named)?;
        let named = Path::new(&named);
        let mut candidates = vec![self.root.join(named)];
        candidates.extend(named.file_name().map(|name| self.root.join(name)));
        for folder in ["train", "images"] {
            candidates.push(self.root.join(folder).join(named));
            candidates.extend(named.file_name().map(|name| self.root.join(folder).join(name)));
        }
        for candidate in candidates {
            if candidate.is_file() {
                return self.check_inside(source, candidate).map(Some);
            }
            // Blender's exports leave the extension away.
            for extension in ["png", "jpg", "JPG", "jpeg", "tif", "tiff"] {
                let mut file = candidate.clone().into_os_string();
                file.push(format!(".{extension}"));
                if Path::new(&file).is_file() {
                    return self.check_inside(source, file.into()).map(Some);
                }
            }
        }
        Ok(None)
    }

    /// Refuses absolute paths and `..` before the file system is asked anything.
    fn check_inside_by_name(&self, source: &Path, named: &str) -> Result<()> {
        let leaves = |part: Component| !matches!(part, Component::Normal(_) | Component::CurDir);
        if !self.allow_outside && Path::new(named).components().any(leaves) {
            return Err(outside(source, named));
        }
        Ok(())
    }

    /// Refuses symbolic links to the outside.
    fn check_inside(&self, source: &Path, file: PathBuf) -> Result<PathBuf> {
        if !self.allow_outside {
            let real = file.canonicalize().map_err(Error::io(&file))?;
            if !real.starts_with(&self.real_root) {
                return Err(outside(source, &real.display().to_string()));
            }
        }
        Ok(file)
    }
}

/// Refuses a path that records of a run, which are text, cannot hold.
pub(super) fn check_text(path: &Path) -> Result<()> {
    match path.to_str() {
        Some(_) => Ok(()),
        None => Err(Error::input(path, "has a path that is not UTF-8", "rename the file or the folder")),
    }
}

pub(super) fn outside(source: &Path, named: &str) -> Error {
    let found = format!("names `{named}`, which is outside the scene folder");
    Error::input(source, found, "move the file into the scene, or pass --allow-outside if you trust it")
}

pub(super) fn refuse_frame(source: &Path, index: usize, frame: &Frame, found: &str, remedy: &str) -> Error {
    Error::input(source, format!("frame {index} (`{}`): {found}", frame.image), remedy)
}

fn check_size(image: &Path, actual: (u32, u32), frame: &Frame, source: &Path) -> Result<()> {
    match frame.size {
        Some(expected) if expected != actual => {
            let found = format!(
                "is {} × {} pixels, but {} says {} × {}",
                actual.0,
                actual.1,
                source.display(),
                expected.0,
                expected.1
            );
            Err(Error::input(image, found, "give the image at that size, or correct w, h and the intrinsics"))
        }
        _ => Ok(()),
    }
}

pub(super) fn view(
    source: &Path,
    frame: &Frame,
    image: Option<PathBuf>,
    (camera, lens): (Camera, Option<Lens>),
) -> Result<View> {
    let named = frame.image.replace('\\', "/");
    let file = image.as_deref().unwrap_or(Path::new(&named));
    let Some(name) = file.file_name() else {
        return Err(Error::input(source, format!("`{named}` is not a file name"), "name the frame's image"));
    };
    Ok(View { name: name.to_string_lossy().into_owned(), image, camera, lens })
}

/// Results are stored under the views' names, so these must differ.
pub(super) fn unique_names(source: &Path, views: &[View]) -> Result<()> {
    let mut seen = BTreeMap::new();
    for (index, view) in views.iter().enumerate() {
        if let Some(first) = seen.insert(&view.name, index) {
            let found = format!("frames {first} and {index} are both called `{}`", view.name);
            return Err(Error::input(source, found, "give every image its own file name, or remove one frame"));
        }
    }
    Ok(())
}

pub(super) fn split_holdout(views: Vec<View>, every: u32) -> Result<(Vec<View>, Vec<View>)> {
    if every == 0 {
        return Err(Error::setting("--holdout", "0", "give N ≥ 2: every N-th view is held out"));
    }
    let (held, kept): (Vec<_>, Vec<_>) = views.into_iter().enumerate().partition(|(i, _)| i % every as usize == 0);
    let views = |indexed: Vec<(usize, View)>| indexed.into_iter().map(|(_, view)| view).collect();
    Ok((views(held), views(kept)))
}
