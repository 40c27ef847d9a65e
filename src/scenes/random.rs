//! Random numbers that are the same on every machine and for any number of threads.
//!
//! Every sample has its own stream, named by what it belongs to (seed, view, pixel), instead of a place in one long
//! stream. The generator is SplitMix64 (Steele, Lea, Flood 2014).

use std::f64::consts::TAU;

/// A stream of random numbers.
pub struct Random(u64);

impl Random {
    /// The stream that belongs to `keys`.
    pub fn new(keys: &[u64]) -> Self {
        Self(keys.iter().fold(0x243F_6A88_85A3_08D3, |state, key| mix(state ^ mix(key.wrapping_add(0x9E37_79B9)))))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mix(self.0)
    }

    /// Uniform in [0, 1).
    pub fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 24) as f32
    }

    /// Normal, mean 0, variance 1 (Box, Muller 1958).
    pub fn normal(&mut self) -> f64 {
        let open = ((self.next() >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
        (-2.0 * open.ln()).sqrt() * (TAU * f64::from(self.unit())).cos()
    }

    /// A count with the given mean: by multiplication (Knuth) where it is small, where it is large by the normal
    /// distribution of equal mean and variance.
    pub fn poisson(&mut self, mean: f64) -> f64 {
        if mean > 30.0 {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0);
        }
        let limit = (-mean).exp();
        let mut product = 1.0;
        for count in 0..200 {
            product *= f64::from(self.unit());
            if product <= limit {
                return f64::from(count);
            }
        }
        200.0
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The value of a point of an integer lattice, uniform in [0, 1).
pub fn lattice(x: i32, y: i32, seed: u32) -> f32 {
    let mut h =
        (x as u32).wrapping_mul(0x8DA6_B343) ^ (y as u32).wrapping_mul(0xD816_3841) ^ seed.wrapping_mul(0xCB1A_B31F);
    h = (h ^ (h >> 16)).wrapping_mul(0x7FEB_352D);
    h = (h ^ (h >> 15)).wrapping_mul(0x846C_A68B);
    ((h ^ (h >> 16)) >> 8) as f32 / (1u32 << 24) as f32
}

/// Smooth noise of wavelength 1, values in [0, 1).
pub fn smooth_noise(x: f32, y: f32, seed: u32) -> f32 {
    let (fx, fy) = (x.floor(), y.floor());
    let (ix, iy) = (fx as i32, fy as i32);
    let ease = |t: f32| t * t * (3.0 - 2.0 * t);
    let (tx, ty) = (ease(x - fx), ease(y - fy));
    let row = |j: i32| {
        let (a, b) = (lattice(ix, iy + j, seed), lattice(ix + 1, iy + j, seed));
        a + (b - a) * tx
    };
    let (a, b) = (row(0), row(1));
    a + (b - a) * ty
}

/// Four octaves of smooth noise, from wavelength 1 to 1/8, values in [0, 1).
pub fn rough_noise(x: f32, y: f32, seed: u32) -> f32 {
    let octave = |k: u32| {
        let f = (1u32 << k) as f32;
        smooth_noise(x * f, y * f, seed.wrapping_add(k)) / f
    };
    (octave(0) + octave(1) + octave(2) + octave(3)) / 1.875
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_the_distributions() {
        for mean in [0.0, 0.3, 4.0, 29.0, 31.0, 500.0] {
            let draws: Vec<f64> = (0..20_000).map(|i| Random::new(&[7, i]).poisson(mean)).collect();
            let average = draws.iter().sum::<f64>() / 2e4;
            let variance = draws.iter().map(|d| (d - average).powi(2)).sum::<f64>() / 2e4;
            assert!((average - mean).abs() <= 5.0 * (mean / 2e4).sqrt(), "mean {average} of {mean}");
            assert!((variance - mean).abs() <= 0.06 * mean, "variance {variance} of {mean}");
        }
        let mut stream = Random::new(&[1]);
        let square = (0..20_000).map(|_| stream.normal().powi(2)).sum::<f64>() / 2e4;
        assert!((square - 1.0).abs() < 0.05);
    }

    #[test]
    fn streams_differ_and_repeat() {
        assert_eq!(Random::new(&[1, 2]).next(), Random::new(&[1, 2]).next());
        assert_ne!(Random::new(&[1, 2]).next(), Random::new(&[2, 1]).next());
        assert_eq!(smooth_noise(3.2, -7.9, 5), smooth_noise(3.2, -7.9, 5));
        assert_eq!(smooth_noise(3.0, -8.0, 5), lattice(3, -8, 5));
        let values: Vec<f32> = (0..5000).map(|i| rough_noise(i as f32 * 0.37, i as f32 * 0.11, 3)).collect();
        assert!(values.iter().all(|v| (0.0..1.0).contains(v)));
        assert!((values.iter().sum::<f32>() / 5000.0 - 0.5).abs() < 0.05);
    }
}
