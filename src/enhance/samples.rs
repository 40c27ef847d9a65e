//! Samples dark pixels that represent a capture, and finds photographs that do not belong to it.

use super::choose::{BLACK, LIT, is_lit};
use super::config::Config;
use super::estimate::median_luminance;
use super::exif_check::{Exposed, contradiction, unexposed};
use super::source::Source;
use super::{largest, map_few};
use crate::capture::list_names;
use crate::error::Result;
use crate::progress::Progress;

/// Most views whose pixels the response of a capture is estimated on, and most pixels of each.
const SAMPLED: (usize, usize) = (64, 8192);
/// Median luminance below which a photograph is dark for sure: 1.3 stops of linear light below one that counts as lit.
const DARK: f32 = 0.06;

/// In a black photograph at most one pixel in this many shows something.
const HOT: usize = 1000;

/// Pixels that represent a capture.
pub struct Samples {
    pub pixels: Vec<[f32; 3]>,
    /// Whether the pixels contradict the EXIF exposures.
    pub ignore_exif: bool,
}

/// Evenly spread pixels of evenly spread views; none of what a mask hides. Photographs that are black, lit ones among
/// dark ones, and EXIF data that do not describe them are named.
///
/// # Errors
/// A picture or a mask that cannot be read, a stop.
pub fn sample(sources: &[Source<'_>], config: &Config, downscale: u32, progress: &dyn Progress) -> Result<Samples> {
    let step = sources.len().div_ceil(SAMPLED.0).max(1);
    let chosen: Vec<_> = sources.iter().step_by(step).copied().collect();
    let pixels = |source: &Source<'_>| {
        progress.check()?;
        let image = source.dark(config, downscale)?;
        let step = image.pixels.len().div_ceil(SAMPLED.1).max(1);
        let weights = source.weights(image.width, image.height)?;
        let counts = |i: usize| weights.as_ref().is_none_or(|weights| weights[i] >= 0.5);
        // An odd step beside an even width walks through all columns.
        let chosen = (0..image.pixels.len()).step_by(step | 1).filter(|i| counts(*i));
        Ok(chosen.map(|i| image.pixels[i]).collect::<Vec<_>>())
    };
    let mut samples = map_few(&chosen, largest(&chosen), pixels)?;
    let contradiction = exif_contradiction(&chosen, config, &samples);
    if let Some(contradiction) = &contradiction {
        tracing::warn!("EXIF exposures are ignored: {contradiction}; the photographs seem to be equalized already");
        let all = chosen.iter().zip(&mut samples);
        all.for_each(|(of, pixels)| of.gain(config).into_iter().for_each(|gain| unexposed(pixels, gain)));
    }
    let named: Vec<(&str, &[[f32; 3]])> =
        chosen.iter().map(|source| source.name()).zip(samples.iter().map(Vec::as_slice)).collect();
    mixed_capture_warnings(&named).into_iter().for_each(|words| tracing::warn!("{words}"));
    Ok(Samples { pixels: samples.concat(), ignore_exif: contradiction.is_some() })
}

/// What contradicts the EXIF exposures of the photographs. Sensor samples are exempt: no program equalizes them.
fn exif_contradiction(sources: &[Source<'_>], config: &Config, samples: &[Vec<[f32; 3]>]) -> Option<String> {
    let both = sources.iter().zip(samples);
    let exposed: Vec<Exposed<'_>> = both
        .filter_map(|(source, pixels)| Some(Exposed { name: source.name(), gain: source.gain(config)?, pixels }))
        .collect();
    if exposed.is_empty() || sources.iter().all(Source::is_linear) { None } else { contradiction(&exposed) }
}

/// Warnings about photographs that do not belong to the others, from their names and pixels.
fn mixed_capture_warnings(photographs: &[(&str, &[[f32; 3]])]) -> Vec<String> {
    let shown: Vec<_> = photographs.iter().filter(|(_, pixels)| !pixels.is_empty()).collect();
    let names = |wanted: &dyn Fn(&[[f32; 3]]) -> bool| -> Vec<&str> {
        shown.iter().filter(|(_, pixels)| wanted(pixels)).map(|(name, _)| *name).collect()
    };
    // Behind a lens cap a few pixels are hot.
    let shows = |pixel: &&[f32; 3]| pixel.iter().any(|v| *v > BLACK);
    let is_black = |pixels: &[[f32; 3]]| pixels.iter().filter(shows).count() * HOT <= pixels.len();
    let black = names(&is_black);
    let mut words = Vec::new();
    if !black.is_empty() {
        let (count, of) = (black.len(), shown.len());
        words.push(format!(
            "{count} of {of} sampled photographs are black and would darken the scene; remove them: {}",
            list_names(&black)
        ));
    }
    // A lit subject before black is neither: how much of a picture it fills differs from view to view.
    let lit = names(&|pixels| median_luminance(pixels) >= LIT);
    let dark = names(&|pixels| median_luminance(pixels) < DARK && !is_black(pixels) && !is_lit(pixels));
    if !lit.is_empty() && !dark.is_empty() {
        let (kind, few) = if lit.len() <= dark.len() { ("lit", &lit) } else { ("dark", &dark) };
        words.push(format!(
            "the capture mixes {} dark photographs with {} that are lit already, and one response lights all of them; \
             remove one kind, or give the files their EXIF data. The {kind} ones: {}",
            dark.len(),
            lit.len(),
            list_names(few)
        ));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn black_and_lit_photographs_among_dark_ones_are_named() {
        let gray = |level: f32| vec![[level / 255.0; 3]; 9];
        let (dark, dim, black, lit) = (gray(3.0), gray(20.0), gray(0.0), gray(90.0));
        let said = |photographs: &[(&str, &[[f32; 3]])]| mixed_capture_warnings(photographs);
        assert!(said(&[("a", &dark), ("b", &dim), ("c", &dark)]).is_empty());
        assert!(said(&[("a", &lit), ("b", &lit), ("c", &dim)]).is_empty());
        let [found] = &said(&[("a", &dark), ("b", &black), ("c", &dark)])[..] else { panic!("one warning") };
        assert!(found.starts_with("1 of 3") && found.ends_with(": b"), "{found}");
        let [found] = &said(&[("a", &dark), ("b", &lit), ("c", &dark)])[..] else { panic!("one warning") };
        assert!(found.contains("2 dark") && found.ends_with("The lit ones: b"), "{found}");
        let [found] = &said(&[("a", &dark), ("b", &lit), ("c", &lit), ("d", &lit)])[..] else { panic!("one warning") };
        assert!(found.ends_with("The dark ones: a"), "{found}");
        let cap = [vec![[0.0; 3]; 8190], vec![[3.0 / 255.0; 3]; 2]].concat();
        let [found] = &said(&[("a", &dark), ("b", &cap), ("c", &dark)])[..] else { panic!("one warning") };
        assert!(found.starts_with("1 of 3") && found.ends_with(": b"), "{found}");
        // A lit subject before black, that fills more or less of a picture.
        let subject = |part: usize| [vec![[0.0; 3]; 100 - part], vec![[110.0 / 255.0; 3]; part]].concat();
        let (near, half, far) = (subject(60), subject(40), subject(10));
        assert!(said(&[("a", &near), ("b", &half), ("c", &half)]).is_empty());
        assert!(said(&[("a", &half), ("b", &far), ("c", &far)]).is_empty());
        // What a mask hides entirely is none of them.
        assert!(said(&[("a", &[]), ("b", &dark)]).is_empty());
    }
}
