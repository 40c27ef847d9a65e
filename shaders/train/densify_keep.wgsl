// The plan of a model without a splat that is alive: all stay but those that are not finite.
// One invocation per splat. Reads broken; writes plan.
// Cost per splat: a load, a store.
#import common/densify

@group(0) @binding(0) var<uniform> densify: Densify;
@group(0) @binding(1) var<storage, read> broken: array<u32>;
@group(0) @binding(2) var<storage, read_write> plan: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = linear_id(id, groups, 64u);
    if i >= densify.count { return; }
    plan[i] = 1u - broken[i];
}
