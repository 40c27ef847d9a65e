//! The crop box: drawn over the picture, dragged there, and its part of the panel.

use super::crop::{CropBox, Face};
use super::crop_model::{Crop, CropAction, Held};
use super::frusta::{NEAR, Sight};
use super::style::{FAINT, grouped, heading};
use super::ui_state::{Command, UiState};
use egui::{Color32, CursorIcon, DragValue, PointerButton, Pos2, Rect, RichText, Stroke};
use glam::DVec2;

/// Distance in points within which a handle is caught, and its radius.
const CATCH: f64 = 11.0;
const RADIUS: f32 = 6.5;
/// Colors of the three axes.
const AXES: [Color32; 3] =
    [Color32::from_rgb(235, 96, 84), Color32::from_rgb(120, 200, 90), Color32::from_rgb(92, 150, 250)];
/// Range of the fields, in radii of the scene.
const FARTHEST: f64 = 1e5;

/// Turns the box on, or off again.
pub fn toggle(state: &mut UiState) {
    let splats = state.scene.as_ref().is_some_and(|scene| scene.splats.is_some());
    match &state.crop {
        Some(_) => act(state, CropAction::End),
        None if splats => act(state, CropAction::Begin),
        None => {}
    }
}

/// Writes the remaining splats, if there is a box.
pub fn save(state: &mut UiState) {
    if state.crop.is_some() {
        act(state, CropAction::Save);
    }
}

fn act(state: &mut UiState, action: CropAction) {
    state.commands.push(Command::Crop(action));
}

/// Lays the part of the panel out.
pub fn show(state: &mut UiState, ui: &mut egui::Ui) {
    let Some(scene) = state.scene.as_ref().filter(|scene| scene.splats.is_some()) else { return };
    let frame = scene.frame;
    heading(ui, "Crop");
    let mut on = state.crop.is_some();
    let mut reset = false;
    ui.horizontal(|ui| {
        if ui.checkbox(&mut on, "Box").on_hover_text("Drag the handles to move its faces (B)").changed() {
            toggle(state);
        }
        let button = egui::Button::new("Reset").small();
        reset = ui
            .add_enabled(state.crop.is_some(), button)
            .on_hover_text("Restore the initial box and show all splats")
            .clicked();
    });
    let Some(crop) = &mut state.crop else { return };
    let mut apply = fields(crop, frame.unit, ui);
    let (inside, all) = (grouped(crop.inside), grouped(crop.whole().len()));
    ui.label(RichText::new(format!("{inside} of {all} splats inside")).color(FAINT));
    apply |= ui.checkbox(&mut crop.outside, "Keep what is outside").changed();
    let hover = "Save the remaining splats to a new PLY file next to this one (Ctrl + S)";
    let written = ui.button("Save").on_hover_text(hover).clicked();
    if reset {
        act(state, CropAction::Reset);
    } else if apply {
        act(state, CropAction::Apply);
    }
    if written {
        save(state);
    }
}

/// The six coordinates; returns whether a change of one was committed.
fn fields(crop: &mut Crop, unit: f64, ui: &mut egui::Ui) -> bool {
    let radius = crop.bounds.radius * unit;
    let mut done = false;
    egui::Grid::new("crop").num_columns(3).show(ui, |ui| {
        for (axis, name) in ["X", "Y", "Z"].into_iter().enumerate() {
            ui.label(RichText::new(name).color(AXES[axis]));
            let ends = [crop.shape.low[axis], crop.shape.high[axis]];
            let around = [ends[0] - FARTHEST * radius, ends[1] + FARTHEST * radius];
            for high in [false, true] {
                let mut value = ends[usize::from(high)];
                let range = if high { ends[0]..=around[1] } else { around[0]..=ends[1] };
                let field = DragValue::new(&mut value).speed(0.005 * radius).range(range).update_while_editing(false);
                let field = ui.add(field);
                if field.changed() && value.is_finite() {
                    crop.shape = crop.shape.with_value(Face { axis, high }, value, 0.0);
                }
                // While a field is dragged, the box alone follows.
                done |= field.drag_stopped() || (field.changed() && !field.dragged());
            }
            ui.end_row();
        }
    });
    done
}

/// Handles drags of the box's handles. Returns whether the pointer holds one, so that the picture ignores the drag.
pub fn pointer(state: &mut UiState, ui: &egui::Ui, response: &egui::Response) -> bool {
    let (Some(camera), Some(scene)) = (state.camera(), &state.scene) else { return false };
    let (frame, area, pixels) = (scene.frame, response.rect, f64::from(ui.ctx().pixels_per_point()));
    let Some(crop) = &mut state.crop else { return false };
    let near = NEAR * crop.bounds.radius;
    let pixel = |place: Pos2| {
        let share = (place - area.min) / area.size();
        DVec2::new(f64::from(share.x) * f64::from(camera.width), f64::from(share.y) * f64::from(camera.height))
    };
    let shape = crop.shape.entering(&frame);
    let hit = |place: Pos2| shape.hit(&camera, near, pixel(place), CATCH * pixels);
    if response.drag_started_by(PointerButton::Primary) && ui.input(|i| i.modifiers.is_none()) {
        // A drag begins once the pointer has moved some distance.
        let from = ui.input(|i| i.pointer.press_origin());
        let held = |from: Pos2| Some(Held { face: hit(from)?, start: shape, from: pixel(from) });
        crop.held = from.and_then(held);
    }
    let Some(held) = crop.held else {
        crop.hot = response.hover_pos().and_then(hit);
        if crop.hot.is_some() {
            ui.ctx().set_cursor_icon(CursorIcon::Grab);
        }
        return false;
    };
    if let Some(to) = response.interact_pointer_pos() {
        let moved = held.start.dragged(held.face, &camera, near, pixel(to) - held.from, crop.least());
        // The other faces' numbers stay as they were entered.
        crop.shape = crop.shape.with_value(held.face, moved.leaving(&frame).value(held.face), 0.0);
    }
    crop.hot = Some(held.face);
    ui.ctx().set_cursor_icon(CursorIcon::Grabbing);
    if !response.dragged() {
        crop.held = None;
        act(state, CropAction::Apply);
    }
    true
}

/// Draws the box over the picture in `area`.
pub fn draw(state: &UiState, ui: &egui::Ui, area: Rect) {
    let (Some(crop), Some(scene), Some(camera)) = (&state.crop, &state.scene, state.camera()) else { return };
    let shape = crop.shape.entering(&scene.frame);
    let sight = Sight::new(camera.clone(), area, crop.bounds.radius);
    let painter = ui.painter_at(area);
    let of_face = |shape: &CropBox, face: Face, [a, b]: &[glam::DVec3; 2]| {
        a[face.axis] == shape.value(face) && b[face.axis] == shape.value(face)
    };
    for edge in shape.edges() {
        let Some(ends) = sight.line(edge) else { continue };
        // Seen over bright and dark.
        painter.line_segment(ends, Stroke::new(3.0, Color32::from_black_alpha(110)));
        let hot = crop.hot.filter(|face| of_face(&shape, *face, &edge));
        let stroke =
            hot.map_or(Stroke::new(1.2, Color32::from_white_alpha(190)), |face| Stroke::new(2.0, AXES[face.axis]));
        painter.line_segment(ends, stroke);
    }
    let near = NEAR * crop.bounds.radius;
    for face in Face::ALL {
        let Some(place) = sight.point(shape.handle(face)) else { continue };
        let color = AXES[face.axis];
        if shape.is_movable(face, &camera, near) {
            let stroke = if crop.hot == Some(face) { Color32::WHITE } else { Color32::from_black_alpha(190) };
            painter.circle(place, RADIUS, color, Stroke::new(1.5, stroke));
        } else {
            painter.circle(
                place,
                0.5 * RADIUS,
                color.gamma_multiply(0.5),
                Stroke::new(1.0, Color32::from_black_alpha(120)),
            );
        }
    }
}
