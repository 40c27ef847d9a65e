//! Noise by the million: normal enough, fast, and the same on every machine.

/// A stream of nearly normal numbers, mean 0, variance 1: each the sum of four uniform ones (Irwin–Hall).
pub struct Noise(u64);

impl Noise {
    /// The stream that belongs to `keys`.
    pub fn new(keys: [u64; 4]) -> Self {
        Self(keys.iter().fold(0x9E37_79B9_7F4A_7C15, |state, key| mix(state ^ mix(key.wrapping_add(1)))))
    }

    pub fn next(&mut self) -> f32 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let bits = mix(self.0);
        let sum = (bits & 0xFFFF) + (bits >> 16 & 0xFFFF) + (bits >> 32 & 0xFFFF) + (bits >> 48);
        // Four uniform numbers of 0–65535: mean 2 · 65535, variance (65536² - 1) / 3.
        (sum as f32 - 131_070.0) * (1.732_050_8 / 65_536.0)
    }
}

/// SplitMix64 (Steele, Lea, Flood 2014).
fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_the_noise() {
        let mut noise = Noise::new([1, 2, 3, 4]);
        let values: Vec<f64> = (0..200_000).map(|_| f64::from(noise.next())).collect();
        let moment = |power: i32| values.iter().map(|v| v.powi(power)).sum::<f64>() / 2e5;
        assert!(moment(1).abs() < 0.01 && (moment(2) - 1.0).abs() < 0.01 && moment(3).abs() < 0.03);
        let neighbors = values.windows(2).map(|w| w[0] * w[1]).sum::<f64>() / 2e5;
        assert!(neighbors.abs() < 0.01);
        assert_ne!(Noise::new([1, 2, 3, 4]).next(), Noise::new([1, 2, 4, 3]).next());
    }
}
