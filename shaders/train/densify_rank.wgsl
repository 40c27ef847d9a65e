// Sort keys that bring the splats that want to grow to the front, largest mean gradient first.
// One invocation per splat. Reads statistics and plan; writes keys and values (the splats' indices).
// Cost per splat: 3 loads, 2 stores.
#import common/densify

@group(0) @binding(0) var<uniform> densify: Densify;
@group(0) @binding(1) var<storage, read> statistics: array<vec2f>;
@group(0) @binding(2) var<storage, read> plan: array<u32>;
@group(0) @binding(3) var<storage, read_write> keys: array<u32>;
@group(0) @binding(4) var<storage, read_write> values: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = linear_id(id, groups, 64u);
    if i >= densify.count { return; }
    let gradient = statistics[i].x / max(statistics[i].y, 1.0);
    // Positive floats order like their bits.
    keys[i] = select(0xffffffffu, ~bitcast<u32>(gradient), plan[i] > 1u);
    values[i] = i;
}
