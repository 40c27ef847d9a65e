//! Dense multi-view stereo: posed, lit images to depth maps, and these to one cloud.
//!
//! Every view is compared with a few others by the correlation of patches (ZNCC: exposure does not matter), on the
//! device, with slanted planes that spread from pixel to pixel, coarse to fine ([`matcher`]). A pixel's depth is kept
//! where the depth maps of other views agree ([`depth_map`]), and pixels that agree become one point ([`fusion`]). What
//! stereo does not find is filled in ([`mod@cover`]).

mod cover;
mod depth_map;
mod fusion;
mod kept;
mod matcher;
mod picture;
#[cfg(test)]
mod tests;

pub(super) use cover::{Found, Kind, Stereo, cover};
pub use depth_map::{Checks, DepthMap, Surface};
pub use fusion::{Cloud, Fused, fuse};
pub use kept::{Kept, WRITE_EVERY, discard};
pub use matcher::{Plane, Relation};

use super::config::{Config, Make};
use super::neighbors::{Reference, references};
use crate::capture::{Capture, ImageCache};
use crate::error::Result;
use crate::gpu::Gpu;
use crate::parallel::try_map;
use crate::progress::Progress;
use depth_map::{agreement, checks};
use kept::Pending;
use matcher::{Matcher, Range};
pub(super) use picture::Picture;

/// Memory for decoded images.
const CACHE_BYTES: usize = 512 << 20;

/// The depth maps of the training views, `config.max_views` at most, and which of them were compared.
///
/// # Errors
/// An image that cannot be read; the device; an interrupt.
pub fn depth_maps(
    gpu: &Gpu,
    capture: &Capture,
    config: &Config,
    progress: &dyn Progress,
) -> Result<(Vec<DepthMap>, Checks)> {
    maps_of(gpu, capture, &references(capture, config), config, None, progress)
}

/// The depth maps of `references`, with the agreement of their pixels, and the views that checked each. All of them are held at
/// once, 24 bytes a pixel: 3 MiB a view at the default size. Views whose planes are `kept` are not searched again.
///
/// # Errors
/// An image that cannot be read; the device; an interrupt.
pub(super) fn maps_of(
    gpu: &Gpu,
    capture: &Capture,
    references: &[Reference],
    config: &Config,
    kept: Option<&Kept>,
    progress: &dyn Progress,
) -> Result<(Vec<DepthMap>, Checks)> {
    let cache = ImageCache::new(CACHE_BYTES);
    let matcher = Matcher::new(gpu)?;
    let load = |index: usize| Picture::load(&capture.train[index], &cache, config.image_size);
    let mut maps = Vec::with_capacity(references.len());
    progress.begin("prior", "views", references.len() as u64);
    let mut pending = Pending::new(kept);
    for (done, reference) in references.iter().enumerate() {
        progress.check().inspect_err(|_| pending.write())?;
        let picture = load(reference.view)?;
        let earlier = || kept.and_then(|kept| kept.read(reference.view));
        let planes = match config.make {
            Make::Frustum => Vec::new(),
            Make::Stereo => match earlier().filter(|planes| planes.len() == picture.image.pixels.len()) {
                Some(planes) => planes,
                None => {
                    let others = try_map(&reference.others, |&other| load(other))?;
                    let seed = (config.seed as u32) ^ (reference.view as u32).wrapping_mul(0x9e37_79b9);
                    let range = Range { depths: reference.depths, baseline: reference.baseline, seed };
                    let planes = matcher.planes(&picture, &others.iter().collect::<Vec<_>>(), &range)?;
                    pending.finished(reference.view, &planes);
                    planes
                }
            },
        };
        maps.push(DepthMap::new(reference.view, &picture, planes, config.min_correlation));
        progress.set(done as u64 + 1, "");
    }
    let neighbors: Vec<Vec<usize>> = references.iter().map(|reference| reference.witnesses.clone()).collect();
    let checks = checks(&maps, &neighbors);
    let agreeing: Vec<Vec<u8>> =
        (0..maps.len()).map(|index| agreement(&maps, &checks, index, config.min_views)).collect();
    maps.iter_mut().zip(agreeing).for_each(|(map, agreeing)| map.agreeing = agreeing);
    progress.end();
    Ok((maps, checks))
}
