//! Orientation, by what it is for: a frame that is mirrored or turned gives other pictures.

use super::super::{RenderSettings, Renderer, Splats, Style, Tensors, read, reference};
use super::tests::{export, held};
use super::write;
use crate::capture::Image;
use crate::eval::psnr;
use crate::gpu::{Choice, Gpu, Mask};
use std::path::{Path, PathBuf};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/splat/read/fixtures").join(name)
}

fn picture(gpu: &Gpu, renderer: &Renderer, splats: &Splats) -> Image {
    let sh_degree = splats.sh_degree;
    let settings = RenderSettings { background: [0.0; 3], sh_degree, antialiased: false, style: Style::default() };
    let tensors = Tensors::from_splats(gpu, splats, 0).unwrap();
    renderer.render_image(gpu, &tensors, &reference::camera(), &settings, &mut None).unwrap().image
}

#[test]
fn exported_files_draw_the_same_picture() {
    let gpu = Gpu::open(&Choice::Best, Mask::default()).unwrap();
    let renderer = Renderer::new(&gpu).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let source = fixture("splats.ply");
    let splats = read(source).unwrap();
    let expected = picture(&gpu, &renderer, &splats);
    for (name, least) in [
        ("a.ply", 80.0),
        ("a.compressed.ply", 45.0),
        ("a.spz", 38.0),
        ("a.sog", 38.0),
        ("a.glb", 80.0),
        ("a.splat", 40.0),
    ] {
        let path = dir.path().join(name);
        write(&path, &export(&splats)).unwrap();
        let expected = match name {
            "a.splat" => &picture(&gpu, &renderer, &held(name, &splats)),
            _ => &expected,
        };
        let found = psnr(&picture(&gpu, &renderer, &read(&path).unwrap()), expected).unwrap();
        println!("{name}: {found:.2} dB");
        assert!(found > least, "{name}: {found}");
    }
}
