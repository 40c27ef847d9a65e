//! The stage's settings.

use crate::error::{Error, Result};
use documented::DocumentedFields;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Settings of the photometric restoration. The default chooses a response for the whole capture by itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Which curve takes dark to lit: `auto`, `camera`, `naka`, `log` or `none`.
    pub response: Response,
    /// `scene`: one response for every view; `image`: each view by its own statistics, as published (views then differ
    /// in brightness where the scene does not).
    pub scope: Scope,
    /// Exponent n of the Naka–Rushton response.
    pub n: f32,
    /// Semi-saturation σ of the Naka–Rushton response (or s of the logarithmic one): a number, or `auto`.
    pub sigma: Sigma,
    /// How the Naka–Rushton or logarithmic response is mapped to 0–1: `linear`, `percentile`, `symmetric`,
    /// `histogram` or `white`.
    pub normalize: Normalize,
    /// Camera response of `camera` and `auto`: a built-in name (`exposure-45`, `exposure-40`, `exposure-40-plain`) or a
    /// TOML file. Empty: `camera.toml` in the scene folder where there is one, else `exposure-45`.
    pub camera: String,
    /// Exposure compensation of the camera response in EV (-5 to 5), from its own exposure. 0: from how far EXIF data say the
    /// photographs lie below their meter's exposure, else what is right on average; less where that would be far too bright.
    pub exposure: f32,
    /// Warmth of the camera response: EV of red relative to blue (-2 to 2, positive is warmer).
    pub warmth: f32,
    /// Estimate colors of 8-bit files between the whole levels that their Cb and Cr were rounded to, from the ratio of
    /// color to brightness around them. Brightness is left alone.
    pub dequantize: bool,
    /// Use EXIF exposures: scale photographs to their mean exposure where exposures differ, and let the built-in response
    /// expose as the camera's meter would have.
    pub exif_exposure: bool,
    /// Strength of the color-noise filter before the curve: 0 is off, 1 removes what is not above the noise, 4 more.
    /// Brightness is left alone. For pictures to look at; splats average noise over views better than any filter.
    pub denoise: f32,
    /// Weights of the chroma network, which corrects locally what the response gets wrong: `auto` (the built-in ones,
    /// where all views share one response), `none` (no network), or a file: safetensors or a PyTorch checkpoint.
    pub weights: String,
    /// Longest side, in pixels, at which the chroma network predicts its maps; they are enlarged along the edges of the
    /// picture. 0: what the weights were trained for, else full size.
    pub working: u32,
    /// Round decoded images to 8 bits first, as the published method does; only for comparison.
    pub eight_bit: bool,
}

/// Largest `exposure`, in EV.
pub const MOST_STOPS: f32 = 5.0;
/// Largest `warmth`, in EV.
pub const MOST_WARMTH: f32 = 2.0;

impl Default for Config {
    fn default() -> Self {
        Self {
            response: Response::Auto,
            scope: Scope::Scene,
            n: 1.0,
            sigma: Sigma::Auto,
            normalize: Normalize::White,
            camera: String::new(),
            exposure: 0.0,
            warmth: 0.0,
            dequantize: true,
            exif_exposure: true,
            denoise: 0.0,
            weights: "auto".into(),
            working: 0,
            eight_bit: false,
        }
    }
}

impl Config {
    /// The published settings, exactly (NAKA-GS §3.1): 8-bit input, σ = 0.05, min–max per image; no network
    /// unless weights are given.
    pub fn published() -> Self {
        Self {
            response: Response::Naka,
            scope: Scope::Image,
            sigma: Sigma::Value(0.05),
            normalize: Normalize::Linear,
            weights: "none".into(),
            dequantize: false,
            exif_exposure: false,
            eight_bit: true,
            ..Self::default()
        }
    }

    /// The file of the camera response, where one is named.
    pub fn camera_file(&self) -> Option<&Path> {
        Some(Path::new(&self.camera)).filter(|_| self.camera.ends_with(".toml"))
    }

    /// The file with the weights of the network, where one is named.
    pub fn weights_file(&self) -> Option<&Path> {
        Some(Path::new(&self.weights)).filter(|_| !["", "auto", "none"].contains(&self.weights.as_str()))
    }

    /// What the result depends on, without the paths of files: these count by their content.
    #[must_use]
    pub fn cache_key(&self) -> Self {
        let word = |file: Option<&Path>, named: &String| file.map_or_else(|| named.clone(), |_| "file".into());
        let camera = word(self.camera_file(), &self.camera);
        let weights = word(self.weights_file(), &self.weights);
        Self { camera, weights, ..self.clone() }
    }

    /// Fails with [`Error::Setting`] where a value is outside what the formulas allow.
    pub fn validate(&self) -> Result<()> {
        let check = |ok: bool, key: &str, found: f32, remedy: &str| {
            if ok { Ok(()) } else { Err(Error::setting(format!("enhance.{key}"), found.to_string(), remedy)) }
        };
        check(self.n > 0.0 && self.n <= 10.0, "n", self.n, "use an exponent above 0 and up to 10")?;
        check((0.0..=4.0).contains(&self.denoise), "denoise", self.denoise, "use a strength from 0 (off) to 4")?;
        let remedy = "use EV from -5 to 5, such as 0.33 for a third of a stop";
        check(self.exposure.abs() <= MOST_STOPS, "exposure", self.exposure, remedy)?;
        let remedy = "use EV from -2 (cold) to 2 (warm), such as 0.3";
        check(self.warmth.abs() <= MOST_WARMTH, "warmth", self.warmth, remedy)?;
        let of_camera = matches!(self.response, Response::Auto | Response::Camera);
        let remedy =
            "leave it at 0, or use `enhance.response` auto or camera: other responses are not exposures of a camera";
        check(self.exposure == 0.0 || of_camera, "exposure", self.exposure, remedy)?;
        check(self.warmth == 0.0 || of_camera, "warmth", self.warmth, remedy)?;
        if self.weights.is_empty() {
            return Err(Error::setting("enhance.weights", "''", "use 'auto', 'none' or the path of a file"));
        }
        match self.sigma {
            Sigma::Value(s) => check(s > 0.0 && s <= 10.0, "sigma", s, "use 'auto' or a number above 0 and up to 10"),
            Sigma::Auto => Ok(()),
        }
    }
}

/// The curve from dark to lit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Response {
    /// The camera response; that of an unknown camera, which makes the median mid-gray, where it is too bright; Naka–Rushton
    /// where it is too dark; nothing for lit captures.
    #[default]
    Auto,
    /// A calibrated monotone curve per channel, the same for every capture of that exposure.
    Camera,
    /// `xⁿ / (xⁿ + σⁿ)`.
    Naka,
    /// `log1p(x/s) / log1p(1/s)`.
    Log,
    /// Leaves the values as they are.
    None,
}

/// What a response is estimated on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// All views together.
    #[default]
    Scene,
    /// Every view alone.
    Image,
}

/// The mapping of a response to 0–1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Normalize {
    /// Minimum to 0, maximum to 1.
    Linear,
    /// 2.5th percentile to 0, 97.5th to 1.
    Percentile,
    /// −3 to 0, 3 to 1.
    Symmetric,
    /// As linear, in 8 bits, then the luma's histogram is equalized.
    Histogram,
    /// 0 stays 0, the 99.5th percentile becomes 0.95: no black point that moves with the view.
    #[default]
    White,
}

/// σ as a number, or estimated from the median.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "SigmaText", into = "SigmaText")]
pub enum Sigma {
    /// From the capture's own pixels.
    #[default]
    Auto,
    /// As given, 0–1.
    Value(f32),
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum SigmaText {
    Value(f32),
    Word(String),
}

impl TryFrom<SigmaText> for Sigma {
    type Error = String;

    fn try_from(text: SigmaText) -> Result<Self, String> {
        match text {
            SigmaText::Value(value) => Ok(Self::Value(value)),
            SigmaText::Word(word) if word == "auto" => Ok(Self::Auto),
            SigmaText::Word(word) => {
                word.parse().map(Self::Value).map_err(|_| format!("'{word}' is neither `auto` nor a number"))
            }
        }
    }
}

impl From<Sigma> for SigmaText {
    fn from(sigma: Sigma) -> Self {
        match sigma {
            Sigma::Auto => Self::Word("auto".into()),
            Sigma::Value(value) => Self::Value(value),
        }
    }
}
