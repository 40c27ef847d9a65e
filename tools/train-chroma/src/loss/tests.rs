use super::*;
use burn::tensor::Device;
use rand::{RngExt, SeedableRng, rngs::StdRng};

fn image(shape: [usize; 4], values: Vec<f32>, device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn noise(shape: [usize; 4], seed: u64) -> Vec<f32> {
    let mut random = StdRng::seed_from_u64(seed);
    (0..shape.iter().product()).map(|_| random.random_range(0.2..0.8)).collect()
}

fn value(x: Tensor<1>) -> f64 {
    f64::from(x.into_scalar::<f32>())
}

fn plain_maps(n: usize, h: usize, w: usize, device: &Device) -> Maps {
    Maps { mul: Tensor::ones([n, 1, h, w], device), add: Tensor::zeros([n, 3, h, w], device) }
}

#[test]
fn constant_offset_by_hand() {
    let (device, shape) = (Device::flex(), [2, 3, 12, 14]);
    let truth = image(shape, vec![0.5; 2 * 3 * 12 * 14], &device);
    let found = truth.clone() + 0.1;
    let difference = found.clone() - truth.clone();
    assert!((value(charbonnier(&difference)) - (0.01f64 + 1e-6).sqrt()).abs() < 1e-6);
    // The same offset of red, green and blue has no color.
    assert!((value(color(&difference)) - 0.02).abs() < 1e-6);
    // Flat truth: no edges. Flat prediction: all of it is as bright as its brightest.
    assert!(value(edges(&truth).narrow(2, 1, 10).narrow(3, 1, 12).max()) < 1e-6);
    assert!((value(bright(&found).mean()) - 1.0).abs() < 1e-6);
    let maps = plain_maps(2, 12, 14, &device);
    assert!((value(total(&truth, &truth, &truth, &maps)) - 1e-3).abs() < 1e-5);
}

#[test]
fn blue_and_red_differences_by_hand() {
    let device = Device::flex();
    let difference = image([1, 3, 1, 1], vec![0.3, 0.1, -0.2], &device);
    let y = 0.299 * 0.3 + 0.587 * 0.1 - 0.114 * 0.2;
    let expected = ((0.564f64 * (-0.2 - y)).abs() + (0.713 * (0.3 - y)).abs()) / 2.0 + 0.2 * y;
    assert!((value(color(&difference)) - expected).abs() < 1e-6);
}

#[test]
fn variation_and_regularity_by_hand() {
    let device = Device::flex();
    let ramp = image([1, 1, 2, 3], vec![0.0, 0.1, 0.2, 0.0, 0.1, 0.2], &device);
    assert!((value(total_variation(&ramp)) - 0.1).abs() < 1e-6);
    let maps = Maps { mul: ramp.clone() + 1.0, add: Tensor::zeros([1, 3, 2, 3], &device) };
    let l1 = |v: f32| Tensor::from_data(TensorData::new(vec![v], [1]), &device);
    assert!((value(regularity(&maps, l1(0.5), l1(0.2))) - (0.1 + 0.05 + 0.03)).abs() < 1e-6);
    assert!((value(regularity(&maps, l1(0.1), l1(0.2))) - 0.15).abs() < 1e-6);
    assert_eq!(value(total_variation(&Tensor::ones([1, 1, 1, 1], &device))), 0.0);
}

/// One window after the other, in f64.
fn ssim_of_definition(x: &[f32], y: &[f32], [n, c, h, w]: [usize; 4]) -> f64 {
    let kernel: Vec<f64> = (-5..=5).map(|i: i32| (-f64::from(i * i) / 4.5).exp()).collect();
    let norm = kernel.iter().sum::<f64>().powi(2);
    let mut total = 0.0;
    for plane in 0..n * c {
        for (row, column) in (0..h).flat_map(|row| (0..w).map(move |column| (row, column))) {
            let mut moments = [0.0; 5];
            for (i, a) in kernel.iter().enumerate() {
                for (j, b) in kernel.iter().enumerate() {
                    let (Some(v), Some(u)) = ((row + i).checked_sub(5), (column + j).checked_sub(5)) else { continue };
                    if v < h && u < w {
                        let at = (plane * h + v) * w + u;
                        let (p, q) = (f64::from(x[at]), f64::from(y[at]));
                        let terms = [p, q, p * p, q * q, p * q];
                        moments.iter_mut().zip(terms).for_each(|(m, t)| *m += a * b / norm * t);
                    }
                }
            }
            let [mx, my, xx, yy, xy] = moments;
            let top = (2.0 * mx * my + 1e-4) * (2.0 * (xy - mx * my) + 9e-4);
            total += top / ((mx * mx + my * my + 1e-4) * (xx - mx * mx + yy - my * my + 9e-4));
        }
    }
    total / (n * c * h * w) as f64
}

#[test]
fn ssim_is_its_definition() {
    let (device, shape) = (Device::flex(), [2, 3, 13, 9]);
    let (x, y) = (noise(shape, 1), noise(shape, 2));
    let found = value(ssim(&image(shape, x.clone(), &device), &image(shape, y.clone(), &device)));
    assert!((found - ssim_of_definition(&x, &y, shape)).abs() < 1e-5);
}

#[test]
fn sobel_is_its_definition() {
    let (device, shape, h, w) = (Device::flex(), [1, 1, 6, 7], 6i32, 7i32);
    let x = noise(shape, 3);
    let at = |v: i32, u: i32| if v < 0 || u < 0 || v >= h || u >= w { 0.0 } else { f64::from(x[(v * w + u) as usize]) };
    let mut expected = 0.0;
    for (v, u) in (0..h).flat_map(|v| (0..w).map(move |u| (v, u))) {
        let across = |d: i32| at(v - 1, u + d) + 2.0 * at(v, u + d) + at(v + 1, u + d);
        let down = |d: i32| at(v + d, u - 1) + 2.0 * at(v + d, u) + at(v + d, u + 1);
        expected += (across(1) - across(-1)).abs() + (down(1) - down(-1)).abs();
    }
    let found = value(sobel(&image(shape, x.clone(), &device)));
    assert!((found - expected / 42.0).abs() < 1e-5);
}

#[test]
fn gradient_is_the_slope() {
    let (device, shape) = (Device::flex().autodiff(), [2, 3, 16, 12]);
    let truth = image(shape, noise(shape, 4), &device);
    let naka = image(shape, noise(shape, 5), &device);
    // Away from the truth, so that no absolute value changes its sign on the way.
    let start: Vec<f32> =
        noise(shape, 4).iter().zip(noise(shape, 6)).map(|(t, v)| t + (v - 0.5).signum() * 0.1 + 0.05 * v).collect();
    let direction: Vec<f32> = noise(shape, 7).iter().map(|v| v - 0.5).collect();
    let maps = plain_maps(2, 16, 12, &device);
    let at = |step: f32| {
        let values = start.iter().zip(&direction).map(|(v, d)| v + step * d).collect();
        let found = image(shape, values, &device).require_grad();
        (total(&found, &truth, &naka, &maps), found)
    };
    let (loss, found) = at(0.0);
    let gradient = found.grad(&loss.backward()).unwrap().into_data().try_to_vec::<f32>().unwrap();
    let along: f64 = gradient.iter().zip(&direction).map(|(g, d)| f64::from(g * d)).sum();
    let step = 1e-3;
    let slope = (value(at(step).0) - value(at(-step).0)) / (2.0 * f64::from(step));
    assert!((along - slope).abs() < 0.05 * slope.abs(), "{along} {slope}");
}
