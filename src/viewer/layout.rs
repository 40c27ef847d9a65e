//! The window's layout: the picture, the panel next to it, and the overlays.

use super::album::Album;
use super::ui_state::{Device, REST, UiState, Work};
use super::{compare_view, controls, crop_panel, frusta, help, panel, path_panel};
use egui::{Color32, Pos2, Rect, Sense};
use std::time::Duration;

/// Lays the window out. `texture` holds the picture.
pub fn show(
    state: &mut UiState,
    ui: &mut egui::Ui,
    texture: egui::TextureId,
    album: &mut Album,
    work: &mut Work<'_, '_>,
    device: &Device<'_>,
) {
    let finished = !panel::trains(work);
    controls::keys(state, ui, finished);
    album.update().iter().for_each(|error| state.messages.error(error));
    let mut area = ui.max_rect();
    if state.panel_open {
        panel::show(state, ui, work, device);
        area.max.x = (area.max.x - panel::WIDTH).max(area.min.x);
    }
    let response = ui.allocate_rect(area, Sense::click_and_drag());
    let pixels = ui.ctx().pixels_per_point();
    state.size = [area.width(), area.height()].map(|side| (side * pixels).round().max(0.0) as u32);
    if !(finished && crop_panel::pointer(state, ui, &response)) {
        controls::pointer(state, ui, &response);
    }
    let seconds = f64::from(ui.input(|i| i.stable_dt.min(0.1)));
    state.navigator.advance(seconds);
    let played = path_panel::advance(state, f64::from(ui.input(|i| i.unstable_dt.min(0.5))));
    if played || !state.navigator.still() {
        ui.ctx().request_repaint();
    }
    let painter = ui.painter_at(area);
    if state.scene.is_some() {
        let whole = Rect::from_min_max(Pos2::ZERO, Pos2::new(1.0, 1.0));
        painter.image(texture, area, whole, Color32::WHITE);
    }
    if state.cameras {
        let clicked = response.interact_pointer_pos().filter(|_| response.clicked());
        if let Some(index) = frusta::show(state, album, ui, area, clicked) {
            state.go_to_camera(index);
        }
    }
    path_panel::draw(state, ui, area);
    if finished {
        crop_panel::draw(state, ui, area);
    }
    compare_view::show(state, album, ui, area);
    panel::over_the_picture(state, ui, area);
    state.messages.show(ui, area);
    help::show(ui, &mut state.help_open);
    panel::proposal(state, ui);
    if state.moving() {
        // Once it rests, it is drawn in full.
        ui.ctx().request_repaint_after(REST + Duration::from_millis(10));
    }
}
