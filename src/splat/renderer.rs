//! Forward rendering: project → color → sort by depth → pair with tiles → sort by tile → blend.
//!
//! Nothing is read back. The number of visible splats and of splat–tile pairs stays on the device
//! ([`Workspace::counters`]); buffers for pairs have a fixed room, and the caller looks at the counters
//! afterwards, at once ([`Renderer::render_image`]) or later (training), and grows them.

use super::view::{RenderSettings, ViewUniform, plane_len, tiles};
use super::{ShKernels, Tensors};
use crate::capture::Camera;
use crate::error::Result;
use crate::gpu::{Buffer, Gpu, Kernel, Recorder, Scan, Sort, WORKGROUP};
use std::ops::Range;

/// Pairs per thread of the search for the borders between tiles, at full capacity.
const PAIRS_PER_THREAD: u32 = 8;
/// Floats of a projected splat (`shaders/common/projected.wgsl`).
pub(crate) const PROJECTED_FLOATS: usize = 8;
/// Floats of its color, and of its depth behind it.
pub(crate) const COLOR_FLOATS: usize = 4;

/// The index in the model of a projected splat.
pub(crate) fn index_of(projected: &[f32]) -> usize {
    // INDEX_MASK of the shader.
    (projected[PROJECTED_FLOATS - 1].to_bits() & ((1 << 28) - 1)) as usize
}

/// Planes of the image: red, green, blue, transmittance, depth.
pub(super) const PLANES: usize = 5;

/// Buffers of one render, between the model and the image. One field for each buffer that kernels bind.
pub struct Workspace {
    slots_capacity: usize,
    pair_capacity: usize,
    pub(crate) view: Buffer<ViewUniform>,
    pub(crate) projected: Buffer<f32>,
    pub(crate) colors: Buffer<f32>,
    depth_keys: Buffer<u32>,
    slots: Buffer<u32>,
    /// Per splat, and one more: whether it is visible, then its slot ([`Placement`]). Later per rank: tiles.
    tile_counts: Buffer<u32>,
    /// Elements of `tile_counts` that splats have.
    splat_count: Buffer<u32>,
    pair_tiles: Buffer<u32>,
    pair_slots: Buffer<u32>,
    pub(crate) tile_ranges: Buffer<u32>,
    /// `[visible splats, splat–tile pairs wanted, visible splats without a slot]` of the last render.
    pub counters: Buffer<u32>,
    /// Planes of [`plane_len`] floats of the image last rendered: red, green, blue (with background), transmittance, depth.
    pub image: Buffer<f32>,
    depth_sort: Sort,
    pair_sort: Sort,
    scan: Scan,
}

impl Workspace {
    /// Room for `splats` splats, `pairs` splat–tile pairs and an image of `width` × `height`.
    pub fn new(gpu: &Gpu, splats: usize, pairs: usize, width: u32, height: u32) -> Result<Self> {
        Self::for_sizes(gpu, splats, pairs, &[[width, height]])
    }

    /// The same room for images of any of `sizes`: width and height.
    pub fn for_sizes(gpu: &Gpu, splats: usize, pairs: usize, sizes: &[[u32; 2]]) -> Result<Self> {
        let most = |len: fn(u32, u32) -> usize| sizes.iter().map(|&[width, height]| len(width, height)).max();
        Ok(Self {
            slots_capacity: splats,
            pair_capacity: pairs,
            view: gpu.buffer("view", 1)?,
            projected: gpu.buffer("projected splats", splats * PROJECTED_FLOATS)?,
            colors: gpu.buffer("colors of splats", splats * COLOR_FLOATS)?,
            depth_keys: gpu.buffer("depth keys", splats)?,
            slots: gpu.buffer("slots", splats)?,
            tile_counts: gpu.buffer("tile counts", splats + 1)?,
            splat_count: gpu.buffer("splat count", 1)?,
            pair_tiles: gpu.buffer("tiles of pairs", pairs)?,
            pair_slots: gpu.buffer("slots of pairs", pairs)?,
            tile_ranges: gpu.buffer("tile ranges", most(ranges_len).unwrap_or(0))?,
            counters: gpu.buffer("counters", 4)?,
            image: gpu.buffer("image", PLANES * most(plane_len).unwrap_or(0))?,
            depth_sort: Sort::of_places(gpu, splats)?,
            pair_sort: Sort::new(gpu, pairs)?,
            scan: Scan::new(gpu, splats + 1)?,
        })
    }

    /// Pairs to make room for before anything is known.
    pub fn initial_pairs(gpu: &Gpu, splats: usize) -> usize {
        (8 * splats).max(1 << 16).min(Self::most_pairs(gpu))
    }

    /// Bytes of its longest buffer for a picture of this size.
    pub(crate) fn image_bytes(width: u32, height: u32) -> u64 {
        (PLANES * plane_len(width, height) * size_of::<f32>()) as u64
    }

    /// The most visible splats that there can be room for.
    pub(super) fn most_splats(gpu: &Gpu) -> usize {
        gpu.most_elements(PROJECTED_FLOATS * size_of::<f32>())
    }

    /// The most pairs that there can be room for.
    pub(crate) fn most_pairs(gpu: &Gpu) -> usize {
        gpu.most_elements(size_of::<u32>())
    }

    /// Pairs to make room for when `wanted` were asked for: more than these, where there can be.
    pub fn room_for(gpu: &Gpu, wanted: usize) -> usize {
        (wanted + wanted / 3).min(Self::most_pairs(gpu)).max(wanted)
    }

    /// Room for splat–tile pairs.
    pub fn pair_capacity(&self) -> usize {
        self.pair_capacity
    }

    /// The splats' slots by depth, once they are sorted.
    fn slots_by_depth(&self) -> &Buffer<u32> {
        self.depth_sort.sorted(&self.depth_keys, &self.slots, DEPTH_BITS)[1]
    }

    /// Tile and slot of each pair, by tile and depth, once they are sorted.
    pub(crate) fn sorted_pairs(&self) -> [&Buffer<u32>; 2] {
        self.pair_sort.sorted(&self.pair_tiles, &self.pair_slots, self.tile_bits())
    }

    /// Bits of the number of tiles, which stands for no tile, of the largest image there is room for.
    fn tile_bits(&self) -> u32 {
        32 - (self.tile_ranges.len() as u32 / 2).leading_zeros()
    }

    /// Makes it fit an image of another size.
    pub fn resize(&mut self, gpu: &Gpu, width: u32, height: u32) -> Result<()> {
        if !self.fits(0, width, height) {
            self.tile_ranges = gpu.buffer("tile ranges", ranges_len(width, height))?;
            self.image = gpu.buffer("image", PLANES * plane_len(width, height))?;
        }
        Ok(())
    }

    /// Room for splats.
    pub fn splat_capacity(&self) -> usize {
        self.slots_capacity
    }

    /// Whether a render of this size fits, apart from its pairs.
    pub fn fits(&self, splats: usize, width: u32, height: u32) -> bool {
        let picture = self.image.len() >= PLANES * plane_len(width, height);
        self.slots_capacity >= splats && picture && self.tile_ranges.len() >= ranges_len(width, height)
    }
}

/// Words of the first and last pair of every tile.
fn ranges_len(width: u32, height: u32) -> usize {
    let [x, y] = tiles(width, height);
    (x * y * 2) as usize
}

/// How visible splats get their slots.
enum Placement {
    /// As they come.
    Any { project: Kernel },
    /// In the order of the splats, so that splats of equal depth are blended in the same order every time: a first pass marks
    /// the visible ones, and a prefix sum turns marks into slots.
    Ordered { mark: Kernel, project: Kernel },
}

/// The forward kernels.
pub struct Renderer {
    placement: Placement,
    sh_forward: ShKernels,
    count_tiles: Kernel,
    emit_pairs: Kernel,
    tile_ranges: Kernel,
    raster: Kernel,
    raster_depth: Kernel,
    ellipses: Kernel,
}

/// What is drawn of the splats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Raster {
    /// The scene.
    Color,
    /// The scene, and the depth plane.
    Depth,
    /// Each splat's outline, and the depth plane.
    Ellipses,
}

impl Renderer {
    /// Compiles the kernels.
    pub fn new(gpu: &Gpu) -> Result<Self> {
        Self::with(gpu, Placement::Any { project: gpu.kernel("splat/project", &[])? })
    }

    /// Compiles kernels that render the same bytes every time, also where splats have equal depths.
    pub fn deterministic(gpu: &Gpu) -> Result<Self> {
        let mark = gpu.kernel("splat/project", &[("MARK", "true")])?;
        let project = gpu.kernel("splat/project", &[("PLACED", "true")])?;
        Self::with(gpu, Placement::Ordered { mark, project })
    }

    fn with(gpu: &Gpu, placement: Placement) -> Result<Self> {
        Ok(Self {
            placement,
            sh_forward: ShKernels::new(gpu, "splat/sh_forward")?,
            count_tiles: gpu.kernel("splat/count_tiles", &[])?,
            emit_pairs: gpu.kernel("splat/emit_pairs", emit_switches(gpu))?,
            tile_ranges: gpu.kernel("splat/tile_ranges", &[])?,
            raster: gpu.kernel("splat/raster_forward", &raster_switches(gpu, &[]))?,
            raster_depth: gpu.kernel("splat/raster_forward", &raster_switches(gpu, &[("DEPTH", "true")]))?,
            ellipses: gpu.kernel("splat/ellipses", &[])?,
        })
    }

    /// Whether splats get their slots in their own order.
    pub(super) fn is_ordered(&self) -> bool {
        matches!(self.placement, Placement::Ordered { .. })
    }

    /// Records a render of `splats` into `work.image`.
    pub fn record(
        &self,
        recorder: &mut Recorder<'_>,
        splats: &Tensors,
        camera: &Camera,
        settings: &RenderSettings,
        work: &Workspace,
        raster: Raster,
    ) {
        self.record_rows(recorder, splats, (camera, 0..camera.height), settings, work, raster);
    }

    /// [`Renderer::record`] of some rows of the picture.
    pub(super) fn record_rows(
        &self,
        recorder: &mut Recorder<'_>,
        splats: &Tensors,
        (camera, rows): (&Camera, Range<u32>),
        settings: &RenderSettings,
        work: &Workspace,
        raster: Raster,
    ) {
        let size = [camera.width, rows.end - rows.start];
        let room = [work.slots_capacity, work.pair_capacity];
        let uniform = ViewUniform::new(camera, rows, settings, splats.count, room);
        let gpu = recorder.gpu();
        work.view.write(gpu, 0, &[uniform]);
        let per_splat = (splats.count as u32).div_ceil(WORKGROUP);
        let (view, projected, counters) = (work.view.binding(), work.projected.binding(), work.counters.binding());
        recorder.clear(&work.counters);
        recorder.clear(&work.tile_ranges);
        self.project(recorder, splats, work);
        let (means, colors) = (splats.means.binding(), work.colors.binding());
        let bindings = [view.clone(), means, projected.clone(), colors, counters.clone()];
        self.sh_forward.dispatch(recorder, splats, &bindings, splats.bands(), per_splat);
        work.depth_sort.record(recorder, &work.depth_keys, &work.slots, (&work.counters, 0), DEPTH_BITS);
        let slots = work.slots_by_depth().binding();
        recorder.dispatch(
            &self.count_tiles,
            &[view, projected, slots, counters, work.tile_counts.binding()],
            per_splat,
        );
        work.scan.record(recorder, &work.tile_counts, (&work.counters, 0), (&work.counters, 1));
        self.emit(recorder, work, per_splat);
        self.blend(recorder, work, size, raster);
    }

    /// Records the pairs of each splat, from the places that were counted for them on.
    fn emit(&self, recorder: &mut Recorder<'_>, work: &Workspace, per_splat: u32) {
        let bindings = [
            work.view.binding(),
            work.projected.binding(),
            work.slots_by_depth().binding(),
            work.counters.binding(),
            work.tile_counts.binding(),
            work.pair_tiles.binding(),
            work.pair_slots.binding(),
        ];
        recorder.dispatch(&self.emit_pairs, &bindings, per_splat);
    }

    /// Records the sort of the pairs, and their blending to the image.
    fn blend(&self, recorder: &mut Recorder<'_>, work: &Workspace, size: [u32; 2], raster: Raster) {
        work.pair_sort.record(recorder, &work.pair_tiles, &work.pair_slots, (&work.counters, 1), work.tile_bits());
        let [pair_tiles, pair_slots] = work.sorted_pairs().map(Buffer::binding);
        let (view, counters, tile_ranges) = (work.view.binding(), work.counters.binding(), work.tile_ranges.binding());
        recorder.dispatch(
            &self.tile_ranges,
            &[view.clone(), pair_tiles, counters, tile_ranges.clone()],
            (work.pair_capacity as u32).div_ceil(WORKGROUP * PAIRS_PER_THREAD),
        );
        let raster = match raster {
            Raster::Color => &self.raster,
            Raster::Depth => &self.raster_depth,
            Raster::Ellipses => &self.ellipses,
        };
        let [x, y] = tiles(size[0], size[1]);
        let (projected, colors) = (work.projected.binding(), work.colors.binding());
        let bindings = [view, projected, colors, pair_slots, tile_ranges, work.image.binding()];
        recorder.dispatch(raster, &bindings, x * y);
    }

    /// Records the projection of `splats`: slots, depths and footprints of those that are visible.
    fn project(&self, recorder: &mut Recorder<'_>, splats: &Tensors, work: &Workspace) {
        let Tensors { means, quats, log_scales, logit_opacities, .. } = splats;
        let per_splat = (splats.count as u32).div_ceil(WORKGROUP);
        let geometry = [means, quats, log_scales, logit_opacities].map(Buffer::binding);
        let model = [vec![work.view.binding()], geometry.to_vec()].concat();
        let mut out = vec![work.projected.binding(), work.depth_keys.binding()];
        let tile_counts = work.tile_counts.binding();
        match &self.placement {
            Placement::Any { project } => {
                out.push(work.counters.binding());
                recorder.dispatch(project, &[model, out].concat(), per_splat);
            }
            Placement::Ordered { mark, project } => {
                out.push(tile_counts.clone());
                work.splat_count.write(recorder.gpu(), 0, &[splats.count as u32 + 1]);
                recorder.clear(&work.tile_counts);
                recorder.dispatch(mark, &[model.clone(), vec![tile_counts]].concat(), per_splat);
                work.scan.record(recorder, &work.tile_counts, (&work.splat_count, 0), (&work.counters, 0));
                recorder.dispatch(project, &[model, out].concat(), per_splat);
            }
        }
    }
}

/// Whether subgroups share the pairs of large splats: on adapters with many threads all wait for the one that emits most.
fn emit_switches(gpu: &Gpu) -> &'static [(&'static str, &'static str)] {
    if gpu.capabilities().subgroups && !gpu.tall() { &[("SHARED", "true")] } else { &[] }
}

/// `defines` of a kernel that walks tiles, and the layout of pixels that suits the adapter.
pub(crate) fn raster_switches<'a>(gpu: &Gpu, defines: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let layout = gpu.tall().then_some(("TALL", "true"));
    defines.iter().copied().chain(layout).collect()
}

/// Bits of the depth keys: positive floats below 10¹⁰, counted from the near plane.
const DEPTH_BITS: u32 = 29;

#[cfg(test)]
mod pair_tests;
