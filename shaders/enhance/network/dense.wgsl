// A dense layer on one vector: GELU(weights · x + bias), or sigmoid instead of GELU with SIGMOID.
// Reads `vector` (every `params.step`-th value from `params.first` on), `weights` [outputs][inputs] and `bias`
// [outputs]; writes `result` [outputs]. An invocation makes one output.

#import common/gelu
#import common/unspecialized

struct Params {
    inputs: u32,
    outputs: u32,
    first: u32,
    step: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> vector: array<f32>;
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> result: array<f32>;

fn activate(x: f32) -> f32 {
#ifdef SIGMOID
    return 1.0 / (1.0 + exp(-x));
#else
    return gelu(vec4f(x)).x;
#endif
}

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u) {
    let output = id.x;
    if output >= params.outputs {
        return;
    }
    var sum = bias[output];
    let inputs = unspecialized(params.inputs, id);
    for (var i = 0u; i < inputs; i++) {
        sum = fma(weights[output * params.inputs + i], vector[params.first + i * params.step], sum);
    }
    result[output] = activate(sum);
}
