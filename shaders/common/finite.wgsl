// Infinities and NaN as 0: by their bits, since compilers may assume that neither occurs.

fn finite(x: f32) -> f32 {
    return select(x, 0.0, (bitcast<u32>(x) & 0x7f800000u) == 0x7f800000u);
}
