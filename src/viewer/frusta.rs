//! The scene's cameras as frusta, drawn over the picture, with their photographs in them.

use super::album::{Album, Kind};
use super::style::ACCENT;
use super::ui_state::UiState;
use crate::capture::Camera;
use egui::{Color32, Mesh, Pos2, Rect, Shape, Stroke};
use glam::{DVec2, DVec3};

/// Depth of a frustum as a share of the scene's radius.
const LENGTH: f64 = 0.08;
/// The photograph is drawn in so many parts a side, for the perspective.
const PARTS: u32 = 6;
/// Near plane, as a part of the scene's radius.
pub const NEAR: f64 = 4e-3;
/// Largest distance of a click from a frustum, in points.
const CATCH: f32 = 18.0;

/// The picture's camera, and where the picture is in the window.
pub struct Sight {
    camera: Camera,
    area: Rect,
    near: f64,
}

impl Sight {
    /// The picture of `camera` in `area`; what is nearer than [`NEAR`] of the scene's `radius` is not seen.
    pub fn new(camera: Camera, area: Rect, radius: f64) -> Self {
        Self { camera, area, near: NEAR * radius }
    }

    fn place(&self, seen: DVec3) -> Pos2 {
        let share = DVec2::new(seen.x / f64::from(self.camera.width), seen.y / f64::from(self.camera.height));
        self.area.min + self.area.size() * egui::vec2(share.x as f32, share.y as f32)
    }

    /// Where a point is seen; `None` behind the camera.
    pub fn point(&self, point: DVec3) -> Option<Pos2> {
        let seen = self.camera.project(point);
        (seen.z > self.near).then(|| self.place(seen))
    }

    /// The part of a line in front of the camera.
    pub fn line(&self, ends: [DVec3; 2]) -> Option<[Pos2; 2]> {
        let depths = ends.map(|end| self.camera.project(end).z);
        let clipped = |i: usize| {
            let (here, there) = (depths[i], depths[1 - i]);
            // A little beyond the near plane, so that it is in front of it.
            let t = if here > self.near { 0.0 } else { (1.001 * self.near - here) / (there - here) };
            ends[i].lerp(ends[1 - i], t)
        };
        if depths.iter().all(|depth| *depth <= self.near) {
            return None;
        }
        Some([self.point(clipped(0))?, self.point(clipped(1))?])
    }
}

/// Draws them in `area`. Returns the number of the one that `clicked` hits.
pub fn show(state: &UiState, album: &mut Album, ui: &egui::Ui, area: Rect, clicked: Option<Pos2>) -> Option<usize> {
    let (scene, camera) = (state.scene.as_ref()?, state.camera()?);
    let radius = scene.bounds().radius;
    let length = LENGTH * radius;
    let sight = Sight::new(camera, area, radius);
    let painter = ui.painter_at(area);
    let mut hit: Option<(f32, usize)> = None;
    for (index, photo) in scene.photos.iter().enumerate() {
        // From inside, a frustum is the picture's frame.
        if state.navigator.at() == Some(index) {
            continue;
        }
        let Camera { width, height, .. } = photo.camera;
        let corner = |x: f64, y: f64| photo.camera.unproject(x * f64::from(width), y * f64::from(height), length);
        let corners = [corner(0.0, 0.0), corner(1.0, 0.0), corner(1.0, 1.0), corner(0.0, 1.0)];
        let eye = photo.camera.center();
        if state.photographs
            && let Some(id) = album.texture(ui.ctx(), index, photo, Kind::Small, state.display.gain())
            && let Some(mesh) = picture(&sight, id, corner)
        {
            painter.add(Shape::mesh(mesh));
        }
        let edges = (0..4).flat_map(|i| [[eye, corners[i]], [corners[i], corners[(i + 1) % 4]]]);
        for ends in edges.filter_map(|ends| sight.line(ends)) {
            painter.line_segment(ends, Stroke::new(1.0, ACCENT.gamma_multiply(0.8)));
        }
        let middle = sight.point(corner(0.5, 0.5));
        if let (Some(place), Some(middle)) = (clicked, middle) {
            let distance = place.distance(middle);
            if distance < CATCH && hit.is_none_or(|(nearest, _)| distance < nearest) {
                hit = Some((distance, index));
            }
        }
    }
    hit.map(|(_, index)| index)
}

/// The photograph in its frustum; `corner` leads from shares of its sides to the world.
fn picture(sight: &Sight, texture: egui::TextureId, corner: impl Fn(f64, f64) -> DVec3) -> Option<Mesh> {
    let mut mesh = Mesh::with_texture(texture);
    for row in 0..=PARTS {
        for column in 0..=PARTS {
            let [u, v] = [column, row].map(|i| f64::from(i) / f64::from(PARTS));
            let pos = sight.point(corner(u, v))?;
            let uv = Pos2::new(u as f32, v as f32);
            mesh.vertices.push(egui::epaint::Vertex { pos, uv, color: Color32::WHITE });
        }
    }
    let at = |row: u32, column: u32| row * (PARTS + 1) + column;
    for (row, column) in (0..PARTS).flat_map(|row| (0..PARTS).map(move |column| (row, column))) {
        mesh.add_triangle(at(row, column), at(row, column + 1), at(row + 1, column));
        mesh.add_triangle(at(row + 1, column), at(row, column + 1), at(row + 1, column + 1));
    }
    Some(mesh)
}

#[cfg(test)]
mod tests {
    use super::*;
    use glam::DMat4;

    fn sight() -> Sight {
        let camera = Camera {
            width: 200,
            height: 100,
            fx: 100.0,
            fy: 100.0,
            cx: 100.0,
            cy: 50.0,
            viewmat: DMat4::IDENTITY,
            reduction: 1.0,
        };
        Sight { camera, area: Rect::from_min_size(Pos2::new(10.0, 20.0), egui::vec2(100.0, 50.0)), near: 0.1 }
    }

    #[test]
    fn points_are_placed_in_the_area() {
        assert_eq!(sight().point(DVec3::Z), Some(Pos2::new(60.0, 45.0)));
        assert_eq!(sight().point(DVec3::new(1.0, 0.5, 1.0)), Some(Pos2::new(110.0, 70.0)));
        assert_eq!(sight().point(DVec3::new(0.0, 0.0, -1.0)), None);
    }

    #[test]
    fn lines_end_at_the_near_plane() {
        let [a, b] = sight().line([DVec3::new(0.0, 0.0, 2.0), DVec3::new(0.5, 0.0, -2.0)]).unwrap();
        assert_eq!(a, Pos2::new(60.0, 45.0));
        assert!(b.x > 60.0 && b.x.is_finite() && b.y == 45.0, "{b:?}");
        assert!(sight().line([DVec3::NEG_Z, DVec3::new(1.0, 0.0, -2.0)]).is_none());
    }

    #[test]
    fn a_photograph_lies_between_its_corners() {
        let corner = |u: f64, v: f64| DVec3::new(u - 0.5, v - 0.5, 1.0 + u);
        let mesh = picture(&sight(), egui::TextureId::default(), corner).unwrap();
        assert_eq!(mesh.vertices.len(), 49);
        assert_eq!(mesh.indices.len(), 6 * 36);
        assert_eq!(Some(mesh.vertices[48].pos), sight().point(corner(1.0, 1.0)));
        assert!(picture(&sight(), egui::TextureId::default(), |u, _| DVec3::new(0.0, 0.0, 0.5 - u)).is_none());
    }
}
