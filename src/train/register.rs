//! Direct image alignment: finds the pose of a photograph by a render of the model from nearby.
//!
//! Gauss–Newton over the six degrees of freedom of the pose and a difference of brightness, coarse to fine, on differences of
//! luma. Gradients are those of the render, which has no noise (inverse compositional alignment: Baker & Matthews,
//! "Lucas–Kanade 20 Years On", IJCV 2004); every pixel moves as its depth in the render says. Huber weights suppress what the
//! model does not show.

use crate::capture::{Camera, Image, from_rotation_translation, resize_area};
use crate::color::luma;
use crate::least_squares::{cholesky, solve};
use crate::splat::Rendered;
use glam::{DMat3, DMat4, DQuat, DVec2, DVec3};

/// Unknowns: rotation, translation in median depths, brightness.
const UNKNOWNS: usize = 7;
/// Largest factor between the picture and the coarsest level, each half as large as the next, and the shortest side of a level.
const COARSEST: u32 = 4;
const SHORTEST: u32 = 40;
/// Steps of a level at most, and the mean move of a pixel below which a level is done.
const ITERATIONS: usize = 12;
const DONE: f64 = 2e-3;
/// Huber's threshold for 95 % efficiency, and the standard deviation by the median of absolute values, of normal errors.
const HUBER: f64 = 1.345;
const DEVIATION: f64 = 1.482_6;
/// Opacity from which on a pixel shows the model, and the part of the pixels that must.
const OPAQUE: f32 = 0.9;
const LEAST: f64 = 0.2;
/// Damping of the normal equations: directions that the picture does not determine stay.
const DAMPING: f64 = 1e-4;
/// A pose that moves pixels by more than this part of the width was not found but lost.
const LOST: f64 = 0.05;

/// A photograph and a render of the same size.
pub(super) struct Pair<'a> {
    /// The camera of the render.
    pub camera: &'a Camera,
    /// With opacity and depth.
    pub render: &'a Rendered,
    pub photograph: &'a Image,
    /// How much each pixel of the photograph counts, where not all do.
    pub weights: Option<&'a [f32]>,
}

/// A pose that was found.
#[derive(Debug)]
pub(super) struct Registered {
    /// World to camera.
    pub viewmat: DMat4,
    /// Pixels by which the picture shows things elsewhere than from each of the poses compared with, on average.
    pub moved: Vec<f64>,
}

/// Where the photograph of `pair` was taken, compared with the poses `others`; `None` where that cannot be determined.
pub(super) fn register(pair: &Pair<'_>, others: &[DMat4]) -> Option<Registered> {
    let levels: Vec<Level> = [COARSEST, COARSEST / 2, 1]
        .into_iter()
        .filter(|&factor| factor == 1 || pair.camera.width.min(pair.camera.height) >= SHORTEST * factor)
        .map(|factor| Level::new(pair, factor))
        .collect::<Option<_>>()?;
    let motion = levels.iter().try_fold(DMat4::IDENTITY, |motion, level| level.align(motion))?;
    let finest = levels.last()?;
    let lost = finest.moved(&motion, &DMat4::IDENTITY) > LOST * f64::from(pair.camera.width);
    if lost || finest.cost(&motion) >= finest.cost(&DMat4::IDENTITY) {
        return None;
    }
    let from_camera = pair.camera.c2w();
    let moved = others.iter().map(|other| finest.moved(&motion, &(*other * from_camera))).collect();
    Some(Registered { viewmat: motion * pair.camera.viewmat, moved })
}

/// A pixel of the render.
struct Sample {
    /// Where what it shows is, in the frame of the render's camera.
    point: DVec3,
    luma: f32,
    /// Derivatives of the difference, photograph minus render, by the unknowns.
    derivatives: [f32; UNKNOWNS],
}

/// Both pictures at one size.
struct Level {
    camera: Camera,
    /// Planes: luma of the render and of the photograph, and depth.
    planes: Image,
    samples: Vec<Sample>,
    /// The unit of translations.
    depth: f64,
}

impl Level {
    /// At 1/`factor` of the size; `None` where too little of the picture shows the model.
    fn new(pair: &Pair<'_>, factor: u32) -> Option<Self> {
        let Pair { camera, render, photograph, weights } = pair;
        let (mut planes, mut shown) =
            (Image::new(camera.width, camera.height), Image::new(camera.width, camera.height));
        for (at, plane) in planes.pixels.iter_mut().enumerate() {
            let (alpha, weight) = (render.alpha[at], weights.map_or(1.0, |all| all[at]));
            let counts = alpha >= OPAQUE && weight >= OPAQUE && render.depth[at] > 0.0;
            *plane = [luma(render.image.pixels[at]), luma(photograph.pixels[at]), render.depth[at] / alpha.max(OPAQUE)];
            shown.pixels[at][0] = f32::from(u8::from(counts));
        }
        let camera = camera.downscaled(factor);
        let [planes, shown] = [planes, shown].map(|image| resize_area(&image, camera.width, camera.height));
        let whole = |x: u32, y: u32| shown.at(x, y)[0] > 0.999;
        let inner = |x: u32, y: u32| whole(x - 1, y) && whole(x + 1, y) && whole(x, y - 1) && whole(x, y + 1);
        let (columns, rows) = (1..camera.width.saturating_sub(1), 1..camera.height.saturating_sub(1));
        let places: Vec<[u32; 2]> = rows
            .flat_map(|y| columns.clone().map(move |x| [x, y]))
            .filter(|&[x, y]| whole(x, y) && inner(x, y))
            .collect();
        let mut depths: Vec<f32> = places.iter().map(|&[x, y]| planes.at(x, y)[2]).collect();
        if (depths.len() as f64) < LEAST * f64::from(camera.width) * f64::from(camera.height) {
            return None;
        }
        let depth = f64::from(median(&mut depths)?);
        let samples = places.iter().map(|&place| Sample::new(&camera, &planes, place, depth)).collect();
        Some(Self { camera, planes, samples, depth })
    }

    /// Refines `motion`, of the camera's frame; `None` where the picture does not determine it.
    fn align(&self, mut motion: DMat4) -> Option<DMat4> {
        for _ in 0..ITERATIONS {
            let step = self.step(&motion)?;
            let rotation = DMat3::from_quat(DQuat::from_scaled_axis(DVec3::from_slice(&step[..3])));
            let translation = DVec3::from_slice(&step[3..6]) * self.depth;
            let before = motion;
            motion = from_rotation_translation(rotation, translation) * motion;
            if self.moved(&motion, &before) < DONE {
                break;
            }
        }
        motion.is_finite().then_some(motion)
    }

    /// The step of Gauss–Newton from `motion`.
    fn step(&self, motion: &DMat4) -> Option<[f64; UNKNOWNS]> {
        let differences: Vec<Option<f32>> = self.samples.iter().map(|sample| self.difference(sample, motion)).collect();
        let threshold = HUBER * deviation(&differences)?;
        let (mut normal, mut right) = ([[0.0; UNKNOWNS]; UNKNOWNS], [0.0; UNKNOWNS]);
        for (sample, difference) in self.samples.iter().zip(&differences) {
            let Some(difference) = difference.map(f64::from) else { continue };
            let weight = (threshold / difference.abs()).min(1.0);
            let derivatives = sample.derivatives.map(f64::from);
            for (i, &derivative) in derivatives.iter().enumerate() {
                right[i] -= weight * derivative * difference;
                (0..=i).for_each(|j| normal[i][j] += weight * derivative * derivatives[j]);
            }
        }
        (0..UNKNOWNS).for_each(|i| normal[i][i] *= 1.0 + DAMPING);
        Some(solve(&cholesky(normal)?, right))
    }

    /// Photograph minus render for what `sample` shows, with the camera moved; `None` outside of the photograph.
    fn difference(&self, sample: &Sample, motion: &DMat4) -> Option<f32> {
        let [x, y] = self.project(motion.transform_point3(sample.point))?.to_array();
        let within = |at: f64, size: u32| (0.5..=f64::from(size) - 0.5).contains(&at);
        let inside = within(x, self.camera.width) && within(y, self.camera.height);
        inside.then(|| self.planes.sample(x, y)[1] - sample.luma)
    }

    fn project(&self, point: DVec3) -> Option<DVec2> {
        let Camera { fx, fy, cx, cy, .. } = self.camera;
        (point.z > 0.0).then(|| DVec2::new(fx * point.x / point.z + cx, fy * point.y / point.z + cy))
    }

    /// Mean distance in pixels between where two motions take what the picture shows.
    fn moved(&self, to: &DMat4, from: &DMat4) -> f64 {
        let place = |motion: &DMat4, sample: &Sample| self.project(motion.transform_point3(sample.point));
        let distance = |sample| Some(place(to, sample)?.distance(place(from, sample)?));
        self.samples.iter().filter_map(distance).sum::<f64>() / self.samples.len() as f64
    }

    /// Mean distance of the differences from their median.
    fn cost(&self, motion: &DMat4) -> f64 {
        let mut known: Vec<f32> = self.samples.iter().filter_map(|sample| self.difference(sample, motion)).collect();
        let Some(median) = median(&mut known) else { return f64::INFINITY };
        known.iter().map(|difference| f64::from((difference - median).abs())).sum::<f64>() / known.len() as f64
    }
}

impl Sample {
    fn new(camera: &Camera, planes: &Image, [x, y]: [u32; 2], unit: f64) -> Self {
        let of = |x: u32, y: u32| f64::from(planes.at(x, y)[0]);
        let [gx, gy] = [0.5 * (of(x + 1, y) - of(x - 1, y)), 0.5 * (of(x, y + 1) - of(x, y - 1))];
        let z = f64::from(planes.at(x, y)[2]);
        let [u, v] = [(f64::from(x) + 0.5 - camera.cx) / camera.fx, (f64::from(y) + 0.5 - camera.cy) / camera.fy];
        let [gx, gy] = [gx * camera.fx, gy * camera.fy];
        // By the point, along the axes of the camera's frame; a rotation moves it by ω × point, a translation by itself.
        let by_point = DVec3::new(gx, gy, -(gx * u + gy * v)) / z;
        let point = DVec3::new(u, v, 1.0) * z;
        let (rotation, translation) = (point.cross(by_point), by_point * unit);
        let derivatives = [rotation.to_array(), translation.to_array()].concat();
        let mut all = [1.0; UNKNOWNS];
        all.iter_mut().zip(derivatives).for_each(|(derivative, value)| *derivative = value as f32);
        Self { point, luma: planes.at(x, y)[0], derivatives: all }
    }
}

/// The standard deviation of what is known, by the median of absolute values.
fn deviation(differences: &[Option<f32>]) -> Option<f64> {
    let mut sizes: Vec<f32> = differences.iter().flatten().map(|difference| difference.abs()).collect();
    median(&mut sizes).map(|median| (DEVIATION * f64::from(median)).max(1e-6))
}

/// The middle one, which comes to lie in the middle; `None` of none.
fn median(values: &mut [f32]) -> Option<f32> {
    let middle = values.len() / 2;
    (!values.is_empty()).then(|| *values.select_nth_unstable_by(middle, f32::total_cmp).1)
}
