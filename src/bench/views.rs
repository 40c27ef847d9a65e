//! The work on a view before training: the network, stereo.

use super::report::Row;
use super::scene::{Ring, waves};
use super::turns::{Quiet, Turns};
use crate::enhance::built_in_weights;
use crate::enhance::network::Network;
use crate::error::{Error, Result};
use crate::gpu::Gpu;
use crate::prior::{self, stereo::depth_maps};

/// Splats that the views of stereo are photographs of.
const SPLATS: usize = 60_000;

pub fn network(gpu: &Gpu, small: [u32; 2], large: [u32; 2], turns: &Turns<'_>) -> Result<Row> {
    let none = || Error::setting("only", "no network is built into this program", "leave out `network`");
    let network = Network::new(gpu, &built_in_weights()?.ok_or_else(none)?)?;
    let [dark, lit, full] = [waves(small, 0.05), waves(small, 0.5), waves(large, 0.5)];
    let statistics = network.statistics(&[(&dark, &lit)])?;
    let mut row = turns.row(|| {
        let maps = network.maps(&dark, &lit, Some(&statistics))?;
        network.apply(&maps, &full).map(drop)
    })?;
    row.kernels = network.timings(&dark, &lit)?;
    Ok(row.with("views", 1.0))
}

pub fn stereo(gpu: &Gpu, size: [u32; 2], turns: &Turns<'_>) -> Result<Row> {
    let Ring { capture, .. } = &Ring::new(gpu, SPLATS.min((size[0] * size[1]) as usize), size)?;
    let views = capture.train.len() as u32;
    let row = turns
        .row_of(views, || depth_maps(gpu, capture, &prior::Config::default(), &Quiet(turns.progress)).map(drop))?;
    Ok(row.with("views", f64::from(views)))
}
