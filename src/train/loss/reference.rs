//! The loss by its definition, in 64-bit floats, as the reference for its kernels.

/// An image: row-major RGB.
pub type Rgb = Vec<[f64; 3]>;

/// Loss, L1, SSIM and the gradient with respect to `a`, window by window as the definition says.
pub fn twin(a: &Rgb, t: &Rgb, width: usize, height: usize, lambda: f64) -> ([f64; 3], Rgb) {
    let gauss = |d: i64| (-(d as f64).powi(2) / (2.0 * 1.5 * 1.5)).exp();
    let norm: f64 = (-5..=5).map(gauss).sum();
    let mut v = vec![[0.0; 3]; a.len()];
    let (mut l1, mut ssim) = (0.0, 0.0);
    let pixels = 3.0 * a.len() as f64;
    for (i, pixel) in a.iter().enumerate() {
        for c in 0..3 {
            let difference = pixel[c] - t[i][c];
            l1 += difference.abs() / pixels;
            v[i][c] += (1.0 - lambda) / pixels * if difference == 0.0 { 0.0 } else { difference.signum() };
        }
    }
    let interior = 3.0 * width.saturating_sub(10) as f64 * height.saturating_sub(10) as f64;
    for y in 5..height.saturating_sub(5) {
        for x in 5..width.saturating_sub(5) {
            for c in 0..3 {
                let taps: Vec<(usize, f64)> = (-5..=5)
                    .flat_map(|dy: i64| (-5..=5).map(move |dx: i64| (dx, dy)))
                    .map(|(dx, dy)| {
                        let at = (y as i64 + dy) as usize * width + (x as i64 + dx) as usize;
                        (at, gauss(dx) * gauss(dy) / (norm * norm))
                    })
                    .collect();
                let mean = |f: &dyn Fn(usize) -> f64| taps.iter().map(|(at, w)| w * f(*at)).sum::<f64>();
                let (ma, mt) = (mean(&|i| a[i][c]), mean(&|i| t[i][c]));
                let va = mean(&|i| (a[i][c] - ma).powi(2));
                let vt = mean(&|i| (t[i][c] - mt).powi(2));
                let cov = mean(&|i| (a[i][c] - ma) * (t[i][c] - mt));
                let (c1, c2) = (0.01f64.powi(2), 0.03f64.powi(2));
                let (n1, n2) = (2.0 * ma * mt + c1, 2.0 * cov + c2);
                let (d1, d2) = (ma * ma + mt * mt + c1, va + vt + c2);
                let s = n1 * n2 / (d1 * d2);
                ssim += s / interior;
                for &(at, w) in &taps {
                    let ds = 2.0 * mt * n2 / (d1 * d2) - 2.0 * ma * s / d1 + 2.0 * (t[at][c] - mt) * n1 / (d1 * d2)
                        - 2.0 * (a[at][c] - ma) * s / d2;
                    v[at][c] -= lambda / interior * w * ds;
                }
            }
        }
    }
    ([(1.0 - lambda) * l1 + lambda * (1.0 - ssim), l1, ssim], v)
}

/// The colors of a packed target.
pub fn unpack(targets: &[u32]) -> Rgb {
    targets.iter().map(|p| std::array::from_fn(|c| f64::from((p >> (8 * c)) & 255) / 255.0)).collect()
}
