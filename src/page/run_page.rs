//! The report of one run.

use super::chart::chart;
use super::parts::{Cell, Document, Part, Section, Table};
use super::views::Views;
use crate::error::Result;
use crate::pipeline::MetricsFile;
use crate::pipeline::frames::Source;
use crate::pipeline::record::{Run, Stage, StageRecord};
use crate::scenes;
use serde_json::Value;

/// The page of `run` with its numbers and pictures, and links to the `pages` of the scene beside it.
///
/// # Errors
/// None that a user can cause.
pub fn page(run: &Run, metrics: &MetricsFile, views: Views, pages: Vec<String>) -> Result<String> {
    let of_video = |video: &Source| video.file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let title = run.video.as_ref().map_or_else(|| scenes::name_of(&run.scene), of_video);
    let origin = run.video.as_ref().map_or(&run.scene, |video| &video.file);
    let train = run.stage(Stage::TRAIN);
    let sections = vec![
        section("scene", "Scene", [Part::links("Walk around in the scene", pages)]),
        section("views", "Views", all_views(views)),
        section(
            "curves",
            "Training",
            [
                curves(train),
                train.and_then(|_| smaller_at_first(&run.settings)).map(Part::Paragraph),
                train.and_then(models).map(Part::Table),
                moved(train).map(Part::Table),
            ],
        ),
        section("points", "Points", points(run)),
        section("timings", "Timings", [stages(run).map(Part::Table), kernels(run).map(Part::Table)]),
        section("enhance", "Dark to enhanced", enhancement(run.stage(Stage::ENHANCE))),
        section("settings", "Settings", [changes(train).map(Part::Table), settings(&run.settings)]),
    ];
    let footer = format!(
        "naka-gs {}, on {}. PSNR and SSIM (Wang et al. 2004: Gaussian window of 11 × 11 pixels, σ 1.5, each channel, no \
         borders) on 8-bit pictures at 1/{} of their size, before JPEG compression{}.",
        run.version,
        run.adapter.as_deref().unwrap_or("no adapter"),
        metrics.resolution.downscale.max(1),
        metrics.metrics.test.psnr_jpeg.map_or_else(String::new, |v| format!("; PSNR after it {v:.2} dB"))
    );
    let (origin, facts) = (origin.display().to_string(), top(run, metrics));
    Document { title: &title, origin: &origin, facts, sections, footer: &footer }.html()
}

fn section<const N: usize>(id: &'static str, title: &'static str, parts: [Option<Part>; N]) -> Section {
    Section { id, title, parts: parts.into_iter().flatten().collect() }
}

fn top(run: &Run, metrics: &MetricsFile) -> Vec<(&'static str, String)> {
    let (test, holdout) = (&metrics.metrics.test, metrics.metrics.holdout.as_ref());
    let alone = metrics.distilled.as_ref();
    let seconds: f64 = run.stages.iter().map(|stage| stage.seconds).sum();
    let all = [
        ("PSNR, test views", test.psnr.map(|v| format!("{v:.2} dB"))),
        ("SSIM, test views", test.ssim.map(|v| format!("{v:.4}"))),
        ("LPIPS, test views", test.lpips.map(|v| format!("{v:.4}"))),
        ("Sharpness, test views", test.sharpness.map(|v| format!("{:.0} % of the references'", 100.0 * v))),
        ("Flicker between test views", test.flicker.map(|v| format!("{v:.1} levels"))),
        ("PSNR, held-out views", holdout.and_then(|group| group.psnr).map(|v| format!("{v:.2} dB"))),
        ("Models averaged", metrics.seeds.map(|v| v.to_string())),
        ("PSNR of splats.ply alone, test views", alone.and_then(|alone| alone.test.psnr).map(|v| format!("{v:.2} dB"))),
        (
            "PSNR of splats.ply alone, held-out views",
            alone.and_then(|alone| alone.holdout.as_ref()?.psnr).map(|v| format!("{v:.2} dB")),
        ),
        ("Splats", run.splats.map(|v| v.to_string())),
        ("Steps", run.steps.map(|v| v.to_string())),
        ("Steps per second", run.steps_per_second.map(|v| format!("{v:.1}"))),
        ("Peak device memory", run.peak_device_bytes.map(|v| format!("{} MiB", v >> 20))),
        ("Time, all stages", Some(format!("{seconds:.0} s"))),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn all_views(views: Views) -> [Option<Part>; 3] {
    [
        Part::views(Some("Test views: render and reference"), views.test),
        Part::views(Some("Held-out views"), views.holdout),
        Part::views(Some("Training views: before and after"), views.train),
    ]
}

fn curves(train: Option<&StageRecord>) -> Option<Part> {
    let points = train.and_then(|stage| stage.counts.get("curve")?.as_array())?;
    let curve = |name: &str| -> Vec<(f64, f64)> {
        points.iter().filter_map(|point| Some((point.get("step")?.as_f64()?, point.get(name)?.as_f64()?))).collect()
    };
    let names = [("loss", "Loss"), ("psnr", "PSNR of held-out views, dB"), ("splats", "Splats")];
    let charts = names.iter().map(|(key, name)| (*key, *name, curve(key)));
    // A number of splats that never changes is no curve.
    let changes = |curve: &[(f64, f64)]| curve.windows(2).any(|pair| pair[0].1 != pair[1].1);
    let charts = charts.filter(|(key, _, curve)| *key != "splats" || changes(curve));
    let charts: Vec<_> = charts.filter_map(|(_, name, curve)| chart(name, "step", &curve)).collect();
    (!charts.is_empty()).then_some(Part::Charts(charts))
}

/// Why the curve of the loss rises where a training has a resolution ramp.
fn smaller_at_first(settings: &Value) -> Option<String> {
    let number = |name: &str| Some(settings.get("train")?.get(name)?.as_f64()? as f32);
    let (ramp, end) = (number("ramp")?, (number("ramp_until")? * number("steps")?).ceil());
    let sizes = if ramp > 2.0 { format!("1/{ramp} to 1/2") } else { "1/2".into() };
    let words =
        format!("The first {end} steps compare pictures at {sizes} of the training size, which have a smaller loss.");
    (ramp > 1.0 && end > 0.0).then_some(words)
}

fn points(run: &Run) -> [Option<Part>; 3] {
    let count = |stage: Stage, name: &str| run.stage(stage).and_then(|stage| stage.counts.get(name));
    let iterations = count(Stage::PPM, "iterations").and_then(Value::as_array);
    let Some(iterations) = iterations else { return [None, None, None] };
    let whole = |name| count(Stage::PPM, name).and_then(Value::as_u64).map_or("?".into(), |v| v.to_string());
    let said = format!(
        "{} points came in, {} were left after voxel pooling, {} after pruning.",
        whole("input"),
        whole("pooled"),
        whole("output")
    );
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
    let columns = &["iteration", "threshold", "points before", "after", "mean distance", "median", "mean keep", ""];
    let rows = iterations.iter().enumerate().map(row).collect();
    let table = Table::new("Pruning, distances in the normalized frame", columns, rows);
    [Some(Part::Paragraph(said)), table.map(Part::Table), None]
}

fn stages(run: &Run) -> Option<Table> {
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
    Table::new("Stages", &["stage", "status", "seconds", ""], run.stages.iter().map(row).collect())
}

fn kernels(run: &Run) -> Option<Table> {
    let mut kernels: Vec<(&String, f64)> = run.kernel_ms.iter().map(|(name, ms)| (name, *ms)).collect();
    kernels.sort_by(|a, b| b.1.total_cmp(&a.1));
    let &(_, longest) = kernels.first()?;
    let row = |&(name, ms): &(&String, f64)| {
        vec![Cell::text(name.as_str()), Cell::number(Some(ms), 3), Cell::Bar(ms / longest.max(1e-9))]
    };
    Table::new("Kernels, in an average training step", &["kernel", "ms", ""], kernels.iter().map(row).collect())
}

/// The report of `enhance`: its response as a curve, and its plain values.
fn enhancement(stage: Option<&StageRecord>) -> [Option<Part>; 3] {
    let Some(counts) = stage.map(|stage| &stage.counts) else { return [None, None, None] };
    let curve: Vec<[f64; 4]> =
        counts.get("curve").and_then(|curve| serde_json::from_value(curve.clone()).ok()).unwrap_or_default();
    let plain_values = counts.iter().filter(|(name, _)| *name != "curve");
    let rows = plain_values.map(|(name, value)| vec![Cell::text(name.as_str()), plain(value)]).collect();
    let green: Vec<(f64, f64)> = curve.iter().map(|[dark, _, green, _]| (*dark, *green)).collect();
    let drawn = chart("Response: level of green over the level of gray in the dark photograph", "dark level", &green);
    [
        drawn.map(|chart| Part::Charts(vec![chart])),
        white_balance(&curve).map(Part::Paragraph),
        Table::new("What was done", &["", ""], rows).map(Part::Table),
    ]
}

/// The color that gray has in the middle of the response.
fn white_balance(curve: &[[f64; 4]]) -> Option<String> {
    let [dark, red, green, blue] = curve.iter().find(|[_, _, green, _]| *green >= 118.0)?;
    Some(format!(
        "White balance: a gray of level {dark:.1} in the dark photograph becomes red {red:.0}, green {green:.0}, blue {blue:.0}."
    ))
}

/// The models of a run of several seeds.
fn models(train: &StageRecord) -> Option<Table> {
    let models = train.counts.get("models")?.as_object()?;
    let row = |(file, model): (&String, &Value)| {
        let number = |name: &str, digits| Cell::number(model.get(name).and_then(Value::as_f64), digits);
        let loss = model.get("curve").and_then(|curve| curve.as_array()?.last()?.get("loss")?.as_f64());
        let loss = Cell::number(loss, 4);
        vec![
            Cell::text(file.as_str()),
            number("seed", 0),
            number("steps", 0),
            number("seconds", 1),
            number("splats", 0),
            loss,
        ]
    };
    let columns = &["model", "seed", "steps", "seconds", "splats", "last loss"];
    Table::new("Models that are averaged (the curve is of the first)", columns, models.iter().map(row).collect())
}

/// Photographs that were moved, those of the first of several models.
fn moved(train: Option<&StageRecord>) -> Option<Table> {
    let counts = &train?.counts;
    let first = || counts.get("models")?.as_object()?.values().next()?.get("moved");
    let moved = counts.get("moved").or_else(first)?.as_array()?;
    let row = |pose: &Value| {
        let view = pose.get("view").and_then(Value::as_str).unwrap_or_default();
        vec![Cell::text(view), Cell::number(pose.get("pixels").and_then(Value::as_f64), 1)]
    };
    let title = "Photographs that did not match their poses (the corrected poses are in run.json)";
    Table::new(title, &["photograph", "pixels off"], moved.iter().map(row).collect())
}

/// Settings that were changed while training.
fn changes(train: Option<&StageRecord>) -> Option<Table> {
    let changes = train.map(StageRecord::changes).unwrap_or_default();
    let row = |step: u32, name: &str, value: &Value| vec![Cell::text(step.to_string()), Cell::text(name), plain(value)];
    let rows = changes
        .iter()
        .flat_map(|change| change.settings.iter().map(|(name, value)| row(change.step, name, value)))
        .collect();
    Table::new("Changed while training", &["after step", "setting", "value"], rows)
}

fn settings(settings: &Value) -> Option<Part> {
    let mut rows = Vec::new();
    flatten("", settings, &mut rows);
    let rows: Vec<_> = rows.into_iter().map(|(name, value)| vec![Cell::Text(name), value]).collect();
    let table = Table::new("As resolved from preset, file and flags", &["setting", "value"], rows)?;
    Some(Part::Details { summary: "All settings of this run", table })
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
    use crate::eval::{Group, Metrics};
    use crate::pipeline::record::Status;
    use serde_json::json;

    #[test]
    fn the_response_is_drawn_and_its_white_balance_told() {
        let mut record = StageRecord::beginning(Stage::ENHANCE, "", String::new(), Default::default());
        record.counts.insert(
            "curve".into(),
            json!([[0.0, 0.0, 0.0, 0.0], [5.5, 130.2, 120.0, 99.6], [9.0, 255.0, 255.0, 255.0]]),
        );
        record.counts.insert("response".into(), json!("camera"));
        let [chart, words, table] = enhancement(Some(&record));
        assert!(
            matches!(chart, Some(Part::Charts(charts)) if charts[0].to_string().contains("from 0 at 0 to 255 at 9"))
        );
        assert!(
            matches!(words, Some(Part::Paragraph(words)) if words.contains("5.5") && words.contains("red 130, green 120, blue 100"))
        );
        let Some(Part::Table(table)) = table else { panic!("no table") };
        assert!(table.to_string().contains("camera") && !table.to_string().contains("curve"));
        record.counts.remove("curve");
        assert!(matches!(enhancement(Some(&record)), [None, None, Some(_)]));
    }

    #[test]
    fn a_resolution_ramp_is_explained() {
        let train = |ramp: u32| json!({ "train": { "steps": 500, "ramp": ramp, "ramp_until": 0.3f32 } });
        assert!(smaller_at_first(&train(4)).unwrap().starts_with("The first 150 steps compare pictures at 1/4 to 1/2"));
        assert_eq!(smaller_at_first(&train(1)), None);
        assert_eq!(smaller_at_first(&json!({})), None);
    }

    #[test]
    fn what_the_file_of_several_seeds_scores_is_told_without_references_too() {
        let group = |psnr| Group { psnr: Some(psnr), ..Group::default() };
        let of = |psnr| Metrics { holdout: Some(group(psnr)), ..Metrics::default() };
        let metrics = MetricsFile { metrics: of(25.0), distilled: Some(of(24.5)), ..MetricsFile::default() };
        let facts = top(&Run::default(), &metrics);
        let value = |name: &str| facts.iter().find(|(fact, _)| *fact == name).map(|(_, value)| value.as_str());
        assert_eq!(value("PSNR, held-out views"), Some("25.00 dB"));
        assert_eq!(value("PSNR of splats.ply alone, held-out views"), Some("24.50 dB"));
    }

    #[test]
    fn models_of_several_seeds_are_listed() {
        let mut record = StageRecord::beginning(Stage::TRAIN, "", String::new(), Default::default());
        assert!(models(&record).is_none());
        let model = json!({ "seed": 43, "steps": 40, "seconds": 1.5, "splats": 7, "curve": [{ "loss": 0.25 }] });
        record.counts.insert("models".into(), json!({ "seeds/splats-2.ply": model }));
        let table = models(&record).unwrap().to_string();
        assert!(["seeds/splats-2.ply", "43", "1.5", "0.2500"].iter().all(|word| table.contains(word)), "{table}");
    }

    #[test]
    fn photographs_that_were_moved_are_listed_of_one_model_and_of_several() {
        let mut record = StageRecord::beginning(Stage::TRAIN, "", String::new(), Default::default());
        assert!(moved(None).is_none() && moved(Some(&record)).is_none());
        let poses = json!([{ "view": "0005.JPG", "pixels": 1.66, "transform_matrix": [[1.0, 0.0, 0.0, 0.0]] }]);
        record.counts.insert("models".into(), json!({ "seeds/splats-1.ply": { "moved": poses } }));
        let of_several = moved(Some(&record)).unwrap().to_string();
        record.counts.insert("moved".into(), poses);
        assert_eq!(moved(Some(&record)).unwrap().to_string(), of_several);
        assert!(["0005.JPG", "1.7"].iter().all(|word| of_several.contains(word)), "{of_several}");
    }

    #[test]
    fn settings_changed_while_training_are_told() {
        let mut record = StageRecord::beginning(Stage::TRAIN, "", String::new(), Default::default());
        record.status = Status::Done;
        assert!(changes(Some(&record)).is_none());
        record.counts.insert("changes".into(), json!([{ "step": 120, "settings": { "ssim_weight": 0.3f32 } }]));
        let table = changes(Some(&record)).unwrap().to_string();
        assert!(["Changed while training", "120", "ssim_weight", "0.3"].iter().all(|word| table.contains(word)));
    }
}
