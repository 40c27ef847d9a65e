//! Procedural textures: color as a function of the place on a surface, in meters right and down from its upper left
//! corner. They are full of edges and irregularities at several scales, because a reconstruction needs those.

use super::color::Color;
use super::letters::{CELL_HEIGHT, CELL_WIDTH, ink};
use super::random::{lattice, rough_noise, smooth_noise};
use glam::Vec3;
use serde::{Deserialize, Serialize};

/// What a surface looks like.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Material {
    /// What it looks like.
    pub texture: Texture,
    /// Depth of a fine irregular darkening, 0 to 1.
    #[serde(default)]
    pub grain: f32,
    /// Radiance at albedo 1 for surfaces that glow by themselves.
    #[serde(default)]
    pub glow: f32,
    /// Strength of the lamps' highlights.
    #[serde(default)]
    pub gloss: f32,
}

/// A pattern and its colors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "pattern", rename_all = "lowercase", deny_unknown_fields)]
pub enum Texture {
    /// One color.
    Plain {
        /// Its color.
        color: Color,
    },
    /// Squares of alternating colors.
    Checker {
        /// Of even and odd fields.
        colors: [Color; 2],
        /// Side of a field.
        size: f32,
    },
    /// Courses of bricks, each of its own shade, between the two colors, in mortar.
    Bricks {
        /// Between which bricks vary.
        colors: [Color; 2],
        /// Between bricks.
        mortar: Color,
        /// Width and height of a brick.
        size: [f32; 2],
        /// Width of the mortar.
        joint: f32,
    },
    /// Upright boards with grain, each of its own shade.
    Planks {
        /// Between which the grain varies.
        colors: [Color; 2],
        /// Of a plank.
        width: f32,
    },
    /// Clouds between two colors.
    Noise {
        /// Between which it varies.
        colors: [Color; 2],
        /// Of its largest parts.
        size: f32,
    },
    /// Straight bands; `angle` 0 is upright.
    Stripes {
        /// Of even and odd stripes.
        colors: [Color; 2],
        /// Of a stripe.
        width: f32,
        /// Degrees from the vertical.
        angle: f32,
    },
    /// Glazed tiles with rings, petals and a frame.
    Tiles {
        /// Of the ground, of petals, and of middles, corners and (darker) joints.
        colors: [Color; 3],
        /// Side of a tile.
        size: f32,
    },
    /// Lines of letters of the given `height`, over and over; made-up glyphs if `text` is empty.
    Letters {
        /// Of the letters.
        ink: Color,
        /// Behind the letters.
        paper: Color,
        /// Of a line.
        height: f32,
        /// Lines of letters.
        #[serde(default)]
        text: String,
    },
    /// A window of panes with a cross bar.
    Panes {
        /// Between which panes vary.
        glass: [Color; 2],
        /// Between panes.
        frame: Color,
        /// Width and height of a pane.
        size: [f32; 2],
        /// Width of a bar.
        bar: f32,
    },
}

impl Texture {
    /// Whether all sizes are usable.
    pub(super) fn sound(&self) -> bool {
        let sizes: &[f32] = match self {
            Self::Plain { .. } => &[],
            Self::Checker { size, .. } | Self::Noise { size, .. } | Self::Tiles { size, .. } => &[*size],
            Self::Planks { width, .. } | Self::Stripes { width, .. } => &[*width],
            Self::Letters { height, .. } => &[*height],
            Self::Bricks { size, .. } | Self::Panes { size, .. } => size,
        };
        sizes.iter().all(|s| *s > 0.0 && s.is_finite())
    }
}

/// Linear color of `material` at `(u, v)`; `seed` sets irregularities apart from surface to surface.
pub fn albedo(material: &Material, u: f32, v: f32, seed: u32) -> Vec3 {
    let color = match &material.texture {
        Texture::Plain { color } => color.linear(),
        Texture::Checker { colors, size } => {
            pick(colors, ((u / size).floor() + (v / size).floor()).rem_euclid(2.0) < 1.0)
        }
        Texture::Bricks { colors, mortar, size, joint } => bricks(colors, *mortar, *size, *joint, (u, v), seed),
        Texture::Planks { colors, width } => planks(colors, *width, (u, v), seed),
        Texture::Noise { colors, size } => blend(colors, 1.6 * rough_noise(u / size, v / size, seed) - 0.3),
        Texture::Stripes { colors, width, angle } => {
            let (sin, cos) = angle.to_radians().sin_cos();
            pick(colors, ((u * cos + v * sin) / width).rem_euclid(2.0) < 1.0)
        }
        Texture::Tiles { colors, size } => tiles(colors, u / size, v / size, seed),
        Texture::Letters { ink, paper, height, text } => {
            pick(&[*ink, *paper], letter(u / height, v / height, text, seed))
        }
        Texture::Panes { glass, frame, size, bar } => panes(glass, *frame, *size, *bar, (u, v), seed),
    };
    if material.grain <= 0.0 {
        return color;
    }
    let grain = 0.6 * rough_noise(u / 0.07, v / 0.07, seed ^ 0x55) + 0.4 * rough_noise(u / 0.6, v / 0.6, seed ^ 0xAA);
    color * (1.0 - material.grain * grain)
}

fn pick(colors: &[Color; 2], first: bool) -> Vec3 {
    colors[usize::from(!first)].linear()
}

fn blend(colors: &[Color; 2], t: f32) -> Vec3 {
    colors[0].linear().lerp(colors[1].linear(), t.clamp(0.0, 1.0))
}

fn bricks(colors: &[Color; 2], mortar: Color, size: [f32; 2], joint: f32, (u, v): (f32, f32), seed: u32) -> Vec3 {
    let course = (v / size[1]).floor();
    let along = u / size[0] + 0.5 * course.rem_euclid(2.0);
    let (x, y) = ((along - along.floor()) * size[0], v - course * size[1]);
    if x < joint || y < joint {
        return mortar.linear();
    }
    let (i, j) = (along.floor() as i32, course as i32);
    let shade = 0.75 + 0.5 * lattice(i, j, seed ^ 1);
    blend(colors, lattice(i, j, seed)) * shade.min(1.2) * (0.8 + 0.3 * rough_noise(u / 0.05, v / 0.05, seed))
}

fn planks(colors: &[Color; 2], width: f32, (u, v): (f32, f32), seed: u32) -> Vec3 {
    let board = (u / width).floor();
    let across = u / width - board;
    if !(0.04..0.96).contains(&across) {
        return colors[0].linear() * 0.25;
    }
    let bend = 0.5 * smooth_noise(board * 7.1, v * 1.3, seed);
    let rings = ((across * 5.0 + bend * 9.0 + 0.4 * rough_noise(u * 9.0, v * 2.0, seed)) * 3.0).sin();
    let fibers = rough_noise(u * 160.0, v * 6.0, seed ^ 3);
    blend(colors, 0.3 * lattice(board as i32, 0, seed) + 0.3 * (0.5 + 0.5 * rings) + 0.5 * fibers)
}

fn tiles(colors: &[Color; 3], x: f32, y: f32, seed: u32) -> Vec3 {
    let (i, j) = (x.floor(), y.floor());
    let (dx, dy) = (x - i - 0.5, y - j - 0.5);
    if dx.abs().max(dy.abs()) > 0.475 {
        return colors[2].linear() * 0.35;
    }
    let radius = dx.hypot(dy);
    let kind = lattice(i as i32, j as i32, seed);
    let petals = 0.3 + 0.1 * (dy.atan2(dx) * if kind < 0.5 { 4.0 } else { 8.0 }).cos();
    let corner = (0.5 - dx.abs()).hypot(0.5 - dy.abs());
    let color = match () {
        () if radius < 0.09 => colors[2],
        () if radius < petals => colors[1],
        () if corner < 0.16 => colors[2],
        () if (corner - 0.24).abs() < 0.025 => colors[1],
        () => colors[0],
    };
    color.linear() * (0.85 + 0.15 * kind)
}

/// Whether there is ink. Units of a line's height; cells keep the proportions of the alphabet.
fn letter(x: f32, y: f32, text: &str, seed: u32) -> bool {
    let (rows, columns) = (CELL_HEIGHT as f32, CELL_WIDTH as f32);
    let (dot_x, dot_y) = (((x * rows).floor() as i32) - 4, ((y * rows).floor() as i32) - 4);
    if dot_x < 0 || dot_y < 0 {
        return false;
    }
    let (i, j) = (dot_x / columns as i32, dot_y / rows as i32);
    let (column, row) = (dot_x % columns as i32, dot_y % rows as i32);
    if text.is_empty() {
        return column < 5 && row < 7 && lattice(i, j, seed) < 0.85 && lattice(dot_x, dot_y, seed) < 0.5;
    }
    let line = text.split('|').nth(j as usize).unwrap_or_default();
    line.chars().nth(i as usize).is_some_and(|c| ink(c, column as usize, row as usize))
}

fn panes(glass: &[Color; 2], frame: Color, size: [f32; 2], bar: f32, (u, v): (f32, f32), seed: u32) -> Vec3 {
    let (i, j) = ((u / size[0]).floor(), (v / size[1]).floor());
    let (x, y) = (u - i * size[0], v - j * size[1]);
    if x < bar || y < bar || x > size[0] - bar || y > size[1] - bar {
        return frame.linear() * (0.7 + 0.4 * rough_noise(u * 30.0, v * 30.0, seed));
    }
    let curtain = 0.5 + 0.5 * (u * 60.0 + 3.0 * smooth_noise(u * 4.0, v * 3.0, seed)).sin();
    blend(glass, 0.5 * curtain + 0.5 * lattice(i as i32, j as i32, seed))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn material(text: &str) -> Material {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn patterns_repeat_and_stay_colors() {
        let scene = crate::scenes::Scene::night().unwrap();
        for (name, material) in &scene.materials {
            let sample = |seed| -> Vec<Vec3> {
                (0..900).map(|i| albedo(material, (i % 30) as f32 * 0.031, (i / 30) as f32 * 0.027, seed)).collect()
            };
            let first = sample(4);
            assert_eq!(first, sample(4), "{name}");
            assert!(first.iter().all(|c| c.min_element() >= 0.0 && c.max_element() <= 1.2), "{name}");
            let mean = first.iter().sum::<Vec3>() / 900.0;
            let contrast = first.iter().map(|c| (*c - mean).length_squared()).sum::<f32>() / 900.0;
            assert!(contrast.sqrt() > 0.05 * mean.length(), "{name} has nothing to hold on to");
        }
    }

    #[test]
    fn a_checker_alternates() {
        let checker = material(r##"texture = { pattern = "checker", colors = ["#ffffff", "#000000"], size = 0.5 }"##);
        let at = |u, v| albedo(&checker, u, v, 0).x;
        assert_eq!((at(0.1, 0.1), at(0.6, 0.1), at(0.6, 0.6), at(-0.1, 0.1)), (1.0, 0.0, 1.0, 0.0));
    }

    #[test]
    fn text_can_be_read() {
        let sign = material(
            r##"texture = { pattern = "letters", ink = "#ffffff", paper = "#000000", height = 9.0, text = "L|T" }"##,
        );
        // At this height a dot is one meter; the text starts four dots from the corner.
        let row = |line: usize, y: usize| -> String {
            let dot = |x: usize| albedo(&sign, 4.5 + x as f32, 4.5 + (9 * line + y) as f32, 0).x > 0.5;
            (0..5).map(|x| if dot(x) { '#' } else { '.' }).collect()
        };
        assert_eq!([row(0, 0), row(0, 6), row(1, 0), row(1, 6)], ["#....", "#####", "#####", "..#.."]);
    }
}
