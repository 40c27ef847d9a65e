//! The settings of measurements.

use documented::DocumentedFields;
use serde::{Deserialize, Serialize};

/// What is measured beside PSNR and SSIM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, DocumentedFields)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Measure LPIPS (AlexNet, version 0.1) with these weights: a safetensors file of both networks, or their original files
    /// (torchvision's `alexnet-owt-7be5be79.pth` and LPIPS' `alex.pth`) separated by a comma; `none`.
    pub lpips: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { lpips: "none".into() }
    }
}
