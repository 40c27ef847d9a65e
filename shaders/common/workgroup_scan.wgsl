// Exclusive prefix sum of one value per invocation of a workgroup of 64, in two barriers and without subgroups:
// rows of 8 first, then the 8 row sums. Cheaper than log-step scans where barriers are expensive (software adapters).

var<workgroup> scan_items: array<u32, 64>;
var<workgroup> scan_rows: array<u32, 8>;

struct WorkgroupScan {
    before: u32, // sum over the invocations before this one
    total: u32,  // sum over the workgroup
}

// Sums stop at the largest number instead of wrapping.
fn plus(a: u32, b: u32) -> u32 {
    return select(a + b, 0xffffffffu, a + b < a);
}

// Call it from uniform control flow. A second call needs a workgroupBarrier() in between.
fn workgroup_scan(local: u32, value: u32) -> WorkgroupScan {
    scan_items[local] = value;
    workgroupBarrier();
    let row = local & 56u;
    let column = local & 7u;
    var before = select(0u, scan_items[row], column > 0u);
    before = plus(before, select(0u, scan_items[row + 1u], column > 1u));
    before = plus(before, select(0u, scan_items[row + 2u], column > 2u));
    before = plus(before, select(0u, scan_items[row + 3u], column > 3u));
    before = plus(before, select(0u, scan_items[row + 4u], column > 4u));
    before = plus(before, select(0u, scan_items[row + 5u], column > 5u));
    before = plus(before, select(0u, scan_items[row + 6u], column > 6u));
    if column == 7u {
        scan_rows[local >> 3u] = plus(before, value);
    }
    workgroupBarrier();
    let r = local >> 3u;
    var total = 0u;
    for (var i = 0u; i < 8u; i++) {
        let sum = scan_rows[i];
        before = plus(before, select(0u, sum, r > i));
        total = plus(total, sum);
    }
    return WorkgroupScan(before, total);
}
