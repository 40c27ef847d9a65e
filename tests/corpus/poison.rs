//! Numbers that nobody expects, in every slot of cameras and points: an error that names the file, or finite results.

use super::targets;
use naka_gs::capture::{self, Options};
use naka_gs::prior::{self, ReadOptions};
use naka_gs::{Result, splat};
use serde_json::{Value, json};
use std::path::Path;

/// Values as f64, in which COLMAP's files have them.
const VALUES: [f64; 22] = [
    f64::NAN,
    -f64::NAN,
    f64::INFINITY,
    f64::NEG_INFINITY,
    f64::MAX,
    f64::MIN,
    f64::MIN_POSITIVE,
    -f64::MIN_POSITIVE,
    5e-324,
    -5e-324,
    0.0,
    -0.0,
    f64::EPSILON,
    f32::MAX as f64,
    f32::MIN as f64,
    f32::MIN_POSITIVE as f64,
    1e-45,
    1e18,
    1e19,
    -1e30,
    16_777_217.0,
    1e-12,
];

/// COLMAP's models with their numbers of parameters, by id.
const MODELS: [usize; 7] = [3, 4, 4, 5, 8, 8, 12];
const NAMES: [&str; 4] = ["0.png", "1.png", "2.png", "3.png"];

/// `cameras.bin` and `images.bin` of four views, with `change` applied to the parameters and to the first pose.
fn model(id: usize, change: impl Fn(&mut [f64], &mut [f64; 7])) -> [Vec<u8>; 2] {
    let count = MODELS[id];
    let mut params = vec![1e-3; count];
    let focal = if matches!(id, 0 | 2 | 3) { 1 } else { 2 };
    params[..focal].fill(16.0);
    params[focal..focal + 2].copy_from_slice(&[8.0, 6.0]);
    let mut poses = [[1.0, 0.0, 0.1, 0.0, 0.0, 0.0, 2.0]; 4];
    (0..4).for_each(|i| poses[i][4] = i as f64);
    change(&mut params, &mut poses[0]);
    let mut cameras = 1u64.to_le_bytes().to_vec();
    cameras.extend([1u32, id as u32].iter().flat_map(|v| v.to_le_bytes()));
    cameras.extend([16u64, 12].iter().flat_map(|v| v.to_le_bytes()));
    cameras.extend(params.iter().flat_map(|v| v.to_le_bytes()));
    let mut images = 4u64.to_le_bytes().to_vec();
    for (id, (pose, name)) in (1u32..).zip(poses.iter().zip(NAMES)) {
        images.extend(id.to_le_bytes());
        images.extend(pose.iter().flat_map(|v| v.to_le_bytes()));
        images.extend([&1u32.to_le_bytes()[..], name.as_bytes(), &[0], &0u64.to_le_bytes()].concat());
    }
    [cameras, images]
}

/// A point at the origin of everything, so that the target gets past it.
fn points3d(position: [f64; 3]) -> Vec<u8> {
    let mut data = 2u64.to_le_bytes().to_vec();
    for position in [position, [1.0, 2.0, 3.0]] {
        data.extend(7u64.to_le_bytes());
        data.extend(position.iter().flat_map(|v| v.to_le_bytes()));
        data.extend([9; 3]);
        data.extend([&0f64.to_le_bytes()[..], &0u64.to_le_bytes()].concat());
    }
    data
}

/// Runs the target, which asserts that what is accepted is finite, and asserts that a refusal names the folder's file.
fn colmap(folder: &Path, [cameras, images]: [Vec<u8>; 2], points: &[u8]) -> bool {
    let part = |bytes: &[u8]| [&(bytes.len() as u16).to_le_bytes()[..], bytes].concat();
    targets::colmap_bin(&[&part(&images)[..], &part(&cameras), points].concat(), folder);
    named(capture::load(folder, &Options::default()), "sparse/0")
}

fn named<T>(found: Result<T>, file: &str) -> bool {
    match found {
        Ok(_) => true,
        Err(error) => {
            assert!(error.to_string().contains(file), "{error}");
            false
        }
    }
}

#[test]
fn poses_and_lenses_of_colmap() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path();
    let good = points3d([0.0; 3]);
    for id in 0..MODELS.len() {
        assert!(colmap(folder, model(id, |_, _| {}), &good), "model {id} is right");
    }
    let mut refused = 0;
    for value in VALUES {
        for slot in 0..7 {
            let read = colmap(folder, model(1, |_, pose| pose[slot] = value), &good);
            assert!(value.is_finite() || !read, "{value} in slot {slot} of a pose");
            refused += usize::from(!read);
        }
        for (id, count) in MODELS.into_iter().enumerate() {
            for slot in 0..count {
                let read = colmap(folder, model(id, |params, _| params[slot] = value), &good);
                assert!(value.is_finite() || !read, "{value} in parameter {slot} of model {id}");
            }
        }
    }
    assert!((7 * 4..7 * 22).contains(&refused), "{refused} poses are refused");
}

#[test]
fn poses_and_lenses_of_transforms() {
    let dir = tempfile::tempdir().unwrap();
    let frame = |name: &str, x: f64| json!({"file_path": name, "transform_matrix": [[1, 0, 0, x], [0, 1, 0, 0], [0, 0, 1, 2], [0, 0, 0, 1]]});
    let frames: Vec<Value> = NAMES.iter().zip(0..).map(|(name, x)| frame(name, f64::from(x))).collect();
    let keys = ["fl_x", "fl_y", "cx", "cy", "k1", "k2", "k3", "p1", "p2", "camera_angle_x", "w", "h"];
    let scene = |change: &dyn Fn(&mut Value)| {
        let mut file = json!({"fl_x": 16.0, "fl_y": 16.0, "cx": 8.0, "cy": 6.0, "frames": frames});
        change(&mut file);
        targets::transforms(file.to_string().as_bytes(), dir.path());
        named(capture::load(dir.path(), &Options::default()), "transforms.json")
    };
    assert!(scene(&|_| {}));
    // JSON has no others: serde_json writes null for them, which is no number.
    for value in VALUES {
        for key in keys {
            scene(&|file| file[key] = json!(value));
        }
        for slot in 0..16 {
            let read = scene(&|file| file["frames"][0]["transform_matrix"][slot / 4][slot % 4] = json!(value));
            assert!(value.is_finite() || !read, "{value} in slot {slot} of a matrix");
        }
    }
}

/// Whether a coordinate can be computed with in single precision.
fn usable(value: f64) -> bool {
    (value as f32).abs() <= 1e18
}

#[test]
fn points_are_dropped_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let ply = |kind: &str, bytes: &dyn Fn(f64) -> Vec<u8>, position: [f64; 3]| {
        let names = ["x", "y", "z"].map(|name| format!("property {kind} {name}\n")).concat();
        let mut data =
            format!("ply\nformat binary_little_endian 1.0\nelement vertex 2\n{names}end_header\n").into_bytes();
        data.extend(position.iter().chain(&[1.0, 2.0, 3.0]).flat_map(|v| bytes(*v)));
        data
    };
    let single = |v: f64| (v as f32).to_le_bytes().to_vec();
    let double = |v: f64| v.to_le_bytes().to_vec();
    for value in VALUES {
        for slot in 0..3 {
            let mut position = [0.5; 3];
            position[slot] = value;
            let files = [
                ("points.ply", ply("float", &single, position)),
                ("points.ply", ply("double", &double, position)),
                ("points3D.bin", points3d(position)),
            ];
            for (name, data) in files {
                let path = dir.path().join(name);
                std::fs::write(&path, data).unwrap();
                let found = prior::read_with(&path, &ReadOptions::default()).unwrap();
                assert_eq!(found.not_finite, u64::from(!usable(value)), "{value} in {name}");
                assert_eq!(found.cloud.len(), 2 - usize::from(!usable(value)), "{value} in {name}");
                assert!(found.cloud.positions.as_flattened().iter().all(|v| v.is_finite()));
            }
        }
    }
}

#[test]
fn splats_with_poison_are_dropped_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.ply");
    let names = "x y z f_dc_0 f_dc_1 f_dc_2 opacity scale_0 scale_1 scale_2 rot_0 rot_1 rot_2 rot_3";
    let header: String = names.split(' ').map(|name| format!("property float {name}\n")).collect();
    for value in VALUES {
        for slot in 0..14 {
            let mut rows = [[0.5f32; 14]; 2];
            rows[0][slot] = value as f32;
            let mut data =
                format!("ply\nformat binary_little_endian 1.0\nelement vertex 2\n{header}end_header\n").into_bytes();
            data.extend(rows.as_flattened().iter().flat_map(|v| v.to_le_bytes()));
            std::fs::write(&path, data).unwrap();
            let splat::Found { splats, dropped, .. } = splat::read_file(&path).unwrap();
            // Infinite logits and log-scales have limits: opaque or not there, and flat.
            let has_limit = (6..10).contains(&slot) && (value as f32).is_infinite();
            let unusable = !(value as f32).is_finite() && !has_limit;
            assert!(splats.len() + dropped == 2 && dropped >= usize::from(unusable), "{value} in slot {slot}");
        }
    }
}
