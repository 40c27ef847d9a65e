//! The gradient of a rendered view with respect to every parameter.

use crate::error::Result;
use crate::gpu::{Buffer, Gpu, Kernel, Recorder, WORKGROUP};
use crate::splat::{ShKernels, Tensors, Workspace, raster_switches, tensor_count, tiles};

/// Floats per slot that the raster's backward pass sums (`shaders/common/splat_gradients.wgsl`).
const GRADIENT_FLOATS: usize = 10;

/// The most splats whose sums fit a binding.
pub(super) fn most_splats(gpu: &Gpu) -> usize {
    gpu.most_elements(GRADIENT_FLOATS * size_of::<f32>())
}

/// How gradients are summed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GradientOptions {
    /// In fixed point, so that sums do not depend on the order in which tiles are done.
    pub deterministic: bool,
    /// [`Gradients::densify_statistics`] of the pixels' gradients one by one, before opposite ones cancel.
    pub absgrad: bool,
}

/// The backward kernels.
pub struct Backward {
    raster: Kernel,
    /// Makes floats of sums in fixed point; nothing where the raster pass sums floats.
    from_fixed: Option<Kernel>,
    sh: ShKernels,
    sh_direction: ShKernels,
    projection: Kernel,
    covariance: Kernel,
}

/// Gradients of the parameters and the sums on the way to them.
pub struct Gradients {
    /// `∂L/∂parameter`, zero for splats that are not visible.
    pub parameters: Tensors,
    /// The highest SH degree that has gradients: those of bands above it are zero, and are not cleared.
    pub sh_degree: u32,
    splat_gradients: Buffer<f32>,
    /// The same sums in fixed point, two words each, where the result must not depend on their order.
    fixed_sums: Option<Buffer<[u32; 2]>>,
    /// Per splat: (Σ over views of |∂L/∂projected mean| in units of half the image size, views), since last cleared. With
    /// `absgrad` the first is Σ over views and pixels of the length of what a pixel adds to that gradient, in units of half the
    /// longer side: where a splat is too large for the detail that it covers, its pixels pull it in all directions (AbsGS, Ye
    /// et al. 2024, arXiv 2404.10484, which sums |x| and |y| instead of lengths).
    pub densify_statistics: Buffer<[f32; 2]>,
}

impl Backward {
    /// Compiles the kernels for gradients alone.
    ///
    /// # Errors
    /// A kernel does not compile.
    pub fn new(gpu: &Gpu) -> Result<Self> {
        Self::with(gpu, GradientOptions::default())
    }

    /// Compiles kernels whose sums do not depend on the order in which tiles are done.
    ///
    /// # Errors
    /// A kernel does not compile.
    pub fn deterministic(gpu: &Gpu) -> Result<Self> {
        Self::with(gpu, GradientOptions { deterministic: true, ..GradientOptions::default() })
    }

    /// Compiles the kernels.
    ///
    /// # Errors
    /// A kernel does not compile.
    pub fn with(gpu: &Gpu, options: GradientOptions) -> Result<Self> {
        let switch = |on: bool, name| on.then_some((name, "true"));
        let absgrad = switch(options.absgrad, "ABSGRAD");
        let switches: Vec<_> = switch(options.deterministic, "FIXED").into_iter().chain(absgrad).collect();
        let from_fixed = options.deterministic.then(|| gpu.kernel("train/fixed_to_gradients", &[]));
        Ok(Self {
            raster: gpu.kernel("train/raster_backward", &raster_switches(gpu, &switches))?,
            from_fixed: from_fixed.transpose()?,
            sh: ShKernels::with(gpu, "train/sh_backward", &raster_switches(gpu, &[]))?,
            sh_direction: ShKernels::new(gpu, "train/sh_direction_backward")?,
            projection: gpu.kernel("train/projection_backward", absgrad.as_slice())?,
            covariance: gpu.kernel("train/covariance_backward", &[])?,
        })
    }

    /// Zeros for models of up to `capacity` splats, to be used with these kernels.
    pub fn gradients(&self, gpu: &Gpu, capacity: usize, sh_degree: u32) -> Result<Gradients> {
        let sums = capacity * GRADIENT_FLOATS;
        let fixed_sums = self.from_fixed.as_ref().map(|_| gpu.buffer("splat gradients in fixed point", sums));
        Ok(Gradients {
            parameters: Tensors::zeros(gpu, "gradient of", capacity, capacity, sh_degree)?,
            sh_degree,
            splat_gradients: gpu.buffer("splat gradients", sums)?,
            fixed_sums: fixed_sums.transpose()?,
            densify_statistics: gpu.buffer("densification statistics", capacity)?,
        })
    }

    /// Records the gradient of the view that was last rendered into `work`, for `v_image` = ∂L/∂(red, green, blue,
    /// alpha): four planes as in `work.image`.
    pub fn record(
        &self,
        recorder: &mut Recorder<'_>,
        splats: &Tensors,
        size: [u32; 2],
        work: &Workspace,
        v_image: &Buffer<f32>,
        out: &Gradients,
    ) {
        // The geometry, and the bands that have gradients.
        out.parameters.all()[..tensor_count(out.sh_degree)]
            .iter()
            .copied()
            .flatten()
            .for_each(|part| recorder.clear(part));
        recorder.clear(&out.splat_gradients);
        let per_splat = (splats.count as u32).div_ceil(WORKGROUP);
        self.record_raster(recorder, per_splat, size, work, v_image, out);
        let (view, projected, counters) = (work.view.binding(), work.projected.binding(), work.counters.binding());
        let sums = out.splat_gradients.binding();
        let v = &out.parameters;
        let means = splats.means.binding();
        let bindings = [view.clone(), means.clone(), projected.clone(), sums.clone(), counters.clone()];
        self.sh.dispatch(recorder, splats, &bindings, &v.sh[..splats.bands().len()], per_splat);
        // Without other bands the color does not depend on the direction.
        if splats.sh_degree > 0 {
            let [a, b, c, d, e] = bindings;
            let bindings = [a, b, c, d, e, v.means.binding()];
            self.sh_direction.dispatch(recorder, splats, &bindings, &splats.bands()[1..], per_splat);
        }
        let (quats, log_scales) = (splats.quats.binding(), splats.log_scales.binding());
        recorder.dispatch(
            &self.projection,
            &[
                view,
                means,
                quats.clone(),
                log_scales.clone(),
                projected.clone(),
                sums.clone(),
                v.means.binding(),
                counters.clone(),
                out.densify_statistics.binding(),
            ],
            per_splat,
        );
        recorder.dispatch(
            &self.covariance,
            &[
                quats,
                log_scales,
                projected,
                sums,
                counters,
                v.quats.binding(),
                v.log_scales.binding(),
                v.logit_opacities.binding(),
            ],
            per_splat,
        );
    }

    /// From the image to the sums of each splat.
    fn record_raster(
        &self,
        recorder: &mut Recorder<'_>,
        per_splat: u32,
        size: [u32; 2],
        work: &Workspace,
        v_image: &Buffer<f32>,
        out: &Gradients,
    ) {
        let [x, y] = tiles(size[0], size[1]);
        let (view, projected, sums) = (work.view.binding(), work.projected.binding(), out.splat_gradients.binding());
        let fixed = out.fixed_sums.as_ref().inspect(|fixed| recorder.clear(fixed));
        recorder.dispatch(
            &self.raster,
            &[
                view.clone(),
                projected.clone(),
                work.colors.binding(),
                work.sorted_pairs()[1].binding(),
                work.tile_ranges.binding(),
                work.image.binding(),
                v_image.binding(),
                fixed.map_or(sums.clone(), Buffer::binding),
            ],
            x * y,
        );
        if let Some((kernel, fixed)) = self.from_fixed.as_ref().zip(fixed) {
            let bindings = [view, projected, work.counters.binding(), fixed.binding(), sums];
            recorder.dispatch(kernel, &bindings, per_splat);
        }
    }
}
