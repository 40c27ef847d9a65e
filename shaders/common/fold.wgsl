// Dispatches of more workgroups than one dimension holds: the twin of gpu::fold in Rust.

const WORKGROUPS_PER_DIMENSION = 65535u;

fn fold(groups: u32) -> vec3<u32> {
    let rows = max((groups + WORKGROUPS_PER_DIMENSION - 1u) / WORKGROUPS_PER_DIMENSION, 1u);
    return vec3((groups + rows - 1u) / rows, rows, 1u);
}
