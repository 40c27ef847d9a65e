//! The report of a batch: its table, with links to the reports of the runs.

use super::parts::{Cell, Document, Part, Section, Table, ViewFigure};
use super::{PAGE_FILE, scene, scene_picture};
use crate::batch::{Row, Status};
use crate::error::Result;
use std::path::Path;

/// Longest side of a scene's picture.
const SIDE: u32 = 320;

/// The page of the batch in `out`.
///
/// # Errors
/// None that a user can cause.
pub fn page(out: &Path, rows: &[Row]) -> Result<String> {
    let title = out.file_name().map_or_else(|| "batch".into(), |name| name.to_string_lossy().into_owned());
    let sections = vec![
        Section { id: "failures", title: "Failures", parts: failures(rows) },
        Section {
            id: "scenes",
            title: "Scenes",
            parts: scenes(out, rows).into_iter().chain(walks(out, rows)).collect(),
        },
        Section { id: "pictures", title: "Pictures", parts: pictures(out, rows).into_iter().collect() },
    ];
    let (origin, footer) = (format!("{} scenes", rows.len()), concat!("naka-gs ", env!("CARGO_PKG_VERSION")));
    Document { title: &title, origin: &origin, facts: top(rows), sections, footer }.html()
}

fn top(rows: &[Row]) -> Vec<(&'static str, String)> {
    let count = |wanted: &[Status]| rows.iter().filter(|row| wanted.contains(&row.status)).count();
    let mean = |value: &dyn Fn(&Row) -> Option<f64>| {
        let values: Vec<f64> = rows.iter().filter_map(value).collect();
        (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
    };
    let all = [
        ("Finished", Some(count(&[Status::Done, Status::Kept]).to_string())),
        ("Failed", Some(count(&[Status::Failed]).to_string())),
        ("Left", Some(count(&[Status::Waiting, Status::Running, Status::Interrupted]).to_string())),
        ("Mean PSNR", mean(&|row| row.psnr).map(|v| format!("{v:.2} dB"))),
        ("Mean SSIM", mean(&|row| row.ssim).map(|v| format!("{v:.4}"))),
        ("Mean PSNR, held-out views", mean(&|row| row.holdout_psnr).map(|v| format!("{v:.2} dB"))),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn failures(rows: &[Row]) -> Vec<Part> {
    let failure = |row: &Row| Some(Part::Failure { scene: row.scene.clone(), error: row.error.clone()? });
    rows.iter().filter_map(failure).collect()
}

fn scenes(out: &Path, rows: &[Row]) -> Option<Part> {
    let columns = &["scene", "status", "seconds", "PSNR", "SSIM", "holdout PSNR", "splats", "steps", "steps/s", "MiB"];
    let row = |row: &Row| {
        let name = if out.join(&row.scene).join(PAGE_FILE).is_file() {
            Cell::Link { path: format!("{}/{PAGE_FILE}", row.scene), text: row.scene.clone() }
        } else {
            Cell::text(row.scene.as_str())
        };
        let whole = |value: Option<u64>| Cell::number(value.map(|v| v as f64), 0);
        vec![
            name,
            Cell::text(row.status.name()),
            Cell::number(Some(row.seconds), 1),
            Cell::number(row.psnr, 2),
            Cell::number(row.ssim, 4),
            Cell::number(row.holdout_psnr, 2),
            whole(row.splats),
            whole(row.steps),
            Cell::number(row.steps_per_second, 1),
            whole(row.peak_device_bytes.map(|bytes| bytes >> 20)),
        ]
    };
    Table::new("All scenes of the batch", columns, rows.iter().map(row).collect()).map(Part::Table)
}

/// Links to the scenes as pages.
fn walks(out: &Path, rows: &[Row]) -> Option<Part> {
    let of_row = |row: &Row| {
        let pages = scene::pages_in(&out.join(&row.scene));
        pages.into_iter().map(|page| format!("{}/{page}", row.scene)).collect::<Vec<_>>()
    };
    Part::links("Walk around in the scenes", rows.iter().flat_map(of_row).collect())
}

/// One render of every scene; a scene without one, or with one that cannot be read, has none here.
fn pictures(out: &Path, rows: &[Row]) -> Option<Part> {
    let view = |row: &Row| {
        let picture = scene_picture(&out.join(&row.scene));
        ViewFigure::new(&row.scene, &[("a render", picture)], [0, 0], SIDE, String::new()).ok().flatten()
    };
    Part::views(None, rows.iter().filter_map(view).collect())
}
