// Sum of one value per invocation of a workgroup of 64, in one barrier and always in the same order.

var<workgroup> sum_items: array<f32, 64>;

// The sum for invocation 0; the others get 0. From uniform control flow; a second call needs a workgroupBarrier() before.
fn workgroup_sum(local: u32, value: f32) -> f32 {
    sum_items[local] = value;
    workgroupBarrier();
    var sum = vec4f();
    // Zero iterations elsewhere: software adapters run both sides of an `if`, but leave a loop that nobody enters.
    let end = select(0u, 64u, local == 0u);
    for (var i = 0u; i < end; i += 4u) {
        sum += vec4f(sum_items[i], sum_items[i + 1u], sum_items[i + 2u], sum_items[i + 3u]);
    }
    return sum.x + sum.y + sum.z + sum.w;
}
