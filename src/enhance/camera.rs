//! Camera responses as data: how one camera's rendering of a dark exposure relates to its rendering of a lit one.

use crate::color::{encoded, exposed_unclipped, linear_to_srgb, srgb_to_linear, warmth};
use crate::error::{Error, Result};
use crate::limits;
use serde::Deserialize;
use std::path::Path;

/// The responses that come with the program, by name.
pub(super) const BUILT_IN: [(&str, &str); 3] = [
    ("exposure-45", include_str!("cameras/exposure-45.toml")),
    ("exposure-40", include_str!("cameras/exposure-40.toml")),
    ("exposure-40-plain", include_str!("cameras/exposure-40-plain.toml")),
];

/// Name of the built-in response used where nothing else is asked for.
pub const DEFAULT: &str = "exposure-45";

/// A response from dark to lit values: a matrix and a gain, then a curve.
#[derive(Clone, Debug, PartialEq)]
pub struct Camera {
    /// A line for the report.
    pub name: String,
    /// Row-major, gain included; applied to the image's own (encoded) values.
    pub matrix: [[f32; 3]; 3],
    /// Where the matrix counts for yellows and greens only, the gain of other colors: a matrix fitted to a scene without
    /// pinks would turn them orange.
    pub yellows_only: Option<f32>,
    /// Factor by which red's lead over the other channels grows where the matrix for yellows does not apply: dark files show
    /// saturated reds too pale.
    pub red_lead: f32,
    /// How light becomes levels.
    pub kind: Kind,
    /// How many times longer its lit pictures are exposed than the dark ones, where that is known.
    pub ratio: Option<f32>,
}

/// Reflectance that the mean of a scene is exposed for (ISO 2720's calibration of light meters).
pub const MID_GRAY: f32 = 0.18;
/// Least difference of channels, three tenths of a level: what is closer to gray is mixed less.
const LEAST_CHROMA: f32 = 0.3 / 255.0;

/// The curve after the matrix.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// A measured monotone curve each for red, green and blue.
    Curve([Curve; 3]),
    /// An exposure longer by `ratios` (red, green, blue) under the plain sRGB curve: `y = srgb(ratio · srgb⁻¹(x))`.
    SrgbExposure {
        /// The light of the dark exposure is 1/`ratio` of that of the lit one.
        ratios: [f32; 3],
    },
}

/// Dark levels at which a Naka–Rushton response becomes knots: closer near black, where it is steep.
const NAKA_LEVELS: [f32; 18] =
    [0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.5, 7.5, 10.0, 13.0, 17.0, 22.0, 28.0, 36.0, 48.0, 64.0];
/// Largest `red_lead`.
const MOST_LEAD: f32 = 4.0;
/// Largest white of a Naka–Rushton response, as a multiple of the level that clips.
const MOST_WHITE: f32 = 10.0;
/// Lit level, of 255, of the last of these knots, and the least step to it: a curve ends below white.
const NAKA_LAST: [f32; 2] = [254.0, 2.0];
/// White of the Naka–Rushton half of an unknown camera: nearly that of `exposure-45`.
const UNKNOWN_WHITE: f32 = 1.1;
/// Knots of an unknown camera: a step is a sixth of the level.
const UNKNOWN_KNOTS: u32 = 40;

/// A monotone curve through knots. Between knots it is a cubic in `u = asinh(255 x)`, which is linear within a level
/// of black and logarithmic beyond, with Fritsch–Carlson slopes; below the first knot it continues straight, above the
/// last as the hyperbola of a Naka–Rushton response toward 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// `(u, y, dy/du)` with y in 0–1.
    pub knots: Vec<[f32; 3]>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    name: String,
    kind: String,
    #[serde(default)]
    ratio: Option<f32>,
    #[serde(default)]
    white: Option<f32>,
    #[serde(default)]
    black: [f32; 3],
    #[serde(default = "unity")]
    gain: f32,
    #[serde(default = "identity")]
    matrix: [[f32; 3]; 3],
    #[serde(default)]
    hues: Hues,
    #[serde(default)]
    red_lead: f32,
    #[serde(default)]
    red: Vec<[f32; 2]>,
    #[serde(default)]
    green: Vec<[f32; 2]>,
    #[serde(default)]
    blue: Vec<[f32; 2]>,
}

/// The colors that a matrix counts for.
#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Hues {
    #[default]
    All,
    Yellow,
}

fn unity() -> f32 {
    1.0
}

fn identity() -> [[f32; 3]; 3] {
    [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
}

impl Camera {
    /// A built-in response by name, or a TOML file by path.
    ///
    /// # Errors
    /// [`Error::Setting`] for an unknown name, [`Error::Io`] and [`Error::Input`] for a file.
    pub fn open(name: &str) -> Result<Self> {
        if let Some((_, text)) = BUILT_IN.iter().find(|(known, _)| *known == name) {
            return Self::parse(Path::new(name), text);
        }
        let path = Path::new(name);
        if !name.ends_with(".toml") {
            let known = BUILT_IN.map(|(name, _)| name).join(", ");
            return Err(Error::setting("enhance.camera", format!("'{name}'"), format!("use {known} or a .toml file")));
        }
        let text = limits::read_text(path)?;
        Self::parse(path, &text)
    }

    /// A response from the text of a file; `path` is for messages.
    ///
    /// # Errors
    /// [`Error::Input`] for text that is not TOML, unknown keys, and knots that do not rise.
    pub fn parse(path: &Path, text: &str) -> Result<Self> {
        let bad = |found: String| Error::input(path, found, "see docs/enhance.md for the format of camera files");
        let file: File = toml::from_str(text).map_err(|e| bad(e.message().to_string()))?;
        let finite = file.matrix.iter().flatten().chain([&file.gain]).all(|v| v.is_finite());
        if !finite || file.gain <= 0.0 {
            return Err(bad("gain and matrix must be finite, the gain above 0".into()));
        }
        let ratio = file.ratio.filter(|ratio| *ratio > 0.0 && ratio.is_finite());
        let kind = match file.kind.as_str() {
            "curve" => {
                let curve = |name: &str, knots: &[[f32; 2]]| Curve::new(knots).map_err(|e| bad(format!("{name}: {e}")));
                Kind::Curve([curve("red", &file.red)?, curve("green", &file.green)?, curve("blue", &file.blue)?])
            }
            "srgb-exposure" => match ratio {
                Some(ratio) => Kind::SrgbExposure { ratios: [ratio; 3] },
                None => return Err(bad("kind 'srgb-exposure' needs a ratio above 0".into())),
            },
            "naka-rushton" => match (ratio, file.white) {
                (Some(ratio), Some(white)) if ratio > 1.0 && white > 1.0 && white <= MOST_WHITE => {
                    let curve = |black: f32| Curve::naka_rushton(ratio, white, black).map_err(&bad);
                    Kind::Curve([curve(file.black[0])?, curve(file.black[1])?, curve(file.black[2])?])
                }
                _ => return Err(bad("kind 'naka-rushton' needs a ratio above 1 and a white above 1, up to 10".into())),
            },
            other => return Err(bad(format!("unknown kind '{other}' (curve, naka-rushton or srgb-exposure)"))),
        };
        let name = if file.name.is_empty() { path.display().to_string() } else { file.name };
        let yellows_only = matches!(file.hues, Hues::Yellow).then_some(file.gain);
        if !(0.0..=MOST_LEAD).contains(&file.red_lead) {
            return Err(bad("red_lead must be 0 to 4".into()));
        }
        let red_lead = file.red_lead * file.gain;
        Ok(Self {
            name,
            matrix: file.matrix.map(|row| row.map(|v| v * file.gain)),
            yellows_only,
            red_lead,
            kind,
            ratio,
        })
    }

    /// The exposure that is `ratio` times as long, under the plain sRGB curve.
    pub fn exposure(ratio: f32) -> Self {
        Self {
            name: format!("exposure × {ratio:.1}"),
            matrix: identity(),
            yellows_only: None,
            red_lead: 0.0,
            kind: Kind::SrgbExposure { ratios: [ratio; 3] },
            ratio: Some(ratio),
        }
    }

    /// The exposure that is `ratio` times as long, 1 or more, of a camera whose curve is not known: halfway between light
    /// behind sRGB's curve, and behind Naka and Rushton's at the ratio that takes the same level to mid-gray. Colors are mixed
    /// as they are: what other cameras do to them is not known either.
    pub fn unknown(ratio: f32) -> Self {
        let curve = Curve::unknown(ratio);
        let kind = Kind::Curve([curve.clone(), curve.clone(), curve]);
        Self { name: format!("exposure × {ratio:.1}, of an unknown curve"), kind, ..Self::exposure(ratio) }
    }

    /// The longer exposure that brings linear light of the (encoded) `median` to mid-gray; `None` for a black one.
    pub fn exposing(median: f32) -> Option<Self> {
        let ratio = MID_GRAY / srgb_to_linear(median);
        (median > 0.0 && ratio.is_finite()).then(|| Self::exposure(ratio))
    }

    /// The same camera, its lit pictures exposed longer by `stops`, in linear light.
    pub fn exposed(mut self, stops: f32) -> Self {
        let longer = stops.exp2();
        self.light(stops, [longer; 3]);
        self.ratio = self.ratio.map(|ratio| ratio * longer);
        self
    }

    /// The same camera, its lit pictures with more red light, and less blue, by half of `stops` each.
    pub fn warmed(mut self, stops: f32) -> Self {
        self.light(stops, warmth(stops));
        self
    }

    /// Multiplies the light of lit pictures; 0 `stops` leave every bit alone, which a curve read again would not.
    fn light(&mut self, stops: f32, factors: [f32; 3]) {
        match &mut self.kind {
            _ if stops == 0.0 => {}
            Kind::Curve(curves) => {
                curves.iter_mut().zip(factors).for_each(|(curve, factor)| *curve = curve.exposed(factor));
            }
            Kind::SrgbExposure { ratios } => ratios.iter_mut().zip(factors).for_each(|(ratio, f)| *ratio *= f),
        }
    }

    /// The lit value of a dark pixel, unclipped: what the kernels `camera` and `exposure` compute.
    pub fn apply(&self, x: [f32; 3]) -> [f32; 3] {
        let mut mixed = self.matrix.map(|row| row[0] * x[0] + row[1] * x[1] + row[2] * x[2]);
        let lead = self.red_lead * (x[0] - x[1].max(x[2])).max(0.0);
        if let Some(gain) = self.yellows_only {
            let chroma = x[0].max(x[1]).max(x[2]) - x[0].min(x[1]).min(x[2]);
            let share = ((x[1] - x[2]) / chroma.max(LEAST_CHROMA)).clamp(0.0, 1.0);
            let others = [gain * x[0] + lead, gain * x[1], gain * x[2]];
            mixed = std::array::from_fn(|c| others[c] + share * (mixed[c] - others[c]));
        } else {
            mixed[0] += lead;
        }
        match &self.kind {
            Kind::Curve(curves) => std::array::from_fn(|c| curves[c].apply(mixed[c])),
            Kind::SrgbExposure { ratios } => std::array::from_fn(|c| encoded(ratios[c] * srgb_to_linear(mixed[c]))),
        }
    }
}

impl Curve {
    /// From pairs (dark level, lit level) of 0–255.
    fn new(levels: &[[f32; 2]]) -> Result<Self, String> {
        if levels.len() < 2 {
            return Err("a curve needs at least two knots [dark, lit]".into());
        }
        if !levels.iter().flatten().all(|v| v.is_finite() && v.abs() < 1e6) {
            return Err("levels must be numbers".into());
        }
        if levels.windows(2).any(|w| !(w[1][0] > w[0][0] && w[1][1] > w[0][1])) {
            return Err("knots must rise in both numbers".into());
        }
        if levels[levels.len() - 1][1] >= 255.0 {
            return Err("the last knot must lie below 255".into());
        }
        let points: Vec<[f32; 2]> = levels.iter().map(|&[x, y]| [x.asinh(), y / 255.0]).collect();
        Ok(Self::through(&points))
    }

    fn through(points: &[[f32; 2]]) -> Self {
        let slopes = monotone_slopes(points);
        Self { knots: points.iter().zip(slopes).map(|(p, m)| [p[0], p[1], m]).collect() }
    }

    /// The curve between two exposures of a camera whose levels follow the law of Naka and Rushton (1966, J. Physiol. 185),
    /// `y = white · light / (light + σ)`, clipped at 1: with `y/(white − y)` in proportion to light, that of the
    /// lit picture is `ratio` times that of the dark one, whatever σ. Light counts from the dark level `black`.
    fn naka_rushton(ratio: f32, white: f32, black: f32) -> Result<Self, String> {
        let most = 255.0 * white;
        let lit = |level: f32| most * ratio * level / (most + (ratio - 1.0) * level);
        let dark = |level: f32| most * level / (most * ratio - (ratio - 1.0) * level);
        let [last, step] = NAKA_LAST;
        let knots =
            NAKA_LEVELS.iter().filter(|level| lit(**level) < last - step).map(|level| [level + black, lit(*level)]);
        Self::new(&knots.chain([[dark(last) + black, last]]).collect::<Vec<_>>())
    }

    /// That of [`Camera::unknown`].
    fn unknown(ratio: f32) -> Self {
        // Proportional to light by Naka and Rushton's law.
        let (light, level) =
            (|level: f32| level / (UNKNOWN_WHITE - level), |light: f32| UNKNOWN_WHITE * light / (1.0 + light));
        let mid_gray = linear_to_srgb(MID_GRAY);
        let naka_ratio = light(mid_gray) / light(linear_to_srgb(MID_GRAY / ratio));
        let lit = |dark: f32| 0.5 * (exposed_unclipped(dark, ratio).min(1.0) + level(naka_ratio * light(dark)));
        // Where Naka and Rushton's half ends below white.
        let last = (255.0 * level(light((NAKA_LAST[0] - 1.0) / 255.0) / naka_ratio)).asinh();
        let us = (0..UNKNOWN_KNOTS).map(|i| last * i as f32 / (UNKNOWN_KNOTS - 1) as f32);
        let mut points: Vec<[f32; 2]> = us.map(|u| [u, lit(u.sinh() / 255.0)]).collect();
        points.dedup_by(|next, last| next[1] <= last[1]);
        Self::through(&points)
    }

    /// The curve for lit pictures exposed `longer` times as long.
    fn exposed(&self, longer: f32) -> Self {
        let moved = |level: f32| 255.0 * exposed_unclipped(level / 255.0, 1.0 / longer);
        let mut points: Vec<[f32; 2]> = self.knots.iter().map(|&[u, y, _]| [moved(u.sinh()).asinh(), y]).collect();
        // Rounding may bring close knots together.
        points.dedup_by(|next, last| next[0] <= last[0]);
        Self::through(&points)
    }

    /// The lit value for the dark value `x` (0–1 nominal); may leave 0–1 below the first knot.
    pub fn apply(&self, x: f32) -> f32 {
        let (level, last) = (x * 255.0, self.knots.len() - 1);
        let u = level.asinh();
        // Slopes dy/du as slopes per level: du/dlevel = 1 / sqrt(1 + level²) = 1 / cosh(u).
        let [u0, y0, m0] = self.knots[0];
        if u <= u0 {
            return y0 + (level - u0.sinh()) * m0 / u0.cosh();
        }
        let [u1, y1, m1] = self.knots[last];
        if u >= u1 {
            return 1.0 - (1.0 - y1) / (1.0 + (level - u1.sinh()) * m1 / u1.cosh() / (1.0 - y1));
        }
        let right = self.knots.partition_point(|k| k[0] <= u).clamp(1, last);
        hermite(self.knots[right - 1], self.knots[right], u)
    }
}

fn hermite([u0, y0, m0]: [f32; 3], [u1, y1, m1]: [f32; 3], u: f32) -> f32 {
    let (h, t) = (u1 - u0, (u - u0) / (u1 - u0));
    let (t2, t3) = (t * t, t * t * t);
    let start = (2.0 * t3 - 3.0 * t2 + 1.0) * y0 + (t3 - 2.0 * t2 + t) * h * m0;
    start + (3.0 * t2 - 2.0 * t3) * y1 + (t3 - t2) * h * m1
}

/// Slopes at the knots for which cubic interpolation is monotone (Fritsch and Carlson 1980, SIAM J. Numer. Anal. 17,
/// with the circle of radius 3 as the region).
fn monotone_slopes(points: &[[f32; 2]]) -> Vec<f32> {
    let secants: Vec<f32> = points.windows(2).map(|w| (w[1][1] - w[0][1]) / (w[1][0] - w[0][0])).collect();
    let last = secants.len() - 1;
    let mut slopes = vec![secants[0]];
    slopes.extend(secants.windows(2).map(|w| 0.5 * (w[0] + w[1])));
    slopes.push(secants[last]);
    for (i, &secant) in secants.iter().enumerate() {
        let (a, b) = (slopes[i] / secant, slopes[i + 1] / secant);
        let length = (a * a + b * b).sqrt();
        if length > 3.0 {
            slopes[i] = 3.0 / length * a * secant;
            slopes[i + 1] = 3.0 / length * b * secant;
        }
    }
    slopes
}
