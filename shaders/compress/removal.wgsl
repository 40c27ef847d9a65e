// What the rendered view would lose if a splat were removed, for every splat in one walk, front to back.
// One workgroup of 64 threads per tile, four pixels in a row per thread (with TALL 16 threads, four such rows), as in
// raster_backward. The color C of a pixel is affine in each α: with S_i the light from behind splat i, its removal changes C by
// exactly Δ_i = α_i (S_i / (1 − α_i) − T_i c_i),
// which is also −α_i ∂C/∂α_i. Transmittance is a fourth channel, so that holes count on any background.
// With r = C − target, the squared error then changes by Σ 2 r·Δ + |Δ|². The Fisher information of the same picture along
// the splat's position and size, each in units of its own extent, is |Δ|² q and |Δ|² q², q = dᵀ Σ⁻¹ d.
// It is summed only with FISHER, and is zero without.
// Reads projected, colors, pair_slots, tile_ranges, image (planes of raster_forward) and goal (the same first four planes);
// adds to sums, by the splat's index in the model: SUM_STRIDE floats.
// Cost per pair: as raster_forward, and for each subgroup that it is drawn in 4 additions in memory and their exchanges; per pixel of a
// block that is hit: an exponential (half of one with TALL), a division and about 40 operations. Per pixel: 8 loads.
#import common/tile_walk
#ifdef TALL
#import common/tall_image
#endif

const SUM_STRIDE = 4u;
const S_CHANGE = 0u;
const S_POSITION = 1u;
const S_SIZE = 2u;
// Σ α T: whether any view shows the splat at all.
const S_WEIGHT = 3u;

@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<storage, read> projected: array<vec4f>;
@group(0) @binding(2) var<storage, read> colors: array<vec4f>;
@group(0) @binding(3) var<storage, read> pair_slots: array<u32>;
@group(0) @binding(4) var<storage, read> tile_ranges: array<vec2u>;
@group(0) @binding(5) var<storage, read> image: array<vec4f>;
@group(0) @binding(6) var<storage, read> goal: array<vec4f>;
#ifdef FLOAT_ATOMICS
@group(0) @binding(7) var<storage, read_write> sums: array<atomic<f32>>;

fn add(splat: u32, component: u32, value: f32) {
    atomicAdd(&sums[SUM_STRIDE * splat + component], value);
}
#else
@group(0) @binding(7) var<storage, read_write> sums: array<atomic<u32>>;

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

#ifdef TALL
// The light of sixteen pixels from behind the splats so far.
struct Light { red: Block, green: Block, blue: Block }

// The same pixels against their target, and how much of the background they show.
struct Residual { red: Block, green: Block, blue: Block, through: Block, shown: Block }

fn load_goal(quad: u32) -> Block {
    let pitch = block_pitch();
    return Block(goal[quad], goal[quad + pitch], goal[quad + 2u * pitch], goal[quad + 3u * pitch]);
}

fn minus(x: Block, y: Block) -> Block {
    return Block(x.a - y.a, x.b - y.b, x.c - y.c, x.d - y.d);
}

// Both of four pixels in a row.
struct RowLight { red: vec4f, green: vec4f, blue: vec4f }

struct RowResidual { red: vec4f, green: vec4f, blue: vec4f, through: vec4f, shown: vec4f }

// The sums of one splat over them.
struct RowSums { change: vec4f, position: vec4f, size: vec4f }

fn row_sums(
    row: Row,
    behind: RowLight,
    r: RowResidual,
    color: vec3f,
    q: vec4f,
    before: RowSums,
) -> RowSums {
    let opened = row.alpha / (1.0 - row.alpha);
    let red = fma(opened, behind.red, -color.x * row.weight);
    let green = fma(opened, behind.green, -color.y * row.weight);
    let blue = fma(opened, behind.blue, -color.z * row.weight);
    let through = opened * r.shown;
    let square = fma(red, red, fma(green, green, fma(blue, blue, through * through)));
    let product = fma(r.red, red, fma(r.green, green, fma(r.blue, blue, r.through * through)));
    let counted = select(vec4f(0.0), square, row.drawn);
#ifdef FISHER
    let along = counted * q;
#else
    let along = vec4f(0.0);
#endif
    return RowSums(
        before.change + select(vec4f(0.0), fma(vec4f(2.0), product, square), row.drawn),
        before.position + along,
#ifdef FISHER
        fma(along, q, before.size),
#else
        before.size,
#endif
    );
}

// The sums of one splat over the sixteen pixels.
fn pass_by(pixels: ptr<function, Block>, light: ptr<function, Light>, r: Residual, splat: Splat, pixel: vec2f) -> vec4f {
    let rows = blend_block(splat, pixel, *pixels);
    *pixels = next_of(rows);
    let weights = weights_of(rows);
    let red = fma_block((*light).red, -splat.color.x, weights);
    let green = fma_block((*light).green, -splat.color.y, weights);
    let blue = fma_block((*light).blue, -splat.color.z, weights);
    *light = Light(red, green, blue);
    // α = opacity · exp(−q / 2) before it is clamped.
    let dx = COLUMNS + (pixel.x - splat.mean.x);
    let dy = vec4f(0.0, 1.0, 2.0, 3.0) + (pixel.y - splat.mean.y);
    let across = splat.conic.x * dx * dx;
    let both = 2.0 * splat.conic.y * dx;
    let down = splat.conic.z * dy * dy;
    let color = splat.color;
    let one = row_sums(
        rows.a, RowLight(red.a, green.a, blue.a),
        RowResidual(r.red.a, r.green.a, r.blue.a, r.through.a, r.shown.a), color,
        fma(both, vec4f(dy.x), across + down.x), RowSums()
    );
    let two = row_sums(
        rows.b, RowLight(red.b, green.b, blue.b),
        RowResidual(r.red.b, r.green.b, r.blue.b, r.through.b, r.shown.b), color,
        fma(both, vec4f(dy.y), across + down.y), one
    );
    let three = row_sums(
        rows.c, RowLight(red.c, green.c, blue.c),
        RowResidual(r.red.c, r.green.c, r.blue.c, r.through.c, r.shown.c), color,
        fma(both, vec4f(dy.z), across + down.z), two
    );
    let four = row_sums(
        rows.d, RowLight(red.d, green.d, blue.d),
        RowResidual(r.red.d, r.green.d, r.blue.d, r.through.d, r.shown.d), color,
        fma(both, vec4f(dy.w), across + down.w), three
    );
    let all = vec4f(1.0);
    let weight = weights.a + weights.b + weights.c + weights.d;
    return vec4f(dot(four.change, all), dot(four.position, all), dot(four.size, all), dot(weight, all));
}

// Sums four values over eight lanes: afterwards lane l < 4 holds the total of value 2·bit0(l) + bit1(l).
fn sum_four(values: vec4f, lane: u32) -> f32 {
    let first = (lane & 1u) != 0u;
    let two = select(values.xy, values.zw, first) + subgroupShuffleXor(select(values.zw, values.xy, first), 1u);
    let second = (lane & 2u) != 0u;
    let one = select(two.x, two.y, second) + subgroupShuffleXor(select(two.y, two.x, second), 2u);
    return one + subgroupShuffleXor(one, 4u);
}
#else
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
#ifdef FISHER
    let fisher = vec2f(dot(square, q), dot(square, q * q));
#else
    let fisher = vec2f(0.0);
#endif
    return vec4f(dot(2.0 * product + square, all), fisher, dot(b.weight, all));
}
#endif

fn add_all(splat: u32, found: vec4f) {
    add(splat, S_CHANGE, found.x);
    add(splat, S_POSITION, found.y);
    add(splat, S_SIZE, found.z);
    add(splat, S_WEIGHT, found.w);
}

@compute @workgroup_size(TILE_THREADS)
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
#ifdef TALL
    var behind = Light(load_image(place.quad), load_image(green), load_image(blue));
    let shown = load_image(blue + place.plane);
    let residual = Residual(
        minus(behind.red, load_goal(place.quad)),
        minus(behind.green, load_goal(green)),
        minus(behind.blue, load_goal(blue)),
        minus(shown, load_goal(blue + place.plane)),
        shown,
    );
    // Tiles reach beyond the picture; what is there is nobody's loss: it has ended.
    let corner = tile_origin(tile) + quad_origin(thread);
    let ends = select(vec4f(-1.0), vec4f(1.0), vec4u(corner.x) + vec4u(0u, 1u, 2u, 3u) < vec4u(view.size.x));
    let below = select(vec4f(-1.0), vec4f(1.0), vec4u(corner.y) + vec4u(0u, 1u, 2u, 3u) < vec4u(view.size.y));
    var pixels = Block(min(ends, below.xxxx), min(ends, below.yyyy), min(ends, below.zzzz), min(ends, below.wwww));
#else
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
#endif
#ifdef SUBGROUPS
    let block = vec2f(tile_origin(tile) + quad_origin(subgroup * lanes));
    let block_extent = block_size(lanes);
    for (var base = range.x; base < range.y; base += lanes) {
        let mine = load_splat(min(base + lane, range.y - 1u));
        let hit = base + lane < range.y && touches(mine.center.xy, mine.shape.xyz, mine.center.w, block, block_extent);
        let ballot = subgroupBallot(hit);
#ifdef TALL
        var hits = ballot.x;
        // Nobody is drawn, and zeros are added, where there are no hits: this loop asks at its end (docs/kernels.md).
        loop {
            let source = firstTrailingBit(hits) & 7u;
            let splat = subgroupShuffle(index_of(mine.shape), source);
            let found = pass_by(&pixels, &behind, residual, from_lane_of(mine, hits), place.pixel);
            hits &= hits - 1u;
            let total = sum_four(found, lane);
            if lane < 4u && total != 0.0 { add(splat, 2u * (lane & 1u) + (lane >> 1u), total); }
            continuing { break if hits == 0u; }
        }
#else
        for (var word = 0u; word < lanes; word += 32u) {
            var hits = select(ballot.x, ballot.y, word > 0u);
            while hits != 0u {
                let source = word + firstTrailingBit(hits);
                hits &= hits - 1u;
                let splat = subgroupShuffle(index_of(mine.shape), source);
                let found = pass_by(&pixels, &behind, residual, from_lane(mine, source), place.pixel);
                let total = vec4f(subgroupAdd(found.x), subgroupAdd(found.y), subgroupAdd(found.z), subgroupAdd(found.w));
                if lane == 0u && total.w > 0.0 { add_all(splat, total); }
            }
        }
#endif
        if subgroupAll(all_ended(pixels)) { break; }
    }
#else
    for (var i = range.x; i < range.y; i++) {
        let found = pass_by(&pixels, &behind, residual, splat_of(i), place.pixel);
        if found.w > 0.0 { add_all(index_of(load_splat(i).shape), found); }
        if all_ended(pixels) { break; }
    }
#endif
}
