// Brings the pairs back after an odd number of passes.
//
// Reads  sort_args[3] (number of keys), keys, values.
// Writes keys_out, values_out.
// One workgroup a block; neighboring threads move neighboring quads.
#import common/sort_block

@group(0) @binding(0) var<storage, read> sort_args: array<u32>;
@group(0) @binding(1) var<storage, read> keys: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> values: array<vec4<u32>>;
@group(0) @binding(3) var<storage, read_write> keys_out: array<vec4<u32>>;
@group(0) @binding(4) var<storage, read_write> values_out: array<vec4<u32>>;

@compute @workgroup_size(THREADS)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
    @builtin(local_invocation_index) thread: u32,
) {
    let first = (group.x + group.y * groups.x) * THREADS * QUADS_PER_THREAD + thread;
    let n = sort_args[3];
    for (var i = 0u; i < QUADS_PER_THREAD; i++) {
        let quad = first + i * THREADS;
        if 4u * quad + 3u < n {
            keys_out[quad] = keys[quad];
            values_out[quad] = values[quad];
        } else if 4u * quad < n {
            // Pairs past the end are not the sort's.
            let inside = 4u * quad + vec4(0u, 1u, 2u, 3u) < vec4(n);
            keys_out[quad] = select(keys_out[quad], keys[quad], inside);
            values_out[quad] = select(values_out[quad], values[quad], inside);
        }
    }
}
