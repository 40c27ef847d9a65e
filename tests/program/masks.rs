//! What a mask hides changes nothing: neither the response nor the points, the model or the numbers.

use super::support::{assert_refused, contents, naka_gs};
use image::{GrayImage, Luma, Rgb, RgbImage};
use std::fs;
use std::path::Path;

const RUN: [&str; 16] = [
    "--adapter",
    "cpu",
    "--weights",
    "none",
    "--downscale",
    "2",
    "--make-points",
    "200",
    "--steps",
    "12",
    "--holdout",
    "4",
    "--deterministic",
    "--pose-check",
    "off",
    "--overwrite",
];

/// Where something walked through the picture of view `index`: another place in each.
fn hidden(index: usize, x: u32, y: u32, size: (u32, u32)) -> bool {
    let left = size.0 / 8 * (index as u32 % 6);
    (left..left + size.0 / 4).contains(&x) && y > size.1 / 3
}

/// Photographs as PNG with masks beside them; `stranger` is what the masks hide, if anything.
fn scene(capture: &Path, scene: &Path, stranger: Option<Rgb<u8>>) {
    fs::create_dir_all(scene.join("train")).unwrap();
    fs::create_dir_all(scene.join("masks")).unwrap();
    for file in ["transforms_train.json", "camera.toml"] {
        let text = fs::read_to_string(capture.join(file)).unwrap_or_default();
        fs::write(scene.join(file), text.replace(".JPG", ".png")).unwrap();
    }
    if fs::metadata(scene.join("camera.toml")).unwrap().len() == 0 {
        fs::remove_file(scene.join("camera.toml")).unwrap();
    }
    let mut files: Vec<_> = fs::read_dir(capture.join("train")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    for (index, file) in files.iter().enumerate() {
        let mut picture: RgbImage = image::open(file).unwrap().into_rgb8();
        let size = picture.dimensions();
        let mask = GrayImage::from_fn(size.0, size.1, |x, y| Luma([if hidden(index, x, y, size) { 0 } else { 255 }]));
        if let Some(color) = stranger {
            let places = picture.enumerate_pixels_mut().filter(|(x, y, _)| hidden(index, *x, *y, size));
            places.for_each(|(_, _, pixel)| *pixel = color);
        }
        let name = format!("{}.png", file.file_stem().unwrap().to_str().unwrap());
        picture.save(scene.join("train").join(&name)).unwrap();
        mask.save(scene.join("masks").join(format!("{name}.png"))).unwrap();
    }
}

#[test]
fn what_a_mask_hides_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenes/tiny.toml");
    let mut photograph = naka_gs();
    photograph.args(["demo", "--photograph", "--scene"]).arg(tiny).arg("-o").arg(dir.path().join("made"));
    assert!(photograph.output().unwrap().status.success());
    let run = |name: &str, stranger: Option<Rgb<u8>>, more: &[&str]| {
        let (folder, out) = (dir.path().join(name), dir.path().join("out").join(name));
        scene(&dir.path().join("made/capture"), &folder, stranger);
        let output = naka_gs().arg("run").arg(&folder).arg("-o").arg(&out).args(RUN).args(more).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        ["points.ply", "splats.ply", "metrics.json"].map(|name| fs::read(out.join(name)).unwrap())
    };
    let white = Some(Rgb([250, 240, 255]));
    let alone = run("alone", None, &[]);
    assert!(run("visited", white, &[]) == alone, "a masked stranger was trained on or measured");
    assert!(run("ignored", white, &["--masks", "ignore"]) != alone, "the test hides nothing");
    // A mask of another shape is named before anything is written.
    let (folder, out) = (dir.path().join("alone"), dir.path().join("none"));
    GrayImage::new(30, 80).save(folder.join("masks/0002.png.png")).unwrap();
    let output = naka_gs().arg("run").arg(&folder).arg("-o").arg(&out).args(RUN).output().unwrap();
    assert_refused(&output, 1, &["0002.png.png", "30 × 80", "its photograph"]);
    assert!(contents(&out).is_empty());
}
