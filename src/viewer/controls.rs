//! Handles the pointer and the keys.

use super::display::What;
use super::navigate::Drag;
use super::ui_state::{Command, UiState};
use super::{crop_panel, path_panel};
use egui::{Key, Modifiers, PointerButton};
use glam::DVec3;

/// Points of scrolling that make a click of a wheel.
const CLICK: f32 = 40.0;
/// Most seconds of flight in one frame, so that a slow frame does not throw the viewer through a wall.
const LONGEST: f32 = 0.2;

/// Drags, wheel and double clicks on the picture.
pub fn pointer(state: &mut UiState, ui: &egui::Ui, response: &egui::Response) {
    let size = response.rect.size().max(egui::Vec2::splat(1.0));
    let modifiers = ui.input(|i| i.modifiers);
    let drags = [
        (PointerButton::Primary, if modifiers.shift { Drag::Pan } else { Drag::Orbit }),
        (PointerButton::Secondary, Drag::Pan),
        (PointerButton::Middle, Drag::Turn),
    ];
    for (button, drag) in drags {
        let by = response.drag_delta() / size.y;
        if response.dragged_by(button) && by != egui::Vec2::ZERO {
            let drag = if modifiers.command { Drag::Turn } else { drag };
            state.navigator.drag(drag, f64::from(by.x), f64::from(by.y));
        }
    }
    let (scroll, flying) =
        ui.input(|i| (i.smooth_scroll_delta().y + 100.0 * (i.zoom_delta() - 1.0), i.pointer.secondary_down()));
    if response.contains_pointer() && scroll != 0.0 {
        let clicks = f64::from(scroll / CLICK);
        if flying { state.navigator.faster(clicks) } else { state.navigator.dolly(clicks) }
    }
    if let Some(place) = response.interact_pointer_pos().filter(|_| response.double_clicked()) {
        let share = (place - response.rect.min) / size;
        state.commands.push(Command::Focus([share.x, share.y].map(f64::from)));
    }
}

/// Keys, unless a text field has the focus. Cropping works on a `finished` model only.
pub fn keys(state: &mut UiState, ui: &egui::Ui, finished: bool) {
    let dropped = ui.input(|i| i.raw.dropped_files.first().map(|file| file.path().to_path_buf()));
    state.commands.extend(dropped.map(Command::Open));
    if ui.ctx().egui_wants_keyboard_input() {
        return;
    }
    let pressed = |key: Key| ui.input_mut(|i| i.consume_key(Modifiers::NONE, key));
    if ui.input_mut(|i| i.consume_key(Modifiers::COMMAND, Key::Q)) {
        state.commands.push(Command::Quit);
    }
    if pressed(Key::F12) {
        state.commands.push(Command::Screenshot);
    }
    if pressed(Key::F11) {
        state.commands.push(Command::FullScreen);
    }
    if pressed(Key::F1) || ui.input_mut(|i| i.consume_key(Modifiers::NONE, Key::Questionmark)) {
        state.help_open = !state.help_open;
    }
    if state.proposal.is_none() && pressed(Key::Escape) {
        state.help_open = false;
    }
    if pressed(Key::P) {
        state.panel_open = !state.panel_open;
    }
    if pressed(Key::F) {
        state.cameras = !state.cameras;
    }
    if finished && pressed(Key::B) {
        crop_panel::toggle(state);
    }
    if ui.input_mut(|i| i.consume_key(Modifiers::COMMAND, Key::S)) {
        // The S may be up later than the Ctrl.
        state.shortcut = true;
        if finished {
            crop_panel::save(state);
        }
    }
    if pressed(Key::K) {
        path_panel::add(state);
    }
    if pressed(Key::Space) {
        path_panel::play(state);
    }
    if pressed(Key::C) {
        state.compare.on = !state.compare.on;
        // From elsewhere, at the nearest camera.
        if state.compare.on && state.navigator.at().is_none() {
            state.step_camera(1);
        }
    }
    if pressed(Key::Home) {
        state.navigator.go_home();
    }
    // All presses since the last frame count, which on a slow device are several.
    let presses = |keys: [Key; 2]| -> isize {
        let count = |key| ui.input_mut(|i| i.count_and_consume_key(Modifiers::NONE, key));
        keys.map(count).into_iter().sum::<usize>() as isize
    };
    let cameras = presses([Key::PageDown, Key::CloseBracket]) - presses([Key::PageUp, Key::OpenBracket]);
    if cameras != 0 {
        state.step_camera(cameras);
    }
    let stops = presses([Key::Plus, Key::Equals]) - presses([Key::Minus, Key::Minus]);
    state.display.stops += 0.5 * stops as f32;
    for (key, what) in [Key::Num1, Key::Num2, Key::Num3, Key::Num4, Key::Num5].into_iter().zip(What::ALL) {
        if pressed(key) {
            state.display.what = what;
        }
    }
    fly(state, ui);
}

/// Flight, as long as its keys are down.
fn fly(state: &mut UiState, ui: &egui::Ui) {
    let ways = [
        (Key::W, DVec3::Z),
        (Key::S, DVec3::NEG_Z),
        (Key::D, DVec3::X),
        (Key::A, DVec3::NEG_X),
        (Key::E, DVec3::NEG_Y),
        (Key::Q, DVec3::Y),
    ];
    let (down, free) = ui.input(|i| {
        let down = ways.iter().filter(|(key, _)| i.key_down(*key)).map(|(_, way)| *way).collect::<Vec<_>>();
        (down, i.modifiers.is_none() || i.modifiers.shift_only())
    });
    state.shortcut &= !down.is_empty();
    let direction: DVec3 = if state.shortcut || !free { DVec3::ZERO } else { down.into_iter().sum() };
    if direction != DVec3::ZERO {
        let seconds = ui.input(|i| i.stable_dt.min(LONGEST));
        state.navigator.fly(direction, f64::from(seconds));
        ui.ctx().request_repaint();
    }
}
