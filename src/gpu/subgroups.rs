//! Tests whether a device's subgroups do what kernels need: some backends report sizes that the device does not have.

use super::{Gpu, Mask, Recorder, Wanted, adapter, variants};
use crate::error::Result;

/// Workgroups of a trial, and the invocations of one.
const WORKGROUPS: u32 = 4;
const INVOCATIONS: u32 = 64;

/// What a trial found (`shaders/gpu/self_test_subgroups.wgsl`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct SubgroupTrial {
    /// Invocations in all, and those in which an operation gave something wrong.
    pub invocations: usize,
    pub wrong: usize,
    /// Fewest and most lanes of a subgroup.
    pub lanes: [u32; 2],
}

impl SubgroupTrial {
    fn of(words: &[u32]) -> Self {
        let lanes = words.iter().map(|word| word >> 8);
        Self {
            invocations: words.len(),
            wrong: words.iter().filter(|word| *word & 0xff != 0).count(),
            lanes: [lanes.clone().min().unwrap_or(0), lanes.max().unwrap_or(0)],
        }
    }

    /// Whether kernels can rely on them. Where sizes differ within this kernel, other kernels may get any size.
    fn is_usable(self) -> bool {
        self.wrong == 0 && self.lanes[0] == self.lanes[1] && adapter::subgroups_fit(self.lanes)
    }
}

impl Gpu {
    /// Tries every subgroup operation that kernels use.
    ///
    /// # Errors
    /// The kernel does not compile; the device fails.
    pub(crate) fn try_subgroups(&self) -> Result<SubgroupTrial> {
        let kernel = self.kernel("gpu/self_test_subgroups", &[])?;
        // What is not written is wrong.
        let words = self.upload("words", &vec![u32::MAX; (WORKGROUPS * INVOCATIONS) as usize])?;
        let mut recorder = Recorder::new(self);
        recorder.dispatch(&kernel, &[words.binding()], WORKGROUPS);
        recorder.submit();
        Ok(SubgroupTrial::of(&self.read(&words)?))
    }

    /// A device with subgroups of an adapter that reports too wide a range of sizes, if they turn out to be usable.
    ///
    /// # Errors
    /// Those of [`Gpu::open_with`].
    pub(super) fn with_tried_subgroups(adapter: &wgpu::Adapter, mask: Mask, wanted: &Wanted) -> Result<Option<Self>> {
        let capabilities = adapter::capabilities(adapter, mask);
        Self::with_capabilities(adapter, mask, capabilities, &Wanted::default())?.after_trial(wanted)
    }

    /// This device, whose adapter reports too wide a range of sizes, if its subgroups turn out to be usable.
    pub(super) fn after_trial(mut self, wanted: &Wanted) -> Result<Option<Self>> {
        let trial = self.try_subgroups();
        tracing::debug!("subgroups of {}: {trial:?}", self.name());
        let Some(trial) = trial.ok().filter(|trial| trial.is_usable()) else { return Ok(None) };
        [self.info.subgroup_min_size, self.info.subgroup_max_size] = trial.lanes;
        self.variants = variants::choose(&self.info, self.capabilities, &self.driver(), wanted)?;
        Ok(Some(self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::Choice;

    #[test]
    fn subgroups_are_usable_where_all_operations_are_right_and_all_sizes_the_same() {
        let trial = |words: &[u32]| SubgroupTrial::of(words);
        let whole = |lanes: u32| trial(&[lanes << 8; 256]).is_usable();
        assert_eq!([4, 8, 16, 32, 64, 128].map(whole), [false, true, true, true, true, false]);
        assert!(!trial(&[32 << 8, 64 << 8]).is_usable());
        let faulty = trial(&[32 << 8, 32 << 8 | 8, 32 << 8 | 65]);
        assert_eq!(faulty, SubgroupTrial { invocations: 3, wrong: 2, lanes: [32, 32] });
        assert!(!faulty.is_usable() && !trial(&[u32::MAX; 4]).is_usable());
    }

    #[test]
    fn a_device_opened_by_trial_is_as_one_whose_sizes_are_known() {
        let adapter = adapter::choose(&adapter::instance(), &Choice::Best, None).unwrap();
        let known = Gpu::open(&Choice::Best, Mask::default()).unwrap();
        let tried = Gpu::with_tried_subgroups(&adapter, Mask::default(), &Wanted::default()).unwrap();
        if !known.capabilities().subgroups {
            return;
        }
        let tried = tried.expect("subgroups that are usable");
        assert_eq!((tried.capabilities(), tried.variants()), (known.capabilities(), known.variants()));
        let [least, most] = [tried.info().subgroup_min_size, tried.info().subgroup_max_size];
        assert_eq!(least, most);
        assert!((known.info().subgroup_min_size..=known.info().subgroup_max_size).contains(&least));
    }
}
