//! Removes splats from a scene: those outside a region, and floaters, which are faint, large, isolated, or seen by few cameras.

mod clusters;
mod neighbors;
mod region;
mod seen;
#[cfg(test)]
mod tests;

pub use region::Region;

use super::{Bounds, Splats};
use crate::capture::{Camera, SceneFrame};
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::progress::Progress;
use glam::DVec3;

/// A rule for the splats that stay. Positions and lengths are the capture's.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// Splats whose centers are in the region.
    Within(Region),
    /// Splats of at least this opacity.
    MinOpacity(f32),
    /// Splats whose largest standard deviation is at most this.
    MaxSize(f64),
    /// As [`Filter::MaxSize`], as a part of the scene's radius ([`Bounds`]).
    MaxRelativeSize(f64),
    /// Splats that at least so many cameras see.
    MinViews(u32),
    /// Clusters of at least so many splats.
    MinCluster(usize),
}

/// What filters use besides the splats.
pub struct FilterContext<'s> {
    /// What the splats are in.
    pub frame: SceneFrame,
    /// Whether they are for antialiased rendering.
    pub antialiased: bool,
    /// The training cameras, in the capture's coordinates; empty where no filter needs them.
    pub cameras: &'s [Camera],
    /// The device that counts views; needed for [`Filter::MinViews`] alone.
    pub gpu: Option<&'s Gpu>,
    /// Progress of the filters that take long, with a request to stop.
    pub progress: &'s dyn Progress,
}

impl Filter {
    /// The name of its parameter.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Within(region) => region.name(),
            Self::MinOpacity(_) => "min_opacity",
            Self::MaxSize(_) => "max_size",
            Self::MaxRelativeSize(_) => "max_relative_size",
            Self::MinViews(_) => "min_views",
            Self::MinCluster(_) => "min_cluster",
        }
    }

    /// Whether each splat stays.
    ///
    /// # Errors
    /// Cameras or a device are needed and `around` has none; the device's failures; a stop is asked for.
    pub fn keep(&self, splats: &Splats, around: &FilterContext<'_>) -> Result<Vec<bool>> {
        let all = 0..splats.len();
        Ok(match self {
            Self::Within(region) => {
                let holds = region.test(around.cameras)?;
                all.map(|i| holds(around.frame.leave(center(splats, i)))).collect()
            }
            Self::MinOpacity(least) => {
                splats.logit_opacities.iter().map(|logit| 1.0 / (1.0 + (-logit).exp()) >= *least).collect()
            }
            Self::MaxSize(most) => all.map(|i| size(splats, i) * around.frame.unit <= *most).collect(),
            Self::MaxRelativeSize(part) => {
                let most = part * Bounds::of(&splats.means).radius;
                all.map(|i| size(splats, i) <= most).collect()
            }
            Self::MinViews(least) => seen::views(splats, around)?.into_iter().map(|views| views >= *least).collect(),
            Self::MinCluster(least) => {
                clusters::sizes(splats, around.progress)?.into_iter().map(|size| size >= *least).collect()
            }
        })
    }
}

/// Applies the filters one after the other to what those before have left; returns how many splats each took.
///
/// # Errors
/// A filter that leaves nothing, or that needs cameras or a device where there are none; the device's failures; a stop
/// is asked for.
pub fn apply(filters: &[Filter], splats: &mut Splats, around: &FilterContext<'_>) -> Result<Vec<usize>> {
    let take = |filter: &Filter| {
        around.progress.check()?;
        let (kept, before) = (filter.keep(splats, around)?, splats.len());
        if !kept.contains(&true) {
            let found = format!("takes all of the {before} splats that are left");
            return Err(Error::setting(filter.name(), found, "choose a value that leaves some"));
        }
        splats.retain(&kept);
        Ok(before - splats.len())
    };
    filters.iter().map(take).collect()
}

fn center(splats: &Splats, i: usize) -> DVec3 {
    DVec3::from(splats.means[i].map(f64::from))
}

/// The largest standard deviation of a splat.
fn size(splats: &Splats, i: usize) -> f64 {
    f64::from(splats.log_scales[i].into_iter().fold(f32::NEG_INFINITY, f32::max)).exp()
}
