//! Ways, paces and files against poses worked out by hand.

use super::*;
use std::f64::consts::{FRAC_PI_2, PI};
use std::path::Path;

fn pose(x: f64, y: f64, z: f64, yaw: f64) -> Pose {
    Pose { position: DVec3::new(x, y, z), rotation: DQuat::from_rotation_y(yaw), fov: 60.0 }
}

fn path(poses: &[Pose], closing: Option<f64>) -> CameraPath {
    let keyframes = poses.iter().enumerate().map(|(i, pose)| Keyframe { pose: *pose, seconds: i as f64 });
    CameraPath { keyframes: keyframes.collect(), closing, fps: 10.0, ..CameraPath::new(160, 90) }
}

#[track_caller]
fn near(a: DVec3, b: DVec3, tolerance: f64) {
    assert!(a.distance(b) <= tolerance, "{a} not {b}");
}

/// The centripetal spline's segment from `p[1]` to `p[2]` in Hermite's form, as textbooks have it.
fn hermite(p: [DVec3; 4], t: f64) -> DVec3 {
    let d = [0, 1, 2].map(|i| p[i].distance(p[i + 1]).sqrt());
    let tangent =
        |a: DVec3, b: DVec3, c: DVec3, ab: f64, bc: f64| ((b - a) / ab - (c - a) / (ab + bc) + (c - b) / bc) * d[1];
    let (m1, m2) = (tangent(p[0], p[1], p[2], d[0], d[1]), tangent(p[1], p[2], p[3], d[1], d[2]));
    p[1] * (2.0 * t.powi(3) - 3.0 * t * t + 1.0)
        + m1 * (t.powi(3) - 2.0 * t * t + t)
        + p[2] * (3.0 * t * t - 2.0 * t.powi(3))
        + m2 * (t.powi(3) - t * t)
}

#[test]
fn the_curve_is_the_textbooks() {
    let points = [[0.0, 0.0, 0.0], [1.0, 0.5, 0.0], [1.5, 3.0, 1.0], [6.0, 2.0, -1.0]].map(DVec3::from);
    let path = path(&points.map(|p| Pose { position: p, ..pose(0.0, 0.0, 0.0, 0.0) }), None);
    let on_curve: Vec<DVec3> = (0..=2000).map(|i| hermite(points, f64::from(i) / 2000.0)).collect();
    for i in 0..=50 {
        let at = path.at(1.0 + f64::from(i) / 50.0).unwrap().position;
        let nearest = on_curve.iter().map(|p| p.distance(at)).fold(f64::MAX, f64::min);
        assert!(nearest < 2e-3, "{at} is {nearest} off");
    }
}

#[test]
fn places_are_those_of_the_poses_at_even_times() {
    let poses = [pose(0.0, 0.0, 0.0, 0.0), pose(2.0, 0.0, 0.0, 1.0), pose(2.0, 1.0, 0.0, 1.0)];
    for path in [path(&poses, None), path(&poses, Some(1.5)), path(&poses[..1], None)] {
        let places = path.places(8);
        assert_eq!(places.len(), 9);
        for (i, place) in places.iter().enumerate() {
            near(*place, path.at(path.seconds() * i as f64 / 8.0).unwrap().position, 1e-12);
        }
    }
    assert!(path(&[], None).places(8).is_empty());
}

#[test]
fn keyframes_are_met_at_their_times() {
    let mut path = path(&[pose(0.0, 0.0, 0.0, 0.0), pose(2.0, 0.0, 0.0, 1.0), pose(2.0, 1.0, 0.0, 1.0)], None);
    path.keyframes[1].pose.fov = 40.0;
    path.keyframes[2].seconds = 1.5;
    for key in &path.keyframes {
        let at = path.at(key.seconds).unwrap();
        near(at.position, key.pose.position, 1e-9);
        assert!(at.rotation.angle_between(key.pose.rotation) < 1e-6 && (at.fov - key.pose.fov).abs() < 1e-9);
    }
    // Two keyframes on a line: halfway is halfway, in every respect.
    path.keyframes.truncate(2);
    let half = path.at(0.5).unwrap();
    near(half.position, DVec3::X, 1e-9);
    assert!(half.rotation.angle_between(DQuat::from_rotation_y(0.5)) < 1e-6);
    assert!((half.fov - 50.0).abs() < 1e-9);
    assert_eq!(path.at(-1.0).unwrap().position, path.keyframes[0].pose.position);
    near(path.at(9.0).unwrap().position, DVec3::X * 2.0, 1e-9);
    // Frames at 0, 0.1, … 1 s.
    assert_eq!(path.poses().unwrap().len(), 11);
}

#[test]
fn a_turn_on_the_spot_is_a_turn_and_nothing_jumps() {
    let turn = path(&[pose(1.0, 2.0, 3.0, 0.0), pose(1.0, 2.0, 3.0, 1.0), pose(1.0, 2.0, 3.0, 2.0)], None);
    let half = turn.at(1.5).unwrap();
    near(half.position, DVec3::new(1.0, 2.0, 3.0), 1e-12);
    assert!(half.rotation.angle_between(DQuat::from_rotation_y(1.5)) < 1e-6);
    // The same pose twice is a rest.
    let rest = path(
        &[pose(0.0, 0.0, 0.0, 0.0), pose(1.0, 0.0, 0.0, 0.0), pose(1.0, 0.0, 0.0, 0.0), pose(2.0, 0.0, 0.0, 0.0)],
        None,
    );
    near(rest.at(1.5).unwrap().position, DVec3::X, 1e-6);
    let steps: Vec<DVec3> = (0..=300).map(|i| rest.at(f64::from(i) * 0.01).unwrap().position).collect();
    assert!(steps.iter().all(|p| p.is_finite()) && steps.windows(2).all(|p| p[0].distance(p[1]) < 0.05));
}

#[test]
fn a_closed_path_goes_round_without_a_jolt() {
    let corner = |i: f64| pose((i * FRAC_PI_2).cos(), 0.0, -(i * FRAC_PI_2).sin(), i * FRAC_PI_2);
    let round = CameraPath { constant_speed: true, ..path(&[0.0, 1.0, 2.0, 3.0].map(corner), Some(1.0)) };
    assert_eq!(round.seconds(), 4.0);
    let poses = round.poses().unwrap();
    assert_eq!(poses.len(), 40, "the last frame is the one before the first");
    let at = |i: usize| poses[i % 40].position;
    let speeds: Vec<f64> = (0..40).map(|i| at(i).distance(at(i + 1))).collect();
    let (low, high) = speeds.iter().fold((f64::MAX, 0.0f64), |(l, h), s| (l.min(*s), h.max(*s)));
    assert!(high / low < 1.03, "from {low} to {high}");
    // A corner of the square would have 0.21.
    let bends: Vec<DVec3> = (0..40).map(|i| at(i) + at(i + 2) - at(i + 1) * 2.0).collect();
    assert!(bends.iter().all(|bend| bend.length() < 0.08), "{bends:?}");
    // By symmetry, halfway between two corners is a camera on the diagonal that looks along it.
    let half = round.at(0.5).unwrap();
    assert!((half.position.z / -half.position.x - 1.0).abs() < 1e-6);
    assert!(half.rotation.angle_between(DQuat::from_rotation_y(PI / 4.0)) < 1e-6);
    near(round.at(4.5).unwrap().position, half.position, 1e-9);
}

#[test]
fn constant_speed_is_constant_whatever_the_times() {
    let mut path = path(&[[0.0, 0.0], [1.0, 0.0], [1.0, 5.0], [3.0, 9.0]].map(|[x, z]| pose(x, 0.0, z, 0.0)), None);
    path.keyframes[3].seconds = 20.0;
    path.constant_speed = true;
    let poses = path.poses().unwrap();
    assert_eq!(poses.len(), 201);
    let steps: Vec<f64> = poses.windows(2).map(|p| p[0].position.distance(p[1].position)).collect();
    let (low, high) = steps.iter().fold((f64::MAX, 0.0f64), |(l, h), s| (l.min(*s), h.max(*s)));
    assert!(high / low < 1.03, "from {low} to {high}");
}

#[test]
fn a_pose_is_its_camera() {
    // A camera at (1, 2, 3) turned a quarter to the left: it looks along −x.
    let camera = Pose { fov: 90.0, ..pose(1.0, 2.0, 3.0, FRAC_PI_2) }.camera(200, 100);
    near(camera.center(), DVec3::new(1.0, 2.0, 3.0), 1e-12);
    near(camera.forward(), -DVec3::X, 1e-12);
    assert!((camera.fx - 50.0).abs() < 1e-12 && (camera.fy - 50.0).abs() < 1e-12);
    // One unit above the axis in three units' distance: 50 / 3 pixels above the middle.
    near(camera.project(DVec3::new(-2.0, 3.0, 3.0)), DVec3::new(100.0, 50.0 - 50.0 / 3.0, 3.0), 1e-9);
    let again = Pose::of(&camera);
    assert!((again.fov - 90.0).abs() < 1e-9 && again.rotation.angle_between(DQuat::from_rotation_y(FRAC_PI_2)) < 1e-6);
}

/// As nerfstudio's viewer (1.1) writes it: a quarter turn to the left, at (1, 2, 3).
const VISER: &str = r#"{"default_fov": 75.0, "default_transition_sec": 2.0, "keyframes": [
 {"matrix": [0, 0, 1, 1, 0, 1, 0, 2, -1, 0, 0, 3, 0, 0, 0, 1], "fov": 75.0, "aspect": 1.777,
  "override_transition_enabled": false, "override_transition_sec": null},
 {"matrix": [1, 0, 0, 4, 0, 1, 0, 5, 0, 0, 1, 6, 0, 0, 0, 1], "fov": 60.0, "aspect": 1.777,
  "override_transition_enabled": true, "override_transition_sec": 3.5}],
 "camera_type": "perspective", "render_height": 1080, "render_width": 1920, "fps": 24, "seconds": 3.5, "is_cycle": false,
 "smoothness_value": 0.5, "crop": {"crop_center": [0, 0, 0]},
 "camera_path": [{"camera_to_world": [0, 0, 1, 1, 0, 1, 0, 2, -1, 0, 0, 3, 0, 0, 0, 1], "fov": 75.0, "aspect": 1.777}]}"#;

/// As the viewer before it (three.js) writes it: the same pose, its matrix as text, column by column.
const THREE: &str = r#"{"keyframes": [
 {"matrix": "[0,0,-1,0,0,1,0,0,1,0,0,0,1,2,3,1]", "fov": 50, "aspect": 1, "properties": "[[\"NAME\",\"Camera 0\"]]"},
 {"matrix": "[1,0,0,0,0,1,0,0,0,0,1,0,0,0,0,1]", "fov": 50, "aspect": 1, "properties": "[]"},
 {"matrix": "[0,1,0,0,-1,0,0,0,0,0,1,0,0,0,0,1]", "fov": 50, "aspect": 1, "properties": "[]"}],
 "camera_type": "perspective", "render_height": 600, "render_width": 800, "fps": 10, "seconds": 6, "smoothness_value": 0,
 "is_cycle": true, "crop": null, "camera_path": []}"#;

fn read(text: &str) -> Result<CameraPath> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("camera_path.json");
    std::fs::write(&file, text).unwrap();
    CameraPath::read(&file)
}

#[test]
fn files_of_nerfstudios_viewers_have_the_right_poses() {
    let quarter = DQuat::from_rotation_y(FRAC_PI_2);
    let viser = read(VISER).unwrap();
    assert_eq!((viser.width, viser.height, viser.fps, viser.closing), (1920, 1080, 24.0, None));
    assert_eq!(viser.keyframes.iter().map(|key| key.seconds).collect::<Vec<_>>(), [0.0, 3.5]);
    let cameras = viser.cameras().unwrap();
    assert_eq!(cameras.len(), 1, "its own frames");
    near(cameras[0].center(), DVec3::new(1.0, 2.0, 3.0), 1e-12);
    near(cameras[0].forward(), -DVec3::X, 1e-12);
    // three_js_perspective_camera_focal_length(75, 1080)
    assert!((cameras[0].fy - 703.741701334).abs() < 1e-6, "{}", cameras[0].fy);

    let three = read(THREE).unwrap();
    assert_eq!((three.closing, three.seconds(), three.poses().unwrap().len()), (Some(2.0), 6.0, 60));
    near(three.keyframes[0].pose.position, DVec3::new(1.0, 2.0, 3.0), 1e-12);
    assert!(three.keyframes[0].pose.rotation.angle_between(quarter) < 1e-6);
    // At the origin, where the layout does not show: a quarter turn about z, in three.js' order.
    assert!(three.keyframes[2].pose.rotation.angle_between(DQuat::from_rotation_z(FRAC_PI_2)) < 1e-6);
}

#[test]
fn files_with_a_byte_order_mark_or_in_utf_16_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("path.json");
    let written = path(&[pose(0.0, 0.0, 0.0, 0.0), pose(1.0, 0.0, 0.0, 0.0)], None);
    written.write(&file).unwrap();
    let (text, whole) = (std::fs::read_to_string(&file).unwrap(), CameraPath::read(&file).unwrap());
    let wide: Vec<u8> = format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    for bytes in [format!("\u{feff}{text}").into_bytes(), wide] {
        std::fs::write(&file, bytes).unwrap();
        assert_eq!(CameraPath::read(&file).unwrap(), whole);
    }
}

#[test]
fn what_is_written_is_read_and_what_nerfstudio_reads() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("camera_path.json");
    let mut path =
        path(&[pose(1.0, 2.0, 3.0, FRAC_PI_2), pose(0.0, 1.0, 0.0, 0.3), pose(0.0, 0.0, 5.0, 1.0)], Some(0.5));
    path.keyframes[2].seconds = 4.0;
    path.constant_speed = true;
    path.write(&file).unwrap();
    let again = CameraPath::read(&file).unwrap();
    assert_eq!((again.frames.len(), again.constant_speed, again.poses().unwrap().len()), (0, true, 45));
    assert_eq!((again.width, again.height, again.fps, again.closing), (160, 90, 10.0, Some(0.5)));
    for (a, b) in path.keyframes.iter().zip(&again.keyframes) {
        near(a.pose.position, b.pose.position, 1e-12);
        assert!(a.pose.rotation.angle_between(b.pose.rotation) < 1e-6 && (a.seconds - b.seconds).abs() < 1e-12);
    }
    let json: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    // np.array(matrix).reshape(4, 4): rows; get_path_from_json: view(4, 4).
    for matrix in [&json["keyframes"][0]["matrix"], &json["camera_path"][0]["camera_to_world"]] {
        let numbers: Vec<f64> = matrix.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect();
        let expected = [0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 2.0, -1.0, 0.0, 0.0, 3.0, 0.0, 0.0, 0.0, 1.0];
        assert!(numbers.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-12), "{numbers:?}");
    }
    assert_eq!(
        (json["camera_type"].as_str(), json["camera_path"].as_array().unwrap().len()),
        (Some("perspective"), 45)
    );
    // Poses of another program stay its own.
    let text = std::fs::read_to_string(&file).unwrap().replace("\"naka_gs\"", "\"other\"");
    let other = read(&text).unwrap();
    assert_eq!((other.frames.len(), other.constant_speed), (45, false));
    other.write(&file).unwrap();
    assert_eq!(CameraPath::read(&file).unwrap().frames.len(), 45);
    assert_eq!((json["is_cycle"].as_bool(), json["seconds"].as_f64()), (Some(true), Some(4.5)));
    assert_eq!((json["render_width"].as_u64(), json["fps"].as_u64()), (Some(160), Some(10)), "whole numbers");
    for key in ["fov", "aspect"] {
        assert!(json["camera_path"][0][key].is_f64() && json["keyframes"][0][key].is_f64(), "{key}");
    }
}

#[test]
fn files_that_are_no_path_say_what_is_wrong() {
    let with = |from: &str, to: &str| read(&VISER.replace(from, to)).unwrap_err().to_string();
    for (message, words) in [
        (read("{}").unwrap_err().to_string(), "render_height"),
        (read("<html>").unwrap_err().to_string(), "line 1"),
        (with("perspective", "equirectangular"), "equirectangular"),
        (with("1920", "0"), "0 × 1080"),
        (with("24", "-1"), "frames a second"),
        (with("0, 0, 0, 1], \"fov\": 75.0, \"aspect\": 1.777}", "0, 0, 0], \"fov\": 75.0}"), "15 numbers"),
        (with("[1, 0, 0, 4", "[2, 0, 0, 4"), "keyframe 1"),
        (with("\"fov\": 60.0", "\"fov\": 180.0"), "180"),
        (with("3.5}", "-3.5}"), "times"),
        (with("3.5}", "1e9}"), "length"),
    ] {
        assert!(message.contains("camera_path.json") && message.contains(words), "'{words}' is not in: {message}");
    }
    let none = CameraPath::new(10, 10).write(Path::new("/nowhere/p.json")).unwrap_err();
    assert!(none.to_string().contains("keyframes"));
}

#[test]
fn a_tour_goes_through_cameras_the_short_way() {
    // On a half circle, all looking at its center, in an order that jumps.
    let camera = |i: usize| {
        let angle = PI * i as f64 / 12.0;
        pose(3.0 * angle.sin(), 0.0, 3.0 * angle.cos(), angle).camera(64, 48)
    };
    let cameras: Vec<Camera> = [0, 6, 1, 12, 3, 2, 7, 4, 11, 9, 8, 10, 5].map(camera).to_vec();
    let tour = Tour { seconds: 6.0, fps: 20.0, closed: false, keyframes: 5 };
    let path = through(&cameras, &tour).unwrap();
    let at: Vec<DVec3> = path.keyframes.iter().map(|key| key.pose.position).collect();
    for (found, i) in at.iter().zip([0, 3, 6, 9, 12]) {
        near(*found, camera(i).center(), 1e-9);
    }
    assert_eq!((path.width, path.poses().unwrap().len()), (64, 121));
    for camera in path.cameras().unwrap() {
        assert!((camera.center().length() - 3.0).abs() < 0.15, "off the circle");
        assert!(camera.forward().dot(-camera.center().normalize()) > 0.99, "looks away from the center");
    }
    let closed = through(&cameras, &Tour { closed: true, keyframes: 20, ..tour }).unwrap();
    assert_eq!((closed.keyframes.len(), closed.poses().unwrap().len()), (13, 120));
    assert!(through(&cameras[..1], &tour).is_err() && through(&cameras, &Tour { keyframes: 1, ..tour }).is_err());
}

#[test]
fn a_tour_through_portraits_and_landscapes_of_one_lens_does_not_zoom() {
    let camera = |width: u32, height: u32, f: f64, x: f64| {
        let camera = pose(x, 0.0, 0.0, 0.0).camera(width, height);
        Camera { fx: f, fy: f, ..camera }
    };
    // The third is a smaller copy.
    let cameras = [camera(120, 90, 104.0, 0.0), camera(90, 120, 104.0, 1.0), camera(60, 45, 52.0, 2.0)];
    let tour = Tour { seconds: 4.0, fps: 2.0, closed: false, keyframes: 3 };
    let path = through(&cameras, &tour).unwrap();
    let own = 2.0 * (45.0f64 / 104.0).atan().to_degrees();
    let fields: Vec<f64> = path.keyframes.iter().map(|key| key.pose.fov).collect();
    assert!(fields.len() == 3 && fields.iter().all(|fov| (fov - own).abs() < 1e-9), "{fields:?}, not {own}");
}
