//! Activation maps as PNG: lit picture, pixels of the concept, and the unit's activation, side by side.

use super::{CONCEPTS, Seen, activation, mean};
use crate::network::Network;
use crate::parameters::Parameters;
use crate::prune::Unit;
use burn::tensor::{Device, Tensor};
use image::ImageFormat;
use naka_gs::capture::Image;
use naka_gs::error::{Error, Result};
use naka_gs::storage;
use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// Units of each concept whose maps are written.
pub const UNITS: usize = 2;
/// Activations between these quantiles are shown from black to white.
const SHOWN: [f64; 2] = [0.01, 0.99];

/// A unit that tells a concept best, or second best.
pub struct Best<'a> {
    /// The concept's index.
    pub concept: usize,
    /// 1 for the best.
    pub rank: usize,
    /// The unit.
    pub unit: &'a Unit,
}

/// Writes the maps of `best`, of each capture the picture with most pixels of the concept.
///
/// # Errors
/// A file that is there already, a full disk.
pub fn write(folder: &Path, weights: &Parameters, best: &[Best<'_>], seen: &[Seen]) -> Result<()> {
    let shown = |capture: &Seen| best.iter().filter(|best| !capture.masks[best.concept].is_empty()).collect::<Vec<_>>();
    let paths = seen.iter().flat_map(|capture| shown(capture).into_iter().map(|best| path(folder, capture, best)));
    if let Some(path) = paths.into_iter().find(|path| path.exists()) {
        let found = format!("{} is there already", path.display());
        return Err(Error::setting("maps", found, "give another folder, or move that one's files away"));
    }
    std::fs::create_dir_all(folder).map_err(Error::io(folder))?;
    let network = Network::new(weights, &Device::flex());
    for capture in seen {
        let mut blocks = BTreeMap::new();
        let [dark, naka] = &capture.inputs;
        network.forward_watched(dark, naka, &mut |block, inner| {
            blocks.insert(block.to_string(), inner.clone());
        });
        for best in shown(capture) {
            let Some(inner) = blocks.get(&best.unit.block) else { continue };
            let mut png = Cursor::new(Vec::new());
            let path = path(folder, capture, best);
            let encoded = strip(capture, best, inner).to_rgb8().write_to(&mut png, ImageFormat::Png);
            encoded.map_err(|e| Error::io(&path)(std::io::Error::other(e)))?;
            storage::write_bytes(&path, png.get_ref())?;
        }
    }
    Ok(())
}

/// `CAPTURE.CONCEPT.RANK.BLOCK.channel-N.png`, or `channels-FIRST-LAST`.
fn path(folder: &Path, capture: &Seen, best: &Best<'_>) -> PathBuf {
    let channels = &best.unit.channels;
    let (concept, block) = (CONCEPTS[best.concept], best.unit.block.replace('.', "-"));
    let channels = match channels.len() {
        1 => format!("channel-{}", channels.start),
        _ => format!("channels-{}-{}", channels.start, channels.end - 1),
    };
    folder.join(format!("{}.{concept}.{}.{block}.{channels}.png", capture.name, best.rank))
}

/// The three pictures in a row.
fn strip(capture: &Seen, best: &Best<'_>, inner: &Tensor<4>) -> Image {
    let masks = &capture.masks[best.concept];
    let part = |i: &usize| mean(std::slice::from_ref(&masks[*i]));
    let picture = (0..masks.len()).max_by(|a, b| part(a).total_cmp(&part(b))).unwrap_or_default();
    let (lit, mask) = (&capture.lit[picture], &masks[picture]);
    let [_, _, height, width] = inner.dims();
    let values = stretched(&activation(&inner.clone().narrow(0, picture, 1), best.unit));
    let place = |i: u32, length: u32, small: usize| (i as usize * small / length as usize).min(small - 1);
    let value = |x: u32, y: u32| values[place(y, lit.height, height) * width + place(x, lit.width, width)];
    let mut pixels = Vec::with_capacity(3 * lit.pixels.len());
    for y in 0..lit.height {
        pixels.extend((0..lit.width).map(|x| lit.at(x, y)));
        pixels.extend((0..lit.width).map(|x| mask.at(x, y)));
        pixels.extend((0..lit.width).map(|x| [value(x, y); 3]));
    }
    Image { width: 3 * lit.width, height: lit.height, pixels }
}

/// Values with the shown quantiles at 0 and 1.
fn stretched(values: &[f32]) -> Vec<f32> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f32::total_cmp);
    let [low, high] = SHOWN.map(|part| sorted[((sorted.len() - 1) as f64 * part).round() as usize]);
    values.iter().map(|v| ((v - low) / (high - low).max(f32::MIN_POSITIVE)).clamp(0.0, 1.0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_become_black_and_white() {
        let values: Vec<f32> = (0..101).map(|i| i as f32).collect();
        let found = stretched(&values);
        assert_eq!([found[0], found[1], found[99], found[100]], [0.0, 0.0, 1.0, 1.0]);
        assert!((found[50] - 0.5).abs() < 1e-6);
        assert!(stretched(&[3.0; 5]).iter().all(|v| *v == 0.0));
    }
}
