//! How many splats a budget is for.

use super::precision::Dropped;
use super::{Compressor, Trial};
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::splat::Splats;
use crate::splat::write::Format;

/// The target of a compression: a number of splats, a size or a quality.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Budget {
    /// So many splats exactly.
    Splats(usize),
    /// A file of at most so many bytes.
    Bytes(u64),
    /// As few splats as have a mean PSNR of so many dB against the original's views, read back from their file.
    Psnr(f64),
}

/// What a budget led to.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The compressed splats.
    pub splats: Splats,
    /// The budget fits the original, which `splats` are.
    pub whole: bool,
    /// Mean PSNR against the original's views, dB, as the file reads back.
    pub psnr: f64,
}

/// Relative precision of the number of splats at which searches end.
const PRECISION: f64 = 0.03;
/// Fits of a search that only compares take this part of the steps.
const TRIAL_STEPS: u32 = 4;
/// Views on which the loss from fewer bits is measured.
const VIEWS_FOR_BITS: usize = 6;
/// Bits are dropped if that makes room for this many times the splats.
const LEAST_ROOM: f64 = 1.02;
/// Sizes of one search for bytes; secants need few.
const MOST_SIZES: usize = 12;

/// The compressed splats for `budget`, in the format of `trial`.
///
/// # Errors
/// A budget of nothing, or one that cannot be met: the message states what can. The device fails, or a stop is asked for.
pub fn to_budget(
    compressor: &mut Compressor<'_>,
    budget: Budget,
    trial: &Trial<'_>,
    progress: &dyn Progress,
) -> Result<Outcome> {
    let (all, degree) = (compressor.original().len(), most_bands(compressor, trial)?);
    let fitted = match budget {
        Budget::Splats(0) => return Err(Error::setting("splats", "0", "keep at least 1")),
        Budget::Splats(count) if count >= all => None,
        Budget::Splats(count) => Some(compressor.to_count(count, degree, compressor.config.steps, progress)?),
        Budget::Bytes(bytes) => to_bytes(compressor, bytes, trial, progress)?,
        Budget::Psnr(target) => to_psnr(compressor, target, trial, progress)?,
    };
    if fitted.is_some() && degree < compressor.original().sh_degree {
        tracing::warn!(
            "{}: the format holds no colors that depend on the direction of view; the splats are fitted without",
            trial.path.display()
        );
    }
    let whole = fitted.is_none();
    let splats = fitted.unwrap_or_else(|| compressor.original().clone());
    let psnr = compressor.psnr(&trial.decoded(&splats)?)?;
    Ok(Outcome { splats, whole, psnr })
}

/// The bands of the original that the file holds: a fit with more would put into them what is then lost.
fn most_bands(compressor: &Compressor<'_>, trial: &Trial<'_>) -> Result<u32> {
    Ok(compressor.original().sh_degree.min(Format::of_ending(trial.path)?.most_bands()))
}

/// The splats whose file has at most `most` bytes; `None` where that of all has.
fn to_bytes(
    compressor: &mut Compressor<'_>,
    most: u64,
    trial: &Trial<'_>,
    progress: &dyn Progress,
) -> Result<Option<Splats>> {
    let all = compressor.original().len();
    if trial.bytes(compressor.original())? <= most {
        return Ok(None);
    }
    let mut candidates: Vec<(usize, u32)> = Vec::new();
    for degree in (0..=most_bands(compressor, trial)?).rev() {
        let count = count_for(compressor, degree, most, trial)?;
        // Bands are only dropped for more splats.
        if candidates.last().map_or(0, |(most, _)| *most) < count {
            candidates.push((count, degree));
        }
        if count == all {
            break;
        }
    }
    let steps = compressor.config.steps;
    let best = match candidates[..] {
        [] => {
            let least = trial.bytes(&compressor.ranked(1, 0))?;
            let found = format!("{most} bytes hold no splat in this format");
            return Err(Error::setting("size", found, format!("give at least {:.6}", least as f64 / 1e6)));
        }
        [one] => one,
        _ => {
            let mut best = (f64::NEG_INFINITY, candidates[0]);
            for (count, degree) in candidates {
                let splats = compressor.to_count(count, degree, steps / TRIAL_STEPS, progress)?;
                let psnr = compressor.psnr(&trial.decoded(&splats)?)?;
                tracing::info!("{count} splats with {degree} bands of harmonics: {psnr:.2} dB after a short fit");
                if psnr > best.0 {
                    best = (psnr, (count, degree));
                }
            }
            best.1
        }
    };
    let (count, degree) = best;
    let none = Dropped::default();
    let splats = compressor.to_count(count, degree, steps, progress)?;
    let dropped = Dropped::worthwhile(&splats, trial, |s| compressor.psnr_of(s, VIEWS_FOR_BITS))?;
    let room = trial.bytes(&splats)? as f64 / trial.bytes(&dropped.apply(&splats, trial))?.max(1) as f64;
    let plain = within(compressor, splats, most, none, trial)?;
    if dropped.is_none() || room < LEAST_ROOM {
        return Ok(Some(plain));
    }
    let more = ((count as f64 * room) as usize).min(all);
    let splats = compressor.to_count(more, degree, steps, progress)?;
    let coarse = within(compressor, splats, most, dropped, trial)?;
    let [before, after] = [&plain, &coarse].map(|s| trial.decoded(s).and_then(|s| compressor.psnr(&s)));
    let (before, after) = (before?, after?);
    tracing::info!(
        "with fewer bits ({dropped}) {} splats: {after:.2} dB; {} in all bits: {before:.2} dB",
        coarse.len(),
        plain.len()
    );
    Ok(Some(if after > before { coarse } else { plain }))
}

/// `splats` without `dropped`, fewer of them where their file has more than `most` bytes: a fit changes how well values
/// compress.
fn within(
    compressor: &mut Compressor<'_>,
    mut splats: Splats,
    most: u64,
    dropped: Dropped,
    trial: &Trial<'_>,
) -> Result<Splats> {
    loop {
        splats = dropped.apply(&splats, trial);
        let bytes = trial.bytes(&splats)?;
        if bytes <= most {
            return Ok(splats);
        }
        let fewer = (splats.len() as f64 * most as f64 / bytes as f64 * 0.998) as usize;
        splats = compressor.thinned(&splats, fewer.clamp(1, (splats.len() - 1).max(1)))?;
        if splats.len() == 1 && trial.bytes(&splats)? > most {
            let least = trial.bytes(&splats)? as f64 / 1e6;
            return Err(Error::setting("size", format!("{most} bytes hold no splat"), format!("give {least:.6}")));
        }
    }
}

/// The most splats of `degree` whose file has at most `most` bytes, to [`PRECISION`] or nearer; 0 if one has more.
fn count_for(compressor: &Compressor<'_>, degree: u32, most: u64, trial: &Trial<'_>) -> Result<usize> {
    let size = |count: usize| trial.bytes(&compressor.ranked(count, degree));
    let (mut low, mut high) = (1, compressor.original().len());
    let (mut low_bytes, mut high_bytes) = (size(low)?, size(high)?);
    if low_bytes > most {
        return Ok(0);
    }
    if high_bytes <= most {
        return Ok(high);
    }
    for _ in 0..MOST_SIZES {
        if high - low <= (low / 1000).max(1) {
            break;
        }
        let part = (most - low_bytes) as f64 / (high_bytes - low_bytes).max(1) as f64;
        let guess = (low + (part * (high - low) as f64) as usize).clamp(low + 1, high - 1);
        let bytes = size(guess)?;
        if bytes <= most {
            (low, low_bytes) = (guess, bytes);
        } else {
            (high, high_bytes) = (guess, bytes);
        }
    }
    Ok(low)
}

/// The fewest splats whose file has a PSNR of `target`; `None` where it takes all.
fn to_psnr(
    compressor: &mut Compressor<'_>,
    target: f64,
    trial: &Trial<'_>,
    progress: &dyn Progress,
) -> Result<Option<Splats>> {
    if !(target > 0.0 && target.is_finite()) {
        return Err(Error::setting("psnr", target.to_string(), "give a number of dB above 0"));
    }
    let most = compressor.psnr(&trial.decoded(compressor.original())?)?;
    if most < target {
        let found = format!("{target} dB cannot be met: all splats have {most:.2} dB in this format");
        return Err(Error::setting("psnr", found, "ask for less, or choose a format that loses less (.ply)"));
    }
    let (degree, steps) = (most_bands(compressor, trial)?, compressor.config.steps);
    let (mut low, mut high) = (0, compressor.original().len());
    let mut best = None;
    while (high - low) as f64 > (PRECISION * high as f64).max(1.0) {
        // Halfway by ratio; from 0 on, a quarter of what is known to be enough.
        let middle = if low == 0 { high / 4 } else { (low as f64 * high as f64).sqrt() as usize };
        let count = middle.clamp(low + 1, high - 1);
        let splats = compressor.to_count(count, degree, steps, progress)?;
        let psnr = compressor.psnr(&trial.decoded(&splats)?)?;
        tracing::info!("{count} splats: {psnr:.2} dB");
        if psnr >= target {
            (high, best) = (count, Some(splats));
        } else {
            low = count;
        }
    }
    Ok(best)
}
