//! Films: pictures through an installed ffmpeg into a file of the kind that its ending names, whole or not at all.

use crate::capture::ending;
use crate::error::{Error, Result};
use crate::program::{OutputReader, file_url, run_capturing};
use crate::progress::Progress;
use crate::storage;
use image::RgbImage;
use std::io::Write;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// Time between two looks at ffmpeg.
const POLL: Duration = Duration::from_millis(10);
/// How long ffmpeg may take for its list of encoders.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// How long it may take no picture, or not come to its end.
const STUCK_AFTER: Duration = Duration::from_secs(120);
/// How long it may take to end after it has taken its last picture.
const LAST_MOMENT: Duration = Duration::from_secs(2);
/// Pictures that wait for it.
const WAITING: usize = 2;
/// Number of characters of its last output that a message quotes.
const QUOTED: usize = 400;

/// An encoder of ffmpeg, with its settings for visually nearly lossless quality.
type Codec = (&'static str, &'static [&'static str]);

/// By preference.
const H264: [Codec; 3] =
    [("libx264", &["-preset", "medium", "-crf", "18"]), ("libopenh264", &["-b:v", "16M"]), ("mpeg4", &["-q:v", "2"])];
const VP9: [Codec; 1] = [("libvpx-vp9", &["-crf", "18", "-b:v", "0", "-row-mt", "1", "-cpu-used", "4"])];

/// A kind of file.
#[derive(Clone, Copy, Debug)]
struct Container {
    ending: &'static str,
    muxer: &'static [&'static str],
    codecs: &'static [Codec],
}

const CONTAINERS: [Container; 5] = [
    Container { ending: "mp4", muxer: &["-movflags", "+faststart", "-f", "mp4"], codecs: &H264 },
    Container { ending: "m4v", muxer: &["-movflags", "+faststart", "-f", "mp4"], codecs: &H264 },
    Container { ending: "mov", muxer: &["-movflags", "+faststart", "-f", "mov"], codecs: &H264 },
    Container { ending: "mkv", muxer: &["-f", "matroska"], codecs: &H264 },
    Container { ending: "webm", muxer: &["-f", "webm"], codecs: &VP9 },
];

const INSTALL: &str = "install it (Debian, Ubuntu: apt install ffmpeg; Fedora: dnf install ffmpeg-free; Arch: pacman -S \
                       ffmpeg; macOS: brew install ffmpeg; Windows: winget install ffmpeg), or render pictures without \
                       `video`";

/// Whether the ending of `path` names a kind of film.
pub fn is_film(path: &Path) -> bool {
    Container::of(path).is_some()
}

impl Container {
    /// By the ending of `path`.
    fn of(path: &Path) -> Option<Self> {
        let ending = ending(path);
        CONTAINERS.into_iter().find(|container| container.ending == ending)
    }
}

/// An installed ffmpeg that makes films of one kind.
#[derive(Clone, Debug)]
pub struct Encoder {
    program: String,
    container: Container,
    codec: Codec,
}

/// What pictures go into.
pub struct Film<'a> {
    size: [u32; 2],
    sender: SyncSender<Vec<u8>>,
    progress: &'a dyn Progress,
    stuck_after: Duration,
    /// ffmpeg takes no more.
    refused: bool,
}

impl Encoder {
    /// Looks for `ffmpeg`, among the programs that are installed, for a film that is called `film`.
    ///
    /// # Errors
    /// [`Error::Input`]: a name with another ending than those of films. [`Error::Setting`]: no ffmpeg, one that does not
    /// answer, one without a fitting encoder.
    pub fn find(film: &Path) -> Result<Self> {
        let container = Container::of(film).ok_or_else(|| {
            let known = CONTAINERS.map(|container| format!(".{}", container.ending)).join(", ");
            let remedy = format!("use one of {known}; ffmpeg converts such a file to other formats");
            Error::input(film, "does not end like a video that can be written", remedy)
        })?;
        Self::named("ffmpeg", container)
    }

    fn named(program: &str, container: Container) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(["-hide_banner", "-encoders"]);
        let output = run_capturing(&mut command, ANSWER_WITHIN).map_err(|error| {
            let found = match error.kind() {
                std::io::ErrorKind::NotFound => format!("there is no program `{program}`"),
                _ => format!("`{program} -encoders` failed ({error})"),
            };
            Error::setting("video", found, INSTALL)
        })?;
        let has = |name: &str| output.split_whitespace().any(|word| word == name);
        let codec = container.codecs.iter().find(|(name, _)| has(name)).ok_or_else(|| {
            let names: Vec<&str> = container.codecs.iter().map(|(name, _)| *name).collect();
            let found = format!("`{program}` has none of the encoders {} of .{}", names.join(", "), container.ending);
            Error::setting("video", found, INSTALL)
        })?;
        Ok(Self { program: program.into(), container, codec: *codec })
    }

    /// Makes the film `path` from the pictures that `fill` supplies: pictures of `size`, `fps` a second. An odd last row or
    /// column is left out, as the format has none.
    ///
    /// # Errors
    /// The error of `fill`; a size of less than 2 × 2; an ffmpeg that fails, or takes no picture for two minutes; a
    /// stop. Nothing is left behind then, and ffmpeg has ended.
    pub fn film<'a, T>(
        &self,
        path: &Path,
        size: [u32; 2],
        fps: f64,
        progress: &'a dyn Progress,
        fill: impl FnOnce(&mut Film<'a>) -> Result<T>,
    ) -> Result<T> {
        self.film_within(path, size, fps, progress, STUCK_AFTER, fill)
    }

    fn film_within<'a, T>(
        &self,
        path: &Path,
        size: [u32; 2],
        fps: f64,
        progress: &'a dyn Progress,
        stuck_after: Duration,
        fill: impl FnOnce(&mut Film<'a>) -> Result<T>,
    ) -> Result<T> {
        if size.iter().any(|side| *side < 2) {
            let found = format!("a film of {} × {} pixels", size[0], size[1]);
            return Err(Error::setting("video", found, "use at least 2 × 2"));
        }
        storage::write_by(path, |temporary| {
            let mut child = self.command(temporary, size, fps).spawn().map_err(Error::io(&self.program))?;
            let (sender, receiver) = sync_channel(WAITING);
            let words = child.stderr.take().map(OutputReader::of);
            let feeder = child.stdin.take().map(|stdin| thread::spawn(move || feed(stdin, &receiver)));
            let mut film = Film { size, sender, progress, stuck_after, refused: false };
            let filled = fill(&mut film);
            let refused = film.refused;
            // Its input ends with the sender.
            drop(film);
            let ended = match filled {
                Ok(_) => wait(&mut child, progress, stuck_after),
                Err(_) if refused => wait(&mut child, progress, LAST_MOMENT),
                Err(_) => None,
            };
            if ended.is_none() {
                // It may have ended by itself in the meantime.
                let _ = child.kill();
                let _ = child.wait();
            }
            feeder.into_iter().for_each(|feeder| drop(feeder.join()));
            progress.check()?;
            match (filled, ended) {
                (Err(error), _) if !refused => Err(error),
                (Ok(value), Some(status)) if status.success() => Ok(value),
                (_, ended) => Err(self.failed(path, ended, &words.map(OutputReader::all).unwrap_or_default())),
            }
        })
    }

    fn command(&self, to: &Path, [width, height]: [u32; 2], fps: f64) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["-hide_banner", "-loglevel", "error", "-y", "-f", "rawvideo", "-pixel_format", "rgb24"]);
        command.args(["-video_size", &format!("{width}x{height}"), "-framerate", &fps.to_string(), "-i", "pipe:0"]);
        let filter = "crop=trunc(iw/2)*2:trunc(ih/2)*2:0:0,scale=out_color_matrix=bt709:out_range=tv,format=yuv420p";
        command.args(["-an", "-vf", filter, "-c:v", self.codec.0]).args(self.codec.1);
        command.args([
            "-colorspace",
            "bt709",
            "-color_primaries",
            "bt709",
            "-color_trc",
            "bt709",
            "-color_range",
            "tv",
        ]);
        command.args(self.container.muxer).arg(file_url(to));
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        command
    }

    fn failed(&self, path: &Path, ended: Option<ExitStatus>, words: &str) -> Error {
        let how = match ended {
            Some(status) => format!("ended with {status}"),
            None => "did not come to an end".into(),
        };
        let words = words.trim();
        let tail = words.char_indices().rev().nth(QUOTED).map_or(words, |(at, _)| &words[at..]);
        let found =
            format!("`{}` {how}; its last words: {}", self.program, if tail.is_empty() { "none" } else { tail });
        Error::input(path, found, "render pictures without `video`, and make a film of them by hand")
    }
}

impl Film<'_> {
    /// Puts a picture at the end.
    ///
    /// # Errors
    /// A picture of another size; an ffmpeg that takes no more; a stop.
    pub fn put(&mut self, picture: &RgbImage) -> Result<()> {
        let (width, height) = picture.dimensions();
        if [width, height] != self.size {
            let found = format!("a picture of {width} × {height} pixels");
            return Err(Error::setting("video", found, "all pictures of a film have one size"));
        }
        let mut bytes = picture.as_raw().clone();
        let started = Instant::now();
        loop {
            self.progress.check()?;
            match self.sender.try_send(bytes) {
                Ok(()) => return Ok(()),
                Err(TrySendError::Full(back)) if started.elapsed() < self.stuck_after => bytes = back,
                Err(_) => {
                    self.refused = true;
                    return Err(Error::io("ffmpeg")(std::io::ErrorKind::BrokenPipe.into()));
                }
            }
            thread::sleep(POLL);
        }
    }
}

/// Writes pictures until there are no more, or nobody reads them.
fn feed(mut stdin: ChildStdin, pictures: &Receiver<Vec<u8>>) {
    while let Ok(picture) = pictures.recv() {
        if stdin.write_all(&picture).is_err() {
            return;
        }
    }
}

/// The child's exit status; `None` if it did not end within `limit` or before a stop.
fn wait(child: &mut Child, progress: &dyn Progress, limit: Duration) -> Option<ExitStatus> {
    let started = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if started.elapsed() < limit && !progress.stop().requested() => thread::sleep(POLL),
            _ => return None,
        }
    }
}

#[cfg(all(test, unix))]
mod tests;
