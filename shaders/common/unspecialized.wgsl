// What an `if` or the end of a loop may read of a uniform.
//
// A driver may compile a kernel again for the values of uniforms that branches depend on and nothing else. Lavapipe
// does so at every dispatch, and keeps every copy (docs/kernels.md).

// `value`, from a uniform, for a condition. `id` is the workgroup's or the invocation's: its z is 0 in every dispatch,
// which no compiler knows.
fn unspecialized(value: u32, id: vec3u) -> u32 {
    return value + id.z;
}
