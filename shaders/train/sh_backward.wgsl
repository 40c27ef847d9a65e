// Gradient of the SH coefficients: ∂L/∂sh[k] = Y_k(direction) · ∂L/∂color.
// One invocation per slot, one dispatch for each part of the bands. Reads means, projected and the color part of
// splat_gradients; writes v_sh of the splat. BAND_1 to BAND_3 are defined for the bands that the model has.
// Cost per slot: 9 loads, 3 stores per basis function of the model (at most 48); without TALL also a load and a store of workgroup
// memory for each of these stores.
#import common/view
#import common/part
#import common/color_gradient
#import common/projected
#import common/sh
#import common/splat_gradients
#import common/unspecialized

@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<uniform> part: Part;
@group(0) @binding(2) var<storage, read> means: array<f32>;
@group(0) @binding(3) var<storage, read> projected: array<vec4f>;
@group(0) @binding(4) var<storage, read> splat_gradients: array<f32>;
@group(0) @binding(5) var<storage, read> counters: array<u32>;
@group(0) @binding(6) var<storage, read_write> v_sh0: array<f32>;
#ifdef BAND_1
@group(0) @binding(7) var<storage, read_write> v_sh1: array<f32>;
#endif
#ifdef BAND_2
@group(0) @binding(8) var<storage, read_write> v_sh2: array<f32>;
#endif
#ifdef BAND_3
@group(0) @binding(9) var<storage, read_write> v_sh3: array<f32>;
#endif

#ifdef TALL
@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let slot = linear_id(id, groups, 64u);
    if slot >= counters[0] { return; }
    let shape = projected[PROJECTED_STRIDE * slot + 1u];
    let splat = index_of(shape);
    let i = splat - part.first;
    if i >= part.count { return; }
    let sh_degree = unspecialized(view.sh_degree, id);
    let mean = vec3f(means[3u * splat], means[3u * splat + 1u], means[3u * splat + 2u]);
    let d = normalize(mean - view.position);
    let v = color_gradient(slot, shape);
    v_sh0[3u * i + 0u] = SH_C0 * v.x;
    v_sh0[3u * i + 1u] = SH_C0 * v.y;
    v_sh0[3u * i + 2u] = SH_C0 * v.z;
#ifdef BAND_1
    if sh_degree >= 1u {
        let y = sh_band1(d);
        v_sh1[9u * i + 0u] = y.x * v.x;
        v_sh1[9u * i + 1u] = y.x * v.y;
        v_sh1[9u * i + 2u] = y.x * v.z;
        v_sh1[9u * i + 3u] = y.y * v.x;
        v_sh1[9u * i + 4u] = y.y * v.y;
        v_sh1[9u * i + 5u] = y.y * v.z;
        v_sh1[9u * i + 6u] = y.z * v.x;
        v_sh1[9u * i + 7u] = y.z * v.y;
        v_sh1[9u * i + 8u] = y.z * v.z;
    }
#endif
#ifdef BAND_2
    if sh_degree >= 2u {
        let y = sh_band2(d);
        v_sh2[15u * i + 0u] = y[0] * v.x;
        v_sh2[15u * i + 1u] = y[0] * v.y;
        v_sh2[15u * i + 2u] = y[0] * v.z;
        v_sh2[15u * i + 3u] = y[1] * v.x;
        v_sh2[15u * i + 4u] = y[1] * v.y;
        v_sh2[15u * i + 5u] = y[1] * v.z;
        v_sh2[15u * i + 6u] = y[2] * v.x;
        v_sh2[15u * i + 7u] = y[2] * v.y;
        v_sh2[15u * i + 8u] = y[2] * v.z;
        v_sh2[15u * i + 9u] = y[3] * v.x;
        v_sh2[15u * i + 10u] = y[3] * v.y;
        v_sh2[15u * i + 11u] = y[3] * v.z;
        v_sh2[15u * i + 12u] = y[4] * v.x;
        v_sh2[15u * i + 13u] = y[4] * v.y;
        v_sh2[15u * i + 14u] = y[4] * v.z;
    }
#endif
#ifdef BAND_3
    if sh_degree >= 3u {
        let y = sh_band3(d);
        v_sh3[21u * i + 0u] = y[0] * v.x;
        v_sh3[21u * i + 1u] = y[0] * v.y;
        v_sh3[21u * i + 2u] = y[0] * v.z;
        v_sh3[21u * i + 3u] = y[1] * v.x;
        v_sh3[21u * i + 4u] = y[1] * v.y;
        v_sh3[21u * i + 5u] = y[1] * v.z;
        v_sh3[21u * i + 6u] = y[2] * v.x;
        v_sh3[21u * i + 7u] = y[2] * v.y;
        v_sh3[21u * i + 8u] = y[2] * v.z;
        v_sh3[21u * i + 9u] = y[3] * v.x;
        v_sh3[21u * i + 10u] = y[3] * v.y;
        v_sh3[21u * i + 11u] = y[3] * v.z;
        v_sh3[21u * i + 12u] = y[4] * v.x;
        v_sh3[21u * i + 13u] = y[4] * v.y;
        v_sh3[21u * i + 14u] = y[4] * v.z;
        v_sh3[21u * i + 15u] = y[5] * v.x;
        v_sh3[21u * i + 16u] = y[5] * v.y;
        v_sh3[21u * i + 17u] = y[5] * v.z;
        v_sh3[21u * i + 18u] = y[6] * v.x;
        v_sh3[21u * i + 19u] = y[6] * v.y;
        v_sh3[21u * i + 20u] = y[6] * v.z;
    }
#endif
}
#else
// A band's gradients of 64 slots, slot by slot, and the row of each slot's splat: consecutive threads write consecutive values.
var<workgroup> staged: array<f32, 1344>;
var<workgroup> rows: array<u32, 64>;
const NO_ROW = 0xffffffffu;

// Where the staged value `at` of a band of `width` floats belongs, or NO_ROW.
fn place_of(at: u32, width: u32) -> u32 {
    let row = rows[at / width];
    return select(width * row + at % width, NO_ROW, row == NO_ROW);
}

fn stage(at: u32, y: f32, v: vec3f) {
    staged[at] = y * v.x;
    staged[at + 1u] = y * v.y;
    staged[at + 2u] = y * v.z;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) thread: u32,
) {
    let first = 64u * (group.x + group.y * groups.x);
    if first >= counters[0] { return; }
    let slot = min(first + thread, counters[0] - 1u);
    let shape = projected[PROJECTED_STRIDE * slot + 1u];
    let splat = index_of(shape);
    let i = splat - part.first;
    rows[thread] = select(NO_ROW, i, first + thread == slot && i < part.count);
    let sh_degree = unspecialized(view.sh_degree, group);
    let mean = vec3f(means[3u * splat], means[3u * splat + 1u], means[3u * splat + 2u]);
    let d = normalize(mean - view.position);
    let v = color_gradient(slot, shape);
    stage(3u * thread, SH_C0, v);
    workgroupBarrier();
    for (var at = thread; at < 192u; at += 64u) {
        let to = place_of(at, 3u);
        if to != NO_ROW { v_sh0[to] = staged[at]; }
    }
#ifdef BAND_1
    workgroupBarrier();
    let y1 = sh_band1(d);
    stage(9u * thread, y1.x, v);
    stage(9u * thread + 3u, y1.y, v);
    stage(9u * thread + 6u, y1.z, v);
    workgroupBarrier();
    for (var at = thread; at < select(0u, 576u, sh_degree >= 1u); at += 64u) {
        let to = place_of(at, 9u);
        if to != NO_ROW { v_sh1[to] = staged[at]; }
    }
#endif
#ifdef BAND_2
    workgroupBarrier();
    let y2 = sh_band2(d);
    stage(15u * thread + 0u, y2[0], v);
    stage(15u * thread + 3u, y2[1], v);
    stage(15u * thread + 6u, y2[2], v);
    stage(15u * thread + 9u, y2[3], v);
    stage(15u * thread + 12u, y2[4], v);
    workgroupBarrier();
    for (var at = thread; at < select(0u, 960u, sh_degree >= 2u); at += 64u) {
        let to = place_of(at, 15u);
        if to != NO_ROW { v_sh2[to] = staged[at]; }
    }
#endif
#ifdef BAND_3
    workgroupBarrier();
    let y3 = sh_band3(d);
    stage(21u * thread + 0u, y3[0], v);
    stage(21u * thread + 3u, y3[1], v);
    stage(21u * thread + 6u, y3[2], v);
    stage(21u * thread + 9u, y3[3], v);
    stage(21u * thread + 12u, y3[4], v);
    stage(21u * thread + 15u, y3[5], v);
    stage(21u * thread + 18u, y3[6], v);
    workgroupBarrier();
    for (var at = thread; at < select(0u, 1344u, sh_degree >= 3u); at += 64u) {
        let to = place_of(at, 21u);
        if to != NO_ROW { v_sh3[to] = staged[at]; }
    }
#endif
}
#endif
