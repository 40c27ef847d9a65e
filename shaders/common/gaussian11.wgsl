// Convolution with the 11-tap Gaussian of SSIM (σ = 1.5), four neighbouring outputs at a time.
// G_t holds the weights of input t (of 14) for the four outputs, unrolled: loops over local arrays are slow on
// software adapters.
const G0 = vec4f(0.0010283801, 0.0, 0.0, 0.0);
const G1 = vec4f(0.0075987581, 0.0010283801, 0.0, 0.0);
const G2 = vec4f(0.0360007721, 0.0075987581, 0.0010283801, 0.0);
const G3 = vec4f(0.1093606895, 0.0360007721, 0.0075987581, 0.0010283801);
const G4 = vec4f(0.2130055377, 0.1093606895, 0.0360007721, 0.0075987581);
const G5 = vec4f(0.2660117249, 0.2130055377, 0.1093606895, 0.0360007721);
const G6 = vec4f(0.2130055377, 0.2660117249, 0.2130055377, 0.1093606895);
const G7 = vec4f(0.1093606895, 0.2130055377, 0.2660117249, 0.2130055377);
const G8 = vec4f(0.0360007721, 0.1093606895, 0.2130055377, 0.2660117249);
const G9 = vec4f(0.0075987581, 0.0360007721, 0.1093606895, 0.2130055377);
const G10 = vec4f(0.0010283801, 0.0075987581, 0.0360007721, 0.1093606895);
const G11 = vec4f(0.0, 0.0010283801, 0.0075987581, 0.0360007721);
const G12 = vec4f(0.0, 0.0, 0.0010283801, 0.0075987581);
const G13 = vec4f(0.0, 0.0, 0.0, 0.0010283801);

// Four outputs at positions 0–3 of the middle quad c; a … e are the quads at −8, −4, 0, 4, 8.
fn blur_row(a: vec4f, b: vec4f, c: vec4f, d: vec4f, e: vec4f) -> vec4f {
    return a.w * G0 + b.x * G1 + b.y * G2 + b.z * G3
        + b.w * G4 + c.x * G5 + c.y * G6 + c.z * G7 + c.w * G8
        + d.x * G9 + d.y * G10 + d.z * G11 + d.w * G12 + e.x * G13;
}
