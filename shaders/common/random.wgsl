// Counter-based random numbers: pcg4d (Jarzynski and Olano, "Hash Functions for GPU Rendering", JCGT 2020).

// Streams of one seed and step that must not repeat each other.
const STREAM_SPLIT = 0x51ed270bu;
const STREAM_SAMPLE = 0x9e3779b9u;
const STREAM_NOISE = 0x2545f491u;

fn pcg4d(counter: vec4u) -> vec4u {
    var v = counter * 1664525u + 1013904223u;
    v.x += v.y * v.w; v.y += v.z * v.x; v.z += v.x * v.y; v.w += v.y * v.z;
    v ^= v >> vec4u(16u);
    v.x += v.y * v.w; v.y += v.z * v.x; v.z += v.x * v.y; v.w += v.y * v.z;
    return v;
}

fn random_bits(index: u32, step: u32, seed: vec2u, stream: u32) -> vec4u {
    return pcg4d(vec4u(index, step, seed.x, seed.y ^ stream));
}

// Three standard normal numbers (Box–Muller) from four words.
fn standard_normal(bits: vec4u) -> vec3f {
    let u = (vec4f(bits >> vec4u(8u)) + 0.5) * 5.9604645e-8; // 2^-24: in (0, 1]
    let radius = sqrt(-2.0 * log(u.xy));
    let angle = 6.2831853 * u.zw;
    return vec3f(radius.x * cos(angle.x), radius.y * cos(angle.y), radius.x * sin(angle.x));
}
