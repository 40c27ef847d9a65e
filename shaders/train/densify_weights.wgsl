// Which splats are alive, and how likely each is drawn as a source: fixed-point opacities (3DGS-MCMC).
// One invocation per splat. Reads logit_opacities and broken; writes plan (1: stays, 0: dead), weights and counters.
// Cost per splat: 2 loads, 2 stores, an atomic where it is dead.
#import common/densify

@group(0) @binding(0) var<uniform> densify: Densify;
@group(0) @binding(1) var<storage, read> logit_opacities: array<f32>;
@group(0) @binding(2) var<storage, read> broken: array<u32>;
@group(0) @binding(3) var<storage, read_write> plan: array<u32>;
@group(0) @binding(4) var<storage, read_write> weights: array<u32>;
@group(0) @binding(5) var<storage, read_write> counters: array<atomic<u32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = linear_id(id, groups, 64u);
    if i >= densify.count { return; }
    let opacity = sigmoid(logit_opacities[i]);
    var alive = false;
    if broken[i] != 0u {
        atomicAdd(&counters[C_NON_FINITE], 1u);
    } else if !(opacity > densify.prune_opacity) {
        atomicAdd(&counters[C_PRUNED], 1u);
    } else {
        alive = true;
    }
    plan[i] = u32(alive);
    // Their sum stays below 2^32.
    weights[i] = select(0u, clamp(u32(opacity * f32(densify.weight_one)), 1u, densify.weight_one), alive);
}
