//! The panel's part about an active run.

use super::style::{ACCENT, FAINT, grouped, heading};
use super::training::{Figures, Training, name};
use crate::error::Error;
use crate::progress::Standing;
use crate::train::{CHANGEABLE, Change, Config, State};
use egui::{Color32, Grid, ProgressBar, RichText};
use egui_plot::{Line, Plot};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The color of the curve of PSNR.
const PSNR: Color32 = Color32::from_rgb(235, 190, 110);
/// Kernels that are named one by one.
const KERNELS: usize = 10;

/// Lays it out. Returns what went wrong.
pub fn show(training: &mut Training<'_>, ui: &mut egui::Ui) -> Option<Error> {
    heading(ui, &format!("Training of {}", name(&training.job)));
    let state = training.figures.state;
    if state == State::Waiting || (state == State::Finished && training.at_work()) {
        if let Some(standing) = training.board.standing().filter(|_| training.at_work()) {
            stage(ui, &standing);
        }
        if training.at_work() && ui.button("Stop").on_hover_text("The same command goes on from there").clicked() {
            training.stop();
        }
        return None;
    }
    // Of several models, which one.
    let standing = training.board.standing().filter(|_| training.job.settings.seeds > 1);
    if let Some(standing) = standing {
        ui.label(RichText::new(standing.stage).color(FAINT));
    }
    figures(ui, &training.figures);
    buttons(training, ui);
    curves(ui, &training.figures);
    kernels(ui, &training.figures);
    let config = training.remote.settings();
    config.and_then(|config| settings(training, &config, ui).err())
}

/// A stage before or after training.
fn stage(ui: &mut egui::Ui, standing: &Standing) {
    let Standing { stage, unit, done, total, .. } = standing;
    let share = *done as f32 / (*total).max(1) as f32;
    ui.add(ProgressBar::new(share).desired_height(8.0));
    ui.label(RichText::new(format!("{stage}: {done} of {total} {unit}")).color(FAINT));
}

fn figures(ui: &mut egui::Ui, figures: &Figures) {
    let of = &figures.of;
    ui.add(ProgressBar::new(of.step as f32 / of.steps.max(1) as f32).desired_height(8.0));
    let per_second = f64::from(of.step) / of.seconds.max(1e-9);
    let rows = [
        ("Step", format!("{} of {}", grouped(of.step as usize), grouped(of.steps as usize))),
        ("Speed", format!("{per_second:.1} steps/s, {:.1} ms", of.milliseconds)),
        ("Loss", format!("{:.4}", of.of_step.loss)),
        ("PSNR", figures.curve.iter().rev().find_map(|p| p.psnr).map_or("–".into(), |psnr| format!("{psnr:.2} dB"))),
        ("Splats", format!("{}, {} visible", grouped(of.splats), grouped(of.of_step.visible))),
        ("Memory", format!("{} MiB, at most {}", of.device_bytes >> 20, of.peak_device_bytes >> 20)),
    ];
    Grid::new("training figures").num_columns(2).spacing([12.0, 3.0]).show(ui, |ui| {
        for (what, value) in rows {
            ui.label(RichText::new(what).color(FAINT));
            ui.label(value);
            ui.end_row();
        }
    });
}

fn buttons(training: &mut Training<'_>, ui: &mut egui::Ui) {
    ui.horizontal_wrapped(|ui| match training.figures.state {
        State::Running | State::Paused => {
            let paused = training.figures.state == State::Paused;
            if ui.button(if paused { "Resume" } else { "Pause" }).clicked() {
                if paused { training.remote.resume() } else { training.remote.pause() }
            }
            if ui.add_enabled(paused, egui::Button::new("Step")).clicked() {
                training.remote.step();
                training.remote.want_snapshot();
            }
            if ui.button("Save PLY").on_hover_text("The splats of this step, into the output folder").clicked() {
                training.remote.save(training.ply());
            }
            let stop = ui.button("Stop and save");
            if stop.on_hover_text("A checkpoint is written; the same command goes on from there").clicked() {
                training.stop();
            }
        }
        State::Finished => {
            ui.label(RichText::new("finished").color(ACCENT));
        }
        State::Stopped | State::Waiting => {
            ui.label(RichText::new("stopped").color(FAINT));
        }
    });
}

fn curves(ui: &mut egui::Ui, figures: &Figures) {
    let psnr: Vec<[f64; 2]> =
        figures.curve.iter().filter_map(|point| Some([f64::from(point.step), point.psnr?])).collect();
    plot(ui, "Loss", figures.losses.clone(), ACCENT);
    if psnr.len() > 1 {
        plot(ui, "PSNR of held-out views", psnr, PSNR);
    }
}

fn plot(ui: &mut egui::Ui, name: &str, points: Vec<[f64; 2]>, color: Color32) {
    ui.label(RichText::new(name).small().color(FAINT));
    let plot = Plot::new(name)
        .height(86.0)
        .allow_drag(false)
        .allow_zoom(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .show_background(false)
        .show_axes([false, true])
        .y_axis_min_width(34.0);
    plot.show(ui, |plot| plot.line(Line::new(name, points).color(color).width(1.5)));
}

fn kernels(ui: &mut egui::Ui, figures: &Figures) {
    if figures.kernels.is_empty() {
        return;
    }
    let total: f64 = figures.kernels.iter().map(|(_, ms)| ms).sum();
    let title = RichText::new(format!("Kernels: {total:.1} ms a step")).color(FAINT);
    egui::CollapsingHeader::new(title).id_salt("kernels").show(ui, |ui| {
        Grid::new("kernels").num_columns(2).spacing([12.0, 1.0]).show(ui, |ui| {
            let (named, rest) = figures.kernels.split_at(figures.kernels.len().min(KERNELS));
            let rest: f64 = rest.iter().map(|(_, ms)| ms).sum();
            for (name, ms) in named.iter().map(|(name, ms)| (name.as_str(), *ms)).chain([("all others", rest)]) {
                ui.label(RichText::new(name).small().color(FAINT));
                ui.label(RichText::new(format!("{ms:.2}")).small());
                ui.end_row();
            }
        });
    });
}

/// The settings that can change during training.
fn settings(training: &mut Training<'_>, config: &Config, ui: &mut egui::Ui) -> crate::Result<()> {
    if !matches!(training.figures.state, State::Running | State::Paused) {
        return Ok(());
    }
    let now = serde_json::to_value(config).unwrap_or_default();
    let mut apply = false;
    egui::CollapsingHeader::new(RichText::new("Settings").color(FAINT)).id_salt("settings").show(ui, |ui| {
        Grid::new("settings").num_columns(2).spacing([12.0, 2.0]).show(ui, |ui| {
            apply |= fields(&mut training.edits, &now, ui);
        });
        apply |= ui.button("Apply from the next step on").clicked();
    });
    if apply {
        let settings = edited(config, &now, &training.edits, training.figures.of.step)?;
        training.edits.clear();
        training.remote.change(settings);
    }
    Ok(())
}

/// A field for each setting, with its value `now`, or the text of an edit. Returns whether Enter was
/// pressed in one.
fn fields(edits: &mut BTreeMap<String, String>, now: &Value, ui: &mut egui::Ui) -> bool {
    let mut entered = false;
    for name in CHANGEABLE {
        let mut text = edits.get(name).cloned().unwrap_or_else(|| written(&now[name]));
        ui.label(RichText::new(name.replace('_', " ")).small()).on_hover_text(explained(name));
        let field = ui.add(egui::TextEdit::singleline(&mut text).desired_width(92.0));
        if field.changed() {
            edits.insert(name.into(), text);
        }
        entered |= field.lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter));
        ui.end_row();
    }
    entered
}

/// What was typed in place of what `config` has, after `step` steps.
fn edited(
    config: &Config,
    now: &Value,
    edits: &BTreeMap<String, String>,
    step: u32,
) -> crate::Result<Map<String, Value>> {
    let mut settings = Map::new();
    for (name, text) in edits.iter().filter(|(name, text)| written(&now[name.as_str()]) != **text) {
        let value = serde_json::from_str(text.trim()).unwrap_or_else(|_| Value::String(text.trim().into()));
        settings.insert(name.clone(), value);
    }
    let wanted = config.changed(&[Change { step, settings: settings.clone() }])?;
    // Values that training would refuse are refused here, where they can be corrected.
    config.change_to(&wanted, step)?;
    Ok(settings)
}

/// A value as it is typed.
fn written(value: &Value) -> String {
    match (value, value.as_f64()) {
        (Value::String(text), _) => text.clone(),
        // An f32 that became an f64 loses the digits that it did not have.
        (_, Some(number)) if value.is_f64() => (number as f32).to_string(),
        _ => value.to_string(),
    }
}

fn explained(name: &str) -> String {
    let path = format!("train.{name}");
    crate::settings::keys().into_iter().find(|key| key.path == path).map(|key| key.help).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_settings_are_taken_and_others_left() {
        let config = Config::default();
        let now = serde_json::to_value(&config).unwrap();
        let mut edits: BTreeMap<String, String> =
            CHANGEABLE.iter().map(|name| ((*name).to_string(), written(&now[*name]))).collect();
        assert!(edited(&config, &now, &edits, 9).unwrap().is_empty());
        edits.insert("lr_sh".into(), " 0.0031".into());
        edits.insert("background".into(), "black".into());
        let settings = edited(&config, &now, &edits, 9).unwrap();
        assert_eq!(Value::Object(settings), serde_json::json!({ "lr_sh": 0.0031, "background": "black" }));
        for refused in ["many", "9"] {
            edits.insert("steps".into(), refused.into());
            let error = edited(&config, &now, &edits, 9).unwrap_err().to_string();
            assert!(error.contains("train.steps"), "{error}");
        }
    }

    /// Else they would count as edits when the settings have changed.
    #[test]
    fn fields_that_are_only_shown_are_not_edited() {
        let now = serde_json::to_value(Config::default()).unwrap();
        let mut edits = BTreeMap::from([("lr_sh".to_string(), "0.0".to_string())]);
        let mut shown = egui::Context::default().run_ui(egui::RawInput::default(), |ui| {
            assert!(!fields(&mut edits, &now, ui));
        });
        shown.textures_delta.clear();
        assert!(!shown.shapes.is_empty());
        assert_eq!(edits.keys().collect::<Vec<_>>(), ["lr_sh"]);
    }

    #[test]
    fn every_setting_that_can_change_is_explained() {
        assert!(CHANGEABLE.iter().all(|name| explained(name).len() > 10));
    }
}
