//! The panel next to the picture.

use super::display::What;
use super::scene::title;
use super::style::{ACCENT, FAINT, GROUND, grouped, heading};
use super::training::Training;
use super::ui_state::{Command, Device, UiState, Work};
use super::{crop_panel, path_panel, training, training_panel};
use egui::{Align2, FontId, Frame, Key, Margin, Modifiers, Panel, RichText, ScrollArea, Slider};
use glam::DVec3;

/// Its width in points.
pub const WIDTH: f32 = 292.0;

/// Lays it out.
pub fn show(state: &mut UiState, ui: &mut egui::Ui, work: &mut Work<'_, '_>, device: &Device<'_>) {
    let frame = Frame::new().fill(GROUND).inner_margin(Margin::symmetric(14, 10));
    let panel = Panel::right("panel").resizable(false).exact_size(WIDTH).frame(frame).show_separator_line(false);
    panel.show(ui, |ui| {
        Panel::bottom("figures").frame(Frame::new()).show_separator_line(false).show(ui, |ui| figures(ui, device));
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            name(state, ui);
            if let Some(error) = work.training.as_deref_mut().and_then(|training| training_panel::show(training, ui)) {
                state.messages.error(&error);
            }
            if state.scene.is_some() {
                picture(state, ui);
                camera(state, ui);
                compare(state, ui);
                cut(state, ui);
                if !trains(work) {
                    crop_panel::show(state, ui);
                }
                path_panel::show(state, work.filming, ui);
            }
            files(state, ui);
        });
    });
}

/// Whether a run is active, so that the model changes.
pub fn trains(work: &Work<'_, '_>) -> bool {
    work.training.as_deref().is_some_and(Training::pending)
}

/// The overlay while there is no picture, or one is loading.
pub fn over_the_picture(state: &UiState, ui: &egui::Ui, area: egui::Rect) {
    let (text, font) = match (&state.loading, &state.scene) {
        (Some(path), _) => (format!("Reading {} …", title(path)), FontId::proportional(16.0)),
        (None, None) => (
            "Drop a PLY file, the output folder of a run, or a scene to train on here".into(),
            FontId::proportional(16.0),
        ),
        (None, Some(_)) => return,
    };
    ui.painter_at(area).text(area.center(), Align2::CENTER_CENTER, text, font, FAINT);
}

/// Asks whether to train on a scene that was dropped.
pub fn proposal(state: &mut UiState, ui: &egui::Ui) {
    let Some(job) = &state.proposal else { return };
    let pressed = |key| ui.input_mut(|i| i.consume_key(Modifiers::NONE, key));
    let (mut train, mut leave) = (pressed(Key::Enter), pressed(Key::Escape));
    let window = egui::Window::new(format!("Train on {}?", training::name(job)))
        .collapsible(false)
        .resizable(false)
        .anchor(Align2::CENTER_CENTER, [0.0, 0.0]);
    window.show(ui.ctx(), |ui| {
        ui.label(format!("Results go to {}.", job.out.display()));
        ui.add_space(4.0);
        ui.horizontal(|ui| {
            train |= ui.button("Train").on_hover_text("Enter").clicked();
            leave |= ui.button("Not now").on_hover_text("Escape").clicked();
        });
    });
    let job = if train || leave { state.proposal.take() } else { None };
    state.commands.extend(job.filter(|_| train).map(|job| Command::Train(Box::new(job))));
}

fn name(state: &mut UiState, ui: &mut egui::Ui) {
    let Some(scene) = &state.scene else { return };
    ui.horizontal(|ui| {
        ui.label(RichText::new(title(&scene.path)).size(16.0).strong());
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            if ui.small_button("?").on_hover_text("Keys and mouse (F1)").clicked() {
                state.help_open = !state.help_open;
            }
        });
    });
    let mut facts = Vec::new();
    if let Some(model) = &scene.splats {
        facts.push(format!("{} splats, SH degree {}", grouped(model.tensors().count), model.tensors().sh_degree));
    }
    if let Some(model) = &scene.points {
        facts.push(format!("{} points", grouped(model.tensors().count)));
    }
    facts.iter().for_each(|fact| {
        ui.label(RichText::new(fact).color(FAINT));
    });
}

fn picture(state: &mut UiState, ui: &mut egui::Ui) {
    heading(ui, "Show");
    let (scene, look) = (state.scene.as_ref(), &mut state.display);
    let has = |what: What| match what {
        What::Points => scene.is_some_and(|scene| scene.points.is_some()),
        _ => scene.is_some_and(|scene| scene.splats.is_some()),
    };
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.x = 3.0;
        ui.spacing_mut().button_padding.x = 4.0;
        for what in What::ALL {
            let button = egui::Button::selectable(look.what == what, what.name());
            if ui.add_enabled(has(what), button).clicked() {
                look.what = what;
            }
        }
    });
    ui.add(Slider::new(&mut look.stops, -4.0..=8.0).step_by(0.25).suffix(" EV").text("Exposure"));
    ui.add(Slider::new(&mut look.warmth, -2.0..=2.0).step_by(0.1).suffix(" EV").text("Warmth"));
    if scene.is_some_and(|scene| scene.look.is_some()) {
        let changed = look.stops != 0.0 || look.warmth != 0.0;
        let button = ui.add_enabled(changed, egui::Button::new("Save as settings"));
        let hover = "A file of settings with this exposure and warmth, for the next run (docs/viewer.md)";
        if button.on_hover_text(hover).clicked() {
            state.commands.push(Command::SaveLook);
        }
    }
    ui.horizontal(|ui| {
        ui.color_edit_button_rgb(&mut look.background);
        ui.label("Background");
    });
    let Some(model) = scene.and_then(|scene| look.model(scene)) else { return };
    let highest = model.tensors().sh_degree;
    if highest > 0 && look.what != What::Points {
        let mut degree = look.sh_degree.min(highest);
        if ui.add(Slider::new(&mut degree, 0..=highest).text("SH degree")).changed() {
            look.sh_degree = degree;
        }
    }
    let (size, name) = match look.what {
        What::Points => (&mut look.point_size, "Point size"),
        _ => (&mut look.splat_size, "Splat size"),
    };
    let times = Slider::new(size, 0.1..=10.0).logarithmic(true).custom_formatter(|v, _| format!("{v:.2} ×"));
    ui.add(times.text(name));
    if look.what != What::Points {
        let hover = "Opacity is compensated for the low-pass filter: as the splats were trained (`train.antialiased`)";
        ui.checkbox(&mut look.antialiased, "Antialiased").on_hover_text(hover);
    }
    if look.what == What::Depth {
        depths(state, ui);
    }
}

fn depths(state: &mut UiState, ui: &mut egui::Ui) {
    let Some((shot, model)) = state.shot() else { return };
    let (mut range, step) = (shot.tone.depths, model.bounds.radius * 0.01);
    let mut by_bounds = state.display.depths.is_none();
    let mut changed = false;
    ui.horizontal(|ui| {
        for value in &mut range {
            changed |= ui.add(egui::DragValue::new(value).speed(step).range(0.0..=f32::MAX)).changed();
        }
        ui.label("Depths");
    });
    changed |= ui.checkbox(&mut by_bounds, "Automatic").changed() && !by_bounds;
    state.display.depths = if by_bounds && !changed { None } else { Some(range) };
}

fn cut(state: &mut UiState, ui: &mut egui::Ui) {
    if state.display.what == What::Points {
        return;
    }
    heading(ui, "Hide splats");
    let look = &mut state.display;
    let opacity = Slider::new(&mut look.min_opacity, 0.0..=1.0).fixed_decimals(2).text("Opacity below");
    ui.add(opacity);
    let size = Slider::new(&mut look.max_scale, 1e-3..=1.0).logarithmic(true).text("Size above");
    let size = size.custom_formatter(|v, _| if v >= 1.0 { "off".into() } else { format!("{:.2} %", v * 100.0) });
    ui.add(size).on_hover_text("Largest standard deviation, as a share of the scene's radius");
}

fn camera(state: &mut UiState, ui: &mut egui::Ui) {
    heading(ui, "Camera");
    let count = state.scene.as_ref().map_or(0, |scene| scene.photos.len());
    if count > 0 {
        ui.horizontal(|ui| {
            if ui.button("<").on_hover_text("Previous camera (Page Up)").clicked() {
                state.step_camera(-1);
            }
            if ui.button(">").on_hover_text("Next camera (Page Down)").clicked() {
                state.step_camera(1);
            }
            let at = state.navigator.at().and_then(|index| Some((index, state.scene.as_ref()?.photos.get(index)?)));
            match at {
                Some((index, photo)) => {
                    ui.label(RichText::new(format!("{} / {count}", index + 1)).color(ACCENT));
                    ui.add(egui::Label::new(RichText::new(&photo.name).color(FAINT)).truncate());
                }
                None => {
                    ui.label(RichText::new(format!("free, {count} cameras")).color(FAINT));
                }
            }
        });
    }
    if count > 0 {
        ui.horizontal(|ui| {
            ui.checkbox(&mut state.cameras, "Show cameras").on_hover_text("Click a camera to go to it (F)");
            ui.add_enabled(state.cameras, egui::Checkbox::new(&mut state.photographs, "images"));
        });
    }
    let lens = state.navigator.pose().lens;
    let mut degrees = lens.degrees();
    // Displayed in whole degrees without rounding the value: a rounding slider would move the camera.
    let angle = Slider::new(&mut degrees, 10.0..=120.0).custom_formatter(|angle, _| format!("{angle:.0}°"));
    if ui.add(angle.text("Field of view")).changed() {
        state.navigator.set_lens(lens.with_degrees(degrees));
    }
    ui.horizontal(|ui| {
        if ui.button("Home").clicked() {
            state.navigator.go_home();
        }
        up_axis(state, ui);
    });
}

/// The comparison with photographs, where there are any.
fn compare(state: &mut UiState, ui: &mut egui::Ui) {
    let photo = |state: &UiState, index: Option<usize>| state.scene.as_ref()?.photos.get(index?).cloned();
    let Some(photo) = photo(state, state.navigator.at()).or_else(|| photo(state, Some(0))) else { return };
    if photo.dark.is_none() && photo.lit.is_none() {
        return;
    }
    heading(ui, "Compare");
    let on = ui.checkbox(&mut state.compare.on, "With the photograph");
    if on.on_hover_text("At a camera; drag the dividers (C)").changed()
        && state.compare.on
        && state.navigator.at().is_none()
    {
        state.step_camera(1);
    }
    ui.add_enabled_ui(state.compare.on, |ui| {
        ui.horizontal(|ui| {
            ui.add_enabled(photo.dark.is_some(), egui::Checkbox::new(&mut state.compare.dark, "dark"));
            ui.add_enabled(photo.lit.is_some(), egui::Checkbox::new(&mut state.compare.lit, "enhanced"));
            ui.checkbox(&mut state.compare.render, "render");
        });
        if photo.dark.is_some() && state.compare.dark {
            let slider = Slider::new(&mut state.compare.dark_stops, 0.0..=8.0).step_by(0.25).suffix(" EV");
            ui.add(slider.text("Dark photo only"));
        }
    });
}

/// Which way is up: of the cameras, or an axis.
fn up_axis(state: &mut UiState, ui: &mut egui::Ui) {
    let axes = [
        ("+X", DVec3::X),
        ("−X", DVec3::NEG_X),
        ("+Y", DVec3::Y),
        ("−Y", DVec3::NEG_Y),
        ("+Z", DVec3::Z),
        ("−Z", DVec3::NEG_Z),
    ];
    let named = axes.iter().find(|(_, axis)| axis.distance(state.navigator.up) < 1e-6).map_or("cameras'", |(n, _)| n);
    egui::ComboBox::new("up", "Up").selected_text(named).width(64.0).show_ui(ui, |ui| {
        for (name, axis) in axes {
            ui.selectable_value(&mut state.navigator.up, axis, name);
        }
    });
}

fn files(state: &mut UiState, ui: &mut egui::Ui) {
    heading(ui, "File");
    ui.horizontal(|ui| {
        let field = egui::TextEdit::singleline(&mut state.path).hint_text("PLY file or folder").desired_width(198.0);
        let entered = ui.add(field).lost_focus() && ui.input(|i| i.key_pressed(egui::Key::Enter));
        if (ui.button("Open").clicked() || entered) && !state.path.trim().is_empty() {
            state.commands.push(Command::Open(state.path.trim().into()));
        }
    });
    if ui.button("Screenshot").on_hover_text("The picture without the panel, as PNG (F12)").clicked() {
        state.commands.push(Command::Screenshot);
    }
}

fn figures(ui: &mut egui::Ui, device: &Device<'_>) {
    let figures = &device.figures;
    let [width, height] = figures.size;
    let line = |ui: &mut egui::Ui, text: String| {
        ui.add(egui::Label::new(RichText::new(text).small().color(FAINT)).truncate());
    };
    ui.spacing_mut().item_spacing.y = 2.0;
    ui.add_space(6.0);
    line(ui, format!("{width} × {height}, {:.1} ms", figures.time.as_secs_f64() * 1e3));
    line(ui, format!("{} splats in {} pairs", grouped(figures.visible), grouped(figures.pairs)));
    line(ui, format!("{}, {} MiB", device.adapter, device.peak_bytes >> 20));
}
