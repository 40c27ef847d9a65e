//! Files of splats against what an independent program wrote and read; `fixtures/README.md` says how they were made.

use super::super::{RenderSettings, Renderer, Style, Tensors, reference};
use super::*;
use crate::capture::Image;
use crate::eval::psnr;
use crate::gpu::{Choice, Gpu, Mask};
use std::fs;
use std::path::PathBuf;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/splat/read/fixtures").join(name)
}

fn sigmoid(logit: f32) -> f32 {
    1.0 / (1.0 + (-logit).exp())
}

fn largest(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// The largest differences of positions, log-scales, opacities, colors, harmonics, and rotations (1 - |cos|).
fn differences(a: &Splats, b: &Splats) -> [f32; 6] {
    let opacities = |s: &Splats| s.logit_opacities.iter().map(|v| sigmoid(*v)).collect::<Vec<_>>();
    let parts = |s: &Splats, dc: bool| -> Vec<f32> {
        let rows = s.sh.chunks_exact(48);
        rows.flat_map(|row| if dc { row[..3].to_vec() } else { row[3..].to_vec() }).collect()
    };
    let turn = a.quats.iter().zip(&b.quats).map(|(a, b)| {
        let [a, b] = [a, b].map(|q| glam::DVec4::from(q.map(f64::from)).normalize());
        (1.0 - a.dot(b).abs()) as f32
    });
    [
        largest(a.means.as_flattened(), b.means.as_flattened()),
        largest(a.log_scales.as_flattened(), b.log_scales.as_flattened()),
        largest(&opacities(a), &opacities(b)),
        largest(&parts(a, true), &parts(b, true)),
        largest(&parts(a, false), &parts(b, false)),
        turn.fold(0.0, f32::max),
    ]
}

/// `splats` in the order of `other`, by what is nearest.
fn in_order_of(splats: &Splats, other: &Splats) -> Splats {
    let distance = |a: [f32; 3], b: [f32; 3]| glam::Vec3::from(a).distance(b.into());
    let nearest = |mean: &[f32; 3]| {
        let by_distance =
            |a: &usize, b: &usize| distance(splats.means[*a], *mean).total_cmp(&distance(splats.means[*b], *mean));
        (0..splats.len()).min_by(by_distance).unwrap()
    };
    let mut ordered = Splats { sh_degree: splats.sh_degree, ..Splats::default() };
    for i in other.means.iter().map(nearest) {
        ordered.means.push(splats.means[i]);
        ordered.quats.push(splats.quats[i]);
        ordered.log_scales.push(splats.log_scales[i]);
        ordered.logit_opacities.push(splats.logit_opacities[i]);
        ordered.sh.extend(&splats.sh[48 * i..48 * (i + 1)]);
    }
    ordered
}

#[test]
fn what_another_program_wrote_is_read_as_it_reads_it() {
    for (written, decoded) in [
        ("splats.compressed.ply", "decoded.compressed.ply"),
        ("splats.v3.spz", "decoded.spz.ply"),
        ("splats.v4.spz", "decoded.spz.ply"),
    ] {
        let difference = differences(&read(fixture(written)).unwrap(), &read(fixture(decoded)).unwrap());
        assert!(difference.iter().all(|d| *d < 2e-6), "{written}: {difference:?}");
    }
}

/// Half a step of each quantization, as the documentation states it. SPZ keeps five bits of degree 1 and four above, after
/// rounding to eight; version 2 has w from the length of x, y, z, which is coarse where w is near 0.
/// steps of positions and scales in a compressed PLY depend on the extent of a chunk.
#[test]
fn splats_come_back_within_the_quantization() {
    let source = read(fixture("splats.ply")).unwrap();
    let spz = [0.5 / 4096.0, 0.5 / 16.0, 0.5 / 255.0, 0.5 / 255.0 / 0.15, 8.5 / 128.0];
    let ply = [2.4 / 1023.0 / 2.0, 1.6 / 1023.0 / 2.0, 0.5 / 255.0, 3.0 / 255.0 / 2.0, 4.0 / 256.0 + 1e-3];
    for (name, bounds, rotation) in [
        ("splats.v2.spz", spz, 3e-3),
        ("splats.v3.spz", spz, 4e-6),
        ("splats.v4.spz", spz, 4e-6),
        ("splats.compressed.ply", ply, 4e-6),
    ] {
        let found = read(fixture(name)).unwrap();
        let difference = differences(&in_order_of(&found, &source), &source);
        let bounds: Vec<f32> = bounds.into_iter().chain([rotation]).collect();
        let within = difference.iter().zip(&bounds);
        assert!(within.clone().all(|(d, bound)| *d <= *bound * 1.001 + 1e-6), "{name}: {difference:?}");
        // And they are quantized: the bounds are no larger than they need be.
        assert!(within.take(2).all(|(d, bound)| *d > *bound / 20.0), "{name}: {difference:?}");
    }
}

/// Orientation, by what it is for: a frame that is mirrored or turned gives other pictures.
#[test]
fn every_format_draws_the_same_picture() {
    let gpu = Gpu::open(&Choice::Best, Mask::default()).unwrap();
    let renderer = Renderer::new(&gpu).unwrap();
    let settings = RenderSettings { background: [0.0; 3], sh_degree: 3, antialiased: false, style: Style::default() };
    let picture = |splats: &Splats| -> Image {
        let tensors = Tensors::from_splats(&gpu, splats, 0).unwrap();
        let rendered = renderer.render_image(&gpu, &tensors, &reference::camera(), &settings, &mut None).unwrap();
        rendered.image
    };
    let source = read(fixture("splats.ply")).unwrap();
    let expected = picture(&source);
    let mut mirrored = source;
    mirrored.means.iter_mut().for_each(|[_, y, z]| (*y, *z) = (-*y, -*z));
    assert!(psnr(&picture(&mirrored), &expected).unwrap() < 25.0);
    for (name, least) in
        [("splats.v2.spz", 36.0), ("splats.v3.spz", 38.0), ("splats.v4.spz", 38.0), ("splats.compressed.ply", 45.0)]
    {
        let found = psnr(&picture(&read(fixture(name)).unwrap()), &expected).unwrap();
        println!("{name}: {found:.2} dB");
        assert!(found > least, "{name}: {found}");
    }
}

#[test]
fn files_say_that_they_are_for_antialiased_rendering() {
    assert!(read_file(fixture("splats.v2.spz")).unwrap().antialiased);
    assert!(!read_file(fixture("splats.v4.spz")).unwrap().antialiased);
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.ply");
    let plain = fs::read(fixture("splats.ply")).unwrap();
    for (comments, antialiased) in [
        ("", false),
        ("comment SplatRenderMode: mip\n", true),
        ("comment splatrendermode: MIP\n", true),
        ("comment SplatRenderMode: default\n", false),
        ("comment antialiased 1\n", true),
        ("comment antialiased 0\n", false),
        ("comment postshot.anti_aliasing=1\n", true),
        ("comment postshot.anti_aliasing = 0\n", false),
        ("comment antialiased\ncomment SplatRenderMode: soft\n", false),
        // The last one that is understood counts.
        ("comment antialiased 1\ncomment SplatRenderMode: default\n", false),
        ("comment antialiased 0\ncomment SplatRenderMode: mip\ncomment x 1\n", true),
    ] {
        fs::write(&path, [b"ply\n", comments.as_bytes(), &plain[4..]].concat()).unwrap();
        assert_eq!(read_file(&path).unwrap().antialiased, antialiased, "{comments}");
    }
}

/// Any name will do, and what is cut off at any place is refused with one error that names the file.
#[test]
fn content_says_what_a_file_is_and_every_cut_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["splats.ply", "splats.compressed.ply", "splats.v2.spz", "splats.v3.spz", "splats.v4.spz"] {
        let path = dir.path().join("download.splat");
        let whole = fs::read(fixture(name)).unwrap();
        fs::write(&path, &whole).unwrap();
        assert!(holds_splats(&path).unwrap());
        assert_eq!(read(&path).unwrap(), read(fixture(name)).unwrap());
        for length in (0..whole.len()).step_by(7).chain([whole.len() - 1]) {
            fs::write(&path, &whole[..length]).unwrap();
            let message = read(&path).unwrap_err().to_string();
            assert!(message.contains("download.splat: "), "{name} {length}: {message}");
        }
    }
    assert!(!holds_splats(fixture("README.md")).unwrap());
}

#[test]
fn other_formats_are_named_with_the_way_to_convert_them() {
    let dir = tempfile::tempdir().unwrap();
    let refusal = |name: &str, content: &[u8]| {
        let path = dir.path().join(name);
        fs::write(&path, content).unwrap();
        read(&path).unwrap_err().to_string()
    };
    for name in ["a.ksplat", "a.lcc", "A.KSPLAT"] {
        let message = refusal(name, &[7; 64]);
        let command = format!("npx @playcanvas/splat-transform \"{}", dir.path().join(name).display());
        assert!(message.contains(&command) && message.contains(".ply\""), "{message}");
    }
    for (name, content, words) in [
        ("a.glb", &b"glTF\x02\0\0\0"[..], "glTF scene"),
        ("b", b"glTF\x02\0\0\0", "glTF scene"),
        ("a.gltf", b"{\"asset\": {}}", "glTF scene"),
        ("a.spx", b"spx\x01", "SPX"),
        ("a.usda", b"#usda 1.0", "USD"),
        ("a.usdz", b"PK\x03\x04", "USD"),
        ("a.ckpt", b"PK\x03\x04", "PyTorch"),
        ("a.npy", b"\x93NUMPY\x01\0", "NumPy"),
        ("a.ply.gz", b"\x1f\x8b\x08\0\0\0\0\0\0\xff", "gunzip"),
        ("a.html", b"\n<!DOCTYPE html>", "web page"),
        ("a.ply", b"\x93NUMPY\x01\0", "NumPy"),
        ("a.jpg", b"\xff\xd8\xff", "not a file of splats"),
        ("a.spz", b"", "empty"),
        ("a.sog", &[7; 64], "no zip archive"),
    ] {
        let message = refusal(name, content);
        assert!(message.contains(words) && message.contains(name), "{message}");
    }
}

/// An archive is known by what it holds.
#[test]
fn archives_are_looked_into() {
    let dir = tempfile::tempdir().unwrap();
    for (entry, word) in [
        ("meta.json", "SOG"),
        ("scene/a.usdc", "USD"),
        ("means.npy", "NumPy"),
        ("archive/data.pkl", "PyTorch"),
        ("a.txt", "unpack it"),
    ] {
        let mut zip = rawzip::ZipArchiveWriter::new(Vec::new());
        let (mut file, config) = zip.new_file(entry).start().unwrap();
        let (_, descriptor) = config.wrap(&mut file).finish().unwrap();
        file.finish(descriptor).unwrap();
        let path = dir.path().join("scene.zip");
        fs::write(&path, zip.finish().unwrap()).unwrap();
        let message = read(&path).unwrap_err().to_string();
        assert!(message.contains(word), "{entry}: {message}");
    }
}

/// A compressed PLY of these chunks (minima, then maxima) and words, without harmonics.
fn compressed(chunks: &[[f32; 18]], words: &[[u32; 4]]) -> Vec<u8> {
    let names = [
        "min_x",
        "min_y",
        "min_z",
        "max_x",
        "max_y",
        "max_z",
        "min_scale_x",
        "min_scale_y",
        "min_scale_z",
        "max_scale_x",
        "max_scale_y",
        "max_scale_z",
        "min_r",
        "min_g",
        "min_b",
        "max_r",
        "max_g",
        "max_b",
    ];
    let bounds: String = names.iter().map(|name| format!("property float {name}\n")).collect();
    let packed =
        ["position", "rotation", "scale", "color"].map(|name| format!("property uint packed_{name}\n")).concat();
    let mut bytes = format!(
        "ply\nformat binary_little_endian 1.0\nelement chunk {}\n{bounds}element vertex {}\n{packed}end_header\n",
        chunks.len(),
        words.len()
    )
    .into_bytes();
    bytes.extend(chunks.as_flattened().iter().flat_map(|v| v.to_le_bytes()));
    bytes.extend(words.as_flattened().iter().flat_map(|v| v.to_le_bytes()));
    bytes
}

#[test]
fn each_256_splats_have_bounds_of_their_own() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.ply");
    let mut chunks = [[0.0; 18]; 2];
    chunks[0][3..6].fill(1.0);
    chunks[1][..3].fill(10.0);
    chunks[1][3..6].copy_from_slice(&[11.0, 12.0, f32::NAN]);
    // x at its maximum, y at its minimum, z between; opacities 255, 0 and 51 of 255.
    let word = |z: u32, opacity: u32| [0x7ff << 21 | z, 0, 0, opacity];
    let mut words = vec![word(0, 51); 257];
    (words[0], words[1]) = (word(0x7ff, 255), word(0, 0));
    fs::write(&path, compressed(&chunks, &words)).unwrap();
    let found = read_file(&path).unwrap();
    assert_eq!((found.splats.len(), found.dropped), (256, 1), "the second chunk has no depth");
    assert_eq!(found.splats.means[..3], [[1.0, 0.0, 1.0], [1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]);
    let [opaque, clear, fifth] = [0, 1, 2].map(|i| found.splats.logit_opacities[i]);
    assert!(opaque == 30.0 && clear == -30.0 && (sigmoid(fifth) - 0.2).abs() < 1e-6, "{opaque} {clear} {fifth}");
    chunks[1][5] = 12.0;
    fs::write(&path, compressed(&chunks, &words)).unwrap();
    assert_eq!(read(&path).unwrap().means[256], [11.0, 10.0, 10.0]);
    for (chunks, words, what) in [(&chunks[..1], &words[..], "1 chunks"), (&chunks[..], &words[..256], "2 chunks")] {
        fs::write(&path, compressed(chunks, words)).unwrap();
        let message = read(&path).unwrap_err().to_string();
        assert!(message.contains(what), "{message}");
    }
}
