//! A floor for the scales of splats: the resolution of the training images.
//!
//! The images do not determine sizes below their pixels. At their resolution this does not matter, since the renderer's
//! low-pass filter hides it; in a larger picture, or from closer by, such splats are needles with gaps between them. So their
//! standard deviations are kept at the size of that filter in the closest view that sees them.

use crate::capture::Camera;
use crate::error::Result;
use crate::gpu::{Buffer, Gpu, Kernel, Recorder, WORKGROUP};
use crate::splat::Tensors;
use bytemuck::{Pod, Zeroable};

/// Twin of `Floor` in `shaders/train/scale_floor.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Floor {
    count: u32,
    views: u32,
    least: f32,
    padding: u32,
}

/// Twin of `Eye`, likewise.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Eye {
    viewmat: [[f32; 4]; 4],
    intrinsics: [f32; 4],
    size: [f32; 2],
    padding: [f32; 2],
}

/// The kernel and the views of one capture.
pub struct ScaleFloor {
    kernel: Kernel,
    settings: Buffer<Floor>,
    eyes: Buffer<Eye>,
    least: f32,
}

impl ScaleFloor {
    /// For splats that `cameras` see; `least` is in pixels of theirs.
    ///
    /// # Errors
    /// Those of the device.
    pub fn new(gpu: &Gpu, cameras: &[Camera], least: f32) -> Result<Self> {
        let eye = |camera: &Camera| Eye {
            viewmat: camera.viewmat.as_mat4().to_cols_array_2d(),
            intrinsics: [camera.fx, camera.fy, camera.cx, camera.cy].map(|v| v as f32),
            size: [camera.width as f32, camera.height as f32],
            padding: [0.0; 2],
        };
        let eyes: Vec<Eye> = cameras.iter().map(eye).collect();
        let (kernel, settings) = (gpu.kernel("train/scale_floor", &[])?, gpu.buffer("scale floor", 1)?);
        Ok(Self { kernel, settings, eyes: gpu.upload("training views", &eyes)?, least })
    }

    /// Records the raising of log-scales that are too small.
    pub fn record(&self, recorder: &mut Recorder<'_>, splats: &Tensors) {
        let (count, views) = (splats.count as u32, self.eyes.len() as u32);
        self.settings.write(recorder.gpu(), 0, &[Floor { count, views, least: self.least, padding: 0 }]);
        let bindings =
            [self.settings.binding(), self.eyes.binding(), splats.means.binding(), splats.log_scales.binding()];
        recorder.dispatch(&self.kernel, &bindings, count.div_ceil(WORKGROUP));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::{Choice, Mask};
    use crate::splat::Splats;
    use glam::{DMat4, DQuat, DVec3};
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    fn cameras() -> Vec<Camera> {
        let camera = |turn: f64, place: DVec3, f: f64, width: u32| Camera {
            width,
            height: 80,
            fx: f,
            fy: 0.9 * f,
            cx: 0.45 * f64::from(width),
            cy: 41.0,
            viewmat: DMat4::from_rotation_translation(DQuat::from_rotation_y(turn), place),
            reduction: 1.0,
        };
        vec![camera(0.1, DVec3::new(0.0, 0.4, 3.0), 90.0, 120), camera(1.3, DVec3::new(0.2, -0.3, 1.0), 150.0, 64)]
    }

    /// The floor of a mean, in `f64`.
    fn twin(mean: [f32; 3], least: f64) -> Option<f64> {
        let rate = |camera: &Camera| {
            let p = camera.viewmat.transform_point3(glam::Vec3::from(mean).as_dvec3());
            let (w, h) = (f64::from(camera.width), f64::from(camera.height));
            let (u, v) = (camera.fx * p.x / p.z + camera.cx, camera.fy * p.y / p.z + camera.cy);
            let inside = |x: f64, size: f64| x > -0.15 * size && x < 1.15 * size;
            (p.z > 0.01 && inside(u, w) && inside(v, h)).then(|| camera.fx.max(camera.fy) / p.z)
        };
        let best = cameras().iter().filter_map(rate).fold(0.0, f64::max);
        (best > 0.0).then(|| (least / best).ln())
    }

    fn check(mask: Mask, count: usize, capacity: usize) {
        let gpu = Gpu::open(&Choice::Best, mask).unwrap();
        let mut random = StdRng::seed_from_u64(count as u64);
        let mut splats = Splats::default();
        for i in 0..count {
            splats.means.push(std::array::from_fn(|_| random.random_range(-6.0..6.0)));
            splats.quats.push([1.0, 0.0, 0.0, 0.0]);
            splats.log_scales.push(std::array::from_fn(|_| random.random_range(-7.0..0.0)));
            splats.logit_opacities.push(0.0);
            splats.sh.extend([0.0; 3]);
            if i % 17 == 3 {
                splats.log_scales[i][1] = f32::NAN;
            }
        }
        let tensors = Tensors::from_splats(&gpu, &splats, capacity).unwrap();
        let floor = ScaleFloor::new(&gpu, &cameras(), 0.5).unwrap();
        let mut recorder = Recorder::new(&gpu);
        floor.record(&mut recorder, &tensors);
        recorder.submit();
        let after = tensors.to_splats(&gpu).unwrap();
        let mut raised = 0;
        for (i, mean) in splats.means.iter().enumerate() {
            let floor = twin(*mean, 0.5).unwrap_or(f64::NEG_INFINITY);
            for (was, is) in splats.log_scales[i].iter().zip(after.log_scales[i]) {
                assert_eq!(was.is_nan(), is.is_nan());
                let expected = f64::from(*was).max(floor);
                assert!(was.is_nan() || (f64::from(is) - expected).abs() < 1e-4, "{i}: {was} became {is}, {floor}");
                raised += usize::from(is > *was);
            }
        }
        assert_eq!(after.means, splats.means);
        assert!(count < 100 || (raised > count / 10 && raised < 2 * count), "{raised} of {count}");
    }

    #[test]
    fn small_splats_grow_to_the_pixels_that_see_them() {
        check(Mask::default(), 1, 1);
        check(Mask::ALL, 1003, 1100);
        // More than one row of workgroups.
        check(Mask::default(), 64 * 65_535 + 5, 64 * 65_535 + 5);
    }

    #[test]
    fn no_splats_are_no_work() {
        check(Mask::ALL, 0, 5);
    }
}
