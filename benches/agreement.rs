//! How well restored views of a generated scene agree: `cargo bench --bench agreement [-- [SCENE.toml] [FOLDER …]]`.
//!
//! For the demo's scene (or SCENE.toml) the dark pictures are restored in each of several ways at full, half and quarter
//! size. Printed for each, per channel in levels of 255: the flicker of the same place (8 × 8 pixels) between views, of
//! regions of 32 × 32 pixels and of whole views, the mean error and its standard deviation over views (see
//! `src/scenes/agreement.rs`), and the mean absolute and mean signed difference of the full-size pictures to those made
//! at half and quarter size. Each FOLDER with restored pictures of the scene's train views is measured too. The pictures
//! stay in `target/tmp`.

use naka_gs::capture::{self, Capture, read_image, resize_area};
use naka_gs::enhance::{Config, Response, calibrate, enhance_capture};
use naka_gs::gpu::{Choice, Gpu, Mask};
use naka_gs::scenes::{Scene, agreement, generate};
use naka_gs::{Result, Silent, storage};
use std::path::{Path, PathBuf};

fn main() -> Result<()> {
    let arguments: Vec<PathBuf> = std::env::args_os().skip(1).filter(|a| a != "--bench").map(PathBuf::from).collect();
    let (files, folders): (Vec<_>, Vec<_>) =
        arguments.into_iter().partition(|a| a.extension().is_some_and(|e| e == "toml"));
    let (scene, name) = match files.first() {
        Some(path) => (Scene::load(path)?, path.file_stem().unwrap_or_default()),
        None => (Scene::night()?, "night".as_ref()),
    };
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("agreement").join(name);
    let dark = root.join("capture");
    std::fs::create_dir_all(&root).map_err(naka_gs::Error::io(&root))?;
    generate(&scene, &dark, &Silent::default())?;
    let capture = capture::load(&dark, &capture::Options::default())?;
    let truth = dark.join("truth");
    let lit = capture::photos(&truth)?;
    let fitted = calibrate::calibrate(&capture, &lit, calibrate::Config::default(), &Silent::default())?;
    let camera = root.join("calibrated.toml");
    storage::write_bytes(&camera, fitted.toml.as_bytes())?;
    let camera = camera.to_string_lossy().into_owned();
    let gpu = Gpu::open(&Choice::Best, Mask::default())?;
    let plain = Config { weights: "none".into(), ..Config::default() };
    println!("{:28} {:>6} {:>8}  levels, red green blue", "", "pairs", "places");
    for (name, config) in [
        ("published, per image", Config::published()),
        ("naka, scene", Config { response: Response::Naka, ..plain.clone() }),
        ("known camera", Config { response: Response::Camera, ..plain.clone() }),
        ("calibrated camera", Config { response: Response::Camera, camera: camera.clone(), ..plain }),
        ("calibrated, with network", Config { response: Response::Camera, camera, ..Config::default() }),
    ] {
        let sizes = [1, 2, 4].map(|downscale| root.join(name.replace([' ', ','], "_")).join(downscale.to_string()));
        for (out, downscale) in sizes.iter().zip([1, 2, 4]) {
            enhance_capture(&gpu, &capture, &config, downscale, out, &Silent::default())?;
        }
        row(name, &scene, &truth, &sizes[0])?;
        for small in &sizes[1..] {
            let [size, sign] = difference(&capture, &sizes[0], small)?;
            println!(
                "{:>44}  full size − 1/{}: {} absolute, {} signed",
                "",
                small.file_name().unwrap_or_default().display(),
                levels(size),
                levels(sign)
            );
        }
    }
    folders.iter().try_for_each(|folder| row(&folder.to_string_lossy(), &scene, &truth, folder))
}

fn row(name: &str, scene: &Scene, truth: &Path, folder: &Path) -> Result<()> {
    let found = agreement(scene, truth, folder)?;
    println!("{name:28} {:6} {:8}  flicker {}", found.pairs, found.places, levels(found.flicker));
    for (what, values) in [
        ("of 32 × 32 pixels", found.regions),
        ("of whole views", found.exposure),
        ("mean error", found.bias),
        ("its deviation", found.deviation),
    ] {
        println!("{:>44}  {what} {}", "", levels(values));
    }
    Ok(())
}

fn levels(values: [f64; 3]) -> String {
    values.map(|v| format!("{v:.2}")).join(" ")
}

/// Mean absolute and mean signed difference of large pictures, averaged to the size of small ones, to these.
fn difference(capture: &Capture, large: &Path, small: &Path) -> Result<[[f64; 3]; 2]> {
    let (mut sums, mut count) = ([[0.0; 3]; 2], 0.0);
    for view in &capture.train {
        let small = read_image(&small.join(&view.name))?;
        let large = resize_area(&read_image(&large.join(&view.name))?, small.width, small.height);
        count += small.pixels.len() as f64;
        for (a, b) in large.pixels.iter().zip(&small.pixels) {
            for c in 0..3 {
                let difference = f64::from(a[c] - b[c]) * 255.0;
                sums[0][c] += difference.abs();
                sums[1][c] += difference;
            }
        }
    }
    Ok(sums.map(|sum| sum.map(|v| v / count)))
}
