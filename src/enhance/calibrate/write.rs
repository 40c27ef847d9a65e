//! The text of a camera file.

use super::Report;
use super::fit::Channel;
use super::spline::{KNOTS, LEAST_RISE, Spline};
use std::fmt::Write;
use std::path::Path;

/// The last knot stays below white.
const HIGHEST: f64 = 254.0;

/// The fitted channels as a camera file, with comments on where they come from.
pub fn toml(dark: &Path, lit: &Path, channels: &[Channel; 3], report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = compose(&mut text, dark, lit, channels, report);
    text
}

fn compose(out: &mut String, dark: &Path, lit: &Path, channels: &[Channel; 3], report: &Report) -> std::fmt::Result {
    writeln!(out, "# Dark level -> lit level (of 255), fitted by `naka-gs calibrate`.")?;
    // Debug formatting keeps any file name on one line.
    writeln!(out, "# dark: {dark:?}, {} pictures; lit: {lit:?}, {} pictures", report.images[0], report.images[1])?;
    let source = match report.pairs {
        0 => "quantiles".to_string(),
        1 => "1 pair".to_string(),
        n => format!("{n} pairs"),
    };
    writeln!(out, "# {source}, {} areas", report.blocks)?;
    for (name, c) in NAMES.iter().zip(&report.channels) {
        let [d, l] = [c.dark, c.lit];
        write!(out, "# {name}: measured from {:.2} -> {:.1} to {:.2} -> {:.1} levels; ", d[0], l[0], d[1], l[1])?;
        match report.pairs {
            0 => writeln!(out, "quantiles matched to {:.2} (RMS)", c.rms[1])?,
            _ => writeln!(out, "residual {:.2} without, {:.2} with the matrix (RMS)", c.rms[0], c.rms[1])?,
        }
    }
    for warning in &report.warnings {
        writeln!(out, "# Warning: {}", warning.escape_debug())?;
    }
    writeln!(out, "name = \"calibrated, {source}\"\nkind = \"curve\"\ngain = 1.0")?;
    let rows = channels.each_ref().map(|c| format!("[{}]", c.row.map(|v| format!("{v:.4}")).join(", ")));
    writeln!(out, "matrix = [{}]", rows.join(", "))?;
    for (name, channel) in NAMES.iter().zip(channels) {
        writeln!(out, "{name} = [{}]", knots(&channel.curve))?;
    }
    Ok(())
}

const NAMES: [&str; 3] = ["red", "green", "blue"];

/// Pairs of levels that still rise after rounding, in both numbers.
fn knots(curve: &Spline) -> String {
    let mut rising: Vec<[f64; 2]> = Vec::with_capacity(KNOTS);
    for (k, lit) in curve.lit.iter().enumerate() {
        let [dark, lit] = [(curve.dark(k) * 1e4).round() / 1e4, (lit * 100.0).round() / 100.0];
        let rises = rising.last().is_none_or(|last| dark > last[0] && lit >= last[1] + 0.5 * LEAST_RISE);
        if rises && lit < HIGHEST {
            rising.push([dark, lit]);
        }
    }
    rising.iter().map(|[dark, lit]| format!("[{dark:.4}, {lit:.2}]")).collect::<Vec<_>>().join(", ")
}
