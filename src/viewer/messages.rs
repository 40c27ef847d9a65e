//! Messages in the window: a list that the user dismisses.

use super::style::{ALARM, GROUND};
use egui::{Align2, Frame, Margin, RichText};

/// Most messages that are shown at one time; older ones go.
const MOST: usize = 6;

struct Message {
    text: String,
    alarm: bool,
}

/// The messages that are not dismissed, oldest first.
#[derive(Default)]
pub struct Messages {
    list: Vec<Message>,
}

impl Messages {
    /// Something went wrong.
    pub fn error(&mut self, error: &crate::Error) {
        tracing::error!("{error}");
        self.push(error.to_string(), true);
    }

    /// Something to know.
    pub fn note(&mut self, text: impl Into<String>) {
        let text = text.into();
        tracing::info!("{text}");
        self.push(text, false);
    }

    fn push(&mut self, text: String, alarm: bool) {
        self.list.retain(|message| message.text != text);
        self.list.push(Message { text, alarm });
        let surplus = self.list.len().saturating_sub(MOST);
        self.list.drain(..surplus);
    }

    /// Shows them over the top of `area`.
    pub fn show(&mut self, ui: &egui::Ui, area: egui::Rect) {
        if self.list.is_empty() {
            return;
        }
        let mut dismissed = None;
        let place = egui::Area::new(egui::Id::unique("messages"))
            .fixed_pos(area.left_top() + egui::vec2(10.0, 10.0))
            .pivot(Align2::LEFT_TOP)
            .constrain_to(area);
        place.show(ui.ctx(), |ui| {
            ui.set_max_width((area.width() - 20.0).clamp(60.0, 460.0));
            for (index, message) in self.list.iter().enumerate() {
                let frame =
                    Frame::new().fill(GROUND.gamma_multiply(0.94)).corner_radius(5).inner_margin(Margin::same(9));
                frame.show(ui, |ui| {
                    ui.horizontal_top(|ui| {
                        if ui.small_button("×").on_hover_text("Dismiss").clicked() {
                            dismissed = Some(index);
                        }
                        let text = RichText::new(&message.text);
                        let text = if message.alarm { text.color(ALARM) } else { text };
                        ui.add(egui::Label::new(text).wrap().selectable(true));
                    });
                });
            }
        });
        if let Some(index) = dismissed {
            self.list.remove(index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_do_not_repeat_and_do_not_pile_up() {
        let mut messages = Messages::default();
        (0..20).for_each(|i| messages.note(format!("{}", i % 10)));
        let texts: Vec<&str> = messages.list.iter().map(|m| m.text.as_str()).collect();
        assert_eq!(texts, ["4", "5", "6", "7", "8", "9"]);
    }
}
