//! A scene folder to a [`Capture`]: which files count, and every check a view has to pass.

use super::elsewhere::scene_below;
use super::exposure::assign_gains;
use super::file_names::TRANSFORMS;
use super::frame::{Frame, refuse_frame, view};
use super::loose::images_in;
use super::mask::{Mask, MaskUse};
use super::mask_files::Finder;
use super::messages::list_names;
use super::names::is_absolute;
use super::other_frame::OwnFrame;
use super::resolve::{Purpose, Resolver, file_in};
use super::size::Sizes;
use super::{Capture, View, bracket, colmap, image_size, kinds, models, names, transforms};
use crate::error::{Error, Result};
use std::collections::BTreeSet;
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

/// The fewest views that determine depth.
pub(super) const MIN_VIEWS: usize = 3;
const LAYOUT: &str = "a scene needs transforms_train.json or transforms.json or COLMAP's sparse/0, and its images in \
                      train/ or images/";

/// Reads the scene folder `scene`: cameras from `transforms_train.json`, else `transforms.json`, else COLMAP `sparse/0`
/// or `sparse` in any letter case, `colmap/`, or the folder itself (of several models the largest); test poses from
/// `transforms_test.json`; a point prior from `ply_file_path`, else `points.ply`, else the COLMAP model. Images are
/// looked for where the file names them, then in `train/` and `images/` (or, where that is missing, in the largest of
/// `images_2`, `images_4` …); only their headers are read. What a transforms file lists for validation or test is kept
/// from training. Poses without a picture, and photographs without a pose, are left out with a warning that names them.
///
/// # Errors
/// One [`Error::Input`] naming the file for the first thing that cannot be used: see the module's tests.
pub fn load(scene: impl AsRef<Path>, options: &Options) -> Result<Capture> {
    let root = scene.as_ref();
    let masks = Finder::new(root, options.masks);
    let read = Views { resolver: Resolver::new(root, options.allow_outside, LAYOUT)?, masks };
    let source = match &options.cameras {
        Some(path) => Source { ply_file_path: None, ..Source::find(path)? },
        None => Source::find(root)?,
    };
    if options.cameras.is_some() {
        tracing::info!("{}: its poses are those of {}", root.display(), source.path.display());
    }
    let own = options.cameras.as_ref().map_or(OwnFrame::Same, |_| read.own_frame(&source));
    let (views, kept) = read.posed(&source)?;
    let mut views = bracket::join(views)?;
    let nested = names::have_folders(&views) || names::have_folders(&kept.holdout);
    let mut holdout = kept.holdout;
    if let Some(every) = options.holdout {
        let (held, trained) = split_holdout(views, every)?;
        views = trained;
        holdout = [held, holdout].concat();
    }
    if views.len() < MIN_VIEWS {
        let found = format!("{} views to train on ({} held out)", views.len(), holdout.len());
        return Err(Error::input(&source.path, found, "at least 3 are needed: add views, or hold out fewer"));
    }
    let test = read.test(&views, kept.test, nested, (&own, &source.path))?;
    let points = read.points(&source, &own)?;
    read.warn_of_others(&source, &views.iter().chain(&holdout).chain(&test).collect::<Vec<_>>());
    let mut capture = Capture { root: root.to_path_buf(), train: views, holdout, test, points, ..Capture::default() };
    assign_gains(&mut capture);
    read.masks.report(&capture);
    Ok(capture)
}

/// The picture files of the frames of the transforms file `path`, if any; a picture may be a photograph or a
/// reference.
///
/// # Errors
/// A file that is no such one.
pub fn pictures_of(path: &Path) -> Result<Vec<PathBuf>> {
    let frames = transforms::read(path)?.frames;
    let root = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let resolver = Resolver::new(root, true, LAYOUT)?.silent();
    let found = |frame: &Frame| {
        let purposes = [Purpose::Reference, Purpose::Training];
        purposes.map(|purpose| resolver.find(path, &frame.image, purpose).ok().flatten())
    };
    Ok(frames.iter().flat_map(found).flatten().collect())
}

/// Where the training cameras come from.
struct Source {
    path: PathBuf,
    frames: Vec<Frame>,
    /// Those that the file keeps for validation and test.
    kept: Vec<Frame>,
    ply_file_path: Option<String>,
}

impl Source {
    fn find(root: &Path) -> Result<Self> {
        if root.is_file() {
            return Ok(Self { ply_file_path: None, ..Self::read(root.into())? });
        }
        for name in TRANSFORMS {
            let path = root.join(name);
            if path.exists() {
                return Self::read(path);
            }
        }
        let Some(path) = models::find(root)? else {
            let folders = ["", "images", "train"].map(|name| root.join(name));
            let unread = folders.iter().find_map(|folder| kinds::refuse_folder(folder));
            let below = scene_below(root).map(|folder| format!("give {}, which has some", folder.display()));
            let remedy = below.unwrap_or_else(|| LAYOUT.into());
            return Err(unread.unwrap_or_else(|| Error::input(root, "holds no cameras", remedy)));
        };
        Ok(Self { frames: colmap::read(&path)?, kept: Vec::new(), path, ply_file_path: None })
    }

    fn read(path: PathBuf) -> Result<Self> {
        let file = transforms::read(&path)?;
        let (frames, kept) = file.lists.divide(&path, file.frames);
        Ok(Self { path, frames, kept, ply_file_path: file.ply_file_path })
    }
}

/// Views that are kept from training.
struct Kept {
    /// Photographs: they are lit, and measured against.
    holdout: Vec<View>,
    /// Poses whose pictures are references, since these lie in `test/`.
    test: Vec<View>,
}

/// The views that the frames of a source become.
struct Views<'a> {
    resolver: Resolver<'a>,
    masks: Finder<'a>,
}

impl Views<'_> {
    /// The frames whose pictures are in the scene; the others are left out, with one warning that names them.
    fn posed(&self, source: &Source) -> Result<(Vec<View>, Kept)> {
        let (mut sizes, mut absent) = (Sizes::new(&source.path), Vec::new());
        let mut views = Vec::new();
        for (index, frame) in source.frames.iter().enumerate() {
            match self.resolver.find(&source.path, &frame.image, Purpose::Training)? {
                Some(image) => views.push(self.view(source, (index, frame), image, &mut sizes)?),
                None => absent.push(frame.image.as_str()),
            }
        }
        let (trained, mut test) = (views.len(), Vec::new());
        for (index, frame) in (source.frames.len()..).zip(&source.kept) {
            let find = |purpose| self.resolver.find(&source.path, &frame.image, purpose);
            let reference = find(Purpose::Reference)?;
            let is_reference = |image: &PathBuf| image.starts_with(self.resolver.root.join("test"));
            match reference.clone().map_or_else(|| find(Purpose::Training), |found| Ok(Some(found)))? {
                Some(image) if is_reference(&image) => {
                    test.push(self.view(source, (index, frame), image, &mut sizes)?)
                }
                Some(image) => views.push(self.view(source, (index, frame), image, &mut sizes)?),
                None => absent.push(frame.image.as_str()),
            }
        }
        sizes.warn();
        self.warn_of_absent(source, trained, &absent)?;
        self.warn_of_stand_in(source, &views);
        names::assign(&source.path, self.resolver.root, &mut views, false)?;
        let holdout = views.split_off(trained);
        Ok((views, Kept { holdout, test }))
    }

    fn view(
        &self,
        source: &Source,
        (index, frame): (usize, &Frame),
        image: PathBuf,
        sizes: &mut Sizes<'_>,
    ) -> Result<View> {
        let size = image_size(&image)?;
        let refuse = |found: String| refuse_frame(&source.path, index, frame, &found, "correct the intrinsics");
        let camera = sizes.camera(frame, &image, size, refuse)?;
        let mask = self.mask(&source.path, frame, &image)?;
        Ok(View { mask, ..view(frame, Some(image), camera) })
    }

    /// Warns about poses without a picture.
    ///
    /// # Errors
    /// Fewer than three views are left.
    fn warn_of_absent(&self, source: &Source, left: usize, absent: &[&str]) -> Result<()> {
        if absent.is_empty() {
            return Ok(());
        }
        let of = source.frames.len() + source.kept.len();
        let (count, names, root) = (absent.len(), list_names(absent), self.resolver.root.display());
        let found = format!("{count} of its {of} poses have no picture in {root}, train/ or images/: {names}");
        if left < MIN_VIEWS {
            let found = format!("{found}; {left} views to train on are left");
            return Err(Error::input(&source.path, found, "restore the pictures: at least 3 are needed"));
        }
        tracing::warn!("{}: {found}; they are left out", source.path.display());
        Ok(())
    }

    fn warn_of_stand_in(&self, source: &Source, views: &[View]) {
        let Some(name) = &self.resolver.stand_in else { return };
        let folder = self.resolver.root.join(name);
        let named = |frame: &Frame| frame.image.replace('\\', "/").split('/').any(|part| part == name);
        let used = views.iter().filter_map(|view| view.image.as_deref()).any(|image| image.starts_with(&folder));
        if used && !source.frames.iter().all(named) {
            tracing::warn!("{}: there are no pictures in images/: those of {name}/ are used", source.path.display());
        }
    }

    /// How the frame of the scene's own poses lies to that of `given`.
    fn own_frame(&self, given: &Source) -> OwnFrame {
        // Where they cannot be read, the relation is unknown.
        let own = match Source::find(self.resolver.root) {
            Ok(own) if own.path != given.path => own,
            _ => return OwnFrame::Same,
        };
        OwnFrame::between(&self.resolver, (&own.path, &own.frames), (&given.path, &given.frames))
    }

    /// Test poses, after those that are `kept` from training; a reference that does not exist is no error. A size that is
    /// not given is that of the training views. Names keep their folders where the photographs' are `nested`. The frame of the
    /// scene's own poses lies as `own` says to that of the file that the cameras are from.
    fn test(
        &self,
        train: &[View],
        kept: Vec<View>,
        nested: bool,
        (own, given): (&OwnFrame, &Path),
    ) -> Result<Vec<View>> {
        let (mut views, path) = (kept, self.resolver.root.join("transforms_test.json"));
        let (before, frames) = (
            views.len(),
            match path.exists() {
                true => own.enter(&path, transforms::read_any(&path)?.frames, given)?,
                false => Vec::new(),
            },
        );
        let mut sizes = Sizes::new(&path);
        for (index, frame) in frames.iter().enumerate() {
            let image = self.resolver.find(&path, &frame.image, Purpose::Reference)?;
            let refuse = |found: String| refuse_frame(&path, index, frame, &found, "correct the intrinsics");
            let size = frame.size.or(train.first().map(|v| (v.camera.width, v.camera.height))).unwrap_or((1, 1));
            let camera = match &image {
                Some(file) => sizes.camera(frame, file, image_size(file)?, refuse)?,
                None => frame.camera(size).map_err(refuse)?,
            };
            let mask = image.as_deref().map_or(Ok(None), |image| self.mask(&path, frame, image))?;
            views.push(View { mask, ..view(frame, image, camera) });
        }
        sizes.warn();
        if sizes.turned() > 0 {
            let count = sizes.turned();
            tracing::warn!(
                "{}: {count} references are stored turned, so that renders of their poses lie on their side as well",
                path.display()
            );
        }
        warn_of_wide(&path, &views[before..]);
        warn_of_trained(&path, train, &views);
        names::assign(&path, self.resolver.root, &mut views, nested)?;
        let without = frames.iter().zip(&views[before..]).filter(|(_, view)| view.image.is_none());
        let elsewhere = without.map(|(frame, _)| frame.image.as_str()).filter(|image| is_absolute(image));
        let elsewhere: Vec<&str> = elsewhere.collect();
        if !elsewhere.is_empty() {
            let (count, names) = (elsewhere.len(), list_names(&elsewhere));
            tracing::warn!("{}: {count} references are outside the scene and not in test/: {names}", path.display());
        }
        Ok(views)
    }

    /// What hides pixels of the photograph of `frame`.
    fn mask(&self, source: &Path, frame: &Frame, image: &Path) -> Result<Option<Mask>> {
        self.masks.find(image, frame.mask.as_deref().map(|named| (&self.resolver, source, named)))
    }

    fn points(&self, source: &Source, own: &OwnFrame) -> Result<Option<PathBuf>> {
        let root = self.resolver.root;
        if let Some(named) = &source.ply_file_path {
            let found = self.resolver.find(&source.path, named, Purpose::Reference)?;
            if found.is_some() {
                return Ok(found);
            }
            tracing::warn!("{}: `ply_file_path` names {named}, which is not in the scene", source.path.display());
        }
        let points = root.join("points.ply");
        if points.is_file() && own.has(&points, &source.path) {
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
        let used: BTreeSet<&Path> = used.iter().flat_map(|view| view.files()).collect();
        let folders: BTreeSet<&Path> = used.iter().filter_map(|image| image.parent()).collect();
        let second: BTreeSet<&Path> =
            used.iter().filter(|image| kinds::is_second(image)).filter_map(|image| image.parent()).collect();
        for folder in &folders {
            kinds::warn_of(folder);
            if !second.contains(folder) {
                kinds::warn_of_second(folder);
            }
        }
        // A camera of a rig may have no pose at all.
        let customary = |folder: &&Path| {
            let first = folder.strip_prefix(self.resolver.root).ok()?.iter().next()?;
            names::is_customary(first.to_str()?).then(|| self.resolver.root.join(first))
        };
        let whole: BTreeSet<PathBuf> = folders.iter().filter_map(customary).collect();
        let own = folders.iter().map(|folder| folder.to_path_buf());
        let all: BTreeSet<PathBuf> =
            own.chain(whole).flat_map(|folder| images_in(&folder).unwrap_or_default()).collect();
        let others: Vec<&PathBuf> = all.iter().filter(|photo| !used.contains(photo.as_path())).collect();
        if !others.is_empty() {
            let below =
                |photo: &&PathBuf| photo.strip_prefix(self.resolver.root).unwrap_or(photo).display().to_string();
            let names = others.iter().map(below);
            let (of, count, names) = (source.path.display(), others.len(), list_names(&names.collect::<Vec<_>>()));
            tracing::warn!("{of}: {count} photographs have no pose there and are not used: {names}");
        }
    }
}

/// Warns about test poses of `path` whose lens is too wide for bent renders.
fn warn_of_wide(path: &Path, views: &[View]) {
    let wide: Vec<(&View, f64)> =
        views.iter().filter(|view| view.bending().is_none()).filter_map(|view| Some((view, view.lens?.fx))).collect();
    let Some((first, given)) = wide.first() else { return };
    tracing::warn!(
        "{}: {} test poses have a lens that sees too much to bend renders by: these are undistorted, with a focal length of \
         {:.1} instead of {given:.1} pixels ({})",
        path.display(),
        wide.len(),
        first.camera.fx,
        first.name
    );
}

/// Warns about test pictures that are trained on: their metrics would pass for those of new views.
fn warn_of_trained(path: &Path, train: &[View], test: &[View]) {
    let real = |file: &Path| file.canonicalize().unwrap_or_else(|_| file.to_path_buf());
    let trained: BTreeSet<PathBuf> = train.iter().flat_map(View::files).map(real).collect();
    let is_trained = |view: &&View| view.image.as_deref().is_some_and(|image| trained.contains(&real(image)));
    let names: Vec<&str> = test.iter().filter(is_trained).map(|view| view.name.as_str()).collect();
    if !names.is_empty() {
        tracing::warn!(
            "{}: {} of {} references are photographs that are trained on, which tells nothing of new views: {}",
            path.display(),
            names.len(),
            test.iter().filter(|view| view.image.is_some()).count(),
            list_names(&names)
        );
    }
}

pub(super) fn split_holdout(views: Vec<View>, every: u32) -> Result<(Vec<View>, Vec<View>)> {
    if every == 0 {
        return Err(Error::setting("holdout", "0", "give N ≥ 2: every N-th view is held out"));
    }
    let (held, kept): (Vec<_>, Vec<_>) = views.into_iter().enumerate().partition(|(i, _)| i % every as usize == 0);
    let views = |indexed: Vec<(usize, View)>| indexed.into_iter().map(|(_, view)| view).collect();
    Ok((views(held), views(kept)))
}
