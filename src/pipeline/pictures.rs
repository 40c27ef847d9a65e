//! Renders of a finished model.

use crate::capture::{Camera, Image, View, ending, mean_image};
use crate::error::Result;
use crate::eval::{self, Sampling};
use crate::gpu::Gpu;
use crate::limits;
use crate::parallel::overlap;
use crate::progress::{Journal, Progress};
use crate::splat::{EightBit, RenderSettings, Renderer, Splats, Style, Tensors, Workspace};
use image::RgbImage;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Most models that stay in device memory together; more are uploaded for each picture in turn. Training holds four times a
/// model's parameters, too.
const RESIDENT: usize = 4;

/// Renders a model, or the mean of several, from any camera.
pub struct Painter<'g> {
    gpu: &'g Gpu,
    renderer: Renderer,
    eight_bit: EightBit,
    models: Vec<Model<'g>>,
    settings: RenderSettings,
    work: Option<Workspace>,
}

/// Where a model is.
enum Model<'g> {
    Device(Box<Tensors>),
    Host(&'g Splats),
}

impl<'g> Painter<'g> {
    /// Uploads `splats`. `antialiased` must be as in training; the background is black.
    ///
    /// # Errors
    /// The device fails, or a splat is not finite: rendering would skip it silently.
    pub fn new(gpu: &'g Gpu, splats: &Splats, antialiased: bool) -> Result<Self> {
        splats.check_finite("the model")?;
        let models = vec![Model::Device(Box::new(Tensors::from_splats(gpu, splats, 0)?))];
        Self::of(gpu, models, splats.sh_degree, antialiased)
    }

    /// For pictures that are the mean of those of `models`, as they are displayed.
    ///
    /// # Errors
    /// As [`Painter::new`].
    pub fn mean(gpu: &'g Gpu, models: &'g [Splats], antialiased: bool) -> Result<Self> {
        let model = |(index, splats): (usize, &'g Splats)| {
            splats.check_finite(format_args!("model {}", index + 1))?;
            match index < RESIDENT {
                true => Ok(Model::Device(Box::new(Tensors::from_splats(gpu, splats, 0)?))),
                false => Ok(Model::Host(splats)),
            }
        };
        let sh_degree = models.first().map_or(0, |model| model.sh_degree);
        Self::of(gpu, models.iter().enumerate().map(model).collect::<Result<_>>()?, sh_degree, antialiased)
    }

    fn of(gpu: &'g Gpu, models: Vec<Model<'g>>, sh_degree: u32, antialiased: bool) -> Result<Self> {
        let settings = RenderSettings { background: [0.0; 3], sh_degree, antialiased, style: Style::default() };
        let (renderer, eight_bit) = (Renderer::new(gpu)?, EightBit::new(gpu)?);
        Ok(Self { gpu, renderer, eight_bit, models, settings, work: None })
    }

    /// The view of `camera`, at its size.
    pub fn render(&mut self, camera: &Camera) -> Result<Image> {
        limits::claim_picture(camera.width, camera.height)?;
        let Self { gpu, renderer, models, settings, work, .. } = self;
        let mut picture = |model: &Model<'_>| match model {
            Model::Device(model) => renderer.render_color(gpu, model, camera, settings, work),
            Model::Host(splats) => {
                renderer.render_color(gpu, &Tensors::from_splats(gpu, splats, 0)?, camera, settings, work)
            }
        };
        if let [model] = models.as_slice() {
            return picture(model);
        }
        let displayed = |mut image: Image| {
            image.pixels.iter_mut().flatten().for_each(|v| *v = v.clamp(0.0, 1.0));
            image
        };
        let mean = mean_image(models.iter().map(|model| picture(model).map(displayed)))?;
        Ok(mean.unwrap_or_else(|| Image::new(camera.width, camera.height)))
    }

    /// The picture of `view` with its lens's distortion, at the size of its camera; of a lens that is too wide, the pinhole's
    /// ([`View::bending`]).
    pub fn render_taken(&mut self, view: &View) -> Result<Image> {
        match view.bending() {
            Some((lens, outer)) => Ok(lens.bend(&self.render(&outer)?, &outer)),
            None => self.render(&view.camera),
        }
    }

    /// The same, rounded to 8 bits for files.
    pub fn render_taken_rgb8(&mut self, view: &View) -> Result<RgbImage> {
        match view.lens {
            Some(_) => Ok(self.render_taken(view)?.to_rgb8()),
            None => self.render_rgb8(&view.camera),
        }
    }

    /// [`Painter::render`] rounded to 8 bits.
    pub fn render_rgb8(&mut self, camera: &Camera) -> Result<RgbImage> {
        let [Model::Device(model)] = self.models.as_slice() else { return Ok(self.render(camera)?.to_rgb8()) };
        limits::claim_picture(camera.width, camera.height)?;
        self.eight_bit.render(self.gpu, &self.renderer, model, camera, &self.settings, &mut self.work)
    }
}

/// Renders `views`, as their lenses take them, as JPEG files (quality 95) into `folder`, but for those that a `journal` knows
/// as finished.
pub fn render_views(
    painter: &mut Painter<'_>,
    views: &[View],
    folder: &Path,
    journal: Option<&dyn Journal>,
    progress: &dyn Progress,
) -> Result<()> {
    progress.begin("render", "images", views.len() as u64);
    let pictures = views.iter().map(|view| {
        progress.check()?;
        let path = folder.join(render_name(&view.name));
        let wanted = journal.is_none_or(|journal| !journal.is_finished(&path));
        let picture = wanted.then(|| painter.render_taken_rgb8(view)).transpose()?;
        Ok((&view.name, path, picture))
    });
    let done = AtomicU64::new(0);
    overlap(pictures, |(name, path, picture)| {
        if let Some(picture) = picture {
            eval::write_jpeg_rgb8(&path, &picture, 95, Sampling::Half)?;
            journal.map_or(Ok(()), |journal| journal.finished(&path))?;
        }
        progress.set(done.fetch_add(1, Ordering::Relaxed) + 1, name);
        Ok(())
    })?;
    progress.end();
    Ok(())
}

/// Endings of photographs other than JPEG. Anything else after a period is part of the name (`cam.0001`).
const PHOTOGRAPHS: [&str; 16] = [
    "png", "tif", "tiff", "webp", "bmp", "exr", "hdr", "heic", "heif", "avif", "dng", "cr2", "cr3", "nef", "arw", "raf",
];

/// `count` views, evenly spread.
pub fn spread(views: &[View], count: usize) -> impl Iterator<Item = &View> {
    let count = count.min(views.len());
    (0..count).map(move |i| &views[i * views.len() / count])
}

/// The file name of a test frame's render: the frame's own, with the ending `.JPG` in the place of a photograph's that is
/// not JPEG's.
pub fn render_name(name: &str) -> String {
    let path = Path::new(name);
    let ending = ending(path);
    match ending.as_str() {
        "jpg" | "jpeg" => name.into(),
        ending if PHOTOGRAPHS.contains(&ending) => path.with_extension("JPG").to_string_lossy().into_owned(),
        _ => format!("{name}.JPG"),
    }
}

#[cfg(test)]
mod tests {
    use super::{Painter, render_name};
    use crate::capture::{Camera, Distortion, Image, Lens, View};
    use crate::gpu::{Choice, Gpu, Mask};
    use crate::splat::reference::{cloud, splats};

    #[test]
    fn renders_are_bent_as_the_lens_takes_them() {
        let gpu = Gpu::open(&Choice::Best, Mask::ALL).unwrap();
        let viewmat = glam::DMat4::from_translation(glam::DVec3::new(0.0, 0.0, 2.5));
        let given = Camera { width: 120, height: 90, fx: 80.0, fy: 82.0, cx: 61.5, cy: 44.0, viewmat, reduction: 1.0 };
        let lens = Lens::new(&given, Distortion::colmap("SIMPLE_RADIAL", &[-0.15]).unwrap()).unwrap();
        let (name, camera) = ("a.png".to_string(), lens.pinhole(&given));
        let view = View { name, image: None, camera, lens: Some(lens), mask: None, gain: None, shots: Vec::new() };
        let model = splats(&cloud(60, 7));
        let mut painter = Painter::new(&gpu, &model, false).unwrap();
        let (taken, straight) = (painter.render_taken(&view).unwrap(), painter.render(&view.camera).unwrap());
        let off = |a: &Image, b: &Image| {
            let off = a.pixels.iter().flatten().zip(b.pixels.iter().flatten()).map(|(a, b)| (a - b).abs());
            off.sum::<f32>() / (3 * a.pixels.len()) as f32
        };
        let (bent, back) = (off(&taken, &straight), off(&lens.undistort(&taken), &straight));
        assert!(back < 0.01 && bent > 3.0 * back, "{back} {bent}");
        // At another size, and without a lens.
        let half = View { camera: view.camera.downscaled(2), ..view.clone() };
        let half = painter.render_taken(&half).unwrap();
        assert_eq!((half.width, half.height), (60, 45));
        assert!(off(&half, &crate::capture::resize_area(&taken, 60, 45)) < 0.02);
        let plain = View { lens: None, ..view.clone() };
        assert_eq!(painter.render_taken(&plain).unwrap(), straight);
        assert_eq!(painter.render_taken_rgb8(&view).unwrap(), taken.to_rgb8());
    }

    #[test]
    fn renders_are_jpeg_files_under_the_frames_names() {
        let same = [("0031.JPG", "0031.JPG"), ("a.jpeg", "a.jpeg")];
        let others = [("b.png", "b.JPG"), ("c", "c.JPG"), ("d.TIFF", "d.JPG"), ("e.1.png", "e.1.JPG")];
        // Blender's exporters leave the ending away.
        let numbered = [("cam.0001", "cam.0001.JPG"), ("cam.0002", "cam.0002.JPG")];
        for (name, render) in same.into_iter().chain(others).chain(numbered) {
            assert_eq!(render_name(name), render);
        }
    }
}
