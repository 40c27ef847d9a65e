// From footprint gradients to the gradients of means and 3D covariance.
// One invocation per slot. Reads the geometry tensors, projected and splat_gradients; adds to v_means, replaces the first
// six floats of the slot in splat_gradients by ∂L/∂Σ (xx, xy, xz, yy, yz, zz of the symmetric matrix) and G_SUM by
// ∂L/∂(logit opacity), and records for densification |∂L/∂(projected mean)| in units of half the image size, or, with ABSGRAD,
// Σ |∂L/∂(projected mean)| over the pixels, in units of half the longer side.
// Runs after the SH kernels, whose color gradients it overwrites.
// Cost per slot: 34 loads, 13 stores, about 400 operations.
#import common/projection
#import common/projected
#import common/splat_gradients
#import common/unspecialized

@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<storage, read> means: array<f32>;
@group(0) @binding(2) var<storage, read> quats: array<vec4f>;
@group(0) @binding(3) var<storage, read> log_scales: array<f32>;
@group(0) @binding(4) var<storage, read> projected: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> splat_gradients: array<f32>;
@group(0) @binding(6) var<storage, read_write> v_means: array<f32>;
// counters[0]: slots.
@group(0) @binding(7) var<storage, read> counters: array<u32>;
// Per splat: (gradient norm, views), both f32.
@group(0) @binding(8) var<storage, read_write> densify_statistics: array<vec2f>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let slot = linear_id(id, groups, 64u);
    if slot >= counters[0] { return; }
    let g = GRADIENT_STRIDE * slot;
    let center = projected[PROJECTED_STRIDE * slot];
    let shape = projected[PROJECTED_STRIDE * slot + 1u];
    let conic = shape.xyz;
    let i = index_of(shape);

    let mean = vec3f(means[3u * i], means[3u * i + 1u], means[3u * i + 2u]);
    let p = (view.viewmat * vec4f(mean, 1.0)).xyz;
    let t = clamped_position(view, p);
    let scales = exp(vec3f(log_scales[3u * i], log_scales[3u * i + 1u], log_scales[3u * i + 2u]));
    let covariance = covariance_3d(quats[i], scales);
    let rows = projection_rows(view, t);

    // ∂power/∂mean = −conic · d = −w; ∂L/∂power = −g.
    let v_center = vec2f(splat_gradients[g + G_WX], splat_gradients[g + G_WY]);
    // ∂L/∂conic = −½ Σ g d dᵀ, and Σ' = conic⁻¹: ∂L/∂Σ' = −conic · ∂L/∂conic · conic = ½ Σ g w wᵀ.
    var v_cov = 0.5 * vec3f(splat_gradients[g + G_WXWX], splat_gradients[g + G_WXWY], splat_gradients[g + G_WYWY]);
    var v_opacity = splat_gradients[g + G_SUM] / center.z;
    var opacity = center.z;
    if unspecialized(view.antialiased, id) != 0u {
        let sharp = covariance_2d(rows, covariance);
        let blurred = sharp + vec3f(view.low_pass, 0.0, view.low_pass);
        let det = blurred.x * blurred.z - blurred.y * blurred.y;
        let ratio = max((sharp.x * sharp.z - sharp.y * sharp.y) / det, 0.0);
        let rho = sqrt(ratio);
        opacity = center.z / max(rho, 1e-12);
        let v_ratio = v_opacity * opacity * 0.5 / (rho + 1e-6);
        v_cov += v_ratio * ((1.0 - ratio) * conic - vec3f(view.low_pass / det, 0.0, view.low_pass / det));
        v_opacity *= rho;
    }

    // Σ' = T Σ Tᵀ with rows T = J W.
    let v0 = v_cov.x * rows[0] + v_cov.y * rows[1];
    let v1 = v_cov.y * rows[0] + v_cov.z * rows[1];
    let v_rows = array<vec3f, 2>(2.0 * (covariance * v0), 2.0 * (covariance * v1));
    // ∂L/∂Σ = Tᵀ ∂L/∂Σ' T.
    let w = view_rotation(view);
    let v_j0 = w * v_rows[0];
    let v_j1 = w * v_rows[1];
    let f = view.intrinsics.xy;
    let rz = 1.0 / p.z;
    let rz2 = rz * rz;
    var v_p = vec3f(f * v_center * rz, -dot(f * p.xy, v_center) * rz2);
    v_p.z += -f.x * rz2 * v_j0.x - f.y * rz2 * v_j1.y + 2.0 * rz2 * rz * (f.x * t.x * v_j0.z + f.y * t.y * v_j1.z);
    // The linearization point moves with the mean, or, where it is clamped, with its depth alone.
    let v_t = -f * rz2 * vec2f(v_j0.z, v_j1.z);
    let free = t.xy == p.xy;
    v_p.x += select(0.0, v_t.x, free.x);
    v_p.y += select(0.0, v_t.y, free.y);
    v_p.z += select(v_t.x * t.x * rz, 0.0, free.x) + select(v_t.y * t.y * rz, 0.0, free.y);
    let v_mean = transpose(w) * v_p;
    v_means[3u * i] += v_mean.x;
    v_means[3u * i + 1u] += v_mean.y;
    v_means[3u * i + 2u] += v_mean.z;

    let v_sigma0 = rows[0].x * v0 + rows[1].x * v1;
    let v_sigma1 = rows[0].y * v0 + rows[1].y * v1;
    splat_gradients[g] = v_sigma0.x;
    splat_gradients[g + 1u] = v_sigma0.y;
    splat_gradients[g + 2u] = v_sigma0.z;
    splat_gradients[g + 3u] = v_sigma1.y;
    splat_gradients[g + 4u] = v_sigma1.z;
    splat_gradients[g + 5u] = rows[0].z * v0.z + rows[1].z * v1.z;
    splat_gradients[g + G_SUM] = v_opacity * opacity * (1.0 - opacity);
#ifdef ABSGRAD
    let norm = 0.5 * f32(max(view.size.x, view.size.y)) * splat_gradients[g + G_APART];
#else
    let norm = length(v_center * 0.5 * vec2f(view.size));
#endif
    densify_statistics[i] += vec2f(select(0.0, norm, norm < 1e10), 1.0);
}
