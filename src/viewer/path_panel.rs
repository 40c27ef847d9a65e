//! The panel's part about camera paths: keyframes, playing, files, films.

use super::filming::{self, Camera, Filming};
use super::frusta::Sight;
use super::navigate::Pose;
use super::recorder::{Recorder, STEP};
use super::style::{ACCENT, FAINT, heading};
use super::ui_state::{Command, UiState};
use crate::error::{Error, Result};
use crate::paths::{self, CameraPath};
use egui::{Color32, DragValue, ProgressBar, Rect, RichText, Stroke};
use std::path::{Path, PathBuf};

/// Adds a keyframe at the current pose, with the field of view of the largest picture of the path's shape that fits the window,
/// as shown during playback.
pub fn add(state: &mut UiState) {
    if let Some(camera) = state.camera() {
        let [width, height] = [state.recorder.path.width, state.recorder.path.height].map(f64::from);
        let side = f64::from(camera.height).min(f64::from(camera.width) * height / width);
        let fov = 2.0 * (0.5 * side / camera.fy).atan().to_degrees();
        state.recorder.add(paths::Pose { fov, ..paths::Pose::of(&camera) });
    }
}

/// Starts or ends playing.
pub fn play(state: &mut UiState) {
    let playing = &mut state.recorder.playing;
    *playing = if playing.is_none() && state.recorder.path.keyframes.len() > 1 { Some(0.0) } else { None };
}

/// `seconds` later, if the path is played: moves along it.
pub fn advance(state: &mut UiState, seconds: f64) -> bool {
    let Some(now) = state.recorder.playing else { return false };
    let path = &state.recorder.path;
    let Some(pose) = path.at(now) else { return false };
    let over = now >= path.seconds() && path.closing.is_none();
    let camera = pose.camera(path.width, path.height);
    state.recorder.playing = (!over).then_some(now + seconds);
    let distance = state.navigator.pose().distance;
    state.navigator.place(Pose::of(&camera, distance));
    true
}

/// Lays the part out.
pub fn show(state: &mut UiState, filming: Option<&Camera<'_>>, ui: &mut egui::Ui) {
    heading(ui, "Camera path");
    ui.horizontal(|ui| {
        if ui.button("Add keyframe").on_hover_text("From the current view (K)").clicked() {
            add(state);
        }
        let playing = state.recorder.playing.is_some();
        let several = state.recorder.path.keyframes.len() > 1;
        if ui.add_enabled(several, egui::Button::new(if playing { "Stop" } else { "Play" })).clicked() {
            play(state);
        }
        if ui.add_enabled(!state.recorder.path.keyframes.is_empty(), egui::Button::new("Clear")).clicked() {
            state.recorder = Recorder::new();
        }
    });
    keyframes(state, ui);
    let path = &mut state.recorder.path;
    if path.keyframes.len() > 1 {
        ui.horizontal(|ui| {
            let mut closed = path.closing.is_some();
            if ui.checkbox(&mut closed, "Loop").changed() {
                path.closing = closed.then_some(STEP);
                path.frames.clear();
            }
            if ui.checkbox(&mut path.constant_speed, "Constant speed").changed() {
                path.frames.clear();
            }
            ui.label(RichText::new(format!("{:.1} s", path.seconds())).color(FAINT));
        });
        ui.horizontal(|ui| pictures(path, ui));
    }
    files(state, ui);
    film(state, filming, ui);
}

/// Size and rate of the pictures. Those of a file stay unchanged until they are edited.
fn pictures(path: &mut CameraPath, ui: &mut egui::Ui) {
    let side = |value| DragValue::new(value).range(1..=paths::MAX_SIDE).clamp_existing_to_range(false);
    ui.add(side(&mut path.width));
    ui.label("×");
    ui.add(side(&mut path.height));
    let fps = DragValue::new(&mut path.fps).range(0.001..=paths::MAX_FPS).clamp_existing_to_range(false);
    ui.add(fps.max_decimals(3).suffix(" fps"));
}

fn keyframes(state: &mut UiState, ui: &mut egui::Ui) {
    let (mut gone, mut there) = (None, None);
    for index in 0..state.recorder.path.keyframes.len() {
        ui.horizontal(|ui| {
            let mut seconds = state.recorder.path.keyframes[index].seconds;
            if ui.small_button(format!("{}", index + 1)).on_hover_text("Go there").clicked() {
                there = Some(index);
            }
            let field = DragValue::new(&mut seconds).speed(0.05).fixed_decimals(2).suffix(" s");
            if ui.add_enabled(index > 0, field).changed() {
                state.recorder.set_time(index, seconds);
            }
            if ui.small_button("×").on_hover_text("Remove").clicked() {
                gone = Some(index);
            }
        });
    }
    if let Some(index) = there {
        let CameraPath { width, height, keyframes, .. } = &state.recorder.path;
        let pose = Pose::of(&keyframes[index].pose.camera(*width, *height), state.navigator.pose().distance);
        state.navigator.go(pose, None);
    }
    if let Some(index) = gone {
        state.recorder.remove(index);
    }
}

fn files(state: &mut UiState, ui: &mut egui::Ui) {
    let beside = state.scene.as_ref().map(filming::target);
    // Files are in the capture's own frame.
    let frame = state.scene.as_ref().map(|scene| scene.frame).unwrap_or_default();
    let Recorder { path, file, film, own, .. } = &mut state.recorder;
    if let Some(beside) = beside.filter(|_| file.is_empty() && film.is_empty()) {
        *film = beside.display().to_string();
        *file = beside.with_file_name("camera_path.json").display().to_string();
    }
    ui.horizontal(|ui| {
        ui.add(egui::TextEdit::singleline(file).hint_text("camera_path.json").desired_width(146.0));
        let place = PathBuf::from(file.trim());
        if ui.button("Load").on_hover_text("A camera path of nerfstudio or of this program").clicked() {
            match CameraPath::read(&place) {
                Ok(read) => (*path, *own) = (read.moved(|place| frame.enter(place)), Some(place.clone())),
                Err(error) => state.messages.error(&error),
            }
        }
        let some = !path.keyframes.is_empty();
        if ui.add_enabled(some, egui::Button::new("Save")).clicked() {
            match save(&path.moved(|place| frame.leave(place)), &place, own.as_ref()) {
                Ok(()) => {
                    state.messages.note(format!("Saved {}", place.display()));
                    *own = Some(place);
                }
                Err(error) => state.messages.error(&error),
            }
        }
    });
}

/// Writes the path; a file that is not this path's `own` is not replaced.
fn save(path: &CameraPath, place: &Path, own: Option<&PathBuf>) -> Result<()> {
    if place.exists() && own.is_none_or(|own| own != place) {
        let found = "exists, and is not the path that was loaded";
        return Err(Error::input(place, found, "choose another name, or load it first"));
    }
    path.write(place)
}

fn film(state: &mut UiState, filming: Option<&Camera<'_>>, ui: &mut egui::Ui) {
    if let Some(camera) = filming {
        let standing = camera.board.standing();
        let share = standing.as_ref().map_or(0.0, |s| s.done as f32 / s.total.max(1) as f32);
        ui.add(ProgressBar::new(share).desired_height(8.0));
        ui.horizontal(|ui| {
            let words = standing.map_or("beginning".into(), |s| format!("{} of {} {}", s.done, s.total, s.unit));
            ui.label(RichText::new(words).color(FAINT));
            if ui.button("Stop").clicked() {
                camera.stop();
            }
        });
        return;
    }
    let can = state.scene.as_ref().is_some_and(|scene| scene.splats.is_some());
    let moves = !state.recorder.path.keyframes.is_empty() || !state.recorder.path.frames.is_empty();
    ui.horizontal(|ui| {
        let field = egui::TextEdit::singleline(&mut state.recorder.film).hint_text("path.mp4").desired_width(146.0);
        ui.add(field)
            .on_hover_text("FILE.mp4 for a film (by ffmpeg; also .mov, .mkv, .webm), or a folder for PNG files");
        let to = PathBuf::from(state.recorder.film.trim());
        let button = ui.add_enabled(can && moves && !to.as_os_str().is_empty(), egui::Button::new("Film"));
        if button.clicked() {
            let filming = Filming { path: state.recorder.path.clone(), to, antialiased: state.display.antialiased };
            state.commands.push(Command::Film(Box::new(filming)));
        }
    });
}

/// Draws the way and its keyframes over the picture.
pub fn draw(state: &mut UiState, ui: &egui::Ui, area: Rect) {
    if state.recorder.path.keyframes.is_empty() || state.recorder.playing.is_some() {
        return;
    }
    let (Some(scene), Some(camera)) = (&state.scene, state.camera()) else { return };
    let sight = Sight::new(camera, area, scene.bounds().radius);
    let painter = ui.painter_at(area);
    for ends in state.recorder.line().windows(2).filter_map(|part| sight.line([part[0], part[1]])) {
        painter.line_segment(ends, Stroke::new(1.5, Color32::from_rgb(235, 190, 110)));
    }
    for place in state.recorder.path.keyframes.iter().filter_map(|key| sight.point(key.pose.position)) {
        painter.circle(place, 4.0, Color32::from_black_alpha(160), Stroke::new(1.5, ACCENT));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_not_changed_by_being_shown() {
        for (size, fps, words) in [([10_000, 8], 240.0, "240"), ([1280, 720], 23.976, "23.976")] {
            let mut path = CameraPath { fps, ..CameraPath::new(size[0], size[1]) };
            let as_read = path.clone();
            let mut shown = egui::Context::default().run_ui(egui::RawInput::default(), |ui| pictures(&mut path, ui));
            shown.textures_delta.clear();
            assert_eq!(path, as_read);
            let says =
                |shape: &egui::Shape| matches!(shape, egui::Shape::Text(text) if text.galley.text().starts_with(words));
            assert!(shown.shapes.iter().any(|clipped| says(&clipped.shape)), "{words}");
        }
    }

    #[test]
    fn a_keyframe_where_the_path_is_played_is_as_wide_as_the_path() {
        for size in [[1280, 720], [1024, 724], [1800, 700], [300, 900]] {
            let mut state = UiState::new();
            state.size = size;
            add(&mut state);
            let first = state.recorder.path.keyframes[0].pose.fov;
            for _ in 0..3 {
                add(&mut state);
                state.recorder.playing = Some(0.0);
                assert!(advance(&mut state, 0.1));
            }
            let last = state.recorder.path.keyframes.last().unwrap().pose.fov;
            assert!((last - first).abs() < 1e-9, "{size:?}: {first} became {last}");
            // The film's picture is the middle of the window's.
            let (seen, CameraPath { width, height, .. }) = (state.camera().unwrap(), &state.recorder.path);
            let film = state.recorder.path.keyframes[0].pose.camera(*width, *height);
            let corner = seen.project(film.unproject(0.0, 0.0, 2.0));
            let fits = corner.x > -1e-6 && corner.y > -1e-6 && corner.x.min(corner.y) < 1e-6;
            assert!(fits, "{size:?}: {corner}");
        }
    }
}
