//! Resizing and separable filters as products with small matrices: `Y · x · Xᵀ` for every plane of a picture.

use burn::tensor::{Device, Tensor, TensorData};

/// The matrix [to, from] of bilinear resizing with `align_corners = false`, edges repeated.
pub fn bilinear(from: usize, to: usize, device: &Device) -> Tensor<2> {
    let scale = from as f32 / to as f32;
    matrix(to, from, device, |row, add| {
        let position = ((row as f32 + 0.5) * scale - 0.5).max(0.0);
        let left = (position as usize).min(from - 1);
        let part = position - left as f32;
        add(left, 1.0 - part);
        add((left + 1).min(from - 1), part);
    })
}

/// The matrix [size, size] of a filter with odd length, zeros beyond the borders.
pub fn filter(kernel: &[f32], size: usize, device: &Device) -> Tensor<2> {
    let half = kernel.len() / 2;
    matrix(size, size, device, |row, add| {
        for (tap, &weight) in kernel.iter().enumerate() {
            if let Some(column) = (row + tap).checked_sub(half).filter(|column| *column < size) {
                add(column, weight);
            }
        }
    })
}

/// A normalized Gaussian of odd length.
pub fn gaussian(length: usize, sigma: f32) -> Vec<f32> {
    let center = (length / 2) as f32;
    let values: Vec<f32> = (0..length).map(|i| (-0.5 * ((i as f32 - center) / sigma).powi(2)).exp()).collect();
    let sum: f32 = values.iter().sum();
    values.into_iter().map(|v| v / sum).collect()
}

/// `rows · x · columnsᵀ` for every plane of `x` [N, C, H, W].
pub fn apply(x: Tensor<4>, rows: &Tensor<2>, columns: &Tensor<2>) -> Tensor<4> {
    let [n, c, h, w] = x.dims();
    let [to_h, to_w] = [rows.dims()[0], columns.dims()[0]];
    let wide = x.reshape([n * c * h, w]).matmul(columns.clone().transpose());
    let tall = rows.clone().unsqueeze::<3>().matmul(wide.reshape([n * c, h, to_w]));
    tall.reshape([n, c, to_h, to_w])
}

fn matrix(rows: usize, columns: usize, device: &Device, fill: impl Fn(usize, &mut dyn FnMut(usize, f32))) -> Tensor<2> {
    let mut values = vec![0.0f32; rows * columns];
    for row in 0..rows {
        fill(row, &mut |column, weight| values[row * columns + column] += weight);
    }
    Tensor::from_data(TensorData::new(values, [rows, columns]), device)
}
