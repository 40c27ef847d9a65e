//! Unit and origin of a capture's coordinates change nothing: the same tiny capture in other ones.

mod support;

use glam::DVec3;
use naka_gs::capture::SceneFrame;
use naka_gs::prior;
use naka_gs::progress::Silent;
use naka_gs::scenes::{Scene, generate};
use naka_gs::splat::{Splats, ply};
use serde_json::Value;
use std::fs;
use std::path::Path;
use support::{contents, naka_gs};

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

fn run(scene: &Path, out: &Path, more: &[&str]) -> String {
    let mut command = naka_gs();
    command.arg("run").arg(scene).arg("-o").arg(out).args(more);
    command.args(["--adapter", "cpu", "--downscale", "1", "--make-points", "500", "--steps", "30"]);
    let output = command.args(["--weights", "none", "--deterministic"]).output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{stderr}");
    stderr
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
    let dir = tempfile::tempdir().unwrap();
    let [scene, base, tiny, small, far, out] =
        ["scene", "base", "tiny", "small", "far", "out"].map(|name| dir.path().join(name));
    let description = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenes/tiny.toml");
    generate(&Scene::load(&description).unwrap(), &scene, &Silent::default()).unwrap();
    run(&scene, &base, &[]);
    assert_eq!(json(&base.join("run.json")).get("frame"), None);
    let (splats, _, own) = ply::read_framed(base.join("splats.ply")).unwrap();
    assert!(own.is_identity());

    // By powers of two: all that is computed with is the same, and so are all bits.
    for (folder, unit) in [(&tiny, 2f64.powi(-12)), (&small, 2f64.powi(-10))] {
        moved(&scene, &dir.path().join("unit"), unit, DVec3::ZERO);
        run(&dir.path().join("unit"), folder, &[]);
        fs::remove_dir_all(dir.path().join("unit")).unwrap();
    }
    let read = |out: &Path| ply::read_framed(out.join("splats.ply")).unwrap();
    let ((one, _, frame), (other, _, larger)) = (read(&tiny), read(&small));
    assert!(frame.unit * 4.0 == larger.unit && !frame.is_recentered());
    assert_eq!(one.means, other.means);
    assert_eq!(contents(&tiny.join("renders")).len(), 2);
    for (a, b) in contents(&tiny.join("renders")).iter().zip(contents(&small.join("renders"))) {
        assert_eq!(a.1, b.1, "{}", a.0.display());
    }
    assert!((psnr(&tiny) - psnr(&base)).abs() < 0.1, "{} {}", psnr(&tiny), psnr(&base));

    // Far away, made in two parts: the points come from their file.
    let (unit, offset) = (1e-3, DVec3::new(5e6, -4.2e6, 3.3e5));
    moved(&scene, &far, unit, offset);
    let told = run(&far, &out, &["--until", "ppm"]);
    assert!(told.contains("origin") && told.contains("points.ply"), "{told}");
    run(&far, &out, &[]);
    assert!((psnr(&out) - psnr(&base)).abs() < 0.1, "{} {}", psnr(&out), psnr(&base));
    let (moved_splats, _, frame) = read(&out);
    let recorded: SceneFrame = serde_json::from_value(json(&out.join("run.json"))["frame"].clone()).unwrap();
    // JSON's last digit may be lost.
    assert!(recorded.unit == frame.unit && recorded.origin.distance(frame.origin) < 1e-8);
    assert!(frame.is_recentered() && frame.origin.distance(offset) < 10.0 * unit);
    let [there, here] = [middle(&moved_splats, &frame, unit, offset), middle(&splats, &own, 1.0, DVec3::ZERO)];
    assert!(there.distance(here) < 0.02, "{there} {here}");
    assert_eq!(prior::stated_frame(out.join("points.ply")).unwrap(), Some(frame));

    // The other ways to the same pictures: files alone, and a run that goes on.
    let renders = contents(&out.join("renders"));
    let alone = dir.path().join("alone");
    let mut render = naka_gs();
    render.arg("render").arg(out.join("splats.ply")).arg("--cameras").arg(far.join("transforms_test.json"));
    let output = render.args(["--adapter", "cpu", "-o"]).arg(&alone).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for (path, content) in &renders {
        let same = fs::read(alone.join(path.file_name().unwrap())).unwrap() == *content;
        assert!(same, "{} differs from the run's", path.display());
    }
    fs::remove_dir_all(out.join("renders")).unwrap();
    let told = run(&far, &out, &[]);
    assert!(told.contains("train: kept") && contents(&out.join("renders")) == renders, "{told}");
}
