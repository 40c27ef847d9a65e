// Sums of floats that do not depend on their order: 64-bit integers in two words, low word first.
//
// Integers add up to the same whatever comes first; floats do not. The unit of a sum is 2^-FRACTION_BITS of the gradient
// of a pixel (1 / values of the image) and, for sums of products of w, of the inverse of the splat's own extent, so that
// wide and narrow, near and far splats alike lose no digit that a float has.
#import common/view
#import common/splat_gradients

const FRACTION_BITS = 26;
// Half of the exponent range is left for the sum of the addends.
const LARGEST_ADDEND = 1.8014399e16; // 2^54
const WORD = 4294967296.0; // 2^32

// 2^e for exponents of normal floats, exactly.
fn power_of_two(e: i32) -> f32 {
    return bitcast<f32>(u32(clamp(e + 127, 1, 254)) << 23u);
}

// Half the binary exponent of a positive float.
fn half_exponent(x: f32) -> i32 {
    return (i32((bitcast<u32>(x) >> 23u) & 255u) - 127) >> 1u;
}

// Binary exponent of what a component of splat_gradients is multiplied by. `conic` of the splat: 1 / √conic.x is its extent
// along x, as integers take it.
fn unit_exponent(size: vec2u, conic: vec3f, component: u32) -> i32 {
    let whole = FRACTION_BITS + i32(32u - countLeadingZeros(3u * size.x * size.y));
    let x = half_exponent(conic.x);
    let y = half_exponent(conic.z);
    switch component {
        case G_WX: { return whole - x; }
        case G_WY: { return whole - y; }
        case G_WXWX: { return whole - 2 * x; }
        case G_WXWY: { return whole - x - y; }
        case G_WYWY: { return whole - 2 * y; }
        case G_APART: { return whole - max(x, y); }
        default: { return whole; }
    }
}

// A number of units as two's complement, rounded to whole ones. NaN is nothing.
fn to_fixed(units: f32) -> vec2u {
    let whole = round(abs(units));
    if !(whole >= 1.0) { return vec2u(); }
    let magnitude = min(whole, LARGEST_ADDEND);
    let high = floor(magnitude / WORD);
    let word = vec2u(u32(magnitude - high * WORD), u32(high));
    if units >= 0.0 { return word; }
    let low = ~word.x + 1u;
    return vec2u(low, ~word.y + u32(low == 0u));
}

fn from_fixed(word: vec2u) -> f32 {
    if word.y < 0x80000000u { return f32(word.y) * WORD + f32(word.x); }
    let low = ~word.x + 1u;
    return -(f32(~word.y + u32(low == 0u)) * WORD + f32(low));
}
