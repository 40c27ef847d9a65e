// Channels times gates: the end of squeeze and excitation.
// Reads channels of `source` (planes) and `gates` [channels]; writes channels of `result` (planes of the same size). A
// workgroup works on one channel of a block of rows.
#import common/planes

struct Params {
    source: Plane,
    result: Plane,
    channels: u32,
    workgroups: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<f32>;
@group(0) @binding(2) var<storage, read> gates: array<f32>;
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
    let block = workgroup / params.channels;
    let channel = workgroup % params.channels;
    let gate = gates[channel];
    let rows = block_rows(params.source, block);
    let offsets = row_offsets(params.source, rows);
    let result_offsets = row_offsets(params.result, rows);
    let start = plane_at(params.source, block_row(block), channel, 1u);
    let result_start = plane_at(params.result, block_row(block), channel, 1u);
    for (var x = local; x < params.source.width; x += 64u) {
        let at = vec4u(start + x) + offsets;
        let to = vec4u(result_start + x) + result_offsets;
        let v = vec4f(source[at.x], source[at.y], source[at.z], source[at.w]) * gate;
        result[to.x] = v.x;
        if rows > 1u { result[to.y] = v.y; }
        if rows > 2u { result[to.z] = v.z; }
        if rows > 3u { result[to.w] = v.w; }
    }
}
