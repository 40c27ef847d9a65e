// Adds the gradients of opacity_weight · mean(opacity) + scale_weight · mean(scale), over all splats and axes, to
// ∂L/∂(logit opacity) and ∂L/∂(log scale) (3DGS-MCMC, Kheradmand et al. 2024). One invocation per splat.
// Reads logit_opacities and log_scales; adds to v_logit_opacities and v_log_scales.
// Cost per splat: 8 loads, 4 stores.
#import common/densify

struct Regularize {
    count: u32,
    // opacity_weight / N and scale_weight / 3N.
    opacity: f32,
    scale: f32,
}

@group(0) @binding(0) var<uniform> weights: Regularize;
@group(0) @binding(1) var<storage, read> logit_opacities: array<f32>;
@group(0) @binding(2) var<storage, read> log_scales: array<f32>;
@group(0) @binding(3) var<storage, read_write> v_logit_opacities: array<f32>;
@group(0) @binding(4) var<storage, read_write> v_log_scales: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = linear_id(id, groups, 64u);
    if i >= weights.count { return; }
    let opacity = sigmoid(logit_opacities[i]);
    v_logit_opacities[i] += weights.opacity * opacity * (1.0 - opacity);
    v_log_scales[3u * i] += weights.scale * exp(log_scales[3u * i]);
    v_log_scales[3u * i + 1u] += weights.scale * exp(log_scales[3u * i + 1u]);
    v_log_scales[3u * i + 2u] += weights.scale * exp(log_scales[3u * i + 2u]);
}
