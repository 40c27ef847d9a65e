// Gradient of the blended image with respect to every splat's footprint and color.
// One workgroup of 64 threads per tile, four pixels in a row per thread (with TALL 16 threads: common/tall_backward), the same walk as
// raster_forward, front to back:
// with C the pixel's final color and v = ∂L/∂C, what lies behind splat i contributes
// S_i = v · C − Σ_{j ≤ i} w_j (v · c_j), so that ∂L/∂α_i = T_i (v · c_i) − S_i / (1 − α_i) needs no stored order.
// Reads projected, colors, pair_slots, tile_ranges, image (planes of raster_forward) and v_image (red, green, blue, alpha);
// adds to splat_gradients, or with FIXED to sums, from which fixed_to_gradients makes them.
// Cost per pair: as raster_forward, and for each subgroup that it is drawn in (with TALL each of its halves) 9 additions in memory and
// 10 exchanges (10 and 13 with ABSGRAD, but 10 exchanges with TALL); per pixel of a block that is hit: an exponential (half of one
// with TALL), a division and about 30 operations (40 and a square root with ABSGRAD). Per pixel: 8 loads.
#import common/tile_walk
#ifdef TALL
#import common/tall_backward
#endif
#import common/splat_gradients
#ifdef FIXED
#import common/fixed_sum
#endif

@group(0) @binding(0) var<uniform> view: View;
@group(0) @binding(1) var<storage, read> projected: array<vec4f>;
@group(0) @binding(2) var<storage, read> colors: array<vec4f>;
@group(0) @binding(3) var<storage, read> pair_slots: array<u32>;
@group(0) @binding(4) var<storage, read> tile_ranges: array<vec2u>;
#ifdef TALL
@group(0) @binding(5) var<storage, read> image: array<vec2f>;
@group(0) @binding(6) var<storage, read> v_image: array<vec2f>;
#else
@group(0) @binding(5) var<storage, read> image: array<vec4f>;
@group(0) @binding(6) var<storage, read> v_image: array<vec4f>;
#endif
#ifdef FIXED
// Two words for each of the splat's sums: the same total in any order of the tiles.
@group(0) @binding(7) var<storage, read_write> sums: array<atomic<u32>>;

fn add(splat: Splat, component: u32, value: f32) {
    let word = to_fixed(value * power_of_two(unit_exponent(view.size, splat.conic, component)));
    if all(word == vec2u()) { return; }
    let at = 2u * (GRADIENT_STRIDE * splat.slot + component);
    let before = atomicAdd(&sums[at], word.x);
    let high = word.y + u32(before + word.x < before);
    if high != 0u { atomicAdd(&sums[at + 1u], high); }
}
#else
#ifdef FLOAT_ATOMICS
@group(0) @binding(7) var<storage, read_write> splat_gradients: array<atomic<f32>>;

fn add(splat: Splat, component: u32, value: f32) {
    atomicAdd(&splat_gradients[GRADIENT_STRIDE * splat.slot + component], value);
}
#else
@group(0) @binding(7) var<storage, read_write> splat_gradients: array<atomic<u32>>;

fn add(splat: Splat, component: u32, value: f32) {
    let index = GRADIENT_STRIDE * splat.slot + component;
    var old = atomicLoad(&splat_gradients[index]);
    loop {
        let swap = atomicCompareExchangeWeak(&splat_gradients[index], old, bitcast<u32>(bitcast<f32>(old) + value));
        if swap.exchanged { break; }
        old = swap.old_value;
    }
}
#endif
#endif

// The components after the first eight: G_SUM, and with ABSGRAD G_APART.
#ifdef ABSGRAD
alias Rest = vec2f;
#else
alias Rest = f32;
#endif

#ifdef SUBGROUPS
// Sums eight values over the subgroup with one exchange per halving: afterwards lane l < 8 holds the total of
// value 4·bit0(l) + 2·bit1(l) + bit2(l), the component that it adds.
fn sum_eight(low: vec4f, high: vec4f, lane: u32, lanes: u32) -> f32 {
    let first = (lane & 1u) != 0u;
    let four = select(low, high, first) + subgroupShuffleXor(select(high, low, first), 1u);
    let second = (lane & 2u) != 0u;
    let two = select(four.xy, four.zw, second) + subgroupShuffleXor(select(four.zw, four.xy, second), 2u);
    let third = (lane & 4u) != 0u;
    var sum = select(two.x, two.y, third) + subgroupShuffleXor(select(two.y, two.x, third), 4u);
#ifdef TALL
#else
    for (var step = 8u; step < lanes; step *= 2u) {
        sum += subgroupShuffleXor(sum, step);
    }
#endif
    return sum;
}

// The rest's totals: its first one on lane 0, with ABSGRAD the second one on lane 1.
fn sum_rest(value: Rest, lane: u32) -> f32 {
#ifdef TALL
#ifdef ABSGRAD
    let second = (lane & 1u) != 0u;
    let two = select(value.x, value.y, second) + subgroupShuffleXor(select(value.y, value.x, second), 1u);
#else
    let two = value + subgroupShuffleXor(value, 1u);
#endif
    let four = two + subgroupShuffleXor(two, 2u);
    return four + subgroupShuffleXor(four, 4u);
#else
    let total = subgroupAdd(value);
#ifdef ABSGRAD
    return select(total.x, total.y, lane == 1u);
#else
    return total;
#endif
#endif
}
#endif

// What a thread's pixels add to a splat's sums, in the order of the components.
struct Sums {
    low: vec4f,
    high: vec4f,
    rest: Rest,
    drawn: bool,
}

#ifdef ABSGRAD
const REST = 2u;
#else
const REST = 1u;
#endif

#ifdef SUBGROUPS
// Adds up the sums of the subgroup's threads, of which eight add a component each.
fn add_all(splat: Splat, sums: Sums, lane: u32, lanes: u32) {
    let total = sum_eight(sums.low, sums.high, lane, lanes);
    let rest = sum_rest(sums.rest, lane);
    let component = 4u * (lane & 1u) + (lane & 2u) + ((lane >> 2u) & 1u);
    if lane < 8u && total != 0.0 { add(splat, component, total); }
    if lane < REST { add(splat, G_SUM + lane, rest); }
}
#else
fn add_all(splat: Splat, sums: Sums) {
    if !sums.drawn { return; }
    add(splat, G_WX, sums.low.x);
    add(splat, G_WY, sums.low.y);
    add(splat, G_WXWX, sums.low.z);
    add(splat, G_WXWY, sums.low.w);
    add(splat, G_WYWY, sums.high.x);
    add(splat, G_RED, sums.high.y);
    add(splat, G_GREEN, sums.high.z);
    add(splat, G_BLUE, sums.high.w);
#ifdef ABSGRAD
    add(splat, G_SUM, sums.rest.x);
    add(splat, G_APART, sums.rest.y);
#else
    add(splat, G_SUM, sums.rest);
#endif
}
#endif

#ifdef TALL
#else
// G_APART of four pixels in a row, the first of them at `offset` from the mean.
fn apart(g: vec4f, conic: vec3f, offset: vec2f) -> f32 {
    let dx = offset.x + vec4f(0.0, 1.0, 2.0, 3.0);
    let wx = conic.x * dx + conic.y * offset.y;
    let wy = conic.y * dx + conic.z * offset.y;
    return dot(abs(g), sqrt(wx * wx + wy * wy));
}

struct Moments {
    // Σ g w
    first: vec2f,
    // Σ g (wx², wx wy, wy²)
    second: vec3f,
}

// Moments of w = conic · d over the four pixels of a row whose middle is at `offset` from the mean. `sum` is Σ g.
fn moments(g: vec4f, sum: f32, conic: vec3f, offset: vec2f) -> Moments {
    // Along the row w changes by conic.xy a pixel.
    let step_sum = dot(g, vec4f(-1.5, -0.5, 0.5, 1.5));
    let step_square = dot(g, vec4f(2.25, 0.25, 0.25, 2.25));
    let middle = vec2f(conic.x * offset.x + conic.y * offset.y, conic.y * offset.x + conic.z * offset.y);
    let first = middle * sum + conic.xy * step_sum;
    let steps = middle * step_sum + conic.xy * step_square;
    let x = middle * first.x + conic.xy * steps.x;
    return Moments(first, vec3f(x, middle.y * first.y + conic.y * steps.y));
}

// ∂L/∂C of four pixels, and v · C of what lies behind the splats so far.
struct Upstream {
    red: vec4f,
    green: vec4f,
    blue: vec4f,
    behind: vec4f,
}

fn upstream(place: Place) -> Upstream {
    let green = place.quad + place.plane;
    let blue = green + place.plane;
    let v = Upstream(v_image[place.quad], v_image[green], v_image[blue], vec4f(0.0));
    // α = 1 − T: its gradient joins the background's.
    let behind = v.red * image[place.quad] + v.green * image[green] + v.blue * image[blue]
        - v_image[blue + place.plane] * image[blue + place.plane];
    return Upstream(v.red, v.green, v.blue, behind);
}

fn gradients(splat: Splat, b: Blend, v: ptr<function, Upstream>) -> Sums {
    let shade = splat.color.x * (*v).red + splat.color.y * (*v).green + splat.color.z * (*v).blue;
    (*v).behind -= b.weight * shade;
    let v_alpha = b.transmittance * shade - (*v).behind / (1.0 - b.alpha);
    let g = select(vec4f(0.0), v_alpha * b.alpha, b.drawn & (b.coverage.alpha <= vec4f(ALPHA_MAX)));
    let total = dot(g, vec4f(1.0));
    let m = moments(g, total, splat.conic, vec2f(b.coverage.dx.x + 1.5, b.coverage.dy));
    let colors = vec3f(dot(b.weight, (*v).red), dot(b.weight, (*v).green), dot(b.weight, (*v).blue));
#ifdef ABSGRAD
    let rest = vec2f(total, apart(g, splat.conic, vec2f(b.coverage.dx.x, b.coverage.dy)));
#else
    let rest = total;
#endif
    return Sums(vec4f(m.first, m.second.xy), vec4f(m.second.z, colors), rest, any(b.drawn));
}
#endif

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
#ifdef TALL
#ifdef SUBGROUPS
    walk_tile(tile, subgroup * lanes + lane);
#else
    walk_tile(tile, thread);
#endif
#else
    let range = tile_ranges[tile];
    var pixels = new_block();
#ifdef SUBGROUPS
    let place = place_of(tile, subgroup * lanes + lane);
#else
    let place = place_of(tile, thread);
#endif
    var v = upstream(place);
#ifdef SUBGROUPS
    let block = vec2f(tile_origin(tile) + quad_origin(subgroup * lanes));
    let block_extent = block_size(lanes);
    for (var base = range.x; base < range.y; base += lanes) {
        let mine = load_splat(min(base + lane, range.y - 1u));
        let hit = base + lane < range.y && touches(mine.center.xy, mine.shape.xyz, mine.center.w, block, block_extent);
        let ballot = subgroupBallot(hit);
        for (var word = 0u; word < lanes; word += 32u) {
            var hits = select(ballot.x, ballot.y, word > 0u);
            while hits != 0u {
                let splat = from_lane(mine, word + firstTrailingBit(hits));
                hits &= hits - 1u;
                let b = blend(splat, place.pixel, &pixels);
                if !subgroupAny(any(b.drawn)) {
                    // Behind a block that has ended nobody draws any more.
                    if subgroupAll(all_ended(pixels)) { hits = 0u; }
                    continue;
                }
                add_all(splat, gradients(splat, b, &v), lane, lanes);
            }
        }
        if subgroupAll(all_ended(pixels)) { break; }
    }
#else
    for (var i = range.x; i < range.y; i++) {
        let splat = splat_of(i);
        let b = blend(splat, place.pixel, &pixels);
        add_all(splat, gradients(splat, b, &v));
        if all_ended(pixels) { break; }
    }
#endif
#endif
}
