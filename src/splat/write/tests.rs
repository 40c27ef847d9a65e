//! Each format through our own reader, and through `splat-transform`, which is independent.

use super::super::{read, read_file, read_framed};
use super::*;
use crate::random::uniform;
use std::fs;
use std::process::Command;
use std::sync::OnceLock;

const LOSSY: [&str; 6] = ["a.compressed.ply", "a.spz", "a.v4.spz", "a.sog", "a.glb", "a.splat"];

/// Splats as a training leaves them, in no order.
fn sample(count: usize, sh_degree: u32) -> Splats {
    let value = |i: usize, k: u64, range: [f64; 2]| (range[0] + (range[1] - range[0]) * uniform(7, k, i as u64)) as f32;
    let width = 3 * Splats::coefficients(sh_degree);
    let harmonic = |at: usize| if at % width < 3 { [-1.5, 1.5] } else { [-0.5, 0.5] };
    Splats {
        means: (0..count).map(|i| [0, 1, 2].map(|k| value(i, k, [-3.0, 3.0]))).collect(),
        quats: (0..count).map(|i| [3, 4, 5, 6].map(|k| value(i, k, [-1.0, 1.0]))).collect(),
        log_scales: (0..count).map(|i| [7, 8, 9].map(|k| value(i, k, [-6.0, -1.0]))).collect(),
        logit_opacities: (0..count).map(|i| value(i, 10, [-3.0, 5.0])).collect(),
        sh: (0..count * width).map(|at| value(at, 11, harmonic(at))).collect(),
        sh_degree,
    }
}

pub fn export(splats: &Splats) -> Export<'_> {
    Export { splats, frame: SceneFrame::IDENTITY, antialiased: false }
}

/// `splats` in the order of `other`, by what is nearest.
fn in_order_of(splats: &Splats, other: &Splats) -> Splats {
    assert_eq!((splats.len(), splats.sh_degree), (other.len(), other.sh_degree));
    let width = 3 * Splats::coefficients(splats.sh_degree);
    let mut ordered = Splats { sh_degree: splats.sh_degree, ..Splats::default() };
    for mean in &other.means {
        let distance = |i: &usize| glam::Vec3::from(splats.means[*i]).distance((*mean).into());
        let i = (0..splats.len()).min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap();
        ordered.means.push(splats.means[i]);
        ordered.quats.push(splats.quats[i]);
        ordered.log_scales.push(splats.log_scales[i]);
        ordered.logit_opacities.push(splats.logit_opacities[i]);
        ordered.sh.extend(&splats.sh[width * i..width * (i + 1)]);
    }
    ordered
}

/// The largest differences of positions, log-scales, opacities, colors, harmonics, and rotations (angle in degrees).
fn differences(a: &Splats, b: &Splats) -> [f32; 6] {
    let a = &in_order_of(a, b);
    let largest = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    let opacities = |s: &Splats| (0..s.len()).map(|i| export(s).opacity(i)).collect::<Vec<_>>();
    let width = 3 * Splats::coefficients(a.sh_degree);
    let part = |s: &Splats, dc: bool| -> Vec<f32> {
        s.sh.chunks_exact(width).flat_map(|row| if dc { &row[..3] } else { &row[3..] }).copied().collect()
    };
    let angle = |i: usize| {
        let [a, b] = [a, b].map(|s| {
            let [w, x, y, z] = s.quats[i].map(f64::from);
            glam::DQuat::from_xyzw(x, y, z, w).normalize()
        });
        // Half a turn about an axis of its own leaves a splat as it is.
        let turns = [glam::DQuat::IDENTITY, glam::DQuat::from_xyzw(1.0, 0.0, 0.0, 0.0)];
        let turns = turns.into_iter().chain([[0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]].map(glam::DQuat::from_array));
        let nearest = turns.map(|turn| a.dot(b * turn).abs()).fold(0.0, f64::max);
        (2.0 * nearest.min(1.0).acos()).to_degrees() as f32
    };
    [
        largest(a.means.as_flattened(), b.means.as_flattened()),
        largest(a.log_scales.as_flattened(), b.log_scales.as_flattened()),
        largest(&opacities(a), &opacities(b)),
        largest(&part(a, true), &part(b, true)),
        largest(&part(a, false), &part(b, false)),
        (0..a.len()).map(angle).fold(0.0, f32::max),
    ]
}

/// The largest difference of each part that `docs/splats.md` states, for values of [`sample`].
fn stated(name: &str) -> [f32; 6] {
    match name {
        "a.ply" => [0.0; 6],
        "a.glb" => [0.0, 1e-6, 1e-6, 0.0, 0.0, 0.0],
        "a.compressed.ply" => [6.0 / 1023.0, 5.0 / 1023.0, 1.0 / 255.0, 3.0 / 255.0, 1.0 / 32.0, 0.3],
        "a.spz" | "a.v4.spz" => [1.0 / 4096.0, 1.0 / 16.0, 1.0 / 255.0, 1.0 / 38.0, 17.0 / 128.0, 0.3],
        // A codebook of 256 for 603 to 1803 values says what it costs, harmonics have a set for each splat; positions
        // are within ±3, whose logarithms have steps of 2.8 / 65535.
        "a.sog" => [4.0 * 2.8 / 65535.0, 0.2, 1.0 / 255.0, 0.2, 0.02, 0.8],
        // It cuts off where we round, and has 256 sets of harmonics for 301 splats.
        "theirs.sog" => [8.0 * 2.8 / 65535.0, 0.2, 2.0 / 255.0, 0.2, 2.0, 1.6],
        "theirs.splat" => [0.0, 1e-6, 1.0 / 255.0, 1.0 / 72.0, 0.0, 1.7],
        _ => [0.0, 1e-6, 1.0 / 255.0, 1.0 / 72.0, 0.0, 0.8],
    }
}

/// Within half a step of what is stated, and of a hair for rounding; rotations within the angle.
fn assert_within(name: &str, found: &Splats, source: &Splats) {
    let (difference, stated) = (differences(found, source), stated(name));
    for (k, (difference, step)) in difference.into_iter().zip(stated).enumerate() {
        let bound = if k == 5 { step.max(1e-3) } else { 0.501 * step + 2e-6 };
        assert!(difference <= bound, "{name}, part {k}: {difference} > {bound}");
    }
}

/// What `name` can hold of `splats`.
pub fn held(name: &str, splats: &Splats) -> Splats {
    let mut held = splats.clone();
    if name == "a.splat" && splats.sh_degree > 0 {
        held.sh =
            splats.sh.chunks_exact(3 * Splats::coefficients(splats.sh_degree)).flat_map(|r| &r[..3]).copied().collect();
        held.sh_degree = 0;
    }
    held
}

#[test]
fn every_format_comes_back_within_its_quantization() {
    let dir = tempfile::tempdir().unwrap();
    for (count, degree) in [(1, 0), (1, 3), (257, 1), (256, 2), (601, 3)] {
        let splats = sample(count, degree);
        for name in ["a.ply"].iter().chain(&LOSSY) {
            let path = dir.path().join(name);
            assert_eq!(write(&path, &export(&splats)).unwrap(), 0, "{name}");
            let found = read_file(&path).unwrap();
            assert_eq!((found.dropped, found.antialiased), (0, false));
            assert_within(name, &found.splats, &held(name, &splats));
        }
    }
}

#[test]
fn what_is_beyond_a_format_is_cut_off_and_counted() {
    let dir = tempfile::tempdir().unwrap();
    let mut splats = sample(9, 1);
    splats.log_scales[0][1] = 25.0;
    splats.log_scales[1][2] = -30.0;
    splats.sh[2 * 12] = 40.0;
    splats.sh[3 * 12 + 5] = -7.0;
    splats.means[4] = [1e7, 0.0, -9e6];
    splats.quats[5] = [0.0; 4];
    splats.logit_opacities[6] = 30.0;
    splats.logit_opacities[7] = -30.0;
    for (name, expected) in [
        ("a.ply", 0),
        ("a.compressed.ply", 2),
        ("a.spz", 5),
        ("a.v4.spz", 5),
        ("a.sog", 0),
        ("a.glb", 0),
        ("a.splat", 1),
    ] {
        let path = dir.path().join(name);
        assert_eq!(write(&path, &export(&splats)).unwrap(), expected, "{name}");
        let found = read_file(&path).unwrap();
        assert_eq!((found.splats.len(), found.dropped), (9, 0), "{name}");
    }
}

/// SPZ has 24 bits for a coordinate; where they stand for is chosen by the scene.
#[test]
fn spz_holds_large_and_tiny_scenes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.spz");
    for (size, log_size, step) in [(1e5, 2.0, 1.0 / 64.0), (0.3, 0.0, 1.0 / 4096.0), (1e-3, -9.0, 1.0 / 65536.0)] {
        let mut splats = sample(50, 0);
        splats.means.as_flattened_mut().iter_mut().for_each(|v| *v *= size / 3.0);
        splats.log_scales.as_flattened_mut().iter_mut().for_each(|v| *v = log_size);
        write(&path, &export(&splats)).unwrap();
        let [position, ..] = differences(&read(&path).unwrap(), &splats);
        assert!(position <= 0.501 * step, "{size}: {position}");
    }
}

/// A floater costs itself, not all others.
#[test]
fn stray_splats_do_not_cost_others_their_places() {
    let dir = tempfile::tempdir().unwrap();
    let (path, chunks) = (dir.path().join("a.spz"), dir.path().join("a.compressed.ply"));
    let mut splats = sample(2000, 0);
    let step_of = |splats: &Splats| {
        let cut = write_as(&path, &export(splats), Format::Spz).unwrap();
        let back = read(&path).unwrap();
        let moved = |i: &usize| glam::Vec3::from(back.means[*i]).distance(splats.means[*i].into());
        let near = (0..splats.len()).filter(|i| splats.means[*i][0].abs() < 4.0);
        (near.map(|i| moved(&i)).fold(0.0, f32::max), cut.count(), spz::coarse_steps(&export(splats)))
    };
    splats.means[7] = [1e6, 0.0, 0.0];
    let (step, cut, coarse) = step_of(&splats);
    assert!(step < 0.005 && cut == 1 && coarse.is_none(), "{step} {cut} {coarse:?}");
    // What is within reach of steps that are fair is kept.
    splats.means[7] = [2e4, 0.0, 0.0];
    assert_eq!(step_of(&splats).1, 0);
    assert!((read(&path).unwrap().means[7][0] - 2e4).abs() < 0.01);
    // Splats without a size are no reason to give one up that is not far off.
    splats.means[7] = [60.0, 0.0, 0.0];
    let dots = Splats { log_scales: vec![[-29.0; 3]; 2000], ..splats.clone() };
    assert_eq!(write_as(&path, &export(&dots), Format::Spz4).unwrap().count(), 2000, "scales alone");
    assert!((read(&path).unwrap().means[7][0] - 60.0).abs() < 1e-4);
    // More than a few are no strays: they stay, and the steps are said to be coarse.
    splats.means[..20].fill([1e6, 0.0, 0.0]);
    let (step, cut, coarse) = step_of(&splats);
    let coarse = coarse.unwrap();
    assert!(step > 0.05 && cut == 0 && coarse.contains("20 of 2000 splats are farther"), "{step} {cut} {coarse}");

    assert_eq!(write_as(&chunks, &export(&sample(2000, 0)), Format::CompressedPly).unwrap().coarse, 0);
    let coarse = write_as(&chunks, &export(&splats), Format::CompressedPly).unwrap().coarse;
    assert!((1..=512).contains(&coarse), "{coarse}");
}

#[test]
fn endings_choose_and_others_are_refused() {
    let of = |name: &str| Format::of_ending(Path::new(name));
    assert_eq!(of("x/A.Compressed.PLY").unwrap(), Format::CompressedPly);
    assert_eq!(of("compressed.ply").unwrap(), Format::Ply);
    let message = of("a.obj").unwrap_err().to_string();
    assert!(message.contains("a.obj") && ENDINGS.iter().all(|(ending, _)| message.contains(ending)), "{message}");
    let dir = tempfile::tempdir().unwrap();
    for name in ["a.ply"].iter().chain(&LOSSY) {
        let path = dir.path().join(name);
        let message = write(&path, &export(&Splats::default())).unwrap_err().to_string();
        assert!(message.contains("no splats"), "{message}");
        let mut broken = sample(3, 0);
        broken.means[1][0] = f32::NAN;
        let message = write(&path, &export(&broken)).unwrap_err().to_string();
        assert!(message.contains("1 of 3 splats") && !path.exists(), "{message}");
    }
}

#[test]
fn antialiased_splats_stay_so_where_the_format_can_tell() {
    let dir = tempfile::tempdir().unwrap();
    let splats = sample(5, 0);
    for (name, told) in [
        ("a.ply", true),
        ("a.compressed.ply", true),
        ("a.spz", true),
        ("a.v4.spz", true),
        ("a.sog", true),
        ("a.glb", true),
        ("a.splat", false),
    ] {
        let path = dir.path().join(name);
        write(&path, &Export { antialiased: true, ..export(&splats) }).unwrap();
        assert_eq!(read_file(&path).unwrap().antialiased, told, "{name}");
    }
}

/// A scene far from the origin, in a unit of its own: files have the capture's coordinates, and those that can state the
/// origin are read where they were.
#[test]
fn frames_are_left_and_stated() {
    let dir = tempfile::tempdir().unwrap();
    let splats = sample(300, 1);
    let frame = SceneFrame { origin: glam::DVec3::new(4e6, -5e5, 12.0), unit: 0.25 };
    for name in ["a.ply"].iter().chain(&LOSSY) {
        let path = dir.path().join(name);
        write(&path, &Export { frame, ..export(&splats) }).unwrap();
        let (found, stated_frame) = read_framed(&path).unwrap();
        let mut found = found.splats;
        if Format::of_ending(&path).unwrap().tells_origin() {
            assert_eq!(stated_frame, frame, "{name}");
        } else {
            let into_frame = SceneFrame { origin: glam::DVec3::ZERO, unit: frame.unit };
            found = read(&path).unwrap().placed_in(&into_frame);
        }
        // Steps of SPZ are in the file's unit.
        let mut difference = differences(&found, &held(name, &splats));
        difference[0] *= if name.ends_with(".spz") { 0.25 } else { 1.0 };
        assert!(difference.iter().zip(stated(name)).all(|(d, step)| *d <= step + 1e-3), "{name} {difference:?}");
    }
    let levels = dir.path().join("levels").join(LOD_META);
    write_levels(&levels, &[splats], frame, false).unwrap();
    assert_eq!(read_framed(&levels).unwrap().1, frame);
}

/// Files are in axes of their own, and so is the origin that is told.
#[test]
fn the_origin_is_told_in_the_axes_of_the_file() {
    let frame = SceneFrame { origin: glam::DVec3::new(432_096.0, 5_412_256.0, 160.0), unit: 1.0 };
    assert_eq!(Format::Ply.origin(&frame), frame.origin);
    assert_eq!(Format::Spz.origin(&frame).to_array(), [432_096.0, -5_412_256.0, -160.0]);
    assert_eq!(Format::Glb.origin(&frame).to_array(), [-432_096.0, -5_412_256.0, 160.0]);
}

/// Viewers that draw points multiply linear light.
#[test]
fn colors_of_points_in_glb_are_of_linear_light() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.glb");
    let mut splats = sample(1, 0);
    splats.sh.copy_from_slice(&[0.0, 1e3, -1e3]);
    splats.logit_opacities[0] = 0.0;
    write(&path, &export(&splats)).unwrap();
    let content = fs::read(&path).unwrap();
    let binary = content.len() - glb::binary_bytes(&export(&splats)) as usize;
    let color: Vec<u16> =
        content[binary + 12..][..8].chunks_exact(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect();
    // sRGB's 0.5 is 0.214 of the light.
    assert_eq!(color, [14_027, 65_535, 0, 32_768]);
}

#[test]
fn cut_off_files_of_splats_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let splats = sample(40, 1);
    for name in LOSSY {
        let path = dir.path().join(name);
        write(&path, &export(&splats)).unwrap();
        let whole = fs::read(&path).unwrap();
        for length in
            (0..whole.len()).step_by(41).filter(|length| name != "a.splat" || length % 32 != 0 || *length == 0)
        {
            fs::write(&path, &whole[..length]).unwrap();
            let message = read(&path).unwrap_err().to_string();
            assert!(message.contains(&*path.to_string_lossy()), "{name} {length}: {message}");
        }
    }
    // Noise of the right length: most of it is no number, or no size.
    let path = dir.path().join("a.splat");
    fs::write(&path, [0xff; 96]).unwrap();
    assert!(read(&path).unwrap_err().to_string().contains("none of its 3 splats"));
}

/// Runs `splat-transform` from npm's cache; `None` where it is not there.
fn splat_transform(arguments: &[&Path]) -> Option<()> {
    const PACKAGE: &str = "@playcanvas/splat-transform@2.7.1";
    static IS_THERE: OnceLock<bool> = OnceLock::new();
    let run = |arguments: &[&Path]| Command::new("npx").args(["--offline", "--yes", PACKAGE]).args(arguments).output();
    if !IS_THERE.get_or_init(|| run(&["--version".as_ref()]).is_ok_and(|output| output.status.success())) {
        eprintln!("skipped: `npx --yes {PACKAGE} --version` once makes the independent reader available");
        return None;
    }
    let output = run(arguments).unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    Some(())
}

/// Ours read by it are what we read, and its are read by us within the quantization.
#[test]
fn an_independent_program_reads_and_writes_the_same_splats() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let splats = sample(301, 3);
    write(at("source.ply"), &export(&splats)).unwrap();
    for name in LOSSY {
        write(at(name), &export(&splats)).unwrap();
        // It does not read GLB.
        if name != "a.glb" {
            let Some(()) = splat_transform(&["-w".as_ref(), &at(name), &at("theirs.ply")]) else { return };
            // It takes bytes of rotations for 0 to 255, not for -128 to 127.
            let bounds = if name == "a.splat" { "theirs.splat" } else { name };
            assert_within(bounds, &read(at("theirs.ply")).unwrap(), &held(name, &splats));
        }
        // It does not write `.splat`.
        if name != "a.splat" {
            let written = at(&name.replace("a.", "b."));
            splat_transform(&["-w".as_ref(), "-g".as_ref(), "cpu".as_ref(), &at("source.ply"), &written]);
            let bounds = if name == "a.sog" { "theirs.sog" } else { name };
            assert_within(bounds, &read(&written).unwrap(), &splats);
        }
    }
}
