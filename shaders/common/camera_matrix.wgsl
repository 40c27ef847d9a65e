// The channels of a dark pixel mixed by the rows of a matrix. Where red.w is not 0, other colors than yellows and greens
// are only multiplied by green.w: the share of the matrix is (green - blue) / (largest - least channel). Red of
// these others, or of all, gets blue.w times its lead over the larger of the other two.

// Least difference of channels, three tenths of a level: what is closer to gray is mixed less.
const LEAST_CHROMA: f32 = 0.3 / 255.0;

fn mixed(red: vec4f, green: vec4f, blue: vec4f, x: vec3f) -> vec3f {
    let lead = vec3f(blue.w * max(x.x - max(x.y, x.z), 0.0), 0.0, 0.0);
    let all = vec3f(dot(red.xyz, x), dot(green.xyz, x), dot(blue.xyz, x));
    let chroma = max(x.x, max(x.y, x.z)) - min(x.x, min(x.y, x.z));
    let share = clamp((x.y - x.z) / max(chroma, LEAST_CHROMA), 0.0, 1.0);
    // No `if`: see common/unspecialized.
    return select(mix(green.w * x + lead, all, share), all + lead, red.w == 0.0);
}
