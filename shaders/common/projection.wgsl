// Projection of a Gaussian to the image (EWA splatting, Zwicker et al. 2001, as in 3DGS).
#import common/view

const NEAR = 0.01;

// Rotation of the quaternion (w, x, y, z), which need not be normalized.
fn quat_to_rotation(quat: vec4f) -> mat3x3f {
    let q = quat * inverseSqrt(max(dot(quat, quat), 1e-24));
    let w = q.x; let x = q.y; let y = q.z; let z = q.w;
    return mat3x3f(
        vec3f(1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y + w * z), 2.0 * (x * z - w * y)),
        vec3f(2.0 * (x * y - w * z), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z + w * x)),
        vec3f(2.0 * (x * z + w * y), 2.0 * (y * z - w * x), 1.0 - 2.0 * (x * x + y * y)),
    );
}

// R diag(s)² Rᵀ.
fn covariance_3d(quat: vec4f, scales: vec3f) -> mat3x3f {
    let r = quat_to_rotation(quat);
    let m = mat3x3f(r[0] * scales.x, r[1] * scales.y, r[2] * scales.z);
    return m * transpose(m);
}

fn view_rotation(view: View) -> mat3x3f {
    return mat3x3f(view.viewmat[0].xyz, view.viewmat[1].xyz, view.viewmat[2].xyz);
}

// Camera-space position at which the projection is linearized: x/z and y/z are held at most 30 % of the half field
// of view outside the picture (of all of it, where a part is drawn), where the local affine approximation would explode.
fn clamped_position(view: View, p: vec3f) -> vec3f {
    let ratio = p.xy / p.z;
    let clamped = clamp(ratio, view.tangent_limits.xy, view.tangent_limits.zw);
    // Exactly p where nothing is clamped: the backward pass tells the cases apart by comparing.
    return vec3f(select(clamped * p.z, p.xy, clamped == ratio), p.z);
}

// Rows of J·W, the Jacobian of the projection at the (clamped) camera-space position t times the view rotation.
fn projection_rows(view: View, t: vec3f) -> array<vec3f, 2> {
    let w = transpose(view_rotation(view));
    let f = view.intrinsics.xy;
    let row0 = f.x / t.z * w[0] - f.x * t.x / (t.z * t.z) * w[2];
    let row1 = f.y / t.z * w[1] - f.y * t.y / (t.z * t.z) * w[2];
    return array<vec3f, 2>(row0, row1);
}

// Upper triangle (xx, xy, yy) of the 2D covariance, before the low-pass filter.
fn covariance_2d(rows: array<vec3f, 2>, covariance: mat3x3f) -> vec3f {
    let s0 = covariance * rows[0];
    return vec3f(dot(rows[0], s0), dot(rows[1], s0), dot(rows[1], covariance * rows[1]));
}
