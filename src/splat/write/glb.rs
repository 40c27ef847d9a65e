//! glTF in one file (GLB) with `KHR_gaussian_splatting`: every attribute in single precision, one after the other, and
//! `COLOR_0` for viewers that only draw points.
//!
//! An own writer: the types of `gltf-json` have no attributes whose names begin with an extension's.

use super::super::axes::Signs;
use super::super::gltf::{self, ANTIALIASED, BINARY, COLOR_SPACE, EXTENSION, JSON, KERNEL, MAGIC, VERSION};
use super::{Cut, Export, FRAME, write_words};
use crate::color::{SH_C0, srgb_to_linear};
use crate::storage::Writer;
use serde_json::{Value, json};
use std::io::{Result, Write};

/// Logarithms of scales that floats hold.
const LOG_SCALES: [f32; 2] = [-80.0, 80.0];
const FLOAT: u32 = 5126;
const UNSIGNED_SHORT: u32 = 5123;
const ARRAY_BUFFER: u32 = 34962;
const POINTS: u32 = 0;

/// An attribute: its name, glTF's type of it, and the floats of a splat; none are the four 16-bit values of a color.
struct Attribute {
    name: String,
    kind: &'static str,
    floats: usize,
}

/// Bytes of the file's binary part. Those of the whole file must fit 32 bits.
pub fn binary_bytes(export: &Export) -> u64 {
    let row: usize = attributes(export).iter().map(Attribute::bytes).sum();
    row as u64 * export.len() as u64
}

pub fn write(out: &mut Writer, export: &Export, cut: &mut Cut) -> Result<()> {
    let attributes = attributes(export);
    let binary = binary_bytes(export) as u32;
    let mut document = serde_json::to_vec(&document(export, &attributes))?;
    document.resize(document.len().next_multiple_of(4), b' ');
    out.write_all(MAGIC)?;
    write_words(out, &[VERSION, 12 + 8 + document.len() as u32 + 8 + binary, document.len() as u32, JSON])?;
    out.write_all(&document)?;
    write_words(out, &[binary, BINARY])?;
    let Signs { position, rotation, harmonics } = gltf::axes().signs();
    let all = 0..export.len();
    for i in all.clone() {
        floats(out, &signed(export.position(i), position))?;
    }
    for i in all.clone() {
        // Of linear light, as in all of glTF.
        let [r, g, b] = color(export, i).map(srgb_to_linear);
        for value in [r, g, b, export.opacity(i)] {
            out.write_all(&((value * 65535.0).round() as u16).to_le_bytes())?;
        }
    }
    for i in all.clone() {
        let [w, x, y, z] = signed(export.rotation(i), rotation);
        floats(out, &[x, y, z, w])?;
    }
    for i in all.clone() {
        floats(out, &export.log_scale(i).map(|v| cut.clamp(i, v, LOG_SCALES).exp()))?;
    }
    for i in all.clone() {
        floats(out, &[export.opacity(i)])?;
    }
    for (k, sign) in harmonics.iter().enumerate().take(export.harmonics(0).len()) {
        all.clone().try_for_each(|i| floats(out, &export.harmonics(i)[k].map(|v| v * sign)))?;
    }
    Ok(())
}

fn attributes(export: &Export) -> Vec<Attribute> {
    let floats = |name: String, kind, floats| Attribute { name, kind, floats };
    let mut attributes = vec![
        floats("POSITION".into(), "VEC3", 3),
        floats("COLOR_0".into(), "VEC4", 0),
        floats(gltf::attribute("ROTATION"), "VEC4", 4),
        floats(gltf::attribute("SCALE"), "VEC3", 3),
        floats(gltf::attribute("OPACITY"), "SCALAR", 1),
    ];
    attributes.extend((0..export.harmonics(0).len()).map(|k| floats(gltf::harmonic(k), "VEC3", 3)));
    attributes
}

impl Attribute {
    /// Bytes of a splat.
    fn bytes(&self) -> usize {
        if self.floats == 0 { 8 } else { 4 * self.floats }
    }
}

fn document(export: &Export, attributes: &[Attribute]) -> Value {
    let count = export.len();
    let mut offset = 0;
    let (mut views, mut accessors) = (Vec::new(), Vec::new());
    for (i, attribute) in attributes.iter().enumerate() {
        let bytes = attribute.bytes() * count;
        views.push(json!({"buffer": 0, "byteOffset": offset, "byteLength": bytes, "target": ARRAY_BUFFER}));
        offset += bytes;
        let component = if attribute.floats == 0 { UNSIGNED_SHORT } else { FLOAT };
        let mut accessor = json!({"bufferView": i, "componentType": component, "count": count, "type": attribute.kind});
        if attribute.floats == 0 {
            accessor["normalized"] = true.into();
        }
        accessors.push(accessor);
    }
    let [least, most] = bounds(export);
    (accessors[0]["min"], accessors[0]["max"]) = (json!(least), json!(most));
    let names: serde_json::Map<String, Value> =
        attributes.iter().enumerate().map(|(i, attribute)| (attribute.name.clone(), i.into())).collect();
    let splatting = json!({"kernel": KERNEL, "colorSpace": COLOR_SPACE});
    let mut primitive = json!({"attributes": names, "mode": POINTS, "extensions": {EXTENSION: splatting}});
    if export.antialiased {
        primitive["extras"] = json!({ANTIALIASED: true});
    }
    if let Some(frame) = export.stated_frame() {
        primitive["extras"][FRAME] = frame;
    }
    json!({
        "asset": {"version": "2.0", "generator": concat!("naka-gs ", env!("CARGO_PKG_VERSION"))},
        "extensionsUsed": [EXTENSION],
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{"primitives": [primitive]}],
        "buffers": [{"byteLength": offset}],
        "bufferViews": views,
        "accessors": accessors,
    })
}

/// The least and the largest position, which glTF asks for.
fn bounds(export: &Export) -> [[f32; 3]; 2] {
    let signs = gltf::axes().signs().position;
    let mut bounds = [[f32::INFINITY; 3], [f32::NEG_INFINITY; 3]];
    for i in 0..export.len() {
        for (axis, v) in signed(export.position(i), signs).into_iter().enumerate() {
            bounds[0][axis] = bounds[0][axis].min(v);
            bounds[1][axis] = bounds[1][axis].max(v);
        }
    }
    bounds
}

/// The color without direction, as points are drawn.
fn color(export: &Export, i: usize) -> [f32; 3] {
    export.harmonics(i)[0].map(|v| (v * SH_C0 + 0.5).clamp(0.0, 1.0))
}

fn signed<const N: usize>(values: [f32; N], signs: [f32; N]) -> [f32; N] {
    std::array::from_fn(|i| values[i] * signs[i])
}

fn floats(out: &mut Writer, values: &[f32]) -> Result<()> {
    values.iter().try_for_each(|value| out.write_all(&value.to_le_bytes()))
}
