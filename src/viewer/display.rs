//! What of a scene is looked at, and how.

use super::picture::Shot;
use super::scene::{Model, Scene};
use super::show::{Channel, Tone};
use crate::capture::Camera;
use crate::color::warmth;
use crate::splat::{Bounds, Raster, RenderSettings, Style};

/// What is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    Render,
    Depth,
    Opacity,
    Ellipses,
    Points,
}

impl What {
    /// All, in the order of the panel.
    pub const ALL: [Self; 5] = [Self::Render, Self::Depth, Self::Opacity, Self::Ellipses, Self::Points];

    /// As the panel says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Render => "Render",
            Self::Depth => "Depth",
            Self::Opacity => "Opacity",
            Self::Ellipses => "Ellipses",
            Self::Points => "Points",
        }
    }
}

/// The panel's settings of the picture.
#[derive(Clone, Debug, PartialEq)]
pub struct DisplayOptions {
    pub what: What,
    /// Exposure in stops: each doubles the light.
    pub stops: f32,
    /// EV by which red light grows against blue.
    pub warmth: f32,
    pub background: [f32; 3],
    /// Highest SH band in use.
    pub sh_degree: u32,
    pub antialiased: bool,
    /// Factor of the splats' sizes, and of those of points.
    pub splat_size: f32,
    pub point_size: f32,
    /// Splats below this opacity are left out.
    pub min_opacity: f32,
    /// Splats above this size, as a share of the scene's radius, are left out; 1 leaves none out.
    pub max_scale: f32,
    /// Depths at the ends of the color map; by the scene's bounds if not given.
    pub depths: Option<[f32; 2]>,
}

impl Default for DisplayOptions {
    fn default() -> Self {
        Self {
            what: What::Render,
            stops: 0.0,
            warmth: 0.0,
            background: [0.0; 3],
            sh_degree: 3,
            antialiased: false,
            splat_size: 1.0,
            point_size: 1.0,
            min_opacity: 0.0,
            max_scale: 1.0,
            depths: None,
        }
    }
}

impl DisplayOptions {
    /// Factors of linear red, green and blue light.
    pub fn gain(&self) -> [f32; 3] {
        warmth(self.warmth).map(|factor| factor * self.stops.exp2())
    }

    /// Factor of the sizes of what is looked at.
    fn size(&self) -> f32 {
        if self.what == What::Points { self.point_size } else { self.splat_size }
    }

    /// The model of `scene` that is shown: the selected one, or whichever exists.
    pub fn model<'s>(&self, scene: &'s Scene) -> Option<&'s Model> {
        let (splats, points) = (scene.splats.as_ref(), scene.points.as_ref());
        if self.what == What::Points { points.or(splats) } else { splats.or(points) }
    }

    /// The picture of `model`, which has the number `state`, from `camera`.
    pub fn shot(&self, model: &Model, state: u64, camera: Camera) -> Shot {
        let Bounds { radius, .. } = model.bounds;
        let max_scale = if self.max_scale < 1.0 { self.max_scale * radius as f32 } else { f32::MAX };
        let settings = RenderSettings {
            background: [0.0; 3],
            sh_degree: self.sh_degree.min(model.tensors().sh_degree),
            antialiased: self.antialiased,
            style: Style { scale_modifier: self.size(), max_scale, min_opacity: self.min_opacity },
        };
        let channel = match self.what {
            What::Depth => Channel::Depth,
            What::Opacity => Channel::Opacity,
            What::Render | What::Ellipses | What::Points => Channel::Color,
        };
        let tone = Tone {
            channel,
            gain: self.gain(),
            background: self.background,
            depths: self.depths.unwrap_or_else(|| model.bounds.depths(&camera)),
        };
        let raster = match self.what {
            What::Ellipses => Raster::Ellipses,
            What::Depth => Raster::Depth,
            What::Render | What::Opacity | What::Points => Raster::Color,
        };
        Shot { model: state, camera, settings, raster, tone }
    }
}
