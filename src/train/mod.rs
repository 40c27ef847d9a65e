//! The optimisation: loss, backward pass, Adam, densification, checkpoints.

mod adam;
mod backward;
mod golden;
mod loss;

pub use adam::Adam;
pub use backward::{Backward, Gradients};
pub use golden::{Deviation, golden_check};
pub use loss::{Loss, LossScratch};
