// Input channels 9–17: channels 0–8 less their mean, divided by their standard deviation (at least MIN_DEVIATION).
// Reads `statistics` (mean, variance) of the 9 channels, reads and writes `values` (planes). A workgroup works on one
// channel of a block of rows.
#import common/planes

struct Params {
    values: Plane,
    workgroups: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> statistics: array<vec2f>;
@group(0) @binding(2) var<storage, read_write> values: array<f32>;

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
    let block = workgroup / 9u;
    let channel = workgroup % 9u;
    let moments = statistics[channel];
    let scale = 1.0 / max(sqrt(moments.y), MIN_DEVIATION);
    let end = block_row(block) + block_rows(params.values, block);
    for (var row = block_row(block); row < end; row++) {
        let at = plane_at(params.values, row, channel, 1u);
        let to = plane_at(params.values, row, channel + 9u, 1u);
        for (var x = local; x < params.values.width; x += 64u) {
            values[to + x] = (values[at + x] - moments.x) * scale;
        }
    }
}
