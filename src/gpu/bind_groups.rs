//! A cache of bind groups: each is made once for a kernel and its buffers, and kept as long as these buffers live.

use super::{Gpu, Kernel, lock};
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

/// A part of a buffer: where it begins, and its bytes if not all of the rest.
type Part = (wgpu::Buffer, u64, Option<u64>);

/// Bind groups by kernel and buffers.
#[derive(Default)]
pub(super) struct BindGroups {
    groups: HashMap<(wgpu::ComputePipeline, Vec<Part>), wgpu::BindGroup>,
}

/// As devices and their buffers share it.
pub(super) type Shared = Mutex<BindGroups>;

impl BindGroups {
    pub(super) fn len(&self) -> usize {
        self.groups.len()
    }

    /// Drops the groups with `buffer`, which would keep its memory alive.
    pub(super) fn forget(&mut self, buffer: &wgpu::Buffer) {
        self.groups.retain(|(_, parts), _| parts.iter().all(|(bound, ..)| bound != buffer));
    }
}

impl Gpu {
    /// The bind group 0 of `kernel` with `bindings`.
    pub(super) fn bind_group(&self, kernel: &Kernel, bindings: &[wgpu::BindingResource<'_>]) -> wgpu::BindGroup {
        let part = |binding: &wgpu::BindingResource<'_>| match binding {
            wgpu::BindingResource::Buffer(b) => Some((b.buffer.clone(), b.offset, b.size.map(u64::from))),
            _ => None,
        };
        let Some(parts) = bindings.iter().map(part).collect::<Option<Vec<Part>>>() else {
            return self.make_bind_group(kernel, bindings);
        };
        let mut kept = lock(&self.bind_groups);
        kept.groups
            .entry((kernel.pipeline.clone(), parts))
            .or_insert_with(|| self.make_bind_group(kernel, bindings))
            .clone()
    }

    fn make_bind_group(&self, kernel: &Kernel, bindings: &[wgpu::BindingResource<'_>]) -> wgpu::BindGroup {
        let entries: Vec<_> =
            (0..).zip(bindings).map(|(binding, r)| wgpu::BindGroupEntry { binding, resource: r.clone() }).collect();
        self.activity.bind_groups.fetch_add(1, Ordering::Relaxed);
        self.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(&kernel.name),
            layout: &kernel.layout,
            entries: &entries,
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::gpu::{Choice, Gpu, Mask, Recorder};

    #[test]
    fn bind_groups_are_found_again_and_go_with_their_buffers() {
        let gpu = Gpu::open(&Choice::Best, Mask::ALL).unwrap();
        let kernel = gpu.kernel("gpu/scan_args", &[("SCAN_BLOCK", "1024u")]).unwrap();
        let source = gpu.upload("source", &[0u32, 5000, 0, 0]).unwrap();
        let count = gpu.upload("count", &[3000u32]).unwrap();
        let levels = [0, 1, 2].map(|_| gpu.buffer::<u32>("level", 4).unwrap());
        let run = |first: wgpu::BindingResource<'_>| {
            let mut recorder = Recorder::new(&gpu);
            for _ in 0..3 {
                let [middle, top] = [levels[1].binding(), levels[2].binding()];
                let bindings = [source.binding(), count.binding(), first.clone(), middle, top];
                recorder.dispatch(&kernel, &bindings, 1);
            }
            recorder.submit();
        };
        run(levels[0].binding());
        let after = |what: &str| (gpu.activity().bind_groups, gpu.activity().kept_bind_groups, what.to_string());
        assert_eq!(after("three dispatches"), (1, 1, "three dispatches".into()));
        assert_eq!((gpu.activity().dispatches, gpu.activity().passes), (3, 1));
        let other = gpu.buffer::<u32>("level", 4).unwrap();
        run(other.binding());
        assert_eq!(after("another buffer"), (2, 2, "another buffer".into()));
        assert_eq!(gpu.read(&other).unwrap(), [3, 1, 1, 3000]);
        drop(other);
        assert_eq!(after("which is gone"), (2, 1, "which is gone".into()));
        // Another buffer in its place gets a group of its own.
        let next = gpu.buffer::<u32>("level", 4).unwrap();
        run(next.binding());
        assert_eq!(gpu.read(&next).unwrap(), [3, 1, 1, 3000]);
        drop((levels, count, source));
        assert_eq!(gpu.activity().kept_bind_groups, 0);
    }
}
