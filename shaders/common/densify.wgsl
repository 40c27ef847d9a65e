// What the densification kernels share (Rust twin: train::densify::rebuild::Uniform).
#import common/view

struct Densify {
    // Splats before and after.
    count: u32,
    after: u32,
    step: u32,
    // Splats that may grow (default), or copies to draw (MCMC).
    budget: u32,
    seed: vec2u,
    // Splats that want to grow (default).
    candidates: u32,
    // Fixed-point weight of opacity 1 (MCMC).
    weight_one: u32,
    grad_threshold: f32,
    // Largest scale that is duplicated rather than split, and that is kept: in world units.
    duplicate_scale: f32,
    prune_scale: f32,
    prune_opacity: f32,
}

// A plan has one word per splat: how many splats it becomes, and a tag for what they are. A splat that becomes several
// without a tag is relocated (MCMC). The source map has one word per new splat: the splat it comes from, and its tag.
const TAG_MASK = 0xc0000000u;
const TAG_KEEP = 0u;
// A copy: same parameters, moments zero. In a plan the first of the splats is the original and keeps its moments.
const TAG_COPY = 0x40000000u;
// A sample of the Gaussian, of smaller scale; moments zero.
const TAG_SPLIT = 0x80000000u;
// One of several that together look like the source; moments zero.
const TAG_RELOCATED = 0xc0000000u;

// Counters of a plan.
const C_PRUNED = 0u;
const C_NON_FINITE = 1u;
const C_DUPLICATED = 2u;
const C_SPLIT = 3u;

fn sigmoid(x: f32) -> f32 {
    return 1.0 / (1.0 + exp(-x));
}
