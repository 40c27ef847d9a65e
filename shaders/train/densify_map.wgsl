// Where every new splat comes from. One invocation per new splat.
// Reads plan and offsets (prefix sum of the plan's counts); writes sources [after]: splat | tag.
// New splats stand where their sources stood, so neighbors in memory stay neighbors.
// Cost per new splat: log₂(splats) + 2 loads, a store.
#import common/densify

@group(0) @binding(0) var<uniform> densify: Densify;
@group(0) @binding(1) var<storage, read> plan: array<u32>;
@group(0) @binding(2) var<storage, read> offsets: array<u32>;
@group(0) @binding(3) var<storage, read_write> sources: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = linear_id(id, groups, 64u);
    if i >= densify.after { return; }
    // The last splat whose first offset is not behind i; splats that become none share the next one's offset.
    var low = 0u;
    var high = densify.count;
    while high - low > 1u {
        let middle = (low + high) / 2u;
        if offsets[middle] <= i { low = middle; } else { high = middle; }
    }
    let word = plan[low];
    var tag = word & TAG_MASK;
    if tag == TAG_COPY && i == offsets[low] {
        tag = TAG_KEEP;
    } else if tag == TAG_KEEP && word > 1u {
        tag = TAG_RELOCATED;
    }
    sources[i] = low | tag;
}
