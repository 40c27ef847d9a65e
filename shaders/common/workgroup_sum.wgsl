// Sum of one value per invocation of a workgroup of 64, the same on every device; valid in thread 0.
var<workgroup> summands: array<f32, 64>;

fn workgroup_sum(thread: u32, value: f32) -> f32 {
    summands[thread] = value;
    workgroupBarrier();
    var sum = 0.0;
    if thread == 0u {
        for (var i = 0u; i < 64u; i++) { sum += summands[i]; }
    }
    return sum;
}
