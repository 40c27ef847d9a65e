// Opacity reset (3DGS, §5.2): opacities are cut to RESET_LOGIT and learned again. One invocation per splat.
// Updates logit_opacities and its two moments.
// Cost per splat: a load, 3 stores.
#import common/view

@group(0) @binding(0) var<storage, read_write> logit_opacities: array<f32>;
@group(0) @binding(1) var<storage, read_write> first_moments: array<f32>;
@group(0) @binding(2) var<storage, read_write> second_moments: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = linear_id(id, groups, 64u);
    if i >= arrayLength(&logit_opacities) { return; }
    logit_opacities[i] = min(logit_opacities[i], RESET_LOGIT);
    first_moments[i] = 0.0;
    second_moments[i] = 0.0;
}
