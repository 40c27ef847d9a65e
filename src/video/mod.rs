//! Videos: the sharpest frame of each of their intervals, through an installed ffmpeg.
//!
//! Two passes of ffmpeg ([`ffmpeg`]). The first gives small gray frames, in which most of the sensor's noise has averaged out,
//! and which are scored ([`choose`]); the second gives the chosen ones at full size, as PNG in the video's depth, those of HDR
//! videos as sRGB ([`hdr`]). Both count frames as they are decoded, so that they mean the same ones. Nothing is written here.

mod child;
mod choose;
mod ffmpeg;
mod hdr;
mod sharpness;
#[cfg(test)]
mod tests;

pub use choose::Frame;

use crate::capture::ending;
use crate::error::{Error, Result};
use crate::progress::Progress;
use choose::Choice;
use documented::DocumentedFields;
use ffmpeg::{Ffmpeg, Info};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Endings of videos, in lower case.
const ENDINGS: [&str; 9] = ["mp4", "mov", "m4v", "mkv", "webm", "avi", "mts", "m2ts", "3gp"];
/// The fewest frames that poses can be found for.
const FEWEST: u64 = 3;
/// The most that can be asked for.
const MOST: u32 = 2000;

/// Parameters of the choice of frames.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Photographs that a video becomes at most: the sharpest frame of each of so many equal intervals
    pub frames: u32,
    /// Frames that are compared in each interval; a short video gets fewer intervals instead
    pub candidates: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { frames: 120, candidates: 6 }
    }
}

impl Config {
    fn check(&self) -> Result<()> {
        if !(FEWEST..=u64::from(MOST)).contains(&u64::from(self.frames)) {
            let remedy = format!("use {FEWEST} to {MOST}");
            return Err(Error::setting("video.frames", self.frames.to_string(), remedy));
        }
        if !(1..=1000).contains(&self.candidates) {
            return Err(Error::setting("video.candidates", self.candidates.to_string(), "use 1 to 1000"));
        }
        Ok(())
    }
}

/// Whether `path` is named as a video.
pub fn is_video(path: impl AsRef<Path>) -> bool {
    let path = path.as_ref();
    let ending = ending(path);
    let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
    ENDINGS.contains(&ending.as_str()) && !hidden && !path.is_dir()
}

/// A video that ffmpeg can read.
#[derive(Debug)]
pub struct Video {
    path: PathBuf,
    ffmpeg: Ffmpeg,
    info: Info,
}

impl Video {
    /// Looks at the video `path`.
    ///
    /// # Errors
    /// No ffmpeg; a file that is no video, is cut short or has fewer than three frames; a
    /// stop.
    pub fn open(path: &Path, progress: &dyn Progress) -> Result<Self> {
        std::fs::File::open(path).map_err(Error::io(path))?;
        Self::open_with(Ffmpeg::find(path)?, path, progress)
    }

    fn open_with(ffmpeg: Ffmpeg, path: &Path, progress: &dyn Progress) -> Result<Self> {
        let info = ffmpeg.info(path, progress)?;
        let video = Self { path: path.to_path_buf(), ffmpeg, info };
        if video.info.frames < FEWEST { Err(video.too_few(video.info.frames)) } else { Ok(video) }
    }

    /// Chooses the sharpest frame of each interval.
    ///
    /// # Errors
    /// A setting out of range; frames that show nothing; fewer than three that can be decoded; an ffmpeg that fails or
    /// hangs; a stop.
    pub fn choose(&self, config: &Config, progress: &dyn Progress) -> Result<Vec<Frame>> {
        config.check()?;
        let mut choice = Choice::new(self.info.frames, config);
        progress.begin("video", "frames", choice.candidates());
        let (step, expected, mut index) = (choice.step(), choice.candidates(), 0);
        let seen = self.ffmpeg.small_frames(&self.path, &self.info, step, progress, |frame| {
            choice.look_at(index * step, &frame);
            index += 1;
            progress.set(index, "");
            Ok(())
        })?;
        progress.end();
        if index * 10 < expected * 9 {
            let path = self.path.display();
            let why = if seen.damaged { "it is damaged or cut short" } else { "there will be fewer photographs" };
            tracing::warn!("{path}: ffmpeg gave only {index} of {expected} frames: {why}");
        }
        if index < FEWEST {
            return Err(self.too_few(index));
        }
        let verdict = choice.verdict();
        if let Some(found) = &verdict.shows_nothing {
            return Err(Error::input(&self.path, found, "give a video in which the scene can be seen"));
        }
        for warning in &verdict.warnings {
            tracing::warn!("{}: {warning}", self.path.display());
        }
        let mut frames = choice.into_frames();
        if (frames.len() as u64) < FEWEST {
            return Err(self.too_few(frames.len() as u64));
        }
        for frame in &mut frames {
            frame.seconds = seen.seconds.get((frame.index / step) as usize).copied();
        }
        Ok(frames)
    }

    /// Hands the frames of these numbers, which ascend, to `put` as PNG files, each with its place in `frames`.
    ///
    /// # Errors
    /// The error of `put`; an ffmpeg that fails or hangs, or gives fewer frames; a stop.
    pub fn extract(
        &self,
        frames: &[u64],
        progress: &dyn Progress,
        mut put: impl FnMut(usize, &[u8]) -> Result<()>,
    ) -> Result<()> {
        progress.begin("video", "photographs", frames.len() as u64);
        let mut done = 0;
        self.ffmpeg.full_frames(&self.path, &self.info, frames, progress, |png| {
            if done < frames.len() {
                put(done, &png)?;
                done += 1;
            }
            progress.set(done as u64, "");
            Ok(())
        })?;
        progress.end();
        if done < frames.len() {
            let found = format!("ffmpeg gave {done} of {} frames the second time", frames.len());
            return Err(Error::input(&self.path, found, "copy the video again, or convert it to MP4"));
        }
        Ok(())
    }

    fn too_few(&self, count: u64) -> Error {
        let found = format!("holds {count} frames that can be used, and poses need at least {FEWEST}");
        Error::input(&self.path, found, "film the scene for some seconds while you walk around it")
    }
}
