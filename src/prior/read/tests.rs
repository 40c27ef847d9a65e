use super::*;
use crate::capture::SceneFrame;
use crate::prior::{write_ply, write_ply_in};
use glam::DVec3;
use std::fs;

fn cloud() -> PointCloud {
    PointCloud {
        positions: vec![[1.0, -2.5, 3.0], [4.0, 5.0, 1e6]],
        colors: vec![[255, 0, 7], [1, 2, 3]],
        ..PointCloud::default()
    }
}

fn read_content(dir: &Path, name: &str, content: &[u8]) -> crate::Result<PointCloud> {
    let path = dir.join(name);
    fs::write(&path, content).unwrap();
    read(path)
}

#[test]
fn ply_round_trip() {
    let dir = tempfile::tempdir().unwrap();
    write_ply(dir.path().join("p.ply"), &cloud()).unwrap();
    assert_eq!(read(dir.path().join("p.ply")).unwrap(), cloud());
    // Not exactly of length 1, as no normal is.
    let with_normals = PointCloud { normals: vec![[0.0, 0.600_000_1, -0.800_000_1], [0.0; 3]], ..cloud() };
    write_ply(dir.path().join("p.ply"), &with_normals).unwrap();
    assert_eq!(read(dir.path().join("p.ply")).unwrap(), with_normals);
}

#[test]
fn colors_may_be_floats_harmonics_or_absent() {
    let dir = tempfile::tempdir().unwrap();
    let ascii = |names: &str, row: &str| {
        let head =
            "ply\nformat ascii 1.0\ncomment x\nelement vertex 1\nproperty double x\nproperty short y\nproperty int z\n";
        let text = format!("{head}{names}element face 0\nproperty list uchar int v\nend_header\n{row}\n");
        read_content(dir.path(), "p.ply", text.as_bytes()).unwrap()
    };
    let floats = ascii("property float red\nproperty float green\nproperty float blue\n", "1.5 2 3 0 0.5 1");
    assert_eq!((floats.positions[0], floats.colors[0]), ([1.5, 2.0, 3.0], [0, 128, 255]));
    let splat = ascii("property float f_dc_0\nproperty float f_dc_1\nproperty float f_dc_2\n", "1 2 3 0 1.7724539 -9");
    assert_eq!(splat.colors[0], [128, 255, 0]);
    let plain = ascii("property float q\n", "1 2 3 nan");
    assert_eq!((plain.colors[0], plain.normals.len()), ([128; 3], 0));
    let names = "property float nx\nproperty float ny\nproperty float nz\n";
    assert_eq!(ascii(names, "1 2 3 0 -8 6").normals, [[0.0, -0.8, 0.6]], "at length 1");
    assert_eq!(ascii(names, "1 2 3 nan 0 1").normals, [[0.0; 3]]);
}

/// Colors in any type and range are told by their values, and one outlier that is not finite does not count.
#[test]
fn colors_are_told_by_their_values() {
    let dir = tempfile::tempdir().unwrap();
    let colors = |kind: &str, rows: [[&str; 3]; 2]| {
        let rgb = ["red", "green", "blue"].map(|name| format!("property {kind} {name}\n")).concat();
        let mut text = format!(
            "ply\nformat ascii 1.0\nelement vertex 2\nproperty float x\nproperty float y\nproperty float z\n{rgb}end_header\n"
        );
        rows.iter().for_each(|row| text += &format!("1 2 3 {}\n", row.join(" ")));
        read_content(dir.path(), "p.ply", text.as_bytes()).unwrap().colors
    };
    let wide = [["65535", "32896", "0"], ["257", "514", "65535"]];
    assert_eq!(colors("ushort", wide), [[255, 128, 0], [1, 2, 255]]);
    assert_eq!(colors("uint", wide), [[255, 128, 0], [1, 2, 255]]);
    assert_eq!(colors("float", wide), [[255, 128, 0], [1, 2, 255]]);
    let bytes = [["255", "128", "0"], ["1", "2", "3"]];
    for kind in ["uchar", "ushort", "int", "float", "double"] {
        assert_eq!(colors(kind, bytes), [[255, 128, 0], [1, 2, 3]], "{kind}");
    }
    assert_eq!(colors("float", [["1", "0.5", "0"], ["inf", "nan", "-1"]]), [[255, 128, 0], [255, 0, 0]]);
    assert_eq!(colors("double", [["0.5", "254.6", "0"], ["0", "0.4", "260"]]), [[1, 255, 0], [0, 0, 255]]);
    // A little beyond 1, as sharpened colors are.
    assert_eq!(colors("float", [["1.4", "0.5", "0"], ["0", "0", "0"]])[0], [255, 128, 0]);
}

#[test]
fn compressed_splats_are_no_points() {
    let dir = tempfile::tempdir().unwrap();
    let file = "ply\nformat ascii 1.0\nelement vertex 1\nproperty uint packed_position\nend_header\n1\n";
    let message = read_content(dir.path(), "p.ply", file.as_bytes()).unwrap_err().to_string();
    assert!(message.contains("compressed splats, not points"), "{message}");
}

#[test]
fn points_that_are_not_finite_are_dropped_and_none_left_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let mut points = cloud();
    points.positions[0][1] = f32::NAN;
    write_ply(dir.path().join("p.ply"), &points).unwrap();
    assert_eq!(read(dir.path().join("p.ply")).unwrap().positions, [[4.0, 5.0, 1e6]]);
    points.positions[1][0] = f32::NEG_INFINITY;
    write_ply(dir.path().join("p.ply"), &points).unwrap();
    assert!(read(dir.path().join("p.ply")).unwrap_err().to_string().contains("no usable point (2"));
    write_ply(dir.path().join("p.ply"), &PointCloud::default()).unwrap();
    assert!(read(dir.path().join("p.ply")).is_err());
}

fn colmap_binary(promised: u64) -> Vec<u8> {
    let mut bytes = promised.to_le_bytes().to_vec();
    for (i, (p, rgb)) in cloud().positions.iter().zip(cloud().colors).enumerate() {
        bytes.extend((i as u64).to_le_bytes());
        bytes.extend(p.iter().flat_map(|&v| f64::from(v).to_le_bytes()));
        bytes.extend(rgb);
        bytes.extend(0.5f64.to_le_bytes());
        bytes.extend((i as u64 + 1).to_le_bytes());
        bytes.extend(vec![9; 8 * (i + 1)]);
    }
    bytes
}

#[test]
fn colmap_binary_text_and_folders() {
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("sparse/0");
    fs::create_dir_all(&model).unwrap();
    assert!(read(dir.path()).is_err());
    assert_eq!(read_content(&model, "points3D.bin", &colmap_binary(2)).unwrap(), cloud());
    assert_eq!(read(dir.path()).unwrap(), cloud());
    let text = "# comment\n1 1 -2.5 3 255 0 7 0.5 1 2\n\n2 4 5 1e6 1 2 3 0.5\n3 nan 0 0 0 0 0 1\n";
    assert_eq!(read_content(&model, "points3D.txt", text.as_bytes()).unwrap(), cloud());
    assert!(read_content(&model, "points3D.txt", b"1 2 3").unwrap_err().to_string().contains("line 1"));
}

#[test]
fn colmap_binary_that_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    for promised in [3, u64::MAX] {
        let message = read_content(dir.path(), "points3D.bin", &colmap_binary(promised)).unwrap_err().to_string();
        assert!(message.contains(&promised.to_string()), "{message}");
    }
    let whole = colmap_binary(2);
    for length in 0..whole.len() {
        assert!(read_content(dir.path(), "points3D.bin", &whole[..length]).is_err());
    }
}

#[test]
fn a_ply_that_promises_too_much_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let head =
        "ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\nend_header\n";
    for rows in ["1 2 3\n4 5 6\n", "1.25 2.25 3.25\n4.25 5.25 6.25\n", "1 2 3\n4 5 six\n7 8 9"] {
        let message = read_content(dir.path(), "p.ply", format!("{head}{rows}").as_bytes()).unwrap_err().to_string();
        assert!(message.contains("p.ply") && message.contains("again"), "{message}");
    }
}

/// A PLY of both points in the byte order and types named, with faces before the vertices.
fn binary_ply(big_endian: bool, faces_first: bool) -> Vec<u8> {
    let order = if big_endian { "big" } else { "little" };
    let faces = "element face 2\nproperty uchar q\nproperty list ushort int vertex_indices\n";
    let vertices = "element vertex 2\nproperty double x\nproperty uint flags\nproperty float y\nproperty float z\n\
                    property float red\nproperty float green\nproperty float blue\nproperty char more\n";
    let elements = if faces_first { [faces, vertices] } else { [vertices, faces] }.concat();
    let mut bytes = format!("ply\nformat binary_{order}_endian 1.0\n{elements}end_header\n").into_bytes();
    let mut put = |value: &[u8]| match big_endian {
        true => bytes.extend(value.iter().rev()),
        false => bytes.extend(value),
    };
    let face = |put: &mut dyn FnMut(&[u8])| {
        for length in [3u16, 0] {
            put(&[7]);
            put(&length.to_le_bytes());
            (0..length).for_each(|i| put(&i32::from(i).to_le_bytes()));
        }
    };
    if faces_first {
        face(&mut put);
    }
    for (p, rgb) in cloud().positions.iter().zip(cloud().colors) {
        put(&f64::from(p[0]).to_le_bytes());
        put(&[9; 4]);
        p[1..].iter().for_each(|v| put(&v.to_le_bytes()));
        rgb.iter().for_each(|&v| put(&(f32::from(v) / 255.0).to_le_bytes()));
        put(&[5]);
    }
    if !faces_first {
        face(&mut put);
    }
    bytes
}

#[test]
fn binary_plys_of_both_orders_with_other_elements() {
    let dir = tempfile::tempdir().unwrap();
    for (big_endian, faces_first) in [(false, false), (false, true), (true, false), (true, true)] {
        let bytes = binary_ply(big_endian, faces_first);
        assert_eq!(read_content(dir.path(), "p.ply", &bytes).unwrap(), cloud(), "{big_endian} {faces_first}");
        let vertices = if faces_first { 2 * 34 } else { 2 * 34 + 18 };
        let end = bytes.len() - if faces_first { 1 } else { 19 };
        for length in [end, end - 20, bytes.len() - vertices, 40, 4, 0] {
            let message = read_content(dir.path(), "p.ply", &bytes[..length]).unwrap_err().to_string();
            assert!(message.contains("p.ply"), "{message}");
        }
    }
}

#[test]
fn headers_that_promise_a_trillion_points_take_no_memory() {
    let dir = tempfile::tempdir().unwrap();
    for format in ["ascii", "binary_little_endian", "binary_big_endian"] {
        for element in ["vertex 1000000000000", "face 1000000000000\nproperty list uchar int v\nelement vertex 1"] {
            let text = format!(
                "ply\nformat {format} 1.0\nelement {element}\nproperty float x\nproperty float y\nproperty float z\n\
                 end_header\n1 2 3\n"
            );
            let message = read_content(dir.path(), "p.ply", text.as_bytes()).unwrap_err().to_string();
            assert!(message.contains("promises"), "{message}");
        }
    }
}

#[test]
fn web_pages_and_other_files_say_what_they_are() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["p.ply", "points3D.bin", "points3D.txt", "p.npy", "p.npz"] {
        let page = b"\n<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>";
        assert!(read_content(dir.path(), name, page).unwrap_err().to_string().contains("web page"), "{name}");
        let message = read_content(dir.path(), name, b"GIF89a or something else").unwrap_err().to_string();
        assert!(message.contains(name), "{message}");
        assert!(read_content(dir.path(), name, b"").is_err(), "{name}");
    }
    assert!(read(dir.path().join("none.ply")).unwrap_err().to_string().contains("check the path"));
}

#[test]
fn huge_coordinates_are_kept_and_absurd_ones_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let mut points = cloud();
    points.positions = vec![[1e8, -1e8, 0.0], [1e30, 0.0, 0.0]];
    write_ply(dir.path().join("p.ply"), &points).unwrap();
    let found = read_with(dir.path().join("p.ply"), &Options::default()).unwrap();
    assert_eq!((found.cloud.positions, found.total, found.not_finite), (vec![[1e8, -1e8, 0.0]], 2, 1));
}

#[test]
fn at_most_so_many_points_are_kept_the_same_ones_of_any_file() {
    let dir = tempfile::tempdir().unwrap();
    let mut points = PointCloud::default();
    let mut text = String::new();
    for i in 0..3000u32 {
        points.positions.push([i as f32, 0.0, 1.0]);
        points.colors.push([(i % 251) as u8, 1, 2]);
        text += &format!("{i} {i} 0 1 {} 1 2 0.5\n", i % 251);
    }
    write_ply(dir.path().join("p.ply"), &points).unwrap();
    fs::write(dir.path().join("points3D.txt"), text).unwrap();
    let options = Options { max_points: 100, seed: 7, ..Options::default() };
    let found = read_with(dir.path().join("p.ply"), &options).unwrap();
    assert_eq!((found.cloud.len(), found.total), (100, 3000));
    assert!(found.cloud.positions.is_sorted_by(|a, b| a[0] < b[0]));
    assert_eq!(read_with(dir.path().join("points3D.txt"), &options).unwrap(), found);
    let other = read_with(dir.path().join("p.ply"), &Options { seed: 8, ..options }).unwrap();
    assert_ne!(other, found);
}

#[test]
fn files_without_points_are_read_where_that_is_allowed() {
    let dir = tempfile::tempdir().unwrap();
    let ply =
        "ply\nformat ascii 1.0\nelement vertex 0\nproperty float x\nproperty float y\nproperty float z\nend_header\n";
    let files = [("points3D.bin", vec![0; 8]), ("points3D.txt", b"# nothing\n".to_vec()), ("points.ply", ply.into())];
    for (name, content) in files {
        let message = read_content(dir.path(), name, &content).unwrap_err().to_string();
        assert!(message.contains("no usable point"), "{name}: {message}");
        let found = read_any(&dir.path().join(name), &Options::default()).unwrap();
        assert_eq!((found.total, found.cloud.len()), (0, 0), "{name}");
    }
    fs::write(dir.path().join("points3D.txt"), "1 nan 0 0 0 0 0 1\n").unwrap();
    assert!(read_any(&dir.path().join("points3D.txt"), &Options::default()).is_err(), "points without coordinates");
}

#[test]
fn points_far_from_the_origin_keep_their_doubles() {
    let dir = tempfile::tempdir().unwrap();
    let frame = SceneFrame { origin: DVec3::new(5e6, -4e6, 3e6), unit: 1.0 / 1024.0 };
    let place = frame.leave(DVec3::new(0.25, -1.5, 2.0));
    let [x, y, z] = place.to_array();
    let header = "ply\nformat ascii 1.0\nelement vertex 1\nproperty double x\nproperty double y\nproperty double z\n";
    let ply = format!("{header}end_header\n{x} {y} {z}\n").into_bytes();
    let text = format!("1 {x} {y} {z} 1 2 3 0.5\n").into_bytes();
    let mut binary = [1u64.to_le_bytes(), 7u64.to_le_bytes()].concat();
    [x, y, z].iter().for_each(|v| binary.extend(v.to_le_bytes()));
    binary.extend([[1, 2, 3].as_slice(), &[0; 16]].concat());
    let mut array = b"\x93NUMPY\x01\0\x76\0{'descr': '<f8', 'fortran_order': False, 'shape': (1, 3), }".to_vec();
    array.resize(128, b' ');
    [x, y, z].iter().for_each(|v| array.extend(v.to_le_bytes()));
    for (name, content) in [("p.ply", ply), ("points3D.txt", text), ("points3D.bin", binary), ("p.npy", array)] {
        let path = dir.path().join(name);
        fs::write(&path, content).unwrap();
        let found = read_in(&path, &frame).unwrap().positions[0];
        assert!(
            found.iter().zip([0.25, -1.5, 2.0]).all(|(a, b): (&f32, f32)| (a - b).abs() < 2e-6),
            "{name}: {found:?}"
        );
        assert_eq!(read(&path).unwrap().positions[0], place.as_vec3().to_array(), "{name}");
    }
}

#[test]
fn points_of_another_frame_come_back_to_the_bit() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.ply");
    let normals = vec![[0.0, 0.600_000_1, -0.800_000_1], [0.0; 3]];
    let cloud = PointCloud { positions: vec![[1.1, -2.3, 0.7], [4.4, 5.5, 1e4]], normals, ..cloud() };
    for (origin, unit) in [(DVec3::ZERO, 2f64.powi(-9)), (DVec3::new(5_412_345.3, 0.1, -7e5), 2f64.powi(14))] {
        let frame = SceneFrame { origin, unit };
        write_ply_in(&path, &cloud, &frame).unwrap();
        assert_eq!(stated_frame(&path).unwrap(), Some(frame));
        assert_eq!(read_in(&path, &frame).unwrap(), cloud);
        let (found, stated) = read_framed(&path).unwrap();
        assert_eq!((found.cloud, stated), (cloud.clone(), frame));
        let own = read(&path).unwrap().positions[0];
        assert_eq!(own, frame.leave(DVec3::from(cloud.positions[0].map(f64::from))).as_vec3().to_array());
    }
    write_ply_in(&path, &cloud, &SceneFrame::IDENTITY).unwrap();
    assert_eq!(stated_frame(&path).unwrap(), None);
}
