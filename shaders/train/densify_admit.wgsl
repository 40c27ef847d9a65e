// Holds growth at the budget: of the splats that want to grow, those ranked behind it stay as they are.
// One invocation per splat that wants to grow. Reads the ranked splats; corrects plan, offsets and counters.
#import common/densify

@group(0) @binding(0) var<uniform> densify: Densify;
@group(0) @binding(1) var<storage, read> ranked: array<u32>;
@group(0) @binding(2) var<storage, read_write> plan: array<u32>;
@group(0) @binding(3) var<storage, read_write> offsets: array<u32>;
@group(0) @binding(4) var<storage, read_write> counters: array<atomic<u32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let rank = linear_id(id, groups, 64u);
    if rank < densify.budget || rank >= densify.candidates { return; }
    let i = ranked[rank];
    atomicSub(&counters[select(C_DUPLICATED, C_SPLIT, (plan[i] & TAG_MASK) == TAG_SPLIT)], 1u);
    plan[i] = 1u;
    offsets[i] = 1u;
}
