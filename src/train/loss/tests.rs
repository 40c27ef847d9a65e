//! The loss kernels against a direct computation in 64-bit floats, which finite differences and reference data check.

use super::reference::{Rgb, twin, unpack};
use super::*;
use crate::gpu::{Choice, Mask};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use safetensors::SafeTensors;

/// A smooth random picture in 8 bits and a noisy copy of it as floats.
fn pictures(width: usize, height: usize, seed: u64) -> (Vec<u32>, Vec<[f32; 3]>) {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut targets = Vec::new();
    let mut rendered = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let base = 0.5 + 0.3 * (x as f32 * 0.7).sin() * (y as f32 * 0.4).cos();
            let mut packed = 0xff00_0000u32;
            let mut pixel = [0.0; 3];
            for (c, value) in pixel.iter_mut().enumerate() {
                let level = (255.0 * (base + 0.1 * rng.random::<f32>()) / (1.0 + c as f32)) as u32;
                packed |= level << (8 * c);
                *value = level as f32 / 255.0 + 0.3 * (rng.random::<f32>() - 0.4);
            }
            targets.push(packed);
            rendered.push(pixel);
        }
    }
    (targets, rendered)
}

fn to_f64(pixels: &[[f32; 3]]) -> Rgb {
    pixels.iter().map(|p| p.map(f64::from)).collect()
}

/// Runs the kernels; the rendered image has five planes with NaN in the padding. Returns (L1, SSIM) and the gradient.
fn run(
    gpu: &Gpu,
    rendered: &[[f32; 3]],
    (targets, masked): (&[u32], bool),
    size: [u32; 2],
    lambda: f32,
) -> (Vec<f32>, Vec<f32>) {
    let [width, height] = size;
    let (plane, pitch) = (plane_len(width, height), (tiles(width, height)[0] * TILE) as usize);
    let mut planes = vec![f32::NAN; 5 * plane];
    let mut packed = vec![0x00ff_ffffu32; plane];
    for (i, (pixel, target)) in rendered.iter().zip(targets).enumerate() {
        let at = i / width as usize * pitch + i % width as usize;
        packed[at] = *target;
        for c in 0..3 {
            planes[c * plane + at] = pixel[c];
        }
    }
    let planes = gpu.upload("rendered", &planes).unwrap();
    let packed = gpu.upload("targets", &packed).unwrap();
    let v_image = gpu.upload("v_image", &vec![7.0f32; 4 * plane]).unwrap();
    let kernels = Loss::new(gpu, masked).unwrap();
    let scratch = kernels.scratch(gpu, width, height, lambda).unwrap();
    // Twice, so that the second run meets what the first one left.
    for _ in 0..2 {
        let mut recorder = Recorder::new(gpu);
        kernels.record(&mut recorder, &scratch, &planes, &packed, &v_image);
        recorder.submit();
    }
    gpu.check().unwrap();
    let totals = gpu.read(scratch.totals()).unwrap().into_iter().map(f32::from_bits).collect();
    (totals, gpu.read(&v_image).unwrap())
}

fn check(gpu: &Gpu, size: [u32; 2], lambda: f32) {
    let (width, height) = (size[0] as usize, size[1] as usize);
    let (targets, rendered) = pictures(width, height, u64::from(size[0] + 1000 * size[1]));
    let (loss, v) = run(gpu, &rendered, (&targets, false), size, lambda);
    let (want, want_v) = twin(&to_f64(&rendered), &unpack(&targets), width, height, f64::from(lambda));
    compare(&loss, &v, &want, &want_v, size);
}

fn compare(loss: &[f32], v: &[f32], want: &[f64; 3], want_v: &Rgb, size: [u32; 2]) {
    let (width, height) = (size[0] as usize, size[1] as usize);
    for (got, want) in loss.iter().zip(&want[1..]) {
        assert!((f64::from(*got) - want).abs() < 2e-5, "{size:?}: {loss:?} instead of {want:?}");
    }
    let scale = want_v.as_flattened().iter().fold(0.0f64, |m, v| m.max(v.abs()));
    let (plane, pitch) = (plane_len(size[0], size[1]), (tiles(size[0], size[1])[0] * TILE) as usize);
    for (at, got) in v.iter().enumerate() {
        let (c, y, x) = (at / plane, at % plane / pitch, at % plane % pitch);
        let want = match (c, x < width && y < height) {
            (0..3, true) => want_v[y * width + x][c],
            // The loss does not depend on alpha.
            _ => 0.0,
        };
        let error = (f64::from(*got) - want).abs();
        assert!(error <= 2e-4 * scale, "{size:?} channel {c} ({x}, {y}): {got} instead of {want}");
    }
}

#[test]
fn matches_the_definition_at_any_size() {
    for gpu in [Mask::default(), Mask::ALL].map(|mask| Gpu::open(&Choice::Best, mask).unwrap()) {
        // Of less than a line and a strip to several.
        for size in [[1, 1], [10, 30], [11, 11], [16, 16], [33, 12], [64, 29], [12, 64], [119, 75], [54, 140]] {
            check(&gpu, size, 0.2);
        }
        check(&gpu, [21, 18], 1.0);
        check(&gpu, [21, 18], 0.0);
    }
}

/// Weights of 0 to 1 multiply both pictures; what is hidden may be anything.
#[test]
fn hidden_pixels_have_neither_loss_nor_gradient() {
    let gpus = [Mask::default(), Mask::ALL].map(|mask| Gpu::open(&Choice::Best, mask).unwrap());
    for (gpu, size) in gpus.iter().flat_map(|gpu| [[1, 1], [33, 26], [71, 29]].map(|size| (gpu, size))) {
        let (width, height) = (size[0] as usize, size[1] as usize);
        let (targets, rendered) = pictures(width, height, 9);
        let weight = |i: usize| [255u32, 0, 255, 100][i % width / 7 % 4];
        let masked: Vec<u32> = (0..targets.len())
            .map(|i| {
                let level = |c: u32| (targets[i] >> (8 * c) & 255) * weight(i) / 255;
                level(0) | level(1) << 8 | level(2) << 16 | weight(i) << 24
            })
            .collect();
        let (loss, v) = run(gpu, &rendered, (&masked, true), size, 0.2);
        let factor = |i: usize| f64::from(weight(i)) / 255.0;
        let weighted = |pixels: Rgb| {
            pixels.into_iter().enumerate().map(|(i, pixel)| pixel.map(|v| v * factor(i))).collect::<Rgb>()
        };
        let (want, want_v) = twin(&weighted(to_f64(&rendered)), &unpack(&masked), width, height, 0.2);
        compare(&loss, &v, &want, &weighted(want_v), size);
        let hidden: Vec<[f32; 3]> =
            rendered.iter().enumerate().map(|(i, p)| if weight(i) == 0 { [0.7, -3.0, 9.0] } else { *p }).collect();
        assert_eq!(run(gpu, &hidden, (&masked, true), size, 0.2), (loss, v));
    }
}

#[test]
fn the_twin_agrees_with_finite_differences() {
    let (width, height) = (13, 12);
    let (targets, rendered) = pictures(width, height, 3);
    let (t, a) = (unpack(&targets), to_f64(&rendered));
    let (_, v) = twin(&a, &t, width, height, 0.2);
    for (i, c) in [(0, 0), (40, 1), (77, 2), (155, 0)] {
        let at = |step: f64| {
            let mut moved = a.clone();
            moved[i][c] += step;
            twin(&moved, &t, width, height, 0.2).0[0]
        };
        let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
        assert!((difference - v[i][c]).abs() < 1e-6 * v[i][c].abs().max(1e-3), "{difference} {}", v[i][c]);
    }
}

#[test]
fn the_twin_agrees_with_reference_data() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/golden/splat_00.safetensors");
    let Ok(bytes) = std::fs::read(path) else {
        eprintln!("skipped: no reference data at {path}");
        return;
    };
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let tensor = |name: &str| bytemuck::pod_collect_to_vec::<u8, f32>(file.tensor(name).unwrap().data());
    let rgb = |name: &str| to_f64(tensor(name).as_chunks::<3>().0);
    let shape = file.tensor("image").unwrap().shape().to_vec();
    let (found, v) = twin(&rgb("image"), &rgb("target"), shape[1], shape[0], 0.2);
    for (name, found) in ["loss", "l1", "ssim"].into_iter().zip(found) {
        assert!((found - f64::from(tensor(name)[0])).abs() < 1e-6, "{name}");
    }
    for (found, want) in v.as_flattened().iter().zip(tensor("grad_loss.image")) {
        assert!((found - f64::from(want)).abs() < 1e-9, "{found} {want}");
    }
}
