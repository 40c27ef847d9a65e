// Jitter of the positions (3DGS-MCMC, Kheradmand et al. 2024): along the Gaussian's own covariance, and the less
// the more opaque it is. One invocation per splat. Reads quats, log_scales, logit_opacities; updates means.
// Cost per splat: 11 loads, 3 stores.
#import common/densify
#import common/projection
#import common/random

struct Noise {
    seed: vec2u,
    count: u32,
    step: u32,
    // Strength times the learning rate of the means.
    strength: f32,
}

@group(0) @binding(0) var<uniform> noise: Noise;
@group(0) @binding(1) var<storage, read> quats: array<vec4f>;
@group(0) @binding(2) var<storage, read> log_scales: array<f32>;
@group(0) @binding(3) var<storage, read> logit_opacities: array<f32>;
@group(0) @binding(4) var<storage, read_write> means: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = linear_id(id, groups, 64u);
    if i >= noise.count { return; }
    let scales = exp(vec3f(log_scales[3u * i], log_scales[3u * i + 1u], log_scales[3u * i + 2u]));
    let gate = sigmoid(-NOISE_SHARPNESS * (sigmoid(logit_opacities[i]) - NOISE_OPACITY));
    let normal = standard_normal(random_bits(i, noise.step, noise.seed, STREAM_NOISE));
    let offset = covariance_3d(quats[i], scales) * normal * (gate * noise.strength);
    // False for NaN, too: a splat of absurd scale stays where it is.
    if !(dot(offset, offset) < 1e20) { return; }
    means[3u * i] += offset.x;
    means[3u * i + 1u] += offset.y;
    means[3u * i + 2u] += offset.z;
}
