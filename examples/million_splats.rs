//! Writes a million splats of SH degree 3 in a cloud, to measure exports with: `cargo run --example million_splats -- FILE.ply`

use naka_gs::Result;
use naka_gs::splat::{Splats, ply};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

const COUNT: usize = 1_000_000;
/// How large harmonics of each degree are.
const HARMONICS: [f32; 4] = [1.0, 0.2, 0.12, 0.08];

fn main() -> Result<()> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "million.ply".into());
    let mut random = StdRng::seed_from_u64(7);
    let mut bell = move |size: f32| (0..4).map(|_| random.random::<f32>() - 0.5).sum::<f32>() * size;
    let mut splats = Splats { sh_degree: 3, ..Splats::default() };
    for _ in 0..COUNT {
        splats.means.push([bell(3.0), bell(2.0), bell(3.0)]);
        splats.quats.push([bell(1.0), bell(1.0), bell(1.0), bell(1.0)]);
        splats.log_scales.push([bell(1.0) - 5.0, bell(1.0) - 5.0, bell(1.0) - 5.0]);
        splats.logit_opacities.push(bell(3.0));
        splats.sh.extend((0..48_usize).map(|k| bell(HARMONICS[(k / 3).isqrt()])));
    }
    ply::write(path, &splats)
}
