//! Pictures of a point cloud: through two of the capture's cameras, and from above with the cameras in it.

use super::{Cell, Section, sheet};
use crate::capture::{Camera, Image, View, principal_axes, world_normalization};
use crate::color::{exposed, srgb_to_linear};
use crate::error::Result;
use crate::prior::PointCloud;
use glam::{DMat3, DMat4, DVec2, DVec3};

/// Pixels along the longer side of a picture.
const SIDE: u32 = 640;
const GROUND: [f32; 3] = [0.03, 0.03, 0.04];
const FRUSTUM: [f32; 3] = [1.0, 0.55, 0.1];
/// Depth to which a camera's frustum is drawn, in median camera distances.
const FRUSTUM_DEPTH: f64 = 0.15;
/// The part of the points, at either end of an axis, that may lie outside a picture.
const OUTSIDE: f64 = 0.01;
/// Points that are sampled to find the extent.
const SAMPLES: usize = 100_000;
/// Distance of the camera that sees the whole cloud, in extents: far enough for parallel rays.
const FAR: f64 = 1e4;

/// Clouds whose median color is below this gray level were never lit, and are brightened to another.
const DARK: f32 = 40.0;
const BRIGHT: f32 = 100.0;

/// A sheet of three pictures of `cloud`: as two of the `views` see it and from above, with a frustum a view; without
/// views along its three principal axes. Points cover one another by depth, and are drawn larger where there are few.
/// Those of dark photographs are shown as a longer exposure would have them.
pub fn cloud_sheet(cloud: &PointCloud, views: &[View]) -> Result<Image> {
    let gain = exposure(&cloud.colors);
    let pictures = match views {
        [] => along_axes(cloud, gain),
        views => through_views(cloud, views, gain),
    };
    let titles: Vec<&str> = pictures.iter().map(|(title, _)| title.as_str()).collect();
    let mut label = format!("{} points", cloud.len());
    if !views.is_empty() {
        label += &format!(", {} cameras", views.len());
    }
    if gain > 1.0 {
        label += &format!(", exposure × {gain:.0}");
    }
    let pictures: Vec<_> = pictures.iter().map(|(_, picture)| Some(picture)).collect();
    sheet(&[Section { titles, rows: vec![Cell::row(&label, &pictures)] }])
}

/// How many times longer an exposure shows `colors`.
fn exposure(colors: &[[u8; 3]]) -> f32 {
    let mut values: Vec<u8> = colors.iter().step_by(colors.len().div_ceil(SAMPLES).max(1)).flatten().copied().collect();
    if values.is_empty() {
        return 1.0;
    }
    let middle = values.len() / 2;
    let median = f32::from(*values.select_nth_unstable(middle).1).max(0.5);
    if median < DARK { srgb_to_linear(BRIGHT / 255.0) / srgb_to_linear(median / 255.0) } else { 1.0 }
}

fn through_views(cloud: &PointCloud, views: &[View], gain: f32) -> Vec<(String, Image)> {
    let [one, other] = [views.len() / 4, 3 * views.len() / 4].map(|i| &views[i]);
    let picture = |view: &View| {
        let camera = fitted(&view.camera);
        let mut canvas = Canvas::new(&camera);
        canvas.points(cloud, &camera, gain);
        (view.name.clone(), canvas.image)
    };
    let cameras: Vec<Camera> = views.iter().map(|view| view.camera.clone()).collect();
    let world = world_normalization(&cameras);
    let centers = cameras.iter().map(Camera::center).collect::<Vec<_>>();
    // From above: the up axis is −y.
    let above = overview(cloud, &centers, &world, [DVec3::X, DVec3::NEG_Z, DVec3::Y]);
    let mut canvas = Canvas::new(&above);
    canvas.points(cloud, &above, gain);
    // The similarity's scale takes a median camera distance to 1.
    let depth = FRUSTUM_DEPTH / world.x_axis.truncate().length();
    cameras.iter().for_each(|camera| canvas.frustum(camera, depth, &above));
    vec![picture(one), picture(other), ("from above".to_string(), canvas.image)]
}

fn along_axes(cloud: &PointCloud, gain: f32) -> Vec<(String, Image)> {
    let axes = principal_axes(&sample(cloud));
    let (x, y, z) = (DVec3::X, DVec3::Y, DVec3::Z);
    let pictures = [("along the shortest axis", [x, y, z]), ("along the middle axis", [x, -z, y])];
    let pictures = pictures.into_iter().chain([("along the longest axis", [y, z, x])]);
    let draw = |(title, axes_of_view): (&str, [DVec3; 3])| {
        let camera = overview(cloud, &[], &axes, axes_of_view);
        let mut canvas = Canvas::new(&camera);
        canvas.points(cloud, &camera, gain);
        (title.to_string(), canvas.image)
    };
    pictures.map(draw).collect()
}

/// Evenly spread finite points.
fn sample(cloud: &PointCloud) -> Vec<DVec3> {
    let points = cloud.positions.iter().step_by(cloud.len().div_ceil(SAMPLES).max(1));
    points.map(|p| DVec3::from(p.map(f64::from))).filter(|p| p.is_finite()).collect()
}

/// The camera at the size of a picture.
fn fitted(camera: &Camera) -> Camera {
    let scale = f64::from(SIDE) / f64::from(camera.width.max(camera.height).max(1));
    let side = |n: u32| ((f64::from(n) * scale).round() as u32).max(1);
    camera.resized(side(camera.width), side(camera.height))
}

/// A far camera that sees the bulk of the cloud and all of `more`. `axes` are the directions right, down and forwards
/// of the picture in the frame to which `world` takes.
fn overview(cloud: &PointCloud, more: &[DVec3], world: &DMat4, axes: [DVec3; 3]) -> Camera {
    let turn = DMat4::from_mat3(DMat3::from_cols(axes[0], axes[1], axes[2]).transpose()) * *world;
    let points: Vec<DVec3> = sample(cloud).into_iter().map(|p| turn.transform_point3(p)).collect();
    let ends = |pick: fn(DVec3) -> f64| {
        let mut values: Vec<f64> = points.iter().map(|&p| pick(p)).collect();
        values.sort_by(f64::total_cmp);
        let bulk = [OUTSIDE, 1.0 - OUTSIDE].map(|part| values.get((part * (values.len().max(1) - 1) as f64) as usize));
        let ends = more.iter().map(|&p| pick(turn.transform_point3(p))).chain(bulk.into_iter().flatten().copied());
        ends.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], v| [low.min(v), high.max(v)])
    };
    let (x, y, z) = (ends(|p| p.x), ends(|p| p.y), ends(|p| p.z));
    let extent = |[low, high]: [f64; 2]| if high > low { high - low } else { 1.0 };
    let middle = |[low, high]: [f64; 2]| if high >= low { 0.5 * (low + high) } else { 0.0 };
    let largest = extent(x).max(extent(y));
    let far = FAR * largest.max(extent(z));
    let pixels = 0.94 * f64::from(SIDE) / largest;
    let side = |extent: f64| ((extent * pixels + 0.06 * f64::from(SIDE)).round() as u32).clamp(64, SIDE);
    let (width, height) = (side(extent(x)), side(extent(y)));
    let viewmat = DMat4::from_translation(DVec3::new(-middle(x), -middle(y), far - middle(z))) * turn;
    let [cx, cy] = [width, height].map(|n| 0.5 * f64::from(n));
    Camera { width, height, fx: pixels * far, fy: pixels * far, cx, cy, viewmat, reduction: 1.0 }
}

/// A picture with depths.
struct Canvas {
    image: Image,
    depths: Vec<f64>,
}

impl Canvas {
    fn new(camera: &Camera) -> Self {
        let mut image = Image::new(camera.width, camera.height);
        image.pixels.fill(GROUND);
        Self { depths: vec![f64::INFINITY; image.pixels.len()], image }
    }

    /// Draws every point in front of the camera as a square, nearer ones over farther ones, `gain` times as bright.
    fn points(&mut self, cloud: &PointCloud, camera: &Camera, gain: f32) {
        let plain: [f32; 256] = std::array::from_fn(|v| v as f32 / 255.0);
        let shown = if gain == 1.0 { plain } else { plain.map(|v| exposed(v, gain)) };
        let pixels = self.image.pixels.len() as f64;
        let dot = (0.5 * pixels / cloud.len().max(1) as f64).sqrt().ceil().clamp(1.0, 4.0) as i64;
        for (p, rgb) in cloud.positions.iter().zip(&cloud.colors) {
            let seen = camera.project(DVec3::from(p.map(f64::from)));
            if !seen.is_finite() || seen.z <= 0.0 {
                continue;
            }
            let (x, y) = (seen.x.floor() as i64 - dot / 2, seen.y.floor() as i64 - dot / 2);
            let color = rgb.map(|v| shown[usize::from(v)]);
            for (dx, dy) in (0..dot).flat_map(|dy| (0..dot).map(move |dx| (dx, dy))) {
                if let Some(i) = self.index(x.saturating_add(dx), y.saturating_add(dy))
                    && seen.z < self.depths[i]
                {
                    (self.depths[i], self.image.pixels[i]) = (seen.z, color);
                }
            }
        }
    }

    /// Draws the pyramid that `seen` sees up to `depth`, over everything.
    fn frustum(&mut self, seen: &Camera, depth: f64, camera: &Camera) {
        let (w, h) = (f64::from(seen.width), f64::from(seen.height));
        let corners = [[0.0, 0.0], [w, 0.0], [w, h], [0.0, h]].map(|[x, y]| seen.unproject(x, y, depth));
        for i in 0..4 {
            self.line(seen.center(), corners[i], camera);
            self.line(corners[i], corners[(i + 1) % 4], camera);
        }
    }

    fn line(&mut self, from: DVec3, to: DVec3, camera: &Camera) {
        let [from, to] = [from, to].map(|p| camera.project(p));
        if !(from.z > 0.0 && to.z > 0.0) {
            return;
        }
        let (from, to): (DVec2, DVec2) = (from.truncate(), to.truncate());
        // Twice a pixel; an end far outside the picture must not take forever.
        let steps = (2.0 * from.distance(to)).ceil().clamp(1.0, 8.0 * f64::from(SIDE)) as u32;
        for step in 0..=steps {
            let p = from.lerp(to, f64::from(step) / f64::from(steps));
            if let Some(i) = self.index(p.x.floor() as i64, p.y.floor() as i64) {
                self.image.pixels[i] = FRUSTUM;
            }
        }
    }

    fn index(&self, x: i64, y: i64) -> Option<usize> {
        let (x, y) = (u32::try_from(x).ok()?, u32::try_from(y).ok()?);
        (x < self.image.width && y < self.image.height).then(|| y as usize * self.image.width as usize + x as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(name: &str, viewmat: DMat4) -> View {
        let camera = Camera { width: 80, height: 60, fx: 60.0, fy: 60.0, cx: 40.0, cy: 30.0, viewmat, reduction: 1.0 };
        View { name: name.into(), image: None, camera, lens: None, mask: None, gain: None, shots: Vec::new() }
    }

    #[test]
    fn nearer_points_cover_farther_ones() {
        let camera = view("a", DMat4::IDENTITY).camera;
        let positions = vec![[0.0, 0.0, 2.0], [0.0, 0.0, 1.0], [0.0, 0.0, 3.0], [0.0, 0.0, -1.0], [f32::NAN; 3]];
        let colors = vec![[255, 0, 0], [0, 255, 0], [0, 0, 255], [9, 9, 9], [9, 9, 9]];
        let mut canvas = Canvas::new(&camera);
        canvas.points(&PointCloud { positions, colors, ..PointCloud::default() }, &camera, 1.0);
        assert_eq!(canvas.image.at(40, 30), [0.0, 1.0, 0.0]);
        assert_eq!(canvas.image.at(10, 10), GROUND);
    }

    /// A point to the right of the mean camera is right in the picture from above, one farther ahead is higher.
    #[test]
    fn from_above_right_is_right_and_ahead_is_up() {
        let views = [-1.0, 0.0, 1.0].map(|x| view("v", DMat4::from_translation(DVec3::new(x, 0.0, 5.0))));
        let mut positions = vec![[0.0, 0.0, 0.0]; 400];
        positions.extend(vec![[3.0, 0.0, 0.0]; 100]);
        positions.extend(vec![[0.0, 0.0, 2.0]; 100]);
        let mut colors = vec![[255, 255, 255]; 400];
        colors.extend(vec![[255, 0, 0]; 100]);
        colors.extend(vec![[0, 255, 0]; 100]);
        let cloud = PointCloud { positions, colors, ..PointCloud::default() };
        let pictures = through_views(&cloud, &views, 1.0);
        let above = &pictures[2].1;
        let place = |color: [f32; 3]| {
            let i = above.pixels.iter().position(|p| *p == color).unwrap() as u32;
            (i % above.width, i / above.width)
        };
        let (white, red, green) = (place([1.0; 3]), place([1.0, 0.0, 0.0]), place([0.0, 1.0, 0.0]));
        assert!(red.0 > white.0 + 50 && red.1.abs_diff(white.1) < 3, "{white:?} {red:?}");
        assert!(green.1 + 50 < white.1 && green.0.abs_diff(white.0) < 3, "{white:?} {green:?}");
        assert!(above.pixels.contains(&FRUSTUM));
        assert_eq!(pictures[0].1.width, SIDE);
    }

    #[test]
    fn clouds_of_every_odd_kind_make_a_picture() {
        let of = |positions: Vec<[f32; 3]>| PointCloud {
            colors: vec![[200; 3]; positions.len()],
            positions,
            ..PointCloud::default()
        };
        let views = [view("a", DMat4::IDENTITY), view("b", DMat4::IDENTITY), view("c", DMat4::IDENTITY)];
        for cloud in
            [of(vec![]), of(vec![[1.0; 3]]), of(vec![[2.0; 3]; 50]), of(vec![[1e30; 3], [-1e30; 3], [f32::MAX; 3]])]
        {
            for views in [&[][..], &views] {
                let picture = cloud_sheet(&cloud, views).unwrap();
                assert!(picture.width > 0 && picture.width <= 4 * SIDE && picture.height <= 2 * SIDE);
            }
        }
    }

    #[test]
    fn points_of_dark_photographs_can_be_seen() {
        let dark = |level: u8| vec![[level, level / 2, 0]; 100];
        for level in [2, 4, 12] {
            let median = exposed(f32::from(level / 2) / 255.0, exposure(&dark(level)));
            assert!((median * 255.0 - BRIGHT).abs() < 0.01, "{level}: {median}");
        }
        assert_eq!(exposure(&dark(200)), 1.0);
        assert_eq!(
            (exposure(&[]), exposure(&[[0; 3]])),
            (1.0, srgb_to_linear(BRIGHT / 255.0) / srgb_to_linear(0.5 / 255.0))
        );
        let cloud = PointCloud { positions: vec![[0.0; 3]; 100], colors: dark(4), ..PointCloud::default() };
        let [picture, ..] = &along_axes(&cloud, exposure(&cloud.colors))[..] else { panic!("three pictures") };
        let brightest = picture.1.pixels.iter().map(|p| p[0]).fold(0.0, f32::max);
        assert!((brightest * 255.0 - 138.0).abs() < 1.0, "{brightest}");
    }

    #[test]
    fn a_bare_cloud_lies_along_its_axes() {
        let positions = (0..3000).map(|i| [(i % 7) as f32 * 0.1, i as f32 * 0.01, (i % 13) as f32 * 0.3]).collect();
        let cloud = PointCloud { positions, colors: vec![[200; 3]; 3000], ..PointCloud::default() };
        let pictures = along_axes(&cloud, 1.0);
        // Longest 30, middle 3.6, shortest 0.6; no side is below 64 pixels.
        let sizes: Vec<_> = pictures.iter().map(|(_, picture)| (picture.width, picture.height)).collect();
        assert_eq!((sizes[0].0, sizes[1], sizes[2].0), (SIDE, (SIDE, 64), SIDE), "{sizes:?}");
        assert!((100..125).contains(&sizes[0].1) && (125..160).contains(&sizes[2].1), "{sizes:?}");
    }
}
