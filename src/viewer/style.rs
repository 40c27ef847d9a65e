//! The window's style: dark and quiet, so that the picture stands out.

use egui::{Color32, CornerRadius, Margin, RichText, Stroke, Visuals};

/// The panel's ground.
pub const GROUND: Color32 = Color32::from_rgb(24, 26, 29);
/// Highlights: the current camera, curves.
pub const ACCENT: Color32 = Color32::from_rgb(122, 174, 255);
/// Errors.
pub const ALARM: Color32 = Color32::from_rgb(240, 120, 105);
/// Secondary text.
pub const FAINT: Color32 = Color32::from_rgb(142, 148, 156);

/// Sets the style of the whole window.
pub fn set(context: &egui::Context) {
    context.set_theme(egui::Theme::Dark);
    let mut visuals = Visuals::dark();
    visuals.panel_fill = GROUND;
    visuals.window_fill = GROUND;
    visuals.window_stroke = Stroke::new(1.0, Color32::from_gray(58));
    visuals.extreme_bg_color = Color32::from_rgb(15, 16, 18);
    visuals.selection.bg_fill = Color32::from_rgb(44, 84, 138);
    visuals.hyperlink_color = ACCENT;
    for widget in [&mut visuals.widgets.inactive, &mut visuals.widgets.hovered, &mut visuals.widgets.active] {
        widget.corner_radius = CornerRadius::same(4);
    }
    visuals.widgets.noninteractive.bg_stroke = Stroke::new(1.0, Color32::from_gray(44));
    visuals.widgets.noninteractive.fg_stroke.color = Color32::from_gray(190);
    context.set_visuals_of(egui::Theme::Dark, visuals);
    context.all_styles_mut(|style| {
        style.spacing.item_spacing = egui::vec2(8.0, 6.0);
        style.spacing.window_margin = Margin::same(14);
        style.spacing.slider_width = 84.0;
        style.interaction.selectable_labels = false;
    });
}

/// A heading, with the space before it.
pub fn heading(ui: &mut egui::Ui, text: &str) {
    ui.add_space(10.0);
    ui.label(RichText::new(text).strong());
    ui.add_space(1.0);
}

/// A number as people read it: 1 234 567.
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let parts: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|part| std::str::from_utf8(part).ok()).collect();
    parts.join("\u{2009}")
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(1_234_567).replace('\u{2009}', " "), "1 234 567");
        assert_eq!(grouped(100_000).replace('\u{2009}', " "), "100 000");
    }
}
