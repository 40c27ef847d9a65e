pub mod whole;

use super::convolution::Fused;
use super::kernels::Channels;
use super::layers::{Conv, Norm};
use super::planes::{Planes, View};
use super::reference::{self, Tensor};
use super::*;
use crate::gpu::{self, Buffer, Gpu, Mask, Recorder};
use std::sync::OnceLock;

fn gpus() -> &'static [Gpu; 2] {
    static GPUS: OnceLock<[Gpu; 2]> = OnceLock::new();
    GPUS.get_or_init(|| [Mask::default(), Mask::ALL].map(|mask| Gpu::open(&gpu::Choice::Best, mask).unwrap()))
}

fn gpu() -> &'static Gpu {
    &gpus()[0]
}

/// −1 to 1, the same for the same numbers.
fn noise(i: usize) -> f32 {
    let i = (i as u32).wrapping_mul(2_654_435_761);
    ((i ^ (i >> 15)).wrapping_mul(0x2c1b_3c6d) >> 8) as f32 / (1 << 23) as f32 - 1.0
}

fn noises(count: usize, seed: usize) -> Vec<f32> {
    (0..count).map(|i| noise(i + 7919 * seed)).collect()
}

fn tensor(channels: usize, height: usize, width: usize) -> Tensor {
    Tensor::from_fn(channels, height, width, |c, y, x| f64::from(noise((c * height + y) * width + x) + 0.3 * c as f32))
}

/// A tensor of one image on the device: the channels in `view` hold `values`, borders and halo rows as passes keep them.
fn upload(gpu: &Gpu, grid: &Grid, level: usize, channels: usize, first: usize, values: &Tensor) -> Planes {
    let planes = Planes::new(gpu, grid, level, channels).unwrap();
    for (i, band) in grid.bands(level).iter().enumerate() {
        let pitch = band.width as usize + 2;
        for row in 0..band.rows as usize {
            for c in 0..values.channels {
                let line: Vec<f32> =
                    (0..values.width).map(|x| values.at(c, band.first as usize + row, x) as f32).collect();
                planes.buffer(i).write(gpu, ((row + 1) * channels + first + c) * pitch + 1, &line);
            }
        }
    }
    let mut recorder = Recorder::new(gpu);
    planes.exchange(&mut recorder, grid);
    recorder.submit();
    planes
}

/// Reads some channels back; fails where a border or a surplus row was written to.
fn download(gpu: &Gpu, grid: &Grid, view: View<'_>) -> Tensor {
    let bands = grid.bands(view.planes.level);
    let (width, height) = (bands[0].width as usize, bands[0].height as usize);
    let (pitch, channels) = (width + 2, view.planes.channels);
    let mut out = Tensor::from_fn(view.channels, height, width, |_, _, _| 0.0);
    for (i, band) in bands.iter().enumerate() {
        let values = gpu.read(view.buffer(i)).unwrap();
        let first = view.plane(grid, i);
        let first = bytemuck::cast::<_, [u32; 4]>(first)[3] as usize;
        for (at, &value) in values.iter().enumerate() {
            let (row, c, x) = (at / pitch / channels, at / pitch % channels, at % pitch);
            let inside = (1..=band.rows as usize).contains(&row) && (1..=width).contains(&x);
            if inside && (first..first + view.channels).contains(&c) {
                let y = band.first as usize + row - 1;
                out.values[((c - first) * height + y) * width + x - 1] = f64::from(value);
            } else if x == 0 || x > width || row > band.rows as usize + 1 {
                assert_eq!(value, 0.0, "row {row}, channel {c}, column {x} of band {i}");
            }
        }
    }
    out
}

fn assert_near(found: &Tensor, truth: &Tensor, tolerance: f64, what: &str) {
    assert_eq!((found.channels, found.height, found.width), (truth.channels, truth.height, truth.width), "{what}");
    for (i, (a, b)) in found.values.iter().zip(&truth.values).enumerate() {
        assert!((a - b).abs() <= tolerance, "{what}: {a} instead of {b} at {i}");
    }
}

fn channels<'a>(grid: &Grid, view: View<'a>, band: usize) -> Channels<'a> {
    Channels { plane: view.plane(grid, band), buffer: view.buffer(band) }
}

#[test]
fn convolutions_equal_the_definition() {
    for gpu in gpus() {
        let kernels = Convolutions::new(gpu).unwrap();
        for (width, height, rows, inputs, outputs, stride) in [
            (1, 1, 8, 1, 1, 1),
            (13, 9, 8, 6, 18, 1),
            (67, 29, 16, 18, 8, 1),
            (5, 40, 1000, 3, 6, 1),
            (1, 1, 8, 2, 9, 2),
            (13, 9, 8, 6, 18, 2),
            (66, 30, 16, 3, 8, 2),
            (31, 41, 24, 8, 7, 2),
        ] {
            let grid = Grid::new(&[(width, height)], rows);
            let x = tensor(inputs, height as usize, width as usize);
            let weight = noises(outputs * inputs * 9, 1);
            let layer = Conv::new(gpu, inputs, outputs, &weight).unwrap();
            let level = stride as usize - 1;
            let source = upload(gpu, &grid, 0, inputs + 2, 1, &x);
            let result = Planes::new(gpu, &grid, level, outputs + 3).unwrap();
            let mut recorder = Recorder::new(gpu);
            for band in 0..grid.bands(0).len() {
                let from = channels(&grid, source.part(1, inputs), band);
                let to = channels(&grid, result.part(2, outputs), band);
                kernels.record(&mut recorder, from, (&layer, stride), None, to).unwrap();
            }
            recorder.submit();
            let truth = reference::conv(&x, &weight, outputs, stride as usize);
            let found = download(gpu, &grid, result.part(2, outputs));
            let what = format!("{width} × {height}, {inputs} → {outputs}, stride {stride}");
            assert_near(&found, &truth, 3e-5, &what);
            // Fused: a scale and a bias per channel from the third on, a residual, GELU.
            let affine: Vec<[f32; 2]> =
                (0..2 + outputs.next_multiple_of(8)).map(|c| [noise(c), 0.1 * c as f32]).collect();
            let affine_buffer = gpu.upload("affine", &affine).unwrap();
            let added = truth.map(|v| 0.3 - 0.5 * v);
            let residual = upload(gpu, &grid, level, outputs, 0, &added);
            for with in [false, true] {
                let result = Planes::new(gpu, &grid, level, outputs).unwrap();
                let mut recorder = Recorder::new(gpu);
                for band in 0..grid.bands(0).len() {
                    let from = channels(&grid, source.part(1, inputs), band);
                    let to = channels(&grid, result.all(), band);
                    let residual = with.then(|| residual.buffer(band));
                    let fused = Some(Fused { affine: &affine_buffer, first: 2, residual });
                    kernels.record(&mut recorder, from, (&layer, stride), fused, to).unwrap();
                }
                recorder.submit();
                let expected = Tensor::from_fn(outputs, truth.height, truth.width, |c, y, u| {
                    let [scale, bias] = affine[2 + c].map(f64::from);
                    let v = truth.at(c, y, u) * scale + bias;
                    reference::gelu(if with { v + added.at(c, y, u) } else { v })
                });
                assert_near(&download(gpu, &grid, result.all()), &expected, 3e-5, &format!("fused, {what}"));
            }
        }
    }
}

#[test]
fn group_norm_gelu_and_residuals_equal_the_definition() {
    for gpu in gpus() {
        let kernels = Kernels::new(gpu).unwrap();
        for (width, height, rows, count, residual) in
            [(67, 29, 8, 18, false), (5, 9, 8, 6, true), (1, 1, 8, 1, false), (130, 17, 8, 16, true)]
        {
            let grid = Grid::new(&[(width, height)], rows);
            let groups = layers::groups(count);
            // Far from zero, so that a naive variance would have no digits left.
            let x = tensor(count, height as usize, width as usize).map(|v| v + 300.0);
            let other = tensor(count, height as usize, width as usize).map(|v| -0.7 * v);
            let affine: Vec<[f32; 2]> = (0..count).map(|c| [1.0 + 0.1 * c as f32, noise(c)]).collect();
            let norm = Norm { groups, first: 3, affine: gpu.upload("affine", &affine).unwrap(), folded: 0 };
            let values = upload(gpu, &grid, 0, count, 0, &x);
            let added = residual.then(|| upload(gpu, &grid, 0, count, 0, &other));
            let statistics: Buffer<Moments> = gpu.buffer("statistics", 3 + groups).unwrap();
            let partials = gpu.buffer("partials", grid.blocks(0) as usize * groups).unwrap();
            let mut recorder = Recorder::new(gpu);
            let mut blocks = 0;
            for band in 0..grid.bands(0).len() {
                let from = channels(&grid, values.all(), band);
                let numbers = [groups as u32, (count / groups) as u32, blocks];
                kernels.moments(&mut recorder, from, numbers, &partials).unwrap();
                blocks += from.plane.blocks();
            }
            kernels.moments_total(&mut recorder, &partials, [blocks, groups as u32, 3], &statistics).unwrap();
            for band in 0..grid.bands(0).len() {
                let to = channels(&grid, values.all(), band);
                let added = added.as_ref().map(|a| a.buffer(band));
                kernels.normalize(&mut recorder, to, count, &norm, &statistics, added).unwrap();
            }
            recorder.submit();
            let mut truth = reference::group_norm(&x, groups, &affine);
            if residual {
                truth = truth.plus(&other);
            }
            // 300 has steps of 3e-5 in 32 bits, which the normalization enlarges.
            assert_near(&download(gpu, &grid, values.all()), &truth.map(reference::gelu), 2e-3, "normalize");
            let found = gpu.read(&statistics).unwrap();
            assert_eq!(found[..3], [[0.0; 2]; 3]);
            for (group, moments) in x.values.chunks(x.values.len() / groups).enumerate() {
                let (mean, variance) = reference::moments(moments);
                assert!((f64::from(found[3 + group][0]) - mean).abs() < 1e-4);
                assert!((f64::from(found[3 + group][1]) - variance).abs() < 1e-4 * variance.max(1.0));
            }
        }
    }
}

#[test]
fn squeeze_and_excitation_equals_the_definition() {
    let gpu = gpu();
    let kernels = Kernels::new(gpu).unwrap();
    let (count, hidden, height, width) = (18, 9, 21, 35);
    let grid = Grid::new(&[(width, height)], 8);
    let x = tensor(count, height as usize, width as usize);
    let weights = [noises(hidden * count, 1), noises(hidden, 2), noises(count * hidden, 3), noises(count, 4)];
    let dense = |inputs: usize, outputs: usize, weight: &[f32], bias: &[f32]| layers::Dense {
        inputs,
        outputs,
        weights: gpu.upload("weights", weight).unwrap(),
        bias: gpu.upload("bias", bias).unwrap(),
    };
    let layer = layers::Squeeze {
        first: 2,
        hidden: dense(count, hidden, &weights[0], &weights[1]),
        gates: dense(hidden, count, &weights[2], &weights[3]),
    };
    let means: Vec<f64> = (0..count).map(|c| reference::moments(x.plane(c)).0).collect();
    let moments: Vec<Moments> = [0.0; 2].iter().chain(&means).map(|m| [*m as f32, 9.0]).collect();
    let statistics = gpu.upload("statistics", &moments).unwrap();
    let source = upload(gpu, &grid, 0, count, 0, &x);
    let result = Planes::new(gpu, &grid, 0, count + 4).unwrap();
    let mut recorder = Recorder::new(gpu);
    let gates = kernels.squeeze(&mut recorder, &layer, &statistics).unwrap();
    for band in 0..grid.bands(0).len() {
        let (from, to) = (channels(&grid, source.all(), band), channels(&grid, result.part(4, count), band));
        kernels.scale(&mut recorder, from, count, &gates, to).unwrap();
    }
    recorder.submit();
    let inner: Vec<f64> = reference::dense(&means, &weights[0], &weights[1]).into_iter().map(reference::gelu).collect();
    let gates: Vec<f64> =
        reference::dense(&inner, &weights[2], &weights[3]).into_iter().map(|v| 1.0 / (1.0 + (-v).exp())).collect();
    let truth = Tensor::from_fn(count, x.height, x.width, |c, y, u| x.at(c, y, u) * gates[c]);
    assert_near(&download(gpu, &grid, result.part(4, count)), &truth, 1e-5, "squeeze");
}

#[test]
fn resize_equals_the_definition_for_odd_sizes_in_bands() {
    let gpu = gpu();
    let kernels = Kernels::new(gpu).unwrap();
    let gates = gpu.upload("gates", &[1.0f32, 0.5, 2.0]).unwrap();
    for (width, height, rows) in [(1, 1, 8), (7, 75, 8), (101, 33, 16), (2, 293, 24), (16, 64, 8), (9, 1, 8)] {
        let grid = Grid::new(&[(width, height)], rows);
        for level in [0, 1] {
            let (small, large) = (grid.bands(level + 1), grid.bands(level));
            let x = tensor(3, small[0].height as usize, small[0].width as usize);
            let source = upload(gpu, &grid, level + 1, 3, 0, &x);
            let result = Planes::new(gpu, &grid, level, 5).unwrap();
            let mut recorder = Recorder::new(gpu);
            for band in 0..large.len() {
                let from = (channels(&grid, source.all(), band), &small[band]);
                let to = (channels(&grid, result.all(), band), &large[band]);
                kernels.resize(&mut recorder, from, 3, &gates, to).unwrap();
            }
            recorder.submit();
            let mut truth = reference::resize(&x, large[0].height as usize, large[0].width as usize);
            let size = truth.height * truth.width;
            truth.values.iter_mut().enumerate().for_each(|(i, v)| *v *= [1.0, 0.5, 2.0][i / size]);
            assert_near(&download(gpu, &grid, result.part(0, 3)), &truth, 1e-4, &format!("{width} × {height}"));
        }
    }
}
