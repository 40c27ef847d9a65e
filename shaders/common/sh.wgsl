// Real spherical harmonics to degree 3 (basis and signs of 3DGS), and their gradients with respect to the direction.
// CPU twin: splat::reference, by Legendre functions.
const SH_C0 = 0.28209479177387814;
const SH_C1 = 0.4886025119029199;

// Bands 1–3 at the unit direction d.
fn sh_band1(d: vec3f) -> vec3f {
    return SH_C1 * vec3f(-d.y, d.z, -d.x);
}

fn sh_band2(d: vec3f) -> array<f32, 5> {
    return array<f32, 5>(
        1.0925484305920792 * d.x * d.y,
        -1.0925484305920792 * d.y * d.z,
        0.31539156525252005 * (2.0 * d.z * d.z - d.x * d.x - d.y * d.y),
        -1.0925484305920792 * d.x * d.z,
        0.5462742152960396 * (d.x * d.x - d.y * d.y),
    );
}

fn sh_band3(d: vec3f) -> array<f32, 7> {
    let xx = d.x * d.x; let yy = d.y * d.y; let zz = d.z * d.z;
    return array<f32, 7>(
        -0.5900435899266435 * d.y * (3.0 * xx - yy),
        2.890611442640554 * d.x * d.y * d.z,
        -0.4570457994644658 * d.y * (4.0 * zz - xx - yy),
        0.3731763325901154 * d.z * (2.0 * zz - 3.0 * xx - 3.0 * yy),
        -0.4570457994644658 * d.x * (4.0 * zz - xx - yy),
        1.445305721320277 * d.z * (xx - yy),
        -0.5900435899266435 * d.x * (xx - 3.0 * yy),
    );
}

// Gradients of the basis functions (as polynomials in x, y, z) with respect to d.
fn sh_band2_gradient(d: vec3f) -> array<vec3f, 5> {
    let a = 1.0925484305920792;
    let b = 0.31539156525252005;
    let c = 0.5462742152960396;
    return array<vec3f, 5>(
        a * vec3f(d.y, d.x, 0.0),
        -a * vec3f(0.0, d.z, d.y),
        b * vec3f(-2.0 * d.x, -2.0 * d.y, 4.0 * d.z),
        -a * vec3f(d.z, 0.0, d.x),
        c * vec3f(2.0 * d.x, -2.0 * d.y, 0.0),
    );
}

fn sh_band3_gradient(d: vec3f) -> array<vec3f, 7> {
    let xx = d.x * d.x; let yy = d.y * d.y; let zz = d.z * d.z;
    let a = -0.5900435899266435;
    let b = 2.890611442640554;
    let c = -0.4570457994644658;
    let e = 0.3731763325901154;
    let f = 1.445305721320277;
    return array<vec3f, 7>(
        a * vec3f(6.0 * d.x * d.y, 3.0 * xx - 3.0 * yy, 0.0),
        b * vec3f(d.y * d.z, d.x * d.z, d.x * d.y),
        c * vec3f(-2.0 * d.x * d.y, 4.0 * zz - xx - 3.0 * yy, 8.0 * d.y * d.z),
        e * vec3f(-6.0 * d.x * d.z, -6.0 * d.y * d.z, 6.0 * zz - 3.0 * xx - 3.0 * yy),
        c * vec3f(4.0 * zz - 3.0 * xx - yy, -2.0 * d.x * d.y, 8.0 * d.x * d.z),
        f * vec3f(2.0 * d.x * d.z, -2.0 * d.y * d.z, xx - yy),
        a * vec3f(3.0 * xx - 3.0 * yy, -6.0 * d.x * d.y, 0.0),
    );
}
