//! The choice of one response for a whole capture.

use super::camera::{self, Camera, MID_GRAY};
use super::config::{Config, Normalize, Response, Sigma};
use super::dequantize::shadow_hue;
use super::estimate::{estimate, median_luminance};
use super::tone::{Restoration, Tone};
use crate::color::{linear_to_srgb, luma, to_linear};
use crate::error::Result;
use std::path::Path;

/// Median luminance of the input from which on a capture counts as lit.
pub const LIT: f32 = 0.15;
/// A camera response is sensible where the lit median luminance lies between these (the built-in one makes 48 to 161 of 255 of
/// the 1 to 7 levels of captures that it was made for) …
const MEDIAN: [f32; 2] = [0.12, 0.66];
/// … and at most this part of the pixels has all channels at 0.98 or above.
pub const MOST_SATURATED: f32 = 0.15;
pub const SATURATED: f32 = 0.98;
/// Exposures that avoid saturation end at this part of the saturated level.
const UNSATURATED: f32 = 0.999;
/// Channels at or above this level have hardly any texture left.
const NEAR_WHITE: f32 = 0.9;
/// A median below which more than half of a capture shows nothing: what becomes of it is then found from the pixels of
/// more than `SHOWN`. Dark captures have medians of 1 to 7 levels.
pub const BLACK: f32 = 0.5 / 255.0;
const SHOWN: f32 = 1.5 / 255.0;
/// Where the median is noise, this quantile is taken for the light.
const BRIGHTEST: f32 = 0.99;

/// Photographs whose quantile at this rank is black show nothing.
const NOTHING: f32 = 0.999;

/// Median luminance below which a lit capture is dim: a quarter of mid-gray's light.
const DIM: f32 = 0.24;
/// The largest exposure ratio for captures that the built-in response makes too bright, and the resolution of the search in EV.
const MOST_RATIO: f32 = 128.0;
const LEAST_STEP: f32 = 0.005;

/// EXIF data may shorten the exposure of the built-in response by this many EV; beyond that the camera counts as unknown.
const MOST_SHORTER: f32 = 1.0;

/// Exposures that differ by less than this, in EV, are one.
const SAME_STOPS: f32 = 0.05;

/// A response and, for the report, which it is and why, and the exposure that it assumes.
pub struct Choice {
    pub restoration: Restoration,
    pub response: String,
    pub reason: String,
    pub exposure: Option<Exposure>,
    /// The hue for shadows that have lost theirs; only with the built-in response, since other cameras are calibrated on
    /// unchanged colors.
    pub shadow_hue: Option<[f32; 2]>,
}

/// How a camera response was exposed, and why so.
#[derive(Clone, Debug, PartialEq)]
pub struct Exposure {
    /// EV relative to the response's own exposure.
    pub stops: f32,
    pub reason: String,
    /// EV of red relative to blue.
    pub warmth: f32,
}

/// What is known of the photographs besides their pixels.
#[derive(Clone, Copy, Default)]
pub struct Origin {
    /// Whether the files hold light in proportion, without a camera's curve.
    pub linear: bool,
    /// How many stops they lie below their meter's exposure, where EXIF data say so.
    pub below_meter: Option<f64>,
}

/// The response for the capture in the folder `root` whose dark pixels `samples` represent. The built-in one assumes a
/// camera's curve, which linear files do not have.
///
/// # Errors
/// Those of the camera file.
pub fn choose(config: &Config, root: &Path, samples: &[[f32; 3]], origin: Origin) -> Result<Choice> {
    let own = root.join("camera.toml");
    let named = if !config.camera.is_empty() {
        config.camera.clone()
    } else if own.is_file() {
        own.to_string_lossy().into_owned()
    } else {
        camera::DEFAULT.into()
    };
    let choice = match config.response {
        Response::Camera => by(&named, config, origin, samples, "as set".into()),
        Response::Auto if named != camera::DEFAULT => {
            let reason = if config.camera.is_empty() { "the scene folder has a camera.toml" } else { "as set" };
            by(&named, config, origin, samples, reason.into())
        }
        Response::Auto => automatic(config, samples, origin),
        Response::Naka | Response::Log | Response::None => Ok(estimated(config, samples, "as set".into())),
    }?;
    if choice.exposure.is_none() && (config.exposure != 0.0 || config.warmth != 0.0) {
        tracing::warn!(
            "`enhance.exposure` and `enhance.warmth` have no effect: {}; with `enhance.response = camera` they would",
            choice.reason
        );
    }
    Ok(choice)
}

/// The camera `named`, for the capture that `samples` represent.
fn by(named: &str, config: &Config, origin: Origin, samples: &[[f32; 3]], reason: String) -> Result<Choice> {
    let shadow_hue = shadow_hue(samples).filter(|_| named == camera::DEFAULT && !origin.linear);
    Ok(Choice { shadow_hue, ..with_camera(open(named, config, origin)?, reason) })
}

/// The camera `named`, exposed as the settings ask for, or the EXIF data of photographs that the built-in one lights.
fn open(named: &str, config: &Config, origin: Origin) -> Result<(Camera, Exposure)> {
    let camera = Camera::open(named)?;
    let told =
        origin.below_meter.filter(|_| config.exif_exposure && config.exposure == 0.0 && named == camera::DEFAULT);
    let exposure = match (told, camera.ratio) {
        (Some(below), Some(ratio)) => {
            let reason = format!("EXIF data say that the photographs lie {below:.1} EV below their meter");
            let exposure = Exposure { stops: below as f32 - ratio.log2(), reason, warmth: config.warmth };
            if exposure.stops < -MOST_SHORTER {
                let camera = Camera::unknown(below.exp2() as f32).warmed(config.warmth);
                return Ok((camera, Exposure { stops: 0.0, ..exposure }));
            }
            exposure
        }
        _ if named == camera::DEFAULT => asked(config, "right on average, where nothing tells it"),
        _ => asked(config, "that of the camera file"),
    };
    Ok((camera.exposed(exposure.stops).warmed(config.warmth), exposure))
}

fn asked(config: &Config, otherwise: &str) -> Exposure {
    let reason = if config.exposure == 0.0 { otherwise } else { "as set" };
    Exposure { stops: config.exposure, reason: reason.into(), warmth: config.warmth }
}

fn automatic(config: &Config, samples: &[[f32; 3]], origin: Origin) -> Result<Choice> {
    if !origin.linear && is_empty(samples) {
        let reason = "the photographs are black";
        tracing::warn!(
            "{reason}: they show nothing above half a level of 255, and stay as they are; set `enhance.response` to light them \
             anyway"
        );
        return Ok(estimated(&Config { response: Response::None, ..config.clone() }, samples, reason.into()));
    }
    if let Some(lit) = lit_as(samples) {
        return Ok(lit_already(config, samples, origin, &lit));
    }
    let (all, shown) = (samples, shown(samples));
    let samples = shown.as_deref().unwrap_or(all);
    if origin.linear {
        return Ok(mid_gray(config, samples));
    }
    let set = config.exposure != 0.0;
    let base = Config { exposure: 0.0, warmth: 0.0, exif_exposure: config.exif_exposure && !set, ..config.clone() };
    let [median, saturated] = lights(&with_camera(open(camera::DEFAULT, &base, origin)?, String::new()), samples, all);
    let found = format!("median {:.0} of 255, {:.1} % saturated", median * 255.0, saturated * 100.0);
    let sensible = (MEDIAN[0]..=MEDIAN[1]).contains(&median) && saturated <= MOST_SATURATED;
    // Pictures that are too dark stay with the prior: at mid-gray some scenes lose more than others gain.
    let too_dark = median < MEDIAN[0];
    if sensible || too_dark && set {
        let reason =
            if set { "its exposure is set".into() } else { format!("it exposes this capture sensibly ({found})") };
        return by(camera::DEFAULT, config, origin, all, reason);
    }
    let reason = format!("the built-in camera response does not fit this exposure ({found})");
    let shorter = if too_dark { None } else { at_mid_gray(config, [samples, all]) };
    let choice = match shorter {
        Some(shorter) => with_camera(shorter, reason),
        None => {
            let (sigma, normalize) = (Sigma::Auto, Normalize::White);
            let naka = Config { response: Response::Naka, sigma, normalize, ..config.clone() };
            estimated(&naka, samples, reason)
        }
    };
    let bright = part_above(&lit_by(&choice, all), NEAR_WHITE);
    if bright > MOST_SATURATED {
        tracing::warn!(
            "{:.0} % of the pixels become nearly white: what is lit already in these photographs loses its texture; a \
             camera file (`enhance.camera`) or another `enhance.response` may keep it",
            bright * 100.0
        );
    }
    Ok(choice)
}

/// Exposes photographs that are lit already (`found` says how it was seen) as the settings ask, or leaves them alone.
fn lit_already(config: &Config, samples: &[[f32; 3]], origin: Origin, found: &str) -> Choice {
    let reason = format!("the capture is lit already ({found})");
    let exposure = asked(config, "that of the photographs");
    if config.exposure != 0.0 || config.warmth != 0.0 {
        let ratio = config.exposure.exp2();
        // Shorter exposures and linear light need no roll-off toward white.
        let camera = if origin.linear || ratio < 1.0 { Camera::exposure(ratio) } else { Camera::unknown(ratio) };
        let camera = Camera { name: "that of the photographs".into(), ..camera.warmed(config.warmth) };
        return with_camera((camera, exposure), reason);
    }
    if median_luminance(samples) < LIT {
        tracing::warn!(
            "more than half of the pixels are black, and {reason}: the photographs stay as they are; `enhance.exposure` makes \
             them brighter"
        );
    } else if median_luminance(samples) < DIM {
        tracing::info!("{reason}, though dim, and stays as it is; `enhance.exposure` makes it brighter");
    }
    let alone = Config { response: Response::None, ..config.clone() };
    Choice { exposure: Some(exposure), ..estimated(&alone, samples, reason) }
}

/// The response of an unknown camera at the longest exposure that brings the median luma of `samples` to mid-gray at most and
/// saturates not too much of `all`; nothing where that would make them darker than they are.
fn at_mid_gray(config: &Config, [samples, all]: [&[[f32; 3]]; 2]) -> Option<(Camera, Exposure)> {
    let mid_gray = linear_to_srgb(MID_GRAY);
    let lights = |stops: f32| {
        let choice = with_camera((Camera::unknown(stops.exp2()), asked(config, "")), String::new());
        let lumas = lit_by(&choice, samples).into_iter().map(luma).collect();
        [ranked(lumas, 0.5), part_above(&lit_by(&choice, all), SATURATED)]
    };
    let too_bright = |[median, saturated]: [f32; 2]| median > mid_gray || saturated > MOST_SATURATED;
    let [mut fits, mut beyond] = [0.0, MOST_RATIO.log2()];
    if too_bright(lights(fits)) {
        return None;
    }
    while beyond - fits > LEAST_STEP {
        let middle = f32::midpoint(fits, beyond);
        *(if too_bright(lights(middle)) { &mut beyond } else { &mut fits }) = middle;
    }
    let becomes = match lights(beyond) {
        [_, saturated] if saturated > MOST_SATURATED => as_bright_as_can_be(),
        _ => "mid-gray".into(),
    };
    let exposure = asked(config, &format!("the median becomes {becomes}"));
    Some((Camera::unknown(fits.exp2()).exposed(config.exposure).warmed(config.warmth), exposure))
}

/// Describes a median that saturation keeps below mid-gray.
fn as_bright_as_can_be() -> String {
    format!("as bright as it can be with {:.0} % saturated", 100.0 * MOST_SATURATED)
}

fn lit_by(choice: &Choice, pixels: &[[f32; 3]]) -> Vec<[f32; 3]> {
    pixels.iter().map(|p| choice.restoration.apply(*p)).collect()
}

/// The median luminance that `samples` are lit to, and the part of `all` that is saturated then.
fn lights(choice: &Choice, samples: &[[f32; 3]], all: &[[f32; 3]]) -> [f32; 2] {
    [median_luminance(&lit_by(choice, samples)), part_above(&lit_by(choice, all), SATURATED)]
}

/// The median, in words, by which the pixels count as lit already: that of all of them, or, where more than half are black,
/// that of the others.
fn lit_as(pixels: &[[f32; 3]]) -> Option<String> {
    let all = median_luminance(pixels);
    if all >= LIT {
        return Some(format!("median {:.0} of 255", all * 255.0));
    }
    let shown = median_luminance(&shown(pixels)?);
    (shown >= LIT).then(|| format!("median {:.0} of 255 where it is not black", shown * 255.0))
}

/// Whether the pixels count as lit already.
pub fn is_lit(pixels: &[[f32; 3]]) -> bool {
    lit_as(pixels).is_some()
}

/// Whether the pictures show practically nothing.
fn is_empty(pixels: &[[f32; 3]]) -> bool {
    ranked(pixels.iter().map(|p| p.iter().sum::<f32>() / 3.0).collect(), NOTHING) < BLACK
}

/// The pixels that are not black, where more than half are, and the others are more than may saturate: a subject before a
/// black backdrop, but not the lamps of a night.
fn shown(pixels: &[[f32; 3]]) -> Option<Vec<[f32; 3]>> {
    if median_luminance(pixels) > BLACK {
        return None;
    }
    let shown: Vec<_> = pixels.iter().copied().filter(|p| p.iter().sum::<f32>() / 3.0 >= SHOWN).collect();
    (shown.len() as f32 > MOST_SATURATED * pixels.len() as f32).then_some(shown)
}

/// The part of the pixels with all channels at `level` or above.
fn part_above(pixels: &[[f32; 3]], level: f32) -> f32 {
    pixels.iter().filter(|p| p.iter().all(|v| *v >= level)).count() as f32 / pixels.len().max(1) as f32
}

/// The longer exposure that brings the median of linear light to mid-gray, or as near as may be without saturating too much.
fn mid_gray(config: &Config, samples: &[[f32; 3]]) -> Choice {
    let median = median_luminance(samples);
    // Where the median is noise around black, the brightest pixels show how much light there is.
    let means: Vec<f32> = samples.iter().map(|p| p.iter().sum::<f32>() / 3.0).collect();
    let (level, what) = if median > 0.0 { (median, "median") } else { (ranked(means, BRIGHTEST), "99th percentile") };
    let Some(camera) = Camera::exposing(level) else {
        let reason = "there is no light above black".into();
        return estimated(&Config { response: Response::None, ..config.clone() }, samples, reason);
    };
    let least = samples.iter().map(|p| p[0].min(p[1]).min(p[2])).collect();
    let brightest = to_linear(ranked(least, 1.0 - MOST_SATURATED)).max(f32::MIN_POSITIVE);
    let most = (UNSATURATED * to_linear(SATURATED) / brightest).max(1.0);
    let light = format!("linear light of a {what} of {:.1} of 255", level * 255.0);
    let held = camera.ratio.is_some_and(|ratio| ratio > most);
    let (camera, becomes) = match held {
        true => (Camera::exposure(most), as_bright_as_can_be()),
        false => (camera, "mid-gray".into()),
    };
    let exposure = asked(config, &format!("the {what} becomes {becomes}"));
    let reason = format!("{light} becomes {becomes}");
    with_camera((camera.exposed(config.exposure).warmed(config.warmth), exposure), reason)
}

/// The value below which that part of `values` lies; 0 where there are none.
fn ranked(mut values: Vec<f32>, part: f32) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let rank = ((values.len() - 1) as f32 * part).ceil() as usize;
    *values.select_nth_unstable_by(rank, f32::total_cmp).1
}

fn with_camera((camera, exposure): (Camera, Exposure), reason: String) -> Choice {
    let mut response = format!("camera ({})", camera.name);
    if exposure.stops.abs() >= SAME_STOPS {
        response += &format!(", {:+.2} EV", exposure.stops);
    }
    if exposure.warmth.abs() >= SAME_STOPS {
        response += &format!(", warmth {:+.2} EV", exposure.warmth);
    }
    let restoration = Restoration::plain(Tone::Camera(Box::new(camera)));
    Choice { restoration, response, reason, exposure: Some(exposure), shadow_hue: None }
}

fn estimated(config: &Config, samples: &[[f32; 3]], reason: String) -> Choice {
    let restoration = estimate(config, samples);
    Choice { response: describe(&restoration), restoration, reason, exposure: None, shadow_hue: None }
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
