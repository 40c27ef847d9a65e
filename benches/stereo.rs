//! How much of what the views see stereo finds, how right it is, and its time:
//! `cargo bench --bench stereo [-- [SCENE.toml | FOLDER]]`.
//!
//! For the demo's scene (or SCENE.toml) the dark pictures are restored as `naka-gs demo` does, and the depth maps of the
//! restored views (kept: remove `target/tmp/stereo/NAME/lit` to restore again) are compared with the true depths. A pixel *has
//! texture* if the gray of the true lit picture has a standard deviation of at least 0.02 (5 levels of 255) in the 9 × 9 pixels
//! around it, and a surface is there at all. Printed: the part of pixels with texture that get a depth, the part of these
//! within 1 % and 2 % of the true one, and the same for all pixels. For a FOLDER of lit, posed pictures only times, counts and
//! coverage.
//!
//! Inverse depths are written in color (near red, far blue, none black) to `target/tmp/stereo/NAME/depth`.

use naka_gs::capture::{self, Camera, Capture, Image, View, read_image, resize_area};
use naka_gs::enhance::enhance_capture;
use naka_gs::gpu::{Choice, Gpu, Mask};
use naka_gs::prior::stereo::{DepthMap, depth_maps, fuse};
use naka_gs::scenes::{Scene, World, depths, generate};
use naka_gs::{Error, Result, Silent, settings};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Half the side of the window in which texture is looked for, and the least standard deviation.
const WINDOW: usize = 4;
const MIN_DEVIATION: f64 = 0.02;

fn main() -> Result<()> {
    let argument = std::env::args_os().skip(1).find(|a| a != "--bench").map(PathBuf::from);
    let gpu = Gpu::open(&Choice::Best, Mask::default())?;
    match argument {
        Some(folder) if folder.is_dir() => {
            let lit = capture::load(&folder, &capture::Options::default())?;
            measure(&gpu, &lit, &place(folder.file_name().unwrap_or_default())).map(|_| ())
        }
        Some(file) => compare(&gpu, &Scene::load(&file)?, &place(file.file_stem().unwrap_or_default())),
        None => compare(&gpu, &Scene::night()?, &place("night".as_ref())),
    }
}

fn place(name: &std::ffi::OsStr) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("stereo").join(name)
}

/// Depth maps of a lit capture, with their time and coverage.
fn measure(gpu: &Gpu, lit: &Capture, out: &Path) -> Result<Vec<DepthMap>> {
    let config = naka_gs::prior::Config::default();
    let start = Instant::now();
    let (maps, checks) = depth_maps(gpu, lit, &config, &Silent::default())?;
    let matching = start.elapsed().as_secs_f64();
    let points = fuse(&maps, &checks).points;
    let all: usize = maps.iter().map(|map| map.agreeing.len()).sum();
    let found: usize = maps.iter().map(|map| map.agreeing.iter().filter(|a| **a > 0).count()).sum();
    println!("{}: {} views, {:.2} megapixels in all", gpu.name(), maps.len(), all as f64 * 1e-6);
    println!("depth maps {matching:.1} s, fusion {:.1} s", start.elapsed().as_secs_f64() - matching);
    println!("pixels with a depth {:.1} %, fused points {}", 100.0 * found as f64 / all as f64, points.len());
    let folder = out.join("depth");
    std::fs::create_dir_all(&folder).map_err(Error::io(&folder))?;
    for map in &maps {
        let path =
            folder.join(Path::new(&lit.train[map.view].name).with_extension("png").file_name().unwrap_or_default());
        picture(map).save(&path).map_err(|e| Error::input(&path, e.to_string(), "free some space"))?;
    }
    println!("pictures in {}", folder.display());
    Ok(maps)
}

fn compare(gpu: &Gpu, scene: &Scene, out: &Path) -> Result<()> {
    let (dark, lit) = (out.join("capture"), out.join("lit"));
    std::fs::create_dir_all(out).map_err(Error::io(out))?;
    generate(scene, &dark, &Silent::default())?;
    let capture = capture::load(&dark, &capture::Options::default())?;
    let lit = restored(gpu, &capture, &lit)?;
    let maps = measure(gpu, &lit, out)?;
    let world = World::unlit(scene);
    let (mut textured, mut all) = (Tally::default(), Tally::default());
    for map in &maps {
        let truth = depths(&world, &map.camera);
        let image = read_image(&dark.join("truth").join(&lit.train[map.view].name))?;
        let texture = texture(&resize_area(&image, map.camera.width, map.camera.height));
        for (at, depth) in truth.iter().enumerate().filter(|(_, depth)| **depth > 0.0) {
            let found = (map.agreeing[at] > 0).then(|| f64::from(1.0 / map.planes[at][0]));
            all.add(f64::from(*depth), found);
            if texture[at] {
                textured.add(f64::from(*depth), found);
            }
        }
    }
    textured.print("pixels with texture");
    all.print("all pixels with a surface");
    Ok(())
}

/// The capture as `naka-gs demo` trains on it. Pictures that an earlier run restored are taken as they are.
fn restored(gpu: &Gpu, capture: &Capture, folder: &Path) -> Result<Capture> {
    let settings = settings::demo();
    if !capture.train.iter().all(|view| folder.join(&view.name).exists()) {
        enhance_capture(gpu, capture, &settings.enhance, settings.downscale, folder, &Silent::default())?;
    }
    let lit = |view: &View| View { image: Some(folder.join(&view.name)), ..view.clone() };
    Ok(Capture { train: capture.train.iter().map(lit).collect(), ..capture.clone() })
}

#[derive(Default)]
struct Tally {
    pixels: usize,
    errors: Vec<f64>,
}

impl Tally {
    fn add(&mut self, truth: f64, found: Option<f64>) {
        self.pixels += 1;
        self.errors.extend(found.map(|found| (found - truth).abs() / truth));
    }

    fn print(mut self, what: &str) {
        self.errors.sort_by(f64::total_cmp);
        let found = self.errors.len();
        let within = |limit: f64| 100.0 * self.errors.partition_point(|e| *e <= limit) as f64 / found.max(1) as f64;
        println!(
            "{what}: {} in all, {:.1} % with a depth; of these within 1 %: {:.1} %, 2 %: {:.1} %, 5 %: {:.1} %; median error {:.2} %",
            self.pixels,
            100.0 * found as f64 / self.pixels.max(1) as f64,
            within(0.01),
            within(0.02),
            within(0.05),
            100.0 * self.errors.get(found / 2).copied().unwrap_or_default()
        );
    }
}

/// Which pixels have texture.
fn texture(image: &Image) -> Vec<bool> {
    let (width, height) = (image.width as usize, image.height as usize);
    let gray: Vec<f64> = image.pixels.iter().map(|p| f64::from(p[0] + p[1] + p[2]) / 3.0).collect();
    let deviation = |at: usize| {
        let (x, y) = (at % width, at / width);
        let rows = y.saturating_sub(WINDOW)..(y + WINDOW + 1).min(height);
        let columns = x.saturating_sub(WINDOW)..(x + WINDOW + 1).min(width);
        let values: Vec<f64> =
            rows.flat_map(|y| columns.clone().map(move |x| y * width + x)).map(|i| gray[i]).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
    };
    (0..width * height).map(|at| deviation(at) >= MIN_DEVIATION).collect()
}

/// Inverse depth in color, between its 2nd and 98th percentile.
fn picture(map: &DepthMap) -> image::RgbImage {
    let Camera { width, height, .. } = map.camera;
    let mut values: Vec<f32> =
        (0..map.planes.len()).filter(|&i| map.agreeing[i] > 0).map(|i| map.planes[i][0]).collect();
    values.sort_by(f32::total_cmp);
    let percentile = |part: f64| values.get((part * values.len() as f64) as usize).copied().unwrap_or_default();
    let (far, near) = (percentile(0.02), percentile(0.98));
    image::RgbImage::from_fn(width, height, |x, y| {
        let at = (y * width + x) as usize;
        let t = ((map.planes[at][0] - far) / (near - far).max(f32::MIN_POSITIVE)).clamp(0.0, 1.0);
        let band = |center: f32| ((1.5 - (4.0 * t - center).abs()).clamp(0.0, 1.0) * 255.0) as u8;
        image::Rgb(if map.agreeing[at] > 0 { [band(3.0), band(2.0), band(1.0)] } else { [0; 3] })
    })
}
