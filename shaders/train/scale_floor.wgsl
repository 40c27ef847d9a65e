// Raises log-scales to what the training images can resolve: a standard deviation of `least` pixels in the closest view
// that sees the splat (the sampling rate of Mip-Splatting, Yu et al. 2024, §4.1, as a bound rather than a filter).
// One invocation per splat.
// Reads eyes and means; raises log_scales.
// Cost per splat: 6 loads, at most 3 stores; per splat and view: 22 loads.
#import common/projection
#import common/unspecialized

struct Floor {
    count: u32,
    views: u32,
    least: f32,
}

struct Eye {
    // World to camera, OpenCV axes.
    viewmat: mat4x4f,
    // fx, fy, cx, cy in pixels.
    intrinsics: vec4f,
    size: vec2f,
}

// Part of the image's size by which a mean may lie outside of it and its splat still be seen.
const MARGIN = 0.15;

@group(0) @binding(0) var<uniform> settings: Floor;
@group(0) @binding(1) var<storage, read> eyes: array<Eye>;
@group(0) @binding(2) var<storage, read> means: array<f32>;
@group(0) @binding(3) var<storage, read_write> log_scales: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = linear_id(id, groups, 64u);
    if i >= settings.count { return; }
    let mean = vec4f(means[3u * i], means[3u * i + 1u], means[3u * i + 2u], 1.0);
    // Pixels to a unit of the world.
    var rate = 0.0;
    let views = unspecialized(settings.views, id);
    for (var k = 0u; k < views; k++) {
        let eye = eyes[k];
        let p = (eye.viewmat * mean).xyz;
        let f = eye.intrinsics.xy;
        let pixel = f * p.xy / p.z + eye.intrinsics.zw;
        let inside = all(pixel > -MARGIN * eye.size) && all(pixel < (1.0 + MARGIN) * eye.size);
        if p.z > NEAR && inside { rate = max(rate, max(f.x, f.y) / p.z); }
    }
    if rate == 0.0 { return; }
    let lowest = log(settings.least / rate);
    for (var axis = 3u * i; axis < 3u * i + 3u; axis++) {
        // NaN fails the comparison and stays what it is: those splats are removed by name.
        if log_scales[axis] < lowest { log_scales[axis] = lowest; }
    }
}
