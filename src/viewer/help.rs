//! The overlay that names the keys.

use super::style::FAINT;
use egui::{Align2, RichText};

/// What each input does.
const KEYS: [(&str, &str); 22] = [
    ("Left drag", "orbit"),
    ("Right drag, Shift + drag", "pan"),
    ("Middle drag, Ctrl + drag", "look around"),
    ("Wheel", "nearer, farther"),
    ("Double click", "orbit around this point"),
    ("W A S D, Q E", "fly; down, up"),
    ("Right button + wheel", "speed of flight"),
    ("Home", "back to the start"),
    ("Page Down, ]", "next camera"),
    ("Page Up, [", "previous camera"),
    ("1 … 5", "render, depth, opacity, ellipses, points"),
    ("C", "compare with the photograph"),
    ("F", "cameras on, off"),
    ("B", "a box that crops, on, off"),
    ("Ctrl + S", "save what the box leaves"),
    ("K, Space", "add a keyframe; play or stop the path"),
    ("+ −", "exposure"),
    ("P", "panel on, off"),
    ("F11", "full screen"),
    ("F12", "screenshot"),
    ("F1, ?", "this help"),
    ("Ctrl + Q", "quit"),
];

/// Points of the window's height that are not its list: its title, and room above and below.
const AROUND: f32 = 70.0;

/// Shows the overlay in the middle of the window while `open`.
pub fn show(ui: &egui::Ui, open: &mut bool) {
    let window = egui::Window::new("Keys and mouse")
        .open(open)
        .collapsible(false)
        .resizable(false)
        .vscroll(true)
        .max_height(ui.ctx().content_rect().height() - AROUND)
        .anchor(Align2::CENTER_CENTER, [0.0, 0.0]);
    window.show(ui.ctx(), |ui| {
        egui::Grid::new("keys").num_columns(2).spacing([26.0, 5.0]).show(ui, |ui| {
            for (keys, what) in KEYS {
                ui.label(RichText::new(keys).strong());
                ui.label(what);
                ui.end_row();
            }
        });
        ui.add_space(6.0);
        ui.label(
            RichText::new("Files of splats, output folders and scenes to train on can be dropped on the window.")
                .color(FAINT),
        );
    });
}
