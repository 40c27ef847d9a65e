// What a pass of a radix sort reads and writes of pairs: values_out always, values not with FIRST, where they are the places of
// their keys, keys_out not with LAST, where only values are wanted.
@group(0) @binding(4) var<storage, read_write> values_out: array<u32>;
#ifdef FIRST
#ifdef LAST
#else
@group(0) @binding(5) var<storage, read_write> keys_out: array<u32>;
#endif
#else
@group(0) @binding(5) var<storage, read> values: array<vec4<u32>>;
#ifdef LAST
#else
@group(0) @binding(6) var<storage, read_write> keys_out: array<u32>;
#endif
#endif

// The four values that go with the four keys `quad`.
fn values_of(quad: u32) -> vec4<u32> {
#ifdef FIRST
    return vec4(4u * quad) + vec4(0u, 1u, 2u, 3u);
#else
    return values[quad];
#endif
}

// The value that goes with key `at`.
fn value_of(at: u32) -> u32 {
#ifdef FIRST
    return at;
#else
    return values[at / 4u][at % 4u];
#endif
}

fn put_key(to: u32, key: u32) {
#ifdef LAST
#else
    keys_out[to] = key;
#endif
}

fn put(to: u32, key: u32, value: u32) {
    put_key(to, key);
    values_out[to] = value;
}
