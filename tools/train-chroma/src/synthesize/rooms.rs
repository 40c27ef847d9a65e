//! Random furnished rooms: scenes whose true light is known everywhere.

use super::draw::{between, black_body, scaled};
use glam::Vec3;
use naka_gs::scenes::{
    CameraPath, Color, Cuboid, Cylinder, Lamp, Light, Material, Panel, PictureFile, Random, Scene, Sensor, Sphere,
    Texture,
};
use std::collections::BTreeMap;

/// A room under construction.
struct Room {
    random: Random,
    /// Half width, half depth, height.
    size: [f32; 3],
    scene: Scene,
}

/// The room that belongs to `seed`, photographed by `views` train and `tests` test views of `width` × `height`.
pub fn room(seed: u32, [views, tests]: [u32; 2], [width, height]: [u32; 2]) -> Scene {
    let mut random = Random::new(&[0x600D, u64::from(seed)]);
    let size = [between(&mut random, 2.0, 3.4), between(&mut random, 2.0, 3.4), between(&mut random, 2.4, 3.2)];
    let camera = camera(&mut random, size, [views, tests], [width, height]);
    let scene = Scene {
        name: format!("room {seed}"),
        seed,
        camera,
        sensor: Sensor {
            exposure: 1.0,
            ratio: 40.0,
            full_well: 20_000.0,
            read_noise: 3.0,
            quality: 95,
            auto_exposure: 0.0,
            balance_drift: 0.0,
            file: PictureFile::Jpeg,
        },
        light: light(&mut random),
        materials: BTreeMap::new(),
        lamps: Vec::new(),
        panels: Vec::new(),
        boxes: Vec::new(),
        spheres: Vec::new(),
        cylinders: Vec::new(),
    };
    let mut room = Room { random, size, scene };
    room.shell();
    room.on_the_walls();
    room.furniture();
    room.lamps();
    room.scene
}

fn camera(random: &mut Random, size: [f32; 3], [train, test]: [u32; 2], [width, height]: [u32; 2]) -> CameraPath {
    let middle = f64::from(between(random, -110.0, -70.0));
    let spread = f64::from(between(random, 28.0, 55.0));
    let low = f64::from(between(random, 0.9, 1.4));
    CameraPath {
        width,
        height,
        fov: f64::from(between(random, 55.0, 72.0)),
        train,
        test,
        target: [0.0, f64::from(0.35 * size[1]), f64::from(between(random, 0.5, 0.9))],
        radius: f64::from(between(random, 0.75, 1.1) * size[0].min(size[1])),
        arc: [middle - spread, middle + spread],
        heights: [low, low + 0.7],
        swings: 2.0,
        antialias: 2,
    }
}

fn light(random: &mut Random) -> Light {
    Light {
        sky: Color::from_linear(Vec3::ONE),
        sky_radiance: scaled(random, 0.005, 0.08),
        moon: Color::from_linear(Vec3::ONE),
        moon_irradiance: 0.0,
        moon_direction: [0.0, 0.0, 1.0],
        texel: 0.12,
        samples: 9,
        bounces: 1,
    }
}

impl Room {
    fn unit(&mut self) -> f32 {
        self.random.unit()
    }

    fn between(&mut self, low: f32, high: f32) -> f32 {
        between(&mut self.random, low, high)
    }

    /// The albedo of a thing: grays, woods, strong colors, dark things.
    fn albedo(&mut self) -> Vec3 {
        let kind = self.unit();
        let bright = scaled(&mut self.random, 0.12, 0.85);
        match () {
            () if kind < 0.25 => bright * self.near_gray(0.12),
            () if kind < 0.45 => bright * Vec3::new(0.9, self.between(0.45, 0.7), self.between(0.15, 0.4)),
            () if kind < 0.80 => bright.max(0.25) * self.strong(),
            () => scaled(&mut self.random, 0.015, 0.1) * self.near_gray(0.4),
        }
    }

    fn near_gray(&mut self, spread: f32) -> Vec3 {
        Vec3::from(std::array::from_fn(|_| 1.0 - spread * self.random.unit()))
    }

    /// A hue at random, rather saturated.
    fn strong(&mut self) -> Vec3 {
        let (hue, weak) = (6.0 * self.unit(), self.between(0.02, 0.4));
        let channel = |shift: f32| {
            let distance = ((hue + shift).rem_euclid(6.0) - 3.0).abs();
            weak + (1.0 - weak) * (distance - 1.0).clamp(0.0, 1.0)
        };
        Vec3::new(channel(0.0), channel(4.0), channel(2.0))
    }

    /// Two colors for a texture: of different kinds, or shades of one.
    fn pair(&mut self) -> [Color; 2] {
        let first = self.albedo();
        let second = if self.unit() < 0.5 { self.albedo() } else { first * self.between(0.35, 0.8) };
        [Color::from_linear(first), Color::from_linear(second)]
    }

    /// Adds a random material and names it.
    fn material(&mut self) -> String {
        let texture = match (self.unit() * 8.0) as u32 {
            0 | 1 => Texture::Plain { color: Color::from_linear(self.albedo()) },
            2 => Texture::Checker { colors: self.pair(), size: self.between(0.08, 0.3) },
            3 => Texture::Planks { colors: self.pair(), width: self.between(0.08, 0.2) },
            4 => Texture::Stripes {
                colors: self.pair(),
                width: self.between(0.04, 0.2),
                angle: self.between(0.0, 180.0),
            },
            5 => {
                let [a, b] = self.pair();
                Texture::Tiles { colors: [a, b, Color::from_linear(self.albedo())], size: self.between(0.15, 0.4) }
            }
            6 => {
                let [ink, paper] = self.pair();
                Texture::Letters { ink, paper, height: self.between(0.12, 0.3), text: String::new() }
            }
            _ => Texture::Noise { colors: self.pair(), size: self.between(0.05, 0.5) },
        };
        let gloss = if self.unit() < 0.3 { self.between(0.1, 0.7) } else { 0.0 };
        let grain = self.between(0.0, 0.4);
        self.add(Material { texture, grain, glow: 0.0, gloss })
    }

    fn add(&mut self, material: Material) -> String {
        let name = format!("surface-{:02}", self.scene.materials.len() + 1);
        self.scene.materials.insert(name.clone(), material);
        name
    }

    /// A wall is plain more often than not, bright more often than not.
    fn wall(&mut self) -> String {
        let tint = if self.unit() < 0.6 { self.near_gray(0.25) } else { 0.6 * self.strong() + 0.4 };
        let paint = self.between(0.25, 0.8) * tint;
        let colors = [Color::from_linear(paint), Color::from_linear(0.8 * paint)];
        let texture = match (self.unit() * 6.0) as u32 {
            0..3 => Texture::Plain { color: colors[0] },
            3 => Texture::Noise { colors, size: self.between(0.3, 1.2) },
            4 => Texture::Stripes { colors, width: self.between(0.05, 0.3), angle: 0.0 },
            _ => {
                let size = [self.between(0.2, 0.4), self.between(0.08, 0.15)];
                Texture::Bricks { colors, mortar: Color::from_linear(self.albedo()), size, joint: 0.015 }
            }
        };
        let grain = self.between(0.0, 0.25);
        self.add(Material { texture, grain, glow: 0.0, gloss: 0.0 })
    }

    /// Floor, ceiling and four walls.
    fn shell(&mut self) {
        let [w, d, h] = self.size;
        let floor = self.material();
        let ceiling = self.wall();
        let painted = self.wall();
        let accent = self.wall();
        let mut panel = |center, facing, size, material: &String| {
            self.scene.panels.push(Panel { center, facing, size, material: material.clone() });
        };
        panel([0.0, 0.0, 0.0], [0.0, 0.0, 1.0], [2.0 * w, 2.0 * d], &floor);
        panel([0.0, 0.0, h], [0.0, 0.0, -1.0], [2.0 * w, 2.0 * d], &ceiling);
        panel([0.0, d, h / 2.0], [0.0, -1.0, 0.0], [2.0 * w, h], &accent);
        panel([0.0, -d, h / 2.0], [0.0, 1.0, 0.0], [2.0 * w, h], &painted);
        panel([-w, 0.0, h / 2.0], [1.0, 0.0, 0.0], [2.0 * d, h], &painted);
        panel([w, 0.0, h / 2.0], [-1.0, 0.0, 0.0], [2.0 * d, h], &painted);
    }

    /// Pictures, boards, a carpet.
    fn on_the_walls(&mut self) {
        let [w, d, h] = self.size;
        for _ in 0..2 + (self.unit() * 4.0) as u32 {
            let (size, z) = ([self.between(0.3, 1.2), self.between(0.3, 0.9)], self.between(1.2, h - 0.6));
            let (center, facing) = match (self.unit() * 3.0) as u32 {
                0 => ([self.between(0.6 - w, w - 0.6), d - 0.01, z], [0.0, -1.0, 0.0]),
                1 => ([0.01 - w, self.between(0.0, d - 0.6), z], [1.0, 0.0, 0.0]),
                _ => ([w - 0.01, self.between(0.0, d - 0.6), z], [-1.0, 0.0, 0.0]),
            };
            let material = self.material();
            self.scene.panels.push(Panel { center, facing, size, material });
        }
        if self.unit() < 0.5 {
            let size = [self.between(1.0, 2.0), self.between(0.8, 1.6)];
            let material = self.material();
            let center = [self.between(-0.5, 0.5), 0.3 * d, 0.01];
            self.scene.panels.push(Panel { center, facing: [0.0, 0.0, 1.0], size, material });
        }
    }

    /// Boxes on the floor along the walls and a table or two, with things on top.
    fn furniture(&mut self) {
        let [w, d, _] = self.size;
        for i in 0..6 + (self.unit() * 6.0) as u32 {
            let size = [self.between(0.3, 1.1), self.between(0.3, 0.7), scaled(&mut self.random, 0.3, 1.8)];
            let at = match i % 3 {
                0 => [self.between(0.5 - w, w - 0.5), d - 0.4],
                1 => [if self.unit() < 0.5 { 0.4 - w } else { w - 0.4 }, self.between(-0.2, d - 0.5)],
                _ => [self.between(-0.9, 0.9), 0.35 * d + self.between(-0.4, 0.7)],
            };
            let size = if i % 3 == 2 { [size[0], size[1], size[2].min(0.8)] } else { size };
            let material = self.material();
            let yaw = if i % 3 == 2 { self.between(-45.0, 45.0) } else { 90.0 * (i % 3) as f32 };
            let center = [at[0], at[1], size[2] / 2.0];
            self.scene.boxes.push(Cuboid { center, size, yaw, material });
            self.things([at[0], at[1], size[2]], 0.3 * size[0].min(size[1]));
        }
    }

    /// Small things on a surface at `base`, within `reach` of its middle.
    fn things(&mut self, base: [f32; 3], reach: f32) {
        for _ in 0..(self.unit() * 5.0) as u32 {
            let [x, y] = [base[0] + self.between(-reach, reach), base[1] + self.between(-reach, reach)];
            let (size, material) = (self.between(0.05, 0.16), self.material());
            match (self.unit() * 3.0) as u32 {
                0 => self.scene.spheres.push(Sphere { center: [x, y, base[2] + size], radius: size, material }),
                1 => {
                    let height = self.between(0.1, 0.4);
                    let center = [x, y, base[2] + height / 2.0];
                    self.scene.cylinders.push(Cylinder { center, radius: 0.6 * size, height, material });
                }
                _ => {
                    let size = [2.0 * size, 1.5 * size, self.between(0.06, 0.3)];
                    let yaw = self.between(0.0, 90.0);
                    let center = [x, y, base[2] + size[2] / 2.0];
                    self.scene.boxes.push(Cuboid { center, size, yaw, material });
                }
            }
        }
    }

    /// One to four lamps: mostly of one color temperature, sometimes a strongly colored one among them.
    fn lamps(&mut self) {
        let [w, d, h] = self.size;
        let kelvin = 1.0 / self.between(1.0 / 6800.0, 1.0 / 2500.0);
        let count = 1 + (self.unit() * 4.0) as u32;
        for i in 0..count {
            let own = if self.unit() < 0.3 { 1.0 / self.between(1.0 / 9000.0, 1.0 / 2500.0) } else { kelvin };
            let mut light = black_body(own);
            if i > 0 && self.unit() < 0.2 {
                light = self.strong();
            }
            let hanging = i == 0 || self.unit() < 0.5;
            let center = if hanging {
                [self.between(-0.6, 0.6) * w, self.between(-0.5, 0.7) * d, h - self.between(0.15, 0.7)]
            } else {
                let side = if self.unit() < 0.5 { 0.35 - w } else { w - 0.35 };
                [side, self.between(0.0, 0.85) * d, self.between(1.1, 1.9)]
            };
            let intensity = scaled(&mut self.random, 2.0, 10.0);
            let radius = self.between(0.05, 0.14);
            let lamp = Lamp { center, radius, color: Color::from_linear(light / light.max_element()), intensity };
            self.scene.lamps.push(lamp);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rooms_are_sound_scenes_that_differ() {
        let dir = tempfile::tempdir().unwrap();
        for seed in 0..40 {
            let scene = room(seed, [8, 3], [336, 222]);
            let path = dir.path().join(format!("{seed}.toml"));
            std::fs::write(&path, toml::to_string(&scene).unwrap()).unwrap();
            assert_eq!(Scene::load(&path).unwrap(), scene);
            assert_eq!(room(seed, [8, 3], [336, 222]), scene);
            assert_ne!(room(seed + 1, [8, 3], [336, 222]).boxes, scene.boxes);
            assert!(scene.boxes.len() >= 6 && !scene.lamps.is_empty());
        }
    }
}
