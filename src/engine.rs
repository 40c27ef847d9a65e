//! The stages as methods, for programs that embed the library: each takes and gives plain data, with the rules and defaults of
//! [`pipeline::run`], and without its output folder.
//!
//! ```no_run
//! use naka_gs::{Engine, settings::Preset};
//!
//! # fn main() -> naka_gs::Result<()> {
//! let engine = Engine::open(Preset::Preview.settings())?;
//! let dark = engine.load("my-scene")?;
//! let lit = engine.enhance(&dark, "out/images")?;
//! let points = engine.prune(&lit, engine.points(&lit)?)?;
//! let splats = engine.train(&lit, &points, "out/checkpoints")?;
//! engine.save(&lit, &splats, "out/splats.ply")?;
//! let picture = engine.render(&splats, &lit.capture.train[0].camera)?;
//! # let _ = picture;
//! # Ok(())
//! # }
//! ```

use crate::capture::{self, Camera, Capture, Image};
use crate::error::Result;
use crate::gpu::{Gpu, Mask};
use crate::pipeline::{self, Painter};
use crate::prior::{self, Origin, PointCloud};
use crate::progress::{Progress, Silent};
use crate::settings::Settings;
use crate::splat::write::{self, Export};
use crate::splat::{self, Splats};
use crate::{enhance, train};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// A device and settings.
pub struct Engine {
    gpu: Arc<Gpu>,
    settings: Settings,
    progress: Box<dyn Progress + Send>,
}

/// A capture whose cameras are known, and where its points come from.
#[derive(Clone, Debug)]
pub struct Posed {
    /// Views with their cameras, in the scene frame ([`Capture::frame`]).
    pub capture: Capture,
    origin: Origin,
}

/// Points to start from.
#[derive(Clone, Debug)]
pub struct Points {
    /// Positions in the scene frame, with colors.
    pub cloud: PointCloud,
    /// What differs between the exposures of the lit photographs, by name: factors of their linear light.
    pub exposures: BTreeMap<String, [f32; 3]>,
    /// Whether they were made from the photographs.
    made: bool,
}

impl Points {
    /// Points of the program's own, in the scene frame ([`Capture::frame`]).
    pub fn given(cloud: PointCloud) -> Self {
        Self { cloud, exposures: BTreeMap::new(), made: false }
    }
}

impl Engine {
    /// An engine on the adapter that `settings` name.
    ///
    /// # Errors
    /// Settings that no stage could use; no adapter.
    pub fn open(settings: Settings) -> Result<Self> {
        settings.check()?;
        let gpu = Arc::new(Gpu::open(&settings.adapter_choice(), Mask::of_process())?);
        Ok(Self::on(gpu, settings))
    }

    /// An engine on a device that is open already.
    pub fn on(gpu: Arc<Gpu>, settings: Settings) -> Self {
        Self { gpu, settings, progress: Box::new(Silent::default()) }
    }

    /// The engine with `progress` to report to, which also can stop it: an [`Arc`] of one that others read, such as
    /// [`Board`](crate::Board).
    #[must_use]
    pub fn with_progress(self, progress: impl Progress + Send + 'static) -> Self {
        Self { progress: Box::new(progress), ..self }
    }

    /// The device.
    pub fn gpu(&self) -> &Arc<Gpu> {
        &self.gpu
    }

    /// Reads the scene folder `scene`, whose photographs have poses.
    ///
    /// # Errors
    /// What cannot be read, named.
    pub fn load(&self, scene: impl AsRef<Path>) -> Result<Posed> {
        let scene = scene.as_ref();
        let capture = capture::load(scene, &self.settings.capture_options(scene))?;
        self.pose(&capture)
    }

    /// A capture that the program made or changed, whose cameras are in its own coordinates, ready for the other methods.
    ///
    /// # Errors
    /// As [`prior::locate`].
    pub fn pose(&self, capture: &Capture) -> Result<Posed> {
        let (capture, origin) = prior::locate(capture, &self.settings.prior)?;
        Ok(Posed { capture, origin })
    }

    /// Enhances the training and held-out views into the folder `images`, at the size they are trained at. Files of their
    /// names in it are replaced.
    ///
    /// # Errors
    /// As [`enhance::enhance_capture`].
    pub fn enhance(&self, dark: &Posed, images: impl AsRef<Path>) -> Result<Posed> {
        let Settings { enhance, downscale, .. } = &self.settings;
        let progress = &*self.progress;
        let (capture, _) =
            enhance::enhance_capture(&self.gpu, &dark.capture, enhance, *downscale, images.as_ref(), progress)?;
        Ok(Posed { capture, origin: dark.origin.clone() })
    }

    /// Enhances pictures in memory as the photographs of one capture, at their own size.
    ///
    /// # Errors
    /// As [`enhance::enhance_images`].
    pub fn enhance_images(&self, dark: &[Image]) -> Result<Vec<Image>> {
        enhance::enhance_images(&self.gpu, dark, &self.settings.enhance, &*self.progress).map(|(lit, _)| lit)
    }

    /// Points to start from: those that came with the capture, or made from its lit photographs.
    ///
    /// # Errors
    /// As [`prior::prior`].
    pub fn points(&self, lit: &Posed) -> Result<Points> {
        let gpu = || Ok(Arc::clone(&self.gpu));
        let (cloud, report) =
            prior::prior(gpu, &lit.capture, &lit.origin, &self.settings.prior, None, &*self.progress)?;
        Ok(Points { cloud, made: report.made(), exposures: report.exposures })
    }

    /// Pools and prunes points.
    ///
    /// # Errors
    /// As [`pipeline::prune`].
    pub fn prune(&self, lit: &Posed, points: Points) -> Result<Points> {
        let (cloud, _) = pipeline::prune(points.cloud, points.made, &lit.capture, &self.settings.ppm)?;
        Ok(Points { cloud, ..points })
    }

    /// Trains splats on lit photographs: one model, whatever number of seeds the settings have. An interrupted training
    /// goes on from its `checkpoints` folder, which keeps its checkpoints: [`train::discard_checkpoints`] removes them
    /// once the splats are safe.
    ///
    /// # Errors
    /// As [`train::train`].
    pub fn train(&self, lit: &Posed, points: &Points, checkpoints: impl AsRef<Path>) -> Result<Splats> {
        self.train_watched(lit, points, checkpoints, None).map(|(splats, _)| splats)
    }

    /// [`Engine::train`], which `watch` observes and controls, and what it did.
    ///
    /// # Errors
    /// As there.
    pub fn train_watched(
        &self,
        lit: &Posed,
        points: &Points,
        checkpoints: impl AsRef<Path>,
        watch: Option<&dyn train::Watch>,
    ) -> Result<(Splats, train::Report)> {
        let capture = lit.capture.clone().with_exposures(&points.exposures);
        let (config, folder) = (&self.settings.train, checkpoints.as_ref());
        train::train(&self.gpu, &capture, &points.cloud, config, folder, &*self.progress, watch)
    }

    /// Writes splats in the unit and the axes that the capture came in, in the format of the file's ending. A file of that
    /// name is replaced.
    ///
    /// # Errors
    /// An ending that no format has, no splats, values that are not finite, the disk.
    pub fn save(&self, lit: &Posed, splats: &Splats, path: impl AsRef<Path>) -> Result<()> {
        let (frame, antialiased) = (lit.capture.frame, self.settings.train.antialiased);
        write::write(path, &Export { splats, frame, antialiased }).map(|_| ())
    }

    /// The picture of `camera`, at its size, against a black background, sRGB-coded. The camera is in the frame of the
    /// splats: `lit.capture.frame.camera(&camera)` takes one of the capture's own coordinates there. Many pictures of one
    /// model are quicker with a [`Painter`].
    ///
    /// # Errors
    /// A splat that is not finite, a picture beyond the memory that it may take ([`crate::limits::set_max_memory`]), the
    /// device.
    pub fn render(&self, splats: &Splats, camera: &Camera) -> Result<Image> {
        Painter::new(&self.gpu, splats, self.settings.train.antialiased)?.render(camera)
    }

    /// The picture of a splat file from `camera`, which is in the coordinates of the file.
    ///
    /// # Errors
    /// A file that cannot be read, a splat that is not finite, the device.
    pub fn render_file(&self, path: impl AsRef<Path>, camera: &Camera) -> Result<Image> {
        let (found, frame) = splat::read_framed(&path)?;
        found.check_axes(path.as_ref(), &frame, std::slice::from_ref(camera));
        Painter::new(&self.gpu, &found.splats, found.antialiased)?.render(&frame.camera(camera))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::read_image;
    use crate::eval::psnr;
    use crate::pipeline::{Job, Scope, Shared, run};
    use crate::scenes::{Scene, generate};
    use crate::settings::Preset;

    #[test]
    fn an_engine_goes_to_other_threads_and_refuses_settings_that_no_stage_could_use() {
        fn shared<T: Send + Sync>() {}
        shared::<Engine>();
        let mut settings = Preset::Preview.settings();
        settings.train.steps = 0;
        let refused = Engine::open(settings).err().unwrap().to_string();
        assert!(refused.contains("steps"), "{refused}");
    }

    /// The methods one after the other make what a run makes of the same scene.
    #[test]
    fn the_methods_do_what_a_run_does() {
        let folder = tempfile::tempdir().unwrap();
        let scene = Scene::load(concat!(env!("CARGO_MANIFEST_DIR"), "/scenes/tiny.toml").as_ref()).unwrap();
        generate(&scene, &folder.path().join("capture"), &Silent::default()).unwrap();
        let mut settings = Preset::Preview.settings();
        (settings.downscale, settings.train.steps, settings.enhance.weights) = (1, 40, "none".into());
        settings.adapter = "cpu".into();

        let at = |name: &str| folder.path().join(name);
        let (capture, out, scope) = (at("capture"), at("out"), Scope::Everything);
        let job = Job { scene: capture, out, settings: settings.clone(), overwrite: false, scope };
        let outcome = run(&job, &Shared::default(), &Silent::default()).unwrap();

        let engine = Engine::open(settings.clone()).unwrap();
        let dark = engine.load(&job.scene).unwrap();
        let lit = engine.enhance(&dark, at("images")).unwrap();
        let view = &lit.capture.train[0];
        let of_run = std::fs::read(job.out.join("images").join(&view.name)).unwrap();
        assert_eq!(std::fs::read(at("images").join(&view.name)).unwrap(), of_run);

        let points = engine.prune(&lit, engine.points(&lit).unwrap()).unwrap();
        let splats = engine.train(&lit, &points, at("checkpoints")).unwrap();
        assert_eq!(Some(splats.len() as u64), outcome.run.splats);
        engine.save(&lit, &splats, at("splats.ply")).unwrap();
        let ours = engine.render_file(at("splats.ply"), &view.camera).unwrap();
        let theirs = engine.render_file(job.out.join("splats.ply"), &view.camera).unwrap();
        let again = engine.render(&splats, &view.camera).unwrap();
        assert!(lit.capture.frame.is_identity() && ours == again);
        // Training adds floats in no fixed order.
        let close = psnr(&ours, &theirs).unwrap();
        assert!(close > 35.0, "{close} dB");

        let photographs: Vec<Image> =
            dark.capture.train.iter().map(|view| read_image(view.image.as_ref().unwrap()).unwrap()).collect();
        // Pictures in memory have no folder in which the camera's file could lie.
        settings.enhance.camera = job.scene.join("camera.toml").display().to_string();
        let in_memory = Engine::on(Arc::clone(engine.gpu()), settings).enhance_images(&photographs).unwrap();
        let written = read_image(&at("images").join(&view.name)).unwrap();
        // The file has the noise of JPEG, which has no mean.
        let same = psnr(&in_memory[0], &written).unwrap();
        assert!(same > 36.0, "{same} dB");
        let mean = |image: &Image, c: usize| {
            image.pixels.iter().map(|p| f64::from(p[c])).sum::<f64>() / image.pixels.len() as f64
        };
        for c in 0..3 {
            let [ours, files] = [&in_memory[0], &written].map(|image| 255.0 * mean(image, c));
            assert!((ours - files).abs() < 0.2, "{ours} and {files} levels");
        }
    }
}
