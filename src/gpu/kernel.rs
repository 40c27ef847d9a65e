//! Compute pipelines.

use super::{Gpu, lock, shader};
use crate::error::{Error, Result};

/// WebGPU's limit of workgroups in one dimension of a dispatch.
pub(super) const WORKGROUPS_PER_DIMENSION: u32 = 65_535;

/// Invocations per workgroup of kernels with one invocation per item.
pub const WORKGROUP: u32 = 64;

/// A number of workgroups as a dispatch that fits [`WORKGROUPS_PER_DIMENSION`]. Kernels recover the linear index as
/// `workgroup_id.x + workgroup_id.y * num_workgroups.x` and must ignore the surplus of the last row.
pub(super) fn fold(groups: u32) -> [u32; 3] {
    let rows = groups.div_ceil(WORKGROUPS_PER_DIMENSION).max(1);
    [groups.div_ceil(rows), rows, 1]
}

/// Compiled kernels by source text, so that each is compiled once.
pub(super) type Cache = std::sync::Mutex<std::collections::HashMap<String, Kernel>>;

/// One WGSL file as a compute pipeline; its entry point is `main`, its bindings are all in group 0.
#[derive(Clone)]
pub struct Kernel {
    pub(super) name: String,
    pub(super) pipeline: wgpu::ComputePipeline,
    pub(super) layout: wgpu::BindGroupLayout,
}

impl Gpu {
    /// The kernel `shaders/{name}.wgsl`, compiled the first time it is asked for. `defines` become constants and switch
    /// `#ifdef` blocks (see [`shader::compose`]); the device's capabilities are defined as `SUBGROUPS` and `FLOAT_ATOMICS`.
    ///
    /// # Errors
    /// [`Error::Gpu`] with the compiler's message: a bug of the program or the driver.
    pub fn kernel(&self, name: &str, defines: &[(&str, &str)]) -> Result<Kernel> {
        let mut all = defines.to_vec();
        if self.capabilities.subgroups {
            all.push(("SUBGROUPS", "true"));
        }
        if self.capabilities.float_atomics {
            all.push(("FLOAT_ATOMICS", "true"));
        }
        let source = shader::compose(name, &all)?;
        if let Some(kernel) = lock(&self.kernels).get(&source) {
            return Ok(kernel.clone());
        }
        let kernel = self.compile(name, &source)?;
        lock(&self.kernels).insert(source, kernel.clone());
        Ok(kernel)
    }

    /// Kernels compiled so far: a constant number, once a stage is under way.
    pub fn kernel_count(&self) -> usize {
        lock(&self.kernels).len()
    }

    /// The files of the kernels compiled so far.
    #[cfg(test)]
    pub(crate) fn kernel_names(&self) -> std::collections::BTreeSet<String> {
        lock(&self.kernels).values().map(|kernel| kernel.name.clone()).collect()
    }

    fn compile(&self, name: &str, source: &str) -> Result<Kernel> {
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::Validation);
        let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(name),
            source: wgpu::ShaderSource::Wgsl(source.into()),
        });
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(name),
            layout: None,
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                zero_initialize_workgroup_memory: false,
                ..Default::default()
            },
            cache: None,
        });
        if let Some(error) = pollster::block_on(scope.pop()) {
            return Err(Error::Gpu(format!("kernel {name} does not compile: {error}")));
        }
        let layout = pipeline.get_bind_group_layout(0);
        Ok(Kernel { name: name.into(), pipeline, layout })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folded_dispatches_cover_all_groups_within_the_limit() {
        for groups in [1, 2, 65_535, 65_536, 65_537, 131_070, 131_071, 1_000_003, 65_535 * 65_535] {
            let [x, y, z] = fold(groups);
            assert!(x <= WORKGROUPS_PER_DIMENSION && y <= WORKGROUPS_PER_DIMENSION && z == 1, "{groups}");
            let covered = u64::from(x) * u64::from(y);
            assert!((u64::from(groups)..u64::from(groups) + u64::from(y)).contains(&covered), "{groups}: {x} × {y}");
        }
    }
}
