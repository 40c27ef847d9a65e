//! Measures how much of the photographs masks hide.

use super::map_few;
use super::source::Source;
use crate::capture::{Capture, View};
use crate::error::{Error, Result};
use crate::progress::Progress;

/// The part of all pixels that masks hide. A photograph that is hidden entirely deserves a warning.
///
/// # Errors
/// A mask that cannot be read; nothing left to train on.
pub(super) fn hidden(capture: &Capture, views: &[&View], downscale: u32, progress: &dyn Progress) -> Result<f64> {
    if views.iter().all(|view| view.mask.is_none()) {
        return Ok(0.0);
    }
    let hidden = |view: &&View| {
        progress.check()?;
        let camera = view.camera.downscaled(downscale);
        let weights = view.read_weights(camera.width, camera.height)?;
        let hidden = weights.map_or(0, |weights| weights.iter().filter(|weight| **weight < 0.5).count());
        Ok((hidden, camera.width as usize * camera.height as usize))
    };
    let pixels = views.iter().map(|view| Source::View(view).pixels()).max().unwrap_or(0);
    let parts = map_few(views, pixels, hidden)?;
    let entirely: Vec<&str> =
        views.iter().zip(&parts).filter(|(_, (hidden, of))| hidden == of).map(|(view, _)| view.name.as_str()).collect();
    if entirely.len() == views.len() {
        let found = "masks hide every pixel of every photograph";
        return Err(Error::input(
            &capture.root,
            found,
            "what counts must be bright in them; set `masks` to invert or ignore",
        ));
    }
    if !entirely.is_empty() {
        tracing::warn!("masks hide all of {} photographs, which add nothing: {}", entirely.len(), entirely.join(", "));
    }
    let [hidden, of] = parts.iter().fold([0, 0], |sum, part| [sum[0] + part.0, sum[1] + part.1]);
    if hidden == 0 && views.iter().any(|view| view.mask.as_ref().is_some_and(|mask| mask.file.is_some())) {
        tracing::warn!(
            "{}: mask files hide nothing: what is to be hidden must be black or transparent in them \
             (or bright, where `masks` is invert)",
            capture.root.display()
        );
    }
    let hidden = hidden as f64 / of.max(1) as f64;
    tracing::info!("masks hide {:.1} % of the pixels", 100.0 * hidden);
    Ok(hidden)
}
