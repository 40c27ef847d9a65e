use super::*;
use flate2::{Compression, write::DeflateEncoder};
use rawzip::CompressionMethod;
use std::fs;
use std::io::Write;

/// A `.npy` of version 1 with this type, order, shape and data.
fn npy(descr: &str, fortran: bool, shape: &[u64], data: &[u8]) -> Vec<u8> {
    let shape: String = shape.iter().map(|n| format!("{n}, ")).collect();
    let order = if fortran { "True" } else { "False" };
    with_header(&format!("{{'descr': {descr}, 'fortran_order': {order}, 'shape': ({shape}), }}\n"), data)
}

fn with_header(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

fn f4(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

/// A zip archive of these entries, stored or deflated.
fn zip(entries: &[(&str, Vec<u8>)], deflated: bool) -> Vec<u8> {
    let mut archive = rawzip::ZipArchiveWriter::new(Vec::new());
    let method = if deflated { CompressionMethod::DEFLATE } else { CompressionMethod::STORE };
    for (name, content) in entries {
        let (mut entry, config) = archive.new_file(*name).compression_method(method).start().unwrap();
        let descriptor = if deflated {
            let mut writer = config.wrap(DeflateEncoder::new(&mut entry, Compression::fast()));
            writer.write_all(content).unwrap();
            let (encoder, descriptor) = writer.finish().unwrap();
            encoder.finish().unwrap();
            descriptor
        } else {
            let mut writer = config.wrap(&mut entry);
            writer.write_all(content).unwrap();
            writer.finish().unwrap().1
        };
        entry.finish(descriptor).unwrap();
    }
    archive.finish().unwrap()
}

fn read_bytes(name: &str, bytes: &[u8], options: &Options) -> Result<Found> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(name), bytes).unwrap();
    read_with(dir.path().join(name), options)
}

fn points(bytes: &[u8]) -> Vec<[f32; 3]> {
    read_bytes("p.npy", bytes, &Options::default()).unwrap().cloud.positions
}

fn refusal(name: &str, bytes: &[u8]) -> String {
    let message = read_bytes(name, bytes, &Options::default()).unwrap_err().to_string();
    assert!(message.contains(name), "{message}");
    message
}

const SIX: [f32; 6] = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
const TWO: [[f32; 3]; 2] = [[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]];

#[test]
fn numbers_of_every_type_and_order() {
    let numbers = |encode: &dyn Fn(f32) -> Vec<u8>| SIX.iter().flat_map(|&v| encode(v)).collect::<Vec<u8>>();
    let check = |descr: &str, data: Vec<u8>| assert_eq!(points(&npy(descr, false, &[2, 3], &data)), TWO, "{descr}");
    check("'<f4'", numbers(&|v| v.to_le_bytes().into()));
    check("'>f4'", numbers(&|v| v.to_be_bytes().into()));
    check("'<f8'", numbers(&|v| f64::from(v).to_le_bytes().into()));
    check("'>f8'", numbers(&|v| f64::from(v).to_be_bytes().into()));
    check("'<f2'", numbers(&|v| half::f16::from_f32(v).to_le_bytes().into()));
    check("'>i2'", numbers(&|v| (v as i16).to_be_bytes().into()));
    check("'<i8'", numbers(&|v| (v as i64).to_le_bytes().into()));
    check("'>u4'", numbers(&|v| (v as u32).to_be_bytes().into()));
    check("'|u1'", numbers(&|v| vec![v as u8]));
    let negative = npy("'<i2'", false, &[1, 3], &[-1i16, 7, -300].map(i16::to_le_bytes).concat());
    assert_eq!(points(&negative), [[-1.0, 7.0, -300.0]]);
    assert_eq!(points(&npy("'|i1'", false, &[1, 3], &[255, 128, 127])), [[-1.0, -128.0, 127.0]]);
    assert_eq!(points(&npy("'<f4'", true, &[2, 3], &f4(&[1.0, 4.0, 2.0, 5.0, 3.0, 6.0]))), TWO);
}

#[test]
fn pictures_of_points_are_flattened() {
    // [2, 3, 2, 3]: every number is its own index.
    let index: Vec<f32> = (0..36u8).map(f32::from).collect();
    let expected: Vec<[f32; 3]> = index.chunks_exact(3).map(|p| [p[0], p[1], p[2]]).collect();
    assert_eq!(points(&npy("'<f4'", false, &[2, 3, 2, 3], &f4(&index))), expected);
    assert_eq!(points(&npy("'<f4'", false, &[6, 2, 3], &f4(&index))), expected);
    let mut fortran = vec![0.0; 36];
    for (at, [b, h, w, c]) in (0..36).map(|i| (i, [i / 18, i / 6 % 3, i / 3 % 2, i % 3])) {
        fortran[b + 2 * (h + 3 * (w + 2 * c))] = index[at];
    }
    assert_eq!(points(&npy("'<f4'", true, &[2, 3, 2, 3], &f4(&fortran))), expected);
}

#[test]
fn six_columns_hold_colors_of_either_scale() {
    let colors = |rgb: [f32; 3]| {
        let rows = [[1.0, 2.0, 3.0, rgb[0], rgb[1], rgb[2]], [9.0; 6].map(|v: f32| v.min(1.0))].concat();
        read_bytes("p.npy", &npy("'<f4'", false, &[2, 6], &f4(&rows)), &Options::default()).unwrap().cloud.colors[0]
    };
    assert_eq!(colors([0.0, 0.5, 1.0]), [0, 128, 255]);
    assert_eq!(colors([0.0, 128.0, 255.0]), [0, 128, 255]);
}

#[test]
fn archives_stored_and_deflated_with_colors_and_confidence() {
    for deflated in [false, true] {
        for (name, colors, conf) in [("points", "colors", "confidence"), ("xyz", "rgb", "conf")] {
            let entries = [
                (format!("{colors}.npy"), npy("'|u1'", false, &[2, 3], &[9, 8, 7, 6, 5, 4])),
                (format!("{name}.npy"), npy("'<f4'", false, &[2, 3], &f4(&SIX))),
                (format!("{conf}.npy"), npy("'<f4'", false, &[2], &f4(&[1.5, 2.0]))),
                ("notes.txt".to_string(), b"text".to_vec()),
            ];
            let entries: Vec<_> = entries.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
            let archive = zip(&entries, deflated);
            let found = read_bytes("p.npz", &archive, &Options::default()).unwrap();
            assert_eq!((found.cloud.positions, found.cloud.colors), (vec![TWO[1]], vec![[6, 5, 4]]));
            assert_eq!((found.total, found.unsure), (2, 1));
            let all = Options { min_confidence: 1.0, ..Options::default() };
            assert_eq!(read_bytes("p.npz", &archive, &all).unwrap().cloud.len(), 2);
            let none = Options { min_confidence: 3.0, ..Options::default() };
            let message = read_bytes("p.npz", &archive, &none).unwrap_err().to_string();
            assert!(message.contains("highest is 2") && message.contains("min_confidence"), "{message}");
            for length in (0..archive.len()).step_by(7) {
                assert!(read_bytes("p.npz", &archive[..length], &all).is_err());
            }
        }
    }
}

#[test]
fn a_networks_predictions_with_channels_apart() {
    let images: Vec<f32> = (0..12u8).map(|i| f32::from(i) / 255.0).collect();
    let entries = [
        ("world_points.npy", npy("'<f4'", false, &[1, 2, 2, 3], &f4(&[SIX, SIX].concat()))),
        ("images.npy", npy("'<f4'", false, &[1, 3, 2, 2], &f4(&images))),
        ("world_points_conf.npy", npy("'<f4'", false, &[1, 2, 2], &f4(&[9.0; 4]))),
    ];
    let found = read_bytes("predictions.npz", &zip(&entries, true), &Options::default()).unwrap();
    assert_eq!(found.cloud.colors, [[0, 4, 8], [1, 5, 9], [2, 6, 10], [3, 7, 11]]);
}

#[test]
fn predictions_with_a_dimension_for_the_batch() {
    let images: Vec<f32> = (0..24u8).map(|i| f32::from(i) / 255.0).collect();
    let predictions = |shape: &[u64]| {
        let entries = [
            ("world_points.npy", npy("'<f4'", false, &[1, 2, 2, 2, 3], &f4(&[SIX; 4].concat()))),
            ("images.npy", npy("'<f4'", false, shape, &f4(&images))),
        ];
        read_bytes("predictions.npz", &zip(&entries, true), &Options::default()).unwrap().cloud.colors
    };
    let expected: [[u8; 3]; 8] = [0, 1, 2, 3, 12, 13, 14, 15].map(|i| [i, i + 4, i + 8]);
    for shape in [&[1, 2, 3, 2, 2][..], &[2, 3, 2, 2]] {
        assert_eq!(predictions(shape), expected, "{shape:?}");
    }
    // As many numbers, but of other pictures.
    assert_eq!(predictions(&[1, 3, 2, 2, 2]), [GRAY; 8]);
}

#[test]
fn colors_from_another_file() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: Vec<u8>| {
        fs::write(dir.path().join(name), bytes).unwrap();
        dir.path().join(name)
    };
    let points = write("p.npy", npy("'<f4'", false, &[2, 3], &f4(&[1.0, f32::NAN, 3.0, 4.0, 5.0, 6.0])));
    let colored =
        PointCloud { positions: vec![[0.0; 3]; 2], colors: vec![[1, 2, 3], [4, 5, 6]], ..PointCloud::default() };
    crate::prior::write_ply(dir.path().join("c.ply"), &colored).unwrap();
    let array = npy("'|u1'", false, &[2, 3], &[1, 2, 3, 4, 5, 6]);
    write("c.npz", zip(&[("rgb.npy", array.clone())], true));
    write("c.npy", array);
    for name in ["c.ply", "c.npy", "c.npz"] {
        let options = Options { colors: Some(dir.path().join(name)), ..Options::default() };
        assert_eq!(read_with(&points, &options).unwrap().cloud.colors, [[4, 5, 6]], "the first point is dropped");
    }
    let few = write("few.npy", npy("'|u1'", false, &[1, 3], &[1, 2, 3]));
    let message = read_with(&points, &Options { colors: Some(few), ..Options::default() }).unwrap_err().to_string();
    assert!(message.contains("few.npy") && message.contains("1 colors for the 2 points"), "{message}");
}

#[test]
fn arrays_that_cannot_be_used_say_what_they_are() {
    let six = f4(&SIX);
    assert!(refusal("p.npy", &npy("'|O'", false, &[2, 3], b"cposix\nsystem\n(S'true'\ntR.")).contains("never run"));
    assert!(refusal("p.npy", &npy("[('x', '<f4'), ('y', '<f4')]", false, &[2], &six)).contains("records"));
    for descr in ["'<c8'", "'<U3'", "'<f16'", "'<i3'", "''", "'é'", "'<é'"] {
        assert!(refusal("p.npy", &npy(descr, false, &[2, 3], &six)).contains("type"), "{descr}");
    }
    for shape in [&[6][..], &[], &[3, 2], &[1, 2, 1]] {
        assert!(refusal("p.npy", &npy("'<f4'", false, shape, &six)).contains("its shape is"), "{shape:?}");
    }
    for shape in [&[1_000_000_000_000, 3][..], &[u64::MAX, 3], &[1 << 40, 1 << 40, 3], &[3, 3]] {
        assert!(refusal("p.npy", &npy("'<f4'", false, shape, &six)).contains("promises"), "{shape:?}");
    }
    assert!(refusal("p.npy", &npy("'<f4'", false, &[0, 3], b"")).contains("no usable point"));
    assert!(refusal("p.npy", &with_header("{'descr': '<f4'}", &six)).contains("fortran_order"));
    assert!(refusal("p.npy", &with_header(&"(".repeat(60_000), &six)).contains("descr"));
    let whole = npy("'<f4'", false, &[2, 3], &six);
    for length in 0..whole.len() {
        refusal("p.npy", &whole[..length]);
    }
}

#[test]
fn colors_of_16_bits_are_told_by_their_values() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("p.npz");
    let points = npy("'<f4'", false, &[2, 3], &f4(&SIX));
    for (colors, expected) in [
        ([65_535u16, 32_896, 0, 257, 514, 0], [[255, 128, 0], [1, 2, 0]]),
        ([255, 128, 0, 1, 2, 3], [[255, 128, 0], [1, 2, 3]]),
    ] {
        let bytes: Vec<u8> = colors.iter().flat_map(|v| v.to_le_bytes()).collect();
        let colors = npy("'<u2'", false, &[2, 3], &bytes);
        fs::write(&path, zip(&[("points.npy", points.clone()), ("colors.npy", colors)], false)).unwrap();
        assert_eq!(read(&path).unwrap().colors, expected);
    }
}

#[test]
fn archives_that_cannot_be_used() {
    let array = npy("'<f4'", false, &[2, 3], &f4(&SIX));
    let message = refusal("p.npz", &zip(&[("depth.npy", array.clone()), ("pose_enc.npy", array.clone())], false));
    assert!(message.contains("no array of points") && message.contains("depth, pose_enc"), "{message}");
    let one = npy("'|u1'", false, &[1, 3], &[0; 3]);
    let message = refusal("p.npz", &zip(&[("points.npy", array.clone()), ("colors.npy", one)], false));
    assert!(message.contains("`colors`") && message.contains("for 2 points"), "{message}");
    let conf = npy("'<f4'", false, &[3], &f4(&[1.0; 3]));
    let message = refusal("p.npz", &zip(&[("points.npy", array.clone()), ("conf.npy", conf)], false));
    assert!(message.contains("`conf`"), "{message}");
    let mut damaged = zip(&[("points.npy", array)], false);
    let at = damaged.windows(4).position(|w| w == 2f32.to_le_bytes()).unwrap();
    damaged[at] ^= 1;
    assert!(refusal("p.npz", &damaged).contains("cannot be read"));
}

#[test]
fn a_bomb_is_refused_before_it_bursts() {
    let bytes = 270_000_000;
    let array = npy("'|u1'", false, &[bytes / 3, 3], &vec![0; bytes as usize]);
    let message = refusal("p.npz", &zip(&[("points.npy", array)], true));
    assert!(message.contains("promises") && message.contains("out of"), "{message}");
}
