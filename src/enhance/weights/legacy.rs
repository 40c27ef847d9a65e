//! Checkpoints of PyTorch before 1.6, and of later versions in that mode: pickles one after the other (a
//! magic number, the version, facts about the machine, the object, the keys of its storages), then the storages in the order of
//! the keys, each behind its count of numbers.

use super::Content;
use super::pickle::{Pickle, Value};
use super::torch::{LARGEST_PICKLE, named_tensors, storage_types};
use std::collections::BTreeMap;

/// The pickled number that such files start with.
pub const MAGIC: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";
/// The only version there has been.
const VERSION: Value<'static> = Value::Int(1001);

pub fn read(bytes: &[u8]) -> Content {
    let rest = bytes.strip_prefix(MAGIC).ok_or("not a checkpoint of PyTorch")?;
    let (version, rest) = Pickle::read_first(rest)?;
    if version.root != VERSION {
        return Err("a checkpoint of an unknown version".into());
    }
    let (machine, rest) = Pickle::read_first(rest)?;
    let facts = machine.entries(machine.root).unwrap_or_default();
    if facts.contains(&(Value::Text("little_endian"), Value::Bool(false))) {
        return Err("a checkpoint of a big-endian machine".into());
    }
    let (object, after) = Pickle::read_first(rest)?;
    if rest.len() - after.len() > LARGEST_PICKLE {
        return Err(format!("its pickle has more than the {LARGEST_PICKLE} bytes that are read"));
    }
    let (list, data) = Pickle::read_first(after)?;
    let storages = storages(&object, list.elements(list.root).unwrap_or_default(), data)?;
    named_tensors(&object, bytes.len(), &|key, _| {
        storages.get(key).copied().ok_or_else(|| format!("its storage {} is missing", key.escape_debug()))
    })
}

/// The bytes of the storages with `keys`, which lie one after the other in `data`.
fn storages<'a>(
    object: &Pickle<'_>,
    keys: &[Value<'a>],
    mut data: &'a [u8],
) -> Result<BTreeMap<&'a str, &'a [u8]>, String> {
    let types = storage_types(object);
    let mut storages = BTreeMap::new();
    for key in keys {
        let Value::Text(key) = key else { return Err("its list of storages has no names".into()) };
        let dtype =
            types.get(key).ok_or_else(|| format!("nothing says what its storage {} holds", key.escape_debug()))?;
        let (count, rest) = data.split_first_chunk().ok_or("it ends within its storages")?;
        let length = usize::try_from(u64::from_le_bytes(*count)).ok().and_then(|n| n.checked_mul(dtype.bitsize() / 8));
        let (storage, rest) = length.and_then(|n| rest.split_at_checked(n)).ok_or("it ends within its storages")?;
        storages.insert(*key, storage);
        data = rest;
    }
    Ok(storages)
}

#[cfg(test)]
mod tests {
    use super::super::Weights;
    use super::*;

    fn text(word: &str) -> Vec<u8> {
        [&[b'U', word.len() as u8], word.as_bytes()].concat()
    }

    /// A dictionary of two tensors of two storages as Python 2 pickled it.
    fn file(counts: [u64; 2]) -> Vec<u8> {
        let tensor = |name: &str, kind: &str, key: &str, size: u8| {
            let storage = format!("ctorch\n{kind}\n");
            let outside = [text("storage"), storage.into(), text(key), text("cpu"), vec![b'K', size, b'N', b't', b'Q']];
            let shape = vec![b'K', 0, b'K', size, 0x85, b'K', 1, 0x85, 0x89, b'N', b't', b'R'];
            [text(name), b"ctorch._utils\n_rebuild_tensor_v2\n((".into(), outside.concat(), shape].concat()
        };
        let pair = |tensor: Vec<u8>| [b"](".as_slice(), &tensor, b"e"].concat();
        let pairs = [pair(tensor("a", "FloatStorage", "7", 2)), pair(tensor("b", "HalfStorage", "9", 3))].concat();
        let object = [b"\x80\x02ccollections\nOrderedDict\n](".as_slice(), &pairs, b"e\x85R."].concat();
        let keys = [b"\x80\x02](".as_slice(), &text("9"), &text("7"), b"e."].concat();
        let machine = [b"\x80\x02}(".as_slice(), &text("little_endian"), b"\x88u."].concat();
        let half = [counts[0].to_le_bytes().as_slice(), &[0x00, 0x3c, 0x00, 0xc0, 0x00, 0x38]].concat();
        let single = [counts[1].to_le_bytes().as_slice(), &1.5f32.to_le_bytes(), &(-2.0f32).to_le_bytes()].concat();
        [MAGIC, b"\x80\x02M\xe9\x03.", &machine, &object, &keys, &half, &single].concat()
    }

    #[test]
    fn storages_are_found_in_the_order_of_their_keys() {
        let weights = Weights::from_bytes("old.pth", &file([3, 2])).unwrap();
        assert_eq!(weights.tensors["a"].values, [1.5, -2.0]);
        assert_eq!(weights.tensors["b"].values, [1.0, -2.0, 0.5]);
        assert_eq!(weights.tensors["b"].shape, [3]);
    }

    #[test]
    fn cut_files_and_absurd_counts_are_refused() {
        let whole = file([3, 2]);
        for length in MAGIC.len()..whole.len() {
            assert!(Weights::from_bytes("cut.pth", &whole[..length]).is_err(), "{length} of {}", whole.len());
        }
        for counts in [[u64::MAX, 2], [1 << 62, 2], [3, 1 << 40], [2, 2]] {
            assert!(Weights::from_bytes("absurd.pth", &file(counts)).is_err(), "{counts:?}");
        }
    }
}
