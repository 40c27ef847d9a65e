//! The stages in order, resume, and the record of a run.

pub mod fingerprint;
pub mod plan;
pub mod record;
