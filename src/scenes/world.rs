//! The scene in memory: shapes, lamps and the light stored on every surface.
//!
//! All surfaces scatter light evenly, so what one sees of a point depends only on the light that arrives there. It is
//! computed once, on *light maps* (a grid of texels on every chart), and each picture is then one ray a sample: no
//! noise but the camera's, and the same light in every view. First every texel collects the lamps and the moon through
//! shadow rays to random points of them; then, once per bounce, what the other surfaces send on (a gathering pass
//! over stratified cosine-distributed directions, reading the maps of the pass before).

use super::description::Scene;
use super::random::Random;
use super::shape::{Hit, Ray, Shape, upright};
use super::texture::{Material, albedo};
use crate::error::Result;
use crate::progress::Progress;
use glam::{Mat3, Vec2, Vec3};
use rayon::prelude::*;
use std::f32::consts::{PI, TAU};

/// Rays start this far off a surface, in meters.
const OFFSET: f32 = 2e-3;
const FAR: f32 = 1e4;
/// Angular radius of the moon's disk; larger than the true one, for softer shadows.
const MOON_SPREAD: f32 = 0.02;

/// Gathered radiance is cut here: the bright spots beside lamps would show as blotches elsewhere.
const GATHER_LIMIT: f32 = 1.5;

struct Solid<'a> {
    shape: Shape,
    bound: (Vec3, f32),
    material: &'a Material,
    /// Index of the first chart's map.
    maps: usize,
}

struct Glowing {
    center: Vec3,
    radius: f32,
    /// Radiant intensity.
    intensity: Vec3,
    radiance: Vec3,
}

/// Light that arrives at the texels of a chart, divided by π: times albedo it is radiance.
struct LightMap {
    columns: usize,
    rows: usize,
    wraps: bool,
    texels: Vec<Vec3>,
}

/// A scene ready to be looked at.
pub struct World<'a> {
    scene: &'a Scene,
    solids: Vec<Solid<'a>>,
    lamps: Vec<Glowing>,
    moon: (Vec3, Vec3),
    sky: Vec3,
    maps: Vec<LightMap>,
}

impl<'a> World<'a> {
    /// Builds the shapes of a (validated) scene and computes its light.
    ///
    /// # Errors
    /// A stop that was asked for.
    pub fn new(scene: &'a Scene, progress: &dyn Progress) -> Result<Self> {
        let light = &scene.light;
        let mut world = Self::unlit(scene);
        let total: usize = world.solids.iter().map(|s| s.shape.charts()).sum();
        progress.begin("light", "surfaces", (total * (1 + light.bounces as usize)) as u64);
        world.maps = world.pass(progress, 0, &|world, point, normal, random| world.direct(point, normal, random))?;
        let direct: Vec<Vec<Vec3>> = world.maps.iter().map(|m| m.texels.clone()).collect();
        for bounce in 1..=light.bounces as usize {
            let mut gathered =
                world.pass(progress, bounce, &|world, point, normal, random| world.gather(point, normal, random))?;
            for (map, direct) in gathered.iter_mut().zip(&direct) {
                map.texels.iter_mut().zip(direct).for_each(|(texel, direct)| *texel += *direct);
            }
            world.maps = gathered;
        }
        progress.end();
        Ok(world)
    }

    /// The shapes alone, without the light on them: enough for [`World::surface`].
    pub fn unlit(scene: &'a Scene) -> Self {
        let light = &scene.light;
        Self {
            scene,
            solids: solids(scene),
            lamps: scene.lamps.iter().map(glowing).collect(),
            moon: (Vec3::from(light.moon_direction).normalize(), light.moon.linear() * light.moon_irradiance),
            sky: light.sky.linear() * light.sky_radiance,
            maps: Vec::new(),
        }
    }

    /// The number of the surface that a ray meets first, and its distance; `None` for sky, lamps and glossy surfaces,
    /// which look different from elsewhere.
    pub fn surface(&self, ray: &Ray) -> Option<(usize, f32)> {
        let (solid, hit) = self.nearest(ray)?;
        let dull = solid.material.gloss <= 0.0 && self.lamp(ray, hit.distance).is_none();
        dull.then_some((solid.maps + hit.chart, hit.distance))
    }

    /// The distance of what a ray meets first; `None` for sky and lamps.
    pub fn distance(&self, ray: &Ray) -> Option<f32> {
        let (_, hit) = self.nearest(ray)?;
        self.lamp(ray, hit.distance).is_none().then_some(hit.distance)
    }

    /// A light map for every chart, each texel the value of `arriving` at it.
    fn pass(
        &self,
        progress: &dyn Progress,
        index: usize,
        arriving: &(impl Fn(&Self, Vec3, Vec3, &mut TexelSampler) -> Vec3 + Sync),
    ) -> Result<Vec<LightMap>> {
        let mut maps = Vec::with_capacity(self.maps.len());
        let charts: usize = self.solids.iter().map(|s| s.shape.charts()).sum();
        for solid in &self.solids {
            for chart in 0..solid.shape.charts() {
                progress.check()?;
                let size = solid.shape.chart_size(chart);
                let count = |length: f32| ((length / self.scene.light.texel).ceil() as usize).clamp(2, 2048);
                let (columns, rows) = (count(size.x), count(size.y));
                let id = solid.maps + chart;
                let texels = (0..columns * rows)
                    .into_par_iter()
                    .map(|i| {
                        let keys = [u64::from(self.scene.seed), index as u64, id as u64, i as u64];
                        let center = Vec2::new((i % columns) as f32 + 0.5, (i / columns) as f32 + 0.5);
                        let st = center / Vec2::new(columns as f32, rows as f32);
                        let (point, normal) = solid.shape.at(chart, st);
                        let mut sampler = TexelSampler { random: Random::new(&keys), side: self.scene.light.texel };
                        arriving(self, point + normal * OFFSET, normal, &mut sampler)
                    })
                    .collect();
                maps.push(LightMap { columns, rows, wraps: solid.shape.chart_wraps(chart), texels });
                progress.set((index * charts + id + 1) as u64, "");
            }
        }
        Ok(maps)
    }

    /// Light of lamps and moon at a surface, divided by π.
    fn direct(&self, point: Vec3, normal: Vec3, sampler: &mut TexelSampler) -> Vec3 {
        let frame = upright(normal);
        let samples = self.scene.light.samples;
        let mut sum = Vec3::ZERO;
        for _ in 0..samples {
            let from = point + sampler.inside_texel(&frame);
            for lamp in &self.lamps {
                let to = lamp.center + lamp.radius * sampler.on_sphere() - from;
                let distance = to.length();
                let (direction, cosine) = (to / distance, normal.dot(to) / distance);
                let strength = cosine / (distance * distance);
                if cosine > 0.0 && !self.blocked(from, direction, distance) {
                    sum += lamp.intensity * strength;
                }
            }
            let direction = (self.moon.0 + MOON_SPREAD * sampler.on_sphere()).normalize();
            let cosine = normal.dot(direction);
            if cosine > 0.0 && self.moon.1 != Vec3::ZERO && !self.blocked(from, direction, FAR) {
                sum += self.moon.1 * cosine;
            }
        }
        sum / (samples as f32 * PI)
    }

    /// Light of sky and other surfaces at a surface, divided by π: the mean radiance over cosine-weighted directions.
    fn gather(&self, point: Vec3, normal: Vec3, sampler: &mut TexelSampler) -> Vec3 {
        let frame = upright(normal);
        let side = 2 * self.scene.light.samples.isqrt();
        let mut sum = Vec3::ZERO;
        for k in 0..side * side {
            let square =
                Vec2::new((k % side) as f32 + sampler.random.unit(), (k / side) as f32 + sampler.random.unit());
            let (radius, angle) = ((square.x / side as f32).sqrt(), TAU * square.y / side as f32);
            let local = Vec3::new(radius * angle.cos(), radius * angle.sin(), (1.0 - radius * radius).max(0.0).sqrt());
            let ray = Ray { origin: point + sampler.inside_texel(&frame), direction: frame * local };
            sum += match self.nearest(&ray) {
                Some((solid, hit)) => self.diffuse(solid, &hit).min(Vec3::splat(GATHER_LIMIT)),
                None => self.sky,
            };
        }
        sum / (side * side) as f32
    }

    /// What comes along a ray: lamps, surfaces with their highlights, sky.
    pub fn radiance(&self, ray: &Ray) -> Vec3 {
        let hit = self.nearest(ray);
        let limit = hit.as_ref().map_or(FAR, |(_, hit)| hit.distance);
        match (self.lamp(ray, limit), hit) {
            (Some(lamp), _) => lamp.radiance,
            (None, Some((solid, hit))) => self.diffuse(solid, &hit) + self.highlights(solid, &hit, ray),
            (None, None) => self.sky,
        }
    }

    /// The lamp that a ray meets before `limit`.
    fn lamp(&self, ray: &Ray, limit: f32) -> Option<&Glowing> {
        let meets = |lamp: &&Glowing| {
            Shape::Sphere { center: lamp.center, radius: lamp.radius }.intersect(ray, limit).is_some()
        };
        self.lamps.iter().find(meets)
    }

    fn diffuse(&self, solid: &Solid, hit: &Hit) -> Vec3 {
        let place = hit.st * solid.shape.chart_size(hit.chart);
        let map = solid.maps + hit.chart;
        let color = albedo(solid.material, place.x, place.y, self.scene.seed ^ (map as u32).wrapping_mul(0x9E37));
        color * (self.maps[map].at(hit.st) + Vec3::splat(solid.material.glow))
    }

    /// Highlights of the lamps (Blinn 1977) on glossy surfaces.
    fn highlights(&self, solid: &Solid, hit: &Hit, ray: &Ray) -> Vec3 {
        if solid.material.gloss <= 0.0 {
            return Vec3::ZERO;
        }
        let from = ray.origin + ray.direction * hit.distance + hit.normal * OFFSET;
        let shine = |lamp: &Glowing| {
            let to = lamp.center - from;
            let (distance, half) = (to.length(), (to.normalize() - ray.direction).normalize());
            let strength = solid.material.gloss * hit.normal.dot(half).max(0.0).powi(60) / (distance * distance);
            let seen = strength > 1e-4 && hit.normal.dot(to) > 0.0 && !self.blocked(from, to / distance, distance);
            if seen { lamp.intensity * strength } else { Vec3::ZERO }
        };
        self.lamps.iter().map(shine).sum()
    }

    fn nearest(&self, ray: &Ray) -> Option<(&Solid<'a>, Hit)> {
        let mut best: Option<(&Solid, Hit)> = None;
        let mut limit = FAR;
        for solid in &self.solids {
            let hit = near(solid.bound, ray, limit).then(|| solid.shape.intersect(ray, limit)).flatten();
            if let Some(hit) = hit {
                limit = hit.distance;
                best = Some((solid, hit));
            }
        }
        best
    }

    fn blocked(&self, origin: Vec3, direction: Vec3, limit: f32) -> bool {
        let ray = Ray { origin, direction };
        self.solids.iter().any(|s| near(s.bound, &ray, limit) && s.shape.intersect(&ray, limit).is_some())
    }
}

/// Whether a ray meets a sphere before `limit`.
fn near((center, radius): (Vec3, f32), ray: &Ray, limit: f32) -> bool {
    let to_center = center - ray.origin;
    let along = to_center.dot(ray.direction);
    along + radius > 0.0
        && along - radius < limit
        && to_center.length_squared() - along * along <= radius * radius * 1.0001
}

struct TexelSampler {
    random: Random,
    side: f32,
}

impl TexelSampler {
    fn inside_texel(&mut self, frame: &Mat3) -> Vec3 {
        self.side * ((self.random.unit() - 0.5) * frame.x_axis + (self.random.unit() - 0.5) * frame.y_axis)
    }

    fn on_sphere(&mut self) -> Vec3 {
        let (z, angle) = (2.0 * self.random.unit() - 1.0, TAU * self.random.unit());
        let radius = (1.0 - z * z).sqrt();
        Vec3::new(radius * angle.cos(), radius * angle.sin(), z)
    }
}

impl LightMap {
    /// Bilinear between texel centers.
    fn at(&self, st: Vec2) -> Vec3 {
        let x = st.x * self.columns as f32 - 0.5;
        let y = (st.y * self.rows as f32 - 0.5).clamp(0.0, (self.rows - 1) as f32);
        let x = if self.wraps { x } else { x.clamp(0.0, (self.columns - 1) as f32) };
        let (x0, y0) = (x.floor(), y.floor());
        let column = |i: i64| i.rem_euclid(self.columns as i64) as usize;
        let (left, top) = (column(x0 as i64), y0 as usize);
        let right = if self.wraps { column(x0 as i64 + 1) } else { (left + 1).min(self.columns - 1) };
        let row = |y: usize| {
            let texels = &self.texels[y * self.columns..];
            texels[left].lerp(texels[right], x - x0)
        };
        row(top).lerp(row((top + 1).min(self.rows - 1)), y - y0)
    }
}

fn glowing(lamp: &super::description::Lamp) -> Glowing {
    let intensity = lamp.color.linear() * lamp.intensity;
    let radiance = intensity / (PI * lamp.radius * lamp.radius);
    Glowing { center: Vec3::from(lamp.center), radius: lamp.radius, intensity, radiance }
}

/// All shapes with their materials; shapes of unknown material (validation refuses them) are left out.
fn solids(scene: &Scene) -> Vec<Solid<'_>> {
    let panels = scene.panels.iter().map(|p| {
        let frame = upright(Vec3::from(p.facing).normalize());
        (Shape::Panel { center: Vec3::from(p.center), frame, half: Vec2::from(p.size) / 2.0 }, &p.material)
    });
    let boxes = scene.boxes.iter().map(|b| {
        let turn = Mat3::from_rotation_z(b.yaw.to_radians());
        (Shape::Box { center: Vec3::from(b.center), turn, half: Vec3::from(b.size) / 2.0 }, &b.material)
    });
    let spheres =
        scene.spheres.iter().map(|s| (Shape::Sphere { center: Vec3::from(s.center), radius: s.radius }, &s.material));
    let cylinders = scene.cylinders.iter().map(|c| {
        (Shape::Cylinder { center: Vec3::from(c.center), radius: c.radius, half: c.height / 2.0 }, &c.material)
    });
    let mut maps = 0;
    let shapes = panels.chain(boxes).chain(spheres).chain(cylinders);
    shapes
        .filter_map(|(shape, name)| {
            let material = scene.materials.get(name)?;
            let first = maps;
            maps += shape.charts();
            Some(Solid { bound: shape.bound(), shape, material, maps: first })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::Silent;

    /// One lamp two meters above a large plain floor; no sky, no moon, no bounce.
    fn floor_and_lamp(extra: &str) -> Scene {
        toml::from_str(&format!(
            "{}\n{extra}",
            r##"
            seed = 1
            camera = { width = 32, height = 24, fov = 60, train = 3, test = 1, target = [0, 0, 0], radius = 3, arc = [0, 90], heights = [1, 1], swings = 1, antialias = 1 }
            sensor = { exposure = 1, ratio = 40, full_well = 1e4, read_noise = 2, quality = 95 }
            light = { sky = "#ffffff", sky_radiance = 0, moon = "#ffffff", moon_irradiance = 0, moon_direction = [0, 0, 1], texel = 0.1, samples = 16, bounces = 0 }
            materials.white = { texture = { pattern = "plain", color = "#ffffff" } }
            panels = [{ center = [0, 0, 0], facing = [0, 0, 1], size = [4, 4], material = "white" }]
            lamps = [{ center = [0, 0, 2], radius = 0.01, color = "#ffffff", intensity = 8 }]
            "##
        ))
        .unwrap()
    }

    fn down(x: f32, y: f32) -> Ray {
        Ray { origin: Vec3::new(x, y, 1.0), direction: Vec3::NEG_Z }
    }

    #[test]
    fn a_lamp_over_a_floor_follows_the_inverse_square_law() {
        let scene = floor_and_lamp("");
        let world = World::new(&scene, &Silent::default()).unwrap();
        // Irradiance I·cosθ/d², radiance that over π.
        for (x, y) in [(0.0_f32, 0.0_f32), (1.0, 0.0), (-1.2, 1.1)] {
            let square = 4.0 + x * x + y * y;
            let expected = 8.0 * 2.0 / square.powf(1.5) / PI;
            let radiance = world.radiance(&down(x, y)).x;
            assert!((radiance / expected - 1.0).abs() < 0.02, "{radiance} {expected}");
        }
        assert_eq!(world.radiance(&Ray { origin: Vec3::Z, direction: Vec3::X }), Vec3::ZERO);
    }

    #[test]
    fn a_box_throws_a_shadow() {
        let scene =
            floor_and_lamp("boxes = [{ center = [0.5, 0, 1.0], size = [0.4, 0.4, 0.1], material = \"white\" }]");
        let world = World::new(&scene, &Silent::default()).unwrap();
        let below = Ray { origin: Vec3::new(1.0, 0.0, 0.5), direction: Vec3::NEG_Z };
        assert_eq!(world.radiance(&below), Vec3::ZERO);
        assert!(world.radiance(&down(-1.0, 0.0)).x > 0.3);
    }

    #[test]
    fn an_even_sky_gives_an_even_floor() {
        let mut scene = floor_and_lamp("");
        scene.lamps.clear();
        (scene.light.sky_radiance, scene.light.bounces) = (0.7, 1);
        let world = World::new(&scene, &Silent::default()).unwrap();
        for x in [-1.9, 0.0, 1.3] {
            assert!((world.radiance(&down(x, 0.2)).y - 0.7).abs() < 1e-4);
        }
    }
}
