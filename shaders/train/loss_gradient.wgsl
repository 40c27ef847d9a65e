// SSIM, last of four kernels: blurs along columns and puts the gradient of the loss together.
// One invocation a block of 4 × 4 pixels of one channel. Reads rendered, target and blurred; writes v_image: the plane
// of this channel, ∂L/∂x = l1_weight · sign(x − t) + ssim_weight · (P + 2 x Q + t R) with P, Q, R the blurred
// partials, 0 in the padding; and sums [workgroups]: |x − t|.
#import common/view
#import common/gaussian11
#import common/loss_size
#import common/loss_target

@group(0) @binding(0) var<uniform> size: Size;
@group(0) @binding(1) var<storage, read> rendered: array<vec4f>;
@group(0) @binding(3) var<storage, read> blurred: array<vec4f>;
@group(0) @binding(4) var<storage, read_write> v_image: array<vec4f>;
@group(0) @binding(5) var<storage, read_write> sums: array<f32>;
#import common/workgroup_sum

fn gradient(quad: u32, y: u32, p: vec4f, q: vec4f, r: vec4f) -> f32 {
    let i = y * size.quads + quad;
    let plane = size.channel * size.quads * size.rows;
    let x = rendered[plane + i];
    let t = target_quad(size, i);
    let inside = (vec4u(4u * quad) + vec4u(0u, 1u, 2u, 3u) < vec4u(size.width)) & vec4<bool>(y < size.height);
    let v = size.l1_weight * sign(x - t) + size.ssim_weight * (p + 2.0 * x * q + t * r);
    v_image[plane + i] = select(vec4f(0.0), v, inside);
    return dot(select(vec4f(0.0), abs(x - t), inside), vec4f(1.0));
}

@compute @workgroup_size(64)
fn main(
    @builtin(global_invocation_id) id: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(workgroup_id) group: vec3u,
    @builtin(local_invocation_index) thread: u32,
) {
    let block = linear_id(id, groups, 64u);
    let quad = block % size.quads;
    let y0 = i32(4u * (block / size.quads));
    let plane = size.quads * size.rows;
    var index = 0u;
    var value = vec4f(0.0);
    var b00 = vec4f(0.0);
    var b01 = vec4f(0.0);
    var b02 = vec4f(0.0);
    var b03 = vec4f(0.0);
    var b10 = vec4f(0.0);
    var b11 = vec4f(0.0);
    var b12 = vec4f(0.0);
    var b13 = vec4f(0.0);
    var b20 = vec4f(0.0);
    var b21 = vec4f(0.0);
    var b22 = vec4f(0.0);
    var b23 = vec4f(0.0);
    index = row_index(size, quad, y0 + -5);
    value = blurred[index];
    b00 += G0.x * value;
    value = blurred[plane + index];
    b10 += G0.x * value;
    value = blurred[2u * plane + index];
    b20 += G0.x * value;
    index = row_index(size, quad, y0 + -4);
    value = blurred[index];
    b00 += G1.x * value;
    b01 += G1.y * value;
    value = blurred[plane + index];
    b10 += G1.x * value;
    b11 += G1.y * value;
    value = blurred[2u * plane + index];
    b20 += G1.x * value;
    b21 += G1.y * value;
    index = row_index(size, quad, y0 + -3);
    value = blurred[index];
    b00 += G2.x * value;
    b01 += G2.y * value;
    b02 += G2.z * value;
    value = blurred[plane + index];
    b10 += G2.x * value;
    b11 += G2.y * value;
    b12 += G2.z * value;
    value = blurred[2u * plane + index];
    b20 += G2.x * value;
    b21 += G2.y * value;
    b22 += G2.z * value;
    index = row_index(size, quad, y0 + -2);
    value = blurred[index];
    b00 += G3.x * value;
    b01 += G3.y * value;
    b02 += G3.z * value;
    b03 += G3.w * value;
    value = blurred[plane + index];
    b10 += G3.x * value;
    b11 += G3.y * value;
    b12 += G3.z * value;
    b13 += G3.w * value;
    value = blurred[2u * plane + index];
    b20 += G3.x * value;
    b21 += G3.y * value;
    b22 += G3.z * value;
    b23 += G3.w * value;
    index = row_index(size, quad, y0 + -1);
    value = blurred[index];
    b00 += G4.x * value;
    b01 += G4.y * value;
    b02 += G4.z * value;
    b03 += G4.w * value;
    value = blurred[plane + index];
    b10 += G4.x * value;
    b11 += G4.y * value;
    b12 += G4.z * value;
    b13 += G4.w * value;
    value = blurred[2u * plane + index];
    b20 += G4.x * value;
    b21 += G4.y * value;
    b22 += G4.z * value;
    b23 += G4.w * value;
    index = row_index(size, quad, y0 + 0);
    value = blurred[index];
    b00 += G5.x * value;
    b01 += G5.y * value;
    b02 += G5.z * value;
    b03 += G5.w * value;
    value = blurred[plane + index];
    b10 += G5.x * value;
    b11 += G5.y * value;
    b12 += G5.z * value;
    b13 += G5.w * value;
    value = blurred[2u * plane + index];
    b20 += G5.x * value;
    b21 += G5.y * value;
    b22 += G5.z * value;
    b23 += G5.w * value;
    index = row_index(size, quad, y0 + 1);
    value = blurred[index];
    b00 += G6.x * value;
    b01 += G6.y * value;
    b02 += G6.z * value;
    b03 += G6.w * value;
    value = blurred[plane + index];
    b10 += G6.x * value;
    b11 += G6.y * value;
    b12 += G6.z * value;
    b13 += G6.w * value;
    value = blurred[2u * plane + index];
    b20 += G6.x * value;
    b21 += G6.y * value;
    b22 += G6.z * value;
    b23 += G6.w * value;
    index = row_index(size, quad, y0 + 2);
    value = blurred[index];
    b00 += G7.x * value;
    b01 += G7.y * value;
    b02 += G7.z * value;
    b03 += G7.w * value;
    value = blurred[plane + index];
    b10 += G7.x * value;
    b11 += G7.y * value;
    b12 += G7.z * value;
    b13 += G7.w * value;
    value = blurred[2u * plane + index];
    b20 += G7.x * value;
    b21 += G7.y * value;
    b22 += G7.z * value;
    b23 += G7.w * value;
    index = row_index(size, quad, y0 + 3);
    value = blurred[index];
    b00 += G8.x * value;
    b01 += G8.y * value;
    b02 += G8.z * value;
    b03 += G8.w * value;
    value = blurred[plane + index];
    b10 += G8.x * value;
    b11 += G8.y * value;
    b12 += G8.z * value;
    b13 += G8.w * value;
    value = blurred[2u * plane + index];
    b20 += G8.x * value;
    b21 += G8.y * value;
    b22 += G8.z * value;
    b23 += G8.w * value;
    index = row_index(size, quad, y0 + 4);
    value = blurred[index];
    b00 += G9.x * value;
    b01 += G9.y * value;
    b02 += G9.z * value;
    b03 += G9.w * value;
    value = blurred[plane + index];
    b10 += G9.x * value;
    b11 += G9.y * value;
    b12 += G9.z * value;
    b13 += G9.w * value;
    value = blurred[2u * plane + index];
    b20 += G9.x * value;
    b21 += G9.y * value;
    b22 += G9.z * value;
    b23 += G9.w * value;
    index = row_index(size, quad, y0 + 5);
    value = blurred[index];
    b00 += G10.x * value;
    b01 += G10.y * value;
    b02 += G10.z * value;
    b03 += G10.w * value;
    value = blurred[plane + index];
    b10 += G10.x * value;
    b11 += G10.y * value;
    b12 += G10.z * value;
    b13 += G10.w * value;
    value = blurred[2u * plane + index];
    b20 += G10.x * value;
    b21 += G10.y * value;
    b22 += G10.z * value;
    b23 += G10.w * value;
    index = row_index(size, quad, y0 + 6);
    value = blurred[index];
    b01 += G11.y * value;
    b02 += G11.z * value;
    b03 += G11.w * value;
    value = blurred[plane + index];
    b11 += G11.y * value;
    b12 += G11.z * value;
    b13 += G11.w * value;
    value = blurred[2u * plane + index];
    b21 += G11.y * value;
    b22 += G11.z * value;
    b23 += G11.w * value;
    index = row_index(size, quad, y0 + 7);
    value = blurred[index];
    b02 += G12.z * value;
    b03 += G12.w * value;
    value = blurred[plane + index];
    b12 += G12.z * value;
    b13 += G12.w * value;
    value = blurred[2u * plane + index];
    b22 += G12.z * value;
    b23 += G12.w * value;
    index = row_index(size, quad, y0 + 8);
    value = blurred[index];
    b03 += G13.w * value;
    value = blurred[plane + index];
    b13 += G13.w * value;
    value = blurred[2u * plane + index];
    b23 += G13.w * value;
    let y = u32(y0);
    var l1 = 0.0;
    if y < size.rows {
        l1 += gradient(quad, y + 0u, b00, b10, b20);
        l1 += gradient(quad, y + 1u, b01, b11, b21);
        l1 += gradient(quad, y + 2u, b02, b12, b22);
        l1 += gradient(quad, y + 3u, b03, b13, b23);
    }
    let total = workgroup_sum(thread, l1);
    if thread == 0u { sums[linear_id(group, groups, 1u)] = total; }
}
