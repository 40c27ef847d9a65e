// Exclusive prefix sum of one value per invocation of a workgroup of 64, in two barriers and without subgroups:
// rows of 8 first, then the 8 row sums. Cheaper than log-step scans where barriers are expensive (software adapters).

var<workgroup> scan_items: array<u32, 64>;
var<workgroup> scan_rows: array<u32, 8>;

struct WorkgroupScan {
    before: u32, // sum over the invocations before this one
    total: u32,  // sum over the workgroup
}

// Call it from uniform control flow. A second call needs a workgroupBarrier() in between.
fn workgroup_scan(local: u32, value: u32) -> WorkgroupScan {
    scan_items[local] = value;
    workgroupBarrier();
    let row = local & 56u;
    let column = local & 7u;
    var before = select(0u, scan_items[row], column > 0u);
    before += select(0u, scan_items[row + 1u], column > 1u);
    before += select(0u, scan_items[row + 2u], column > 2u);
    before += select(0u, scan_items[row + 3u], column > 3u);
    before += select(0u, scan_items[row + 4u], column > 4u);
    before += select(0u, scan_items[row + 5u], column > 5u);
    before += select(0u, scan_items[row + 6u], column > 6u);
    if column == 7u {
        scan_rows[local >> 3u] = before + value;
    }
    workgroupBarrier();
    let r = local >> 3u;
    let low = vec4(scan_rows[0], scan_rows[1], scan_rows[2], scan_rows[3]);
    let high = vec4(scan_rows[4], scan_rows[5], scan_rows[6], scan_rows[7]);
    let zero = vec4<u32>();
    let a = select(zero, low, vec4(r) > vec4(0u, 1u, 2u, 3u));
    let b = select(zero, high, vec4(r) > vec4(4u, 5u, 6u, 7u));
    let rows = a + b;
    let all = low + high;
    return WorkgroupScan(before + rows.x + rows.y + rows.z + rows.w, all.x + all.y + all.z + all.w);
}
