// Culls and projects every splat; survivors get a slot.
// One invocation per splat. Reads the geometry tensors; writes projected (colors follow in sh_forward),
// depth_keys [slots] (order-preserving bits of the depth above NEAR).
// Slots are handed out as invocations come, or with PLACED are in places (a prefix sum over the marks of a pass with
// MARK, which writes nothing else).
// Cost per splat: 11 loads, 4 exponentials, about 200 operations; a visible one 9 stores and an addition in memory.
#import common/projection
#import common/projected
#import common/footprint
#import common/unspecialized

@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<storage, read> means: array<f32>;
@group(0) @binding(2) var<storage, read> quats: array<vec4f>;
@group(0) @binding(3) var<storage, read> log_scales: array<f32>;
@group(0) @binding(4) var<storage, read> logit_opacities: array<f32>;
#ifdef MARK
@group(0) @binding(5) var<storage, read_write> marks: array<u32>;
#else
@group(0) @binding(5) var<storage, read_write> projected: array<vec4f>;
@group(0) @binding(6) var<storage, read_write> depth_keys: array<u32>;
#ifdef PLACED
@group(0) @binding(7) var<storage, read> places: array<u32>;
#else
@group(0) @binding(7) var<storage, read_write> counters: array<atomic<u32>>;
#endif
#endif

struct Footprint {
    visible: bool,
    opacity: f32,
    limit: f32,
    depth: f32,
    center: vec2f,
    conic: vec3f,
}

// What the view sees of splat `i`, in the invocation `id`. Guards are written so that NaN fails them.
fn footprint(i: u32, id: vec3u) -> Footprint {
    let mean = vec3f(means[3u * i], means[3u * i + 1u], means[3u * i + 2u]);
    let p = (view.viewmat * vec4f(mean, 1.0)).xyz;
    if !(p.z > NEAR && p.z < 1e10) { return Footprint(); }
    let scales = exp(vec3f(log_scales[3u * i], log_scales[3u * i + 1u], log_scales[3u * i + 2u]));
    if max(scales.x, max(scales.y, scales.z)) > view.max_scale { return Footprint(); }
    let quat = quats[i];
    // A quaternion whose square overflows has no direction.
    if !(dot(quat, quat) < 1e38) { return Footprint(); }
    let rows = projection_rows(view, clamped_position(view, p));
    let sharp = covariance_2d(rows, covariance_3d(quat, view.scale_modifier * scales));
    let cov = sharp + vec3f(view.low_pass, 0.0, view.low_pass);
    let det = cov.x * cov.z - cov.y * cov.y;
    if !(det > 0.0 && det < 1e30) { return Footprint(); }
    var opacity = 1.0 / (1.0 + exp(-logit_opacities[i]));
    if opacity < view.min_opacity { return Footprint(); }
    if unspecialized(view.antialiased, id) != 0u {
        opacity *= sqrt(max((sharp.x * sharp.z - sharp.y * sharp.y) / det, 0.0));
    }
    if !(opacity >= ALPHA_MIN) { return Footprint(); }
    let limit = log(255.0 * opacity);
    let conic = vec3f(cov.z, -cov.y, cov.x) / det;
    let center = view.intrinsics.xy * p.xy / p.z + view.intrinsics.zw;
    let tiles = tile_box(center, conic, limit, view.tiles);
    return Footprint(tiles.x < tiles.z && tiles.y < tiles.w, opacity, limit, p.z, center, conic);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = linear_id(id, groups, 64u);
    if i >= view.count { return; }
#ifdef MARK
    marks[i] = u32(footprint(i, id).visible);
#else
#ifdef PLACED
    let slot = places[i];
    if slot == places[i + 1u] { return; }
    let f = footprint(i, id);
#else
    let f = footprint(i, id);
    if !f.visible { return; }
    let slot = atomicAdd(&counters[0], 1u);
    if slot >= view.slot_capacity {
        // The count stays at the capacity or above from here on, so no slot is handed out twice.
        atomicSub(&counters[0], 1u);
        atomicAdd(&counters[2], 1u);
        return;
    }
#endif
    projected[PROJECTED_STRIDE * slot] = vec4f(f.center, f.opacity, f.limit);
    projected[PROJECTED_STRIDE * slot + 1u] = vec4f(f.conic, bitcast<f32>(i));
    depth_keys[slot] = bitcast<u32>(f.depth) - bitcast<u32>(NEAR);
#endif
}
