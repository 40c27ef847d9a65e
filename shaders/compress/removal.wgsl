// What the rendered view would lose if a splat were removed, for every splat in one walk, front to back.
// One workgroup of 64 threads a tile, four pixels in a row a thread, as in raster_backward. The color C of a pixel is affine
// in each α: with S_i the light from behind splat i, its removal changes C by exactly Δ_i = α_i (S_i / (1 − α_i) − T_i c_i),
// which is also −α_i ∂C/∂α_i. Transmittance is a fourth channel, so that holes count on any background.
// With r = C − target, the squared error then changes by Σ 2 r·Δ + |Δ|². The Fisher information of the same picture along
// the splat's position and size, each in units of its own extent, is |Δ|² q and |Δ|² q², q = dᵀ Σ⁻¹ d.
// Reads projected, pair_slots, tile_ranges, image (planes of raster_forward) and target (its first four planes);
// adds to sums, by the splat's index in the model: SUM_STRIDE floats.
#import common/tile_walk

const SUM_STRIDE = 4u;
const S_CHANGE = 0u;
const S_POSITION = 1u;
const S_SIZE = 2u;
// Σ α T: whether any view shows the splat at all.
const S_WEIGHT = 3u;

@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<storage, read> projected: array<vec4f>;
@group(0) @binding(2) var<storage, read> pair_slots: array<u32>;
@group(0) @binding(3) var<storage, read> tile_ranges: array<vec2u>;
@group(0) @binding(4) var<storage, read> image: array<vec4f>;
@group(0) @binding(5) var<storage, read> goal: array<vec4f>;
#ifdef FLOAT_ATOMICS
@group(0) @binding(6) var<storage, read_write> sums: array<atomic<f32>>;

fn add(splat: u32, component: u32, value: f32) {
    atomicAdd(&sums[SUM_STRIDE * splat + component], value);
}
#else
@group(0) @binding(6) var<storage, read_write> sums: array<atomic<u32>>;

fn add(splat: u32, component: u32, value: f32) {
    let index = SUM_STRIDE * splat + component;
    var old = atomicLoad(&sums[index]);
    loop {
        let swap = atomicCompareExchangeWeak(&sums[index], old, bitcast<u32>(bitcast<f32>(old) + value));
        if swap.exchanged { break; }
        old = swap.old_value;
    }
}
#endif

// Four pixels of a thread while their splats pass by: the light from behind the splat that passes, by channel.
struct Pixels {
    red: vec4f,
    green: vec4f,
    blue: vec4f,
    transmittance: vec4f,
    live: vec4<bool>,
}

// The same pixels against their target, and how much of the background they show; neither changes on the way.
struct Residual {
    red: vec4f,
    green: vec4f,
    blue: vec4f,
    through: vec4f,
    shown: vec4f,
}

// The sums of one splat over the four pixels.
fn pass_by(pixels: ptr<function, Pixels>, r: Residual, splat: Splat, pixel: vec2f) -> vec4f {
    let none = vec4f(0.0);
    let all = vec4f(1.0);
    let c = cover(splat, pixel);
    let alpha = min(c.alpha, vec4f(ALPHA_MAX));
    let before = (*pixels).transmittance;
    let next = before * (1.0 - alpha);
    let covered = c.drawn & (*pixels).live;
    (*pixels).live = (*pixels).live & !(covered & (next <= vec4f(TRANSMITTANCE_MIN)));
    let drawn = covered & (*pixels).live;
    let weight = select(none, alpha * before, drawn);
    (*pixels).transmittance = select(before, next, drawn);
    (*pixels).red -= splat.color.x * weight;
    (*pixels).green -= splat.color.y * weight;
    (*pixels).blue -= splat.color.z * weight;
    let opened = alpha / (1.0 - alpha);
    let red = opened * (*pixels).red - splat.color.x * weight;
    let green = opened * (*pixels).green - splat.color.y * weight;
    let blue = opened * (*pixels).blue - splat.color.z * weight;
    let through = opened * r.shown;
    let square = select(none, red * red + green * green + blue * blue + through * through, drawn);
    let product = select(none, r.red * red + r.green * green + r.blue * blue + r.through * through, drawn);
    // α = opacity · exp(−q / 2) before it is clamped.
    let along = c.dx * (splat.conic.x * c.dx + 2.0 * splat.conic.y * c.dy) + splat.conic.z * c.dy * c.dy;
    let q = select(none, along, drawn);
    return vec4f(dot(2.0 * product + square, all), dot(square, q), dot(square, q * q), dot(weight, all));
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3u,
    @builtin(num_workgroups) groups: vec3u,
#ifdef SUBGROUPS
    @builtin(subgroup_invocation_id) lane: u32,
    @builtin(subgroup_size) lanes: u32,
    @builtin(subgroup_id) subgroup: u32,
#else
    @builtin(local_invocation_index) thread: u32,
#endif
) {
    let tile = group.x + group.y * groups.x;
    if tile >= view.tiles.x * view.tiles.y { return; }
    let tile_origin = TILE * vec2u(tile % view.tiles.x, tile / view.tiles.x);
#ifdef SUBGROUPS
    let thread = subgroup * lanes + lane;
    let block = vec2f(tile_origin + quad_origin(subgroup * lanes));
    let block_extent = block_size(lanes);
#endif
    let corner = tile_origin + quad_origin(thread);
    let pixel = vec2f(corner) + 0.5;
    let quad = (corner.y * view.tiles.x * TILE + corner.x) / 4u;
    let plane = view.tiles.x * view.tiles.y * TILE * TILE / 4u;
    let range = tile_ranges[tile];
    let red = image[quad];
    let green = image[quad + plane];
    let blue = image[quad + 2u * plane];
    let shown = image[quad + 3u * plane];
    let residual = Residual(
        red - goal[quad],
        green - goal[quad + plane],
        blue - goal[quad + 2u * plane],
        shown - goal[quad + 3u * plane],
        shown,
    );
    // Tiles reach beyond the picture; what is there is nobody's loss.
    let inside = (vec4u(corner.x) + vec4u(0u, 1u, 2u, 3u) < vec4u(view.size.x)) & vec4<bool>(corner.y < view.size.y);
    var pixels = Pixels(red, green, blue, vec4f(1.0), inside);
#ifdef SUBGROUPS
    for (var base = range.x; base < range.y; base += lanes) {
        let mine = min(base + lane, range.y - 1u);
        let slot = pair_slots[mine];
        let center = projected[PROJECTED_STRIDE * slot];
        let shape = projected[PROJECTED_STRIDE * slot + 1u];
        let shade = projected[PROJECTED_STRIDE * slot + 2u];
        let hit = base + lane < range.y && touches(center.xy, shape.xyz, center.w, block, block_extent);
        let ballot = subgroupBallot(hit);
        for (var word = 0u; word < lanes; word += 32u) {
            var hits = select(ballot.x, ballot.y, word > 0u);
            while hits != 0u {
                let source = word + firstTrailingBit(hits);
                hits &= hits - 1u;
                let splat = Splat(
                    subgroupShuffle(center.xy, source),
                    subgroupShuffle(center.z, source),
                    0.0,
                    subgroupShuffle(shape.xyz, source),
                    bitcast<u32>(subgroupShuffle(shade.w, source)),
                    subgroupShuffle(shade.xyz, source),
                );
                let found = pass_by(&pixels, residual, splat, pixel);
                let change = subgroupAdd(found.x);
                let position = subgroupAdd(found.y);
                let size = subgroupAdd(found.z);
                let weight = subgroupAdd(found.w);
                if lane == 0u && weight > 0.0 {
                    add(splat.slot, S_CHANGE, change);
                    add(splat.slot, S_POSITION, position);
                    add(splat.slot, S_SIZE, size);
                    add(splat.slot, S_WEIGHT, weight);
                }
            }
        }
        if subgroupAll(!any(pixels.live)) { break; }
    }
#else
    for (var i = range.x; i < range.y; i++) {
        let slot = pair_slots[i];
        let center = projected[PROJECTED_STRIDE * slot];
        let shape = projected[PROJECTED_STRIDE * slot + 1u];
        let shade = projected[PROJECTED_STRIDE * slot + 2u];
        let splat = Splat(center.xy, center.z, 0.0, shape.xyz, bitcast<u32>(shade.w), shade.xyz);
        let found = pass_by(&pixels, residual, splat, pixel);
        if found.w > 0.0 {
            add(splat.slot, S_CHANGE, found.x);
            add(splat.slot, S_POSITION, found.y);
            add(splat.slot, S_SIZE, found.z);
            add(splat.slot, S_WEIGHT, found.w);
        }
        if !any(pixels.live) { break; }
    }
#endif
}
