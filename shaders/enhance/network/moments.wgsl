// Mean and sum of squared differences of groups of channels over blocks of rows; moments_total joins them.
// Reads channels of `source` (planes), `params.group` neighboring ones a group; writes `partials` [block][group] as
// (number of values, mean, Σ(v − mean)², 0), from block `params.first_block` on. A workgroup makes one of them.
#import common/planes
#import common/unspecialized

struct Params {
    source: Plane,
    groups: u32,
    group: u32, // channels of a group
    first_block: u32,
    workgroups: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<f32>;
@group(0) @binding(2) var<storage, read_write> partials: array<vec4f>;

var<workgroup> sums: array<vec2f, 64>;

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
    let block = workgroup / params.groups;
    let group = workgroup % params.groups;
    let rows = block_rows(params.source, block);
    let first = group * params.group;
    let offsets = row_offsets(params.source, rows);
    // Four rows at once: software adapters pay for every turn of a loop.
    let present = select(vec4f(), vec4f(1.0), vec4u(0u, 1u, 2u, 3u) < vec4u(rows));
    // Differences from one of the values: sums of squares of what is far from 0 would lose their digits.
    let shift = source[plane_at(params.source, block_row(block), first, params.source.width / 2u + 1u)];
    var sum = vec4f();
    var squares = vec4f();
    let channels = unspecialized(params.group, group_id);
    for (var channel = 0u; channel < channels; channel++) {
        let start = plane_at(params.source, block_row(block), first + channel, 1u);
        for (var x = local; x < params.source.width; x += 64u) {
            let at = vec4u(start + x) + offsets;
            let d = (vec4f(source[at.x], source[at.y], source[at.z], source[at.w]) - shift) * present;
            sum += d;
            squares = fma(d, d, squares);
        }
    }
    sums[local] = vec2f(dot(sum, vec4f(1.0)), dot(squares, vec4f(1.0)));
    workgroupBarrier();
    var total = vec2f();
    // Zero iterations elsewhere: software adapters run both sides of an `if`, but leave a loop that nobody enters.
    let lanes = select(0u, 64u, local == 0u);
    for (var i = 0u; i < lanes; i += 4u) {
        total += (sums[i] + sums[i + 1u]) + (sums[i + 2u] + sums[i + 3u]);
    }
    if local == 0u {
        let count = f32(rows * params.group * params.source.width);
        let mean = total.x / count;
        partials[(params.first_block + block) * params.groups + group] =
            vec4f(count, shift + mean, max(total.y - total.x * mean, 0.0), 0.0);
    }
}
