//! Reference renderer for the kernels: the definition (NAKA-GS §3) in 64-bit floats, every splat at every pixel.

use super::RenderSettings;
use crate::capture::Camera;
use glam::{DMat2, DMat3, DQuat, DVec2, DVec3};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use rayon::prelude::*;

/// A model as flat tensors: means, quaternions (w, x, y, z), log-scales, logit-opacities, SH `[N, 16, 3]`.
pub type Model = [Vec<f64>; 5];

/// Values per splat of each tensor of a [`Model`].
#[cfg(test)]
pub const WIDTHS: [usize; 5] = [3, 4, 3, 1, 48];

/// What a view shows: RGB over the background, opacity and α-weighted depth, row-major.
pub struct Dense {
    pub image: Vec<[f64; 3]>,
    pub alpha: Vec<f64>,
    pub depth: Vec<f64>,
}

struct Footprint {
    center: DVec2,
    depth: f64,
    conic: DMat2,
    opacity: f64,
    color: DVec3,
}

/// Renders `model`.
#[cfg(test)]
pub fn render(model: &Model, camera: &Camera, settings: &RenderSettings) -> Dense {
    let footprints = footprints(model, camera, settings);
    blend(&footprints, &orders(&footprints, camera), camera, settings)
}

/// The render of `model` with the center of splat `i` moved by `offset` pixels on the image.
#[cfg(test)]
pub fn render_moved(model: &Model, i: usize, offset: DVec2, camera: &Camera, settings: &RenderSettings) -> Dense {
    let mut footprints = footprints(model, camera, settings);
    let orders = orders(&footprints, camera);
    footprints[i].iter_mut().for_each(|splat| splat.center += offset);
    blend(&footprints, &orders, camera, settings)
}

/// The splats that are blended at each pixel, in their order.
pub type Orders = Vec<Vec<u32>>;

/// The render of a model that differs from the one of `orders` in its values a little, with the same splats at each pixel:
/// thresholds, which make steps of what is otherwise smooth, stay where they were.
pub fn render_ordered(model: &Model, orders: &Orders, camera: &Camera, settings: &RenderSettings) -> Dense {
    blend(&footprints(model, camera, settings), orders, camera, settings)
}

/// Which splats a render of `model` blends.
pub fn orders_of(model: &Model, camera: &Camera, settings: &RenderSettings) -> Orders {
    orders(&footprints(model, camera, settings), camera)
}

fn footprints(model: &Model, camera: &Camera, settings: &RenderSettings) -> Vec<Option<Footprint>> {
    (0..model[3].len()).into_par_iter().map(|i| project(model, i, camera, settings)).collect()
}

fn orders(footprints: &[Option<Footprint>], camera: &Camera) -> Orders {
    let mut splats: Vec<(u32, &Footprint)> =
        (0..).zip(footprints).filter_map(|(i, footprint)| Some((i, footprint.as_ref()?))).collect();
    splats.sort_by(|a, b| a.1.depth.total_cmp(&b.1.depth));
    let of_pixel = |at: u32| {
        let pixel = center(at, camera);
        let (mut order, mut transmittance) = (Vec::new(), 1.0);
        for (i, splat) in &splats {
            let alpha = splat.alpha(pixel);
            if alpha < 1.0 / 255.0 {
                continue;
            }
            if transmittance * (1.0 - alpha) <= 1e-4 {
                break;
            }
            order.push(*i);
            transmittance *= 1.0 - alpha;
        }
        order
    };
    (0..camera.width * camera.height).into_par_iter().map(of_pixel).collect()
}

fn blend(footprints: &[Option<Footprint>], orders: &Orders, camera: &Camera, settings: &RenderSettings) -> Dense {
    let background = DVec3::from(settings.background.map(f64::from));
    let of_pixel = |(at, order): (usize, &Vec<u32>)| {
        let pixel = center(at as u32, camera);
        let (mut color, mut depth, mut transmittance) = (DVec3::ZERO, 0.0, 1.0);
        for splat in order.iter().filter_map(|i| footprints[*i as usize].as_ref()) {
            let alpha = splat.alpha(pixel);
            color += splat.color * alpha * transmittance;
            depth += splat.depth * alpha * transmittance;
            transmittance *= 1.0 - alpha;
        }
        ((color + background * transmittance).to_array(), 1.0 - transmittance, depth)
    };
    let pixels: Vec<_> = orders.par_iter().enumerate().map(of_pixel).collect();
    Dense {
        image: pixels.iter().map(|pixel| pixel.0).collect(),
        alpha: pixels.iter().map(|pixel| pixel.1).collect(),
        depth: pixels.iter().map(|pixel| pixel.2).collect(),
    }
}

fn center(at: u32, camera: &Camera) -> DVec2 {
    DVec2::new(f64::from(at % camera.width) + 0.5, f64::from(at / camera.width) + 0.5)
}

impl Footprint {
    fn alpha(&self, pixel: DVec2) -> f64 {
        let d = pixel - self.center;
        (self.opacity * (-0.5 * d.dot(self.conic * d)).exp()).min(0.999)
    }
}

/// The footprint of splat `i`; `None` where it is behind the near plane or not finite.
fn project(model: &Model, i: usize, camera: &Camera, settings: &RenderSettings) -> Option<Footprint> {
    let [means, quats, log_scales, logits, sh] = model;
    let mean = DVec3::from_slice(&means[3 * i..]);
    let p = camera.viewmat.transform_point3(mean);
    let q = &quats[4 * i..4 * i + 4];
    let scales = DVec3::from_slice(&log_scales[3 * i..]).exp();
    let finite = p.is_finite() && scales.is_finite() && logits[i].is_finite() && q.iter().all(|v| v.is_finite());
    if !finite || p.z <= 0.01 {
        return None;
    }
    // The affine approximation is taken at most 30 % of the half field of view outside the image.
    let held = |v: f64, f: f64, c: f64, size: u32| {
        let (size, margin) = (f64::from(size), 0.15 * f64::from(size) / f);
        (v / p.z).clamp(-c / f - margin, (size - c) / f + margin) * p.z
    };
    let (tx, ty) = (held(p.x, camera.fx, camera.cx, camera.width), held(p.y, camera.fy, camera.cy, camera.height));
    let rotation = DMat3::from_quat(DQuat::from_xyzw(q[1], q[2], q[3], q[0]).normalize());
    let axes = camera.rotation() * rotation * DMat3::from_diagonal(scales);
    let row_x = DVec3::new(camera.fx / p.z, 0.0, -camera.fx * tx / (p.z * p.z));
    let row_y = DVec3::new(0.0, camera.fy / p.z, -camera.fy * ty / (p.z * p.z));
    let (u, v) = (axes.transpose() * row_x, axes.transpose() * row_y);
    let r = camera.reduction;
    let variance = (0.3 / r / r + (1.0 - 1.0 / r / r) / 12.0).max(0.1);
    let sharp = DMat2::from_cols_array(&[u.dot(u), u.dot(v), u.dot(v), v.dot(v)]);
    let blurred = sharp + DMat2::from_diagonal(DVec2::splat(variance));
    let mut opacity = 1.0 / (1.0 + (-logits[i]).exp());
    if settings.antialiased {
        opacity *= (sharp.determinant() / blurred.determinant()).max(0.0).sqrt();
    }
    let direction = (mean - camera.center()).normalize();
    let mut color = DVec3::splat(0.5);
    for l in 0..=settings.sh_degree as i32 {
        for m in -l..=l {
            let at = 48 * i + 3 * (l * l + l + m) as usize;
            color += harmonic(l, m, direction) * DVec3::from_slice(&sh[at..]);
        }
    }
    let center = DVec2::new(camera.fx * p.x / p.z + camera.cx, camera.fy * p.y / p.z + camera.cy);
    Some(Footprint { center, depth: p.z, conic: blurred.inverse(), opacity, color: color.max(DVec3::ZERO) })
}

/// The real spherical harmonic of degree `l` and order `m` with Condon–Shortley phase, by Legendre functions.
fn harmonic(l: i32, m: i32, d: DVec3) -> f64 {
    let factorial = |n: i32| (1..=n).map(f64::from).product::<f64>();
    let order = m.abs();
    let norm =
        (f64::from(2 * l + 1) / (4.0 * std::f64::consts::PI) * factorial(l - order) / factorial(l + order)).sqrt();
    let sine = (d.x * d.x + d.y * d.y).sqrt();
    // P_m^m, then upward in the degree.
    let mut legendre = (1..=order).map(|k| -f64::from(2 * k - 1) * sine).product::<f64>();
    let mut below = 0.0;
    for n in order + 1..=l {
        let next = (f64::from(2 * n - 1) * d.z * legendre - f64::from(n + order - 1) * below) / f64::from(n - order);
        (below, legendre) = (legendre, next);
    }
    let angle = f64::from(order) * d.y.atan2(d.x);
    norm * legendre
        * match m.signum() {
            1 => std::f64::consts::SQRT_2 * angle.cos(),
            -1 => std::f64::consts::SQRT_2 * angle.sin(),
            _ => 1.0,
        }
}

/// A camera without special values: odd size, its principal point off the center, turned and moved.
#[cfg(test)]
pub fn camera() -> Camera {
    let rotation = DQuat::from_euler(glam::EulerRot::YXZ, 0.3, -0.2, 0.1);
    let viewmat = glam::DMat4::from_rotation_translation(rotation, DVec3::new(0.1, -0.2, 3.0));
    Camera { width: 37, height: 22, fx: 31.0, fy: 29.5, cx: 17.3, cy: 12.1, viewmat, reduction: 1.0 }
}

/// A random cloud of `count` splats around the origin, most of them in view; values are exact in 32-bit floats.
pub fn cloud(count: usize, seed: u64) -> Model {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut tensor = |width: usize, center: f32, spread: f32| -> Vec<f64> {
        (0..count * width).map(|_| f64::from(center + spread * (2.0 * rng.random::<f32>() - 1.0))).collect()
    };
    [tensor(3, 0.0, 1.5), tensor(4, 0.2, 1.0), tensor(3, -1.6, 0.7), tensor(1, 0.3, 2.5), tensor(48, 0.0, 0.35)]
}

/// The model as the program holds it.
pub fn splats(model: &Model) -> super::Splats {
    let float = |values: &[f64]| values.iter().map(|v| *v as f32).collect::<Vec<f32>>();
    super::Splats {
        means: float(&model[0]).as_chunks().0.to_vec(),
        quats: float(&model[1]).as_chunks().0.to_vec(),
        log_scales: float(&model[2]).as_chunks().0.to_vec(),
        logit_opacities: float(&model[3]),
        sh: float(&model[4]),
        sh_degree: 3,
    }
}
