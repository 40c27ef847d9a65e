// Color of every visible splat from its spherical harmonics, seen from the camera.
// One invocation per slot, one dispatch for each part of the bands. Reads means and the SH bands; writes colors, into projected which
// channels were clamped, and that a splat is not drawn where it has no color. BAND_1 to BAND_3 are defined for the bands that
// the model has: adapters that mask lanes pay for all code of the kernel.
// Cost per slot: 4 loads, 3 more per basis function of the model (at most 48), 5 stores.
#import common/view
#import common/part
#import common/projected
#import common/sh
#import common/unspecialized

// What is brighter, or darker, is no color but a broken splat.
const COLOR_MAX = 1e6;

@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<uniform> part: Part;
@group(0) @binding(2) var<storage, read> means: array<f32>;
@group(0) @binding(3) var<storage, read_write> projected: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> colors: array<vec4f>;
@group(0) @binding(5) var<storage, read> counters: array<u32>;
@group(0) @binding(6) var<storage, read> sh0: array<f32>;
#ifdef BAND_1
@group(0) @binding(7) var<storage, read> sh1: array<f32>;
#endif
#ifdef BAND_2
@group(0) @binding(8) var<storage, read> sh2: array<f32>;
#endif
#ifdef BAND_3
@group(0) @binding(9) var<storage, read> sh3: array<f32>;
#endif

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let slot = linear_id(id, groups, 64u);
    if slot >= counters[0] { return; }
    let splat = index_of(projected[PROJECTED_STRIDE * slot + 1u]);
    let i = splat - part.first;
    if i >= part.count { return; }
    let sh_degree = unspecialized(view.sh_degree, id);
    let mean = vec3f(means[3u * splat], means[3u * splat + 1u], means[3u * splat + 2u]);
    let d = normalize(mean - view.position);
    var color = 0.5 + SH_C0 * vec3f(sh0[3u * i], sh0[3u * i + 1u], sh0[3u * i + 2u]);
#ifdef BAND_1
    if sh_degree >= 1u {
        let y = sh_band1(d);
        color += y.x * vec3f(sh1[9u * i + 0u], sh1[9u * i + 1u], sh1[9u * i + 2u]);
        color += y.y * vec3f(sh1[9u * i + 3u], sh1[9u * i + 4u], sh1[9u * i + 5u]);
        color += y.z * vec3f(sh1[9u * i + 6u], sh1[9u * i + 7u], sh1[9u * i + 8u]);
    }
#endif
#ifdef BAND_2
    if sh_degree >= 2u {
        let y = sh_band2(d);
        color += y[0] * vec3f(sh2[15u * i + 0u], sh2[15u * i + 1u], sh2[15u * i + 2u]);
        color += y[1] * vec3f(sh2[15u * i + 3u], sh2[15u * i + 4u], sh2[15u * i + 5u]);
        color += y[2] * vec3f(sh2[15u * i + 6u], sh2[15u * i + 7u], sh2[15u * i + 8u]);
        color += y[3] * vec3f(sh2[15u * i + 9u], sh2[15u * i + 10u], sh2[15u * i + 11u]);
        color += y[4] * vec3f(sh2[15u * i + 12u], sh2[15u * i + 13u], sh2[15u * i + 14u]);
    }
#endif
#ifdef BAND_3
    if sh_degree >= 3u {
        let y = sh_band3(d);
        color += y[0] * vec3f(sh3[21u * i + 0u], sh3[21u * i + 1u], sh3[21u * i + 2u]);
        color += y[1] * vec3f(sh3[21u * i + 3u], sh3[21u * i + 4u], sh3[21u * i + 5u]);
        color += y[2] * vec3f(sh3[21u * i + 6u], sh3[21u * i + 7u], sh3[21u * i + 8u]);
        color += y[3] * vec3f(sh3[21u * i + 9u], sh3[21u * i + 10u], sh3[21u * i + 11u]);
        color += y[4] * vec3f(sh3[21u * i + 12u], sh3[21u * i + 13u], sh3[21u * i + 14u]);
        color += y[5] * vec3f(sh3[21u * i + 15u], sh3[21u * i + 16u], sh3[21u * i + 17u]);
        color += y[6] * vec3f(sh3[21u * i + 18u], sh3[21u * i + 19u], sh3[21u * i + 20u]);
    }
#endif
    // NaN fails the comparison. One such splat would make the pixels, and so the gradients of all others, NaN.
    if !all(abs(color) < vec3f(COLOR_MAX)) {
        projected[PROJECTED_STRIDE * slot].w = NOT_DRAWN;
        color = vec3f(0.0);
    }
    let clamped = dot(vec3u(color <= vec3f(0.0)), vec3u(1u, 2u, 4u));
    projected[PROJECTED_STRIDE * slot + 1u].w = bitcast<f32>(splat | (clamped << INDEX_BITS));
    let depth = (view.viewmat * vec4f(mean, 1.0)).z;
    colors[slot] = vec4f(max(color, vec3f(0.0)), depth);
}
