//! The optimisation: loss, backward pass, Adam, densification, checkpoints.

mod backward;
mod golden;

pub use backward::{Backward, Gradients};
pub use golden::{Deviation, golden_check};
