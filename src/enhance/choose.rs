//! The choice of one response for a whole capture.

use super::camera::{self, Camera};
use super::config::{Config, Normalize, Response, Sigma};
use super::estimate::{estimate, median_luminance};
use super::tone::{Restoration, Tone};
use crate::error::Result;
use std::path::Path;

/// Median luminance of the input from which on a capture counts as lit.
const LIT: f32 = 0.15;
/// A camera response is sensible where the lit median luminance lies between these …
const MEDIAN: [f32; 2] = [0.12, 0.75];
/// … and at most this part of the pixels has all channels at 0.98 or above.
const MOST_SATURATED: f32 = 0.15;

/// A response and, for the report, which it is and why.
pub struct Choice {
    pub restoration: Restoration,
    pub response: String,
    pub reason: String,
}

/// The response for the capture in the folder `root` whose dark pixels `samples` represent. Those of files that are
/// `linear` have no camera's curve in them, which the built-in response assumes.
///
/// # Errors
/// Those of the camera file.
pub fn choose(config: &Config, root: &Path, samples: &[[f32; 3]], linear: bool) -> Result<Choice> {
    let own = root.join("camera.toml");
    let named = if !config.camera.is_empty() {
        config.camera.clone()
    } else if own.is_file() {
        own.to_string_lossy().into_owned()
    } else {
        camera::DEFAULT.into()
    };
    match config.response {
        Response::Camera => Ok(with_camera(Camera::open(&named)?, "as set".into())),
        Response::Auto if named != camera::DEFAULT => {
            let reason = if config.camera.is_empty() { "the scene folder has a camera.toml" } else { "as set" };
            Ok(with_camera(Camera::open(&named)?, reason.into()))
        }
        Response::Auto => automatic(config, samples, linear),
        Response::Naka | Response::Log | Response::None => Ok(estimated(config, samples, "as set".into())),
    }
}

fn automatic(config: &Config, samples: &[[f32; 3]], linear: bool) -> Result<Choice> {
    let median = median_luminance(samples);
    if median >= LIT {
        let reason = format!("the capture is lit already (median {:.0} of 255)", median * 255.0);
        return Ok(estimated(&Config { response: Response::None, ..config.clone() }, samples, reason));
    }
    if let Some(camera) = Camera::exposing(median).filter(|_| linear) {
        let reason = format!("linear light of a median of {:.1} of 255 becomes mid-gray", median * 255.0);
        return Ok(with_camera(camera, reason));
    }
    let choice = with_camera(Camera::open(camera::DEFAULT)?, String::new());
    let lit: Vec<[f32; 3]> = samples.iter().map(|p| choice.restoration.apply(*p)).collect();
    let median = median_luminance(&lit);
    let saturated = lit.iter().filter(|p| p.iter().all(|v| *v >= 0.98)).count() as f32 / lit.len().max(1) as f32;
    let found = format!("median {:.0} of 255, {:.1} % saturated", median * 255.0, saturated * 100.0);
    if (MEDIAN[0]..=MEDIAN[1]).contains(&median) && saturated <= MOST_SATURATED {
        return Ok(Choice { reason: format!("it exposes this capture sensibly ({found})"), ..choice });
    }
    let reason = format!("the built-in camera response does not fit this exposure ({found})");
    let naka = Config { response: Response::Naka, sigma: Sigma::Auto, normalize: Normalize::White, ..config.clone() };
    Ok(estimated(&naka, samples, reason))
}

fn with_camera(camera: Camera, reason: String) -> Choice {
    let response = format!("camera ({})", camera.name);
    Choice { restoration: Restoration::plain(Tone::Camera(Box::new(camera))), response, reason }
}

fn estimated(config: &Config, samples: &[[f32; 3]], reason: String) -> Choice {
    let restoration = estimate(config, samples);
    Choice { response: describe(&restoration), restoration, reason }
}

/// The response in a few words.
pub fn describe(restoration: &Restoration) -> String {
    let range = format!("{:.4}–{:.4} to 0–1", restoration.range.low, restoration.range.high);
    match &restoration.tone {
        Tone::Identity => "none".into(),
        Tone::Naka { n, sigma } => format!("naka (n {n}, σ {sigma:.4}, {range})"),
        Tone::Log { scale } => format!("log (s {scale:.4}, {range})"),
        Tone::Camera(camera) => format!("camera ({})", camera.name),
    }
}
