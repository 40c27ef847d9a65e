//! The strategies on the CPU, written from the papers.

use crate::splat::Splats;
use crate::train::densify::{Config, Counts, Strategy};
use glam::{Mat3, Quat, Vec3};

/// A model with its moments.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Model {
    pub params: Splats,
    pub m: Splats,
    pub v: Splats,
}

impl Model {
    pub fn empty(sh_degree: u32) -> Self {
        let empty = Splats { sh_degree, ..Splats::default() };
        Self { params: empty.clone(), m: empty.clone(), v: empty }
    }

    /// Appends splat `i` of `from`, with its moments or zeros.
    pub fn push(&mut self, from: &Self, i: usize, moments: bool) {
        push(&mut self.params, &from.params, i, 1.0);
        push(&mut self.m, &from.m, i, if moments { 1.0 } else { 0.0 });
        push(&mut self.v, &from.v, i, if moments { 1.0 } else { 0.0 });
    }
}

fn push(to: &mut Splats, from: &Splats, i: usize, factor: f32) {
    let keep = |x: f32| if factor == 0.0 { 0.0 } else { x };
    to.means.push(from.means[i].map(keep));
    to.quats.push(from.quats[i].map(keep));
    to.log_scales.push(from.log_scales[i].map(keep));
    to.logit_opacities.push(keep(from.logit_opacities[i]));
    let row = 3 * Splats::coefficients(from.sh_degree);
    to.sh.extend(from.sh[row * i..row * (i + 1)].iter().map(|x| keep(*x)));
}

pub fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + (-x).exp())
}

pub fn finite(splats: &Splats, i: usize) -> bool {
    let row = 3 * Splats::coefficients(splats.sh_degree);
    let sh = &splats.sh[row * i..row * (i + 1)];
    let geometry = splats.means[i].iter().chain(&splats.quats[i]).chain(&splats.log_scales[i]);
    geometry.chain(sh).all(|x| x.is_finite()) && splats.logit_opacities[i].is_finite()
}

/// pcg4d, from its publication.
pub fn pcg4d(counter: [u32; 4]) -> [u32; 4] {
    let mut v = counter.map(|x| x.wrapping_mul(1_664_525).wrapping_add(1_013_904_223));
    let mix = |v: &mut [u32; 4]| {
        v[0] = v[0].wrapping_add(v[1].wrapping_mul(v[3]));
        v[1] = v[1].wrapping_add(v[2].wrapping_mul(v[0]));
        v[2] = v[2].wrapping_add(v[0].wrapping_mul(v[1]));
        v[3] = v[3].wrapping_add(v[1].wrapping_mul(v[2]));
    };
    mix(&mut v);
    v = v.map(|x| x ^ (x >> 16));
    mix(&mut v);
    v
}

/// Three standard normal numbers of a splat, step, seed and stream.
pub fn normal(index: usize, step: u32, seed: u64, stream: u32) -> Vec3 {
    let bits = pcg4d([index as u32, step, seed as u32, (seed >> 32) as u32 ^ stream]);
    let u = bits.map(|b| ((b >> 8) as f32 + 0.5) / (1 << 24) as f32);
    let radius = [u[0], u[1]].map(|u| (-2.0 * u.ln()).sqrt());
    let angle = [u[2], u[3]].map(|u| std::f32::consts::TAU * u);
    Vec3::new(radius[0] * angle[0].cos(), radius[1] * angle[1].cos(), radius[0] * angle[0].sin())
}

pub fn rotation(quat: [f32; 4]) -> Mat3 {
    let [w, x, y, z] = quat;
    Mat3::from_quat(Quat::from_xyzw(x, y, z, w).normalize())
}

const SPLIT_STREAM: u32 = 0x51ed_270b;

/// Adaptive density control, and its gradual variant.
pub fn default_strategy(
    old: &Model,
    statistics: &[[f32; 2]],
    config: &Config,
    (step, seed, scene_scale): (u32, u64, f32),
) -> (Model, Counts) {
    let splats = &old.params;
    let gradient = |i: usize| statistics[i][0] / statistics[i][1].max(1.0);
    let scale = |i: usize| splats.log_scales[i].into_iter().fold(f32::MIN, f32::max).exp();
    let gradual = config.strategy == Strategy::Gradual;
    let grows = |i: usize| gradient(i) > if gradual { 0.0 } else { config.grad_threshold };
    let splits = |i: usize| grows(i) && scale(i) > config.scale_threshold * scene_scale;
    let prunes = |i: usize| {
        let left = if splits(i) { scale(i) / 1.6 } else { scale(i) };
        let too_large = !gradual && step > config.reset_every && left > config.prune_scale * scene_scale;
        sigmoid(splats.logit_opacities[i]) < config.prune_opacity || too_large
    };
    let (valid, broken): (Vec<usize>, Vec<usize>) = (0..splats.len()).partition(|&i| finite(splats, i));
    let left: Vec<usize> = valid.iter().copied().filter(|&i| !prunes(i)).collect();
    let mut growing: Vec<usize> = left.iter().copied().filter(|&i| grows(i)).collect();
    growing.sort_by(|&a, &b| gradient(b).total_cmp(&gradient(a)));
    growing.truncate((config.max_splats as usize).saturating_sub(left.len()));
    if gradual {
        let due = |to: u32| (1..=to).filter(|step| *step > config.start && step % config.every == 0).count() as f64;
        let (now, all, growth) = (due(step.min(config.stop)), due(config.stop), f64::from(config.growth_factor));
        let size = |time: f64| 1.0 + (growth - 1.0) * (2.0 * time / all - (time / all).powi(2));
        let limit = left.len() as f64 * size(now) / size((now - 1.0).max(0.0));
        growing.truncate(limit.round() as usize - left.len());
    }
    let mut new = Model::empty(splats.sh_degree);
    for &i in &left {
        match growing.contains(&i) {
            true if splits(i) => {
                for _ in 0..2 {
                    let at = new.params.len();
                    new.push(old, i, false);
                    let scales = Vec3::from(splats.log_scales[i].map(f32::exp));
                    let offset = rotation(splats.quats[i]) * (scales * normal(at, step, seed, SPLIT_STREAM));
                    new.params.means[at] = (Vec3::from(splats.means[i]) + offset).into();
                    new.params.log_scales[at] = splats.log_scales[i].map(|s| s - 1.6f32.ln());
                }
            }
            grown => {
                new.push(old, i, true);
                if grown {
                    new.push(old, i, false);
                }
            }
        }
    }
    let split = growing.iter().filter(|&&i| splits(i)).count();
    let counts = Counts {
        before: splats.len(),
        after: new.params.len(),
        duplicated: growing.len() - split,
        split,
        pruned: valid.len() - left.len(),
        non_finite: broken.len(),
        ..Counts::default()
    };
    (new, counts)
}
