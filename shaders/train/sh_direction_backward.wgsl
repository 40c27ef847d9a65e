// Gradient of the means through the viewing direction: ∂L/∂mean += (∂d/∂mean)ᵀ Σ_k ∇Y_k (sh[k] · ∂L/∂color).
// One invocation per slot, one dispatch for each part of the bands. Reads means, SH bands 1–3, projected and
// splat_gradients; adds to v_means of the splat. BAND_2 and BAND_3 are defined for the bands that the model has beside the
// first.
// Cost per slot: 13 loads, 3 more per basis function of the model (at most 45), 3 stores.
#import common/view
#import common/part
#import common/color_gradient
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
@group(0) @binding(6) var<storage, read_write> v_means: array<f32>;
@group(0) @binding(7) var<storage, read> sh1: array<f32>;
#ifdef BAND_2
@group(0) @binding(8) var<storage, read> sh2: array<f32>;
#endif
#ifdef BAND_3
@group(0) @binding(9) var<storage, read> sh3: array<f32>;
#endif

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let slot = linear_id(id, groups, 64u);
    let sh_degree = unspecialized(view.sh_degree, id);
    if slot >= counters[0] || sh_degree == 0u { return; }
    // Its coefficients need not be numbers.
    if projected[PROJECTED_STRIDE * slot].w == NOT_DRAWN { return; }
    let shape = projected[PROJECTED_STRIDE * slot + 1u];
    let splat = index_of(shape);
    let i = splat - part.first;
    if i >= part.count { return; }
    let mean = vec3f(means[3u * splat], means[3u * splat + 1u], means[3u * splat + 2u]);
    let offset = mean - view.position;
    let inverse_distance = inverseSqrt(dot(offset, offset));
    let d = offset * inverse_distance;
    let v = color_gradient(slot, shape);
    var v_d = SH_C1 * vec3f(
        -dot(vec3f(sh1[9u * i + 6u], sh1[9u * i + 7u], sh1[9u * i + 8u]), v),
        -dot(vec3f(sh1[9u * i + 0u], sh1[9u * i + 1u], sh1[9u * i + 2u]), v),
        dot(vec3f(sh1[9u * i + 3u], sh1[9u * i + 4u], sh1[9u * i + 5u]), v),
    );
#ifdef BAND_2
    if sh_degree >= 2u {
        let y = sh_band2_gradient(d);
        v_d += y[0] * dot(vec3f(sh2[15u * i + 0u], sh2[15u * i + 1u], sh2[15u * i + 2u]), v);
        v_d += y[1] * dot(vec3f(sh2[15u * i + 3u], sh2[15u * i + 4u], sh2[15u * i + 5u]), v);
        v_d += y[2] * dot(vec3f(sh2[15u * i + 6u], sh2[15u * i + 7u], sh2[15u * i + 8u]), v);
        v_d += y[3] * dot(vec3f(sh2[15u * i + 9u], sh2[15u * i + 10u], sh2[15u * i + 11u]), v);
        v_d += y[4] * dot(vec3f(sh2[15u * i + 12u], sh2[15u * i + 13u], sh2[15u * i + 14u]), v);
    }
#endif
#ifdef BAND_3
    if sh_degree >= 3u {
        let y = sh_band3_gradient(d);
        v_d += y[0] * dot(vec3f(sh3[21u * i + 0u], sh3[21u * i + 1u], sh3[21u * i + 2u]), v);
        v_d += y[1] * dot(vec3f(sh3[21u * i + 3u], sh3[21u * i + 4u], sh3[21u * i + 5u]), v);
        v_d += y[2] * dot(vec3f(sh3[21u * i + 6u], sh3[21u * i + 7u], sh3[21u * i + 8u]), v);
        v_d += y[3] * dot(vec3f(sh3[21u * i + 9u], sh3[21u * i + 10u], sh3[21u * i + 11u]), v);
        v_d += y[4] * dot(vec3f(sh3[21u * i + 12u], sh3[21u * i + 13u], sh3[21u * i + 14u]), v);
        v_d += y[5] * dot(vec3f(sh3[21u * i + 15u], sh3[21u * i + 16u], sh3[21u * i + 17u]), v);
        v_d += y[6] * dot(vec3f(sh3[21u * i + 18u], sh3[21u * i + 19u], sh3[21u * i + 20u]), v);
    }
#endif
    let v_mean = (v_d - d * dot(d, v_d)) * inverse_distance;
    v_means[3u * splat] += v_mean.x;
    v_means[3u * splat + 1u] += v_mean.y;
    v_means[3u * splat + 2u] += v_mean.z;
}
