//! Speed of what handles points by the million: `cargo bench --bench points`.
//!
//! Prints a line each for PPM on 1 000 000 points, and for 1 000 000 splats (SH 3) written and read by this program
//! and read by ply-rs with a payload type of its own, the alternative that the direct rows of `src/ply/` replace.

use glam::DMat4;
use naka_gs::ppm;
use naka_gs::prior::PointCloud;
use naka_gs::splat::{self, Splats, ply};
use ply_rs::parser::Parser;
use ply_rs::ply::{PropertyAccess, PropertyAccessResult};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;
use std::time::Instant;

const COUNT: usize = 1_000_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    prune()?;
    let path = folder.path().join("splats.ply");
    let splats = splats();
    timed("PLY, write 1 000 000 splats SH 3", || ply::write(&path, &splats))?;
    let back = timed("PLY, read 1 000 000 splats SH 3", || splat::read(&path))?;
    assert!(back == splats);
    timed("PLY, read the same with ply-rs", || by_ply_rs(&path))?;
    Ok(())
}

fn timed<T, E>(what: &str, work: impl FnOnce() -> Result<T, E>) -> Result<T, E> {
    let start = Instant::now();
    let result = work()?;
    println!("{what}: {:.3} s", start.elapsed().as_secs_f64());
    Ok(result)
}

/// Numbers in [0, 1).
fn numbers() -> impl FnMut() -> f32 {
    let mut state = 1u64;
    move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32
    }
}

/// Noisy spheres: surfaces, as a multi-view prior has them, at two densities.
fn prune() -> naka_gs::Result<()> {
    for (name, radius) in [("sparse", 2.0), ("crowded", 0.5)] {
        let mut next = numbers();
        let mut point = || {
            let direction = glam::Vec3::new(next() - 0.5, next() - 0.5, next() - 0.5).normalize_or_zero();
            (direction * (radius + 0.01 * next())).to_array()
        };
        let cloud = PointCloud {
            positions: (0..COUNT).map(|_| point()).collect(),
            colors: vec![[9, 8, 7]; COUNT],
            ..PointCloud::default()
        };
        let what = format!("PPM, 1 000 000 points, {name}");
        let (_, report) = timed(&what, || ppm::run(cloud.clone(), &ppm::Config::default(), &DMat4::IDENTITY, &[]))?;
        println!("  {} after pooling, {} after {} iterations", report.pooled, report.output, report.iterations.len());
        let unpooled = ppm::Config { voxel_size: 0.0, ..ppm::Config::default() };
        let what = format!("PPM, 1 000 000 points, {name}, without pooling");
        let (_, report) = timed(&what, || ppm::run(cloud, &unpooled, &DMat4::IDENTITY, &[]))?;
        println!("  {} after {} iterations", report.output, report.iterations.len());
    }
    Ok(())
}

fn splats() -> Splats {
    let mut next = numbers();
    Splats {
        means: (0..COUNT).map(|_| [next(), next(), next()]).collect(),
        quats: (0..COUNT).map(|_| [next(), next(), next(), next()]).collect(),
        log_scales: (0..COUNT).map(|_| [next(), next(), next()]).collect(),
        logit_opacities: (0..COUNT).map(|_| next()).collect(),
        sh: (0..COUNT * 48).map(|_| next()).collect(),
        sh_degree: 3,
    }
}

/// A splat that ply-rs fills property by property.
struct Row(Vec<f32>);

impl PropertyAccess for Row {
    fn new() -> Self {
        Self(Vec::with_capacity(62))
    }

    fn set_float(&mut self, _name: &str, value: f32) -> PropertyAccessResult {
        self.0.push(value);
        PropertyAccessResult::Set
    }
}

fn by_ply_rs(path: &Path) -> Result<usize, Box<dyn std::error::Error>> {
    let mut file = BufReader::new(File::open(path)?);
    let ply = Parser::<Row>::new().read_ply(&mut file)?;
    Ok(ply.payload.values().map(Vec::len).sum())
}
