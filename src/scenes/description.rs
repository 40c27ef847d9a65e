//! The contents of a scene file. Lengths in meters, z up, angles in degrees, colors as `"#rrggbb"` (sRGB, as a picker
//! shows them).

use super::color::Color;
use super::texture::Material;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// A procedural scene: what stands in it, what lights it, and how it is photographed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scene {
    /// Name for its results; by default that of its folder.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Seed of all random numbers: the same seed gives the same files.
    pub seed: u32,
    /// Where photographs are taken.
    pub camera: CameraPath,
    /// What takes them.
    pub sensor: Sensor,
    /// What lights the scene everywhere.
    pub light: Light,
    /// Surfaces by name.
    pub materials: BTreeMap<String, Material>,
    /// Round lights.
    #[serde(default)]
    pub lamps: Vec<Lamp>,
    /// Flat surfaces with two sides.
    #[serde(default)]
    pub panels: Vec<Panel>,
    /// Boxes.
    #[serde(default)]
    pub boxes: Vec<Cuboid>,
    /// Balls.
    #[serde(default)]
    pub spheres: Vec<Sphere>,
    /// Upright cylinders.
    #[serde(default)]
    pub cylinders: Vec<Cylinder>,
}

/// Cameras on an arc around a point that they all look at. Test views lie between train views.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CameraPath {
    /// Width of the pictures, pixels.
    pub width: u32,
    /// Height of the pictures, pixels.
    pub height: u32,
    /// Horizontal field of view.
    pub fov: f64,
    /// Number of train views.
    pub train: u32,
    /// Number of test views, fewer than train views.
    pub test: u32,
    /// The point in the middle of every picture.
    pub target: [f64; 3],
    /// Distance from the target on the ground plan.
    pub radius: f64,
    /// Azimuth of the first and the last view, counter-clockwise from +x.
    pub arc: [f64; 2],
    /// Lowest and highest camera, above z = 0; the path swings between them.
    pub heights: [f64; 2],
    /// How often it swings along the arc.
    pub swings: f64,
    /// Samples a pixel along each side.
    pub antialias: u32,
}

/// From radiance to the two pictures: `lit = curve(exposure · radiance)` and
/// `dark = curve(noise(exposure · radiance / ratio))`, with the sRGB curve.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sensor {
    /// Factor from radiance to recorded light.
    pub exposure: f64,
    /// How many times shorter the dark exposure is.
    pub ratio: f64,
    /// Electrons at white, that is, at linear value 1 of either picture: shot noise is their Poisson noise.
    pub full_well: f64,
    /// Standard deviation of the read-out, in electrons.
    pub read_noise: f64,
    /// JPEG quality of the dark pictures (4:2:0).
    pub quality: u8,
    /// Stops by which an automatic exposure moves up and down, about; 0 for a fixed one. EXIF data say by how much.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub auto_exposure: f64,
    /// Natural logarithm by which red and blue drift up and down, about; 0 for a fixed white balance.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub balance_drift: f64,
    /// What the dark pictures are written as.
    #[serde(default, skip_serializing_if = "PictureFile::is_jpeg")]
    pub file: PictureFile,
}

/// What a camera makes of a dark exposure.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PictureFile {
    /// JPEG of a sensor that records all three colors at every pixel.
    #[default]
    Jpeg,
    /// PNG of 16 bits of the same sensor: noisy as the JPEG, but not rounded to whole levels.
    Png,
    /// The 14-bit samples of a Bayer mosaic.
    Dng,
    /// JPEG that is developed from the same samples.
    DevelopedJpeg,
}

impl PictureFile {
    fn is_jpeg(&self) -> bool {
        *self == Self::Jpeg
    }
}

fn is_zero(value: &f64) -> bool {
    *value == 0.0
}

/// Light that has no place in the scene, and how finely light is computed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Light {
    /// Color of the sky.
    pub sky: Color,
    /// Radiance of the sky.
    pub sky_radiance: f32,
    /// Color of the moon.
    pub moon: Color,
    /// Irradiance of a surface that faces the moon; 0 for none.
    pub moon_irradiance: f32,
    /// Where the moon stands, as a direction.
    pub moon_direction: [f32; 3],
    /// Side of a light-map texel.
    pub texel: f32,
    /// Shadow rays per texel and lamp; the gathering passes follow four times as many directions.
    pub samples: u32,
    /// How many times light is passed on between surfaces.
    pub bounces: u32,
}

/// A glowing sphere that lights the scene, with soft shadows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lamp {
    /// Where it is.
    pub center: [f32; 3],
    /// Its radius.
    pub radius: f32,
    /// Its radiance.
    pub color: Color,
    /// Radiant intensity: irradiance at one meter.
    pub intensity: f32,
}

/// A rectangle, seen from the side it faces only.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Panel {
    /// Its middle.
    pub center: [f32; 3],
    /// Where its front looks.
    pub facing: [f32; 3],
    /// Width and height as one sees it, upright.
    pub size: [f32; 2],
    /// The name of its material.
    pub material: String,
}

/// A box on any side of which the texture starts at the upper left corner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cuboid {
    /// Its middle.
    pub center: [f32; 3],
    /// Its extent along each axis.
    pub size: [f32; 3],
    /// Turned about the vertical.
    #[serde(default)]
    pub yaw: f32,
    /// The name of its material.
    pub material: String,
}

/// A ball.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sphere {
    /// Its middle.
    pub center: [f32; 3],
    /// Its radius.
    pub radius: f32,
    /// The name of its material.
    pub material: String,
}

/// An upright cylinder with a lid.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cylinder {
    /// Its middle.
    pub center: [f32; 3],
    /// Its radius.
    pub radius: f32,
    /// Its height.
    pub height: f32,
    /// The name of its material.
    pub material: String,
}

impl Scene {
    /// The embedded night courtyard.
    ///
    /// # Errors
    /// None in a released program: a test reads it.
    pub fn night() -> Result<Self> {
        Self::parse(include_str!("../../scenes/night.toml"), Path::new("scenes/night.toml"))
    }

    /// Reads a scene file.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Input`] with the line or key at fault.
    pub fn load(path: &Path) -> Result<Self> {
        Self::parse(&std::fs::read_to_string(path).map_err(Error::io(path))?, path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self> {
        let scene: Self = toml::from_str(text)
            .map_err(|e| Error::input(path, e.to_string().trim_end().to_owned(), "see docs/demo.md for the keys"))?;
        scene.validate().map_err(|found| Error::input(path, found, "change this value"))?;
        Ok(scene)
    }

    /// The first value that no scene can have, with its key.
    fn validate(&self) -> std::result::Result<(), String> {
        let (c, s, l) = (&self.camera, &self.sensor, &self.light);
        let rules = [
            ("camera.width and height", c.width >= 8 && c.height >= 8 && c.width <= 8192 && c.height <= 8192),
            ("camera.fov", c.fov > 1.0 && c.fov < 170.0),
            ("camera.train", (3..=9999).contains(&c.train)),
            ("camera.test", c.test < c.train),
            ("camera.radius", c.radius > 0.0 && c.radius.is_finite()),
            ("camera.antialias", (1..=16).contains(&c.antialias)),
            ("camera", all_finite(&[c.target.as_slice(), &c.arc, &c.heights, &[c.swings]].concat())),
            ("sensor.exposure", s.exposure > 0.0 && s.exposure.is_finite()),
            ("sensor.ratio", s.ratio >= 1.0 && s.ratio.is_finite()),
            ("sensor.full_well", s.full_well > 0.0 && s.full_well.is_finite()),
            ("sensor.read_noise", s.read_noise >= 0.0 && s.read_noise.is_finite()),
            ("sensor.quality", (1..=100).contains(&s.quality)),
            ("light.texel", l.texel >= 0.005 && l.texel.is_finite()),
            ("light.samples", (1..=256).contains(&l.samples)),
            ("light.bounces", l.bounces <= 8),
            ("light.moon_direction", glam::Vec3::from(l.moon_direction).try_normalize().is_some()),
        ];
        if let Some((key, _)) = rules.iter().find(|(_, holds)| !holds) {
            return Err(format!("{key} is out of range"));
        }
        self.validate_shapes()
    }

    fn validate_shapes(&self) -> std::result::Result<(), String> {
        let facing = |p: &Panel| glam::Vec3::from(p.facing).try_normalize().is_some();
        let panels = self.panels.iter().map(|p| ("panels", &p.material, facing(p) && positive(&p.size)));
        let boxes = self.boxes.iter().map(|b| ("boxes", &b.material, positive(&b.size)));
        let spheres = self.spheres.iter().map(|s| ("spheres", &s.material, positive(&[s.radius])));
        let cylinders = self.cylinders.iter().map(|c| ("cylinders", &c.material, positive(&[c.radius, c.height])));
        for (i, (kind, material, sound)) in panels.chain(boxes).chain(spheres).chain(cylinders).enumerate() {
            if !sound {
                return Err(format!("{kind}: shape {} of the file ({material}) has an impossible size", i + 1));
            }
            if !self.materials.contains_key(material) {
                return Err(format!("{kind}: there is no material {material:?}"));
            }
        }
        if self.lamps.iter().any(|l| !positive(&[l.radius]) || l.intensity < 0.0) {
            return Err("lamps: radius must be positive and intensity not negative".to_owned());
        }
        match self.materials.iter().find(|(_, m)| !m.texture.sound()) {
            Some((name, _)) => Err(format!("materials.{name}: sizes must be positive")),
            None => Ok(()),
        }
    }
}

fn positive(values: &[f32]) -> bool {
    values.iter().all(|v| *v > 0.0 && v.is_finite())
}

fn all_finite(values: &[f64]) -> bool {
    values.iter().all(|v| v.is_finite())
}
