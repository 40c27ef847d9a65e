//! The interaction of removing two splats: the change of the views beyond the sum of the single changes.
//!
//! A pixel is multilinear in the α of its splats. With Δ as in `removal.wgsl`, and i in front of j, whatever is behind i
//! counts 1 / (1 − α_i) times as much once i is gone: the removal of both changes the pixel by Δ_i + Δ_j / (1 − α_i). With
//! ω = α_i / (1 − α_i) the squared error then changes by 2 ω r·Δ_j + 2 (1 + ω) Δ_i·Δ_j + ω (2 + ω) |Δ_j|² more than the two
//! changes of one. Only pairs of neighbors are looked at, in the pixels of a grid.

use super::moments::ALPHA_MAX;
use super::views::ViewRenderer;
use crate::capture::Camera;
use crate::error::Result;
use crate::gpu::Buffer;
use crate::splat::{COLOR_FLOATS, PROJECTED_FLOATS, Splats, TILE, Workspace, index_of, plane_len, tiles};
use kiddo::{ImmutableKdTree, SquaredEuclidean};
use rayon::prelude::*;
use std::num::NonZero;

/// Nearest splats that each is paired with.
pub(super) const NEIGHBORS: usize = 12;
/// Most pixels of all views to visit, in the finest grid (up to every [`COARSEST`]) within this number; beyond that, in a
/// subset of the views.
const MOST_PIXELS: u64 = 1 << 17;
const COARSEST: usize = 4;
/// Transmittance at which blending ends (`shaders/common/footprint.wgsl`).
const TRANSMITTANCE_MIN: f32 = 1e-4;

/// Pairs of neighbors, and the interactions of their removal.
#[derive(Clone)]
pub(super) struct Pairs {
    /// The neighbors of each splat, nearest first; itself where there are fewer.
    pub neighbors: Vec<[u32; NEIGHBORS]>,
    /// Where the pairs begin in which a splat is the first.
    starts: Vec<u32>,
    seconds: Vec<u32>,
    changes: Vec<f32>,
}

impl Pairs {
    /// The pairs of `splats`, with no changes yet.
    pub fn of(splats: &Splats) -> Self {
        let neighbors = neighbors(splats);
        let mut all: Vec<(u32, u32)> = (0u32..)
            .zip(&neighbors)
            .flat_map(|(i, others)| others.iter().filter(move |j| **j != i).map(move |j| (i.min(*j), i.max(*j))))
            .collect();
        all.par_sort_unstable();
        all.dedup();
        let mut starts = vec![0; splats.len() + 1];
        all.iter().for_each(|(first, _)| starts[*first as usize + 1] += 1);
        (0..splats.len()).for_each(|i| starts[i + 1] += starts[i]);
        let changes = vec![0.0; all.len()];
        Self { neighbors, starts, seconds: all.into_iter().map(|(_, second)| second).collect(), changes }
    }

    /// First and second splat of each pair, and what their removal changes beyond the changes of each.
    pub fn changes(&self) -> impl Iterator<Item = (usize, usize, f32)> + Clone {
        let firsts = self.starts.windows(2).enumerate();
        let firsts = firsts.flat_map(|(first, at)| std::iter::repeat_n(first, (at[1] - at[0]) as usize));
        firsts.zip(&self.seconds).zip(&self.changes).map(|((first, second), change)| (first, *second as usize, *change))
    }

    /// Adds what is seen in the pixels of `grid` of a view, which `work` holds a render of; for all views that it stands for.
    pub fn add(
        &mut self,
        renderer: &ViewRenderer<'_>,
        work: &Workspace,
        camera: &Camera,
        goal: &Buffer<f32>,
        Grid { step, views }: Grid,
    ) -> Result<()> {
        let gpu = renderer.gpu;
        let [x, y] = tiles(camera.width, camera.height);
        let plane = plane_len(camera.width, camera.height);
        let [visible, pairs] = [0, 1].map(|at| gpu.read_part(&work.counters, at, 1).map(|found| found[0] as usize));
        let (visible, pairs) = (visible?, pairs?);
        let view = View {
            projected: gpu.read_part(&work.projected, 0, visible * PROJECTED_FLOATS)?,
            colors: gpu.read_part(&work.colors, 0, visible * COLOR_FLOATS)?,
            slots: gpu.read_part(work.sorted_pairs()[1], 0, pairs)?,
            ranges: gpu.read_part(&work.tile_ranges, 0, (2 * x * y) as usize)?,
            image: gpu.read_part(&work.image, 0, 4 * plane)?,
            goal: gpu.read(goal)?,
            size: [camera.width as usize, camera.height as usize],
            step,
        };
        let nowhere = || vec![NOT_HERE; self.neighbors.len()];
        let found: Vec<Vec<(usize, f32)>> = (0..(x * y) as usize)
            .into_par_iter()
            .with_min_len(TILES_AT_ONCE)
            .map_init(nowhere, |rows_of, tile| view.of_tile(tile, self, rows_of))
            .collect();
        let weight = (step * step * views) as f32;
        found.into_iter().flatten().for_each(|(pair, change)| self.changes[pair] += weight * change);
        Ok(())
    }
}

fn neighbors(splats: &Splats) -> Vec<[u32; NEIGHBORS]> {
    let alone = |i: u32| [i; NEIGHBORS];
    let Ok(tree) = ImmutableKdTree::<f32, 3>::new_from_slice(&splats.means) else {
        return (0..splats.len() as u32).map(alone).collect();
    };
    let most = NonZero::new(NEIGHBORS + 1).unwrap_or(NonZero::<usize>::MIN);
    let of = |i: u32| {
        let mut row = alone(i);
        let found = tree.query(&splats.means[i as usize]).nearest_n::<SquaredEuclidean<f64>>(most).execute();
        let others = found.iter().map(|near| near.item).filter(|j| *j != i);
        row.iter_mut().zip(others).for_each(|(to, other)| *to = other);
        row
    };
    (0..splats.len() as u32).into_par_iter().map(of).collect()
}

/// Which pixels are looked at.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Grid {
    /// Every how many, in both directions: 1, 2 or 4.
    pub step: usize,
    /// Of every how many views.
    pub views: usize,
}

impl Grid {
    /// That of views of these `cameras`.
    pub fn of(cameras: &[Camera]) -> Self {
        let pixels: u64 = cameras.iter().map(|camera| u64::from(camera.width) * u64::from(camera.height)).sum();
        let mut step = 1;
        while step < COARSEST && pixels / (step * step) as u64 > MOST_PIXELS {
            step *= 2;
        }
        let views = pixels.div_ceil((step * step) as u64 * MOST_PIXELS).max(1) as usize;
        Self { step, views: views.min(cameras.len().max(1)) }
    }
}

/// What a render leaves, on the host.
struct View {
    projected: Vec<f32>,
    colors: Vec<f32>,
    slots: Vec<u32>,
    ranges: Vec<u32>,
    image: Vec<f32>,
    goal: Vec<f32>,
    size: [usize; 2],
    step: usize,
}

/// State of the pixels of a tile while its splats are blended; a value for each.
struct Pixels {
    places: Vec<[f32; 2]>,
    /// Red, green and blue from behind the splat that passes.
    behind: [Vec<f32>; 3],
    /// Against the goal, of four channels.
    residual: [Vec<f32>; 4],
    /// How much of the background is shown at the end.
    shown: Vec<f32>,
    through: Vec<f32>,
    live: Vec<bool>,
}

/// Tiles that share a map from splats to their rows.
const TILES_AT_ONCE: usize = 64;
/// The row of a splat that a tile does not show.
const NOT_HERE: u32 = u32::MAX;

/// The planes of a splat in a tile, a value for each pixel: Δ of four channels, ω, r·Δ and |Δ|².
const PLANES: usize = 7;

impl View {
    /// The changes of the pairs that share pixels of `tile`. `rows_of` is [`NOT_HERE`] for all splats, before and after.
    fn of_tile(&self, tile: usize, pairs: &Pairs, rows_of: &mut [u32]) -> Vec<(usize, f32)> {
        let mut pixels = self.pixels(tile);
        let mut splats: Vec<u32> = Vec::new();
        let mut rows: Vec<f32> = Vec::new();
        let width = PLANES * pixels.places.len();
        for pair in self.ranges[2 * tile]..self.ranges[2 * tile + 1] {
            let slot = self.slots[pair as usize] as usize;
            let splat = &self.projected[slot * PROJECTED_FLOATS..][..PROJECTED_FLOATS];
            let color = &self.colors[slot * COLOR_FLOATS..][..COLOR_FLOATS];
            rows.resize(rows.len() + width, 0.0);
            let at = rows.len() - width;
            match pixels.pass(splat, color, &mut rows[at..]) {
                true => splats.push(index_of(splat) as u32),
                false => rows.truncate(at),
            }
        }
        (0..).zip(&splats).for_each(|(at, splat)| rows_of[*splat as usize] = at);
        let row = |at: u32| &rows[at as usize * width..][..width];
        let mut found = Vec::new();
        for (at, splat) in (0..).zip(&splats) {
            let of = pairs.starts[*splat as usize] as usize..pairs.starts[*splat as usize + 1] as usize;
            for (pair, second) in of.clone().zip(&pairs.seconds[of]) {
                let there = rows_of[*second as usize];
                if there != NOT_HERE {
                    found.push((pair, together(row(at.min(there)), row(at.max(there)))));
                }
            }
        }
        splats.iter().for_each(|splat| rows_of[*splat as usize] = NOT_HERE);
        found
    }

    fn pixels(&self, tile: usize) -> Pixels {
        let side = TILE as usize;
        let tiles_x = self.size[0].div_ceil(side);
        let (x, y) = (tile % tiles_x * side, tile / tiles_x * side);
        // Tiles begin at different pixels of the grid, so that regular patterns in the picture are not missed.
        let (dx, dy) = (tile % self.step, tile / self.step % self.step);
        let (rows, columns) = ((y + dy..y + side).step_by(self.step), (x + dx..x + side).step_by(self.step));
        let at: Vec<[usize; 2]> = rows.flat_map(|y| columns.clone().map(move |x| [x, y])).collect();
        let (pitch, plane) = (tiles_x * side, self.goal.len() / 4);
        let of = |values: &[f32], channel: usize| -> Vec<f32> {
            at.iter().map(|[x, y]| values[channel * plane + y * pitch + x]).collect()
        };
        let minus = |channel: usize| -> Vec<f32> {
            of(&self.image, channel).into_iter().zip(of(&self.goal, channel)).map(|(a, b)| a - b).collect()
        };
        Pixels {
            places: at.iter().map(|at| at.map(|v| v as f32 + 0.5)).collect(),
            behind: std::array::from_fn(|channel| of(&self.image, channel)),
            residual: std::array::from_fn(minus),
            shown: of(&self.image, 3),
            through: vec![1.0; at.len()],
            live: at.iter().map(|[x, y]| *x < self.size[0] && *y < self.size[1]).collect(),
        }
    }
}

impl Pixels {
    /// Takes them past `splat` of this `color`, whose planes go to `row`; whether any pixel shows it.
    fn pass(&mut self, splat: &[f32], color: &[f32], row: &mut [f32]) -> bool {
        let count = self.places.len();
        let mut drawn = false;
        for p in 0..count {
            let [dx, dy] = [self.places[p][0] - splat[0], self.places[p][1] - splat[1]];
            let power = 0.5 * (splat[4] * dx * dx + splat[6] * dy * dy) + splat[5] * dx * dy;
            if !self.live[p] || power < 0.0 || power > splat[3] {
                continue;
            }
            let alpha = (splat[2] * (-power).exp()).min(ALPHA_MAX as f32);
            let next = self.through[p] * (1.0 - alpha);
            if next <= TRANSMITTANCE_MIN {
                self.live[p] = false;
                continue;
            }
            let (weight, odds) = (alpha * self.through[p], alpha / (1.0 - alpha));
            let (mut product, mut square) = (0.0, 0.0);
            for channel in 0..4 {
                let delta = if channel < 3 {
                    let light = color[channel] * weight;
                    let behind = &mut self.behind[channel][p];
                    *behind -= light;
                    odds * *behind - light
                } else {
                    odds * self.shown[p]
                };
                product += self.residual[channel][p] * delta;
                square += delta * delta;
                row[channel * count + p] = delta;
            }
            row[4 * count + p] = odds;
            row[5 * count + p] = product;
            row[6 * count + p] = square;
            self.through[p] = next;
            drawn = true;
        }
        drawn
    }
}

/// What the removal of both changes beyond the changes of each, from the planes of the one in front and the one behind.
fn together(front: &[f32], back: &[f32]) -> f32 {
    let count = front.len() / PLANES;
    let [a0, a1, a2, a3, odds, ..] = planes(front, count);
    let [b0, b1, b2, b3, _, product, square] = planes(back, count);
    let of = |p: usize| {
        let dot = a0[p] * b0[p] + a1[p] * b1[p] + a2[p] * b2[p] + a3[p] * b3[p];
        2.0 * odds[p] * product[p] + 2.0 * (1.0 + odds[p]) * dot + odds[p] * (2.0 + odds[p]) * square[p]
    };
    (0..count).map(of).sum()
}

fn planes(row: &[f32], count: usize) -> [&[f32]; PLANES] {
    std::array::from_fn(|plane| &row[plane * count..][..count])
}
