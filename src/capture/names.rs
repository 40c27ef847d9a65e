//! Names of views: their pictures' paths below the folder of the photographs, `cam0/0001.JPG`. Results carry these
//! names, so they differ, and none leads out of a folder.

use super::View;
use super::kinds::result_name;
use crate::error::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path};

/// The folders of a scene that photographs and references lie in. They are no part of a name.
const FOLDERS: [&str; 4] = ["images", "train", "test", "val"];
/// Prefix of the folders of smaller copies: `images_4`.
pub const SMALLER: &str = "images_";

/// Whether this is a customary name for a folder of photographs.
pub fn is_customary(folder: &str) -> bool {
    let smaller = folder.strip_prefix(SMALLER).is_some_and(|number| number.parse::<u32>().is_ok());
    smaller || FOLDERS.iter().any(|known| known.eq_ignore_ascii_case(folder))
}

/// Where the picture of a view lies.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    /// Whether it is below the scene folder; `parts` are then those below it.
    inside: bool,
    parts: Vec<String>,
}

impl Place {
    /// Of `view`, whose name is still what a file calls its picture.
    fn of(root: &Path, view: &View) -> Self {
        match &view.image {
            Some(file) => Self::of_file(root, file),
            None => Self { inside: !is_absolute(&view.name), parts: parts(&view.name) },
        }
    }

    fn of_file(root: &Path, file: &Path) -> Self {
        let leaves = |below: &Path| below.components().any(|part| part == Component::ParentDir);
        match file.strip_prefix(root) {
            Ok(below) if !leaves(below) => Self { inside: true, parts: parts(&below.to_string_lossy()) },
            _ => {
                let whole = std::path::absolute(file).unwrap_or_else(|_| file.to_path_buf());
                Self { inside: false, parts: parts(&whole.to_string_lossy()) }
            }
        }
    }

    fn folders(&self) -> &[String] {
        self.parts.split_last().map_or(&[], |(_, folders)| folders)
    }
}

/// Whether a path, with `/` between its parts, is absolute on any system.
pub fn is_absolute(named: &str) -> bool {
    let drive =
        named.as_bytes().first_chunk().is_some_and(|[letter, colon]| letter.is_ascii_alphabetic() && *colon == b':');
    named.starts_with('/') || drive
}

/// The parts of a path, without a drive, `.` and `..`.
fn parts(path: &str) -> Vec<String> {
    let path = path.replace('\\', "/");
    let drive = path.len() > 1 && path.as_bytes()[1] == b':' && path.as_bytes()[0].is_ascii_alphabetic();
    let mut parts = Vec::new();
    for part in path[if drive { 2 } else { 0 }..].split('/') {
        match part {
            "" | "." => {}
            ".." => _ = parts.pop(),
            part => parts.push(part.to_string()),
        }
    }
    parts
}

/// Renames the `views`, so far named as in the file `source`, after the location of their pictures in the
/// scene folder `root` or outside of it. Folders that all of them share are left away; those that are `kept` are not.
///
/// # Errors
/// Two views of one name, or a name that is no file's.
pub fn assign(source: &Path, root: &Path, views: &mut [View], kept: bool) -> Result<()> {
    let mut places: Vec<Place> = views.iter().map(|view| Place::of(root, view)).collect();
    if let Some((view, _)) = views.iter().zip(&places).find(|(_, place)| place.parts.is_empty()) {
        return Err(Error::input(source, format!("`{}` is not a file name", view.name), "name the frame's image"));
    }
    let outside: Vec<&Place> = places.iter().filter(|place| !place.inside).collect();
    let elsewhere = shared(&outside);
    places.iter_mut().filter(|place| !place.inside).for_each(|place| _ = place.parts.drain(..elsewhere));
    let names = match short(&places, kept) {
        names if clash(&names).is_none() => names,
        // Such as `train/1.png` and `val/1.png`.
        _ => places.iter().map(|place| place.parts.clone()).collect(),
    };
    let mut names: Vec<String> = without_shared(names, kept).iter().map(|parts| parts.join("/")).collect();
    let with_pictures = names.iter_mut().zip(views.iter()).filter(|(_, view)| view.image.is_some());
    with_pictures.for_each(|(name, _)| *name = result_name(name));
    if let Some((first, second)) = clash_of(&names) {
        let (a, b, name) = (&views[first].name, &views[second].name, &names[second]);
        let found = match names[first] == *name {
            true => format!("frames {first} and {second} (`{a}`, `{b}`) are both called `{name}`"),
            false => format!("`{b}` would be called `{name}`, but `{}` lies in a folder of that name", names[first]),
        };
        return Err(Error::input(source, found, "give every image its own file name, or remove one frame"));
    }
    views.iter_mut().zip(names).for_each(|(view, name)| view.name = name);
    Ok(())
}

/// Whether any of the `views` has folders in its name.
pub fn have_folders(views: &[View]) -> bool {
    views.iter().any(|view| view.name.contains('/'))
}

/// The names that another program gives to its pictures, without the folders that [`assign`] leaves away.
pub fn plain(names: &[&str]) -> Vec<String> {
    let places: Vec<Place> = names.iter().map(|name| Place { inside: true, parts: parts(name) }).collect();
    without_shared(short(&places, false), false).iter().map(|parts| parts.join("/")).collect()
}

/// The parts without a customary folder before them.
fn short(places: &[Place], kept: bool) -> Vec<Vec<String>> {
    let parts = places.iter().map(|place| match place.folders().first() {
        Some(first) if place.inside && is_customary(first) => place.parts[1..].to_vec(),
        _ => place.parts.clone(),
    });
    without_shared(parts.collect(), kept)
}

fn without_shared(names: Vec<Vec<String>>, kept: bool) -> Vec<Vec<String>> {
    let places: Vec<Place> = names.into_iter().map(|parts| Place { inside: true, parts }).collect();
    let common = if kept { 0 } else { shared(&places.iter().collect::<Vec<_>>()) };
    places.into_iter().map(|place| place.parts[common..].to_vec()).collect()
}

/// The number of leading folders that all `places` have in common.
fn shared(places: &[&Place]) -> usize {
    let Some((first, others)) = places.split_first() else { return 0 };
    let agree = |place: &&Place| first.folders().iter().zip(place.folders()).take_while(|(a, b)| a == b).count();
    others.iter().map(agree).min().unwrap_or(first.folders().len())
}

fn clash(names: &[Vec<String>]) -> Option<(usize, usize)> {
    clash_of(&names.iter().map(|parts| parts.join("/")).collect::<Vec<_>>())
}

/// Two names that are the same, or the first of which lies in a folder that is called as the second.
pub fn clash_of(names: &[impl AsRef<str>]) -> Option<(usize, usize)> {
    let (mut seen, mut folders) = (BTreeMap::new(), BTreeMap::new());
    for (index, name) in names.iter().enumerate() {
        let name = name.as_ref();
        if let Some(first) = seen.insert(name, index) {
            return Some((first, index));
        }
        for (end, _) in name.match_indices('/') {
            folders.entry(&name[..end]).or_insert(index);
        }
    }
    let both: BTreeSet<&&str> = seen.keys().filter(|name| folders.contains_key(**name)).collect();
    both.first().map(|name| (folders[**name], seen[**name]))
}

#[cfg(test)]
mod tests {
    use super::super::Camera;
    use super::*;
    use glam::DMat4;

    fn named(views: &[(&str, Option<&str>)], kept: bool) -> Result<Vec<String>> {
        let camera = Camera {
            width: 1,
            height: 1,
            fx: 1.0,
            fy: 1.0,
            cx: 0.5,
            cy: 0.5,
            viewmat: DMat4::IDENTITY,
            reduction: 1.0,
        };
        let view = |(name, image): &(&str, Option<&str>)| View {
            name: name.to_string(),
            image: image.map(Into::into),
            camera: camera.clone(),
            lens: None,
            mask: None,
            gain: None,
            shots: Vec::new(),
        };
        let mut views: Vec<View> = views.iter().map(view).collect();
        assign(Path::new("t.json"), Path::new("/s"), &mut views, kept)?;
        Ok(views.into_iter().map(|view| view.name).collect())
    }

    fn files(files: &[&'static str]) -> Vec<String> {
        named(&files.iter().map(|file| (*file, Some(*file))).collect::<Vec<_>>(), false).unwrap()
    }

    #[test]
    fn folders_that_differ_are_part_of_the_name() {
        assert_eq!(files(&["/s/images/a.png", "/s/images/b.png"]), ["a.png", "b.png"]);
        assert_eq!(files(&["/s/images/a.png", "/s/train/b.png"]), ["a.png", "b.png"]);
        assert_eq!(files(&["/s/data/night/a.png", "/s/data/night/b.png"]), ["a.png", "b.png"]);
        assert_eq!(files(&["/s/images/cam0/a.png", "/s/images/cam1/a.png"]), ["cam0/a.png", "cam1/a.png"]);
        assert_eq!(files(&["/s/x/1/2/a.png", "/s/x/1/3/a.png"]), ["2/a.png", "3/a.png"]);
        assert_eq!(files(&["/s/train/a.png", "/s/val/a.png"]), ["train/a.png", "val/a.png"]);
        assert_eq!(files(&["/s/images_2/train/a.png", "/s/images_2/b.png"]), ["train/a.png", "b.png"]);
        assert_eq!(files(&["/s/train/a.png", "/far/b/c.png"]), ["a.png", "c.png"]);
        assert_eq!(files(&["/far/x/c.png", "/far/y/c.png", "/s/train/a.png"]), ["x/c.png", "y/c.png", "a.png"]);
    }

    #[test]
    fn no_name_leads_out_of_a_folder() {
        let name = |name: &'static str| (name, None);
        let odd = ["../../x/a.png", "/etc/b.png", r"C:\x\c.png", "./test/d", r"..\..\e.png"].map(name);
        let names = named(&odd, false).unwrap();
        assert_eq!(names, ["x/a.png", "etc/b.png", "x/c.png", "d", "e.png"]);
        for bad in ["", "..", "./", "/", "C:"] {
            assert!(named(&[name(bad)], false).unwrap_err().to_string().contains("not a file name"), "{bad}");
        }
        let twice = named(&[name("../a.png"), name("a.png")], false).unwrap_err().to_string();
        assert!(twice.contains("`../a.png`, `a.png`") && twice.contains("both called `a.png`"), "{twice}");
        let nested = named(&[name("a.png/b"), name("a.png")], false).unwrap_err().to_string();
        assert!(nested.contains("`a.png` would be called `a.png`, but `a.png/b`"), "{nested}");
    }

    #[test]
    fn test_poses_keep_their_folder_where_photographs_have_some() {
        let test = [("cam2/a.png", Some("/s/test/cam2/a.png")), ("cam2/b.png", None)];
        assert_eq!(named(&test, true).unwrap(), ["cam2/a.png", "cam2/b.png"]);
        assert_eq!(named(&test, false).unwrap(), ["a.png", "b.png"]);
    }

    #[test]
    fn names_of_other_programs() {
        assert_eq!(plain(&["images/cam0/a.png", r"images\cam1\a.png"]), ["cam0/a.png", "cam1/a.png"]);
        assert_eq!(plain(&["out/a_enhanced.png", "out/b.png"]), ["a_enhanced.png", "b.png"]);
    }
}
