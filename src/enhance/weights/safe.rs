//! Weights as safetensors.

use super::{Content, Tensor, Weights};
use crate::error::{Error, Result};
use crate::storage;
use half::{bf16, f16};
use safetensors::{Dtype, SafeTensors};
use serde_json::{Map, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

/// Whether a file starts as safetensors do: the length of a header, then a JSON object.
pub fn looks_like(bytes: &[u8]) -> bool {
    bytes.get(8) == Some(&b'{')
}

pub fn read(bytes: &[u8]) -> Content {
    let broken = |e: safetensors::SafeTensorError| format!("broken safetensors ({e})");
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(broken)?;
    let file = SafeTensors::deserialize(bytes).map_err(broken)?;
    let mut tensors = BTreeMap::new();
    for (name, view) in file.iter() {
        let values = numbers(view.dtype(), view.data())
            .ok_or_else(|| format!("tensor {name} holds numbers of type {}, which is not known here", view.dtype()))?;
        tensors.insert(name.to_string(), Tensor { shape: view.shape().to_vec(), values });
    }
    let metadata = header.metadata().clone().unwrap_or_default();
    Ok((tensors, metadata.into_iter().collect()))
}

/// Little-endian numbers as `f32`; `None` for an unsupported type.
pub fn numbers(dtype: Dtype, bytes: &[u8]) -> Option<Vec<f32>> {
    fn each<const N: usize>(bytes: &[u8], number: impl Fn([u8; N]) -> f32) -> Vec<f32> {
        bytes.as_chunks().0.iter().map(|b| number(*b)).collect()
    }
    Some(match dtype {
        Dtype::F64 => each(bytes, |b| f64::from_le_bytes(b) as f32),
        Dtype::F32 => each(bytes, f32::from_le_bytes),
        Dtype::F16 => each(bytes, |b| f16::from_le_bytes(b).to_f32()),
        Dtype::BF16 => each(bytes, |b| bf16::from_le_bytes(b).to_f32()),
        Dtype::I64 => each(bytes, |b| i64::from_le_bytes(b) as f32),
        Dtype::I32 => each(bytes, |b| i32::from_le_bytes(b) as f32),
        Dtype::I16 => each(bytes, |b| f32::from(i16::from_le_bytes(b))),
        Dtype::I8 => each(bytes, |b| f32::from(i8::from_le_bytes(b))),
        Dtype::U8 | Dtype::BOOL => each(bytes, |[b]| f32::from(b)),
        _ => return None,
    })
}

/// Writes the file by hand, in the order of the names: the crate writes metadata in the order of a hash map, and the
/// same weights should be the same bytes. Numbers are F16, or else F32.
pub fn write(path: &Path, weights: &Weights, dtype: Dtype) -> Result<()> {
    let half = dtype == Dtype::F16;
    let (kind, bytes) = if half { ("F16", 2) } else { ("F32", 4) };
    let mut header = Map::new();
    header.insert("__metadata__".into(), json!(weights.metadata));
    let mut end = 0;
    for (name, tensor) in &weights.tensors {
        if tensor.shape.iter().product::<usize>() != tensor.values.len() || name == "__metadata__" {
            let found = format!("tensor {name} of shape {:?} has {} values", tensor.shape, tensor.values.len());
            return Err(Error::input(path, found, "report this bug"));
        }
        if half && tensor.values.iter().any(|value| value.is_finite() && !f16::from_f32(*value).is_finite()) {
            let found = format!("tensor {name} has numbers beyond those of 16 bits");
            return Err(Error::input(path, found, "write these weights in 32 bits"));
        }
        let start = end;
        end += bytes * tensor.values.len();
        header.insert(name.clone(), json!({"dtype": kind, "shape": tensor.shape, "data_offsets": [start, end]}));
    }
    let mut header = serde_json::Value::from(header).to_string();
    // The data starts at a multiple of eight bytes.
    header.extend(std::iter::repeat_n(' ', header.len().next_multiple_of(8) - header.len()));
    storage::write(path, |out| {
        let mut put = |bytes: &[u8]| out.write_all(bytes).map_err(Error::io(path));
        put(&(header.len() as u64).to_le_bytes())?;
        put(header.as_bytes())?;
        for value in weights.tensors.values().flat_map(|tensor| &tensor.values) {
            if half {
                put(&f16::from_f32(*value).to_le_bytes())?;
            } else {
                put(&value.to_le_bytes())?;
            }
        }
        Ok(())
    })
}
