//! Reference views in device memory for the compressed splats, and their renders.

use crate::capture::{Camera, Image, View};
use crate::error::{Error, Result};
use crate::eval::psnr;
use crate::gpu::{Buffer, Gpu, Recorder};
use crate::limits;
use crate::progress::Progress;
use crate::splat::{Raster, RenderSettings, Renderer, Style, TILE, Tensors, Workspace, plane_len, tiles};
use crate::train::lit_image;
use glam::DVec3;

/// Planes of a goal: red, green, blue, transmittance.
pub(super) const PLANES: usize = 4;

/// What memory is for.
pub(super) struct Limits {
    /// Pixels of a view; larger ones are made smaller.
    pub each: u64,
    /// Pixels of all views: many are made smaller, down to `fewest`, and of more than that every so many is used.
    pub all: u64,
    pub fewest: u64,
}

/// Those of compression.
pub(super) const LIMITS: Limits = Limits { each: 1 << 20, all: 1 << 23, fewest: 1 << 17 };

/// Renders views with all of their splat–tile pairs, on black.
pub(super) struct ViewRenderer<'g> {
    pub gpu: &'g Gpu,
    pub antialiased: bool,
    renderer: Renderer,
    work: Option<Workspace>,
    pairs: usize,
}

impl<'g> ViewRenderer<'g> {
    pub fn new(gpu: &'g Gpu, antialiased: bool) -> Result<Self> {
        Ok(Self::with(gpu, antialiased, Renderer::new(gpu)?))
    }

    /// One whose pictures are the same bytes every time.
    pub fn deterministic(gpu: &'g Gpu, antialiased: bool) -> Result<Self> {
        Ok(Self::with(gpu, antialiased, Renderer::deterministic(gpu)?))
    }

    fn with(gpu: &'g Gpu, antialiased: bool, renderer: Renderer) -> Self {
        Self { gpu, antialiased, renderer, work: None, pairs: 0 }
    }

    /// Renders the view of `camera`, and returns the buffers for further kernels.
    pub fn render(&mut self, model: &Tensors, camera: &Camera) -> Result<&Workspace> {
        let settings = RenderSettings {
            background: [0.0; 3],
            sh_degree: model.sh_degree,
            antialiased: self.antialiased,
            style: Style::default(),
        };
        self.pairs = self.pairs.max(Workspace::initial_pairs(self.gpu, model.count));
        loop {
            let roomy = |work: &Workspace| work.splat_capacity() >= model.count && work.pair_capacity() >= self.pairs;
            let mut work = match self.work.take().filter(roomy) {
                Some(work) => work,
                None => Workspace::new(self.gpu, model.count, self.pairs, camera.width, camera.height)?,
            };
            work.resize(self.gpu, camera.width, camera.height)?;
            let mut recorder = Recorder::new(self.gpu);
            self.renderer.record(&mut recorder, model, camera, &settings, &work, Raster::Color);
            recorder.submit();
            let wanted = self.gpu.read_part(&work.counters, 1, 1)?.iter().sum::<u32>() as usize;
            let whole = wanted <= work.pair_capacity();
            self.work = Some(work);
            if whole {
                break;
            }
            self.pairs = Workspace::room_for(self.gpu, wanted);
        }
        self.last()
    }

    /// What the last render left.
    pub fn last(&self) -> Result<&Workspace> {
        self.work.as_ref().ok_or_else(|| Error::Gpu("a render left no workspace".into()))
    }

    /// The picture of the view of `camera`.
    pub fn picture(&mut self, model: &Tensors, camera: &Camera) -> Result<Image> {
        let gpu = self.gpu;
        let work = self.render(model, camera)?;
        Ok(unpack(&gpu.read_part(&work.image, 0, PLANES * plane_len(camera.width, camera.height))?, camera))
    }
}

/// What renders are compared with, a buffer of four planes for each camera.
pub(super) struct Goals {
    pub cameras: Vec<Camera>,
    pub planes: Vec<Buffer<f32>>,
    /// Extent of the cameras, which learning rates of positions are multiplied by.
    pub extent: f64,
}

impl Goals {
    /// Renders of `model` from `cameras`.
    pub fn render(
        renderer: &mut ViewRenderer<'_>,
        model: &Tensors,
        cameras: Vec<Camera>,
        progress: &dyn Progress,
    ) -> Result<Self> {
        Self::render_and(renderer, model, cameras, |_, _, _| Ok(()), progress)
    }

    /// [`Goals::render`]; `also` gets each view while its buffers are still valid.
    pub fn render_and(
        renderer: &mut ViewRenderer<'_>,
        model: &Tensors,
        cameras: Vec<Camera>,
        mut also: impl FnMut(&ViewRenderer<'_>, &Camera, &Buffer<f32>) -> Result<()>,
        progress: &dyn Progress,
    ) -> Result<Self> {
        let mut planes = Vec::with_capacity(cameras.len());
        progress.begin("compress: views of the original", "views", cameras.len() as u64);
        for camera in &cameras {
            progress.check()?;
            limits::claim_picture(camera.width, camera.height)?;
            let gpu = renderer.gpu;
            let goal = gpu.buffer("view to keep", PLANES * plane_len(camera.width, camera.height))?;
            let work = renderer.render(model, camera)?;
            let mut recorder = Recorder::new(gpu);
            recorder.copy(&work.image, 0, &goal, 0, goal.len());
            recorder.submit();
            also(renderer, camera, &goal)?;
            planes.push(goal);
            progress.set(planes.len() as u64, "");
        }
        progress.end();
        let extent = extent(&cameras);
        Ok(Self { cameras, planes, extent })
    }

    /// The photographs `views`, of the cameras that `model` is rendered from: pixels that a mask hides, and the
    /// transmittance, are the model's. More photographs than fit the memory are reduced like cameras.
    pub fn photographs(
        renderer: &mut ViewRenderer<'_>,
        model: &Tensors,
        views: &[View],
        progress: &dyn Progress,
    ) -> Result<Self> {
        let cameras: Vec<Camera> = views.iter().map(|view| view.camera.clone()).collect();
        let kept = within(&LIMITS, &cameras);
        let cameras = kept.iter().map(|(_, camera)| camera.clone()).collect();
        let goals = Self::render(renderer, model, cameras, progress)?;
        for ((view, camera), planes) in kept.into_iter().zip(&goals.planes) {
            progress.check()?;
            let (width, height) = (camera.width, camera.height);
            let photo = lit_image(&views[view], width, height)?;
            let weights = views[view].read_weights(width, height)?;
            let counts = |at: usize| weights.as_ref().is_none_or(|weights| weights[at] >= 0.5);
            let (pitch, plane) = ((tiles(width, height)[0] * TILE) as usize, plane_len(width, height));
            let mut values = renderer.gpu.read(planes)?;
            for (at, pixel) in photo.pixels.iter().enumerate().filter(|(at, _)| counts(*at)) {
                let to = at / width as usize * pitch + at % width as usize;
                (0..3).for_each(|channel| values[channel * plane + to] = pixel[channel]);
            }
            planes.write(renderer.gpu, 0, &values);
        }
        Ok(goals)
    }

    /// Mean PSNR of the views of `model` against these, or against at most `most` of them.
    pub fn psnr(&self, renderer: &mut ViewRenderer<'_>, model: &Tensors, most: usize) -> Result<f64> {
        let (mut sum, mut count) = (0.0, 0);
        let every = self.cameras.len().div_ceil(most.max(1)).max(1);
        for (view, (camera, planes)) in self.cameras.iter().zip(&self.planes).enumerate().step_by(every) {
            count += 1;
            let picture = renderer.picture(model, camera)?;
            let goal = unpack(&renderer.gpu.read(planes)?, camera);
            sum += psnr(&picture, &goal).ok_or_else(|| Error::NotFinite {
                what: format!("view {} of the compressed splats", view + 1),
                found: "has pixels that are not finite".into(),
                remedy: "compress the original again, or train it again with lower learning rates".into(),
            })?;
        }
        Ok(sum / f64::from(count.max(1)))
    }
}

/// As many of `cameras`, at such sizes, as fit the memory, with their indices.
pub(super) fn within(limits: &Limits, cameras: &[Camera]) -> Vec<(usize, Camera)> {
    let pixels = |camera: &Camera| u64::from(camera.width) * u64::from(camera.height);
    let each = (limits.all / cameras.len().max(1) as u64).clamp(limits.fewest, limits.each);
    let smaller = |camera: &Camera| {
        let factor = (pixels(camera) as f64 / each as f64).sqrt().ceil();
        camera.downscaled(factor as u32)
    };
    let cameras: Vec<Camera> = cameras.iter().map(smaller).collect();
    let every = cameras.iter().map(pixels).sum::<u64>().div_ceil(limits.all).max(1);
    cameras.into_iter().enumerate().step_by(every as usize).collect()
}

/// As of a capture's scene scale: the farthest camera from their center, and a tenth.
pub(super) fn extent(cameras: &[Camera]) -> f64 {
    let centers: Vec<DVec3> = cameras.iter().map(Camera::center).collect();
    let center = centers.iter().sum::<DVec3>() / centers.len().max(1) as f64;
    (1.1 * centers.iter().map(|c| c.distance(center)).fold(0.0, f64::max)).max(1e-6)
}

fn unpack(planes: &[f32], camera: &Camera) -> Image {
    let (width, height) = (camera.width, camera.height);
    let (pitch, plane) = ((tiles(width, height)[0] * TILE) as usize, plane_len(width, height));
    let mut image = Image::new(width, height);
    for (at, pixel) in image.pixels.iter_mut().enumerate() {
        let from = at / width as usize * pitch + at % width as usize;
        *pixel = std::array::from_fn(|channel| planes[channel * plane + from]);
    }
    image
}

#[cfg(test)]
mod tests {
    use super::*;
    use glam::DMat4;

    #[test]
    fn views_are_kept_within_memory() {
        let camera = Camera {
            width: 4000,
            height: 3000,
            fx: 3e3,
            fy: 3e3,
            cx: 2e3,
            cy: 1.5e3,
            viewmat: DMat4::IDENTITY,
            reduction: 1.0,
        };
        // Alone they have a megapixel, together with others less, and of very many some are left out.
        let sizes = [(8, [1000, 750], 8), (20, [666, 500], 20), (100, [400, 300], 50), (500, [400, 300], 63)];
        for (count, size, used) in sizes {
            let kept = within(&LIMITS, &vec![camera.clone(); count]);
            assert_eq!((kept.len(), [kept[0].1.width, kept[0].1.height]), (used, size), "of {count}");
            assert!(kept[2].0 == 2 * kept[1].0);
        }
        let small = camera.resized(64, 48);
        let all: Vec<_> = (0..100).map(|at| (at, small.clone())).collect();
        assert_eq!(within(&LIMITS, &vec![small; 100]), all);
    }
}
