// Adam (Kingma & Ba 2015) on one tensor, as torch.optim.Adam with β = (0.9, 0.999), ε = 1e-15.
// One invocation per four values. Reads gradients; updates parameters and both moments. Values with a gradient that is
// not finite are left as they are.
// Cost per value: 4 loads, 3 stores, a root and two divisions.
#import common/view

struct Rates {
    // Learning rate over the first moment's bias correction.
    step_size: f32,
    // Square root of the second moment's bias correction.
    second_correction: f32,
}

@group(0) @binding(0) var<uniform> rates: Rates;
@group(0) @binding(1) var<storage, read> gradients: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> parameters: array<vec4f>;
@group(0) @binding(3) var<storage, read_write> first_moments: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> second_moments: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = linear_id(id, groups, 64u);
    if i >= arrayLength(&parameters) { return; }
    let gradient = gradients[i];
    // NaN fails the comparison.
    let usable = abs(gradient) < vec4f(1e18);
    let g = select(vec4f(0.0), gradient, usable);
    // Read once, before any store: compilers cannot know that bindings do not overlap.
    let before = parameters[i];
    let m_before = first_moments[i];
    let v_before = second_moments[i];
    let m = mix(g, m_before, f32(BETA1));
    let v = mix(g * g, v_before, f32(BETA2));
    let update = rates.step_size * m / (sqrt(v) / rates.second_correction + f32(EPSILON));
    first_moments[i] = select(m_before, m, usable);
    second_moments[i] = select(v_before, v, usable);
    parameters[i] = select(before, before - update, usable);
}
