// Horizontal half of the blur that carries the derivatives of SSIM back to the image.
//
// Reads  partials (three planes, zero outside the interior).
// Writes blurred: three planes, their blurs along x.
// One invocation makes eight neighbors of a row of one plane.
#import common/view
#import common/ssim_window

@group(0) @binding(0) var<uniform> info: Channel;
@group(0) @binding(1) var<storage, read> partials: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> blurred: array<vec4f>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let index = linear_id(id, groups, 64u);
    let per_row = info.pitch / 8u;
    let row = index / per_row; // of all three planes
    if row >= 3u * info.rows { return; }
    let k = 2 * i32(index - row * per_row);
    let last = i32(info.pitch / 4u) - 1;
    let first = row * (info.pitch / 4u);
    // Indices past either end repeat a border, where the four outermost values are zero.
    let v0 = partials[first + u32(max(k - 2, 0))];
    let v1 = partials[first + u32(max(k - 1, 0))];
    let v2 = partials[first + u32(k)];
    let v3 = partials[first + u32(k + 1)];
    let v4 = partials[first + u32(min(k + 2, last))];
    let v5 = partials[first + u32(min(k + 3, last))];
    let q = vec4f(v1.w, v2.xyz);
    let r = vec4f(v2.w, v3.xyz);
    let s = vec4f(v3.w, v4.xyz);
    let p = vec4f(v0.w, v1.xyz);
    let t = vec4f(v4.w, v5.x, 0.0, 0.0);
    blurred[first + u32(k)] = blur(p, q, r, s);
    blurred[first + u32(k) + 1u] = blur(q, r, s, t);
}
