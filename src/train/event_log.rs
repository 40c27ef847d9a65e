//! A training run as an event file, the format of TensorBoard and similar programs.
//!
//! A file is a row of records, each a `tensorflow.Event` message (`tensorboard/compat/proto/event.proto`) between its
//! length and checksums (TFRecord: `tensorflow/core/lib/io/record_writer.h`). The messages are encoded by `prost`; only the
//! fields that are written are declared. The libraries that write whole files need `protoc` to build (tboard 0.1) or an
//! `image` of their own (tensorboard-rs 0.5).

use super::watch::{Command, Start, StepInfo, Watch};
use super::{CurvePoint, Report};
use crate::capture::Image;
use crate::error::{Error, Result};
use crate::progress::Stop;
use crate::storage;
use crate::sync::lock;
use prost::Message;
use std::fs::File;
use std::io::{BufWriter, Cursor, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Steps between figures in the file.
const EVERY: u32 = 10;
/// Files of this process so far.
static NUMBER: AtomicU32 = AtomicU32::new(0);

#[derive(Clone, PartialEq, Message)]
struct Event {
    /// Seconds since 1970.
    #[prost(double, tag = "1")]
    wall_time: f64,
    #[prost(int64, tag = "2")]
    step: i64,
    #[prost(string, optional, tag = "3")]
    file_version: Option<String>,
    #[prost(message, optional, tag = "5")]
    summary: Option<Summary>,
}

#[derive(Clone, PartialEq, Message)]
struct Summary {
    #[prost(message, repeated, tag = "1")]
    value: Vec<Value>,
}

#[derive(Clone, PartialEq, Message)]
struct Value {
    #[prost(string, tag = "1")]
    tag: String,
    #[prost(float, optional, tag = "2")]
    simple_value: Option<f32>,
    #[prost(message, optional, tag = "4")]
    image: Option<Picture>,
}

/// `Summary.Image`.
#[derive(Clone, PartialEq, Message)]
struct Picture {
    #[prost(int32, tag = "1")]
    height: i32,
    #[prost(int32, tag = "2")]
    width: i32,
    /// 3: RGB.
    #[prost(int32, tag = "3")]
    colorspace: i32,
    #[prost(bytes = "vec", tag = "4")]
    encoded_image_string: Vec<u8>,
}

/// A watcher that writes loss, counts, PSNR and pictures of a training to a new event file. It never controls the training: a
/// file that cannot be written is reported once, and training continues.
pub struct EventLog {
    folder: PathBuf,
    /// `None` before training begins, and once writing has failed.
    file: Mutex<Option<(PathBuf, BufWriter<File>)>>,
}

impl EventLog {
    /// A log for `folder`, which is made. The file comes with the training; those of earlier ones stay.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn create(folder: &Path) -> Result<Self> {
        storage::create_folder(folder)?;
        Ok(Self { folder: folder.into(), file: Mutex::new(None) })
    }

    fn start(&self) {
        match self.open() {
            Ok(file) => *lock(&self.file) = Some(file),
            Err(error) => return tracing::warn!("{error}; the training goes on without it"),
        }
        self.write(&Event { wall_time: seconds(), file_version: Some("brain.Event:2".into()), ..Event::default() });
        self.flush();
    }

    fn open(&self) -> Result<(PathBuf, BufWriter<File>)> {
        let (host, number) = (gethostname::gethostname(), NUMBER.fetch_add(1, Ordering::Relaxed));
        // Readers look for `tfevents`, and take the seconds for the order of files.
        let name = format!("{:010.0}.{}.{}.{number}", seconds().floor(), host.display(), std::process::id());
        let path = self.folder.join(format!("events.out.tfevents.{name}"));
        let file = File::create_new(&path).map_err(Error::io(&path))?;
        Ok((path, BufWriter::new(file)))
    }

    fn scalars(&self, step: u32, values: &[(&str, f64)]) {
        let scalar =
            |(tag, value): &(&str, f64)| Value { tag: (*tag).into(), simple_value: Some(*value as f32), image: None };
        self.summary(step, values.iter().map(scalar).collect());
    }

    fn summary(&self, step: u32, value: Vec<Value>) {
        let summary = Some(Summary { value });
        self.write(&Event { wall_time: seconds(), step: i64::from(step), file_version: None, summary });
    }

    fn write(&self, event: &Event) {
        self.attempt(|file| file.write_all(&record(&event.encode_to_vec())));
    }

    fn flush(&self) {
        self.attempt(Write::flush);
    }

    fn attempt(&self, write: impl FnOnce(&mut BufWriter<File>) -> std::io::Result<()>) {
        let mut guard = lock(&self.file);
        let Some((path, file)) = guard.as_mut() else { return };
        if let Err(error) = write(file) {
            tracing::warn!("{}: {error}; the training goes on without it", path.display());
            *guard = None;
        }
    }
}

impl Watch for EventLog {
    fn begin(&self, _start: &Start<'_>) {
        self.start();
    }

    fn next(&self, _stop: &Stop) -> Command {
        Command::Step
    }

    fn stepped(&self, now: &StepInfo<'_>) {
        if !now.step.is_multiple_of(EVERY) && now.step != now.steps {
            return;
        }
        self.scalars(
            now.step,
            &[
                ("train/loss", f64::from(now.figures.loss)),
                ("train/splats", now.splats as f64),
                ("train/visible_splats", now.figures.visible as f64),
                ("train/pairs", now.figures.pairs as f64),
                ("time/milliseconds_per_step", now.milliseconds),
                ("time/seconds", now.seconds),
                ("device/megabytes", now.device_bytes as f64 / 1e6),
            ],
        );
    }

    fn measured(&self, point: &CurvePoint) {
        if let Some(psnr) = point.psnr {
            self.scalars(point.step, &[("eval/psnr", psnr)]);
        }
        self.flush();
    }

    fn wants_pictures(&self) -> bool {
        true
    }

    fn rendered(&self, step: u32, name: &str, picture: &Image) {
        let mut png = Cursor::new(Vec::new());
        if let Err(error) = picture.to_rgb8().write_to(&mut png, image::ImageFormat::Png) {
            return tracing::warn!("{name}: no picture of step {step}: {error}");
        }
        let (height, width) = (picture.height as i32, picture.width as i32);
        let image = Some(Picture { height, width, colorspace: 3, encoded_image_string: png.into_inner() });
        self.summary(step, vec![Value { tag: format!("render/{name}"), simple_value: None, image }]);
    }

    fn end(&self, _report: Option<&Report>) {
        self.flush();
    }
}

fn seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// `payload` between its length and the checksums of both.
fn record(payload: &[u8]) -> Vec<u8> {
    let length = (payload.len() as u64).to_le_bytes();
    [&length, &checksum(&length)[..], payload, &checksum(payload)].concat()
}

/// CRC-32C, rotated and offset so that a checksum of data with checksums is none of zeros.
fn checksum(data: &[u8]) -> [u8; 4] {
    let crc = crc::Crc::<u32>::new(&crc::CRC_32_ISCSI).checksum(data);
    crc.rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::super::watch::StepFigures;
    use super::*;

    /// The events of a file, its checksums compared.
    fn events(path: &Path) -> Vec<Event> {
        let data = std::fs::read(path).unwrap();
        let (mut rest, mut found) = (data.as_slice(), Vec::new());
        while !rest.is_empty() {
            let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
            assert_eq!(rest[8..12], checksum(&rest[..8]));
            let payload = &rest[12..12 + length];
            assert_eq!(rest[12 + length..16 + length], checksum(payload));
            found.push(Event::decode(payload).unwrap());
            rest = &rest[16 + length..];
        }
        found
    }

    #[test]
    fn a_record_is_what_tensorflow_writes() {
        // The first record of any file: `tensorboard.summary.writer.event_file_writer` 2.20, wall time 0.
        let event = Event { wall_time: 0.0, file_version: Some("brain.Event:2".into()), ..Event::default() };
        let payload = event.encode_to_vec();
        assert_eq!(payload, b"\x1a\x0dbrain.Event:2");
        // RFC 3720 B.4: 32 bytes of zeros have the CRC-32C 8a9136aa.
        let masked = 0x8a91_36aa_u32.rotate_right(15).wrapping_add(0xa282_ead8);
        assert_eq!(checksum(&[0; 32]), masked.to_le_bytes());
    }

    #[test]
    fn figures_and_pictures_are_read_back() {
        let folder = tempfile::tempdir().unwrap();
        let log = EventLog::create(folder.path()).unwrap();
        let files = || std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().path()).collect::<Vec<_>>();
        assert!(files().is_empty(), "there is nothing to write before training begins");
        log.start();
        let timings = Default::default();
        let figures = StepFigures { loss: 0.25, visible: 7, pairs: 9 };
        for step in 1..=21 {
            let now = StepInfo {
                step,
                steps: 21,
                figures,
                splats: 12,
                milliseconds: 2.0,
                seconds: 1.5,
                timings: &timings,
                timed_steps: 0,
                device_bytes: 3_000_000,
                peak_device_bytes: 0,
            };
            log.stepped(&now);
        }
        log.measured(&CurvePoint { step: 21, seconds: 1.5, loss: 0.25, splats: 12, psnr: Some(28.5) });
        log.rendered(21, "a b/1.png", &Image { width: 2, height: 1, pixels: vec![[1.0, 0.0, 0.5]; 2] });
        log.end(None);
        let events = events(&files()[0]);
        assert_eq!(events[0].file_version.as_deref(), Some("brain.Event:2"));
        assert_eq!(events.iter().map(|event| event.step).collect::<Vec<_>>(), [0, 10, 20, 21, 21, 21]);
        let values = |at: usize| events[at].summary.as_ref().unwrap().value.clone();
        let loss = &values(1)[0];
        assert_eq!((loss.tag.as_str(), loss.simple_value), ("train/loss", Some(0.25)));
        assert_eq!(values(4)[0].simple_value, Some(28.5));
        let picture = values(5)[0].image.clone().unwrap();
        let decoded = image::load_from_memory(&picture.encoded_image_string).unwrap().to_rgb8();
        assert_eq!((decoded.dimensions(), decoded.get_pixel(1, 0).0), ((2, 1), [255, 0, 128]));
        assert_eq!((values(5)[0].tag.as_str(), picture.width, picture.height), ("render/a b/1.png", 2, 1));

        log.start();
        assert_eq!(files().len(), 2, "no file is written twice");
    }
}
