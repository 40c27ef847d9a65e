//! `.splat`, the format of the first viewer on the web (antimatter15): 32 bytes a splat. Position and scale are floats,
//! color, opacity and rotation (w, x, y, z) bytes. It has no header, no harmonics above degree 0, and the frame of the PLY
//! layout.

use super::{Cut, Export};
use crate::color::SH_C0;
use crate::storage::Writer;
use std::io::{Result, Write};

/// Logarithms of scales that floats hold.
const LOG_SCALES: [f32; 2] = [-80.0, 80.0];

pub fn write(out: &mut Writer, export: &Export, cut: &mut Cut) -> Result<()> {
    for i in 0..export.len() {
        let scale = export.log_scale(i).map(|v| cut.clamp(i, v, LOG_SCALES).exp());
        for value in export.position(i).into_iter().chain(scale) {
            out.write_all(&value.to_le_bytes())?;
        }
        let color =
            export.harmonics(i)[0].map(|v| cut.clamp(i, ((v * SH_C0 + 0.5) * 255.0).round(), [0.0, 255.0]) as u8);
        let [r, g, b] = color;
        out.write_all(&[r, g, b, (export.opacity(i) * 255.0).round() as u8])?;
        out.write_all(&export.rotation(i).map(|v| (v * 128.0 + 128.0).round().clamp(0.0, 255.0) as u8))?;
    }
    Ok(())
}
