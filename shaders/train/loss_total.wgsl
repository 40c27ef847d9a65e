// Means of the sums that the workgroups left: totals = (L1, SSIM).
// One workgroup. Reads l1_sums and ssim_sums [channels × workgroups]; writes totals [2].
@group(0) @binding(0) var<uniform> scales: vec4f;
@group(0) @binding(1) var<storage, read> l1_sums: array<f32>;
@group(0) @binding(2) var<storage, read> ssim_sums: array<f32>;
@group(0) @binding(3) var<storage, read_write> totals: array<f32>;
#import common/workgroup_sum

@compute @workgroup_size(64)
fn main(@builtin(local_invocation_index) thread: u32) {
    var l1 = 0.0;
    var ssim = 0.0;
    for (var i = thread; i < arrayLength(&l1_sums); i += 64u) {
        l1 += l1_sums[i];
        ssim += ssim_sums[i];
    }
    let l1_total = workgroup_sum(thread, l1);
    workgroupBarrier();
    let ssim_total = workgroup_sum(thread, ssim);
    if thread == 0u {
        totals[0] = l1_total * scales.x;
        totals[1] = ssim_total * scales.y;
    }
}
