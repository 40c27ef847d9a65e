// Turns copies of split splats into samples of the Gaussian they were, with smaller scale (3DGS, §5.2).
// One invocation per new splat. Reads sources and quats; updates means and log_scales.
#import common/densify
#import common/projection
#import common/random

@group(0) @binding(0) var<uniform> densify: Densify;
@group(0) @binding(1) var<storage, read> sources: array<u32>;
@group(0) @binding(2) var<storage, read> quats: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> means: array<f32>;
@group(0) @binding(4) var<storage, read_write> log_scales: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = linear_id(id, groups, 64u);
    if i >= densify.after || (sources[i] & TAG_MASK) != TAG_SPLIT { return; }
    let log_scale = vec3f(log_scales[3u * i], log_scales[3u * i + 1u], log_scales[3u * i + 2u]);
    let normal = standard_normal(random_bits(i, densify.step, densify.seed, STREAM_SPLIT));
    let offset = quat_to_rotation(quats[i]) * (exp(log_scale) * normal);
    let smaller = log_scale - log(f32(SPLIT_SHRINK));
    means[3u * i] += offset.x;
    means[3u * i + 1u] += offset.y;
    means[3u * i + 2u] += offset.z;
    log_scales[3u * i] = smaller.x;
    log_scales[3u * i + 1u] = smaller.y;
    log_scales[3u * i + 2u] = smaller.z;
}
