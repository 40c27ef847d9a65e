//! How many cameras see a splat: the forward kernels draw it into their pictures, and nothing is in front of it there.

use super::super::{RenderSettings, Renderer, Splats, Style, Tensors, Workspace};
use super::{FilterContext, size};
use crate::capture::Camera;
use crate::error::{Error, Result};

/// Pictures are not larger than this along their longer side.
const LONGER_SIDE: u32 = 640;
/// A splat is hidden behind a surface that is nearer by more than this part of its depth (and two standard deviations of
/// the splat), where that surface is at least so opaque.
const BEHIND: f64 = 0.05;
const OPAQUE: f32 = 0.5;
/// Floats of a projected splat (`shaders/common/projected.wgsl`), and which of them are depth and index.
const FLOATS: usize = 12;
const DEPTH: usize = 7;
const INDEX: usize = 11;

/// For every splat the number of cameras that see it.
///
/// # Errors
/// No cameras, no device, or its failures.
pub fn views(splats: &Splats, around: &FilterContext<'_>) -> Result<Vec<u32>> {
    let (Some(gpu), false) = (around.gpu, around.cameras.is_empty()) else {
        let found = if around.gpu.is_none() { "no device" } else { "no cameras" };
        return Err(Error::setting("min_views", found, "say where the cameras are (`cameras`)"));
    };
    let (renderer, model) = (Renderer::new(gpu)?, Tensors::from_splats(gpu, splats, 0)?);
    let settings = RenderSettings {
        background: [0.0; 3],
        sh_degree: splats.sh_degree,
        antialiased: around.antialiased,
        style: Style::default(),
    };
    let (mut seen, mut work) = (vec![0; splats.len()], None::<Workspace>);
    for camera in around.cameras {
        let camera = small(&around.frame.camera(camera));
        let picture = renderer.render_image(gpu, &model, &camera, &settings, &mut work)?;
        let Some(work) = &work else { continue };
        let projected = gpu.read(&work.projected)?;
        for splat in projected.chunks_exact(FLOATS).take(picture.visible) {
            let i = splat[INDEX].to_bits() as usize;
            let [x, y] = [(splat[0], camera.width), (splat[1], camera.height)]
                .map(|(at, side)| (at.max(0.0) as usize).min(side as usize - 1));
            let pixel = y * camera.width as usize + x;
            let (alpha, depth) = (picture.alpha[pixel], f64::from(picture.depth[pixel]));
            let reach = f64::from(splat[DEPTH]) * (1.0 - BEHIND) - 2.0 * size(splats, i);
            if alpha < OPAQUE || reach <= depth / f64::from(alpha) {
                seen[i] += 1;
            }
        }
    }
    Ok(seen)
}

fn small(camera: &Camera) -> Camera {
    let longer = camera.width.max(camera.height).max(1);
    camera.downscaled(longer.div_ceil(LONGER_SIDE))
}
