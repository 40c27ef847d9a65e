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

// The light of four pixels from behind the splat that passes.
struct Light {
    red: vec4f,
    green: vec4f,
    blue: vec4f,
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
fn pass_by(
    pixels: ptr<function, Pixels>,
    behind: ptr<function, Light>,
    r: Residual,
    splat: Splat,
    pixel: vec2f,
) -> vec4f {
    let none = vec4f(0.0);
    let all = vec4f(1.0);
    let b = blend(splat, pixel, pixels);
    (*behind).red -= splat.color.x * b.weight;
    (*behind).green -= splat.color.y * b.weight;
    (*behind).blue -= splat.color.z * b.weight;
    let opened = b.alpha / (1.0 - b.alpha);
    let red = opened * (*behind).red - splat.color.x * b.weight;
    let green = opened * (*behind).green - splat.color.y * b.weight;
    let blue = opened * (*behind).blue - splat.color.z * b.weight;
    let through = opened * r.shown;
    let square = select(none, red * red + green * green + blue * blue + through * through, b.drawn);
    let product = select(none, r.red * red + r.green * green + r.blue * blue + r.through * through, b.drawn);
    // α = opacity · exp(−q / 2) before it is clamped.
    let c = b.coverage;
    let along = c.dx * (splat.conic.x * c.dx + 2.0 * splat.conic.y * c.dy) + splat.conic.z * c.dy * c.dy;
    let q = select(none, along, b.drawn);
    return vec4f(dot(2.0 * product + square, all), dot(square, q), dot(square, q * q), dot(b.weight, all));
}

fn add_all(splat: u32, found: vec4f) {
    add(splat, S_CHANGE, found.x);
    add(splat, S_POSITION, found.y);
    add(splat, S_SIZE, found.z);
    add(splat, S_WEIGHT, found.w);
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
    let range = tile_ranges[tile];
#ifdef SUBGROUPS
    let thread = subgroup * lanes + lane;
#endif
    let place = place_of(tile, thread);
    let green = place.quad + place.plane;
    let blue = green + place.plane;
    var behind = Light(image[place.quad], image[green], image[blue]);
    let shown = image[blue + place.plane];
    let residual = Residual(
        behind.red - goal[place.quad],
        behind.green - goal[green],
        behind.blue - goal[blue],
        shown - goal[blue + place.plane],
        shown,
    );
    // Tiles reach beyond the picture; what is there is nobody's loss.
    let corner = tile_origin(tile) + quad_origin(thread);
    let inside = (vec4u(corner.x) + vec4u(0u, 1u, 2u, 3u) < vec4u(view.size.x)) & vec4<bool>(corner.y < view.size.y);
    var pixels = Pixels(vec4f(1.0), inside);
#ifdef SUBGROUPS
    let block = vec2f(tile_origin(tile) + quad_origin(subgroup * lanes));
    let block_extent = block_size(lanes);
    for (var base = range.x; base < range.y; base += lanes) {
        let mine = held(min(base + lane, range.y - 1u));
        let hit = base + lane < range.y && touches(mine.center.xy, mine.shape.xyz, mine.center.w, block, block_extent);
        let ballot = subgroupBallot(hit);
        for (var word = 0u; word < lanes; word += 32u) {
            var hits = select(ballot.x, ballot.y, word > 0u);
            while hits != 0u {
                let source = word + firstTrailingBit(hits);
                hits &= hits - 1u;
                let splat = bitcast<u32>(subgroupShuffle(mine.shade.w, source));
                let found = pass_by(&pixels, &behind, residual, from_lane(mine, source), place.pixel);
                let total = vec4f(subgroupAdd(found.x), subgroupAdd(found.y), subgroupAdd(found.z), subgroupAdd(found.w));
                if lane == 0u && total.w > 0.0 { add_all(splat, total); }
            }
        }
        if subgroupAll(!any(pixels.live)) { break; }
    }
#else
    for (var i = range.x; i < range.y; i++) {
        let found = pass_by(&pixels, &behind, residual, splat_of(i), place.pixel);
        if found.w > 0.0 { add_all(bitcast<u32>(held(i).shade.w), found); }
        if !any(pixels.live) { break; }
    }
#endif
}
