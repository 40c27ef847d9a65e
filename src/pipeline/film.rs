//! Pictures along a camera path: a folder of numbered frames, a film, or both.

use super::Painter;
use crate::capture::Camera;
use crate::error::{Error, Result};
use crate::eval::{Sampling, write_jpeg_rgb8};
use crate::parallel::overlap;
use crate::paths::{Encoder, Film};
use crate::progress::{Journal, Progress};
use crate::storage;
use image::{ImageFormat, RgbImage};
use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// How a frame is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// PNG, 8 bits.
    Png,
    /// Of a quality from 1 to 100.
    Jpeg(u8),
}

/// Frames as files `00000.png`, `00001.png`, … in a folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frames {
    /// Where they go.
    pub folder: PathBuf,
    /// What they are written as.
    pub format: Format,
}

impl Frames {
    /// The name of the file of a frame, counted from 0.
    pub fn name(&self, index: usize) -> String {
        let ending = match self.format {
            Format::Png => "png",
            Format::Jpeg(_) => "jpg",
        };
        format!("{index:05}.{ending}")
    }

    /// The file of a frame, counted from 0.
    pub fn file(&self, index: usize) -> PathBuf {
        self.folder.join(self.name(index))
    }

    fn write(&self, index: usize, picture: &RgbImage) -> Result<()> {
        let path = self.file(index);
        if let Format::Jpeg(quality) = self.format {
            return write_jpeg_rgb8(&path, picture, quality, Sampling::Half);
        }
        let mut bytes = Cursor::new(Vec::new());
        let written = picture.write_to(&mut bytes, ImageFormat::Png);
        written.map_err(|error| Error::input(&path, error.to_string(), "choose another size"))?;
        storage::write_bytes(&path, bytes.get_ref())
    }
}

/// A film as one file.
#[derive(Clone, Debug)]
pub struct Video {
    /// The file.
    pub path: PathBuf,
    /// What writes it.
    pub encoder: Encoder,
    /// Pictures a second.
    pub fps: f64,
}

/// Renders the views of `cameras`, all of one size, into `frames` and `video`; `journal` hears of each frame.
///
/// # Errors
/// Files that cannot be written, an ffmpeg that fails, a stop. Finished frames then stay; an unfinished film is removed.
pub fn film(
    painter: &mut Painter<'_>,
    cameras: &[Camera],
    frames: Option<&Frames>,
    video: Option<&Video>,
    journal: Option<&dyn Journal>,
    progress: &dyn Progress,
) -> Result<()> {
    let size = cameras.first().map_or([0; 2], |camera| [camera.width, camera.height]);
    let mut render = |mut film: Option<&mut Film<'_>>| {
        progress.begin("render", "frames", cameras.len() as u64);
        let pictures = cameras.iter().enumerate().map(|(index, camera)| {
            progress.check()?;
            let picture = painter.render_rgb8(camera)?;
            film.as_mut().map_or(Ok(()), |film| film.put(&picture))?;
            Ok((index, picture))
        });
        let done = AtomicU64::new(0);
        overlap(pictures, |(index, picture)| {
            if let Some(frames) = frames {
                frames.write(index, &picture)?;
                journal.map_or(Ok(()), |journal| journal.finished(&frames.file(index)))?;
            }
            progress.set(done.fetch_add(1, Ordering::Relaxed) + 1, "");
            Ok(())
        })?;
        progress.end();
        Ok(())
    };
    match video {
        None => render(None),
        Some(video) => video.encoder.film(&video.path, size, video.fps, progress, |film| render(Some(film))),
    }
}

/// Fails where something is at `path`, even a dangling link.
///
/// # Errors
/// [`Error::Exists`].
pub fn ensure_nothing_at(path: &Path) -> Result<()> {
    if std::fs::symlink_metadata(path).is_ok() { Err(Error::Exists(path.into())) } else { Ok(()) }
}
