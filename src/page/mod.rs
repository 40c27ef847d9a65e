//! `report.html`: the results of a run or a batch in one self-contained file: pictures, style and script are in
//! it, and its content security policy lets it load nothing. A scene as such a page is in `scene/`.

mod batch_page;
mod chart;
mod parts;
mod run_page;
mod scene;
mod views;

pub use scene::write_scene;

use crate::batch::summary;
use crate::capture::{Image, read_image};
use crate::error::{Error, Result};
use crate::pipeline::MetricsFile;
use crate::pipeline::output::{Listed, OutputFolder, names};
use crate::pipeline::record::{RUN_FILE, Run};
use crate::progress::Progress;
use crate::storage;
use std::path::{Path, PathBuf};

/// The name of the page in an output folder.
pub const PAGE_FILE: &str = names::REPORT;

/// Writes the page of the run in `out`, and returns its path. Views that were not rendered are rendered for it.
///
/// # Errors
/// A folder without a run; a `report.html` of another origin, or of a scene that cannot be read any more; pictures that
/// cannot be read; no adapter.
pub fn write_run(out: &Path, progress: &dyn Progress) -> Result<PathBuf> {
    let mut run = Run::read(out)?.ok_or_else(|| nothing(out))?;
    let folder = OutputFolder::open(out)?;
    let path = place(out)?;
    let metrics = MetricsFile::read_if_there(out)?.unwrap_or_default();
    let views = views::gather(out, &run, &metrics, progress)?;
    let page = run_page::page(&run, &metrics, views, scene::pages_in(out))?;
    folder.make_way(PAGE_FILE, run.files.get(PAGE_FILE))?;
    storage::write_bytes(&path, page.as_bytes())?;
    run.files.insert(PAGE_FILE.into(), folder.content(PAGE_FILE));
    run.write(out)?;
    Ok(path)
}

/// Writes the page of the batch in `out`, from its `summary.csv`, and returns its path.
///
/// # Errors
/// A folder without a batch; a `report.html` of another origin.
pub fn write_batch(out: &Path) -> Result<PathBuf> {
    let rows = summary::read(out)?.ok_or_else(|| nothing(out))?;
    let folder = OutputFolder::open(out)?;
    let (path, mut listed) = (place(out)?, Listed::read(&folder, false)?);
    let page = batch_page::page(out, &rows)?;
    listed.make_way(PAGE_FILE)?;
    storage::write_bytes(&path, page.as_bytes())?;
    listed.note([PAGE_FILE])?;
    Ok(path)
}

/// Writes the page of `out`, whichever it holds: a run, or a batch with all its runs. A page of a run that cannot be
/// written does not stop the others.
///
/// # Errors
/// Those of [`write_run`] and [`write_batch`]; of several runs, the last. The others are warnings.
pub fn write_any(out: &Path, progress: &dyn Progress) -> Result<PathBuf> {
    if out.join(RUN_FILE).is_file() {
        return write_run(out, progress);
    }
    let rows = summary::read(out)?.ok_or_else(|| nothing(out))?;
    let mut failed = None;
    for folder in rows.iter().map(|row| out.join(&row.scene)).filter(|folder| folder.join(RUN_FILE).is_file()) {
        within(out, &folder)?;
        match write_run(&folder, progress) {
            Ok(_) => {}
            Err(stop @ Error::Interrupted(_)) => return Err(stop),
            Err(error) => {
                if let Some(before) = failed.replace(error) {
                    tracing::warn!("{before}");
                }
            }
        }
    }
    let page = write_batch(out)?;
    failed.map_or(Ok(page), Err)
}

/// Fails where `folder`, which a table names, is not below `out`: the table may come from somebody else.
fn within(out: &Path, folder: &Path) -> Result<()> {
    let [root, real] = [out, folder].map(|path| path.canonicalize().map_err(Error::io(path)));
    if real?.starts_with(root?) {
        return Ok(());
    }
    let found = format!("names {}, which is not below its folder", folder.display());
    Err(Error::input(out.join(summary::SUMMARY_FILE), found, "delete the row, and make that report by itself"))
}

fn nothing(out: &Path) -> Error {
    let found = format!("holds neither {RUN_FILE} nor {}", summary::SUMMARY_FILE);
    Error::input(out, found, "give the output folder of `naka-gs run`, `demo` or `batch`")
}

/// Where the page goes; a page that this program did not make is never replaced.
fn place(out: &Path) -> Result<PathBuf> {
    let path = out.join(PAGE_FILE);
    match std::fs::read_to_string(&path) {
        Ok(text) if !text.contains(parts::GENERATOR) => Err(Error::input(
            &path,
            "is not a report of this program",
            "move it away, then `naka-gs report` writes one",
        )),
        Err(error) if error.kind() == std::io::ErrorKind::InvalidData => Err(Error::input(
            &path,
            "is not a report of this program",
            "move it away, then `naka-gs report` writes one",
        )),
        _ => Ok(path),
    }
}

/// A representative picture of the run in `out`: its first render, else its first lit image.
fn scene_picture(out: &Path) -> Option<Image> {
    let first = |folder: &str| {
        let entries = std::fs::read_dir(out.join(folder)).ok()?;
        entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).filter(|path| path.is_file()).min()
    };
    read_image(&first(names::RENDERS).or_else(|| first(names::IMAGES))?).ok()
}
