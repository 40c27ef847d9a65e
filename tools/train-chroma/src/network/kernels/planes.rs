//! Pictures with a border of zeros, laid out so that a 3×3 convolution is nine shifted, contiguous reads.
//!
//! Each row ends in its border, so that a whole channel is one long vector: for an output at position `p` of that
//! vector, the input under a tap of the kernel lies at `p + offset(tap)`, whatever the row. The positions of the border
//! hold no output. For stride 2 the even and odd rows and columns are four such planes.

use wide::f32x16;

/// Lanes of a vector.
pub const LANES: usize = 16;
/// Vectors that one block of outputs spans.
pub const SPAN: usize = 2;

/// How one convolution lies in memory.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    pub pictures: usize,
    pub inputs: usize,
    pub outputs: usize,
    /// Size of the input.
    pub height: usize,
    pub width: usize,
    /// 1 or 2.
    pub stride: usize,
}

impl Shape {
    /// Height and width of the output.
    pub fn output_size(&self) -> (usize, usize) {
        (self.height.div_ceil(self.stride), self.width.div_ceil(self.stride))
    }

    /// Length of a row of a plane.
    fn row(&self) -> usize {
        self.output_size().1 + if self.stride == 1 { 2 } else { 1 }
    }

    /// Positions that the outputs span, from the first to the last.
    fn span(&self) -> usize {
        let (height, width) = self.output_size();
        (height - 1) * self.row() + width
    }

    /// [`Self::span`] in whole blocks.
    pub fn length(&self) -> usize {
        self.span().next_multiple_of(LANES * SPAN)
    }

    /// Length of one of the `stride²` planes of a channel, with room for the last block's reads.
    fn plane(&self) -> usize {
        self.length() + self.row() * 2 + 2
    }

    /// Where the inputs of the nine taps of channel `c` lie, relative to the output's position.
    pub fn offsets(&self, c: usize) -> [usize; 9] {
        let (plane, row, stride) = (self.plane(), self.row(), self.stride);
        std::array::from_fn(|tap| {
            let (ky, kx) = (tap / 3, tap % 3);
            let part = (ky % stride) * stride + kx % stride;
            (c * stride * stride + part) * plane + (ky / stride) * row + kx / stride
        })
    }

    /// The planes of one picture with `channels` × height × width values.
    pub fn planes(&self, picture: &[f32], channels: usize) -> Vec<f32> {
        let (stride, plane, row) = (self.stride, self.plane(), self.row());
        let mut planes = vec![0.0; channels * stride * stride * plane];
        for (line, values) in picture.chunks_exact(self.width).enumerate() {
            let (c, y) = (line / self.height, line % self.height + 1);
            for part in 0..stride {
                // Column x of the picture is column x + 1 of the bordered one.
                let first = (part + stride - 1) % stride;
                let start = (c * stride * stride + (y % stride) * stride + part) * plane + (y / stride) * row;
                let start = start + (first + 1) / stride;
                if stride == 1 {
                    planes[start..start + values.len()].copy_from_slice(values);
                } else {
                    for (to, from) in
                        planes[start..].iter_mut().zip(values[first.min(values.len())..].iter().step_by(2))
                    {
                        *to = *from;
                    }
                }
            }
        }
        planes
    }

    /// Values of an output channel (height × width) at their positions, zeros between.
    pub fn spread(&self, channel: &[f32], to: &mut [f32]) {
        let width = self.output_size().1;
        for (from, to) in channel.chunks_exact(width).zip(to.chunks_mut(self.row())) {
            to[..width].copy_from_slice(from);
        }
    }

    /// The opposite of [`Self::spread`].
    pub fn gather(&self, from: &[f32], channel: &mut [f32]) {
        let width = self.output_size().1;
        for (to, from) in channel.chunks_exact_mut(width).zip(from.chunks(self.row())) {
            to.copy_from_slice(&from[..width]);
        }
    }
}

/// The vector at `start`.
#[inline(always)]
pub fn load(values: &[f32], start: usize) -> f32x16 {
    match values[start..].first_chunk::<LANES>() {
        Some(lanes) => f32x16::new(*lanes),
        None => f32x16::ZERO,
    }
}

/// The block of vectors at `start`.
#[inline(always)]
pub fn load_span(values: &[f32], start: usize) -> [f32x16; SPAN] {
    let Some(lanes) = values[start..].first_chunk::<{ LANES * SPAN }>() else { return [f32x16::ZERO; SPAN] };
    let ([first, second], _) = lanes.as_chunks::<LANES>() else { return [f32x16::ZERO; SPAN] };
    [f32x16::new(*first), f32x16::new(*second)]
}
