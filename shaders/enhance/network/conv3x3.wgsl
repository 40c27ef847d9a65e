// 3×3 convolution with zero padding 1, stride 1 (or 2 with STRIDE_2), no bias.
// Reads channels of `source` (planes) and `weights` [ceil(outputs / 8)][inputs][column][row][8]; writes channels of
// `result` (planes). An invocation makes 8 channels of 8 rows (stride 2: 4 rows) of one column in registers; a
// workgroup makes 64 such runs of the same 8 channels.
// With FUSED, GroupNorm by known statistics and GELU follow at once: `affine` holds (scale, bias) of every channel from
// `params.affine` on; with RESIDUAL too, `residual` (planes like those of `result`) is added in between.
// With subgroups, the 8 weights of a tap are loaded by 8 lanes and broadcast, and at stride 1 eight lanes own eight columns in a row, so
// that a lane has the columns beside its own from its neighbors: on software adapters a load costs as much per lane as
// five multiplications, whether or not all lanes read the same address.
// Cost per input of a run: 22 loads (36 at stride 2; without subgroups 102 and 99), 40 exchanges and 72 broadcasts for 576
// multiplications (288).
#import common/planes
#import common/unspecialized
#ifdef FUSED
#import common/gelu
#endif

struct Params {
    source: Plane,
    result: Plane,
    inputs: u32,
    outputs: u32,
    groups_per_block: u32, // workgroups that make the same 8 channels
    groups: u32,           // workgroups in all
    affine: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<f32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read_write> result: array<f32>;
#ifdef FUSED
@group(0) @binding(4) var<storage, read> affine: array<vec2f>;
#ifdef RESIDUAL
@group(0) @binding(5) var<storage, read> residual: array<f32>;
#endif
#endif

#ifdef STRIDE_2
const ROWS = 4u;
const STRIDE = 2u;
#else
const ROWS = 8u;
const STRIDE = 1u;
#endif

// Sums of channels 0–3 and 4–7, by row.
var<private> low: array<vec4f, ROWS>;
var<private> high: array<vec4f, ROWS>;

// The weights of one tap for 8 output channels.
struct Tap {
    low: vec4f,
    high: vec4f,
}

fn tap(at: u32, lane: u32) -> Tap {
#ifdef SUBGROUPS
    let w = weights[at + lane];
    return Tap(
        vec4f(subgroupBroadcast(w, 0u), subgroupBroadcast(w, 1u), subgroupBroadcast(w, 2u), subgroupBroadcast(w, 3u)),
        vec4f(subgroupBroadcast(w, 4u), subgroupBroadcast(w, 5u), subgroupBroadcast(w, 6u), subgroupBroadcast(w, 7u)),
    );
#else
    return Tap(
        vec4f(weights[at], weights[at + 1u], weights[at + 2u], weights[at + 3u]),
        vec4f(weights[at + 4u], weights[at + 5u], weights[at + 6u], weights[at + 7u]),
    );
#endif
}

fn sum3(sum: vec4f, v: vec3f, a: vec4f, b: vec4f, c: vec4f) -> vec4f {
    return fma(vec4f(v.z), c, fma(vec4f(v.y), b, fma(vec4f(v.x), a, sum)));
}

// What one column of taps needs of the source: a value per row (nine at stride 2).
alias Column = array<f32, 10>;

// The column from `at` on, rows `pitch` apart.
fn load_column(at: u32, pitch: u32) -> Column {
#ifdef STRIDE_2
    let last = 0.0;
#else
    let last = source[at + 9u * pitch];
#endif
    return Column(
        source[at],
        source[at + pitch],
        source[at + 2u * pitch],
        source[at + 3u * pitch],
        source[at + 4u * pitch],
        source[at + 5u * pitch],
        source[at + 6u * pitch],
        source[at + 7u * pitch],
        source[at + 8u * pitch],
        last,
    );
}

#ifdef SUBGROUPS
#ifdef STRIDE_2
#else
// The two columns to the right of those that eight lanes own, which begin at `at`: lane l of the eight has row 4k + l / 2 of
// column l % 2 in value k.
fn load_edge(at: u32, pitch: u32, lane: u32) -> vec3f {
    let row = lane / 2u;
    let first = at + 8u + (lane & 1u);
    return vec3f(
        source[first + row * pitch],
        source[first + (row + 4u) * pitch],
        source[first + min(row + 8u, 9u) * pitch],
    );
}

// Which lanes hold the column that lies `by` (1 or 2) to the right of this lane's.
struct Right {
    // Another lane's own column,
    lane: u32,
    // or the edge's, in the rows 4k of value k; by 2 more in each next one.
    edge: u32,
    beyond: bool,
}

fn right_by(by: u32, subgroup_lane: u32) -> Right {
    let lane = subgroup_lane & 7u;
    let first = subgroup_lane & ~7u;
    return Right(first + ((lane + by) & 7u), first + ((lane + by) & 1u), lane + by > 7u);
}

fn beside(own: f32, edge: f32, row: u32, right: Right) -> f32 {
    return select(subgroupShuffle(own, right.lane), subgroupShuffle(edge, right.edge + 2u * row), right.beyond);
}

fn column_beside(own: Column, edge: vec3f, right: Right) -> Column {
    return Column(
        beside(own[0], edge.x, 0u, right),
        beside(own[1], edge.x, 1u, right),
        beside(own[2], edge.x, 2u, right),
        beside(own[3], edge.x, 3u, right),
        beside(own[4], edge.y, 0u, right),
        beside(own[5], edge.y, 1u, right),
        beside(own[6], edge.y, 2u, right),
        beside(own[7], edge.y, 3u, right),
        beside(own[8], edge.z, 0u, right),
        beside(own[9], edge.z, 1u, right),
    );
}
#endif
#endif

// Adds one column of taps, whose weights begin at `weight`, to all rows.
fn add_column(v: Column, weight: u32, lane: u32) {
    let a = tap(weight, lane);
    let b = tap(weight + 8u, lane);
    let c = tap(weight + 16u, lane);
#ifdef STRIDE_2
    low[0] = sum3(low[0], vec3f(v[0], v[1], v[2]), a.low, b.low, c.low);
    low[1] = sum3(low[1], vec3f(v[2], v[3], v[4]), a.low, b.low, c.low);
    low[2] = sum3(low[2], vec3f(v[4], v[5], v[6]), a.low, b.low, c.low);
    low[3] = sum3(low[3], vec3f(v[6], v[7], v[8]), a.low, b.low, c.low);
    high[0] = sum3(high[0], vec3f(v[0], v[1], v[2]), a.high, b.high, c.high);
    high[1] = sum3(high[1], vec3f(v[2], v[3], v[4]), a.high, b.high, c.high);
    high[2] = sum3(high[2], vec3f(v[4], v[5], v[6]), a.high, b.high, c.high);
    high[3] = sum3(high[3], vec3f(v[6], v[7], v[8]), a.high, b.high, c.high);
#else
    low[0] = sum3(low[0], vec3f(v[0], v[1], v[2]), a.low, b.low, c.low);
    low[1] = sum3(low[1], vec3f(v[1], v[2], v[3]), a.low, b.low, c.low);
    low[2] = sum3(low[2], vec3f(v[2], v[3], v[4]), a.low, b.low, c.low);
    low[3] = sum3(low[3], vec3f(v[3], v[4], v[5]), a.low, b.low, c.low);
    low[4] = sum3(low[4], vec3f(v[4], v[5], v[6]), a.low, b.low, c.low);
    low[5] = sum3(low[5], vec3f(v[5], v[6], v[7]), a.low, b.low, c.low);
    low[6] = sum3(low[6], vec3f(v[6], v[7], v[8]), a.low, b.low, c.low);
    low[7] = sum3(low[7], vec3f(v[7], v[8], v[9]), a.low, b.low, c.low);
    high[0] = sum3(high[0], vec3f(v[0], v[1], v[2]), a.high, b.high, c.high);
    high[1] = sum3(high[1], vec3f(v[1], v[2], v[3]), a.high, b.high, c.high);
    high[2] = sum3(high[2], vec3f(v[2], v[3], v[4]), a.high, b.high, c.high);
    high[3] = sum3(high[3], vec3f(v[3], v[4], v[5]), a.high, b.high, c.high);
    high[4] = sum3(high[4], vec3f(v[4], v[5], v[6]), a.high, b.high, c.high);
    high[5] = sum3(high[5], vec3f(v[5], v[6], v[7]), a.high, b.high, c.high);
    high[6] = sum3(high[6], vec3f(v[6], v[7], v[8]), a.high, b.high, c.high);
    high[7] = sum3(high[7], vec3f(v[7], v[8], v[9]), a.high, b.high, c.high);
#endif
}

// Adds the three columns of an input from `at` on.
fn add_columns(at: u32, pitch: u32, weight: u32, subgroup_lane: u32) {
    let lane = subgroup_lane & 7u;
    let own = load_column(at, pitch);
    add_column(own, weight, lane);
#ifdef SUBGROUPS
#ifdef STRIDE_2
    add_column(load_column(at + 1u, pitch), weight + 24u, lane);
    add_column(load_column(at + 2u, pitch), weight + 48u, lane);
#else
    let edge = load_edge(at - lane, pitch, lane);
    add_column(column_beside(own, edge, right_by(1u, subgroup_lane)), weight + 24u, lane);
    add_column(column_beside(own, edge, right_by(2u, subgroup_lane)), weight + 48u, lane);
#endif
#else
    add_column(load_column(at + 1u, pitch), weight + 24u, lane);
    add_column(load_column(at + 2u, pitch), weight + 48u, lane);
#endif
}

#ifdef FUSED
// Scales and biases of channels 0–3 and 4–7.
var<private> scale_low: vec4f;
var<private> scale_high: vec4f;
var<private> bias_low: vec4f;
var<private> bias_high: vec4f;

fn load_affine(first: u32) {
    let a = affine[first];
    let b = affine[first + 1u];
    let c = affine[first + 2u];
    let d = affine[first + 3u];
    scale_low = vec4f(a.x, b.x, c.x, d.x);
    bias_low = vec4f(a.y, b.y, c.y, d.y);
    let e = affine[first + 4u];
    let f = affine[first + 5u];
    let g = affine[first + 6u];
    let h = affine[first + 7u];
    scale_high = vec4f(e.x, f.x, g.x, h.x);
    bias_high = vec4f(e.y, f.y, g.y, h.y);
}
#endif

// Writes one row of the run, `sums_low` and `sums_high`: as many of the 8 channels as there are.
fn store(y: u32, x: u32, channel: u32, sums_low: vec4f, sums_high: vec4f) {
    if y >= params.result.rows {
        return;
    }
    let pitch = params.result.width + 2u;
    let at = plane_at(params.result, y + 1u, channel, x + 1u);
    let count = params.outputs - channel;
    var a = sums_low;
    var b = sums_high;
#ifdef FUSED
    a = fma(a, scale_low, bias_low);
    b = fma(b, scale_high, bias_high);
#ifdef RESIDUAL
    // Channels beyond the last repeat it.
    let last = count - 1u;
    let low_at = vec4u(at) + min(vec4u(0u, 1u, 2u, 3u), vec4u(last)) * pitch;
    let high_at = vec4u(at) + min(vec4u(4u, 5u, 6u, 7u), vec4u(last)) * pitch;
    a += vec4f(residual[low_at.x], residual[low_at.y], residual[low_at.z], residual[low_at.w]);
    b += vec4f(residual[high_at.x], residual[high_at.y], residual[high_at.z], residual[high_at.w]);
#endif
    a = gelu(a);
    b = gelu(b);
#endif
    result[at] = a.x;
    if count > 1u { result[at + pitch] = a.y; }
    if count > 2u { result[at + 2u * pitch] = a.z; }
    if count > 3u { result[at + 3u * pitch] = a.w; }
    if count > 4u { result[at + 4u * pitch] = b.x; }
    if count > 5u { result[at + 5u * pitch] = b.y; }
    if count > 6u { result[at + 6u * pitch] = b.z; }
    if count > 7u { result[at + 7u * pitch] = b.w; }
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group_id: vec3u,
    @builtin(num_workgroups) group_count: vec3u,
#ifdef SUBGROUPS
    @builtin(subgroup_invocation_id) subgroup_lane: u32,
    @builtin(subgroup_size) lanes: u32,
    @builtin(subgroup_id) subgroup: u32,
#else
    @builtin(local_invocation_index) local: u32,
#endif
) {
    let group = group_id.x + group_id.y * group_count.x;
    if group >= params.groups {
        return;
    }
#ifdef SUBGROUPS
    let local = subgroup * lanes + subgroup_lane;
#endif
    let block = group / params.groups_per_block;
    // A row of runs is padded to a multiple of eight lanes.
    let width = (params.result.width + 7u) & ~7u;
    let runs = width * ((params.result.rows + ROWS - 1u) / ROWS);
    let wanted = (group % params.groups_per_block) * 64u + local;
    // Surplus invocations repeat the last eight runs, so that all lanes of a subgroup hold weights.
    let run = select(runs - 8u + (wanted & 7u), wanted, wanted < runs);
    let x = run % width;
    let y = run / width * ROWS;
    low = array<vec4f, ROWS>();
    high = array<vec4f, ROWS>();
    let pitch = params.source.channels * (params.source.width + 2u);
    var at = plane_at(params.source, y * STRIDE, 0u, x * STRIDE);
    var weight = block * params.inputs * 72u;
    let inputs = unspecialized(params.inputs, group_id);
    for (var input = 0u; input < inputs; input++) {
#ifdef SUBGROUPS
        add_columns(at, pitch, weight, subgroup_lane);
#else
        add_columns(at, pitch, weight, 0u);
#endif
        at += params.source.width + 2u;
        weight += 72u;
    }
    if wanted >= runs || x >= params.result.width {
        return;
    }
#ifdef FUSED
    load_affine(params.affine + block * 8u);
#endif
    // One by one: an index that is not constant would move the sums from registers to memory.
    let channel = block * 8u;
    store(y, x, channel, low[0], high[0]);
    store(y + 1u, x, channel, low[1], high[1]);
    store(y + 2u, x, channel, low[2], high[2]);
    store(y + 3u, x, channel, low[3], high[3]);
#ifdef STRIDE_2
#else
    store(y + 4u, x, channel, low[4], high[4]);
    store(y + 5u, x, channel, low[5], high[5]);
    store(y + 6u, x, channel, low[6], high[6]);
    store(y + 7u, x, channel, low[7], high[7]);
#endif
}
