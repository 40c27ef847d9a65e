// Draws the sources of relocated and added splats, with replacement, in proportion to opacity.
// One invocation per draw. Reads cumulative (exclusive prefix sum of the weights) and its total; adds to plan.
// Cost per draw: log₂(splats) + 1 loads, an atomic.
#import common/densify
#import common/random

@group(0) @binding(0) var<uniform> densify: Densify;
@group(0) @binding(1) var<storage, read> cumulative: array<u32>;
@group(0) @binding(2) var<storage, read> total: array<u32>;
@group(0) @binding(3) var<storage, read_write> plan: array<atomic<u32>>;

// The high word of a · b: for random a, a number below b.
fn multiply_high(a: u32, b: u32) -> u32 {
    let low = (a & 0xffffu) * (b & 0xffffu);
    let middle0 = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
    let middle1 = (a & 0xffffu) * (b >> 16u) + (middle0 & 0xffffu);
    return (a >> 16u) * (b >> 16u) + (middle0 >> 16u) + (middle1 >> 16u);
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let draw = linear_id(id, groups, 64u);
    if draw >= densify.budget { return; }
    let bits = random_bits(draw, densify.step, densify.seed, STREAM_SAMPLE);
    let at = multiply_high(bits.x, total[0]);
    // The last splat whose sum is not behind `at`; splats without weight share the next one's sum.
    var low = 0u;
    var high = densify.count;
    while high - low > 1u {
        let middle = (low + high) / 2u;
        if cumulative[middle] <= at { low = middle; } else { high = middle; }
    }
    atomicAdd(&plan[low], 1u);
}
