//! Unit and origin of a capture's coordinates change nothing: the same tiny capture in other ones.

use super::support::{assert_refused, contents, naka_gs};
use glam::DVec3;
use naka_gs::capture::{SceneFrame, read_image};
use naka_gs::gpu::{Gpu, Mask};
use naka_gs::pipeline::{Job, Scope, Shared, run};
use naka_gs::progress::Silent;
use naka_gs::scenes::{Scene, generate};
use naka_gs::settings::Settings;
use naka_gs::splat::{self, Splats};
use naka_gs::{Error, eval, prior};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

fn json(path: &Path) -> Value {
    serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap()
}

/// A copy of the `scene` in another unit, with its origin elsewhere.
fn moved(scene: &Path, to: &Path, unit: f64, offset: DVec3) {
    for (file, content) in contents(scene) {
        let place = to.join(file.strip_prefix(scene).unwrap());
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, content).unwrap();
    }
    for name in ["transforms_train.json", "transforms_test.json"] {
        let mut poses = json(&to.join(name));
        for frame in poses["frames"].as_array_mut().unwrap() {
            for (row, offset) in offset.to_array().iter().enumerate() {
                let value = &mut frame["transform_matrix"][row][3];
                *value = (value.as_f64().unwrap() * unit + offset).into();
            }
        }
        fs::write(to.join(name), poses.to_string()).unwrap();
    }
}

/// Where all runs happen: a device that they share, and a folder.
struct Bench {
    gpu: Arc<Gpu>,
    dir: TempDir,
}

impl Bench {
    fn run(&self, scene: &Path, out: &str) -> naka_gs::Result<PathBuf> {
        let mut settings = Settings { adapter: "cpu".into(), downscale: 1, ..Settings::default() };
        settings.enhance.weights = "none".into();
        settings.prior.make_points = 500;
        (settings.train.steps, settings.train.deterministic) = (20, true);
        let out = self.dir.path().join(out);
        let job = Job { scene: scene.into(), out: out.clone(), settings, overwrite: false, scope: Scope::Everything };
        let shared = Shared { gpu: Some(Arc::clone(&self.gpu)), ..Shared::default() };
        run(&job, &shared, &Silent::default()).map(|_| out)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

fn psnr(out: &Path) -> f64 {
    json(&out.join("metrics.json"))["psnr"].as_f64().unwrap()
}

/// The middle of the splats in the capture's coordinates, less `offset`, in its `unit`.
fn middle(splats: &Splats, frame: &SceneFrame, unit: f64, offset: DVec3) -> DVec3 {
    let places = splats.means.iter().map(|mean| (frame.leave(DVec3::from(mean.map(f64::from))) - offset) / unit);
    let mut axes = [Vec::new(), Vec::new(), Vec::new()];
    places.for_each(|place| axes.iter_mut().zip(place.to_array()).for_each(|(axis, v)| axis.push(v)));
    axes.iter_mut().for_each(|axis| axis.sort_by(f64::total_cmp));
    DVec3::from_array(axes.map(|axis| axis[axis.len() / 2]))
}

#[test]
fn unit_and_origin_of_a_capture_change_nothing() {
    let gpu = Arc::new(Gpu::open(&"cpu".parse().unwrap(), Mask::default()).unwrap());
    let bench = Bench { gpu, dir: tempfile::tempdir().unwrap() };
    let [scene, tiny, small, far] = ["scene", "tiny-scene", "small-scene", "far-scene"].map(|name| bench.path(name));
    let description = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenes/tiny.toml");
    generate(&Scene::load(&description).unwrap(), &scene, &Silent::default()).unwrap();
    let base = bench.run(&scene, "base").unwrap();
    assert_eq!(json(&base.join("run.json")).get("frame"), None);
    let read = |out: &Path| {
        let (found, frame) = splat::read_framed(out.join("splats.ply")).unwrap();
        (found.splats, found.dropped, frame)
    };
    let (splats, _, own) = read(&base);
    assert!(own.is_identity());

    // By powers of two: every intermediate value scales exactly, so the bits agree.
    moved(&scene, &tiny, 2f64.powi(-12), DVec3::ZERO);
    moved(&scene, &small, 2f64.powi(-10), DVec3::ZERO);
    let outs = [(&tiny, "tiny"), (&small, "small")].map(|(scene, out)| bench.run(scene, out).unwrap());
    let [(one, _, frame), (other, _, larger)] = outs.each_ref().map(|out| read(out));
    assert!(frame.unit * 4.0 == larger.unit && !frame.is_recentered());
    assert_eq!(one.means, other.means);
    let [renders, others] = outs.each_ref().map(|out| contents(&out.join("renders")));
    assert!(renders.len() == 2 && others.len() == 2);
    // Renders are of the files, whose log-scales are rounded in each unit by itself.
    for ((one, _), (two, _)) in renders.iter().zip(&others) {
        let psnr = eval::psnr(&read_image(one).unwrap(), &read_image(two).unwrap()).unwrap();
        assert!(one.file_name() == two.file_name() && psnr > 65.0, "{}: {psnr} dB", one.display());
    }
    assert!((psnr(&outs[0]) - psnr(&base)).abs() < 0.1, "{} {}", psnr(&outs[0]), psnr(&base));
    assert!(matches!(bench.run(&small, "tiny"), Err(Error::Exists(_))), "a model in another unit is another");

    let (unit, offset) = (1e-3, DVec3::new(5e6, -4.2e6, 3.3e5));
    moved(&scene, &far, unit, offset);
    let out = bench.run(&far, "far").unwrap();
    assert!((psnr(&out) - psnr(&base)).abs() < 0.1, "{} {}", psnr(&out), psnr(&base));
    let (moved_splats, _, frame) = read(&out);
    let recorded: SceneFrame = serde_json::from_value(json(&out.join("run.json"))["frame"].clone()).unwrap();
    // JSON's last digit may be lost.
    assert!(recorded.unit == frame.unit && recorded.origin.distance(frame.origin) < 1e-8);
    assert!(frame.is_recentered() && frame.origin.distance(offset) < 10.0 * unit);
    let [there, here] = [middle(&moved_splats, &frame, unit, offset), middle(&splats, &own, 1.0, DVec3::ZERO)];
    assert!(there.distance(here) < 0.02, "{there} {here}");
    assert_eq!(prior::stated_frame(out.join("points.ply")).unwrap(), Some(frame));

    // The other ways to the same pictures: a run that goes on, and the file alone.
    let renders = contents(&out.join("renders"));
    fs::remove_dir_all(out.join("renders")).unwrap();
    bench.run(&far, "far").unwrap();
    assert!(contents(&out.join("renders")) == renders);
    let alone = bench.path("alone");
    let render = || {
        let mut render = naka_gs();
        render.arg("render").arg(out.join("splats.ply")).arg("--cameras").arg(far.join("transforms_test.json"));
        render.args(["--adapter", "cpu", "-o"]).arg(&alone).output().unwrap()
    };
    assert!(render().status.success());
    for (path, content) in &renders {
        let same = fs::read(alone.join(path.file_name().unwrap())).unwrap() == *content;
        assert!(same, "{} differs from the run's", path.display());
    }
    assert_refused(&render(), 1, &["alone", "--overwrite"]);
}
