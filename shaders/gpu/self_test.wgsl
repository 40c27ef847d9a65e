// Start-up check of a driver: long loops and sums by atomics. One invocation per element of `states`.
// Reads and writes states[i]: a linear congruential generator, LOOPS steps on.
// Adds 1 to count and 0.5 to sum from every invocation.

@group(0) @binding(0) var<storage, read_write> states: array<u32>;
@group(0) @binding(1) var<storage, read_write> count: atomic<u32>;
#ifdef FLOAT_ATOMICS
@group(0) @binding(2) var<storage, read_write> sum: atomic<f32>;
#else
@group(0) @binding(2) var<storage, read_write> sum: atomic<u32>;
#endif

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    if id.x >= arrayLength(&states) {
        return;
    }
    var state = states[id.x];
    for (var i = 0u; i < LOOPS; i++) {
        state = state * 1664525u + 1013904223u;
    }
    states[id.x] = state;
    atomicAdd(&count, 1u);
#ifdef FLOAT_ATOMICS
    atomicAdd(&sum, 0.5);
#else
    var old = atomicLoad(&sum);
    loop {
        let result = atomicCompareExchangeWeak(&sum, old, bitcast<u32>(bitcast<f32>(old) + 0.5));
        if result.exchanged {
            break;
        }
        old = result.old_value;
    }
#endif
}
