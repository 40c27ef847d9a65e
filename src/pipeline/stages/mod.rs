//! The stages, a file each, and the list of them.

pub(super) mod enhance;
pub(super) mod eval;
pub(super) mod poses;
pub(super) mod ppm;
pub(super) mod prior;
pub(super) mod render;
pub(super) mod train;

use super::stage::Definition;

/// In the order in which they are made.
pub(super) const STAGES: [&dyn Definition; 7] =
    [&poses::Poses, &enhance::Enhance, &prior::Prior, &ppm::Ppm, &train::Train, &render::Render, &eval::Eval];
