//! Depths of one view: PatchMatch with slanted planes, coarse to fine (`shaders/prior/`).

use super::picture::{Level, Picture};
use crate::capture::Camera;
use crate::error::Result;
use crate::gpu::{Buffer, Gpu, Kernel, Recorder, WORKGROUP};
use bytemuck::{Pod, Zeroable};
use glam::{DMat3, DVec3};

/// Views that a reference is compared with, at most.
pub const MAX_OTHERS: usize = 6;
/// Number of best-agreeing views that count for a plane: in others the surface may be hidden.
const AGREEING: u32 = 2;
/// Half the side of a patch, in samples (`RADIUS` of the kernels).
pub const RADIUS: u32 = 2;
/// Pixels between the samples of a patch at the largest size, and at smaller ones.
const STRIDES: [u32; 2] = [2, 1];
/// Turns at the smallest size, and at each larger one: each spreads and varies the planes of all pixels once.
const TURNS: [u32; 3] = [6, 3, 3];
/// Largest variation of a plane in the first turn at a size, in pixels of disparity; half of it in every next one.
const AMPLITUDE: f32 = 2.0;
/// Disparity between two depths of the sweep, in pixels of the smallest size, and the most depths.
const SWEEP: (f64, u32) = (1.0, 192);
/// Slope of a surface against the picture, at most: the tangent of its tilt.
const MAX_TILT: f32 = 6.0;
/// Standard deviation of gray (0 to 1) that is taken for noise: patches of less correlate with nothing.
const NOISE: f32 = 0.006;

/// A plane through a pixel: inverse depth, its change per pixel to the right and down, cost (1 − correlation).
pub type Plane = [f32; 4];

/// The relation of another view to the reference: twin of `Other` in the kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub(super) struct Other {
    pub ray_x: [f32; 4],
    pub ray_y: [f32; 4],
    pub ray_1: [f32; 4],
    pub offset: [f32; 4],
    pub picture: [u32; 4],
}

/// `Search` of the kernels.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, Pod, Zeroable)]
pub(super) struct Search {
    pub size: [u32; 2],
    pub coarse: [u32; 2],
    pub range: [f32; 2],
    pub step: f32,
    pub slope: f32,
    pub noise: f32,
    pub others: u32,
    pub best: u32,
    pub needed: u32,
    pub steps: u32,
    pub stride: u32,
    pub seed: u32,
    pub padding: u32,
    pub views: [Other; MAX_OTHERS],
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Turn {
    number: u32,
    color: u32,
    amplitude: f32,
    padding: u32,
}

/// Projection of the pixels of one camera to another: pixel (x, y) at inverse depth `w` is at the homogeneous position
/// `rays · (x, y, 1) + w · offset`, whose third component is the depth there over the depth here.
#[derive(Clone, Copy, Debug)]
pub struct Relation {
    /// Takes `(x, y, 1)` of a pixel to where the other camera sees it at infinite depth.
    pub rays: DMat3,
    /// What is added per unit of inverse depth.
    pub offset: DVec3,
}

impl Relation {
    /// The relation of two cameras.
    pub fn new(from: &Camera, to: &Camera) -> Self {
        let intrinsics = |c: &Camera| DMat3::from_cols_array(&[c.fx, 0.0, 0.0, 0.0, c.fy, 0.0, c.cx, c.cy, 1.0]);
        let relative = to.viewmat * from.c2w();
        let k = intrinsics(to);
        Self {
            rays: k * DMat3::from_mat4(relative) * intrinsics(from).inverse(),
            offset: k * relative.w_axis.truncate(),
        }
    }
}

/// Parameters of the search for a reference.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    /// Nearest and farthest depth.
    pub depths: (f64, f64),
    /// Distance to the other views.
    pub baseline: f64,
    pub seed: u32,
}

/// The compiled kernels.
pub struct Matcher<'g> {
    gpu: &'g Gpu,
    sweep: Kernel,
    score: Kernel,
    propagate: Kernel,
}

impl<'g> Matcher<'g> {
    /// Compiles the kernels.
    pub fn new(gpu: &'g Gpu) -> Result<Self> {
        let most = MAX_OTHERS.to_string();
        let kernel = |name: &str| gpu.kernel(&format!("prior/{name}"), &[("MAX_OTHERS", most.as_str())]);
        Ok(Self { gpu, sweep: kernel("sweep")?, score: kernel("score")?, propagate: kernel("propagate")? })
    }

    /// A plane for every pixel of `reference` (row-major), of cost 3 where too few views see any. At most
    /// [`MAX_OTHERS`] of `others` are used. Empty where nothing can be matched: without others or a baseline, or where
    /// a picture is smaller than a patch.
    ///
    /// # Errors
    /// The device is out of memory, or fails.
    pub fn planes(&self, reference: &Picture, others: &[&Picture], range: &Range) -> Result<Vec<Plane>> {
        let others = &others[..others.len().min(MAX_OTHERS)];
        let fits = |level: &Level| level.camera.width.min(level.camera.height) > 2 * RADIUS * STRIDES[0];
        let matched = !others.is_empty() && range.baseline > 0.0;
        if !matched || !std::iter::once(&reference).chain(others).all(|p| fits(&p.levels[0])) {
            return Ok(Vec::new());
        }
        let mut coarse: Option<(Buffer<Plane>, [u32; 2])> = None;
        for index in (0..reference.levels.len()).rev() {
            // Another view of a smaller picture may have fewer sizes.
            let levels: Vec<&Level> =
                others.iter().map(|other| &other.levels[index.min(other.levels.len() - 1)]).collect();
            let (mut search, images) = self.search(&reference.levels[index], &levels, range, index)?;
            search.coarse = coarse.as_ref().map_or(search.size, |c| c.1);
            let planes = self.level(&search, &images, coarse.as_ref().map(|c| &c.0))?;
            coarse = Some((planes, search.size));
        }
        coarse.map_or(Ok(Vec::new()), |(planes, _)| self.gpu.read(&planes))
    }

    pub(super) fn search(
        &self,
        reference: &Level,
        others: &[&Level],
        range: &Range,
        level: usize,
    ) -> Result<(Search, Buffer<u32>)> {
        let (near, far) = range.depths;
        let camera = &reference.camera;
        let step = 1.0 / (camera.fx * range.baseline);
        let depths = ((1.0 / near - 1.0 / far) / (step * SWEEP.0)).ceil();
        let mut search = Search {
            size: [camera.width, camera.height],
            coarse: [camera.width, camera.height],
            range: [(1.0 / far) as f32, (1.0 / near) as f32],
            step: step as f32,
            slope: MAX_TILT / camera.fx as f32,
            noise: NOISE * NOISE,
            others: others.len() as u32,
            best: AGREEING,
            needed: AGREEING.min(others.len() as u32),
            steps: (depths as u32).clamp(16, SWEEP.1),
            stride: STRIDES[level.min(1)],
            seed: range.seed,
            ..Search::default()
        };
        let mut images = reference.quads.clone();
        for (view, other) in search.views.iter_mut().zip(others) {
            let Relation { rays, offset } = Relation::new(camera, &other.camera);
            let padded = |v: DVec3| v.as_vec3().extend(0.0).to_array();
            *view = Other {
                ray_x: padded(rays.x_axis),
                ray_y: padded(rays.y_axis),
                ray_1: padded(rays.z_axis),
                offset: padded(offset),
                picture: [other.camera.width, other.camera.height, images.len() as u32, 0],
            };
            images.extend_from_slice(&other.quads);
        }
        Ok((search, self.gpu.upload("prior.images", &images)?))
    }

    fn level(&self, search: &Search, images: &Buffer<u32>, coarse: Option<&Buffer<Plane>>) -> Result<Buffer<Plane>> {
        let [width, height] = search.size;
        let planes = self.gpu.buffer("prior.planes", width as usize * height as usize)?;
        let uniform = self.gpu.upload("prior.search", &[*search])?;
        let turns = self.turns(coarse.is_none(), search.stride)?;
        let mut recorder = Recorder::new(self.gpu);
        let shared = [uniform.binding(), images.binding(), planes.binding()];
        let groups = (width * height).div_ceil(WORKGROUP);
        match coarse {
            None => recorder.dispatch(&self.sweep, &shared, groups),
            Some(coarse) => {
                let [a, b, c] = shared.clone();
                recorder.dispatch(&self.score, &[a, b, c, coarse.binding()], groups);
            }
        }
        let half = (width.div_ceil(2) * height).div_ceil(WORKGROUP);
        for turn in &turns {
            let [a, b, c] = shared.clone();
            recorder.dispatch(&self.propagate, &[a, b, c, turn.binding()], half);
        }
        recorder.submit();
        self.gpu.wait()?;
        Ok(planes)
    }

    /// The turns at one size, each for both colors of the chessboard.
    fn turns(&self, first: bool, stride: u32) -> Result<Vec<Buffer<Turn>>> {
        let count = TURNS[if first {
            0
        } else if stride == STRIDES[0] {
            2
        } else {
            1
        }];
        let turn = |k: u32| {
            let amplitude = AMPLITUDE * 0.5f32.powi((k / 2) as i32);
            self.gpu.upload("prior.turn", &[Turn { number: k, color: k % 2, amplitude, padding: 0 }])
        };
        (0..2 * count).map(turn).collect()
    }

    /// `planes` of a picture of `search.coarse` pixels at `search.size`, with their cost.
    #[cfg(test)]
    pub(super) fn score(&self, search: &Search, images: &Buffer<u32>, planes: &[Plane]) -> Result<Vec<Plane>> {
        let coarse = self.gpu.upload("coarse", planes)?;
        let out = self.gpu.buffer("planes", (search.size[0] * search.size[1]) as usize)?;
        let uniform = self.gpu.upload("search", &[*search])?;
        let mut recorder = Recorder::new(self.gpu);
        let bindings = [uniform.binding(), images.binding(), out.binding(), coarse.binding()];
        recorder.dispatch(&self.score, &bindings, (search.size[0] * search.size[1]).div_ceil(WORKGROUP));
        recorder.submit();
        self.gpu.read(&out)
    }
}
