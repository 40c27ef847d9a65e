//! Checks an existing zip against its scenes.

use super::archive::Archive;
use super::run::Scene;
use super::{README, Template, picture};
use crate::error::{Error, Result};
use crate::parallel::try_map;
use crate::progress::Progress;
use std::collections::BTreeMap;
use std::path::Path;

/// Most bytes per pixel of a JPEG, and of everything that is not pixels.
const PIXEL_BYTES: u64 = 6;
const HEADER_BYTES: u64 = 16 << 20;

/// Checks that `zip` holds every test frame of `scenes`, and nothing else but a `readme.txt`: names, checksums, sizes,
/// no black picture. Returns how many pictures it holds.
///
/// # Errors
/// The first thing that is wrong, with the entry's name.
pub fn check(zip: &Path, scenes: &[Scene], template: &Template, progress: &dyn Progress) -> Result<usize> {
    let archive = Archive::open(zip)?;
    let mut expected = BTreeMap::new();
    for scene in scenes {
        for (index, view) in (1..).zip(&scene.test) {
            let name = template.name(&scene.name, index, &view.name);
            let size = [view.camera.width, view.camera.height];
            if expected.insert(name.clone(), size).is_some() {
                let found = format!("two test frames would be called {name}");
                return Err(Error::setting("template", found, "give every scene and frame a name of its own"));
            }
        }
    }
    if let Some(other) = archive.names().find(|name| !expected.contains_key(*name) && *name != README) {
        let near = expected.keys().next().map(String::as_str).unwrap_or_default();
        let found = format!("holds {}, which is no test frame of these scenes", other.escape_debug());
        return Err(Error::input(zip, found, format!("names are like {near}; name all scenes of the zip")));
    }
    progress.begin("check", "images", expected.len() as u64);
    let expected: Vec<_> = expected.into_iter().collect();
    let mut done = 0;
    for group in expected.chunks(rayon::current_num_threads().max(1)) {
        progress.check()?;
        let entry = |(name, size): &(String, [u32; 2])| entry(&archive, zip, name, *size);
        try_map(group, entry)?;
        done += group.len();
        progress.set(done as u64, "");
    }
    progress.end();
    Ok(expected.len())
}

fn entry(archive: &Archive, zip: &Path, name: &str, size: [u32; 2]) -> Result<()> {
    let pixels = u64::from(size[0]) * u64::from(size[1]);
    let Some(bytes) = archive.read(name, pixels.saturating_mul(PIXEL_BYTES) + HEADER_BYTES)? else {
        let found = format!("the picture {name} is missing");
        return Err(Error::input(zip, found, "write the zip again with `naka-gs submit`"));
    };
    picture::decode(&zip.join(name), &bytes, size).map(|_| ())
}
