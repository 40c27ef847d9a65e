// Means of the sums that the workgroups of the loss kernels left.
//
// Reads  means (1 / values, 1 / windows), l1_sums and ssim_sums [workgroups].
// Writes totals: (L1, SSIM).
// One workgroup; every invocation adds up each 64th sum, four at a time.
// Cost per workgroup of the loss kernels: a load.
#import common/workgroup_sum

@group(0) @binding(0) var<uniform> means: vec4f;
@group(0) @binding(1) var<storage, read> l1_sums: array<f32>;
@group(0) @binding(2) var<storage, read> ssim_sums: array<f32>;
@group(0) @binding(3) var<storage, read_write> totals: array<f32>;

// Zero past the end.
fn l1_item(i: u32) -> f32 {
    let at = min(i, arrayLength(&l1_sums) - 1u);
    return select(0.0, l1_sums[at], i < arrayLength(&l1_sums));
}

fn ssim_item(i: u32) -> f32 {
    let at = min(i, arrayLength(&ssim_sums) - 1u);
    return select(0.0, ssim_sums[at], i < arrayLength(&ssim_sums));
}

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) local: u32) {
    var sum = vec2f();
    for (var i = local; i < arrayLength(&l1_sums); i += 256u) {
        sum.x += (l1_item(i) + l1_item(i + 64u)) + (l1_item(i + 128u) + l1_item(i + 192u));
    }
    for (var i = local; i < arrayLength(&ssim_sums); i += 256u) {
        sum.y += (ssim_item(i) + ssim_item(i + 64u)) + (ssim_item(i + 128u) + ssim_item(i + 192u));
    }
    let l1 = workgroup_sum(local, sum.x);
    workgroupBarrier();
    let ssim = workgroup_sum(local, sum.y);
    if local == 0u {
        totals[0] = l1 * means.x;
        totals[1] = ssim * means.y;
    }
}
