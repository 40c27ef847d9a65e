// Gradient of the SH coefficients: ∂L/∂sh[k] = Y_k(direction) · ∂L/∂color.
// One invocation per slot, one dispatch for each part of the bands. Reads means, projected and the color part of splat_gradients; writes v_sh of the splat.
// BAND_1 to BAND_3 are defined for the bands that the model has.
// Cost per slot: 9 loads, 3 stores per basis function of the model (at most 48).
#import common/view
#import common/part
#import common/projected
#import common/sh
#import common/splat_gradients
#import common/unspecialized

@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<uniform> part: Part;
@group(0) @binding(2) var<storage, read> means: array<f32>;
@group(0) @binding(3) var<storage, read> projected: array<vec4f>;
@group(0) @binding(4) var<storage, read> splat_gradients: array<f32>;
@group(0) @binding(5) var<storage, read> counters: array<u32>;
@group(0) @binding(6) var<storage, read_write> v_sh0: array<f32>;
#ifdef BAND_1
@group(0) @binding(7) var<storage, read_write> v_sh1: array<f32>;
#endif
#ifdef BAND_2
@group(0) @binding(8) var<storage, read_write> v_sh2: array<f32>;
#endif
#ifdef BAND_3
@group(0) @binding(9) var<storage, read_write> v_sh3: array<f32>;
#endif

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let slot = linear_id(id, groups, 64u);
    if slot >= counters[0] { return; }
    let shape = projected[PROJECTED_STRIDE * slot + 1u];
    let splat = index_of(shape);
    let i = splat - part.first;
    if i >= part.count { return; }
    let sh_degree = unspecialized(view.sh_degree, id);
    let mean = vec3f(means[3u * splat], means[3u * splat + 1u], means[3u * splat + 2u]);
    let d = normalize(mean - view.position);
    let g = GRADIENT_STRIDE * slot;
    // A color clamped at 0 has no gradient.
    let v_color = vec3f(splat_gradients[g + G_RED], splat_gradients[g + G_GREEN], splat_gradients[g + G_BLUE]);
    let v = select(v_color, vec3f(0.0), clamped_channels(shape));
    v_sh0[3u * i + 0u] = SH_C0 * v.x;
    v_sh0[3u * i + 1u] = SH_C0 * v.y;
    v_sh0[3u * i + 2u] = SH_C0 * v.z;
#ifdef BAND_1
    if sh_degree >= 1u {
        let y = sh_band1(d);
        v_sh1[9u * i + 0u] = y.x * v.x;
        v_sh1[9u * i + 1u] = y.x * v.y;
        v_sh1[9u * i + 2u] = y.x * v.z;
        v_sh1[9u * i + 3u] = y.y * v.x;
        v_sh1[9u * i + 4u] = y.y * v.y;
        v_sh1[9u * i + 5u] = y.y * v.z;
        v_sh1[9u * i + 6u] = y.z * v.x;
        v_sh1[9u * i + 7u] = y.z * v.y;
        v_sh1[9u * i + 8u] = y.z * v.z;
    }
#endif
#ifdef BAND_2
    if sh_degree >= 2u {
        let y = sh_band2(d);
        v_sh2[15u * i + 0u] = y[0] * v.x;
        v_sh2[15u * i + 1u] = y[0] * v.y;
        v_sh2[15u * i + 2u] = y[0] * v.z;
        v_sh2[15u * i + 3u] = y[1] * v.x;
        v_sh2[15u * i + 4u] = y[1] * v.y;
        v_sh2[15u * i + 5u] = y[1] * v.z;
        v_sh2[15u * i + 6u] = y[2] * v.x;
        v_sh2[15u * i + 7u] = y[2] * v.y;
        v_sh2[15u * i + 8u] = y[2] * v.z;
        v_sh2[15u * i + 9u] = y[3] * v.x;
        v_sh2[15u * i + 10u] = y[3] * v.y;
        v_sh2[15u * i + 11u] = y[3] * v.z;
        v_sh2[15u * i + 12u] = y[4] * v.x;
        v_sh2[15u * i + 13u] = y[4] * v.y;
        v_sh2[15u * i + 14u] = y[4] * v.z;
    }
#endif
#ifdef BAND_3
    if sh_degree >= 3u {
        let y = sh_band3(d);
        v_sh3[21u * i + 0u] = y[0] * v.x;
        v_sh3[21u * i + 1u] = y[0] * v.y;
        v_sh3[21u * i + 2u] = y[0] * v.z;
        v_sh3[21u * i + 3u] = y[1] * v.x;
        v_sh3[21u * i + 4u] = y[1] * v.y;
        v_sh3[21u * i + 5u] = y[1] * v.z;
        v_sh3[21u * i + 6u] = y[2] * v.x;
        v_sh3[21u * i + 7u] = y[2] * v.y;
        v_sh3[21u * i + 8u] = y[2] * v.z;
        v_sh3[21u * i + 9u] = y[3] * v.x;
        v_sh3[21u * i + 10u] = y[3] * v.y;
        v_sh3[21u * i + 11u] = y[3] * v.z;
        v_sh3[21u * i + 12u] = y[4] * v.x;
        v_sh3[21u * i + 13u] = y[4] * v.y;
        v_sh3[21u * i + 14u] = y[4] * v.z;
        v_sh3[21u * i + 15u] = y[5] * v.x;
        v_sh3[21u * i + 16u] = y[5] * v.y;
        v_sh3[21u * i + 17u] = y[5] * v.z;
        v_sh3[21u * i + 18u] = y[6] * v.x;
        v_sh3[21u * i + 19u] = y[6] * v.y;
        v_sh3[21u * i + 20u] = y[6] * v.z;
    }
#endif
}
