//! What is in a page, and where its viewer is from. What the viewer makes of it is in `tests/report`.

use super::*;
use crate::batch::Row;
use crate::hash::sha256;
use crate::splat::{Splats, read_file};
use flate2::read::GzDecoder;
use glam::{DMat4, DVec3};

const README: &str = include_str!("supersplat/README.md");

/// Splats on a bent line, of SH degree 1.
fn splats(count: usize) -> Splats {
    let part = |i: usize| i as f32 / count as f32;
    Splats {
        means: (0..count).map(|i| [part(i) - 0.5, 0.3 * (9.0 * part(i)).sin(), 2.0 + part(i)]).collect(),
        quats: (0..count).map(|i| [1.0, part(i), 0.2, -0.1]).collect(),
        log_scales: (0..count).map(|i| [-3.0 - part(i), -3.5, -4.0]).collect(),
        logit_opacities: (0..count).map(|i| 2.0 - part(i)).collect(),
        sh: (0..12 * count).map(|i| 0.3 * (i as f32).sin()).collect(),
        sh_degree: 1,
    }
}

fn camera(x: f64) -> Camera {
    let viewmat = DMat4::from_translation(DVec3::new(-x, 0.0, 0.0));
    Camera { width: 64, height: 48, fx: 60.0, fy: 60.0, cx: 32.0, cy: 24.0, viewmat, reduction: 1.0 }
}

/// The content of the element `id`.
fn element<'p>(page: &'p str, id: &str) -> &'p str {
    page.split_once(&format!("id=\"{id}\">")).unwrap().1.split_once("</script>").unwrap().0
}

#[test]
fn a_page_holds_its_scene_and_fetches_nothing() {
    let dir = tempfile::tempdir().unwrap();
    // A name with a place of the template in it, and with markup.
    let path = dir.path().join("<b>{scene}.html");
    let splats = splats(300);
    let export = Export { splats: &splats, frame: SceneFrame::IDENTITY, antialiased: true };
    write_scene(&path, &export, &[camera(0.0), camera(0.2)]).unwrap();
    let page = std::fs::read_to_string(&path).unwrap();
    assert!(
        page.contains("<title>&#60;b&#62;{scene}</title>") && page.contains("Copyright (c) 2011-2026 PlayCanvas Ltd.")
    );

    // The scene is the file that `export -o NAME.sog` writes.
    let scene = STANDARD.decode(element(&page, "scene")).unwrap();
    assert_eq!(scene, write::sog_bytes(&path, &export).unwrap());
    let sog = dir.path().join("scene.sog");
    std::fs::write(&sog, scene).unwrap();
    let found = read_file(&sog).unwrap();
    assert!(found.antialiased && found.splats.len() == 300 && found.splats.sh_degree == 1);
    for mean in &splats.means {
        let distance = |other: &[f32; 3]| DVec3::from(mean.map(f64::from)).distance(other.map(f64::from).into());
        assert!(found.splats.means.iter().map(distance).fold(f64::MAX, f64::min) < 1e-4);
    }
    let settings: serde_json::Value = serde_json::from_str(element(&page, "settings")).unwrap();
    assert_eq!((&settings["antialiased"], settings["turn"].as_array().unwrap().len()), (&json!(true), 4));
    assert_eq!(settings["settings"]["cameras"][0]["initial"]["position"], json!([0.0, 0.0, 0.0]));

    // Outside of what is packed, no address; and the policy would let none through.
    assert!(page.contains("content=\"default-src 'none';"));
    let policy = page.split_once("Content-Security-Policy\" content=\"").unwrap().1.split_once('"').unwrap().0;
    let sources = policy.split([';', ' ']).filter(|word| !word.is_empty() && !word.ends_with("-src"));
    sources.for_each(|source| assert!(["'none'", "'unsafe-inline'", "data:", "blob:"].contains(&source), "{source}"));
    let unpacked = page.replace(element(&page, "scene"), "").replace(element(&page, "viewer"), "");
    assert!(unpacked.len() < 50_000 && unpacked.matches("http").count() == unpacked.matches("http-equiv").count());
    assert!(!unpacked.contains("@import") && !unpacked.contains("src="));
}

#[test]
fn the_viewer_is_the_package_s() {
    let mut code = Vec::new();
    GzDecoder::new(VIEWER).read_to_end(&mut code).unwrap();
    for (name, content) in [("index.js", &code[..]), ("index.css", VIEWER_STYLE.as_bytes())] {
        assert!(README.contains(&sha256(content)), "{name} is not the file that README.md names");
    }
    let code = String::from_utf8(code).unwrap();
    assert!(code.contains("export { createViewer };") && code.contains(&format!("version = \"{VIEWER_VERSION}\"")));
    assert!(README.contains(&format!("{VIEWER_VERSION}, with")));
}

#[test]
fn pages_are_told_from_other_files() {
    let dir = tempfile::tempdir().unwrap();
    let splats = splats(5);
    let export = Export { splats: &splats, frame: SceneFrame::IDENTITY, antialiased: false };
    for name in ["b.html", "a & b.html"] {
        write_scene(&dir.path().join(name), &export, &[]).unwrap();
    }
    std::fs::write(dir.path().join("report.html"), super::super::parts::GENERATOR).unwrap();
    std::fs::write(dir.path().join("notes.html"), "mine").unwrap();
    std::fs::create_dir(dir.path().join("folder.html")).unwrap();
    assert_eq!(pages_in(dir.path()), ["a & b.html", "b.html"]);
    assert!(pages_in(&dir.path().join("nowhere")).is_empty());
    // A batch links to those in the folders of its scenes.
    std::fs::create_dir(dir.path().join("night")).unwrap();
    std::fs::rename(dir.path().join("a & b.html"), dir.path().join("night/a & b.html")).unwrap();
    let rows = ["night", "failed"].map(|scene| Row { scene: scene.into(), ..Row::default() });
    let table = super::super::batch_page::page(dir.path(), &rows).unwrap();
    assert!(table.contains("<a href=\"night/a%20%26%20b.html\">night/a &#38; b.html</a></p>"), "{table}");
    assert!(write_scene(&dir.path().join("c.html"), &Export { splats: &Splats::default(), ..export }, &[]).is_err());
    assert!(!dir.path().join("c.html").exists());
}
