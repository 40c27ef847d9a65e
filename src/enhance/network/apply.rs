//! The maps on an image: frequency decoupling, and the guided enlargement of maps smaller than the image.

use super::Maps;
use crate::capture::Image;
use crate::error::Result;
use crate::gpu::{Gpu, Kernel, Recorder, WORKGROUP};
use bytemuck::{Pod, Zeroable};

/// Standard deviation of the Gaussian that separates low from high frequencies, and its radius in pixels.
const SIGMA: f64 = 1.0;
const REACH: u32 = 2;
/// Color difference at which a sample of a smaller map has weight 1/√e.
const COLOR_SIGMA: f64 = 0.1;
/// Pixels in one piece: 12 MiB an image, so that any size fits every adapter's bindings.
const PIECE: u32 = 1 << 20;

pub struct Apply {
    plain: Kernel,
    guided: Kernel,
    piece: u32,
}

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    width: u32,
    height: u32,
    lit_first: u32,
    lit_rows: u32,
    result_first: u32,
    result_rows: u32,
    map_width: u32,
    map_height: u32,
    map_first: u32,
    padding: u32,
    scale: [f32; 2],
}

impl Apply {
    pub fn new(gpu: &Gpu) -> Result<Self> {
        let taps = [0.0f64, 1.0, 2.0].map(|d| (-d * d / (2.0 * SIGMA * SIGMA)).exp());
        let sum = taps[0] + 2.0 * (taps[1] + taps[2]);
        let taps = taps.map(|tap| format!("{:.9}", tap / sum));
        let range = format!("{:.6}", 1.0 / (2.0 * COLOR_SIGMA * COLOR_SIGMA));
        let mut defines = vec![("TAP_0", taps[0].as_str()), ("TAP_1", &taps[1]), ("TAP_2", &taps[2])];
        let plain = gpu.kernel("enhance/network/apply", &defines)?;
        defines.extend([("RANGE", range.as_str()), ("GUIDED", "true")]);
        let guided = gpu.kernel("enhance/network/apply", &defines)?;
        Ok(Self { plain, guided, piece: PIECE })
    }

    #[cfg(test)]
    pub fn with_pieces_of(self, piece: u32) -> Self {
        Self { piece, ..self }
    }

    /// `lit` with `maps`.
    pub fn run(&self, gpu: &Gpu, maps: &Maps, lit: &Image) -> Result<Image> {
        let mut result = Image { pixels: Vec::with_capacity(lit.pixels.len()), ..*lit };
        let rows = (self.piece / lit.width.max(1)).max(1);
        for first in (0..lit.height).step_by(rows as usize) {
            result.pixels.extend(piece(self, gpu, maps, lit, [first, rows.min(lit.height - first)])?);
        }
        Ok(result)
    }
}

/// Rows `first` to `first + rows` of the result.
fn piece(kernels: &Apply, gpu: &Gpu, maps: &Maps, lit: &Image, [first, rows]: [u32; 2]) -> Result<Vec<[f32; 3]>> {
    let (lit_first, lit_end) = (first.saturating_sub(REACH), (first + rows + REACH).min(lit.height));
    let same = (maps.width, maps.height) == (lit.width, lit.height);
    let scale = [ratio(maps.width, lit.width), ratio(maps.height, lit.height)];
    let (map_first, map_end) = if same {
        (first, first + rows)
    } else {
        let row = |y: u32| (y as f32 + 0.5) * scale[1] - 0.5;
        let (top, bottom) = (row(first) - 2.0, row(first + rows) + 3.0);
        ((top.max(0.0) as u32).min(maps.height - 1), (bottom.ceil() as u32).clamp(1, maps.height))
    };
    let params = Params {
        width: lit.width,
        height: lit.height,
        lit_first,
        lit_rows: lit_end - lit_first,
        result_first: first,
        result_rows: rows,
        map_width: maps.width,
        map_height: maps.height,
        map_first,
        padding: 0,
        scale,
    };
    let params = gpu.upload("network.params", &[params])?;
    let range = map_first as usize * maps.width as usize..map_end as usize * maps.width as usize;
    let packed: Vec<[f32; 4]> =
        maps.mul[range.clone()].iter().zip(&maps.add[range.clone()]).map(|(m, a)| [*m, a[0], a[1], a[2]]).collect();
    let packed = gpu.upload("network.maps", &packed)?;
    let pixels = &lit.pixels[(lit_first * lit.width) as usize..(lit_end * lit.width) as usize];
    let pixels = gpu.upload("network.lit", pixels.as_flattened())?;
    let result = gpu.buffer::<f32>("network.result", 3 * (rows * lit.width) as usize)?;
    let guide = gpu.upload("network.guide", if same { &[] } else { maps.guide[range].as_flattened() })?;
    let mut bindings = vec![params.binding(), pixels.binding(), packed.binding(), result.binding()];
    if !same {
        bindings.push(guide.binding());
    }
    let mut recorder = Recorder::new(gpu);
    let kernel = if same { &kernels.plain } else { &kernels.guided };
    recorder.dispatch(kernel, &bindings, (rows * lit.width).div_ceil(WORKGROUP));
    recorder.submit();
    Ok(gpu.read(&result)?.as_chunks().0.to_vec())
}

fn ratio(map: u32, image: u32) -> f32 {
    (f64::from(map) / f64::from(image.max(1))) as f32
}
