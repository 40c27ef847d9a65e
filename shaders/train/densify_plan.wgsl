// Which splats are duplicated, split or pruned (3DGS, Kerbl et al. 2023, §5.2). One invocation per splat.
// Reads log_scales, logit_opacities, statistics (gradient norm sum, views) and broken; writes plan, its splat counts
// alone to offsets, and counters.
// Growing comes before pruning: what a split leaves is judged by its smaller scale.
// Cost per splat: 7 loads, 2 stores, an atomic where the splat changes.
#import common/densify

@group(0) @binding(0) var<uniform> densify: Densify;
@group(0) @binding(1) var<storage, read> log_scales: array<f32>;
@group(0) @binding(2) var<storage, read> logit_opacities: array<f32>;
@group(0) @binding(3) var<storage, read> statistics: array<vec2f>;
@group(0) @binding(4) var<storage, read> broken: array<u32>;
@group(0) @binding(5) var<storage, read_write> plan: array<u32>;
@group(0) @binding(6) var<storage, read_write> offsets: array<u32>;
@group(0) @binding(7) var<storage, read_write> counters: array<atomic<u32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = linear_id(id, groups, 64u);
    if i >= densify.count { return; }
    let scale = exp(max(max(log_scales[3u * i], log_scales[3u * i + 1u]), log_scales[3u * i + 2u]));
    let gradient = statistics[i].x / max(statistics[i].y, 1.0);
    let grows = gradient > densify.grad_threshold;
    let splits = grows && scale > densify.duplicate_scale;
    let left = select(scale, scale / SPLIT_SHRINK, splits);
    let opaque = sigmoid(logit_opacities[i]) >= densify.prune_opacity;
    var word = 1u;
    if broken[i] != 0u {
        word = 0u;
        atomicAdd(&counters[C_NON_FINITE], 1u);
    } else if !opaque || !(left <= densify.prune_scale) {
        word = 0u;
        atomicAdd(&counters[C_PRUNED], 1u);
    } else if splits {
        word = 2u | TAG_SPLIT;
        atomicAdd(&counters[C_SPLIT], 1u);
    } else if grows {
        word = 2u | TAG_COPY;
        atomicAdd(&counters[C_DUPLICATED], 1u);
    }
    plan[i] = word;
    offsets[i] = word & ~TAG_MASK;
}
