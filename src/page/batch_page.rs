//! The report of a batch: its table, with links to the reports of the runs.

use super::html::{Cell, Embedded, document, escape, facts, link, links, section, table};
use super::{PAGE_FILE, scene, scene_picture};
use crate::batch::{Row, Status};
use std::fmt::Write;
use std::path::Path;

/// Longest side of a scene's picture.
const SIDE: u32 = 320;

/// The page of the batch in `out`.
pub fn page(out: &Path, rows: &[Row]) -> String {
    let name = out.file_name().map_or_else(|| "batch".into(), |name| name.to_string_lossy().into_owned());
    let mut body = format!(
        "<a class=\"skip\" href=\"#main\">Skip to the results</a>\n<header><h1>{}</h1><p>{} scenes</p>\n{}</header>\n\
         <main id=\"main\">\n",
        escape(&name),
        rows.len(),
        facts(&top(rows))
    );
    body += &section("failures", "Failures", &failures(rows));
    body += &section("scenes", "Scenes", &(scenes(out, rows) + &walks(out, rows)));
    body += &section("pictures", "Pictures", &pictures(out, rows));
    _ = write!(body, "</main>\n<footer>naka-gs {}</footer>\n", env!("CARGO_PKG_VERSION"));
    document(&format!("{name} – naka-gs"), &body)
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

fn failures(rows: &[Row]) -> String {
    let mut out = String::new();
    for row in rows {
        if let Some(error) = &row.error {
            _ = writeln!(out, "<p class=\"failed\"><b>{}</b>: {}</p>", escape(&row.scene), escape(error));
        }
    }
    out
}

fn scenes(out: &Path, rows: &[Row]) -> String {
    let columns = ["scene", "status", "seconds", "PSNR", "SSIM", "holdout PSNR", "splats", "steps", "steps/s", "MiB"];
    let row = |row: &Row| {
        let name = if out.join(&row.scene).join(PAGE_FILE).is_file() {
            Cell::Link(link(&format!("{}/{PAGE_FILE}", row.scene)), row.scene.clone())
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
    table("All scenes of the batch", &columns, &rows.iter().map(row).collect::<Vec<_>>())
}

/// Links to the scenes as pages.
fn walks(out: &Path, rows: &[Row]) -> String {
    let of_row = |row: &Row| {
        let pages = scene::pages_in(&out.join(&row.scene));
        pages.into_iter().map(|page| format!("{}/{page}", row.scene)).collect::<Vec<_>>()
    };
    let pages: Vec<String> = rows.iter().flat_map(of_row).collect();
    links("Walk around in the scenes", pages.iter().map(|page| page.as_str()))
}

/// One render of every scene; a scene without one, or with one that cannot be read, has none here.
fn pictures(out: &Path, rows: &[Row]) -> String {
    let mut figures = String::new();
    for row in rows {
        let image = scene_picture(&out.join(&row.scene));
        let Some(picture) = image.and_then(|image| Embedded::new(&image, SIDE).ok()) else { continue };
        let name = escape(&row.scene);
        let Embedded { uri, width, height } = picture;
        _ = writeln!(
            figures,
            "<figure class=\"view\"><div class=\"compare\"><img class=\"under\" src=\"{uri}\" width=\"{width}\" \
             height=\"{height}\" alt=\"{name}: a render\"></div><figcaption><b>{name}</b></figcaption></figure>"
        );
    }
    if figures.is_empty() { figures } else { format!("<div class=\"views\">\n{figures}</div>\n") }
}
