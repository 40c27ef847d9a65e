//! A scene folder to a [`Capture`]: which files count, and every check a view has to pass.

use super::exposure::assign_gains;
use super::frame::Frame;
use super::loose::images_in;
use super::mask::{Finder, Mask, MaskUse, report};
use super::resolve::{Purpose, Resolver, file_in, is_absolute};
use super::{Camera, Capture, Lens, View, colmap, image_size, models, raw, transforms};
use crate::error::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

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
    /// Whether mask files and alpha channels hide pixels.
    pub masks: MaskUse,
}

/// The fewest views that say anything about depth.
pub(super) const MIN_VIEWS: usize = 3;
/// Names in a message; of more, the number is given.
const NAMED: usize = 20;
const LAYOUT: &str = "a scene needs transforms_train.json or transforms.json or COLMAP's sparse/0, and its images in \
                      train/ or images/";

/// Reads the scene folder `scene`: cameras from `transforms_train.json`, else `transforms.json`, else COLMAP
/// `sparse/0` or `sparse` (of several models the largest); test poses from `transforms_test.json`; a point prior from `ply_file_path`, else
/// `points.ply`, else the COLMAP model. Images are looked for where the file names them, then in `train/` and
/// `images/`; only their headers are read. Poses without a picture, and photographs without a pose, are left out with a
/// warning that names them.
///
/// # Errors
/// One [`Error::Input`] naming the file for the first thing that cannot be used: see the module's tests.
pub fn load(scene: impl AsRef<Path>, options: &Options) -> Result<Capture> {
    let root = scene.as_ref();
    let masks = Finder { root, masks: options.masks };
    let read = Views { resolver: Resolver::new(root, options.allow_outside, LAYOUT)?, masks };
    let source = match &options.cameras {
        Some(path) => Source { ply_file_path: None, ..Source::find(path)? },
        None => Source::find(root)?,
    };
    let mut views = read.train(&source)?;
    unique_names(&source.path, &views)?;
    let mut holdout = Vec::new();
    if let Some(every) = options.holdout {
        (holdout, views) = split_holdout(views, every)?;
    }
    if views.len() < MIN_VIEWS {
        let found = format!("{} views to train on ({} held out)", views.len(), holdout.len());
        return Err(Error::input(&source.path, found, "at least 3 are needed: add views, or hold out fewer"));
    }
    let test = read.test(&views)?;
    let points = read.points(&source)?;
    read.warn_of_others(&source, &views.iter().chain(&holdout).chain(&test).collect::<Vec<_>>());
    let mut capture = Capture { root: root.to_path_buf(), train: views, holdout, test, points, ..Capture::default() };
    assign_gains(&mut capture);
    report(&capture);
    Ok(capture)
}

/// Whether the folder `path` holds cameras, that is, whether [`load`] would find a scene there.
pub fn is_scene(path: impl AsRef<Path>) -> bool {
    let has = |name: &&str| path.as_ref().join(name).exists();
    ["transforms_train.json", "transforms.json", "sparse"].iter().any(has)
}

/// Cameras that lie beside a folder of photographs, where other programs put them: in its `colmap/sparse/`
/// (nerfstudio), or in a `sparse/` beside the folder (a COLMAP project).
pub fn cameras_beside(folder: &Path) -> Option<PathBuf> {
    let parent = folder.canonicalize().ok()?.parent().map(Path::to_path_buf).unwrap_or_default();
    [folder.join("colmap/sparse"), parent.join("sparse")]
        .into_iter()
        .find_map(|models| models::in_folder(&models).ok()?)
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
        let Some(path) = models::find(root)? else {
            let folders = ["", "images", "train"].map(|name| root.join(name));
            let unread = folders.iter().find_map(|folder| raw::refuse_folder(folder));
            return Err(unread.unwrap_or_else(|| Error::input(root, "holds no cameras", LAYOUT)));
        };
        Ok(Self { frames: colmap::read(&path)?, path, ply_file_path: None })
    }
}

/// The views that the frames of a source become.
struct Views<'a> {
    resolver: Resolver<'a>,
    masks: Finder<'a>,
}

impl Views<'_> {
    /// The frames whose pictures are in the scene; the others are left out, with one warning that names them.
    fn train(&self, source: &Source) -> Result<Vec<View>> {
        let (mut views, mut absent) = (Vec::new(), Vec::new());
        for (index, frame) in source.frames.iter().enumerate() {
            let Some(image) = self.resolver.find(&source.path, &frame.image, Purpose::Training)? else {
                absent.push(frame.image.as_str());
                continue;
            };
            let size = image_size(&image)?;
            check_size(&image, size, frame, &source.path)?;
            let camera = frame
                .camera(size)
                .map_err(|found| refuse_frame(&source.path, index, frame, &found, "correct the intrinsics"))?;
            let mask = self.mask(&source.path, frame, &image)?;
            views.push(View { mask, ..view(&source.path, frame, Some(image), camera)? });
        }
        if absent.is_empty() {
            return Ok(views);
        }
        let (count, of, names, root) = (absent.len(), source.frames.len(), some(&absent), self.resolver.root.display());
        let found = format!("{count} of its {of} poses have no picture in {root}, train/ or images/: {names}");
        if views.len() < MIN_VIEWS {
            let found = format!("{found}; {} views to train on are left", views.len());
            return Err(Error::input(&source.path, found, "restore the pictures: at least 3 are needed"));
        }
        tracing::warn!("{}: {found}; they are left out", source.path.display());
        Ok(views)
    }

    /// Test poses; a reference that does not exist is no error. A size that is not given is that of the training views.
    fn test(&self, train: &[View]) -> Result<Vec<View>> {
        let path = self.resolver.root.join("transforms_test.json");
        if !path.exists() {
            return Ok(Vec::new());
        }
        let frames = transforms::read(&path)?.frames;
        let views = frames.iter().enumerate().map(|(index, frame)| {
            let image = self.resolver.find(&path, &frame.image, Purpose::Reference)?;
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
            let mask = image.as_deref().map_or(Ok(None), |image| self.mask(&path, frame, image))?;
            Ok(View { mask, ..view(&path, frame, image, camera)? })
        });
        let views = views.collect::<Result<Vec<_>>>()?;
        unique_names(&path, &views)?;
        let elsewhere =
            frames.iter().zip(&views).filter(|(frame, view)| view.image.is_none() && is_absolute(&frame.image));
        let elsewhere: Vec<&str> = elsewhere.map(|(frame, _)| frame.image.as_str()).collect();
        if !elsewhere.is_empty() {
            let (count, names) = (elsewhere.len(), some(&elsewhere));
            tracing::warn!("{}: {count} references are outside the scene and not in test/: {names}", path.display());
        }
        Ok(views)
    }

    /// What hides pixels of the photograph of `frame`.
    fn mask(&self, source: &Path, frame: &Frame, image: &Path) -> Result<Option<Mask>> {
        self.masks.find(image, frame.mask.as_deref().map(|named| (&self.resolver, source, named)))
    }

    fn points(&self, source: &Source) -> Result<Option<PathBuf>> {
        let root = self.resolver.root;
        if let Some(named) = &source.ply_file_path {
            let named = named.replace('\\', "/");
            self.resolver.check_inside_by_name(&source.path, Path::new(&named))?;
            let path = root.join(&named);
            if path.is_file() {
                return self.resolver.check_inside(&source.path, path).map(Some);
            }
            tracing::warn!("{}: `ply_file_path` names {named}, which does not exist", source.path.display());
        }
        let points = root.join("points.ply");
        if points.is_file() {
            return Ok(Some(points));
        }
        let has_points = |folder: &PathBuf| {
            ["points3D.bin", "points3D.txt", "points3D.ply"].iter().any(|name| file_in(folder, name).is_some())
        };
        // Several models of one scene have a frame each.
        let own = ["sparse/0", "sparse"].map(|name| root.join(name));
        let other = source.path.parent() == Some(&own[1]) && source.path != own[0];
        let own = own.into_iter().filter(|_| !other);
        Ok([source.path.clone()].into_iter().chain(own).find(has_points))
    }

    /// Warns of photographs beside those of `used` that no frame names.
    fn warn_of_others(&self, source: &Source, used: &[&View]) {
        let used: BTreeSet<&Path> = used.iter().filter_map(|view| view.image.as_deref()).collect();
        let folders: BTreeSet<&Path> = used.iter().filter_map(|image| image.parent()).collect();
        folders.iter().for_each(|folder| raw::warn_of(folder));
        let photos = folders.iter().flat_map(|folder| images_in(folder).unwrap_or_default());
        let others: Vec<PathBuf> = photos.filter(|photo| !used.contains(photo.as_path())).collect();
        if !others.is_empty() {
            let names: Vec<_> = others.iter().filter_map(|photo| photo.file_name()?.to_str()).collect();
            let (of, count, names) = (source.path.display(), others.len(), some(&names));
            tracing::warn!("{of}: {count} photographs have no pose there and are not used: {names}");
        }
    }
}

/// The first of `names`, and how many more there are.
pub(super) fn some(names: &[impl AsRef<str>]) -> String {
    let first: Vec<&str> = names.iter().take(NAMED).map(AsRef::as_ref).collect();
    match names.len().saturating_sub(NAMED) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
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
    Ok(View { name: name.to_string_lossy().into_owned(), image, camera, lens, mask: None, gain: None })
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
