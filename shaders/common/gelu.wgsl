// The activation of the chroma network: x·Φ(x), exact but for erf by Abramowitz & Stegun 7.1.26 (within 1.5e-7).

fn gelu(x: vec4f) -> vec4f {
    let z = abs(x) * 0.70710678;
    let t = 1.0 / (1.0 + 0.3275911 * z);
    let p = t * (0.254829592 + t * (-0.284496736 + t * (1.421413741 + t * (-1.453152027 + t * 1.061405429))));
    let tail = 0.5 * p * exp(-z * z); // Φ(−|x|)
    return x * select(tail, 1.0 - tail, x > vec4f());
}
