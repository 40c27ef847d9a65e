//! Files of up to 1 MB that promise gigabytes: one error that names the file and what it claims, and little memory.

use super::{MOST, peak};
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use naka_gs::capture::{decode_image, read_image};
use naka_gs::enhance::weights::Weights;
use naka_gs::{prior, splat};
use rawzip::{CompressionMethod, ZipArchiveWriter};
use std::io::Write;
use std::path::{Path, PathBuf};

/// What a file that is refused takes at most: what it needs is known before it is taken.
const REFUSED: usize = 64 << 20;

/// Asserts that `read` of a file refuses it with all of `words` and takes less than `most` bytes.
fn refused<T>(name: &str, data: &[u8], words: &[&str], most: usize, read: impl FnOnce(&Path) -> naka_gs::Result<T>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, data).unwrap();
    let mut message = String::new();
    let taken = peak(|| message = read(&path).err().expect("it is refused").to_string());
    for word in words.iter().chain(&[name]) {
        assert!(message.contains(word), "`{word}` is not in: {message}");
    }
    assert!(taken < most, "{name} takes {taken} bytes");
}

/// The markers of a JPEG: Start of Frame `sof` with these sizes and sampling factors, a scan of `scan` bytes of zeros.
fn jpeg(sof: u8, width: u16, height: u16, sampling: &[u8], scan: usize) -> Vec<u8> {
    let mut data = vec![0xff, 0xd8, 0xff, 0xdb, 0, 67, 0];
    data.extend([1; 64]);
    let components = sampling.len() as u8;
    data.extend([0xff, sof, 0, 8 + 3 * components, 8]);
    data.extend(height.to_be_bytes());
    data.extend(width.to_be_bytes());
    data.push(components);
    (1..).zip(sampling).for_each(|(id, factors)| data.extend([id, *factors, 0]));
    // One code of one bit in each table.
    for table in [0, 0x10] {
        data.extend([0xff, 0xc4, 0, 20, table, 1]);
        data.extend([0; 15]);
        data.push(0);
    }
    data.extend([0xff, 0xda, 0, 6 + 2 * components, components]);
    (1..=components).for_each(|id| data.extend([id, 0]));
    data.extend([0, if sof == 0xc2 { 0 } else { 63 }, 0]);
    data.extend(vec![0; scan]);
    data.extend([0xff, 0xd9]);
    data
}

#[test]
fn jpeg_headers_that_promise_gigapixels() {
    let few = ["pixels", "too few"];
    for sof in [0xc0, 0xc1, 0xc2, 0xc9, 0xca] {
        refused("a.jpg", &jpeg(sof, 46_000, 46_000, &[0x22, 0x11, 0x11], 700), &few, REFUSED, read_image);
        refused("b.jpg", &jpeg(sof, 65_500, 32_000, &[0x11], 700), &few, REFUSED, read_image);
    }
    // A megabyte has bits enough for these.
    let words = ["20000 × 20000 pixels", "GiB", "max_memory"];
    refused("c.jpg", &jpeg(0xc0, 20_000, 20_000, &[0x11], 1_000_000), &words, REFUSED, read_image);
    refused("d.jpg", &jpeg(0xca, 20_000, 20_000, &[0x11], 1_000_000), &words, REFUSED, read_image);
    // The smallest factors count as one block in each unit, but take as many as the largest.
    refused("e.jpg", &jpeg(0xc0, 9_000, 9_000, &[0x44, 0x11, 0x11], 1_000_000), &["max_memory"], REFUSED, read_image);
}

#[test]
fn scans_without_end_are_refused() {
    let mut data = jpeg(0xc2, 64, 64, &[0x11], 40);
    let end = data.len() - 2;
    for _ in 0..600 {
        data.splice(end..end, [0xff, 0xda, 0, 8, 1, 1, 0, 1, 63, 0, 0]);
    }
    refused("a.jpg", &data, &["scan"], REFUSED, read_image);
}

fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut crc = flate2::Crc::new();
    crc.update(kind);
    crc.update(data);
    [&(data.len() as u32).to_be_bytes()[..], kind, data, &crc.sum().to_be_bytes()].concat()
}

fn zeros(bytes: u64) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    std::io::copy(&mut std::io::Read::take(std::io::repeat(0), bytes), &mut encoder).unwrap();
    encoder.finish().unwrap()
}

/// A PNG of RGB with `extra` before its pixels.
fn png(width: u32, height: u32, extra: &[u8], pixels: &[u8]) -> Vec<u8> {
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 2, 0, 0, 0]].concat();
    [b"\x89PNG\r\n\x1a\n", &chunk(b"IHDR", &header)[..], extra, &chunk(b"IDAT", pixels), &chunk(b"IEND", b"")].concat()
}

#[test]
fn pngs_of_zeros() {
    let words = ["30000 × 30000 pixels", "GiB", "max_memory"];
    refused("a.png", &png(30_000, 30_000, &[], &zeros(50 << 20)), &words, REFUSED, read_image);
    let wide = png(2_000_000_000, 1, &[], &[0; 100]);
    refused("b.png", &wide, &["memory"], REFUSED, read_image);
}

#[test]
fn a_profile_of_200_megabytes_in_a_small_picture() {
    let profile = [b"p\0\0", &zeros(200 << 20)[..]].concat();
    assert!(profile.len() < 1 << 20);
    let data = png(4, 4, &chunk(b"iCCP", &profile), &zeros(52));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.png");
    std::fs::write(&path, &data).unwrap();
    let taken = peak(|| {
        naka_gs::capture::Extras::read(&path);
        let _ = decode_image(&path, &data);
    });
    assert!(taken < MOST / 2, "{taken}");
}

/// A TIFF of one strip with this compression.
fn tiff(width: u32, height: u32, compression: u32, strip: &[u8]) -> Vec<u8> {
    let tags = [
        (256, width),
        (257, height),
        (258, 8),
        (259, compression),
        (262, 1),
        (273, 8),
        (277, 1),
        (278, height),
        (279, strip.len() as u32),
    ];
    let directory = 8 + strip.len() as u32;
    let mut data = [b"II*\0", &directory.to_le_bytes()[..], strip].concat();
    data.extend((tags.len() as u16).to_le_bytes());
    for (tag, value) in tags {
        data.extend([&(tag as u16).to_le_bytes()[..], &4u16.to_le_bytes(), &1u32.to_le_bytes()].concat());
        data.extend(u32::to_le_bytes(value));
    }
    data.extend([0; 4]);
    data
}

#[test]
fn tiffs_of_giant_strips() {
    let words = ["40000 × 40000 pixels", "max_memory"];
    for compression in [1, 5, 8, 32_773] {
        refused("a.tif", &tiff(40_000, 40_000, compression, &[0; 1000]), &words, REFUSED, read_image);
    }
    refused("b.tif", &tiff(u32::MAX, u32::MAX, 8, &[0; 1000]), &["memory"], REFUSED, read_image);
}

fn npy(kind: &str, shape: &str) -> Vec<u8> {
    let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}\n");
    [b"\x93NUMPY\x01\0", &(header.len() as u16).to_le_bytes()[..], header.as_bytes()].concat()
}

/// A deflated archive of arrays whose numbers are all zero.
fn npz(arrays: &[(&str, Vec<u8>, u64)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut zip = ZipArchiveWriter::new(&mut bytes);
    for (name, header, zeros) in arrays {
        let file = zip.new_file(*name).compression_method(CompressionMethod::DEFLATE);
        let (mut entry, config) = file.start().unwrap();
        let mut data = config.wrap(DeflateEncoder::new(&mut entry, Compression::best()));
        data.write_all(header).unwrap();
        std::io::copy(&mut std::io::Read::take(std::io::repeat(0), *zeros), &mut data).unwrap();
        let (encoder, descriptor) = data.finish().unwrap();
        encoder.finish().unwrap();
        entry.finish(descriptor).unwrap();
    }
    zip.finish().unwrap();
    bytes
}

#[test]
fn archives_of_zeros() {
    let points = npz(&[("points.npy", npy("|i1", "(5000000, 3)"), 15_000_000)]);
    assert!(points.len() < 1 << 20);
    refused("a.npz", &points, &["points", "max_memory"], MOST, |path| prior::read(path));
    let few = ("points.npy", npy("<f4", "(2, 3)"), 24);
    let huge = npz(&[few.clone(), ("conf.npy", npy("|i1", "(140000000,)"), 140_000_000)]);
    refused("b.npz", &huge, &["max_memory"], REFUSED, |path| prior::read(path));
    let promised = npz(&[("points.npy", npy("<f4", "(1000000000, 3)"), 100)]);
    refused("c.npz", &promised, &["promises"], REFUSED, |path| prior::read(path));
}

#[test]
fn counts_that_no_file_holds() {
    let counted = |format: &str, element: &str, rest: &[u8]| {
        [format!("ply\nformat {format} 1.0\nelement {element}\nend_header\n").as_bytes(), rest].concat()
    };
    let xyz = "property float x\nproperty float y\nproperty float z";
    let vertices = format!("vertex 4000000000\n{xyz}");
    for format in ["ascii", "binary_little_endian"] {
        refused("a.ply", &counted(format, &vertices, &[b'0'; 999]), &["promises"], REFUSED, |path| prior::read(path));
        let data = counted(format, &vertices, &[b'0'; 999]);
        refused("b.ply", &data, &["b.ply"], REFUSED, |path| splat::read(path));
    }
    let many = u64::MAX.to_le_bytes();
    refused("points3D.bin", &many, &["promises"], REFUSED, |path| prior::read(path));
    for name in ["cameras.bin", "images.bin"] {
        let dir = tempfile::tempdir().unwrap();
        let model = dir.path().join("sparse/0");
        std::fs::create_dir_all(&model).unwrap();
        ["cameras.bin", "images.bin"]
            .iter()
            .for_each(|file| std::fs::write(model.join(file), 0u64.to_le_bytes()).unwrap());
        std::fs::write(model.join(name), [&many[..], &[0; 900]].concat()).unwrap();
        let taken = peak(|| assert!(naka_gs::capture::load(dir.path(), &Default::default()).is_err()));
        assert!(taken < REFUSED, "{name}: {taken}");
    }
}

/// An SPZ file of version 3 in gzip, whose header is followed by zeros.
fn spz(splats: u32, degree: u8, zeros: u64) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&[b"NGSP\x03\0\0\0", &splats.to_le_bytes()[..], &[degree, 12, 0, 0]].concat()).unwrap();
    std::io::copy(&mut std::io::Read::take(std::io::repeat(0), zeros), &mut encoder).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn compressed_splats_that_promise_more_than_the_file() {
    let read = |path: &Path| splat::read(path);
    for splats in [9_000_000, u32::MAX] {
        let words = [format!("{splats} splats"), "max_memory".into()];
        refused("a.spz", &spz(splats, 0, 1 << 20), &words.each_ref().map(String::as_str), REFUSED, read);
    }
    // What it may take is taken as the file fills it.
    refused("b.spz", &spz(200_000, 3, 1 << 20), &["positions", "1800000 bytes"], REFUSED, read);
    let frames = [b"NGSP\x04\0\0\0", &100_000u32.to_le_bytes()[..], &[0, 12, 0, 5, 32], &[0; 15]].concat();
    // A frame that asks for a window of 64 MiB, and one of a gigabyte, with nothing in it.
    for window in [0x80, 0xa0] {
        let sizes = [900_000u64, 100_000, 300_000, 300_000, 400_000];
        let table: Vec<u8> = sizes.iter().flat_map(|n| [9u64.to_le_bytes(), n.to_le_bytes()].concat()).collect();
        let frame = [&[0x28, 0xb5, 0x2f, 0xfd, 0x00, window][..], &[1, 0, 0]].concat();
        let data = [&frames[..], &table, &frame.repeat(5)].concat();
        refused("c.spz", &data, &["positions"], REFUSED, read);
    }
    let packed =
        ["position", "rotation", "scale", "color"].map(|name| format!("property uint packed_{name}\n")).concat();
    let data = format!("ply\nformat binary_little_endian 1.0\nelement vertex 99999999\n{packed}end_header\n");
    refused("d.ply", data.as_bytes(), &["promises 99999999"], REFUSED, read);
}

#[test]
fn weights_that_promise_more_than_the_file() {
    let header = br#"{"a":{"dtype":"F32","shape":[4000000000,4],"data_offsets":[0,64000000000]}}"#;
    let data = [&(header.len() as u64).to_le_bytes()[..], header, &[0; 64]].concat();
    refused("a.safetensors", &data, &[], REFUSED, |path| Weights::read(path));
    let data = [&u64::MAX.to_le_bytes()[..], header].concat();
    refused("b.safetensors", &data, &[], REFUSED, |path| Weights::read(path));
}

/// What is read within the limits is read: the limits are no reason to refuse the darkest of large photographs.
#[test]
fn a_black_photograph_of_24_megapixels_is_no_bomb() {
    let data = jpeg(0xc0, 6000, 4000, &[0x11], 6000 * 4000 / 64 / 4 + 8);
    let dir: PathBuf = "a.jpg".into();
    let mut image = None;
    let taken = peak(|| image = decode_image(&dir, &data).ok());
    let image = image.expect("it is read");
    assert_eq!((image.width, image.height), (6000, 4000));
    assert!(taken < MOST, "{taken}");
}
