//! The installed ffmpeg: what it says of a video, and the frames that it decodes.

use super::child::{Failure, Output, Run};
use super::hdr::Hdr;
use crate::error::{Error, Result};
use crate::program::{file_url, run_capturing};
use crate::progress::Progress;
use serde::Deserialize;
use std::io::{self, BufRead, ErrorKind, Read};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// How long it may take to say its version.
const ANSWER_WITHIN: Duration = Duration::from_secs(20);
/// How long it may take from one frame to the next: of a long video it decodes hundreds between them.
const STUCK_AFTER: Duration = Duration::from_secs(600);
/// Longer side of the frames that are scored.
const SMALL: usize = 320;
/// A PNG file of one frame is not larger.
const MOST_BYTES: u64 = 1 << 30;
/// The demuxers for the endings that are videos: others, such as playlists, may name further files.
const FORMATS: &str = "mov,matroska,avi,mpegts";

const INSTALL: &str = "install it (Debian, Ubuntu: apt install ffmpeg; Fedora: dnf install ffmpeg-free; Arch: pacman -S \
                       ffmpeg; macOS: brew install ffmpeg; Windows: winget install ffmpeg), or give a folder of \
                       photographs instead of a video";

/// ffmpeg and its ffprobe.
#[derive(Clone, Debug)]
pub struct Ffmpeg {
    ffmpeg: String,
    ffprobe: String,
    pub(super) stuck_after: Duration,
}

/// What a video is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// As many frames as it has packets, less those that its edit list leaves out.
    pub frames: u64,
    /// More than 8 bits a channel.
    deep: bool,
    interlaced: bool,
    /// The encoding of an HDR video.
    hdr: Option<Hdr>,
}

/// What ffmpeg said of the frames that it decoded.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// When they are shown.
    pub seconds: Vec<f64>,
    /// Whether it named errors.
    pub damaged: bool,
}

/// A gray picture, row by row from the top.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gray {
    pub width: usize,
    pub height: usize,
    pub pixels: Vec<u8>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Answer {
    packets: Vec<Packet>,
    streams: Vec<Stream>,
    format: Format,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Packet {
    flags: String,
}

impl Packet {
    /// Whether it is only there for others to be decoded, as in a video that was trimmed without loss.
    fn is_discarded(&self) -> bool {
        self.flags.contains('D')
    }
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Stream {
    pix_fmt: String,
    field_order: String,
    color_transfer: String,
    color_primaries: String,
    nb_frames: String,
    nb_read_packets: String,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Format {
    format_name: String,
}

impl Ffmpeg {
    /// Looks for `ffmpeg` and `ffprobe` on the path, to read `video`.
    ///
    /// # Errors
    /// One of them is missing or does not answer.
    pub fn find(video: &Path) -> Result<Self> {
        Self::named("ffmpeg", "ffprobe", STUCK_AFTER, video)
    }

    pub(super) fn named(ffmpeg: &str, ffprobe: &str, stuck_after: Duration, video: &Path) -> Result<Self> {
        for program in [ffmpeg, ffprobe] {
            run_capturing(Command::new(program).arg("-version"), ANSWER_WITHIN).map_err(|error| {
                let found = match error.kind() {
                    ErrorKind::NotFound => {
                        format!("frames of videos are read by ffmpeg, and there is no program `{program}`")
                    }
                    _ => format!("`{program} -version` failed ({error})"),
                };
                Error::input(video, found, INSTALL)
            })?;
        }
        Ok(Self { ffmpeg: ffmpeg.into(), ffprobe: ffprobe.into(), stuck_after })
    }

    /// What the video is like.
    ///
    /// # Errors
    /// A file that ffmpeg cannot read, has no video in it, or is cut short; a stop.
    pub fn info(&self, video: &Path, progress: &dyn Progress) -> Result<Info> {
        let mut command = Command::new(&self.ffprobe);
        command.args(["-hide_banner", "-loglevel", "level+error"]);
        input(&mut command, video)?;
        let entries = "format=format_name:stream=pix_fmt,field_order,color_transfer,color_primaries,nb_frames,\
                       nb_read_packets:packet=flags";
        command.args(["-select_streams", "V:0", "-count_packets", "-show_entries", entries, "-of", "json"]);
        let run = Run { command: &command, stuck_after: self.stuck_after, progress };
        let mut text = String::new();
        let ended = run.read(all_text, |part| {
            text.push_str(&part);
            Ok(())
        });
        let ended = ended.map_err(|error| child_error(video, error))?;
        if !ended.status.success() {
            let found = format!("ffmpeg cannot read it ({})", ended.reason());
            return Err(Error::input(video, found, "if it is a video, it is cut short or damaged: copy it again"));
        }
        let answer: Answer = serde_json::from_str(&text)
            .map_err(|error| Error::input(video, format!("ffprobe answers {error}"), "update ffmpeg"))?;
        judge(video, &answer, &ended.words)
    }

    /// Hands every `step`-th frame to `take`, gray and small.
    ///
    /// # Errors
    /// The error of `take`; an ffmpeg that fails or hangs; a stop.
    pub fn small_frames(
        &self,
        video: &Path,
        info: &Info,
        step: u64,
        progress: &dyn Progress,
        take: impl FnMut(Gray) -> Result<()>,
    ) -> Result<Seen> {
        let filter = format!(
            "select='not(mod(n\\,{step}))',showinfo=checksum=0,scale='min({SMALL},iw)':'min({SMALL},ih)'\
             :force_original_aspect_ratio=decrease:flags=area,format=gray"
        );
        let command = self.command(video, info, "info", &filter, &["-c:v", "pgm"])?;
        let words = self.run(video, &command, progress, read_pgm, take)?;
        let time = |line: &str| line.split_once("pts_time:")?.1.split_whitespace().next()?.parse().ok();
        let seconds = words.lines().filter(|line| line.contains("showinfo")).filter_map(time).collect();
        Ok(Seen { seconds, damaged: words.contains("[error]") })
    }

    /// Hands the frames of these numbers to `take`, as PNG files with square pixels, those of HDR videos as sRGB.
    ///
    /// # Errors
    /// As [`Ffmpeg::small_frames`].
    pub fn full_frames(
        &self,
        video: &Path,
        info: &Info,
        frames: &[u64],
        progress: &dyn Progress,
        mut take: impl FnMut(Vec<u8>) -> Result<()>,
    ) -> Result<()> {
        let chosen: Vec<String> = frames.iter().map(|index| format!("eq(n\\,{index})")).collect();
        let filter = format!(
            "select='{}',scale=iw*sar:ih:flags=bicubic+accurate_rnd+full_chroma_int,setsar=1",
            chosen.join("+")
        );
        let format = if info.deep { "rgb48be" } else { "rgb24" };
        let command = self.command(video, info, "error", &filter, &["-c:v", "png", "-pix_fmt", format])?;
        let take = |png: Vec<u8>| match info.hdr {
            Some(hdr) => take(hdr.to_srgb(video, &png)?),
            None => take(png),
        };
        self.run(video, &command, progress, read_png, take).map(drop)
    }

    /// ffmpeg with the video as its input and what `filter` leaves on its output, picture by picture.
    fn command(&self, video: &Path, info: &Info, level: &str, filter: &str, codec: &[&str]) -> Result<Command> {
        let mut command = Command::new(&self.ffmpeg);
        command.args(["-hide_banner", "-nostdin", "-nostats", "-loglevel", &format!("level+{level}")]);
        input(&mut command, video)?;
        let deinterlace = if info.interlaced { "yadif=deint=interlaced," } else { "" };
        // Frames are renumbered, so that none is repeated or left out to keep a rate; `-fps_mode` and `-vsync`, which
        // say so, are not in all versions.
        let filter = format!("{deinterlace}{filter},settb=AVTB,setpts=N/(25*TB)");
        command.args(["-map", "0:V:0", "-an", "-sn", "-dn", "-vf", &filter, "-r", "25", "-f", "image2pipe"]);
        command.args(codec).arg("pipe:1");
        Ok(command)
    }

    /// What `command` said, once `take` has all pictures.
    fn run<T: Send + 'static>(
        &self,
        video: &Path,
        command: &Command,
        progress: &dyn Progress,
        read: fn(&mut Output) -> io::Result<Option<T>>,
        take: impl FnMut(T) -> Result<()>,
    ) -> Result<String> {
        let run = Run { command, stuck_after: self.stuck_after, progress };
        let ended = run.read(read, take).map_err(|error| child_error(video, error))?;
        if ended.status.success() {
            return Ok(ended.words);
        }
        let found = format!("ffmpeg ended with {} ({})", ended.status, ended.reason());
        Err(Error::input(video, found, "copy the video again, or convert it to MP4"))
    }
}

/// The video as the input of `command`, as a file of a few formats whatever its name and content say.
fn input(command: &mut Command, video: &Path) -> Result<()> {
    let full = std::path::absolute(video).map_err(Error::io(video))?;
    command.args(["-protocol_whitelist", "file", "-format_whitelist", FORMATS, "-i"]).arg(file_url(&full));
    Ok(())
}

/// An error of the child, as one of the video that it read; those of the consumer stay.
fn child_error(video: &Path, error: Failure) -> Error {
    match error {
        Failure::Taker(error) => error,
        Failure::Child(found) => Error::input(video, found, "copy the video again, or convert it to MP4"),
    }
}

fn judge(video: &Path, answer: &Answer, words: &str) -> Result<Info> {
    let Some(stream) = answer.streams.first() else {
        let remedy = "give a video, or a folder of photographs";
        return Err(Error::input(video, "has no video in it", remedy));
    };
    let number = |text: &str| text.parse::<u64>().ok();
    let packets = number(&stream.nb_read_packets).unwrap_or(0);
    let promised = number(&stream.nb_frames).filter(|promised| *promised > packets);
    // A trimmed MP4 has fewer frames than its index, and is whole.
    let fewer =
        promised.is_some_and(|promised| packets < promised - promised / 50) && answer.format.format_name == "avi";
    if fewer || ["partial file", "ended prematurely"].iter().any(|said| words.contains(said)) {
        let of = promised.map_or_else(String::new, |promised| format!(" of {promised}"));
        let found = format!("is cut short: {packets}{of} frames are in the file");
        let remedy =
            "copy it again; where that is all there is, copy its frames to a new file (ffmpeg -i OLD -c copy NEW)";
        return Err(Error::input(video, found, remedy));
    }
    let hdr = Hdr::of(&stream.color_transfer, &stream.color_primaries);
    if let Some(hdr) = hdr {
        let (file, name) = (video.display(), hdr.name());
        tracing::info!(
            "{file}: is HDR ({name}); its frames are converted to sRGB, and what is brighter than white is clipped"
        );
    }
    // Formats of more than one byte a channel say the order of the bytes.
    let deep = ["le", "be"].iter().any(|order| stream.pix_fmt.ends_with(order));
    let interlaced = ["tt", "bb", "tb", "bt"].contains(&stream.field_order.as_str());
    let discarded = answer.packets.iter().filter(|packet| packet.is_discarded()).count() as u64;
    Ok(Info { frames: packets.saturating_sub(discarded), deep, interlaced, hdr })
}

fn all_text(from: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut text = String::new();
    from.by_ref().take(1 << 20).read_to_string(&mut text)?;
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// The next picture of a stream of PGM files; nothing at its end.
fn read_pgm(from: &mut impl BufRead) -> io::Result<Option<Gray>> {
    let invalid = || io::Error::new(ErrorKind::InvalidData, "ffmpeg writes no PGM");
    if from.fill_buf()?.is_empty() {
        return Ok(None);
    }
    // Magic number, width, height and the largest value, each followed by one blank.
    let mut word = || -> io::Result<String> {
        let mut text = String::new();
        for byte in from.by_ref().take(16).bytes() {
            match byte? {
                byte if byte.is_ascii_whitespace() => break,
                byte => text.push(char::from(byte)),
            }
        }
        Ok(text)
    };
    let [magic, width, height, most] = [word()?, word()?, word()?, word()?];
    let side = |text: &str| text.parse().ok().filter(|side| (1..=SMALL).contains(side)).ok_or_else(invalid);
    let (width, height): (usize, usize) = (side(&width)?, side(&height)?);
    if magic != "P5" || most != "255" {
        return Err(invalid());
    }
    let mut pixels = vec![0; width * height];
    from.read_exact(&mut pixels)?;
    Ok(Some(Gray { width, height, pixels }))
}

/// The next file of a stream of PNG files, as it is; nothing at its end.
fn read_png(from: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    if from.fill_buf()?.is_empty() {
        return Ok(None);
    }
    let mut png = vec![0; 8];
    from.read_exact(&mut png)?;
    loop {
        // A chunk: length, kind, content, checksum.
        let mut head = [0; 8];
        from.read_exact(&mut head)?;
        let [a, b, c, d, kind @ ..] = head;
        let rest = u64::from(u32::from_be_bytes([a, b, c, d])) + 4;
        if !png.starts_with(b"\x89PNG\r\n\x1a\n") || png.len() as u64 + rest > MOST_BYTES {
            return Err(io::Error::new(ErrorKind::InvalidData, "ffmpeg writes no PNG"));
        }
        png.extend_from_slice(&head);
        if from.by_ref().take(rest).read_to_end(&mut png)? as u64 != rest {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        if kind == *b"IEND" {
            return Ok(Some(png));
        }
    }
}
