// GroupNorm and GELU, in place; with RESIDUAL another tensor is added in between.
// Reads and writes `values` (planes), reads `statistics` (mean, variance) of the groups from `params.first` on,
// `affine` [channels] as (weight, bias) and `residual` (planes of the same shape). A workgroup works on one channel of
// a block of rows.
#import common/planes
#import common/gelu

struct Params {
    values: Plane,
    group: u32, // channels of a group
    first: u32,
    workgroups: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> values: array<f32>;
@group(0) @binding(2) var<storage, read> statistics: array<vec2f>;
@group(0) @binding(3) var<storage, read> affine: array<vec2f>;
#ifdef RESIDUAL
@group(0) @binding(4) var<storage, read> residual: array<f32>;
#endif

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
    let block = workgroup / params.values.channels;
    let channel = workgroup % params.values.channels;
    let moments = statistics[params.first + channel / params.group];
    let scale = affine[channel].x * inverseSqrt(moments.y + EPSILON);
    let bias = affine[channel].y - moments.x * scale;
    let rows = block_rows(params.values, block);
    let offsets = row_offsets(params.values, rows);
    let start = plane_at(params.values, block_row(block), channel, 1u);
    for (var x = local; x < params.values.width; x += 64u) {
        let at = vec4u(start + x) + offsets;
        var v = fma(vec4f(values[at.x], values[at.y], values[at.z], values[at.w]), vec4f(scale), vec4f(bias));
#ifdef RESIDUAL
        v += vec4f(residual[at.x], residual[at.y], residual[at.z], residual[at.w]);
#endif
        v = gelu(v);
        values[at.x] = v.x;
        if rows > 1u { values[at.y] = v.y; }
        if rows > 2u { values[at.z] = v.z; }
        if rows > 3u { values[at.w] = v.w; }
    }
}
