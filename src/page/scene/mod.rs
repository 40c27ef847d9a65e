//! A scene as a page: one file that shows splats in any current browser, from disk and without a network.
//!
//! The splats are in it as SOG, the smallest of the formats that the viewer reads at less than 0.1 dB lost; the viewer is
//! SuperSplat's (`supersplat/` says where it is from), packed as it came. A content security policy lets the page load
//! nothing from elsewhere.

mod tour;

use crate::capture::{Camera, SceneFrame};
use crate::error::{Error, Result};
use crate::splat::write::{self, Export};
use crate::storage;
use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use std::io::Read;
use std::path::Path;
use tour::Tour;

/// The version of the vendored viewer.
const VIEWER_VERSION: &str = "1.36.2";
const VIEWER: &[u8] = include_bytes!("supersplat/index.js.gz");
const VIEWER_STYLE: &str = include_str!("supersplat/index.css");
const VIEWER_LICENSE: &str = include_str!("supersplat/LICENSE");
/// How such a page is known.
const GENERATOR: &str = "<meta name=\"generator\" content=\"naka-gs scene\">";
/// Within so many bytes.
const START: u64 = 512;

/// Writes a page of the scene `export` to `path`, whole or not at all. Its view begins at the first of `cameras`, which are
/// in the capture's coordinates, and follows a path through all of them; without cameras it looks at the middle.
///
/// # Errors
/// As [`crate::splat::write::write`]; cameras that no path leads through.
pub fn write_scene(path: &Path, export: &Export, cameras: &[Camera]) -> Result<()> {
    let cameras: Vec<Camera> = cameras.iter().map(|camera| export.frame.camera(camera)).collect();
    // The page keeps the frame of the splats, in which sizes suit the viewer's speeds and planes.
    let export = Export { frame: SceneFrame::IDENTITY, ..*export };
    storage::write_bytes(path, page(path, &export, &cameras)?.as_bytes())
}

/// The page. Its scripts contain no user input, only numbers and Base64.
#[derive(Template)]
#[template(path = "scene.html")]
struct Page<'a> {
    title: &'a str,
    settings: String,
    scene: String,
    viewer: String,
}

fn page(path: &Path, export: &Export, cameras: &[Camera]) -> Result<String> {
    let scene = write::sog_bytes(path, export)?;
    let tour = Tour::new(&export.splats.means, cameras)?;
    let settings =
        json!({ "settings": tour.settings(), "turn": tour.turn.to_array(), "antialiased": export.antialiased });
    let page = Page {
        title: &path.file_stem().unwrap_or_default().to_string_lossy(),
        settings: settings.to_string(),
        scene: STANDARD.encode(scene),
        viewer: STANDARD.encode(VIEWER),
    };
    page.render().map_err(|error| Error::input(path, format!("cannot be put together ({error})"), "report this bug"))
}

/// The names of the pages of scenes in the folder `out`, sorted.
pub(super) fn pages_in(out: &Path) -> Vec<String> {
    let is_page = |path: &Path| {
        let mut start = Vec::new();
        let read = std::fs::File::open(path).and_then(|file| file.take(START).read_to_end(&mut start));
        read.is_ok() && String::from_utf8_lossy(&start).contains(GENERATOR)
    };
    let entries = std::fs::read_dir(out).into_iter().flatten().filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let pages = entries.filter(|path| path.extension().is_some_and(|ending| ending == "html") && is_page(path));
    let mut names: Vec<String> = pages.filter_map(|path| Some(path.file_name()?.to_str()?.to_string())).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests;
