//! The source of frames, for records.

use crate::pipeline::fingerprint::Content;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// A video that photographs come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The video, in full.
    pub file: PathBuf,
    /// What it holds.
    #[serde(flatten)]
    pub content: Content,
}
