//! `summary.csv`: one row a scene.

use crate::error::{Error, Result};
use crate::pipeline::Outcome;
use crate::storage;
use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::path::{Component, Path};

/// The name of the table in a batch's output folder.
pub const SUMMARY_FILE: &str = "summary.csv";

/// How a scene's run ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Not begun yet.
    #[default]
    Waiting,
    /// It is being made.
    Running,
    /// Finished now.
    Done,
    /// Finished earlier, from the same inputs and settings.
    Kept,
    /// Stopped by the user; the same command continues it.
    Interrupted,
    /// Ended with an error.
    Failed,
}

impl Status {
    /// As in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Done => "done",
            Self::Kept => "kept",
            Self::Interrupted => "interrupted",
            Self::Failed => "failed",
        }
    }
}

/// A row of the table. Numbers are empty where there are none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// The scene's path below the folder of the batch.
    pub scene: String,
    /// How far it came.
    pub status: Status,
    /// Wall time in this batch.
    pub seconds: f64,
    /// Of the test views, dB.
    pub psnr: Option<f64>,
    /// Mean SSIM of the test views that have a reference.
    pub ssim: Option<f64>,
    /// Of the held-out views against their lit images, dB.
    pub holdout_psnr: Option<f64>,
    /// Splats of its model.
    pub splats: Option<u64>,
    /// Training steps done.
    pub steps: Option<u64>,
    /// Training steps a second, on average.
    pub steps_per_second: Option<f64>,
    /// Most device memory that was held at one time, bytes.
    pub peak_device_bytes: Option<u64>,
    /// The adapter that ran it.
    pub adapter: Option<String>,
    /// Why it failed.
    pub error: Option<String>,
}

impl Row {
    /// A scene that has not started yet.
    pub fn waiting(scene: &str) -> Self {
        Self { scene: scene.into(), ..Self::default() }
    }

    /// Takes over how the run went.
    pub fn finish(&mut self, result: Result<Outcome>) {
        match result {
            Ok(outcome) => self.take(&outcome),
            Err(Error::Interrupted(_)) => self.status = Status::Interrupted,
            Err(error) => (self.status, self.error) = (Status::Failed, Some(error.to_string())),
        }
    }

    fn take(&mut self, outcome: &Outcome) {
        let Outcome { run, metrics } = outcome;
        self.status = if run.all_kept() { Status::Kept } else { Status::Done };
        (self.psnr, self.ssim) = (metrics.metrics.test.psnr, metrics.metrics.test.ssim);
        self.holdout_psnr = metrics.metrics.holdout.as_ref().and_then(|group| group.psnr);
        (self.splats, self.steps, self.steps_per_second) = (run.splats, run.steps, run.steps_per_second);
        (self.peak_device_bytes, self.adapter) = (run.peak_device_bytes, run.adapter.clone());
    }
}

/// Writes the table into the folder `out`.
pub fn write(out: &Path, rows: &[impl Borrow<Row>]) -> Result<()> {
    let path = out.join(SUMMARY_FILE);
    let bytes = text(rows).map_err(|error| Error::io(&path)(std::io::Error::other(error)))?;
    storage::write_bytes(&path, &bytes)
}

fn text(rows: &[impl Borrow<Row>]) -> Result<Vec<u8>, String> {
    let mut table = csv::Writer::from_writer(Vec::new());
    rows.iter().try_for_each(|row| table.serialize(row.borrow())).map_err(|error| error.to_string())?;
    table.into_inner().map_err(|error| error.to_string())
}

/// Whether the table in the folder `out`, which has been read as `rows`, has the form that [`write()`] gives it.
pub(super) fn is_as_written(out: &Path, rows: &[Row]) -> bool {
    std::fs::read(out.join(SUMMARY_FILE)).is_ok_and(|found| text(rows).is_ok_and(|text| text == found))
}

/// Reads the table in the folder `out`; `None` where there is none.
///
/// # Errors
/// A file that is no such table.
pub fn read(out: &Path) -> Result<Option<Vec<Row>>> {
    let path = out.join(SUMMARY_FILE);
    let text = match std::fs::read(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        text => text.map_err(Error::io(&path))?,
    };
    let refuse = |found: String| {
        let found = format!("is not the table of a batch ({found})");
        Error::input(&path, found, "choose another output folder (`out`), or move the file away")
    };
    let rows: Result<Vec<Row>, csv::Error> = csv::Reader::from_reader(text.as_slice()).deserialize().collect();
    let rows = rows.map_err(|error| refuse(error.to_string()))?;
    let below = |row: &Row| {
        let mut parts = Path::new(&row.scene).components();
        !row.scene.is_empty() && parts.all(|part| matches!(part, Component::Normal(_)))
    };
    match rows.iter().find(|row| !below(row)) {
        Some(row) => Err(refuse(format!("the scene `{}` is not below its folder", row.scene))),
        None => Ok(Some(rows)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_whatever_is_in_them() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read(dir.path()).unwrap().is_none());
        let mut failed = Row::waiting("a, \"b\"/c");
        failed.finish(Err(Error::input("x", "first line\nsecond, \"line\"", "é")));
        let done =
            Row { status: Status::Done, psnr: Some(20.25), splats: Some(7), seconds: 1.5, ..Row::waiting("room") };
        let rows = vec![failed, done, Row::waiting("later")];
        write(dir.path(), &rows).unwrap();
        assert_eq!(read(dir.path()).unwrap().unwrap(), rows);
        std::fs::write(dir.path().join(SUMMARY_FILE), "name,mark\nAnna,1\n").unwrap();
        assert!(read(dir.path()).unwrap_err().to_string().contains("summary.csv"));
        for outside in ["../victim", "/etc", "a/../../b", "", "."] {
            write(dir.path(), &[Row::waiting(outside)]).unwrap();
            assert!(read(dir.path()).unwrap_err().to_string().contains("below its folder"), "{outside}");
        }
    }
}
