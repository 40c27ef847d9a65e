// Joins the moments of blocks (Chan, Golub & LeVeque 1979).
// Reads `partials` [blocks][groups]; writes (mean, population variance) of every group to `statistics` from
// `params.first` on. A workgroup makes one group.

struct Params {
    blocks: u32,
    groups: u32,
    first: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> partials: array<vec4f>;
@group(0) @binding(2) var<storage, read_write> statistics: array<vec2f>;

var<workgroup> lanes: array<vec4f, 64>;

fn join(a: vec4f, b: vec4f) -> vec4f {
    let count = max(a.x + b.x, 1.0);
    let d = b.y - a.y;
    let share = b.x / count;
    return vec4f(a.x + b.x, a.y + d * share, a.z + b.z + d * d * a.x * share, 0.0);
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group_id: vec3u,
    @builtin(num_workgroups) group_count: vec3u,
    @builtin(local_invocation_index) local: u32,
) {
    let group = group_id.x + group_id.y * group_count.x;
    if group >= params.groups {
        return;
    }
    var mine = vec4f();
    for (var i = local; i < params.blocks; i += 64u) {
        mine = join(mine, partials[i * params.groups + group]);
    }
    lanes[local] = mine;
    workgroupBarrier();
    var total = vec4f();
    let count = select(0u, 64u, local == 0u);
    for (var i = 0u; i < count; i++) {
        total = join(total, lanes[i]);
    }
    if local == 0u {
        statistics[params.first + group] = vec2f(total.y, total.z / max(total.x, 1.0));
    }
}
