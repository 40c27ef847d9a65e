use super::*;
use std::fs;
use std::path::Path;

fn cloud() -> PointCloud {
    PointCloud { positions: vec![[1.0, -2.5, 3.0], [4.0, 5.0, 1e6]], colors: vec![[255, 0, 7], [1, 2, 3]] }
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
}

#[test]
fn colours_may_be_floats_harmonics_or_absent() {
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
    assert_eq!(ascii("property float q\n", "1 2 3 nan").colors[0], [128; 3]);
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
