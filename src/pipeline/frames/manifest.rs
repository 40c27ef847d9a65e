//! `frames.json`: which frames of which video lie beside it.

use super::super::fingerprint::Content;
use super::super::output::Files;
use super::MANIFEST;
use super::source::Source;
use crate::error::Result;
use crate::storage::write_json;
use crate::video::{Config, Frame};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The format of the file, and of the choice of frames: another choice makes other photographs of the same video.
const FORMAT: u32 = 2;

/// The contents of `frames.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    format: u32,
    pub video: Source,
    settings: Config,
    pub frames: Vec<Entry>,
}

/// A frame, and its file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub name: String,
    #[serde(flatten)]
    pub frame: Frame,
    /// Nothing while the file is not finished.
    pub content: Option<Content>,
}

impl Entry {
    /// Its file, as recorded in a file list.
    pub fn file(&self) -> (String, Option<Content>) {
        (self.name.clone(), self.content.clone())
    }
}

impl Manifest {
    /// Of `frames` none of which is written yet.
    pub fn new(video: &Source, settings: &Config, frames: Vec<Frame>) -> Self {
        let entry = |(place, frame)| Entry { name: name(place), frame, content: None };
        let frames = frames.into_iter().enumerate().map(entry).collect();
        Self { format: FORMAT, video: video.clone(), settings: settings.clone(), frames }
    }

    /// The manifest in `folder`; `None` for a file that is not a valid one, or names files that the program would not.
    pub fn read(folder: &Path) -> Option<Self> {
        let text = std::fs::read(folder.join(MANIFEST)).ok()?;
        let manifest: Self = serde_json::from_slice(&text).ok()?;
        let named = manifest.frames.iter().enumerate().all(|(place, entry)| entry.name == name(place));
        (manifest.format == FORMAT && named).then_some(manifest)
    }

    /// Whether it is of this video, wherever it lies, and these settings.
    pub fn is_of(&self, video: &Source, settings: &Config) -> bool {
        self.video.content == video.content && self.settings == *settings && !self.frames.is_empty()
    }

    /// The files of the frames.
    pub fn files(&self) -> Files {
        self.frames.iter().map(Entry::file).collect()
    }

    /// Writes it into `folder`.
    pub fn write(&self, folder: &Path) -> Result<()> {
        write_json(&folder.join(MANIFEST), self)
    }
}

fn name(place: usize) -> String {
    format!("{:04}.png", place + 1)
}
