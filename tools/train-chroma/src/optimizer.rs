//! Burn's AdamW (Loshchilov and Hutter 2019) and learning rates, and what burn does not have.
//!
//! Own: clipping by the norm of all gradients together (burn clips each tensor by its own norm), the moving average of
//! the weights, and the state as named arrays, so that a run resumes from safetensors files as it always did.

use crate::parameters::Parameters;
use burn::lr_scheduler::LrSchedulerConfig;
use burn::lr_scheduler::cosine::CosineAnnealingLrSchedulerConfig;
use burn::lr_scheduler::linear::LinearLrSchedulerConfig;
use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::lr_scheduler::sequential::SequentialLrSchedulerConfig;
use burn::optim::{AdamWConfig, AdamWState, AdaptiveMomentumState, Optimizer as _};
use burn::tensor::{Device, Tensor, TensorData};
use naka_gs::error::{Error, Result};

/// PyTorch's; burn's own is 1e-5.
const EPSILON: f32 = 1e-8;
/// Decay of the weights' moving average.
const AVERAGE: f64 = 0.999;
/// Where the learning rate ends, as a part of its peak.
const FLOOR: f64 = 0.01;

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
        let adamw = AdamWConfig::new().with_epsilon(EPSILON).with_weight_decay(rates.weight_decay as f32).build();
        let scale = (rates.clip / norm.max(1e-12)).min(1.0);
        let (device, time) = (Device::flex(), self.steps as usize);
        for (name, weight) in &mut self.weights.0 {
            let (Some(gradient), Some(first), Some(second)) =
                (gradients.0.get(name), self.first.0.get_mut(name), self.second.0.get_mut(name))
            else {
                continue;
            };
            let moments = AdaptiveMomentumState::new(time, flat(&first.values, &device), flat(&second.values, &device));
            let gradient = flat(&gradient.values, &device).mul_scalar(scale);
            let state = Some(AdamWState::new(moments));
            let (next, state) = adamw.step(rates.learning_rate, flat(&weight.values, &device), gradient, state);
            weight.values = values(next);
            if let Some(AdamWState { momentum }) = state {
                (first.values, second.values) = (values(momentum.moment_1), values(momentum.moment_2));
            }
        }
        self.steps += 1;
        self.follow();
        norm
    }

    /// Moves the average towards the weights: quickly at first, since it began where they did.
    fn follow(&mut self) {
        let steps = self.steps as f64;
        let decay = AVERAGE.min(steps / (steps + 10.0));
        for (average, weight) in self.average.0.values_mut().zip(self.weights.0.values()) {
            for (mean, value) in average.values.iter_mut().zip(&weight.values) {
                *mean = (decay * f64::from(*mean) + (1.0 - decay) * f64::from(*value)) as f32;
            }
        }
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

fn flat(values: &[f32], device: &Device) -> Tensor<1> {
    Tensor::from_data(TensorData::from(values), device)
}

fn values(tensor: Tensor<1>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

/// The learning rates of steps `done` and later of `steps`: up to `peak` over `warm_up` steps, then down to 1 % of it as
/// a cosine.
///
/// # Errors
/// A peak that burn does not take.
pub fn schedule(peak: f64, steps: u64, warm_up: u64, done: u64) -> Result<ModuleLrScheduler> {
    let length = |steps: u64| steps.max(1) as usize;
    let (rise, fall) = (warm_up.max(1), steps.saturating_sub(warm_up));
    let rising = LinearLrSchedulerConfig::new(peak / rise as f64, peak, length(rise - 1));
    let falling = CosineAnnealingLrSchedulerConfig::new(peak, length(fall)).with_min_lr(FLOOR * peak);
    let parts = vec![LrSchedulerConfig::Linear(rising), LrSchedulerConfig::Cosine(falling)];
    let mut schedule = SequentialLrSchedulerConfig::new(parts, vec![length(rise)])
        .init()
        .map_err(|_| Error::setting("learning-rate", peak.to_string(), "give a number above 0, and 1 at most"))?;
    (0..done).for_each(|_| drop(schedule.step()));
    Ok(schedule)
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
        let mut all = schedule(1.0, 1000, 100, 0).unwrap();
        let rates: Vec<f64> = (0..=1000).map(|_| all.step().base()).collect();
        let rate = |step: usize| rates[step];
        assert!((rate(0) - 0.01).abs() < 1e-9 && (rate(99) - 1.0).abs() < 1e-9 && (rate(100) - 1.0).abs() < 1e-9);
        assert!((rate(550) - 0.505).abs() < 1e-9 && (rate(1000) - 0.01).abs() < 1e-9);
        // Resumed, it goes on where it was; short runs only rise.
        for done in [0, 50, 99, 100, 700] {
            assert_eq!(schedule(1.0, 1000, 100, done).unwrap().step().base(), rate(done as usize));
        }
        for steps in [1, 2, 40] {
            let mut short = schedule(0.5, steps, steps, 0).unwrap();
            let last = (0..steps).map(|_| short.step().base()).last();
            assert!(last.is_some_and(|rate| (rate - 0.5).abs() < 1e-12), "{steps}: {last:?}");
        }
        assert!(schedule(0.0, 1000, 100, 0).is_err() && schedule(2.0, 1000, 100, 0).is_err());
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
