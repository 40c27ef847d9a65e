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
