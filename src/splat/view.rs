//! The view uniform of the kernels.

use crate::capture::Camera;
use bytemuck::{Pod, Zeroable};
use std::ops::Range;

/// Side of a tile in pixels. The raster kernels' layout of threads is built on it (`shaders/common/tile_pixels.wgsl`).
pub const TILE: u32 = 16;

/// How a view is rendered, besides its camera.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RenderSettings {
    /// Color behind the splats, RGB.
    pub background: [f32; 3],
    /// SH bands in use, at most those of the model.
    pub sh_degree: u32,
    /// Compensate opacity for the screen-space low-pass filter (Mip-Splatting, Yu et al. 2024, §4.2).
    pub antialiased: bool,
    /// How splats are drawn.
    pub style: Style,
}

/// How splats are drawn, for the inspection of a model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Style {
    /// Factor of all standard deviations.
    pub scale_modifier: f32,
    /// Splats with a standard deviation of their own above this, in world units, are left out.
    pub max_scale: f32,
    /// Splats with an opacity below this, before `antialiased`, are left out.
    pub min_opacity: f32,
}

impl Default for Style {
    /// As they are, and all.
    fn default() -> Self {
        Self { scale_modifier: 1.0, max_scale: f32::MAX, min_opacity: 0.0 }
    }
}

/// Twin of `View` in `shaders/common/view.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Pod, Zeroable)]
pub struct ViewUniform {
    viewmat: [[f32; 4]; 4],
    position: [f32; 3],
    sh_degree: u32,
    intrinsics: [f32; 4],
    background: [f32; 3],
    count: u32,
    size: [u32; 2],
    tiles: [u32; 2],
    pair_capacity: u32,
    antialiased: u32,
    max_scale: f32,
    min_opacity: f32,
    scale_modifier: f32,
    low_pass: f32,
    _pad: [u32; 2],
    tangent_limits: [f32; 4],
    slot_capacity: u32,
    _end: [u32; 3],
}

impl ViewUniform {
    /// The `rows` of the view of `camera` on a model of `count` splats, with `room` for so many visible splats and splat–tile
    /// pairs.
    pub fn new(camera: &Camera, rows: Range<u32>, settings: &RenderSettings, count: usize, room: [usize; 2]) -> Self {
        let height = rows.end - rows.start;
        Self {
            viewmat: camera.viewmat.as_mat4().to_cols_array_2d(),
            position: camera.center().as_vec3().to_array(),
            sh_degree: settings.sh_degree,
            intrinsics: [camera.fx, camera.fy, camera.cx, camera.cy - f64::from(rows.start)].map(|v| v as f32),
            background: settings.background,
            count: count as u32,
            size: [camera.width, height],
            tiles: tiles(camera.width, height),
            pair_capacity: room[1] as u32,
            antialiased: u32::from(settings.antialiased),
            max_scale: settings.style.max_scale,
            min_opacity: settings.style.min_opacity,
            scale_modifier: settings.style.scale_modifier,
            low_pass: low_pass(camera) as f32,
            _pad: [0; 2],
            tangent_limits: tangent_limits(camera).map(|v| v as f32),
            slot_capacity: room[0] as u32,
            _end: [0; 3],
        }
    }
}

/// Least x/z and y/z and largest, at which the projection is linearized: 30 % of the half field of view outside the picture, as
/// in 3DGS.
fn tangent_limits(camera: &Camera) -> [f64; 4] {
    let axis = |f: f64, c: f64, size: u32| {
        let (size, margin) = (f64::from(size), 0.3 * 0.5 * f64::from(size) / f);
        [-(c / f + margin), (size - c) / f + margin]
    };
    let [x, y] = [axis(camera.fx, camera.cx, camera.width), axis(camera.fy, camera.cy, camera.height)];
    [x[0], y[0], x[1], y[1]]
}

/// Variance of the screen-space low-pass filter of the photographs' own pixels, as in 3DGS, in square pixels.
const LOW_PASS: f64 = 0.3;
/// The least variance with which the raster kernels are exact (`shaders/common/tall_pixels.wgsl`).
const LEAST_LOW_PASS: f64 = 0.1;

/// Variance of the screen-space low-pass filter in square pixels of `camera`. Where it sees less than the photograph, that
/// of a render at the photograph's size that is area-averaged: the filter's own variance shrinks with the square of
/// [`Camera::reduction`] r, and means over r pixels add (1 − 1/r²)/12.
pub fn low_pass(camera: &Camera) -> f64 {
    let part = camera.reduction.max(1.0).powi(-2);
    (LOW_PASS * part + (1.0 - part) / 12.0).max(LEAST_LOW_PASS)
}

/// Tiles in x and y that cover an image.
pub fn tiles(width: u32, height: u32) -> [u32; 2] {
    [width.div_ceil(TILE), height.div_ceil(TILE)]
}

/// Floats in one plane of an image in device memory: both sides are rounded up to whole tiles.
pub fn plane_len(width: u32, height: u32) -> usize {
    let [x, y] = tiles(width, height);
    x as usize * y as usize * (TILE * TILE) as usize
}
