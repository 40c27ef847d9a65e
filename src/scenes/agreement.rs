//! Measures whether restored views of a scene agree: the same surface must have the same color in all of them.
//!
//! Of a generated scene the geometry and the truth are known. A place on a matt surface that two views see has an error
//! (restored − truth, mean over 8 × 8 pixels) in either; what the two errors differ by is flicker, which splats can only
//! explain by colors that change with the direction. An error that both share does not count.

use super::description::Scene;
use super::path::{Eye, train_cameras};
use super::world::World;
use super::write::file_name;
use crate::capture::{Camera, Image, read_image, resize_area};
use crate::error::{Error, Result};
use crate::parallel::try_map;
use glam::DVec3;
use rayon::prelude::*;
use std::path::Path;

/// Pixels along the side of what is averaged.
const SIDE: u32 = 8;
/// Places along the side of a region, and the fewest seen by both views that stand for one.
const REGION: (u32, u32) = (4, 4);
/// A place is hidden where the view's own depth is nearer by more than this part.
const DEPTH: f32 = 0.01;

/// Disagreement of the views of a scene, for red, green and blue, in levels of 255.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Agreement {
    /// Pairs of views that see common places, and how many places they see.
    pub pairs: usize,
    /// Places that were compared.
    pub places: usize,
    /// Mean absolute difference of a place's error in two views, over all places of all pairs.
    pub flicker: [f64; 3],
    /// The same for regions of 4 × 4 places (32 × 32 pixels of one view), where noise has averaged out.
    pub regions: [f64; 3],
    /// The part of it that concerns whole views: mean over pairs of the absolute mean difference of their places.
    pub exposure: [f64; 3],
    /// Mean error over pictures and views.
    pub bias: [f64; 3],
    /// Standard deviation over views of a picture's mean error: the exposure that each view chose.
    pub deviation: [f64; 3],
}

/// Compares the train views of `scene` in the folder `restored` with those in `truth` (the same names), and with each
/// other. Restored pictures may be smaller than the truth.
///
/// # Errors
/// A picture that is missing or cannot be read, or one that is larger than its truth.
pub fn agreement(scene: &Scene, truth: &Path, restored: &Path) -> Result<Agreement> {
    let world = World::unlit(scene);
    let cameras = train_cameras(&scene.camera);
    let cameras: Vec<_> = cameras.iter().enumerate().collect();
    let views = try_map(&cameras, |(i, camera)| {
        let name = file_name(*i);
        let error = Errors::read(&truth.join(&name), &restored.join(&name))?;
        Ok(View::new(&world, &camera.resized(error.width, error.height), error))
    })?;
    let pairs: Vec<(usize, usize)> = (0..views.len()).flat_map(|i| (0..i).map(move |j| (j, i))).collect();
    let pairs: Vec<Pair> = pairs.par_iter().map(|(i, j)| compare(&views[*i], &views[*j])).collect();
    let seen: Vec<&Pair> = pairs.iter().filter(|pair| pair.places > 0).collect();
    let places: usize = seen.iter().map(|pair| pair.places).sum();
    let means: Vec<[f64; 3]> = views.iter().map(|view| view.errors.mean()).collect();
    let mean = |c: usize| means.iter().map(|m| m[c]).sum::<f64>() / means.len() as f64;
    let variance = |c: usize| means.iter().map(|m| (m[c] - mean(c)).powi(2)).sum::<f64>() / means.len() as f64;
    let channels = |of: &dyn Fn(usize) -> f64| [0, 1, 2].map(of);
    Ok(Agreement {
        pairs: seen.len(),
        places,
        flicker: channels(&|c| seen.iter().map(|p| p.sizes[c]).sum::<f64>() / places.max(1) as f64),
        regions: channels(&|c| {
            seen.iter().map(|p| p.region_sizes[c]).sum::<f64>()
                / seen.iter().map(|p| p.regions).sum::<usize>().max(1) as f64
        }),
        exposure: channels(&|c| {
            seen.iter().map(|p| (p.sums[c] / p.places as f64).abs()).sum::<f64>() / seen.len().max(1) as f64
        }),
        bias: channels(&mean),
        deviation: channels(&|c| variance(c).sqrt()),
    })
}

/// Sums of restored − truth, in levels, over the rectangle between the upper left corner and every pixel corner.
struct Errors {
    width: u32,
    height: u32,
    sums: Vec<[f64; 3]>,
}

impl Errors {
    fn read(truth: &Path, restored: &Path) -> Result<Self> {
        let (lit, image) = (read_image(truth)?, read_image(restored)?);
        if image.width > lit.width || image.height > lit.height {
            let found = format!("{} × {}, its truth is {} × {}", image.width, image.height, lit.width, lit.height);
            return Err(Error::input(restored, found, "measure pictures of the scene's own size, or smaller"));
        }
        Ok(Self::new(&resize_area(&lit, image.width, image.height), &image))
    }

    fn new(truth: &Image, restored: &Image) -> Self {
        let columns = truth.width as usize + 1;
        let mut sums = vec![[0.0; 3]; columns * (truth.height as usize + 1)];
        for (i, (t, r)) in truth.pixels.iter().zip(&restored.pixels).enumerate() {
            let at = (i / (columns - 1) + 1) * columns + i % (columns - 1) + 1;
            sums[at] = std::array::from_fn(|c| {
                let error = f64::from(r[c].clamp(0.0, 1.0) - t[c].clamp(0.0, 1.0)) * 255.0;
                error + sums[at - 1][c] + sums[at - columns][c] - sums[at - columns - 1][c]
            });
        }
        Self { width: truth.width, height: truth.height, sums }
    }

    /// The mean over the rectangle of a corner and a size.
    fn over(&self, x: u32, y: u32, width: u32, height: u32) -> [f64; 3] {
        let at = |x: u32, y: u32| self.sums[y as usize * (self.width as usize + 1) + x as usize];
        let corners = [at(x + width, y + height), at(x, y), at(x + width, y), at(x, y + height)];
        let area = f64::from(width * height);
        std::array::from_fn(|c| (corners[0][c] + corners[1][c] - corners[2][c] - corners[3][c]) / area)
    }

    fn mean(&self) -> [f64; 3] {
        self.over(0, 0, self.width, self.height)
    }
}

/// What a view sees at every pixel, and its error.
struct View {
    camera: Camera,
    eye: Eye,
    surfaces: Vec<Option<(usize, f32)>>,
    errors: Errors,
}

impl View {
    fn new(world: &World, camera: &Camera, errors: Errors) -> Self {
        let eye = Eye::new(camera);
        let pixels = 0..camera.width as usize * camera.height as usize;
        let place = |i: usize| ((i as u32 % camera.width), (i as u32 / camera.width));
        let seen = |(x, y): (u32, u32)| world.surface(&eye.ray(f64::from(x) + 0.5, f64::from(y) + 0.5));
        let surfaces = pixels.into_par_iter().map(|i| seen(place(i))).collect();
        Self { camera: camera.clone(), eye, surfaces, errors }
    }

    /// The surface that covers the corners and the middle of the square at (x, y), and the distance of the middle.
    fn surface(&self, x: u32, y: u32) -> Option<(usize, f32)> {
        let at = |x: u32, y: u32| self.surfaces[y as usize * self.camera.width as usize + x as usize];
        let (far, middle) = (SIDE - 1, at(x + SIDE / 2, y + SIDE / 2)?);
        let corners = [(0, 0), (far, 0), (0, far), (far, far)];
        corners.iter().all(|(a, b)| at(x + a, y + b).is_some_and(|s| s.0 == middle.0)).then_some(middle)
    }
}

/// What two views differ by.
struct Pair {
    places: usize,
    sums: [f64; 3],
    sizes: [f64; 3],
    regions: usize,
    region_sizes: [f64; 3],
}

fn compare(a: &View, b: &View) -> Pair {
    let mut pair = Pair { places: 0, sums: [0.0; 3], sizes: [0.0; 3], regions: 0, region_sizes: [0.0; 3] };
    let across = a.camera.width.div_ceil(SIDE * REGION.0) as usize;
    let down = a.camera.height.div_ceil(SIDE * REGION.0) as usize;
    let mut regions = vec![(0u32, [0.0; 3]); across * down];
    let squares = |length: u32| (0..length / SIDE).map(|k| k * SIDE);
    for (x, y) in squares(a.camera.height).flat_map(|y| squares(a.camera.width).map(move |x| (x, y))) {
        let Some((u, v)) = a.surface(x, y).and_then(|(surface, distance)| {
            let middle = f64::from(SIDE / 2) + 0.5;
            let ray = a.eye.ray(f64::from(x) + middle, f64::from(y) + middle);
            seen_by(b, (ray.origin + ray.direction * distance).as_dvec3(), surface)
        }) else {
            continue;
        };
        let (first, second) = (a.errors.over(x, y, SIDE, SIDE), b.errors.over(u, v, SIDE, SIDE));
        let region = &mut regions[(y / SIDE / REGION.0) as usize * across + (x / SIDE / REGION.0) as usize];
        pair.places += 1;
        region.0 += 1;
        for c in 0..3 {
            pair.sums[c] += first[c] - second[c];
            region.1[c] += first[c] - second[c];
            pair.sizes[c] += (first[c] - second[c]).abs();
        }
    }
    for (count, sum) in regions.into_iter().filter(|(count, _)| *count >= REGION.1) {
        pair.regions += 1;
        (0..3).for_each(|c| pair.region_sizes[c] += (sum[c] / f64::from(count)).abs());
    }
    pair
}

/// The corner of the square around a point of a surface, where the view sees it.
fn seen_by(view: &View, point: DVec3, surface: usize) -> Option<(u32, u32)> {
    let place = view.camera.project(point);
    let middle = f64::from(SIDE / 2) + 0.5;
    let (x, y) = ((place.x - middle).round(), (place.y - middle).round());
    let (right, bottom) = (view.camera.width.checked_sub(SIDE)?, view.camera.height.checked_sub(SIDE)?);
    let inside = (0.0..=f64::from(right)).contains(&x) && (0.0..=f64::from(bottom)).contains(&y);
    if place.z <= 0.0 || !inside {
        return None;
    }
    let corner = (x as u32, y as u32);
    let (seen, distance) = view.surface(corner.0, corner.1)?;
    let expected = (point.as_vec3() - view.eye.origin).length();
    // The square's middle lies up to a pixel beside the point.
    (seen == surface && (distance - expected).abs() <= (DEPTH * expected).max(0.05)).then_some(corner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::{Sampling, write_jpeg_with};

    fn scene() -> Scene {
        let mut scene = Scene::load(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scenes/tiny.toml"))).unwrap();
        (scene.camera.width, scene.camera.height, scene.camera.train) = (128, 96, 4);
        scene
    }

    /// Folders of truth and restored pictures whose error is `error(view, world position)`, in levels.
    fn measure(error: impl Fn(usize, DVec3) -> [f64; 3]) -> Agreement {
        let (scene, dir) = (scene(), tempfile::tempdir().unwrap());
        let world = World::unlit(&scene);
        for (i, camera) in train_cameras(&scene.camera).iter().enumerate() {
            let eye = Eye::new(camera);
            let (mut truth, mut restored) = (Image::new(128, 96), Image::new(128, 96));
            for p in 0..truth.pixels.len() {
                let ray = eye.ray((p % 128) as f64 + 0.5, (p / 128) as f64 + 0.5);
                let point = world.surface(&ray).map_or(DVec3::ZERO, |s| (ray.origin + ray.direction * s.1).as_dvec3());
                truth.pixels[p] = [0.5; 3];
                restored.pixels[p] = error(i, point).map(|e| (128.0 + e) as f32 / 255.0);
            }
            for (folder, image) in [("truth", &truth), ("restored", &restored)] {
                let folder = dir.path().join(folder);
                std::fs::create_dir_all(&folder).unwrap();
                write_jpeg_with(&folder.join(file_name(i)), image, 100, Sampling::Full).unwrap();
            }
        }
        agreement(&scene, &dir.path().join("truth"), &dir.path().join("restored")).unwrap()
    }

    #[test]
    fn an_error_of_the_surface_is_no_flicker() {
        let found = measure(|_, p| [20.0, 15.0 * (2.0 * p.x).sin(), 10.0 * (3.0 * p.y + p.z).cos()]);
        assert!(found.pairs == 6 && found.places > 150, "{found:?}");
        assert!(found.flicker.iter().all(|f| *f < 1.2), "{found:?}");
        assert!((found.bias[0] - 20.0).abs() < 0.6 && found.deviation[0] < 0.3, "{found:?}");
    }

    /// JPEG rounds each picture's color to half a level or so.
    #[test]
    fn an_exposure_of_each_view_is_flicker() {
        // Errors 0, 4, 8, 12: over the six pairs the mean distance is 20/3.
        let found = measure(|view, _| [4.0 * view as f64, 0.0, 0.0]);
        assert!((found.exposure[0] - 20.0 / 3.0).abs() < 0.5, "{found:?}");
        assert!((found.deviation[0] - 20f64.sqrt()).abs() < 0.3 && (found.bias[0] - 6.0).abs() < 0.6, "{found:?}");
        assert!((found.regions[0] - found.flicker[0]).abs() < 1.0 && found.regions[1] < 0.8, "{found:?}");
        assert!(found.flicker[0] > 4.0 && found.flicker[1] < 1.0, "{found:?}");
    }

    #[test]
    fn pictures_that_are_missing_or_too_large_are_named() {
        let dir = tempfile::tempdir().unwrap();
        assert!(agreement(&scene(), dir.path(), dir.path()).unwrap_err().to_string().contains("0001.JPG"));
        let write = |folder: &str, size: (u32, u32)| {
            let path = dir.path().join(folder);
            std::fs::create_dir_all(&path).unwrap();
            (0..4).for_each(|i| {
                write_jpeg_with(&path.join(file_name(i)), &Image::new(size.0, size.1), 90, Sampling::Full).unwrap()
            });
            path
        };
        let (truth, large) = (write("truth", (64, 48)), write("large", (65, 48)));
        assert!(agreement(&scene(), &truth, &large).unwrap_err().to_string().contains("65 × 48"));
        assert_eq!(agreement(&scene(), &truth, &truth).unwrap().bias, [0.0; 3]);
    }
}
