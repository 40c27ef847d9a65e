//! Which frames become photographs.

use super::Config;
use super::ffmpeg::Gray;
use super::sharpness::{Thumbnail, blur, sharpness};
use serde::{Deserialize, Serialize};

/// Contrast, in levels of 255, below which frames show nothing: a lens cap, or night.
const NOTHING: f64 = 0.25;
/// Blur of the sharpest frame from which on poses are unlikely to be found: sharp captures have up to 0.39, and such that are
/// blurred by two of the small pixels 0.48 and more (docs/video.md).
const BLURRED: f64 = 0.45;
/// Correlation of all frames with the first one from which on the camera hardly moves.
const STILL: f64 = 0.98;

/// A frame that becomes a photograph.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// Its number in the order of decoding, from 0.
    pub index: u64,
    /// When it is shown, from the beginning of the video, where ffmpeg says so.
    pub seconds: Option<f64>,
    /// Gradient energy of the small frame over its squared brightness; only comparable within a video.
    pub sharpness: f64,
}

/// The best frame so far of each interval.
pub struct Choice {
    total: u64,
    intervals: u64,
    step: u64,
    best: Vec<Option<Best>>,
}

struct Best {
    frame: Frame,
    blur: f64,
    thumbnail: Thumbnail,
}

/// Warnings about the frames as a whole.
#[derive(Debug, Default, PartialEq)]
pub struct Verdict {
    pub shows_nothing: Option<String>,
    pub warnings: Vec<String>,
}

impl Choice {
    /// Among `total` frames.
    pub fn new(total: u64, config: &Config) -> Self {
        let (frames, candidates) = (u64::from(config.frames), u64::from(config.candidates));
        let intervals = (total / candidates).clamp(super::FEWEST, frames).min(total.max(1));
        let step = (total / (intervals * candidates)).max(1);
        let best = (0..intervals).map(|_| None).collect();
        Self { total, intervals, step, best }
    }

    /// Every so many frames one is looked at.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// How many are.
    pub fn candidates(&self) -> u64 {
        self.total.div_ceil(self.step)
    }

    /// Takes the frame of this number where it is the sharpest so far of its interval.
    pub fn look_at(&mut self, index: u64, picture: &Gray) {
        let interval = (index.saturating_mul(self.intervals) / self.total).min(self.intervals - 1);
        let (best, sharpness) = (&mut self.best[interval as usize], sharpness(picture));
        if best.as_ref().is_none_or(|best| sharpness > best.frame.sharpness) {
            let frame = Frame { index, seconds: None, sharpness };
            *best = Some(Best { frame, blur: blur(picture), thumbnail: Thumbnail::of(picture) });
        }
    }

    /// What the chosen frames are like.
    pub fn verdict(&self) -> Verdict {
        let best: Vec<&Best> = self.best.iter().flatten().collect();
        let contrast = best.iter().map(|best| best.thumbnail.contrast()).fold(0.0, f64::max);
        if contrast < NOTHING {
            let found = format!("its frames show nothing: a contrast of {contrast:.2} of 255 gray levels");
            return Verdict { shows_nothing: Some(found), warnings: Vec::new() };
        }
        let mut warnings = Vec::new();
        let blur = best.iter().map(|best| best.blur).fold(1.0, f64::min);
        if blur > BLURRED {
            warnings.push(format!(
                "no frame is sharp (the sharpest has a blur of {blur:.2}, from 0 to 1): poses may not be found; move the \
                 camera more slowly, or give it more light"
            ));
        }
        let least = best.iter().map(|other| best[0].thumbnail.correlation(&other.thumbnail)).fold(1.0, f64::min);
        if least > STILL {
            warnings.push(format!(
                "its frames hardly differ (their correlation with the first one is at least {least:.3}): a scene needs a \
                 camera that moves around it"
            ));
        }
        Verdict { shows_nothing: None, warnings }
    }

    /// The chosen frames, in order.
    pub fn into_frames(self) -> Vec<Frame> {
        self.best.into_iter().flatten().map(|best| best.frame).collect()
    }
}
