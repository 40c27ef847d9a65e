use super::super::read_file;
use super::*;
use flate2::{Compression, write::GzEncoder};
use std::fs;
use std::io::Write;
use std::path::PathBuf;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/splat/read/fixtures").join(name)
}

/// A header of `count` splats of degree 0, with 12 fractional bits.
fn header(version: u32, count: u32) -> Vec<u8> {
    [&MAGIC[..], &version.to_le_bytes(), &count.to_le_bytes(), &[0, 12, 0, 0]].concat()
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

fn unpacked(bytes: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    MultiGzDecoder::new(bytes).read_to_end(&mut content).unwrap();
    content
}

fn read_bytes(content: &[u8]) -> Result<Splats> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.spz");
    fs::write(&path, content).unwrap();
    read_file(&path).map(|found| found.splats)
}

/// Each number by hand, in the frame of the PLY layout.
#[test]
fn one_splat_of_each_early_version() {
    let values = [&[128, 127, 0, 255][..], &[160, 144, 128]].concat();
    let [half, fixed] = [&[0x00, 0x3c, 0x00, 0xc0, 0x00, 0x42][..], &[0, 0x10, 0, 0, 0xe0, 0xff, 0, 0x30, 0]];
    // x, y, z, w: largest is w (3), z is -511/511 of half a diagonal, x and y are 0.
    let smallest = (3u32 << 30 | 1 << 9 | 511).to_le_bytes();
    for (version, position, rotation) in
        [(1, half, &[0, 128, 128][..]), (2, fixed, &[0, 128, 128]), (3, fixed, &smallest)]
    {
        let content = [&header(version, 1)[..], position, &values, rotation].concat();
        for packed in [gzip(&content), content] {
            let splats = read_bytes(&packed).unwrap();
            assert_eq!(splats.means, [[1.0, 2.0, -3.0]], "version {version}");
            assert_eq!(splats.log_scales, [[0.0, -1.0, -2.0]]);
            assert!((splats.logit_opacities[0] - (128.0f32 / 127.0).ln()).abs() < 1e-5);
            let dc = [127.0f32, 0.0, 255.0].map(|byte| (byte / 255.0 - 0.5) / 0.15);
            assert!(splats.sh.iter().zip(dc).all(|(a, b)| (a - b).abs() < 1e-5), "{:?}", splats.sh);
            let [w, x, y, z] = splats.quats[0];
            if version < 3 {
                assert_eq!((w, x), (0.0, -1.0));
            } else {
                let root = std::f32::consts::FRAC_1_SQRT_2;
                assert!((w - root).abs() < 1e-6 && (z - root).abs() < 1e-6 && x == 0.0 && y == 0.0, "{w} {z}");
            }
        }
    }
}

/// A file may name its frame; the same numbers then mean mirrored splats. The reference library reads them so, whether
/// the record precedes the table of contents (version 4) or follows the splats (version 3).
#[test]
fn the_frame_that_a_file_names_is_its_own() {
    let record = |frame: u32| [0xadbe_0003, 4, frame].map(u32::to_le_bytes).concat();
    let unknown = [&[9, 0, 0, 0, 3, 0, 0, 0][..], b"abc"].concat();
    let four = |frame: u32| {
        let mut content = fs::read(fixture("splats.v4.spz")).unwrap();
        let records = [&unknown[..], &record(frame)].concat();
        content[14] |= EXTENDED;
        content[16..20].copy_from_slice(&((LONG_HEADER + records.len()) as u32).to_le_bytes());
        content.splice(LONG_HEADER..LONG_HEADER, records);
        content
    };
    let three = |frame: u32| {
        let mut content = unpacked(&fs::read(fixture("splats.v3.spz")).unwrap());
        content[14] |= EXTENDED;
        content.extend(record(frame));
        gzip(&content)
    };
    let standard = read_bytes(&fs::read(fixture("splats.v4.spz")).unwrap()).unwrap();
    for file in [&four as &dyn Fn(u32) -> Vec<u8>, &three] {
        assert_eq!(read_bytes(&file(4)).unwrap(), standard, "right, up, back");
        assert_eq!(read_bytes(&file(0)).unwrap(), standard, "not specified");
        // Left, up, back: x is mirrored.
        let mirrored = read_bytes(&file(3)).unwrap();
        for (a, b) in mirrored.means.iter().zip(&standard.means) {
            assert_eq!(*a, [-b[0], b[1], b[2]]);
        }
        for (a, b) in mirrored.quats.iter().zip(&standard.quats) {
            assert_eq!(*a, [b[0], b[1], -b[2], -b[3]]);
        }
        // y, z, x of degree 1.
        assert_eq!(mirrored.sh[3..9], standard.sh[3..9]);
        assert_eq!(mirrored.sh[9], -standard.sh[9]);
        let message = read_bytes(&file(9)).unwrap_err().to_string();
        assert!(message.contains("coordinate system 9") && message.contains("right, up, back"), "{message}");
    }
}

/// Mirrored splats have mirrored harmonics: the color seen along a direction is that seen along its mirror image.
#[test]
fn harmonics_are_mirrored_with_the_splats() {
    let splats = read_bytes(&fs::read(fixture("splats.v3.spz")).unwrap()).unwrap();
    let direction = glam::Vec3::new(0.3, -0.5, 0.8).normalize();
    for frame in 1..=8 {
        let mut other = splats.clone();
        let axes = frame::of_extensions(Path::new("a"), &[0xadbe_0003, 4, frame].map(u32::to_le_bytes).concat())
            .unwrap()
            .unwrap();
        axes.to_ply(&mut other);
        // The signs, read off a position.
        let sign: [f32; 3] = std::array::from_fn(|i| other.means[0][i] / splats.means[0][i]);
        let (a, b) = (basis(direction), basis(direction * glam::Vec3::from(sign)));
        for (one, two) in splats.sh.chunks_exact(48).zip(other.sh.chunks_exact(48)) {
            let seen = |sh: &[f32], basis: &[f32; 16]| {
                basis.iter().zip(sh.chunks_exact(3)).map(|(b, c)| b * c[1]).sum::<f32>()
            };
            assert!((seen(one, &a) - seen(two, &b)).abs() < 1e-5, "frame {frame}");
        }
    }
}

/// The polynomials of the harmonics in their order, without their factors.
fn basis(d: glam::Vec3) -> [f32; 16] {
    let (x, y, z) = (d.x, d.y, d.z);
    let (xx, yy, zz) = (x * x, y * y, z * z);
    [
        1.0,
        -y,
        z,
        -x,
        x * y,
        -y * z,
        2.0 * zz - xx - yy,
        -x * z,
        xx - yy,
        -y * (3.0 * xx - yy),
        x * y * z,
        -y * (4.0 * zz - xx - yy),
        z * (2.0 * zz - 3.0 * xx - 3.0 * yy),
        -x * (4.0 * zz - xx - yy),
        z * (xx - yy),
        -x * (xx - 3.0 * yy),
    ]
}

#[test]
fn what_cannot_be_read_is_refused_with_a_reason() {
    let refusal = |content: &[u8]| read_bytes(content).unwrap_err().to_string();
    let whole = fs::read(fixture("splats.v4.spz")).unwrap();
    let changed = |at: usize, byte: u8| {
        let mut content = whole.clone();
        content[at] = byte;
        content
    };
    assert!(refusal(&gzip(&header(9, 1))).contains("version 9"));
    assert!(refusal(&changed(4, 5)).contains("version 5"));
    assert!(refusal(&changed(12, 4)).contains("degree 4"));
    assert!(refusal(&changed(13, 25)).contains("25 fractional bits"));
    assert!(refusal(&changed(8, 11)).contains("does not fit 11 splats"));
    assert!(refusal(&changed(15, 2)).contains("does not fit"));
    assert!(refusal(&changed(16, 0)).contains("table of contents at byte 0"));
    assert!(refusal(&gzip(&whole)).contains("gunzip"));
    assert!(refusal(&gzip(&header(3, 2))).contains("ends within its positions"));
    assert!(refusal(&gzip(&header(3, 0))).contains("none of its 0 splats"));
    let mut damaged = fs::read(fixture("splats.v3.spz")).unwrap();
    let end = damaged.len() - 6;
    damaged[end] ^= 1;
    assert!(refusal(&damaged).contains("cannot be unpacked"), "the checksum of gzip");
}

#[test]
fn headers_that_promise_billions_are_refused_before_memory_is_taken() {
    for content in [gzip(&header(3, u32::MAX)), [header(4, u32::MAX), vec![0; 4096]].concat()] {
        let message = read_bytes(&content).unwrap_err().to_string();
        assert!(message.contains("4294967295 splats") || message.contains("table of contents"), "{message}");
    }
}
