//! Inputs of the workloads, from formulas and seeds alone.

use crate::capture::{Camera, Capture, Image, View};
use crate::error::{Error, Result};
use crate::eval::{Sampling, write_jpeg_with};
use crate::gpu::Gpu;
use crate::prior::PointCloud;
use crate::random::uniform;
use crate::scenes::{CameraPath, train_cameras};
use crate::splat::{Init, RenderSettings, Renderer, Splats, Style, Tensors, from_points, on_sphere};
use glam::{DMat4, DVec3};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::f64::consts::PI;
use tempfile::TempDir;

/// Cameras of the ring.
const VIEWS: u32 = 12;
const INIT: Init = Init { sh_degree: 3, opacity: 0.7, scale: 0.6, thickness: 0.2, seed: 1 };
/// Balls on the floor: their places, all of radius [`BALL`].
const BALLS: [[f64; 2]; 5] = [[0.0, 0.0], [1.1, 0.4], [-0.5, 1.0], [-0.9, -0.7], [0.6, -1.1]];
const BALL: f64 = 0.45;
const FLOOR: f64 = 2.5;

/// `count` random splats of SH degree 3 in the unit ball, of a size at which they cover a picture of the ball some sixty times.
pub fn ball(count: usize) -> Splats {
    let mut random = StdRng::seed_from_u64(1);
    let mut splats = Splats { sh_degree: 3, ..Splats::default() };
    let sigma = (60.0 / count as f32).sqrt() * 0.5;
    while splats.len() < count {
        let mean = [0.0; 3].map(|_: f32| random.random_range(-1.0..1.0f32));
        if mean.iter().map(|v| v * v).sum::<f32>() > 1.0 {
            continue;
        }
        splats.means.push(mean);
        splats.quats.push([0.0; 4].map(|_: f32| random.random_range(-1.0..1.0)));
        splats.log_scales.push([0.0; 3].map(|_: f32| (sigma * random.random_range(0.3..1.7f32)).ln()));
        splats.logit_opacities.push(random.random_range(-2.0..3.0));
        splats.sh.extend((0..48).map(|i| random.random_range(-1.0..1.0f32) * if i < 3 { 1.0 } else { 0.1 }));
    }
    splats
}

/// The camera before the ball.
pub fn before_ball([width, height]: [u32; 2]) -> Camera {
    let focal = f64::from(height);
    let (cx, cy) = (0.5 * f64::from(width), 0.5 * f64::from(height));
    let viewmat = DMat4::from_translation(DVec3::new(0.0, 0.0, 3.0));
    Camera { width, height, fx: focal, fy: focal, cx, cy, viewmat, reduction: 1.0 }
}

/// About `count` splats on a floor with five balls, even over the area.
pub fn surfaces(count: usize) -> Splats {
    let areas = [PI * FLOOR * FLOOR, BALLS.len() as f64 * 4.0 * PI * BALL * BALL];
    let on_floor = (count as f64 * areas[0] / (areas[0] + areas[1])).round() as u32;
    let on_ball = (count as u32 - on_floor) / BALLS.len() as u32;
    let mut points = PointCloud::default();
    let mut add = |position: DVec3, normal: DVec3| {
        points.positions.push(position.as_vec3().to_array());
        points.normals.push(normal.as_vec3().to_array());
        points.colors.push(texture(position));
    };
    for at in 0..on_floor {
        // A spiral of golden angles, even over the disc.
        let (angle, part) = (PI * (3.0 - 5f64.sqrt()) * f64::from(at), (f64::from(at) + 0.5) / f64::from(on_floor));
        add(FLOOR * part.sqrt() * DVec3::new(angle.cos(), angle.sin(), 0.0), DVec3::Z);
    }
    for [x, y] in BALLS {
        for normal in (0..on_ball).map(|at| on_sphere(at, on_ball)) {
            add(DVec3::new(x, y, BALL) + BALL * normal, normal);
        }
    }
    from_points(&points, &INIT)
}

/// Colors that stereo can tell apart and training has to find.
fn texture(p: DVec3) -> [u8; 3] {
    let wave =
        |a: f64, b: f64, c: f64| 0.5 + 0.25 * (a * p.x + b * p.y).sin() + 0.2 * (b * p.x - a * p.y + c * p.z).sin();
    [wave(9.0, 3.0, 17.0), wave(23.0, 5.0, 11.0), wave(31.0, 13.0, 7.0)].map(|v| (255.0 * v) as u8)
}

/// Surfaces, and photographs of them from a ring of cameras as JPEG files in a folder that goes with this.
pub struct Ring {
    pub capture: Capture,
    pub splats: Splats,
    _folder: TempDir,
}

impl Ring {
    /// Photographs of about `count` splats, of `size` pixels.
    pub fn new(gpu: &Gpu, count: usize, [width, height]: [u32; 2]) -> Result<Self> {
        let folder = tempfile::tempdir().map_err(Error::io(std::env::temp_dir()))?;
        let path = CameraPath {
            width,
            height,
            fov: 55.0,
            train: VIEWS,
            test: 1,
            target: [0.0, 0.0, 0.3],
            radius: 3.2,
            arc: [0.0, 330.0],
            heights: [1.2, 2.2],
            swings: 2.0,
            antialias: 1,
        };
        let splats = surfaces(count);
        let (renderer, model, mut work) = (Renderer::new(gpu)?, Tensors::from_splats(gpu, &splats, 0)?, None);
        let mut train = Vec::new();
        for (at, camera) in train_cameras(&path).into_iter().enumerate() {
            let picture = renderer.render_image(gpu, &model, &camera, &settings(), &mut work)?.image;
            let (name, file) = (format!("{at:02}.jpg"), folder.path().join(format!("{at:02}.jpg")));
            write_jpeg_with(&file, &picture, 95, Sampling::Full)?;
            let (lens, mask, gain, shots) = (None, None, None, Vec::new());
            train.push(View { name, image: Some(file), camera, lens, mask, gain, shots });
        }
        let capture = Capture { root: folder.path().into(), train, ..Capture::default() };
        Ok(Self { capture, splats, _folder: folder })
    }
}

/// How the workloads are drawn.
pub fn settings() -> RenderSettings {
    RenderSettings { background: [0.0; 3], sh_degree: 3, antialiased: false, style: Style::default() }
}

/// A picture of waves about `level`, with a tenth of it as noise.
pub fn waves([width, height]: [u32; 2], level: f32) -> Image {
    let value = |at: u32, channel: u32| {
        let [x, y] = [at % width, at / width].map(|v| v as f32 / 20.0);
        let wave = (x + channel as f32).sin() * (0.7 * y).cos();
        level * (1.0 + 0.6 * wave + 0.1 * uniform(2, u64::from(channel), u64::from(at)) as f32)
    };
    let pixels = (0..width * height).map(|at| [value(at, 0), value(at, 1), value(at, 2)]).collect();
    Image { width, height, pixels }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surfaces_are_as_many_as_asked_for_and_in_view_of_every_camera() {
        let splats = surfaces(2000);
        assert!((1990..=2000).contains(&splats.len()) && splats.broken() == 0 && splats.sh_degree == 3);
        let camera = before_ball([64, 48]);
        assert_eq!(camera.sees(DVec3::ZERO), Some(DVec3::new(32.0, 24.0, 3.0)));
        assert_eq!(ball(100), ball(100), "the same every time");
    }
}
