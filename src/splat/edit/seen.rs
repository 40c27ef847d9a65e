//! Counts the cameras that see a splat: the forward kernels draw it into their pictures, and nothing is in front of it.

use super::super::renderer::{COLOR_FLOATS, PLANES, PROJECTED_FLOATS, index_of};
use super::super::{Raster, RenderSettings, Renderer, Splats, Style, Tensors, Workspace};
use super::{FilterContext, size};
use crate::capture::Camera;
use crate::error::{Error, Result};

/// Pictures are not larger than this along their longer side.
const LONGER_SIDE: u32 = 640;
/// A splat is hidden behind a surface that is nearer by more than this part of its depth (and two standard deviations of
/// the splat), where that surface is at least so opaque.
const BEHIND: f64 = 0.05;
const OPAQUE: f32 = 0.5;
/// Place of the depth behind a projected splat's color (`shaders/common/projected.wgsl`).
const DEPTH: usize = 3;

/// For every splat the number of cameras that see it.
///
/// # Errors
/// No cameras, no device, or its failures; a stop is asked for.
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
    around.progress.begin("edit: views", "cameras", around.cameras.len() as u64);
    for (done, camera) in around.cameras.iter().enumerate() {
        around.progress.check()?;
        around.progress.set(done as u64, "");
        let camera = small(&around.frame.camera(camera));
        renderer.draw(gpu, &model, (&camera, &settings), &mut work, Raster::Depth, &mut |strip| {
            let picture = strip.read(gpu, PLANES)?.checked()?;
            let projected = gpu.read_part(&strip.work.projected, 0, strip.visible * PROJECTED_FLOATS)?;
            let colors = gpu.read_part(&strip.work.colors, 0, strip.visible * COLOR_FLOATS)?;
            let [width, height] = strip.size;
            for (splat, color) in projected.chunks_exact(PROJECTED_FLOATS).zip(colors.chunks_exact(COLOR_FLOATS)) {
                // Those above and below the picture count in its first and last row.
                let row = splat[1].floor() + strip.top as f32;
                let row = row.clamp(0.0, camera.height as f32 - 1.0) as u32;
                if !(strip.top..strip.top + height).contains(&row) {
                    continue;
                }
                let i = index_of(splat);
                let [x, y] = [(splat[0], width), (splat[1], height)]
                    .map(|(at, side)| (at.max(0.0) as usize).min(side as usize - 1));
                let pixel = y * width as usize + x;
                let (alpha, depth) = (picture.alpha[pixel], f64::from(picture.depth[pixel]));
                let reach = f64::from(color[DEPTH]) * (1.0 - BEHIND) - 2.0 * size(splats, i);
                if alpha < OPAQUE || reach <= depth / f64::from(alpha) {
                    seen[i] += 1;
                }
            }
            Ok(())
        })?;
    }
    around.progress.end();
    Ok(seen)
}

fn small(camera: &Camera) -> Camera {
    let longer = camera.width.max(camera.height).max(1);
    camera.downscaled(longer.div_ceil(LONGER_SIDE))
}
