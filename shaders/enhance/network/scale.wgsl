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
    let end = block_end(params.source, block);
    for (var row = block * ROWS_PER_GROUP + 1u; row < end; row++) {
        let at = plane_at(params.source, row, channel, 1u);
        let to = plane_at(params.result, row, channel, 1u);
        for (var x = local; x < params.source.width; x += 64u) {
            result[to + x] = source[at + x] * gate;
        }
    }
}
