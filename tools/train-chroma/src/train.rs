//! The training loop.

use crate::batch::{Batch, Tensors};
use crate::loss::{self, Features};
use crate::network::{self, Maps, Network};
use crate::optimizer::{Optimizer, Rates, schedule};
use crate::pairs::{self, Capture};
use crate::parameters::{Metadata, Parameters};
use crate::validate;
use burn::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::tensor::{Device, Tensor};
use naka_gs::error::{Error, Result};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Steps over which the learning rate rises.
const WARM_UP: u64 = 200;
/// Part of the steps that take the first of several sizes.
const FIRST_SIZE: f64 = 0.6;

/// Settings of a training run.
#[derive(Clone, Debug, clap::Args)]
pub struct Settings {
    /// Folder of captures (NAME/dark, NAME/lit, optionally NAME/camera.toml), or one with dark/ and lit/
    pub pairs: PathBuf,
    /// Where the weights go (.safetensors); the state to resume from goes beside it (.state.safetensors)
    #[arg(short, long, default_value = "chroma.safetensors")]
    pub output: PathBuf,
    /// Channels at full resolution; the published network has 32
    #[arg(long, default_value_t = 8)]
    pub base_ch: usize,
    /// Factors by which pictures are averaged to the size that the network works at; 60 % of the steps take the first,
    /// which is also what is measured
    #[arg(long, value_delimiter = ',', default_value = "4", value_parser = clap::value_parser!(u32).range(1..=64))]
    pub downscale: Vec<u32>,
    /// Longest side that the network is meant to work at, noted in the weights
    #[arg(long, default_value_t = 448)]
    pub working: u32,
    /// Side of the crops, in pixels of the working size
    #[arg(long, default_value_t = 64)]
    pub crop: u32,
    /// Crops in a step, all of one capture
    #[arg(long, default_value_t = 8)]
    pub batch: usize,
    /// Steps of the whole run; the learning rate falls along them
    #[arg(long, default_value_t = 20_000)]
    pub steps: u64,
    /// Stop after this many minutes even if steps are left (0: never)
    #[arg(long, default_value_t = 0.0)]
    pub minutes: f64,
    /// Highest learning rate of AdamW
    #[arg(long, default_value_t = 2e-4)]
    pub learning_rate: f64,
    /// Weight decay of AdamW
    #[arg(long, default_value_t = 1e-4)]
    pub weight_decay: f64,
    /// Largest norm of the gradients
    #[arg(long, default_value_t = 1.0)]
    pub clip: f64,
    /// Captures kept from training and measured instead: the last ones by name
    #[arg(long, default_value_t = 2)]
    pub holdout: usize,
    /// Steps between two measurements, each with a checkpoint
    #[arg(long, default_value_t = 1000)]
    pub every: u64,
    /// Weights to start from
    #[arg(long)]
    pub init: Option<PathBuf>,
    /// Weights of torchvision's vgg19 (.pth or .safetensors), for the perceptual term of the published loss; without
    /// them it is left out
    #[arg(long, value_name = "FILE")]
    pub vgg: Option<PathBuf>,
    /// Continue from the state beside the output
    #[arg(long)]
    pub resume: bool,
    /// Seed of the initial weights and of everything random
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
}

/// Trains, and writes weights and state.
///
/// # Errors
/// Pictures, weights or a state that cannot be read, a full disk.
pub fn run(settings: &Settings) -> Result<()> {
    let features = settings.vgg.as_ref().map(|path| Features::read(path, &Device::flex().autodiff())).transpose()?;
    let captures = pairs::read(&settings.pairs, &settings.downscale)?;
    if features.is_some() {
        large_enough(settings, &captures)?;
    }
    let (training, held_out) = split(captures, settings.holdout)?;
    let pictures = |captures: &[Vec<Capture>]| captures.iter().map(|sizes| sizes[0].pairs.len()).sum::<usize>();
    println!("{} pairs of {} captures to train on", pictures(&training), training.len());
    println!("{} pairs of {} captures held out", pictures(&held_out), held_out.len());
    let mut optimizer = start(settings)?;
    println!("{} parameters, step {} of {}", optimizer.weights.count(), optimizer.steps, settings.steps);
    let stop = stop_flag()?;
    // On a thread of the pool: a step has hundreds of small parallel parts, and none has to wake another thread first.
    rayon::scope(|_| steps(settings, &mut optimizer, (&training, &held_out), features.as_ref(), &stop))?;
    save(&optimizer, settings, &held_out)
}

/// Whether the perceptual term's poolings leave something of every crop.
fn large_enough(settings: &Settings, captures: &Captures) -> Result<()> {
    let sides = captures.iter().flatten().flat_map(|c| &c.pairs).flat_map(|p| [p.dark.width, p.dark.height]);
    let least = sides.min().unwrap_or(0).min(settings.crop);
    let found = || format!("crops of {least} pixels, {} are needed", loss::SMALLEST);
    let remedy = "raise --crop, or lower --downscale";
    if least < loss::SMALLEST { Err(Error::setting("vgg", found(), remedy)) } else { Ok(()) }
}

/// Steps until all are done, the time is up, or someone says stop.
fn steps(
    settings: &Settings,
    optimizer: &mut Optimizer,
    (training, held_out): (&Captures, &Captures),
    features: Option<&Features>,
    stop: &AtomicBool,
) -> Result<()> {
    let begun = Instant::now();
    let limit = (settings.minutes > 0.0).then(|| Duration::from_secs_f64(settings.minutes * 60.0));
    let device = Device::flex().autodiff();
    let mut rates = learning_rates(settings, optimizer.steps)?;
    let mut report = Report::new();
    while optimizer.steps < settings.steps {
        if stop.load(Ordering::Relaxed) || limit.is_some_and(|limit| begun.elapsed() > limit) {
            break;
        }
        report.add(step(optimizer, rates.step().base(), training, settings, features, &device)?);
        if optimizer.steps.is_multiple_of(50) {
            report.print(optimizer.steps);
        }
        if optimizer.steps.is_multiple_of(settings.every) && optimizer.steps < settings.steps {
            save(optimizer, settings, held_out)?;
        }
    }
    Ok(())
}

/// The learning rates of the steps after the first `done`.
fn learning_rates(settings: &Settings, done: u64) -> Result<ModuleLrScheduler> {
    schedule(settings.learning_rate, settings.steps, WARM_UP.min(settings.steps), done)
}

/// One step; returns the loss. What is random in it depends on the seed and the step's number alone.
pub fn step(
    optimizer: &mut Optimizer,
    learning_rate: f64,
    captures: &[Vec<Capture>],
    settings: &Settings,
    features: Option<&Features>,
    device: &Device,
) -> Result<f64> {
    let mut random = StdRng::seed_from_u64(settings.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ optimizer.steps);
    let sizes = &captures[random.random_range(0..captures.len())];
    let first = sizes.len() == 1 || random.random_bool(FIRST_SIZE);
    let capture = &sizes[if first { 0 } else { random.random_range(1..sizes.len()) }];
    let batch = Batch::random(capture, settings.batch, settings.crop, &mut random).tensors(device);
    let network = Network::new(&optimizer.weights, device);
    let (maps, found) = predict(&network, &batch);
    let loss = loss::with_features(features, &found, &batch.lit, &batch.naka, &maps);
    let value = f64::from(loss.clone().into_scalar::<f32>());
    let gradients = network.gradients(&loss.backward());
    let rates = Rates { learning_rate, weight_decay: settings.weight_decay, clip: settings.clip };
    let norm = optimizer.step(&gradients, rates);
    if value.is_finite() && norm.is_finite() {
        Ok(value)
    } else {
        let found = format!("{}: the loss or its gradient is not a number at step {}", capture.name, optimizer.steps);
        Err(Error::setting("learning-rate", found, "lower it, or look at this capture's pictures"))
    }
}

/// Maps and lit crops of a batch.
pub fn predict(network: &Network, batch: &Tensors) -> (Maps, Tensor<4>) {
    let maps = network.forward(&batch.dark, &batch.naka);
    let found = network::apply(&maps, &batch.naka, &network::low_frequencies(&batch.naka));
    (maps, found)
}

/// Captures in all their sizes.
pub type Captures = Vec<Vec<Capture>>;

/// Captures to work with and, the last `holdout` of them, to measure.
///
/// # Errors
/// Nothing left to work with.
pub fn split(mut captures: Captures, holdout: usize) -> Result<(Captures, Captures)> {
    if captures.len() <= holdout {
        let found = format!("{holdout} of {} captures", captures.len());
        return Err(Error::setting("holdout", found, "keep at least one capture to train on"));
    }
    let held_out = captures.split_off(captures.len() - holdout);
    Ok((captures, held_out))
}

fn start(settings: &Settings) -> Result<Optimizer> {
    if settings.resume {
        let path = state_path(settings);
        let (arrays, notes) = Parameters::read(&path)?;
        let steps = notes.get("steps").and_then(|steps| steps.parse().ok());
        let state = steps.and_then(|steps| Optimizer::from_arrays(&arrays, steps));
        return state.ok_or_else(|| Error::input(&path, "is no state of a training run", "start without --resume"));
    }
    let weights = match &settings.init {
        Some(path) => weights(path)?,
        None => Parameters::initial(settings.base_ch, settings.seed),
    };
    Ok(Optimizer::new(weights))
}

/// The weights of a network from a file.
///
/// # Errors
/// A file that cannot be read, or holds something else.
pub fn weights(path: &Path) -> Result<Parameters> {
    let (parameters, _) = Parameters::read(path)?;
    match network::problems(&parameters).as_slice() {
        [] => Ok(parameters),
        problems => Err(Error::input(path, problems.join("; "), "give weights of the chroma-correction network")),
    }
}

fn save(optimizer: &Optimizer, settings: &Settings, held_out: &[Vec<Capture>]) -> Result<()> {
    let rows = validate::measure(&optimizer.average, held_out);
    print!("{}", validate::table(&rows));
    let mut notes = notes(optimizer, settings);
    optimizer.to_arrays().write(&state_path(settings), &notes)?;
    notes.extend(validate::notes(&rows));
    optimizer.average.write(&settings.output, &notes)
}

fn notes(optimizer: &Optimizer, settings: &Settings) -> Metadata {
    let base = optimizer.weights.0.get("fuse.0.block.0.weight").map_or(0, |weight| weight.shape[0]);
    [
        ("format", "naka-gs chroma 1".to_string()),
        ("base_ch", base.to_string()),
        ("working", settings.working.to_string()),
        // Habits of the training pictures as a whole do not belong to any capture.
        ("balance", "response".to_string()),
        ("steps", optimizer.steps.to_string()),
        ("seed", settings.seed.to_string()),
    ]
    .map(|(key, value)| (key.to_string(), value))
    .into()
}

fn state_path(settings: &Settings) -> PathBuf {
    settings.output.with_extension("state.safetensors")
}

/// Set by Ctrl-C.
fn stop_flag() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let flag = stop.clone();
    ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed))
        .map_err(|e| Error::setting("Ctrl-C", e.to_string(), "start the program outside of others that catch it"))?;
    Ok(stop)
}

/// Mean loss and speed since the last line.
struct Report {
    since: Instant,
    losses: Vec<f64>,
}

impl Report {
    fn new() -> Self {
        Self { since: Instant::now(), losses: Vec::new() }
    }

    fn add(&mut self, loss: f64) {
        self.losses.push(loss);
    }

    fn print(&mut self, step: u64) {
        let count = self.losses.len() as f64;
        let (mean, speed) = (self.losses.iter().sum::<f64>() / count, count / self.since.elapsed().as_secs_f64());
        println!("step {step:6}  loss {mean:.4}  {speed:.2} steps/s");
        *self = Self::new();
    }
}

#[cfg(test)]
pub mod tests;
