//! Memory that must not grow with the work done. A binary of its own, with one test: others would disturb the figures.
#![cfg(target_os = "linux")]

use glam::{DMat4, DVec3};
use naka_gs::Silent;
use naka_gs::capture::{Camera, Capture, View};
use naka_gs::enhance::{Config, Response, enhance_capture};
use naka_gs::gpu::{Choice, Gpu, Mask};
use naka_gs::prior::PointCloud;
use naka_gs::splat::{Init, from_points};
use naka_gs::train::{self, Trainer};
use std::path::Path;

/// Steps of training until everything was used once: all kernels, all bands of the harmonics.
const SETTLING: u32 = 400;
/// Steps that alternate between two sizes of images, before and while nothing may be allocated: several epochs each.
const MIXED: [u32; 2] = [120, 60];
/// Bytes of device memory that the driver may hold beyond what is in use, after small work: a block of each kind.
const BLOCKS: u64 = 40 << 20;
/// Parts in which training is measured. A leak shows in all of them; an allocator that takes another page does not.
const PARTS: usize = 8;

/// Resident memory of this process, in bytes.
fn resident() -> i64 {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split_whitespace().nth(1).unwrap().parse::<i64>().unwrap() * 4096
}

/// A dark picture, another one for every `index`.
fn picture(folder: &Path, index: u32, [width, height]: [u32; 2]) -> View {
    let level = |x: u32, y: u32, c: u32| ((x * (3 + c) + y * 5 + index * 7) % 23 + (x * y) % 5) as u8;
    let pixels = image::RgbImage::from_fn(width, height, |x, y| image::Rgb([0, 1, 2].map(|c| level(x, y, c))));
    let name = format!("{index:04}.png");
    let path = folder.join(&name);
    pixels.save(&path).unwrap();
    let turn = DMat4::from_rotation_y(f64::from(index) * 0.3);
    let viewmat = DMat4::from_translation(DVec3::new(0.0, 0.0, 3.0)) * turn;
    let [cx, cy] = [width, height].map(|side| f64::from(side) / 2.0);
    let f = f64::from(width);
    View {
        name,
        image: Some(path),
        camera: Camera { width, height, fx: f, fy: f, cx, cy, viewmat, reduction: 1.0 },
        lens: None,
        mask: None,
        gain: None,
        shots: Vec::new(),
    }
}

/// Bytes by which lighting `count` pictures grows the process, the network included.
fn growth_of_enhance(gpu: &Gpu, count: u32) -> i64 {
    let folder = tempfile::tempdir().unwrap();
    // Sizes vary, as those of real folders do.
    let size = |index: u32| [16 + 8 * (index % 3), 16];
    let train = (0..count).map(|index| picture(folder.path(), index, size(index))).collect();
    let capture = Capture { train, ..Capture::default() };
    let out = folder.path().join("lit");
    std::fs::create_dir(&out).unwrap();
    let before = resident();
    // Maps of a picture's own size, and smaller ones.
    let config = Config { response: Response::Camera, working: 24, ..Config::default() };
    let (_, report) = enhance_capture(gpu, &capture, &config, 1, &out, &Silent::default()).unwrap();
    assert_eq!(report.images, count as usize);
    assert!(report.network.contains("built in"), "{}", report.network);
    resident() - before
}

/// Bytes a step by which training grows the process in every part of `PARTS` times `steps` steps, in ascending order.
fn growth_of_training(gpu: &Gpu, steps: u32) -> [i64; PARTS] {
    let folder = tempfile::tempdir().unwrap();
    let train = (0..4).map(|index| picture(folder.path(), index, [24, 16])).collect();
    let capture = Capture { train, ..Capture::default() };
    let init = Init { sh_degree: 3, opacity: 0.1, scale: 1.0, thickness: 1.0, seed: 1 };
    let splats = from_points(&points(), &init);
    let total = SETTLING + steps * PARTS as u32;
    let mut config = train::Config { steps: total, sh_interval: 50, ..train::Config::default() };
    (config.densify.start, config.densify.max_splats, config.densify.reset_every) = (50, 40, 200);
    let mut trainer = Trainer::new(gpu, &capture, &splats, &config).unwrap();
    let mut run_to = |end: u32| {
        while trainer.step < end {
            trainer.step().unwrap();
        }
        trainer.finish().unwrap();
        (resident(), gpu.kernel_count())
    };
    let (mut before, kernels) = run_to(SETTLING);
    let mut growth = [0; PARTS];
    for (part, growth) in (1..).zip(&mut growth) {
        let (after, kernels_after) = run_to(SETTLING + part * steps);
        assert_eq!(kernels, kernels_after, "kernels were compiled while training");
        *growth = (after - before) / i64::from(steps);
        before = after;
    }
    growth.sort_unstable();
    growth
}

/// A model to train, in front of the cameras.
fn points() -> PointCloud {
    let positions: Vec<_> = (0..40).map(|i| [(i % 5) as f32 * 0.3 - 0.6, (i / 5) as f32 * 0.2 - 0.8, 0.0]).collect();
    let colors = vec![[90, 80, 70]; positions.len()];
    PointCloud { positions, colors, normals: Vec::new() }
}

/// Trains on portraits and landscapes in turn: once all views were seen, a step makes no buffer, and the driver gives no
/// more memory.
fn mixed_sizes_allocate_nothing(gpu: &Gpu) {
    let folder = tempfile::tempdir().unwrap();
    let size = |index: u32| if index.is_multiple_of(2) { [150, 70] } else { [70, 150] };
    let train = (0..6).map(|index| picture(folder.path(), index, size(index))).collect();
    let capture = Capture { train, ..Capture::default() };
    let init = Init { sh_degree: 0, opacity: 0.1, scale: 1.0, thickness: 1.0, seed: 1 };
    let mut config = train::Config { steps: MIXED[0] + MIXED[1], ..train::Config::default() };
    config.densify.start = config.steps;
    let mut trainer = Trainer::new(gpu, &capture, &from_points(&points(), &init), &config).unwrap();
    let mut run_to = |end: u32| {
        while trainer.step < end {
            trainer.step().unwrap();
        }
        trainer.finish().unwrap();
        (gpu.activity().buffers, gpu.bytes(), gpu.reserved_bytes())
    };
    let settled = run_to(MIXED[0]);
    assert_eq!(run_to(config.steps), settled, "steps made buffers");
}

#[test]
fn memory_does_not_grow_with_pictures_or_steps() {
    let gpu = Gpu::open(&Choice::Best, Mask::of_process()).unwrap();
    // The first pictures take what every run takes: weights, compiled kernels, threads.
    let first = growth_of_enhance(&gpu, 24);
    let growth = growth_of_enhance(&gpu, 200);
    println!("enhance: {} KB for 24 pictures, then {} KB for 200", first >> 10, growth >> 10);
    assert!(growth < 20 << 20, "200 pictures left {} KB behind", growth >> 10);
    let reserved = gpu.reserved_bytes().unwrap_or_default();
    println!("enhance: {} KB in use on the device, {} KB held", gpu.bytes() >> 10, reserved >> 10);
    assert!(reserved < gpu.bytes() + BLOCKS, "{} KB for {} KB in use", reserved >> 10, gpu.bytes() >> 10);
    mixed_sizes_allocate_nothing(&gpu);
    let growth = growth_of_training(&gpu, 250);
    println!("train: {growth:?} bytes a step in parts of 250 steps");
    assert!(growth[PARTS / 2] < 1024, "training grows by {growth:?} bytes a step");
}
