//! Finds the files that frames name, inside the scene folder unless allowed otherwise.

use super::file_names::{ENDINGS, check_text};
use super::loose::{holds_images, holds_images_below};
use super::names::{self, SMALLER, is_absolute};
use crate::error::{Error, Result};
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};
use unicode_normalization::UnicodeNormalization;

const IMAGES: &str = "images";
/// Endings of pictures that may have been converted.
const OTHER_ENDINGS: [&str; 14] =
    ["exr", "webp", "bmp", "tga", "heic", "heif", "avif", "dng", "cr2", "cr3", "nef", "arw", "raf", "orf"];
const OUTSIDE: &str = "move the file into the scene, or set `allow_outside` if you trust it";

/// What the picture of a frame is for, which decides where it may be looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A photograph to train on: also under its name in `train/` and `images/`.
    Training,
    /// The reference of a test pose. A training picture may have the same file name (`train/r_0.png`, `test/r_0.png`), so
    /// it is looked for under its whole path only, in the scene and in `test/`.
    Reference,
}

/// Finds the files that frames name.
pub struct Resolver<'a> {
    pub root: &'a Path,
    /// The root without symbolic links.
    real_root: PathBuf,
    allow_outside: bool,
    folders: Folders,
    /// The folder of smaller copies (`images_2`) that stands in for a missing `images/`.
    pub stand_in: Option<String>,
    /// Whether the warning about other endings was given.
    other_ending: Cell<bool>,
}

impl<'a> Resolver<'a> {
    /// # Errors
    /// `root` does not exist, is no folder (`layout` says what a scene is), or has a path that is not text.
    pub fn new(root: &'a Path, allow_outside: bool, layout: &str) -> Result<Self> {
        let real_root = root.canonicalize().map_err(Error::io(root))?;
        if !real_root.is_dir() {
            let remedy = match root.extension().and_then(|ending| ending.to_str()) {
                Some("zip" | "tar" | "gz" | "7z") => "unpack it, and give the folder",
                Some("json" | "bin" | "txt") => "give the folder that it describes",
                _ => layout,
            };
            return Err(Error::input(root, "is a file, not a scene folder", remedy));
        }
        check_text(&real_root)?;
        Ok(Self {
            root,
            real_root,
            allow_outside,
            folders: Folders::default(),
            stand_in: stand_in(root),
            other_ending: Cell::new(false),
        })
    }

    /// Suppresses the warnings about files found elsewhere than named.
    pub fn silent(self) -> Self {
        self.other_ending.set(true);
        self
    }

    /// The file that `source` names `named`: there, with another letter case or an ending added; else where `purpose`
    /// allows it. A path into a folder that exists is not looked up elsewhere. Of a path into a folder that does not
    /// exist, or of another machine, the longest tail that exists in the scene counts. `..` leads from the folder of
    /// `source` (colmap2nerf writes it so); where that is not in the scene, the path is taken for one of another
    /// machine, unless `source` is the scene's own file.
    ///
    /// # Errors
    /// A path, or a symbolic link, that leads out of the scene folder.
    pub fn find(&self, source: &Path, named: &str, purpose: Purpose) -> Result<Option<PathBuf>> {
        let named = named.replace('\\', "/");
        let inside = self.relative(&named).or_else(|| self.relative_from(source, &named));
        let climbs = Path::new(&named).components().any(|part| part == Component::ParentDir);
        let leaves = inside.is_none() && (is_absolute(&named) || climbs);
        let foreign = leaves && (is_absolute(&named) || !self.is_own(source));
        let path = inside.as_deref().unwrap_or(Path::new(&named));
        if leaves && self.allow_outside {
            // An absolute path replaces the folder.
            let there = folder_of(source).join(path);
            let is_here = || there.parent().is_some_and(|folder| self.folders.folder(folder).is_some());
            let found = self.folders.locate(&there);
            // A file missing from an existing folder of this machine is not replaced by a picture of the scene of the same
            // name.
            if found.is_some() || !foreign || is_here() {
                return Ok(found);
            }
        }
        if !foreign {
            self.check_inside_by_name(source, path)?;
        }
        let plain = |part: &Component| match foreign {
            true => matches!(part, Component::Normal(_)),
            false => *part != Component::CurDir,
        };
        let parts: Vec<Component> = path.components().filter(plain).collect();
        let mut rests = Vec::new();
        for skipped in 0..parts.len() {
            let rest: PathBuf = parts[skipped..].iter().collect();
            rests.push(rest.clone());
            let places = self.places(&rest, purpose);
            if let Some(file) = places.iter().find_map(|place| self.folders.locate(place)) {
                return self.check_inside(source, file).map(Some);
            }
            // A folder that the frame names is in the scene or, by COLMAP's convention, in the folder of the pictures.
            let custom = |folder: &Path| foreign && folder.to_str().is_some_and(names::is_customary);
            let folder = rest.parent().filter(|folder| !folder.as_os_str().is_empty() && !custom(folder));
            let exists = |place: &PathBuf| place.parent().is_some_and(|folder| self.folders.folder(folder).is_some());
            if (purpose == Purpose::Reference && !foreign) || (folder.is_some() && places.iter().any(exists)) {
                break;
            }
        }
        if let Some(file) = rests.iter().find_map(|rest| self.with_another_ending(source, rest, purpose)) {
            return self.check_inside(source, file).map(Some);
        }
        // Drive letters are ordinary names on other systems.
        let is_path = named.starts_with('/') || climbs;
        if foreign && !self.allow_outside && purpose == Purpose::Training && is_path {
            let found =
                format!("names `{named}`, which is outside the scene folder; no such file is in images/ or train/");
            return Err(Error::input(source, found, OUTSIDE));
        }
        Ok(None)
    }

    /// The only picture that differs from the path `named` in its ending: poses were found on pictures of another format.
    fn with_another_ending(&self, source: &Path, named: &Path, purpose: Purpose) -> Option<PathBuf> {
        let ending = named.extension()?.to_str()?.to_lowercase();
        let others = || ENDINGS.iter().filter(|other| **other != ending);
        if !ENDINGS.contains(&ending.as_str()) && !OTHER_ENDINGS.contains(&ending.as_str()) {
            return None;
        }
        let places = self.places(named, purpose);
        let files = places
            .iter()
            .flat_map(|place| others().filter_map(|ending| self.folders.locate(&place.with_extension(ending))));
        let files: BTreeSet<PathBuf> = files.collect();
        let file = files.first().filter(|_| files.len() == 1)?;
        if !self.other_ending.replace(true) {
            tracing::warn!(
                "{}: pictures have another ending than it says, such as {} for {}",
                source.display(),
                file.display(),
                named.display()
            );
        }
        Some(file.clone())
    }

    /// Where the picture with the path `rest` may be.
    fn places(&self, rest: &Path, purpose: Purpose) -> Vec<PathBuf> {
        let images = self.stand_in.as_deref().unwrap_or(IMAGES);
        let bases = match purpose {
            Purpose::Training => &["", "train", images][..],
            Purpose::Reference => &["", "test"],
        };
        let mut places: Vec<PathBuf> = bases.iter().map(|base| self.root.join(base).join(rest)).collect();
        if let (Some(folder), Ok(below)) = (&self.stand_in, rest.strip_prefix(IMAGES)) {
            places.push(self.root.join(folder).join(below));
        }
        places
    }

    /// The part below the scene folder of an absolute path into it.
    fn relative(&self, named: &str) -> Option<PathBuf> {
        let path = Path::new(named);
        let absolute = std::path::absolute(self.root).ok();
        let roots = absolute.iter().chain([&self.real_root]);
        roots.into_iter().find_map(|root| path.strip_prefix(root).ok()).map(Path::to_path_buf)
    }

    /// The part below the scene folder of a path with `..` that leads there from the folder of `source`.
    fn relative_from(&self, source: &Path, named: &str) -> Option<PathBuf> {
        if is_absolute(named) || !Path::new(named).components().any(|part| part == Component::ParentDir) {
            return None;
        }
        let folder = folder_of(source);
        let bases = [std::path::absolute(folder), folder.canonicalize()];
        bases.into_iter().flatten().find_map(|mut path| {
            for part in Path::new(named).components() {
                match part {
                    Component::Normal(part) => path.push(part),
                    Component::ParentDir if !path.pop() => return None,
                    _ => {}
                }
            }
            self.relative(path.to_str()?)
        })
    }

    /// Whether `source` lies directly in the scene folder.
    fn is_own(&self, source: &Path) -> bool {
        folder_of(source).canonicalize().is_ok_and(|folder| folder == self.real_root)
    }

    /// Refuses absolute paths and `..` before the file system is asked anything.
    ///
    /// # Errors
    /// Such a path.
    fn check_inside_by_name(&self, source: &Path, named: &Path) -> Result<()> {
        let leaves = |part: Component| !matches!(part, Component::Normal(_) | Component::CurDir);
        if !self.allow_outside && named.components().any(leaves) {
            return Err(outside(source, &named.display().to_string()));
        }
        Ok(())
    }

    /// Refuses symbolic links to the outside.
    ///
    /// # Errors
    /// Such a link.
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

fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The largest of the folders of smaller copies in `root` (`images_2`, `images_4`; mip-NeRF 360 has them) that holds
/// pictures, where `images/` holds none.
pub fn stand_in(root: &Path) -> Option<String> {
    if holds_images_below(&root.join(IMAGES)) {
        return None;
    }
    let names = std::fs::read_dir(root).ok()?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let number = |name: String| Some((name.strip_prefix(SMALLER)?.parse::<u32>().ok()?, name));
    let mut copies: Vec<(u32, String)> = names.filter_map(number).collect();
    copies.sort();
    copies.into_iter().map(|(_, name)| name).find(|name| holds_images_below(&root.join(name)))
}

/// The folder of the photographs of a scene folder without poses: the folder itself, its `images/` or its `train/`,
/// whichever holds images; else the largest of its smaller copies (`images_2`), else the folder itself where folders
/// below it hold images.
pub fn photo_folder(scene: &Path) -> Option<PathBuf> {
    let customary = [scene.join("images"), scene.join("train")];
    let found = customary.into_iter().find(|folder| holds_images_below(folder));
    let smaller = || stand_in(scene).map(|name| scene.join(name));
    let itself = || Some(scene.to_path_buf());
    if holds_images(scene) {
        return itself();
    }
    found.or_else(smaller).or_else(|| itself().filter(|scene| holds_images_below(scene)))
}

/// The key of names that look the same: letter case and the normalization of accents differ between systems.
fn folded(name: &str) -> String {
    name.nfc().collect::<String>().to_lowercase().nfc().collect()
}

/// Folders as they are when first asked for: on a network each question costs.
#[derive(Default)]
pub struct Folders {
    /// The content of folders by [`folded`] name.
    entries: RefCell<BTreeMap<PathBuf, BTreeMap<String, Vec<PathBuf>>>>,
    /// What [`Folders::folder`] said.
    found: RefCell<BTreeMap<PathBuf, Option<PathBuf>>>,
}

impl Folders {
    /// The file `wanted`: by its exact name, by that and an ending of images (Blender's exports leave it away), or the
    /// only one that differs in letter case or in the form of its accents.
    fn locate(&self, wanted: &Path) -> Option<PathBuf> {
        if wanted.is_file() {
            return Some(wanted.to_path_buf());
        }
        let with = |ending: &str| {
            let mut file = wanted.as_os_str().to_os_string();
            file.push(format!(".{ending}"));
            PathBuf::from(file)
        };
        let name = folded(wanted.file_name()?.to_str()?);
        let folder = self.folder(wanted.parent()?)?;
        let exact = ENDINGS.iter().map(|ending| with(ending)).find(|file| file.is_file());
        exact.or_else(|| {
            let names = std::iter::once(name.clone()).chain(ENDINGS.iter().map(|ending| format!("{name}.{ending}")));
            names.into_iter().find_map(|name| self.only(&folder, &name).filter(|file| file.is_file()))
        })
    }

    /// The file `name` of `folder`, or the only one there that differs in letter case. Only the listing is asked: most names
    /// that masks may have are of no file.
    pub fn file(&self, folder: &Path, name: &str) -> Option<PathBuf> {
        let mut known = self.entries.borrow_mut();
        let alike = known.entry(folder.to_path_buf()).or_insert_with(|| entries(folder)).get(&folded(name))?;
        let exact = alike.iter().find(|path| path.file_name().is_some_and(|own| own == name));
        exact.or(alike.first().filter(|_| alike.len() == 1)).filter(|file| file.is_file()).cloned()
    }

    /// The folder `wanted`, whatever the letter case of its parts.
    pub fn folder(&self, wanted: &Path) -> Option<PathBuf> {
        let known = self.found.borrow().get(wanted).cloned();
        known.unwrap_or_else(|| {
            let found = if wanted.is_dir() { Some(wanted.to_path_buf()) } else { self.folder_like(wanted) };
            self.found.borrow_mut().insert(wanted.to_path_buf(), found.clone());
            found
        })
    }

    fn folder_like(&self, wanted: &Path) -> Option<PathBuf> {
        let name = folded(wanted.file_name()?.to_str()?);
        let above = self.folder(wanted.parent()?)?;
        self.only(&above, &name).filter(|folder| folder.is_dir())
    }

    /// The only entry of `folder` whose name is `name` when [`folded`].
    fn only(&self, folder: &Path, name: &str) -> Option<PathBuf> {
        let mut known = self.entries.borrow_mut();
        let entries = known.entry(folder.to_path_buf()).or_insert_with(|| entries(folder));
        match entries.get(name).map(Vec::as_slice) {
            Some([one]) => Some(one.clone()),
            _ => None,
        }
    }
}

fn entries(folder: &Path) -> BTreeMap<String, Vec<PathBuf>> {
    let mut entries = BTreeMap::<String, Vec<PathBuf>>::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = folded(&entry.file_name().to_string_lossy());
        entries.entry(name).or_default().push(entry.path());
    }
    entries
}

/// The file `name` of `folder`, or the only one there that differs in letter case (Reality Capture writes `Images.txt`).
pub fn file_in(folder: &Path, name: &str) -> Option<PathBuf> {
    let exact = folder.join(name);
    if exact.is_file() { Some(exact) } else { Folders::default().file(folder, name) }
}

pub fn outside(source: &Path, named: &str) -> Error {
    Error::input(source, format!("names `{named}`, which is outside the scene folder"), OUTSIDE)
}
