//! AdamW (Loshchilov and Hutter 2019) with clipping by the norm of all gradients, a learning rate that rises and then
//! falls as a cosine, and the moving average of the weights.

use crate::parameters::Parameters;
use std::f64::consts::PI;

const BETAS: (f64, f64) = (0.9, 0.999);
const EPSILON: f64 = 1e-8;
/// Decay of the weights' moving average.
const AVERAGE: f64 = 0.999;

/// Weights under training, and all that the next step depends on.
#[derive(Clone, Debug, PartialEq)]
pub struct Optimizer {
    pub weights: Parameters,
    /// Moving average of the weights: what is measured and exported.
    pub average: Parameters,
    first: Parameters,
    second: Parameters,
    /// Steps made.
    pub steps: u64,
}

/// What one step needs to know.
#[derive(Clone, Copy, Debug)]
pub struct Rates {
    pub learning_rate: f64,
    pub weight_decay: f64,
    pub clip: f64,
}

impl Optimizer {
    /// Before the first step.
    pub fn new(weights: Parameters) -> Self {
        let zeros = weights.zeros_like();
        Self { average: weights.clone(), first: zeros.clone(), second: zeros, weights, steps: 0 }
    }

    /// One step along `gradients`; returns their norm before clipping. A norm that is not finite changes nothing.
    pub fn step(&mut self, gradients: &Parameters, rates: Rates) -> f64 {
        let norm = gradients.norm();
        if !norm.is_finite() {
            return norm;
        }
        self.steps += 1;
        let scale = (rates.clip / norm.max(1e-12)).min(1.0);
        let (steps, average) = (self.steps as f64, AVERAGE.min(self.steps as f64 / (self.steps as f64 + 10.0)));
        let unbias = (1.0 - BETAS.0.powf(steps), 1.0 - BETAS.1.powf(steps));
        for (name, weight) in &mut self.weights.0 {
            let [Some(g), Some(first), Some(second), Some(mean)] = [
                gradients.0.get(name).map(|g| g.values.clone()),
                self.first.0.get_mut(name).map(|a| std::mem::take(&mut a.values)),
                self.second.0.get_mut(name).map(|a| std::mem::take(&mut a.values)),
                self.average.0.get_mut(name).map(|a| std::mem::take(&mut a.values)),
            ] else {
                continue;
            };
            let mut state = [first, second, mean];
            for (i, value) in weight.values.iter_mut().enumerate() {
                let gradient = f64::from(g[i]) * scale;
                let m = BETAS.0 * f64::from(state[0][i]) + (1.0 - BETAS.0) * gradient;
                let v = BETAS.1 * f64::from(state[1][i]) + (1.0 - BETAS.1) * gradient * gradient;
                let direction = m / unbias.0 / ((v / unbias.1).sqrt() + EPSILON);
                let next = f64::from(*value) * (1.0 - rates.learning_rate * rates.weight_decay)
                    - rates.learning_rate * direction;
                state[2][i] = (average * f64::from(state[2][i]) + (1.0 - average) * next) as f32;
                (state[0][i], state[1][i], *value) = (m as f32, v as f32, next as f32);
            }
            let [first, second, mean] = state;
            for (all, values) in [(&mut self.first, first), (&mut self.second, second), (&mut self.average, mean)] {
                if let Some(array) = all.0.get_mut(name) {
                    array.values = values;
                }
            }
        }
        norm
    }

    /// Everything as one set of arrays.
    pub fn to_arrays(&self) -> Parameters {
        let mut all = Parameters::default();
        for (prefix, part) in
            [("weights.", &self.weights), ("average.", &self.average), ("m.", &self.first), ("v.", &self.second)]
        {
            all.extend(prefix, part);
        }
        all
    }

    /// The opposite of [`Self::to_arrays`]; `None` where parts are missing.
    pub fn from_arrays(all: &Parameters, steps: u64) -> Option<Self> {
        let [weights, average, first, second] = ["weights.", "average.", "m.", "v."].map(|prefix| all.under(prefix));
        let same = |other: &Parameters| weights.0.keys().eq(other.0.keys()) && weights.count() == other.count();
        let complete = !weights.0.is_empty() && [&average, &first, &second].into_iter().all(same);
        complete.then_some(Self { weights, average, first, second, steps })
    }
}

/// The learning rate of step `step` of `steps`: up to `peak` over `warm_up` steps, then down to 1 % of it as a cosine.
pub fn schedule(peak: f64, step: u64, steps: u64, warm_up: u64) -> f64 {
    if step < warm_up {
        return peak * (step + 1) as f64 / warm_up as f64;
    }
    let progress = (step - warm_up) as f64 / steps.saturating_sub(warm_up).max(1) as f64;
    let floor = 0.01;
    peak * (floor + (1.0 - floor) * 0.5 * (1.0 + (PI * progress.min(1.0)).cos()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: Rates = Rates { learning_rate: 0.1, weight_decay: 0.01, clip: 1e9 };

    fn one(value: f32) -> Parameters {
        let mut parameters = Parameters::default();
        parameters.insert("a", &[1], vec![value]);
        parameters
    }

    fn value(parameters: &Parameters) -> f32 {
        parameters.0["a"].values[0]
    }

    #[test]
    fn two_steps_by_hand() {
        let mut optimizer = Optimizer::new(one(2.0));
        // The first step is the learning rate along the gradient's sign, after the decay.
        optimizer.step(&one(3.0), RATES);
        let first = 2.0 * (1.0 - 0.001) - 0.1;
        assert!((value(&optimizer.weights) - first).abs() < 1e-6);
        optimizer.step(&one(-1.0), RATES);
        let (m, v) = (0.9 * 0.3 - 0.1, 0.999 * 0.009 + 0.001f64);
        let direction = m / (1.0 - 0.81) / (v / (1.0 - 0.999f64.powi(2))).sqrt();
        let second = f64::from(first) * (1.0 - 0.001) - 0.1 * direction;
        assert!((f64::from(value(&optimizer.weights)) - second).abs() < 1e-5);
    }

    #[test]
    fn clips_by_the_norm_and_skips_what_is_no_number() {
        let clip = Rates { clip: 0.5, weight_decay: 0.0, ..RATES };
        let (mut clipped, mut small) = (Optimizer::new(one(0.0)), Optimizer::new(one(0.0)));
        assert_eq!(clipped.step(&one(4.0), clip), 4.0);
        small.step(&one(0.5), clip);
        assert_eq!(clipped, small);
        assert!(clipped.step(&one(f32::NAN), clip).is_nan());
        assert_eq!(clipped, small);
    }

    #[test]
    fn rate_rises_then_falls() {
        let rate = |step| schedule(1.0, step, 1000, 100);
        assert!((rate(0) - 0.01).abs() < 1e-9 && (rate(99) - 1.0).abs() < 1e-9 && (rate(100) - 1.0).abs() < 1e-9);
        assert!(
            (rate(550) - 0.505).abs() < 1e-9 && (rate(1000) - 0.01).abs() < 1e-9 && (rate(5000) - 0.01).abs() < 1e-9
        );
    }

    #[test]
    fn arrays_hold_the_whole_state() {
        let mut optimizer = Optimizer::new(Parameters::initial(1, 3));
        optimizer.step(&Parameters::initial(1, 4), RATES);
        let arrays = optimizer.to_arrays();
        assert_eq!(Optimizer::from_arrays(&arrays, 1), Some(optimizer));
        assert_eq!(Optimizer::from_arrays(&arrays.under("weights."), 1), None);
    }
}
