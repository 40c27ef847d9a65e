// From the gradient of the 3D covariance to quaternions and log-scales; passes the gradient of the logit opacity on.
// One invocation per slot. Reads quats, log_scales, projected and what projection_backward left in splat_gradients;
// writes v_quats, v_log_scales, v_logit_opacities of the splat.
// Cost per slot: 19 loads, 8 stores, 3 exponentials, about 150 operations.
#import common/projection
#import common/projected
#import common/splat_gradients

@group(0) @binding(0) var<storage, read> quats: array<vec4f>;
@group(0) @binding(1) var<storage, read> log_scales: array<f32>;
@group(0) @binding(2) var<storage, read> projected: array<vec4f>;
@group(0) @binding(3) var<storage, read> splat_gradients: array<f32>;
@group(0) @binding(4) var<storage, read> counters: array<u32>;
@group(0) @binding(5) var<storage, read_write> v_quats: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> v_log_scales: array<f32>;
@group(0) @binding(7) var<storage, read_write> v_logit_opacities: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let slot = linear_id(id, groups, 64u);
    if slot >= counters[0] { return; }
    let i = index_of(projected[PROJECTED_STRIDE * slot + 1u]);
    let g = GRADIENT_STRIDE * slot;
    let xy = splat_gradients[g + 1u];
    let xz = splat_gradients[g + 2u];
    let yz = splat_gradients[g + 4u];
    let v_sigma = mat3x3f(
        vec3f(splat_gradients[g], xy, xz),
        vec3f(xy, splat_gradients[g + 3u], yz),
        vec3f(xz, yz, splat_gradients[g + 5u]),
    );
    let scales = exp(vec3f(log_scales[3u * i], log_scales[3u * i + 1u], log_scales[3u * i + 2u]));
    let r = quat_to_rotation(quats[i]);
    // Σ = M Mᵀ with M = R diag(s): ∂L/∂M = 2 ∂L/∂Σ M.
    let v_m = array<vec3f, 3>(
        2.0 * scales.x * (v_sigma * r[0]),
        2.0 * scales.y * (v_sigma * r[1]),
        2.0 * scales.z * (v_sigma * r[2]),
    );
    v_log_scales[3u * i] = scales.x * dot(r[0], v_m[0]);
    v_log_scales[3u * i + 1u] = scales.y * dot(r[1], v_m[1]);
    v_log_scales[3u * i + 2u] = scales.z * dot(r[2], v_m[2]);

    // ∂L/∂R, columns; then through the quaternion and its normalization.
    let c0 = scales.x * v_m[0];
    let c1 = scales.y * v_m[1];
    let c2 = scales.z * v_m[2];
    let inverse_norm = inverseSqrt(max(dot(quats[i], quats[i]), 1e-24));
    let q = quats[i] * inverse_norm;
    let w = q.x; let x = q.y; let y = q.z; let z = q.w;
    let v_q = 2.0 * vec4f(
        x * (c1.z - c2.y) + y * (c2.x - c0.z) + z * (c0.y - c1.x),
        -2.0 * x * (c1.y + c2.z) + y * (c0.y + c1.x) + z * (c0.z + c2.x) + w * (c1.z - c2.y),
        x * (c0.y + c1.x) - 2.0 * y * (c0.x + c2.z) + z * (c1.z + c2.y) + w * (c2.x - c0.z),
        x * (c0.z + c2.x) + y * (c1.z + c2.y) - 2.0 * z * (c0.x + c1.y) + w * (c0.y - c1.x),
    );
    v_quats[i] = (v_q - q * dot(q, v_q)) * inverse_norm;
    v_logit_opacities[i] = splat_gradients[g + G_SUM];
}
