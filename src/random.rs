//! Random numbers that depend on a seed and a counter only, so that it does not matter which thread asks for them, or
//! in which order.

/// A number in [0, 1) for `seed` and the counters (SplitMix64, Steele et al. 2014).
pub fn uniform(seed: u64, stream: u64, index: u64) -> f64 {
    (hash(seed, stream, index) >> 11) as f64 / (1u64 << 53) as f64
}

/// 64 random bits for `seed` and the counters.
pub fn hash(seed: u64, stream: u64, index: u64) -> u64 {
    mix(mix(mix(seed) ^ stream) ^ index)
}

fn mix(value: u64) -> u64 {
    let z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_uniform_over_each_counter() {
        for pick in [|i| uniform(i, 3, 5), |i| uniform(3, i, 5), |i| uniform(3, 5, i)] as [fn(u64) -> f64; 3] {
            let values: Vec<f64> = (0..20_000).map(pick).collect();
            let mean = values.iter().sum::<f64>() / 2e4;
            let square = values.iter().map(|v| v * v).sum::<f64>() / 2e4;
            let neighbors = values.windows(2).map(|w| w[0] * w[1]).sum::<f64>() / 2e4;
            assert!((mean - 0.5).abs() < 0.01 && (square - 1.0 / 3.0).abs() < 0.01 && (neighbors - 0.25).abs() < 0.01);
        }
    }
}
