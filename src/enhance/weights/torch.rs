//! PyTorch checkpoints: a zip archive with one pickle, `NAME/data.pkl`, whose tensors lie in `NAME/data/KEY`.

use super::pickle::{Pickle, Value};
use super::safe::numbers;
use super::{Content, Tensor};
use rawzip::{CompressionMethod, ZipArchive, ZipArchiveEntryWayfinder, ZipSliceArchive};
use safetensors::Dtype;
use std::collections::BTreeMap;
use std::io;

/// A pickle of this size describes twenty thousand tensors.
pub(super) const LARGEST_PICKLE: usize = 4 << 20;
/// Most plain values kept, and the longest: a pickle may repeat one long text a million times.
const PLAIN_VALUES: (usize, usize) = (1000, 200);
/// Where checkpoints keep the weights of a network, next to the state of its training.
const PLACES: [&str; 4] = ["model", "state_dict", "model_state_dict", "network"];

pub fn read(bytes: &[u8]) -> Content {
    let archive = Archive::open(bytes)?;
    let pickle = archive.entry("data.pkl")?;
    if pickle.len() > LARGEST_PICKLE {
        return Err(format!("its data.pkl has {} bytes, more than the {LARGEST_PICKLE} that are read", pickle.len()));
    }
    let pickle = Pickle::read(pickle)?;
    let entry = |key: &str, _: Dtype| archive.entry(&format!("data/{key}"));
    named_tensors(&pickle, bytes.len(), &entry)
}

/// The named tensors of a checkpoint of `length` bytes, and its plain values. `storage` has the bytes of a storage by its key
/// and the type of its numbers.
pub(super) fn named_tensors<'a>(pickle: &Pickle<'a>, length: usize, storage: &Storage<'_, 'a>) -> Content {
    let state = state_dict(pickle, pickle.root);
    let named = pickle.entries(state).unwrap_or_default().iter().filter_map(|(name, value)| match (name, value) {
        (Value::Text(name), Value::Tensor(_)) => Some((*name, *value)),
        _ => None,
    });
    let named: Vec<_> = named.collect();
    if named.is_empty() {
        return Err("a PyTorch file without named tensors (neither at its top nor under `model`)".into());
    }
    let mut storages = Storages { storage, left: length, values_left: length, read: BTreeMap::new() };
    let mut tensors = BTreeMap::new();
    for (name, value) in &named {
        let tensor =
            tensor(pickle, *value, &mut storages).map_err(|e| format!("tensor {}: {e}", name.escape_debug()))?;
        tensors.insert((*name).to_string(), tensor);
    }
    Ok((without_wrapper(tensors), metadata(pickle, state)))
}

struct Archive<'a> {
    zip: ZipSliceArchive<&'a [u8]>,
    entries: BTreeMap<Vec<u8>, ZipArchiveEntryWayfinder>,
    /// The folder all entries lie in, with a slash at its end.
    folder: Vec<u8>,
}

impl<'a> Archive<'a> {
    fn open(bytes: &'a [u8]) -> Result<Self, String> {
        let broken = |e: rawzip::Error| format!("a broken zip archive ({e})");
        let zip = ZipArchive::from_slice(bytes).map_err(broken)?;
        let mut entries = BTreeMap::new();
        for entry in zip.entries() {
            let entry = entry.map_err(broken)?;
            let name = entry.file_path().as_bytes().to_vec();
            if entry.compression_method() != CompressionMethod::STORE {
                return Err(
                    "a zip archive with compressed or encrypted entries, which torch.save does not write".into()
                );
            }
            if entries.insert(name, entry.wayfinder()).is_some() {
                return Err("a zip archive with two entries of one name".into());
            }
        }
        let folder = entries.keys().find_map(|name| name.strip_suffix(b"data.pkl"));
        let folder = folder.ok_or("a zip archive without data.pkl, not a PyTorch checkpoint")?.to_vec();
        let archive = Self { zip, entries, folder };
        match archive.entry("byteorder") {
            Ok(b"big") => Err("a checkpoint of a big-endian machine".into()),
            _ => Ok(archive),
        }
    }

    /// The content of an entry, its checksum verified.
    fn entry(&self, name: &str) -> Result<&'a [u8], String> {
        let path = [&self.folder, name.as_bytes()].concat();
        let place = self.entries.get(&path).ok_or_else(|| format!("its entry {} is missing", name.escape_debug()))?;
        let broken = |e: String| format!("its entry {} cannot be read ({e})", name.escape_debug());
        let entry = self.zip.get_entry(*place).map_err(|e| broken(e.to_string()))?;
        let (start, end) = entry.compressed_data_range();
        io::copy(&mut entry.verifying_reader(entry.data()), &mut io::sink()).map_err(|e| broken(e.to_string()))?;
        let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
        range
            .and_then(|(start, end)| self.zip.get_ref().get(start..end))
            .ok_or_else(|| broken("beyond the file".into()))
    }
}

/// The dictionary of named tensors: the one at a known key, followed as deep as it leads, else the whole.
fn state_dict<'a>(pickle: &Pickle<'a>, mut value: Value<'a>) -> Value<'a> {
    for _ in 0..PLACES.len() {
        let inner = PLACES.iter().find_map(|place| entry(pickle, value, place));
        match inner {
            Some(inner @ Value::Dict(_)) => value = inner,
            _ => break,
        }
    }
    value
}

fn entry<'a>(pickle: &Pickle<'a>, dict: Value<'a>, key: &str) -> Option<Value<'a>> {
    // As in Python, the last value set is the one that counts.
    pickle.entries(dict)?.iter().rev().find(|(name, _)| *name == Value::Text(key)).map(|(_, value)| *value)
}

/// Plain values stored with the weights; those of nested dictionaries are named like `args.base_ch`.
fn metadata(pickle: &Pickle<'_>, state: Value<'_>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let groups = pickle.entries(pickle.root).unwrap_or_default().iter().filter(|(_, value)| *value != state);
    let inside = groups.clone().flat_map(|(name, group)| {
        let entries = pickle.entries(*group).unwrap_or_default();
        entries
            .iter()
            .filter_map(move |(key, value)| Some((format!("{}.{}", short(*name)?, short(*key)?), plain(*value)?)))
    });
    let outside = groups.clone().filter_map(|(name, value)| Some((short(*name)?.to_string(), plain(*value)?)));
    found.extend(outside.chain(inside).take(PLAIN_VALUES.0));
    found
}

fn short<'a>(value: Value<'a>) -> Option<&'a str> {
    match value {
        Value::Text(text) if text.len() <= PLAIN_VALUES.1 => Some(text),
        _ => None,
    }
}

fn plain(value: Value<'_>) -> Option<String> {
    match value {
        Value::Bool(v) => Some(v.to_string()),
        Value::Int(v) => Some(v.to_string()),
        Value::Float(v) => Some(v.to_string()),
        text => short(text).map(str::to_string),
    }
}

/// Names without the `module.` that data-parallel training puts before each.
fn without_wrapper(tensors: BTreeMap<String, Tensor>) -> BTreeMap<String, Tensor> {
    if !tensors.keys().all(|name| name.starts_with("module.")) {
        return tensors;
    }
    tensors.into_iter().map(|(name, tensor)| (name["module.".len()..].to_string(), tensor)).collect()
}

/// Storages read so far, and the remaining allowance: a file cannot hold more bytes or numbers than its length.
struct Storages<'s, 'a> {
    storage: &'s Storage<'s, 'a>,
    left: usize,
    values_left: usize,
    read: BTreeMap<String, Vec<f32>>,
}

/// The bytes of a storage by its key and the type of its numbers.
pub(super) type Storage<'s, 'a> = dyn Fn(&str, Dtype) -> Result<&'a [u8], String> + 's;

impl Storages<'_, '_> {
    fn get(&mut self, key: &str, dtype: Dtype) -> Result<&[f32], String> {
        // One storage may be read under two types; a `/` would leave the folder of storages.
        let id = format!("{dtype}/{key}");
        if !self.read.contains_key(&id) {
            let bytes = (self.storage)(key, dtype)?;
            self.left = self.left.checked_sub(bytes.len()).ok_or("its storages have more bytes than the file")?;
            let values = numbers(dtype, bytes).ok_or("numbers of an unknown type")?;
            self.read.insert(id.clone(), values);
        }
        Ok(self.read.get(&id).map(Vec::as_slice).unwrap_or_default())
    }
}

fn tensor(pickle: &Pickle<'_>, value: Value<'_>, storages: &mut Storages<'_, '_>) -> Result<Tensor, String> {
    let Some([storage, Value::Int(offset), size, stride, ..]) = pickle.elements(value) else {
        return Err("its description is not that of a tensor".into());
    };
    let Some([Value::Text("storage"), Value::Global(kind), Value::Text(key), ..]) = pickle.elements(*storage) else {
        return Err("its description names no storage".into());
    };
    let dtype = dtype(kind).ok_or_else(|| format!("{kind} is no storage of numbers"))?;
    let size = naturals(pickle, *size).ok_or("its shape is not made of natural numbers")?;
    let stride = naturals(pickle, *stride).ok_or("its strides are not natural numbers")?;
    let offset = usize::try_from(*offset).map_err(|_| "it starts before its storage")?;
    if size.len() != stride.len() {
        return Err(format!("{} strides for {} dimensions", stride.len(), size.len()));
    }
    let count = size.iter().try_fold(1usize, |n, d| n.checked_mul(*d));
    let count = count
        .filter(|n| *n <= storages.values_left)
        .ok_or_else(|| format!("a shape of {} with more values than the file has bytes", shown(&size)))?;
    storages.values_left -= count;
    let values = storages.get(key, dtype)?;
    let end = end(&size, &stride, offset).filter(|end| *end <= values.len());
    end.ok_or_else(|| format!("shape {} reaches beyond the {} values of its storage", shown(&size), values.len()))?;
    Ok(Tensor { values: gather(values, &size, &stride, offset, count), shape: size })
}

/// The types of the numbers in the storages that a pickle refers to, by their keys.
pub(super) fn storage_types<'a>(pickle: &Pickle<'a>) -> BTreeMap<&'a str, Dtype> {
    let of = |fields: &[Value<'a>]| match fields {
        [Value::Text("storage"), Value::Global(kind), Value::Text(key), ..] => Some((*key, dtype(kind)?)),
        _ => None,
    };
    pickle.outside().filter_map(of).collect()
}

fn dtype(storage: &str) -> Option<Dtype> {
    Some(match storage {
        "torch DoubleStorage" => Dtype::F64,
        "torch FloatStorage" => Dtype::F32,
        "torch HalfStorage" => Dtype::F16,
        "torch BFloat16Storage" => Dtype::BF16,
        "torch LongStorage" => Dtype::I64,
        "torch IntStorage" => Dtype::I32,
        "torch ShortStorage" => Dtype::I16,
        "torch CharStorage" => Dtype::I8,
        "torch ByteStorage" => Dtype::U8,
        "torch BoolStorage" => Dtype::BOOL,
        _ => return None,
    })
}

/// The numbers of a short tuple.
fn naturals(pickle: &Pickle<'_>, value: Value<'_>) -> Option<Vec<usize>> {
    let elements = pickle.elements(value).filter(|elements| elements.len() <= 64)?;
    let number = |value: &Value<'_>| match value {
        Value::Int(number) => usize::try_from(*number).ok(),
        _ => None,
    };
    elements.iter().map(number).collect()
}

fn shown(size: &[usize]) -> String {
    size.iter().map(usize::to_string).collect::<Vec<_>>().join(" × ")
}

/// One past the last value a tensor touches; nothing where that is beyond all numbers.
fn end(size: &[usize], stride: &[usize], offset: usize) -> Option<usize> {
    if size.contains(&0) {
        return Some(0);
    }
    let last = size.iter().zip(stride).try_fold(offset, |at, (d, step)| at.checked_add((d - 1).checked_mul(*step)?))?;
    last.checked_add(1)
}

/// The values with the last dimension contiguous; they lie within `values`, as [`end`] has shown.
fn gather(values: &[f32], size: &[usize], stride: &[usize], offset: usize, count: usize) -> Vec<f32> {
    // The stride of a dimension of one is never walked, and may be any number.
    let stride: Vec<usize> = size.iter().zip(stride).map(|(d, step)| if *d > 1 { *step } else { 0 }).collect();
    let mut index = vec![0; size.len()];
    let mut at = offset;
    let mut gathered = Vec::with_capacity(count);
    while gathered.len() < count {
        gathered.push(values[at]);
        for axis in (0..size.len()).rev() {
            index[axis] += 1;
            at += stride[axis];
            if index[axis] < size[axis] {
                break;
            }
            at -= index[axis] * stride[axis];
            index[axis] = 0;
        }
    }
    gathered
}
