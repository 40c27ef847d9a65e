// Opacity and scale of N splats in one place that together look like the one they come from (3DGS-MCMC,
// Kheradmand et al. 2024, supplement; gsplat's compute_relocation). One invocation per new splat.
// Reads sources and plan (N of each source); updates logit_opacities and log_scales.
//
//   o' = 1 − (1 − o)^(1/N),    Σ' = (o / D)² Σ,    D = Σ_{i=1..N} Σ_{k=0..i−1} C(i−1, k) (−1)^k o'^(k+1) / √(k+1)
//
// The inner sums add up to D = Σ_{k=1..N} C(N, k) (−1)^(k−1) o'^k / √k, whose terms reach 10^14 for N = 51 and cancel.
// With 1/√k = (1/√π) ∫ exp(−k t²) dt over the real line this is, without cancellation,
//   D = (1/√π) ∫ 1 − (1 − o' exp(−t²))^N dt:
// what N splats cover along a ray. The trapezoidal rule converges exponentially for such integrands.
#import common/densify

@group(0) @binding(0) var<uniform> densify: Densify;
@group(0) @binding(1) var<storage, read> sources: array<u32>;
@group(0) @binding(2) var<storage, read> plan: array<u32>;
@group(0) @binding(3) var<storage, read_write> logit_opacities: array<f32>;
@group(0) @binding(4) var<storage, read_write> log_scales: array<f32>;

const STEP = 0.125;
const STEPS = 36u;
// STEP / √π.
const WEIGHT = 0.07052370;
// Keeps 1 − o apart from 0.
const MAX_OPACITY = 0.999999;

// 1 − (1 − x)^p, without loss of digits for small x.
fn covered(x: f32, p: f32) -> f32 {
    let series = -x * (1.0 + x * (0.5 + x * (1.0 / 3.0 + x * (0.25 + x * 0.2))));
    let y = p * select(log(1.0 - x), series, x < 0.05);
    return select(1.0 - exp(y), -y * (1.0 + y / 2.0 * (1.0 + y / 3.0 * (1.0 + y / 4.0 * (1.0 + y / 5.0)))), y > -0.05);
}

// D for N splats of opacity o'.
fn ray_integral(opacity: f32, splats: f32) -> f32 {
    // The integrand is even; t = 0 counts once, every other point twice.
    var sum = covered(opacity, splats);
    for (var k = 1u; k <= STEPS; k++) {
        let t = f32(k) * STEP;
        sum += 2.0 * covered(opacity * exp(-t * t), splats);
    }
    return WEIGHT * sum;
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = linear_id(id, groups, 64u);
    if i >= densify.after || (sources[i] & TAG_MASK) != TAG_RELOCATED { return; }
    let splats = f32(min(plan[sources[i] & ~TAG_MASK], MAX_COPIES));
    let opacity = min(sigmoid(logit_opacities[i]), MAX_OPACITY);
    let share = covered(opacity, 1.0 / splats);
    let factor = log(opacity / ray_integral(share, splats));
    let new_opacity = clamp(share, densify.prune_opacity, MAX_OPACITY);
    logit_opacities[i] = log(new_opacity / (1.0 - new_opacity));
    log_scales[3u * i] += factor;
    log_scales[3u * i + 1u] += factor;
    log_scales[3u * i + 2u] += factor;
}
