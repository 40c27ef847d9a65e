//! A family of tone curves as cameras' own JPEGs have them.
//!
//! Linear light goes through the sRGB curve and then through a contrast curve in the encoded values: a logistic curve
//! in the logarithm of `v / (1 - v)` mixed with the straight line. The straight part is what remains near black, so it
//! sets how few levels a dark exposure gets; the logistic part lifts the middle and rolls off toward white.
//! With contrast 2.2, balance 0.57 and straight 0.40, lit against dark exposures at 1 : 40 follow the measured curve
//! of green in `exposure-40-plain` within 1 level (rms); the random cameras spread around that.

/// The table covers light from 2^-OCTAVES to 1, each power of two in 256 steps; below, the curve is a straight line.
const OCTAVES: u32 = 20;
const STEPS: u32 = 256;
/// Bits of the lowest light in the table, and of one step.
const LOWEST: u32 = (127 - OCTAVES) << 23;
const STEP_BITS: u32 = 23 - STEPS.ilog2();

/// Linear light (1 is white) to encoded values of 0–1.
#[derive(Clone, Debug)]
pub struct Tone {
    contrast: f32,
    balance: f32,
    straight: f32,
    /// The curve at every step of light: floating-point numbers in order are their bits in order.
    table: Vec<f32>,
}

impl Tone {
    /// `contrast` ≥ 1 is the logistic's slope, `balance` > 0 the odds at its middle, `straight` in 0–1 the share of the
    /// straight line. Contrast 1 and balance 1 make the plain sRGB curve.
    pub fn new(contrast: f32, balance: f32, straight: f32) -> Self {
        let curve = |v: f32| {
            let rising = v.powf(contrast);
            (1.0 - straight) * rising / (rising + (balance * (1.0 - v)).powf(contrast)) + straight * v
        };
        let table = (0..=OCTAVES * STEPS).map(|i| curve(encode_srgb(light_of(i)))).collect();
        Self { contrast, balance, straight, table }
    }

    /// The encoded value of linear `light`; continues straight below 0, clips at white.
    pub fn encode(&self, light: f32) -> f32 {
        let bits = light.clamp(0.0, 1.0).to_bits();
        if bits <= LOWEST {
            return light * self.table[0] / light_of(0);
        }
        let (index, within) = ((bits - LOWEST) >> STEP_BITS, (bits - LOWEST) & ((1 << STEP_BITS) - 1));
        let first = (index as usize).min(self.table.len() - 2);
        let share = if first < index as usize { 1.0 } else { within as f32 / (1u32 << STEP_BITS) as f32 };
        self.table[first] + (self.table[first + 1] - self.table[first]) * share
    }

    /// The linear light of an encoded value, the inverse of [`Self::encode`] up to white.
    pub fn decode(&self, value: f32) -> f32 {
        if value <= self.table[0] {
            return value / self.table[0] * light_of(0);
        }
        let first = self.table.partition_point(|v| *v <= value).clamp(1, self.table.len() - 1) - 1;
        let (low, high) = (self.table[first], self.table[first + 1]);
        let (dim, bright) = (light_of(first as u32), light_of(first as u32 + 1));
        dim + (bright - dim) * ((value - low) / (high - low)).min(1.0)
    }

    /// Slope of [`Self::encode`] at black.
    pub fn toe(&self) -> f32 {
        self.table[0] / light_of(0)
    }

    /// For a line of a report.
    pub fn describe(&self) -> String {
        format!("contrast {:.2}, balance {:.2}, straight {:.2}", self.contrast, self.balance, self.straight)
    }
}

/// Light at entry `index` of the table.
fn light_of(index: u32) -> f32 {
    f32::from_bits(LOWEST + (index << STEP_BITS))
}

/// Linear light to sRGB value (IEC 61966-2-1); the straight part continues below 0.
pub fn encode_srgb(v: f32) -> f32 {
    if v <= 0.003_130_8 { 12.92 * v } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_rise_and_can_be_inverted() {
        for tone in [Tone::new(1.0, 1.0, 0.5), Tone::new(2.2, 0.57, 0.4), Tone::new(3.2, 0.8, 0.25)] {
            for i in -20..=1000 {
                let light = (i as f32 / 1000.0).powi(3) + if i < 0 { -1e-3 } else { 0.0 };
                let value = tone.encode(light);
                assert!((tone.decode(value) - light).abs() < 2e-4 + 1e-3 * light, "{light} {value}");
            }
            assert!((tone.encode(1.0) - 1.0).abs() < 1e-6 && tone.encode(0.0).abs() < 1e-6);
        }
    }

    #[test]
    fn without_contrast_it_is_the_srgb_curve() {
        let plain = Tone::new(1.0, 1.0, 0.3);
        for light in [0.001, 0.02, 0.18, 0.7] {
            assert!((plain.encode(light) - encode_srgb(light)).abs() < 1e-4);
        }
    }
}
