//! The report of one run.

use super::chart::chart;
use super::html::{Cell, document, escape, facts, links, section, table};
use super::views::Views;
use crate::pipeline::MetricsFile;
use crate::pipeline::frames::Source;
use crate::pipeline::record::{Run, Stage, StageRecord};
use crate::scenes;
use serde_json::Value;
use std::fmt::Write;

/// The page of `run` with its numbers and pictures, and links to the `pages` of the scene beside it.
pub fn page(run: &Run, metrics: &MetricsFile, views: &Views, pages: &[String]) -> String {
    let of_video = |video: &Source| video.file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let scene = run.video.as_ref().map_or_else(|| scenes::name_of(&run.scene), of_video);
    let origin = run.video.as_ref().map_or(&run.scene, |video| &video.file);
    let mut body = format!(
        "<a class=\"skip\" href=\"#main\">Skip to the results</a>\n<header><h1>{}</h1><p>{}</p>\n{}{}</header>\n<main id=\"main\">\n",
        escape(&scene),
        escape(&origin.display().to_string()),
        facts(&top(run, metrics)),
        links("Walk around in the scene", pages.iter().map(|page| page.as_str()))
    );
    body += &section("views", "Views", &all_views(views));
    body += &section("curves", "Training", &curves(run.stage(Stage::TRAIN)));
    body += &section("points", "Points", &points(run));
    body += &section("timings", "Timings", &(stages(run) + &kernels(run)));
    body += &section("enhance", "Dark to lit", &lighting(run.stage(Stage::ENHANCE)));
    body += &section("settings", "Settings", &(changes(run.stage(Stage::TRAIN)) + &settings(&run.settings)));
    _ = write!(
        body,
        "</main>\n<footer>naka-gs {}, on {}. PSNR and SSIM on 8-bit pictures at 1/{} of their size, before JPEG \
         compression.</footer>\n",
        escape(&run.version),
        escape(run.adapter.as_deref().unwrap_or("no adapter")),
        metrics.resolution.downscale.max(1)
    );
    document(&format!("{scene} – naka-gs"), &body)
}

fn top(run: &Run, metrics: &MetricsFile) -> Vec<(&'static str, String)> {
    let (test, holdout) = (&metrics.metrics.test, metrics.metrics.holdout.as_ref());
    let seconds: f64 = run.stages.iter().map(|stage| stage.seconds).sum();
    let all = [
        ("PSNR, test views", test.psnr.map(|v| format!("{v:.2} dB"))),
        ("SSIM, test views", test.ssim.map(|v| format!("{v:.4}"))),
        ("PSNR, held-out views", holdout.and_then(|group| group.psnr).map(|v| format!("{v:.2} dB"))),
        ("Splats", run.splats.map(|v| v.to_string())),
        ("Steps", run.steps.map(|v| v.to_string())),
        ("Steps per second", run.steps_per_second.map(|v| format!("{v:.1}"))),
        ("Peak device memory", run.peak_device_bytes.map(|v| format!("{} MiB", v >> 20))),
        ("Time, all stages", Some(format!("{seconds:.0} s"))),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn all_views(views: &Views) -> String {
    let kinds = [
        ("Test views: render and reference", &views.test),
        ("Held-out views", &views.holdout),
        ("Training views: before and after", &views.train),
    ];
    let mut out = String::new();
    for (title, figures) in kinds.iter().filter(|(_, figures)| !figures.is_empty()) {
        _ = write!(out, "<h3>{title}</h3>\n<div class=\"views\">\n{figures}</div>\n");
    }
    out
}

fn curves(train: Option<&StageRecord>) -> String {
    let points = train.and_then(|stage| stage.counts.get("curve")?.as_array());
    let Some(points) = points.filter(|points| !points.is_empty()) else { return String::new() };
    let curve = |name: &str| -> Vec<(f64, f64)> {
        points.iter().filter_map(|point| Some((point.get("step")?.as_f64()?, point.get(name)?.as_f64()?))).collect()
    };
    let names = [("loss", "Loss"), ("psnr", "PSNR of held-out views, dB"), ("splats", "Splats")];
    let charts = names.iter().map(|(key, name)| (*key, *name, curve(key)));
    // A number of splats that never changes is no curve.
    let changes = |curve: &[(f64, f64)]| curve.windows(2).any(|pair| pair[0].1 != pair[1].1);
    let charts = charts.filter(|(key, _, curve)| *key != "splats" || changes(curve));
    let charts: String = charts.map(|(_, name, curve)| chart(name, "step", &curve)).collect();
    format!("<div class=\"charts\">\n{charts}</div>\n")
}

fn points(run: &Run) -> String {
    let count = |stage: Stage, name: &str| run.stage(stage).and_then(|stage| stage.counts.get(name));
    let iterations = count(Stage::PPM, "iterations").and_then(Value::as_array);
    let Some(iterations) = iterations else { return String::new() };
    let whole = |name| count(Stage::PPM, name).and_then(Value::as_u64).map_or("?".into(), |v| v.to_string());
    let mut out = format!(
        "<p>{} points came in, {} were left after voxel pooling, {} after pruning.</p>\n",
        whole("input"),
        whole("pooled"),
        whole("output")
    );
    let columns = ["iteration", "threshold", "points before", "after", "mean distance", "median", "mean keep", ""];
    let row = |(i, iteration): (usize, &Value)| {
        let number = |name: &str, digits| Cell::number(iteration.get(name).and_then(Value::as_f64), digits);
        let undone = iteration.get("undone").and_then(Value::as_bool) == Some(true);
        vec![
            Cell::text((i + 1).to_string()),
            number("tau", 6),
            number("before", 0),
            number("after", 0),
            number("mean_distance", 6),
            number("median_distance", 6),
            number("mean_keep", 4),
            Cell::text(if undone { "undone: too few would be left" } else { "" }),
        ]
    };
    let rows: Vec<_> = iterations.iter().enumerate().map(row).collect();
    if !rows.is_empty() {
        out += &table("Pruning, distances in the normalized frame", &columns, &rows);
    }
    out
}

fn stages(run: &Run) -> String {
    let longest = run.stages.iter().map(|stage| stage.seconds).fold(1e-9, f64::max);
    let row = |stage: &StageRecord| {
        let status = serde_json::to_value(stage.status).ok().and_then(|v| v.as_str().map(str::to_string));
        vec![
            Cell::text(stage.stage.name()),
            Cell::text(status.unwrap_or_default()),
            Cell::number(Some(stage.seconds), 2),
            Cell::Bar(stage.seconds / longest),
        ]
    };
    let rows: Vec<_> = run.stages.iter().map(row).collect();
    if rows.is_empty() {
        return String::new();
    }
    table("Stages", &["stage", "status", "seconds", ""], &rows)
}

fn kernels(run: &Run) -> String {
    let mut kernels: Vec<(&String, f64)> = run.kernel_ms.iter().map(|(name, ms)| (name, *ms)).collect();
    kernels.sort_by(|a, b| b.1.total_cmp(&a.1));
    let Some(&(_, longest)) = kernels.first() else { return String::new() };
    let row = |&(name, ms): &(&String, f64)| {
        vec![Cell::text(name.as_str()), Cell::number(Some(ms), 3), Cell::Bar(ms / longest.max(1e-9))]
    };
    let rows: Vec<_> = kernels.iter().map(row).collect();
    table("Kernels, in an average training step", &["kernel", "ms", ""], &rows)
}

/// What `enhance` says of itself: its plain values.
fn lighting(stage: Option<&StageRecord>) -> String {
    let Some(stage) = stage else { return String::new() };
    let rows: Vec<_> = stage.counts.iter().map(|(name, value)| vec![Cell::text(name.as_str()), plain(value)]).collect();
    if rows.is_empty() { String::new() } else { table("What was done", &["", ""], &rows) }
}

/// Settings that were changed while training.
fn changes(train: Option<&StageRecord>) -> String {
    let changes = train.map(StageRecord::changes).unwrap_or_default();
    let row = |step: u32, name: &str, value: &Value| vec![Cell::text(step.to_string()), Cell::text(name), plain(value)];
    let rows: Vec<_> = changes
        .iter()
        .flat_map(|change| change.settings.iter().map(|(name, value)| row(change.step, name, value)))
        .collect();
    if rows.is_empty() {
        String::new()
    } else {
        table("Changed while training", &["after step", "setting", "value"], &rows)
    }
}

fn settings(settings: &Value) -> String {
    let mut rows = Vec::new();
    flatten("", settings, &mut rows);
    if rows.is_empty() {
        return String::new();
    }
    let rows: Vec<_> = rows.into_iter().map(|(name, value)| vec![Cell::Text(name), value]).collect();
    let table = table("As resolved from preset, file and flags", &["setting", "value"], &rows);
    format!("<details><summary>All settings of this run</summary>\n{table}</details>\n")
}

/// The values of nested tables, under their names with dots; those outside tables first.
fn flatten(prefix: &str, value: &Value, rows: &mut Vec<(String, Cell)>) {
    let Some(entries) = value.as_object() else { return };
    for (name, value) in entries.iter().filter(|(_, value)| !value.is_object()) {
        rows.push((format!("{prefix}{name}"), plain(value)));
    }
    for (name, value) in entries.iter().filter(|(_, value)| value.is_object()) {
        flatten(&format!("{prefix}{name}."), value, rows);
    }
}

fn plain(value: &Value) -> Cell {
    Cell::Text(words(value))
}

fn words(value: &Value) -> String {
    match value {
        Value::Null => "–".into(),
        Value::String(text) => text.clone(),
        Value::Array(values) => values.iter().map(words).collect::<Vec<_>>().join(", "),
        Value::Number(number) => match number.as_f64().filter(|_| number.is_f64()) {
            // A setting of 32 bits has the digits of 32 bits.
            Some(wide) if f64::from(wide as f32) == wide => (wide as f32).to_string(),
            Some(wide) => format!("{wide:.4}"),
            None => number.to_string(),
        },
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pipeline::record::Status;
    use serde_json::json;

    #[test]
    fn settings_changed_while_training_are_told() {
        let mut record = StageRecord::beginning(Stage::TRAIN, "", String::new(), Default::default());
        record.status = Status::Done;
        assert_eq!(changes(Some(&record)), "");
        record.counts.insert("changes".into(), json!([{ "step": 120, "settings": { "ssim_weight": 0.3f32 } }]));
        let table = changes(Some(&record));
        assert!(["Changed while training", "120", "ssim_weight", "0.3"].iter().all(|word| table.contains(word)));
    }
}
