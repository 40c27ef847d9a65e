// Bilinear enlargement to another tensor's size (align_corners = false), times a gate per channel.
// Reads all channels of `source` (planes) and `gates` [channels]; writes channels of `result` (planes). Both are bands
// of larger images: `params.source_first` and `params.result_first` are their first rows. A workgroup works on one
// channel of a block of rows.
#import common/planes

struct Params {
    source: Plane,
    result: Plane,
    source_first: u32,
    result_first: u32,
    source_height: u32, // of the whole image
    workgroups: u32,
    scale: vec2f, // source size / result size of the whole image, in x and y
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<f32>;
@group(0) @binding(2) var<storage, read> gates: array<f32>;
@group(0) @binding(3) var<storage, read_write> result: array<f32>;

// The two samples around a result's pixel, and the weight of the second.
struct Between {
    a: u32,
    b: u32,
    t: f32,
}

fn between(i: u32, scale: f32, size: u32) -> Between {
    let at = max((f32(i) + 0.5) * scale - 0.5, 0.0);
    let a = min(u32(at), size - 1u);
    return Between(a, min(a + 1u, size - 1u), at - f32(a));
}

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
    let block = workgroup / params.source.channels;
    let channel = workgroup % params.source.channels;
    let gate = gates[channel];
    let end = block_row(block) + block_rows(params.result, block);
    for (var row = block_row(block); row < end; row++) {
        let y = between(params.result_first + row - 1u, params.scale.y, params.source_height);
        // The band's halo rows hold the neighbors' nearest rows.
        let above = plane_at(params.source, y.a + 1u - params.source_first, channel, 1u);
        let below = plane_at(params.source, y.b + 1u - params.source_first, channel, 1u);
        let to = plane_at(params.result, row, channel, 1u);
        for (var column = local; column < params.result.width; column += 64u) {
            let x = between(column, params.scale.x, params.source.width);
            let upper = mix(source[above + x.a], source[above + x.b], x.t);
            let lower = mix(source[below + x.a], source[below + x.b], x.t);
            result[to + column] = mix(upper, lower, y.t) * gate;
        }
    }
}
