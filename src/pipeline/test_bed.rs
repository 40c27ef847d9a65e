//! What tests of whole runs share.

use super::*;
use crate::Silent;
use crate::prior::Make;
use crate::scenes::Scene;

/// A tiny capture, and a device that all runs on it share.
pub(super) struct Bed {
    pub dir: tempfile::TempDir,
    pub capture: PathBuf,
    pub gpu: Arc<Gpu>,
}

impl Bed {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let scene = Scene::load(Path::new("scenes/tiny.toml")).unwrap();
        let capture = demo::photograph(&scene, dir.path(), false, &Silent::default()).unwrap();
        let gpu = Arc::new(Gpu::open(&"cpu".parse().unwrap(), Mask::default()).unwrap());
        Self { dir, capture, gpu }
    }

    /// A short run into a folder of that name.
    pub fn job(&self, out: &str) -> Job {
        let mut settings = Settings { adapter: "cpu".into(), downscale: 2, ..Settings::default() };
        settings.enhance.weights = "none".into();
        (settings.prior.make, settings.prior.make_points) = (Make::Frustum, 200);
        let (scene, out) = (self.capture.clone(), self.dir.path().join(out));
        Job { scene, out, settings, overwrite: false, scope: Scope::Everything }
    }

    pub fn run(&self, job: &Job, progress: &dyn Progress) -> Result<Outcome> {
        run(job, &Shared { gpu: Some(Arc::clone(&self.gpu)), ..Shared::default() }, progress)
    }
}
