//! glTF in one file (GLB) with uncompressed splats of `KHR_gaussian_splatting`: one primitive, in floats or the
//! integers that the extension allows, of a node that stands where it is.
//!
//! An own reader: the crate `gltf` refuses attributes whose names begin with an extension's.

use super::super::Splats;
use super::super::gltf::{self, ANTIALIASED, BINARY, COLOR_SPACE, EXTENSION, JSON, KERNEL};
use super::super::write::FRAME;
use super::{FramedModel, bytes_in_memory, frame_in};
use crate::error::{Error, Result};
use crate::limits;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::path::Path;

pub use super::super::gltf::MAGIC;

const DAMAGED: &str = "it is cut off or damaged: copy or export it again";
/// Supported extensions among those that a file may require; the second allows integers.
const KNOWN: [&str; 2] = [EXTENSION, "KHR_mesh_quantization"];
const OTHERWISE: &str = "export the splats as PLY or SPZ, or as uncompressed GLB with one mesh";

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Document {
    accessors: Vec<Accessor>,
    buffer_views: Vec<View>,
    meshes: Vec<Mesh>,
    nodes: Vec<Node>,
    extensions_required: Vec<String>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Node {
    mesh: Option<usize>,
    children: Vec<usize>,
    matrix: Option<Vec<f64>>,
    translation: Option<Vec<f64>>,
    rotation: Option<Vec<f64>>,
    scale: Option<Vec<f64>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Accessor {
    buffer_view: Option<usize>,
    #[serde(default)]
    byte_offset: usize,
    component_type: u32,
    #[serde(default)]
    normalized: bool,
    count: usize,
    #[serde(rename = "type")]
    kind: String,
    sparse: Option<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct View {
    buffer: usize,
    #[serde(default)]
    byte_offset: usize,
    byte_length: usize,
    byte_stride: Option<usize>,
}

#[derive(Deserialize)]
struct Mesh {
    primitives: Vec<Primitive>,
}

#[derive(Deserialize)]
struct Primitive {
    attributes: Map<String, Value>,
    #[serde(default)]
    extensions: Map<String, Value>,
    #[serde(default)]
    extras: Value,
}

/// Reads the splats, whether they were trained for antialiased rendering, and the frame that the file states.
///
/// # Errors
/// A file that is cut off or damaged, without splats, or with splats in a form that is not read.
pub fn read(path: &Path) -> Result<FramedModel> {
    let content = limits::read(path)?;
    let (document, binary) = parts(path, &content)?;
    let document: Document = serde_json::from_slice(document)
        .map_err(|error| Error::input(path, format!("is a glTF scene whose JSON cannot be read: {error}"), DAMAGED))?;
    let primitive = document.primitive(path)?;
    let attribute = |name: &str, width: usize| document.attribute(path, binary, primitive, name, width);
    let positions = attribute("POSITION", 3)?;
    let count = positions.count;
    let has = |degree: usize| {
        (degree * degree..(degree + 1) * (degree + 1)).any(|k| primitive.attributes.contains_key(&gltf::harmonic(k)))
    };
    // Attributes that these lack are reported as missing below.
    let degree = (1..=4usize).rev().find(|degree| has(*degree)).unwrap_or(0) as u32;
    if degree > 3 {
        let found = format!("has spherical harmonics of degree {degree}; degrees 0 to 3 are drawn");
        return Err(Error::input(path, found, "export it with harmonics up to degree 3"));
    }
    let needed = (count as u64).saturating_mul(bytes_in_memory(degree));
    limits::claim(path, content.len() as u64, needed, &format!("{count} splats"))?;
    let [rotations, scales, opacities] =
        [("ROTATION", 4), ("SCALE", 3), ("OPACITY", 1)].map(|(name, width)| attribute(&gltf::attribute(name), width));
    let (rotations, scales, opacities) = (rotations?, scales?, opacities?);
    let harmonics = (0..Splats::coefficients(degree)).map(|k| attribute(&gltf::harmonic(k), 3));
    let harmonics = harmonics.collect::<Result<Vec<_>>>()?;
    if [&rotations, &scales, &opacities].into_iter().chain(&harmonics).any(|column| column.count != count) {
        return Err(Error::input(path, "has attributes of different lengths", DAMAGED));
    }
    let mut splats = Splats::with_capacity(count, degree);
    for i in 0..count {
        splats.means.push(positions.row(i));
        let [x, y, z, w] = rotations.row(i);
        splats.quats.push([w, x, y, z]);
        splats.log_scales.push(scales.row::<3>(i).map(f32::ln));
        let [opacity] = opacities.row(i);
        splats.logit_opacities.push((opacity / (1.0 - opacity)).ln());
        splats.sh.extend(harmonics.iter().flat_map(|column| column.row::<3>(i)));
    }
    gltf::axes().to_ply(&mut splats);
    let antialiased = primitive.extras.get(ANTIALIASED).is_some_and(|value| value == true);
    Ok((splats, antialiased, frame_in(primitive.extras.get(FRAME))))
}

/// The JSON and the binary part.
fn parts<'c>(path: &Path, content: &'c [u8]) -> Result<(&'c [u8], &'c [u8])> {
    let cut = || Error::input(path, "is a glTF scene that is cut off", DAMAGED);
    let mut rest = content.get(12..).ok_or_else(cut)?;
    let (mut document, mut binary) = (None, &[][..]);
    while let Some((head, after)) = rest.split_first_chunk::<8>() {
        let [length, kind] = [0, 4].map(|i| u32::from_le_bytes([head[i], head[i + 1], head[i + 2], head[i + 3]]));
        let (part, after) = after.split_at_checked(length as usize).ok_or_else(cut)?;
        match kind {
            JSON => document = document.or(Some(part)),
            BINARY => binary = part,
            _ => {}
        }
        rest = after;
    }
    Ok((document.ok_or_else(cut)?, binary))
}

impl Document {
    /// The one primitive with splats.
    fn primitive(&self, path: &Path) -> Result<&Primitive> {
        let refused = |found: String| Err(Error::input(path, format!("is a glTF scene {found}"), OTHERWISE));
        if let Some(name) = self.extensions_required.iter().find(|name| !KNOWN.contains(&name.as_str())) {
            return refused(format!("that needs {name}, which is not read"));
        }
        let meshes = self.meshes.iter().enumerate();
        let all =
            meshes.flat_map(|(mesh, Mesh { primitives })| primitives.iter().map(move |primitive| (mesh, primitive)));
        let mut splats = all.filter(|(_, primitive)| primitive.extensions.contains_key(EXTENSION));
        let Some((mesh, primitive)) = splats.next() else { return refused(format!("without {EXTENSION}")) };
        if splats.next().is_some() {
            return refused("with several sets of splats".into());
        }
        let text = |key: &str| primitive.extensions[EXTENSION].get(key).and_then(Value::as_str).unwrap_or_default();
        if let Some(further) = primitive.extensions[EXTENSION].get("extensions").and_then(Value::as_object)
            && let Some(name) = further.keys().next()
        {
            return refused(format!("with splats in the form of {name}"));
        }
        for (key, known) in [("kernel", KERNEL), ("colorSpace", COLOR_SPACE)] {
            if text(key) != known {
                return refused(format!("with splats of {key} `{}`, where `{known}` is read", text(key)));
            }
        }
        if self.leading_to(mesh).any(|node| !node.rests()) {
            return refused("whose nodes are moved, turned or scaled".into());
        }
        Ok(primitive)
    }

    /// The nodes that place `mesh`: those that reference it, and their ancestors.
    fn leading_to(&self, mesh: usize) -> impl Iterator<Item = &Node> {
        let mut leads: Vec<bool> = self.nodes.iter().map(|node| node.mesh == Some(mesh)).collect();
        loop {
            let above = |node: &Node| node.children.iter().any(|child| leads.get(*child) == Some(&true));
            let Some(next) = (0..leads.len()).find(|index| !leads[*index] && above(&self.nodes[*index])) else { break };
            leads[next] = true;
        }
        self.nodes.iter().zip(leads).filter(|(_, leads)| *leads).map(|(node, _)| node)
    }

    fn attribute<'b>(
        &self,
        path: &Path,
        binary: &'b [u8],
        primitive: &Primitive,
        name: &str,
        width: usize,
    ) -> Result<Column<'b>> {
        let damaged = |found: &str| Error::input(path, format!("is a glTF scene whose `{name}` {found}"), DAMAGED);
        let index = primitive.attributes.get(name).and_then(Value::as_u64).ok_or_else(|| damaged("is missing"))?;
        let accessor = self.accessors.get(index as usize).ok_or_else(|| damaged("has no accessor"))?;
        let number =
            Number::of(accessor.component_type, accessor.normalized).ok_or_else(|| damaged("has no numbers"))?;
        let kind = ["", "SCALAR", "VEC2", "VEC3", "VEC4"][width];
        if accessor.kind != kind || accessor.sparse.is_some() {
            return Err(damaged(&format!("is no plain {kind}")));
        }
        let view = accessor.buffer_view.and_then(|view| self.buffer_views.get(view)).filter(|view| view.buffer == 0);
        let view = view.ok_or_else(|| damaged("lies outside of the file"))?;
        let row = width * number.bytes;
        let stride = view.byte_stride.unwrap_or(row).max(row);
        let start = view.byte_offset.checked_add(accessor.byte_offset);
        let bytes = accessor.count.checked_sub(1).map_or(Some(0), |n| n.checked_mul(stride)?.checked_add(row));
        let reach = bytes.and_then(|bytes| bytes.checked_add(accessor.byte_offset));
        let (Some(start), Some(bytes), Some(reach)) = (start, bytes, reach) else {
            return Err(damaged("lies outside of the file"));
        };
        let content = binary.get(start..).and_then(|rest| rest.get(..bytes)).filter(|_| reach <= view.byte_length);
        let bytes = content.ok_or_else(|| damaged("lies outside of the file"))?;
        Ok(Column { bytes, stride, number, count: accessor.count })
    }
}

impl Node {
    /// Whether its transform is the identity.
    fn rests(&self) -> bool {
        let is = |found: &Option<Vec<f64>>, resting: &[f64]| found.as_ref().is_none_or(|found| found == resting);
        let identity: [f64; 16] = std::array::from_fn(|i| if i % 5 == 0 { 1.0 } else { 0.0 });
        let rotation = is(&self.rotation, &[0.0, 0.0, 0.0, 1.0]) || is(&self.rotation, &[0.0, 0.0, 0.0, -1.0]);
        is(&self.matrix, &identity) && is(&self.translation, &[0.0; 3]) && rotation && is(&self.scale, &[1.0; 3])
    }
}

/// An attribute of all splats.
struct Column<'b> {
    bytes: &'b [u8],
    stride: usize,
    number: Number,
    count: usize,
}

/// How a number is stored.
#[derive(Clone, Copy)]
struct Number {
    bytes: usize,
    signed: bool,
    /// The integer that represents 1; `None` for floats.
    one: Option<f32>,
}

impl Number {
    fn of(component_type: u32, normalized: bool) -> Option<Self> {
        let integer =
            |bytes, signed, most| Some(Self { bytes, signed, one: Some(if normalized { most } else { 1.0 }) });
        match component_type {
            5120 => integer(1, true, 127.0),
            5121 => integer(1, false, 255.0),
            5122 => integer(2, true, 32767.0),
            5123 => integer(2, false, 65535.0),
            5126 => Some(Self { bytes: 4, signed: true, one: None }),
            _ => None,
        }
    }

    fn read(self, bytes: &[u8]) -> f32 {
        let whole = match (self.signed, bytes) {
            (true, [a]) => f32::from(a.cast_signed()),
            (false, [a]) => f32::from(*a),
            (true, [a, b]) => f32::from(i16::from_le_bytes([*a, *b])),
            (false, [a, b]) => f32::from(u16::from_le_bytes([*a, *b])),
            (_, [a, b, c, d]) => f32::from_le_bytes([*a, *b, *c, *d]),
            _ => f32::NAN,
        };
        self.one.map_or(whole, |one| whole / one)
    }
}

impl Column<'_> {
    fn row<const N: usize>(&self, i: usize) -> [f32; N] {
        let start = i * self.stride;
        std::array::from_fn(|k| self.number.read(&self.bytes[start + k * self.number.bytes..][..self.number.bytes]))
    }
}
