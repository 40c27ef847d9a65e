//! The restoration on the device: one kernel per response, one for the range, one for the equalization.

use super::camera::{Camera, Kind};
use super::tone::{Restoration, Tone};
use crate::capture::Image;
use crate::error::Result;
use crate::gpu::{Buffer, Gpu, Kernel, Recorder};
use bytemuck::{Pod, Zeroable};

/// Pixels in one pass: 12 MiB, so that an image of any size fits every adapter's bindings.
const CHUNK_PIXELS: usize = 1 << 20;

/// Workgroup size, as declared by the kernels.
const WORKGROUP: usize = 256;

/// The compiled kernels of this stage.
pub struct Kernels<'g> {
    gpu: &'g Gpu,
    naka: Kernel,
    log: Kernel,
    camera: Kernel,
    exposure: Kernel,
    normalize: Kernel,
    equalize: Kernel,
    chunk_pixels: usize,
}

/// Parameters of `naka`, `log`, `normalize` and `equalize`: a count, then two numbers.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Scalars {
    count: u32,
    numbers: [f32; 2],
    padding: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct CurveParams {
    matrix: [[f32; 4]; 3],
    ends: [u32; 4],
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct ExposureParams {
    matrix: [[f32; 4]; 3],
    ratios: [f32; 3],
    count: u32,
}

impl<'g> Kernels<'g> {
    /// Compiles the kernels.
    pub fn new(gpu: &'g Gpu) -> Result<Self> {
        let kernel = |name: &str| gpu.kernel(&format!("enhance/{name}"), &[]);
        Ok(Self {
            gpu,
            naka: kernel("naka")?,
            log: kernel("log")?,
            camera: kernel("camera")?,
            exposure: kernel("exposure")?,
            normalize: kernel("normalize")?,
            equalize: kernel("equalize")?,
            chunk_pixels: CHUNK_PIXELS,
        })
    }

    /// [`Kernels::new`] with another number of pixels in a pass, for tests of the seams.
    #[cfg(test)]
    pub fn with_chunks_of(gpu: &'g Gpu, chunk_pixels: usize) -> Result<Self> {
        Ok(Self { chunk_pixels, ..Self::new(gpu)? })
    }

    /// Applies `restoration` to a dark image: [`Restoration::apply`] for every pixel.
    pub fn apply(&self, image: &Image, restoration: &Restoration) -> Result<Image> {
        let mut out = Image { pixels: Vec::with_capacity(image.pixels.len()), ..*image };
        for chunk in image.pixels.chunks(self.chunk_pixels) {
            let values = self.gpu.upload("enhance.pixels", chunk.as_flattened())?;
            self.record(&values, chunk.len(), restoration)?;
            let values = self.gpu.read(&values)?;
            out.pixels.extend_from_slice(values.as_chunks().0);
        }
        Ok(out)
    }

    fn record(&self, values: &Buffer<f32>, pixels: usize, restoration: &Restoration) -> Result<()> {
        let mut recorder = Recorder::new(self.gpu);
        match &restoration.tone {
            Tone::Identity => {}
            Tone::Naka { n, sigma } => self.scalars(&mut recorder, &self.naka, values, [*n, *sigma])?,
            Tone::Log { scale } => {
                let gain = 1.0 / (1.0 / scale).ln_1p();
                self.scalars(&mut recorder, &self.log, values, [*scale, gain])?;
            }
            Tone::Camera(camera) => self.camera(&mut recorder, values, pixels, camera)?,
        }
        let range = [restoration.range.low, restoration.range.scale()];
        self.scalars(&mut recorder, &self.normalize, values, range)?;
        if let Some(table) = &restoration.equalize {
            let params = Scalars { count: pixels as u32, numbers: [0.0; 2], padding: 0 };
            let params = self.gpu.upload("enhance.params", &[params])?;
            let table = self.gpu.upload("enhance.table", &table.map(f32::from))?;
            let bindings = [params.binding(), values.binding(), table.binding()];
            recorder.dispatch(&self.equalize, &bindings, groups(pixels));
        }
        recorder.submit();
        Ok(())
    }

    fn scalars(
        &self,
        recorder: &mut Recorder<'_>,
        kernel: &Kernel,
        values: &Buffer<f32>,
        numbers: [f32; 2],
    ) -> Result<()> {
        let params = Scalars { count: values.len() as u32, numbers, padding: 0 };
        let params = self.gpu.upload("enhance.params", &[params])?;
        recorder.dispatch(kernel, &[params.binding(), values.binding()], groups(values.len()));
        Ok(())
    }

    fn camera(&self, recorder: &mut Recorder<'_>, values: &Buffer<f32>, pixels: usize, camera: &Camera) -> Result<()> {
        let count = pixels as u32;
        let mut matrix = camera.matrix.map(|[r, g, b]| [r, g, b, 0.0]);
        matrix[2][3] = camera.red_lead;
        if let Some(gain) = camera.yellows_only {
            (matrix[0][3], matrix[1][3]) = (1.0, gain);
        }
        match &camera.kind {
            Kind::SrgbExposure { ratios } => {
                let params = ExposureParams { matrix, ratios: *ratios, count };
                let params = self.gpu.upload("enhance.params", &[params])?;
                recorder.dispatch(&self.exposure, &[params.binding(), values.binding()], groups(pixels));
            }
            Kind::Curve(curves) => {
                let knots: Vec<[f32; 4]> =
                    curves.iter().flat_map(|c| &c.knots).map(|&[u, y, m]| [u, y, m, 0.0]).collect();
                let [red, green, blue] = curves.each_ref().map(|c| c.knots.len() as u32);
                let params = CurveParams { matrix, ends: [red, red + green, red + green + blue, count] };
                let params = self.gpu.upload("enhance.params", &[params])?;
                let knots = self.gpu.upload("enhance.knots", &knots)?;
                let bindings = [params.binding(), values.binding(), knots.binding()];
                recorder.dispatch(&self.camera, &bindings, groups(pixels));
            }
        }
        Ok(())
    }
}

fn groups(invocations: usize) -> u32 {
    invocations.div_ceil(WORKGROUP) as u32
}
