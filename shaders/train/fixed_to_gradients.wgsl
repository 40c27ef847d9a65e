// The sums of raster_backward in fixed point as floats. One invocation per slot.
// Reads projected and sums (two words a component, see common/fixed_sum); writes splat_gradients.
// Cost per slot: 23 loads, 10 stores.
#import common/projected
#import common/fixed_sum

@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<storage, read> projected: array<vec4f>;
@group(0) @binding(2) var<storage, read> counters: array<u32>;
@group(0) @binding(3) var<storage, read> sums: array<vec2u>;
@group(0) @binding(4) var<storage, read_write> splat_gradients: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let slot = linear_id(id, groups, 64u);
    if slot >= counters[0] { return; }
    let conic = projected[PROJECTED_STRIDE * slot + 1u].xyz;
    for (var component = 0u; component < GRADIENT_STRIDE; component++) {
        let at = GRADIENT_STRIDE * slot + component;
        splat_gradients[at] = from_fixed(sums[at]) * power_of_two(-unit_exponent(view.size, conic, component));
    }
}
