//! The solids: where a ray meets them, and the charts that unroll their surfaces.
//!
//! A chart maps a part of a surface (a box's side, a cylinder's coat) to the unit square, `s` to the right and `t`
//! down, so that light can be stored on it; times the chart's size in meters it is the texture's coordinate.

use glam::{Mat3, Vec2, Vec3};
use std::f32::consts::{PI, TAU};

/// A ray; `direction` has unit length.
#[derive(Clone, Copy, Debug)]
pub struct Ray {
    pub origin: Vec3,
    pub direction: Vec3,
}

/// Where a ray meets a shape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hit {
    pub distance: f32,
    pub chart: usize,
    /// Place on the chart, 0–1.
    pub st: Vec2,
    pub normal: Vec3,
}

/// A solid, or a one-sided rectangle.
#[derive(Clone, Debug)]
pub enum Shape {
    /// `frame`: unit vectors right, up, out.
    Panel {
        center: Vec3,
        frame: Mat3,
        half: Vec2,
    },
    /// `turn` takes the box's axes to the world's.
    Box {
        center: Vec3,
        turn: Mat3,
        half: Vec3,
    },
    Sphere {
        center: Vec3,
        radius: f32,
    },
    /// Upright; chart 0 is the coat, chart 1 the lid.
    Cylinder {
        center: Vec3,
        radius: f32,
        half: f32,
    },
}

/// Unit vectors right, up, out of a surface that faces `normal`, as seen by an upright viewer.
pub fn upright(normal: Vec3) -> Mat3 {
    let right = if normal.z.abs() > 0.99 { Vec3::X } else { Vec3::Z.cross(normal).normalize() };
    Mat3::from_cols(right, normal.cross(right), normal)
}

/// The outward normals of a box's sides, in the order of its charts.
const SIDES: [Vec3; 6] = [Vec3::X, Vec3::NEG_X, Vec3::Y, Vec3::NEG_Y, Vec3::Z, Vec3::NEG_Z];

impl Shape {
    /// The first point of the ray's open interval (0, `limit`) on the outside of the shape.
    pub fn intersect(&self, ray: &Ray, limit: f32) -> Option<Hit> {
        let hit = match self {
            Self::Panel { center, frame, half } => panel_hit(ray, *center, frame, *half)?,
            Self::Box { center, turn, half } => box_hit(ray, *center, turn, *half)?,
            Self::Sphere { center, radius } => sphere_hit(ray, *center, *radius)?,
            Self::Cylinder { center, radius, half } => cylinder_hit(ray, *center, *radius, *half)?,
        };
        (hit.distance > 0.0 && hit.distance < limit).then_some(hit)
    }

    /// Center and radius of a sphere around the shape.
    pub fn bound(&self) -> (Vec3, f32) {
        match self {
            Self::Panel { center, half, .. } => (*center, half.length()),
            Self::Box { center, half, .. } => (*center, half.length()),
            Self::Sphere { center, radius } => (*center, *radius),
            Self::Cylinder { center, radius, half } => (*center, radius.hypot(*half)),
        }
    }

    /// Number of charts.
    pub fn charts(&self) -> usize {
        match self {
            Self::Panel { .. } | Self::Sphere { .. } => 1,
            Self::Box { .. } => 6,
            Self::Cylinder { .. } => 2,
        }
    }

    /// A chart's width and height in meters.
    pub fn chart_size(&self, chart: usize) -> Vec2 {
        match self {
            Self::Panel { half, .. } => 2.0 * *half,
            Self::Box { half, .. } => {
                let frame = upright(SIDES[chart]);
                2.0 * Vec2::new(half.dot(frame.x_axis.abs()), half.dot(frame.y_axis.abs()))
            }
            Self::Sphere { radius, .. } => Vec2::new(TAU * radius, PI * radius),
            Self::Cylinder { radius, half, .. } if chart == 0 => Vec2::new(TAU * radius, 2.0 * half),
            Self::Cylinder { radius, .. } => Vec2::splat(2.0 * radius),
        }
    }

    /// Whether the chart's left and right edge are the same line.
    pub fn chart_wraps(&self, chart: usize) -> bool {
        match self {
            Self::Sphere { .. } => true,
            Self::Cylinder { .. } => chart == 0,
            _ => false,
        }
    }

    /// Point and outward normal at a place of a chart: the inverse of [`Shape::intersect`].
    pub fn at(&self, chart: usize, st: Vec2) -> (Vec3, Vec3) {
        let across = Vec2::new(st.x - 0.5, 0.5 - st.y);
        match self {
            Self::Panel { center, frame, half } => {
                let p = across * 2.0 * *half;
                (*center + frame.x_axis * p.x + frame.y_axis * p.y, frame.z_axis)
            }
            Self::Box { center, turn, half } => {
                let frame = upright(SIDES[chart]);
                let p = across * self.chart_size(chart);
                let local = frame.x_axis * p.x + frame.y_axis * p.y + frame.z_axis * half.dot(frame.z_axis.abs());
                (*center + *turn * local, *turn * frame.z_axis)
            }
            Self::Sphere { center, radius } => {
                let (azimuth, polar) = (st.x * TAU - PI, st.y * PI);
                let normal = Vec3::new(polar.sin() * azimuth.cos(), polar.sin() * azimuth.sin(), polar.cos());
                (*center + *radius * normal, normal)
            }
            Self::Cylinder { center, radius, half } if chart == 0 => {
                let azimuth = st.x * TAU - PI;
                let normal = Vec3::new(azimuth.cos(), azimuth.sin(), 0.0);
                (*center + *radius * normal + Vec3::Z * across.y * 2.0 * *half, normal)
            }
            Self::Cylinder { center, radius, half } => {
                (*center + Vec3::new(across.x, across.y, 0.0) * 2.0 * *radius + Vec3::Z * *half, Vec3::Z)
            }
        }
    }
}

/// Chart coordinates of an offset (right, up) from a rectangle's center.
fn chart_place(offset: Vec2, half: Vec2) -> Vec2 {
    Vec2::new(0.5 + 0.5 * offset.x / half.x, 0.5 - 0.5 * offset.y / half.y)
}

fn azimuth_place(p: Vec3) -> f32 {
    (p.y.atan2(p.x) + PI) / TAU
}

fn panel_hit(ray: &Ray, center: Vec3, frame: &Mat3, half: Vec2) -> Option<Hit> {
    let facing = ray.direction.dot(frame.z_axis);
    if facing >= 0.0 {
        return None;
    }
    let distance = (center - ray.origin).dot(frame.z_axis) / facing;
    let offset = ray.origin + ray.direction * distance - center;
    let offset = Vec2::new(offset.dot(frame.x_axis), offset.dot(frame.y_axis));
    let inside = offset.x.abs() <= half.x && offset.y.abs() <= half.y;
    inside.then(|| Hit { distance, chart: 0, st: chart_place(offset, half), normal: frame.z_axis })
}

fn box_hit(ray: &Ray, center: Vec3, turn: &Mat3, half: Vec3) -> Option<Hit> {
    let back = turn.transpose();
    let (origin, direction) = (back * (ray.origin - center), back * ray.direction);
    let inverse = direction.recip();
    let (a, b) = ((-half - origin) * inverse, (half - origin) * inverse);
    let near = a.min(b);
    let (enter, leave) = (near.max_element(), a.max(b).min_element());
    if enter > leave || enter.is_nan() {
        return None;
    }
    let axis = (0..3).find(|&i| near[i] == enter)?;
    let chart = 2 * axis + usize::from(direction[axis] > 0.0);
    let frame = upright(SIDES[chart]);
    let point = origin + direction * enter;
    let offset = Vec2::new(point.dot(frame.x_axis), point.dot(frame.y_axis));
    let half = Vec2::new(half.dot(frame.x_axis.abs()), half.dot(frame.y_axis.abs()));
    Some(Hit { distance: enter, chart, st: chart_place(offset, half), normal: *turn * SIDES[chart] })
}

fn sphere_hit(ray: &Ray, center: Vec3, radius: f32) -> Option<Hit> {
    let to_center = center - ray.origin;
    let along = to_center.dot(ray.direction);
    let off_axis = (to_center - ray.direction * along).length_squared();
    let half_chord = radius * radius - off_axis;
    if half_chord < 0.0 {
        return None;
    }
    let distance = along - half_chord.sqrt();
    let normal = (ray.origin + ray.direction * distance - center) / radius;
    let st = Vec2::new(azimuth_place(normal), normal.z.clamp(-1.0, 1.0).acos() / PI);
    Some(Hit { distance, chart: 0, st, normal })
}

fn cylinder_hit(ray: &Ray, center: Vec3, radius: f32, half: f32) -> Option<Hit> {
    let origin = ray.origin - center;
    let lid_distance = (half - origin.z) / ray.direction.z;
    let on_lid = (origin + ray.direction * lid_distance).truncate();
    if ray.direction.z < 0.0 && lid_distance > 0.0 && on_lid.length_squared() <= radius * radius {
        let st = chart_place(on_lid, Vec2::splat(radius));
        return Some(Hit { distance: lid_distance, chart: 1, st, normal: Vec3::Z });
    }
    let (o, d) = (origin.truncate(), ray.direction.truncate());
    let a = d.length_squared();
    let b = o.dot(d);
    let discriminant = b * b - a * (o.length_squared() - radius * radius);
    if discriminant < 0.0 || a == 0.0 {
        return None;
    }
    let distance = (-b - discriminant.sqrt()) / a;
    let point = origin + ray.direction * distance;
    let normal = Vec3::new(point.x, point.y, 0.0) / radius;
    let st = Vec2::new(azimuth_place(point), 0.5 - 0.5 * point.z / half);
    (point.z.abs() <= half).then_some(Hit { distance, chart: 0, st, normal })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenes::random::Random;

    fn shapes() -> Vec<Shape> {
        let center = Vec3::new(0.3, -0.2, 0.5);
        vec![
            Shape::Panel { center, frame: upright(Vec3::new(0.6, -0.8, 0.0)), half: Vec2::new(0.8, 0.5) },
            Shape::Panel { center, frame: upright(Vec3::Z), half: Vec2::new(0.8, 0.5) },
            Shape::Box { center, turn: Mat3::from_rotation_z(0.5), half: Vec3::new(0.4, 0.6, 0.3) },
            Shape::Sphere { center, radius: 0.7 },
            Shape::Cylinder { center, radius: 0.4, half: 0.6 },
        ]
    }

    /// A ray toward any point of a chart, from outside and above its surface, hits just that point.
    #[test]
    fn charts_and_intersections_are_inverse() {
        let mut random = Random::new(&[3]);
        for shape in shapes() {
            for chart in (0..shape.charts()).cycle().take(60) {
                let st = Vec2::new(0.02 + 0.96 * random.unit(), 0.02 + 0.96 * random.unit());
                if matches!(shape, Shape::Cylinder { .. }) && chart == 1 && (st - 0.5).length() > 0.49 {
                    continue;
                }
                let (point, normal) = shape.at(chart, st);
                let tilt = Vec3::new(random.unit() - 0.5, random.unit() - 0.5, random.unit() - 0.5);
                let direction = (-normal + 0.5 * tilt).normalize();
                let hit = shape.intersect(&Ray { origin: point - 3.0 * direction, direction }, 10.0).unwrap();
                assert!((hit.distance - 3.0).abs() < 1e-4, "{shape:?} {chart} {st} {hit:?}");
                assert_eq!(hit.chart, chart, "{shape:?}");
                assert!((hit.st - st).length() < 1e-3 && (hit.normal - normal).length() < 1e-3, "{shape:?} {hit:?}");
                // The bound holds, and nothing is hit from behind, beyond the limit, or beside.
                let (center, radius) = shape.bound();
                assert!((point - center).length() <= radius * 1.0001);
                assert!(shape.intersect(&Ray { origin: point - 3.0 * direction, direction }, 2.9).is_none());
                assert!(shape.intersect(&Ray { origin: center + 9.0 * normal, direction: normal }, 99.0).is_none());
            }
        }
    }

    #[test]
    fn known_hits() {
        let ball = Shape::Sphere { center: Vec3::new(0.0, 0.0, 5.0), radius: 1.0 };
        let up = Ray { origin: Vec3::ZERO, direction: Vec3::Z };
        assert_eq!(ball.intersect(&up, 99.0).unwrap().distance, 4.0);
        let tube = Shape::Cylinder { center: Vec3::ZERO, radius: 1.0, half: 2.0 };
        let down = Ray { origin: Vec3::new(0.5, 0.0, 7.0), direction: Vec3::NEG_Z };
        let lid = tube.intersect(&down, 99.0).unwrap();
        assert_eq!((lid.distance, lid.chart), (5.0, 1));
        let over = Ray { origin: Vec3::new(-5.0, 0.0, 2.5), direction: Vec3::X };
        assert!(tube.intersect(&over, 99.0).is_none());
    }

    #[test]
    fn walls_are_upright() {
        // Seen from the south (a wall that faces -y), right is +x and up is +z.
        let frame = upright(Vec3::NEG_Y);
        assert_eq!((frame.x_axis, frame.y_axis), (Vec3::X, Vec3::Z));
    }
}
