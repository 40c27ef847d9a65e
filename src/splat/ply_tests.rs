use super::splats::LIMIT;
use super::{Found, Splats, holds_splats, ply, read, read_file, read_framed, read_in};
use crate::capture::SceneFrame;
use glam::DVec3;
use std::fs;

fn sample(n: usize, sh_degree: u32) -> Splats {
    let value = |i: usize, salt: usize| ((i * 37 + salt * 11) % 101) as f32 * 0.37 - 12.5;
    let width = 3 * Splats::coefficients(sh_degree);
    Splats {
        means: (0..n).map(|i| [value(i, 1), value(i, 2), value(i, 3)]).collect(),
        quats: (0..n).map(|i| [value(i, 4), value(i, 5), value(i, 6), value(i, 7)]).collect(),
        log_scales: (0..n).map(|i| [value(i, 8), value(i, 9), value(i, 10)]).collect(),
        logit_opacities: (0..n).map(|i| value(i, 11)).collect(),
        sh: (0..n * width).map(|i| value(i, 12)).collect(),
        sh_degree,
    }
}

#[test]
fn every_degree_survives_the_round_trip() {
    let dir = tempfile::tempdir().unwrap();
    for degree in 0..=3 {
        let path = dir.path().join(format!("{degree}.ply"));
        let splats = sample(17, degree);
        ply::write(&path, &splats).unwrap();
        assert_eq!(read(&path).unwrap(), splats);
    }
}

#[test]
fn f_rest_is_channel_major_in_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.ply");
    let mut splats = sample(1, 1);
    splats.sh = (0..12).map(|i| i as f32).collect();
    ply::write(&path, &splats).unwrap();
    let bytes = fs::read(&path).unwrap();
    let row: Vec<f32> =
        bytes[bytes.len() - 4 * 26..].chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
    assert_eq!(&row[6..18], &[0.0, 1.0, 2.0, 3.0, 6.0, 9.0, 4.0, 7.0, 10.0, 5.0, 8.0, 11.0]);
}

#[test]
fn splats_with_nan_are_dropped() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.ply");
    let splats = sample(5, 2);
    ply::write(&path, &splats).unwrap();
    // Of 38 floats a row: z of the second splat, a coefficient of the fourth.
    let mut bytes = fs::read(&path).unwrap();
    let data = bytes.len() - 5 * 38 * 4;
    for (row, column, value) in [(1, 2, f32::NAN), (3, 20, f32::INFINITY)] {
        let at = data + (row * 38 + column) * 4;
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
    fs::write(&path, bytes).unwrap();
    let read_back = read(&path).unwrap();
    assert_eq!(read_back.len(), 3);
    assert_eq!(read_file(&path).unwrap().dropped, 2);
    assert_eq!(read_back.means[1], splats.means[2]);
    assert_eq!(read_back.sh.len(), 3 * 27);
}

#[test]
fn infinite_scales_and_opacities_are_their_limits() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.ply");
    let splats = sample(5, 0);
    ply::write(&path, &splats).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let data = bytes.len() - 5 * 17 * 4;
    let infinite = f32::INFINITY;
    // After x y z, normals and colors: opacity 9, scales 10 to 12.
    for (row, column, value) in
        [(0, 11, -infinite), (1, 9, infinite), (2, 9, -infinite), (3, 10, infinite), (4, 12, f32::NAN)]
    {
        let at = data + (row * 17 + column) * 4;
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    }
    fs::write(&path, bytes).unwrap();
    let super::Found { splats: found, dropped, .. } = read_file(&path).unwrap();
    assert_eq!((found.len(), dropped), (3, 2));
    assert_eq!(found.log_scales[0], [splats.log_scales[0][0], -LIMIT, splats.log_scales[0][2]]);
    assert_eq!(found.logit_opacities, [splats.logit_opacities[0], LIMIT, -LIMIT]);
    assert!((2.0 * -LIMIT).exp().is_normal() && 1.0 / (1.0 + (-LIMIT).exp()) == 1.0);
}

#[test]
fn nothing_is_written_of_a_model_that_is_not_finite() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.ply");
    let poison: [fn(&mut Splats); 5] = [
        |s| s.means[3][1] = f32::NAN,
        |s| s.quats[0][0] = f32::INFINITY,
        |s| s.log_scales[4][2] = f32::NEG_INFINITY,
        |s| s.logit_opacities[2] = f32::NAN,
        |s| s.sh[5 * 12 - 1] = f32::INFINITY,
    ];
    for poison in poison {
        let mut splats = sample(5, 1);
        poison(&mut splats);
        let message = ply::write(&path, &splats).unwrap_err().to_string();
        assert!(message.contains("s.ply") && message.contains("1 of 5 splats"), "{message}");
        assert!(!path.exists());
    }
}

#[test]
fn ascii_and_big_endian_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.ply");
    let splats = sample(3, 0);
    let names = "x y z f_dc_0 f_dc_1 f_dc_2 opacity scale_0 scale_1 scale_2 rot_0 rot_1 rot_2 rot_3 confidence";
    let properties: String = names.split(' ').map(|n| format!("property double {n}\n")).collect();
    let rows: Vec<Vec<f32>> = (0..3)
        .map(|i| {
            let mut row = splats.means[i].to_vec();
            row.extend(&splats.sh[3 * i..3 * i + 3]);
            row.push(splats.logit_opacities[i]);
            row.extend(splats.log_scales[i]);
            row.extend(splats.quats[i]);
            row.push(7.0);
            row
        })
        .collect();
    let header = |format: &str| format!("ply\nformat {format} 1.0\nelement vertex 3\n{properties}end_header\n");
    let mut text = header("ascii");
    for row in &rows {
        text += &row.iter().map(f32::to_string).collect::<Vec<_>>().join(" ");
        text += "\r\n";
    }
    fs::write(&path, text).unwrap();
    assert_eq!(read(&path).unwrap(), splats);
    let mut binary = header("binary_big_endian").into_bytes();
    binary.extend(rows.iter().flatten().flat_map(|&v| f64::from(v).to_be_bytes()));
    fs::write(&path, binary).unwrap();
    assert_eq!(read(&path).unwrap(), splats);
}

#[test]
fn a_cut_off_file_names_both_sizes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.ply");
    ply::write(&path, &sample(9, 3)).unwrap();
    let whole = fs::read(&path).unwrap();
    fs::write(&path, &whole[..whole.len() - 5]).unwrap();
    let message = read(&path).unwrap_err().to_string();
    assert!(message.contains("2232 bytes") && message.contains("2227 bytes"), "{message}");
    fs::write(&path, String::from_utf8_lossy(&whole[..300]).replace("vertex 9", "vertex 99999999999999")).unwrap();
    assert!(read(&path).is_err());
}

#[test]
fn other_files_are_refused_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.ply");
    let message = |content: &[u8]| {
        fs::write(&path, content).unwrap();
        read(&path).unwrap_err().to_string()
    };
    assert!(message(b"").contains("empty"));
    assert!(message(b"<!DOCTYPE html><html>").contains("web page"));
    assert!(message(b"\x89PNG....").contains("not a PLY"));
    assert!(message(b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\n").contains("header"));
    let points = b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nend_header\n1\n";
    fs::write(&path, points).unwrap();
    assert!(!holds_splats(&path).unwrap());
    assert!(message(points).contains("holds points, not splats (there is no property `y`)"));
    let mesh = b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\nproperty float z\nelement face 1\n\
        property list uchar int vertex_indices\nend_header\n1 2 3\n3 0 0 0\n";
    assert!(message(mesh).contains("holds a mesh, not splats"));
    let flat = "rot_0 rot_1 rot_2 rot_3 scale_0 scale_1 opacity f_dc_0 f_dc_1 f_dc_2 x y z";
    let properties: String = flat.split(' ').map(|name| format!("property float {name}\n")).collect();
    let flat =
        format!("ply\nformat ascii 1.0\nelement vertex 1\n{properties}end_header\n{}\n", "1 ".repeat(13).trim_end());
    assert!(message(flat.as_bytes()).contains("flat splats"));
}

const FRAMES: [SceneFrame; 3] = [
    SceneFrame { origin: DVec3::ZERO, unit: 1.0 / 1024.0 },
    SceneFrame { origin: DVec3::new(4_510_734.0, -2_000_000.5, 1e-3), unit: 1.0 },
    SceneFrame { origin: DVec3::new(-512_345.25, 5_412_345.75, 3.0), unit: 1.0 / 4096.0 },
];

#[test]
fn splats_of_another_frame_are_written_in_the_captures_and_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let (path, splats) = (dir.path().join("s.ply"), sample(17, 2));
    for frame in FRAMES {
        ply::write_in(&path, &splats, &frame, false).unwrap();
        let (Found { splats: back, dropped, .. }, stated) = read_framed(&path).unwrap();
        assert_eq!((stated, dropped), (frame, 0));
        assert_eq!((&back.means, &back.quats, &back.sh), (&splats.means, &splats.quats, &splats.sh));
        let scales = back.log_scales.as_flattened().iter().zip(splats.log_scales.as_flattened());
        assert!(scales.clone().all(|(a, b)| (a - b).abs() < 2e-6));
        assert!(frame.unit != 1.0 || back == splats);
        // Another frame of the same capture, and the capture's own.
        let other = SceneFrame { origin: frame.origin + DVec3::ONE, unit: 0.5 };
        let there = read_in(&path, &other).unwrap();
        for (i, mean) in splats.means.iter().enumerate() {
            let mean = frame.leave(DVec3::from(mean.map(f64::from)));
            let [found, placed] = [there.means[i], other.enter(mean).as_vec3().to_array()];
            assert!(found.iter().zip(placed).all(|(a, b)| (a - b).abs() < 1e-5), "{found:?} {placed:?}");
            let scale = f64::from(splats.log_scales[i][0]).exp() * frame.unit / other.unit;
            assert!((f64::from(there.log_scales[i][0]).exp() / scale - 1.0).abs() < 1e-5);
        }
        let own = read(&path).unwrap();
        let expected = frame.leave(DVec3::from(splats.means[3].map(f64::from))).as_vec3();
        assert_eq!(own.means[3], expected.to_array());
    }
}

#[test]
fn other_programs_find_positions_in_the_captures_unit() {
    let dir = tempfile::tempdir().unwrap();
    let (path, splats) = (dir.path().join("s.ply"), sample(5, 0));
    ply::write_in(&path, &splats, &FRAMES[2], false).unwrap();
    let bytes = fs::read(&path).unwrap();
    let header = String::from_utf8_lossy(&bytes[..300]).into_owned();
    assert!(header.contains("comment naka-gs origin -512345.25 5412345.75 3\n"), "{header}");
    assert!(header.contains("comment naka-gs unit 2.44140625e-4\n"), "{header}");
    let x = bytes.len() - 5 * 17 * 4;
    assert_eq!(bytes[x..x + 4], (splats.means[0][0] / 4096.0).to_le_bytes());
    ply::write(&path, &splats).unwrap();
    assert!(!String::from_utf8_lossy(&fs::read(&path).unwrap()).contains("comment"));
}

#[test]
fn splats_of_other_programs_get_a_frame_where_they_need_one() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("s.ply");
    let names = "x y z f_dc_0 f_dc_1 f_dc_2 opacity scale_0 scale_1 scale_2 rot_0 rot_1 rot_2 rot_3";
    let properties: String = names.split(' ').map(|n| format!("property double {n}\n")).collect();
    let file = |unit: f64, offset: f64, comment: &str| {
        let mut text = format!("ply\nformat ascii 1.0\n{comment}element vertex 30\n{properties}end_header\n");
        for i in 0..30 {
            let [x, y, z] = [i % 5, i % 7, i % 11].map(|v| f64::from(v) * unit + offset);
            text += &format!("{x} {y} {z} 0 0 0 1 {} 0 0 1 0 0 0\n", unit.ln());
        }
        fs::write(&path, text).unwrap();
        read_framed(&path).unwrap()
    };
    let (Found { splats: plain, .. }, frame) = file(1.0, 9.0, "");
    assert!(frame.is_identity() && plain == read(&path).unwrap());
    for (unit, offset) in [(1e-3, 0.0), (1e-3, 5e6), (1e5, 0.0)] {
        let (Found { splats, .. }, frame) = file(unit, offset, "");
        assert!(frame.unit != 1.0 && frame.is_recentered() == (offset != 0.0));
        for (i, mean) in splats.means.iter().enumerate() {
            let expected = DVec3::from([i % 5, i % 7, i % 11].map(|v| v as f64)) * unit;
            let found = frame.leave(DVec3::from(mean.map(f64::from))) - DVec3::splat(offset);
            // Doubles at 5e6 have steps of 1e-9.
            assert!(found.distance(expected) < 1e-6 * unit + 1e-15 * offset, "{unit} {offset} {i}: {found} {expected}");
        }
        assert!((f64::from(splats.log_scales[0][0]).exp() * frame.unit / unit - 1.0).abs() < 1e-5);
    }
    // What cannot be computed with is not believed.
    for comment in ["comment naka-gs unit 0\n", "comment naka-gs origin 1 2\n", "comment naka-gs unit nan\n"] {
        assert!(file(1.0, 0.0, comment).1.is_identity(), "{comment}");
    }
}
