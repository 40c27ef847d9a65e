//! Compares photograph and render: at a camera, dividers that can be dragged split the picture.

use super::album::{Album, Kind};
use super::compare::Layer;
use super::ui_state::UiState;
use egui::{Align2, Color32, CursorIcon, FontId, Pos2, Rect, Sense, Stroke};

/// Draws the photographs over the picture in `area`, and takes the dividers' drags.
pub fn show(state: &mut UiState, album: &mut Album, ui: &egui::Ui, area: Rect) {
    let Some(index) = state.navigator.at().filter(|_| state.compare.on && state.navigator.still()) else { return };
    let Some(photo) = state.scene.as_ref().and_then(|scene| scene.photos.get(index)) else { return };
    let layers = state.compare.layers(photo.dark.is_some(), photo.lit.is_some());
    if layers.is_empty() || layers == [Layer::Render] {
        return;
    }
    album.keep_only(index);
    let [left, top, width, height] = state.navigator.pose().lens.frame(state.size[0], state.size[1]).map(|v| v as f32);
    let pixels = ui.ctx().pixels_per_point();
    let frame = Rect::from_min_size(area.min + egui::vec2(left, top) / pixels, egui::vec2(width, height) / pixels);
    let painter = ui.painter_at(area);
    let ends = state.compare.ends(layers.len());
    let x = |share: f32| frame.left() + share * frame.width();
    for (layer, end) in layers.iter().zip(ends.windows(2)) {
        let part = Rect::from_x_y_ranges(x(end[0])..=x(end[1]), frame.y_range());
        let uv = Rect::from_min_max(Pos2::new(end[0], 0.0), Pos2::new(end[1], 1.0));
        let (name, texture) = match layer {
            Layer::Render => ("render", None),
            Layer::Photo(kind) => {
                let gain = state.compare.gain(*kind, photo, state.display.gain());
                let texture = album.texture(ui.ctx(), index, photo, *kind, gain);
                (if *kind == Kind::Dark { "dark" } else { "enhanced" }, texture)
            }
        };
        if let Some(texture) = texture {
            painter.image(texture, part, uv, Color32::WHITE);
        }
        if part.width() > 40.0 {
            label(&painter, part, name);
        }
    }
    for divider in 0..layers.len() - 1 {
        let line = Rect::from_x_y_ranges(x(ends[divider + 1])..=x(ends[divider + 1]), frame.y_range());
        let response =
            ui.interact(line.expand2(egui::vec2(7.0, 0.0)), ui.scope_id().with(("divider", divider)), Sense::drag());
        let hot = response.hovered() || response.dragged();
        let color = if hot { Color32::WHITE } else { Color32::from_white_alpha(170) };
        painter.line_segment([line.center_top(), line.center_bottom()], Stroke::new(1.5, color));
        painter.circle(line.center(), 7.0, Color32::from_black_alpha(150), Stroke::new(1.5, color));
        if let Some(place) = response.interact_pointer_pos().filter(|_| response.dragged()) {
            state.compare.drag(divider, (place.x - frame.left()) / frame.width());
        }
        response.on_hover_and_drag_cursor(CursorIcon::ResizeHorizontal);
    }
}

fn label(painter: &egui::Painter, part: Rect, name: &str) {
    let place = part.left_bottom() + egui::vec2(10.0, -8.0);
    let text = painter.layout_no_wrap(name.into(), FontId::proportional(13.0), Color32::from_gray(235));
    let ground = Align2::LEFT_BOTTOM.anchor_size(place, text.size()).expand2(egui::vec2(5.0, 2.0));
    painter.rect_filled(ground, 3.0, Color32::from_black_alpha(140));
    painter.galley(ground.min + egui::vec2(5.0, 2.0), text, Color32::WHITE);
}
