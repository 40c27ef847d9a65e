// A render as a picture on the screen.
// One invocation per pixel. Reads image (the planes of a render over black, tile-padded: red, green, blue, transmittance,
// depth); writes picture [size].
// With EXPOSED colors are those of another exposure.
// Cost per pixel: at most 4 loads, and with EXPOSED six powers.
#import common/view
#import common/unspecialized

const COLOR = 0u;
const DEPTH = 1u;
const OPACITY = 2u;

// Rust twin: viewer::show::ShowUniform.
struct Show {
    size: vec2u,
    // Floats in a row of a plane, and in a plane.
    pitch: u32,
    plane: u32,
    background: vec3f,
    // COLOR, DEPTH or OPACITY.
    what: u32,
    // Factors of linear light.
    gain: vec3f,
    // Depths at the two ends of the color map.
    near: f32,
    far: f32,
}

@group(0) @binding(0) var<uniform> show: Show;
@group(0) @binding(1) var<storage, read> image: array<f32>;
@group(0) @binding(2) var picture: texture_storage_2d<rgba8unorm, write>;

// The color map Turbo (Mikhailov 2019) by its polynomial, from blue at 0 to red at 1.
fn turbo(x: f32) -> vec3f {
    let low = vec4f(1.0, x, x * x, x * x * x);
    let high = low.zw * low.z;
    return clamp(vec3f(
        dot(low, vec4f(0.13572138, 4.61539260, -42.66032258, 132.13108234)) + dot(high, vec2f(-152.94239396, 59.28637943)),
        dot(low, vec4f(0.09140261, 2.19418839, 4.84296658, -14.18503333)) + dot(high, vec2f(4.27729857, 2.82956604)),
        dot(low, vec4f(0.10667330, 12.64194608, -60.58204836, 110.36276771)) + dot(high, vec2f(-89.90310912, 27.34824973)),
    ), vec3f(0.0), vec3f(1.0));
}

#ifdef EXPOSED
// As an exposure `gain` times as long has a color: sRGB (IEC 61966-2-1) to light and back. `max` keeps pow's base valid where its
// result is not used.
fn exposed(color: vec3f, gain: vec3f) -> vec3f {
    let v = max(color, vec3f(0.0));
    let light = gain * select(pow((v + 0.055) / 1.055, vec3f(2.4)), v / 12.92, v <= vec3f(0.04045));
    let encoded = select(1.055 * pow(light, vec3f(1.0 / 2.4)) - 0.055, 12.92 * light, light <= vec3f(0.0031308));
    return select(min(encoded, vec3f(1.0)), color, gain == vec3f(1.0));
}
#endif

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = linear_id(id, groups, 64u);
    if i >= show.size.x * show.size.y { return; }
    let pixel = vec2u(i % show.size.x, i / show.size.x);
    let at = pixel.y * show.pitch + pixel.x;
    let transmittance = image[at + 3u * show.plane];
    let opacity = 1.0 - transmittance;
    var color = vec3f(opacity);
    let what = unspecialized(show.what, id);
    if what == COLOR {
        color = vec3f(image[at], image[at + show.plane], image[at + 2u * show.plane]);
#ifdef EXPOSED
        color = exposed(color, show.gain);
#endif
        color += transmittance * show.background;
    } else if what == DEPTH {
        // Near is red; where there is next to nothing there is no depth.
        let depth = image[at + 4u * show.plane] / max(opacity, 1e-6);
        let place = clamp((show.far - depth) / max(show.far - show.near, 1e-20), 0.0, 1.0);
        color = mix(show.background, turbo(place), smoothstep(0.1, 0.5, opacity));
    }
    textureStore(picture, pixel, vec4f(color, 1.0));
}
