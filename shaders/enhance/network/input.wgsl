// The first 9 input channels: dark, lit and lit − dark, three colors each. Values that are not finite become 0.
// Reads `dark` and `lit` [rows][width][3]; writes channels 0–8 of `result` (planes). A workgroup works on one of the
// three colors of a block of rows.
#import common/planes
#import common/finite

struct Params {
    result: Plane,
    workgroups: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dark: array<f32>;
@group(0) @binding(2) var<storage, read> lit: array<f32>;
@group(0) @binding(3) var<storage, read_write> result: array<f32>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group_id: vec3u,
    @builtin(num_workgroups) group_count: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let workgroup = group_id.x + group_id.y * group_count.x;
    if workgroup >= params.workgroups {
        return;
    }
    let block = workgroup / 3u;
    let color = workgroup % 3u;
    let end = block_row(block) + block_rows(params.result, block);
    for (var row = block_row(block); row < end; row++) {
        for (var x = local; x < params.result.width; x += 64u) {
            let pixel = ((row - 1u) * params.result.width + x) * 3u + color;
            let d = finite(dark[pixel]);
            let l = finite(lit[pixel]);
            result[plane_at(params.result, row, color, x + 1u)] = d;
            result[plane_at(params.result, row, color + 3u, x + 1u)] = l;
            result[plane_at(params.result, row, color + 6u, x + 1u)] = l - d;
        }
    }
}
