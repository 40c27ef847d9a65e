//! The bytes of a checkpoint: safetensors with the tensors `parameters.*`, `m.*`, `v.*` and `densify`, and metadata:
//!
//! | key | value |
//! | --- | --- |
//! | `format` | [`FORMAT`] |
//! | `sha256` | of the whole file, with these 64 digits as zeros |
//! | `identity` | of the run ([`super::identity()`]) |
//! | `step`, `seconds` | how far it is |
//! | `changes` | settings that were changed on the way, as JSON |
//! | `poses` | photographs that were found off their poses, as JSON |
//!
//! Files before format 2 had neither `format` nor `sha256` and are not read: they cannot be verified.

use super::super::changes::Change;
use super::super::config::Config;
use super::super::poses::Found;
use crate::hash::hex;
use crate::splat::{TENSOR_NAMES, TENSOR_WIDTHS, tensor_count};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use sha2::{Digest, Sha256};
use std::collections::HashMap;

/// Version of the format. Another one is refused.
const FORMAT: &str = "2";
/// Names of the tensor groups: parameters, first and second moments.
const GROUPS: [&str; 3] = ["parameters", "m", "v"];
const STATISTICS: &str = "densify";
const DIGITS: usize = 64;

/// A run in the middle, in host memory.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// What the training is of; another is not continued from it.
    pub identity: String,
    /// Steps done.
    pub step: u32,
    /// Seconds of training so far.
    pub seconds: f64,
    /// Settings that were changed on the way.
    pub changes: Vec<Change>,
    /// Photographs that were found off their poses.
    pub found: Found,
    /// Spherical-harmonic degree in use.
    pub sh_degree: u32,
    /// Parameters, first and second moments, each in the order of [`TENSOR_NAMES`]; bands above `sh_degree` are empty.
    pub groups: [[Vec<f32>; 8]; 3],
    /// Per splat (gradient norm, views).
    pub statistics: Vec<[f32; 2]>,
}

/// The names, widths and places of the tensors of models of an SH degree.
fn tensors(sh_degree: u32) -> impl Iterator<Item = (String, usize, [usize; 2])> {
    let used = tensor_count(sh_degree);
    (0..GROUPS.len()).flat_map(move |group| {
        (0..used).map(move |i| (format!("{}.{}", GROUPS[group], TENSOR_NAMES[i]), TENSOR_WIDTHS[i], [group, i]))
    })
}

/// The file of `state`.
///
/// # Errors
/// Says what is wrong with `state`.
pub fn encode(state: &State) -> Result<Vec<u8>, String> {
    let count = state.statistics.len();
    let mut views = vec![(STATISTICS.to_string(), view(count, 2, state.statistics.as_flattened())?)];
    for (name, width, [group, index]) in tensors(state.sh_degree) {
        views.push((name, view(count, width, &state.groups[group][index])?));
    }
    let metadata = HashMap::from(
        [
            ("format", FORMAT.to_string()),
            ("sha256", "0".repeat(DIGITS)),
            ("identity", state.identity.clone()),
            ("step", state.step.to_string()),
            ("seconds", state.seconds.to_string()),
            ("changes", serde_json::to_string(&state.changes).map_err(|e| e.to_string())?),
            ("poses", serde_json::to_string(&state.found).map_err(|e| e.to_string())?),
        ]
        .map(|(key, value)| (key.to_string(), value)),
    );
    let mut bytes = safetensors::serialize(views, Some(metadata)).map_err(|e| e.to_string())?;
    let at = digest_place(&bytes, &"0".repeat(DIGITS)).ok_or("no place for the checksum")?;
    let digest = digest(&bytes, at);
    bytes[at..at + DIGITS].copy_from_slice(digest.as_bytes());
    Ok(bytes)
}

fn view(rows: usize, width: usize, values: &[f32]) -> Result<TensorView<'_>, String> {
    TensorView::new(Dtype::F32, vec![rows, width], bytemuck::cast_slice(values)).map_err(|e| e.to_string())
}

/// Whether `bytes` are those of a checkpoint, of whichever run and version.
pub fn is_checkpoint(bytes: &[u8]) -> bool {
    let header = SafeTensors::read_metadata(bytes);
    header.is_ok_and(|(_, header)| header.metadata().as_ref().is_some_and(|data| data.contains_key("identity")))
}

/// The identity of the run whose checkpoint `bytes` are.
///
/// # Errors
/// Says what is damaged.
pub fn identity_of(bytes: &[u8]) -> Result<String, String> {
    let metadata = whole(bytes)?;
    metadata.get("identity").cloned().ok_or_else(|| "has no `identity`".into())
}

/// The metadata of `bytes` if these are whole.
fn whole(bytes: &[u8]) -> Result<HashMap<String, String>, String> {
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| format!("no safetensors file: {e}"))?;
    let metadata = header.metadata().clone().unwrap_or_default();
    let Some(sha256) = metadata.get("sha256") else {
        return Err("of a version of the program whose checkpoints have no checksum".into());
    };
    match digest_place(bytes, sha256).map(|at| digest(bytes, at)) {
        Some(found) if found == *sha256 => Ok(metadata),
        _ => Err("its checksum does not fit its content".into()),
    }
}

/// The state in `bytes`; `None` for a valid checkpoint of another run.
///
/// # Errors
/// Says what is damaged, or cannot be, in the words of a clause.
pub fn decode(bytes: &[u8], identity: &str, config: &Config) -> Result<Option<State>, String> {
    let metadata = whole(bytes)?;
    let text = |key: &str| metadata.get(key).map(String::as_str).ok_or_else(|| format!("has no `{key}`"));
    if text("format")? != FORMAT {
        return Err(format!("of format {}, this version reads {FORMAT}", text("format")?));
    }
    if text("identity")? != identity {
        return Ok(None);
    }
    let changes: Vec<Change> = serde_json::from_str(text("changes")?).map_err(|e| format!("changes: {e}"))?;
    let found: Found = serde_json::from_str(text("poses")?).map_err(|e| format!("poses: {e}"))?;
    let steps = config.changed(&changes).map_err(|e| e.to_string())?.steps;
    let step: u32 = text("step")?.parse().map_err(|_| format!("step {}", text("step").unwrap_or_default()))?;
    if step > steps || changes.iter().any(|change| change.step > step) {
        return Err(format!("step {step} of {steps} is impossible"));
    }
    let seconds = text("seconds")?.parse().ok().filter(|s: &f64| s.is_finite() && *s >= 0.0);
    let seconds = seconds.ok_or_else(|| "its training time is invalid".to_string())?;
    let identity = identity.to_string();
    let file = SafeTensors::deserialize(bytes).map_err(|e| e.to_string())?;
    let state = State { identity, step, seconds, changes, found, sh_degree: config.sh_degree, ..State::default() };
    read_tensors(&file, state).map(Some)
}

/// Adds the tensors of `file` to `state`.
fn read_tensors(file: &SafeTensors<'_>, mut state: State) -> Result<State, String> {
    let count = file.tensor(STATISTICS).ok().and_then(|t| t.shape().first().copied()).unwrap_or_default();
    let read = |name: &str, width: usize| -> Result<Vec<f32>, String> {
        let tensor = file.tensor(name).map_err(|e| e.to_string())?;
        if tensor.dtype() != Dtype::F32 || tensor.shape() != [count, width] {
            return Err(format!(
                "{name} is {:?} of shape {:?}, not [{count}, {width}]",
                tensor.dtype(),
                tensor.shape()
            ));
        }
        let values: Vec<f32> = bytemuck::pod_collect_to_vec(tensor.data());
        let least = if name.starts_with("v.") { 0.0 } else { f32::MIN };
        match values.iter().filter(|value| !(**value >= least && value.is_finite())).count() {
            0 => Ok(values),
            bad => Err(format!("{name} has {bad} of {} values that are invalid", values.len())),
        }
    };
    let mut expected = 1;
    for (name, width, [group, index]) in tensors(state.sh_degree) {
        state.groups[group][index] = read(&name, width)?;
        expected += 1;
    }
    state.statistics = read(STATISTICS, 2)?.as_chunks::<2>().0.to_vec();
    if file.len() != expected {
        return Err(format!("{} tensors instead of {expected}", file.len()));
    }
    Ok(state)
}

/// Where the header has `digits` as its checksum.
fn digest_place(bytes: &[u8], digits: &str) -> Option<usize> {
    let length = u64::from_le_bytes(bytes.get(..8)?.try_into().ok()?);
    let header = bytes.get(8..8usize.checked_add(usize::try_from(length).ok()?)?)?;
    if digits.len() != DIGITS {
        return None;
    }
    let (key, needle) = ("\"sha256\":\"", format!("\"sha256\":\"{digits}\""));
    let at = header.windows(needle.len()).position(|window| window == needle.as_bytes())?;
    Some(8 + at + key.len())
}

/// SHA-256 of `bytes` with zeros for the digits from `at` on.
fn digest(bytes: &[u8], at: usize) -> String {
    let mut sha = Sha256::new();
    sha.update(&bytes[..at]);
    sha.update([b'0'; DIGITS]);
    sha.update(&bytes[at + DIGITS..]);
    hex(sha.finalize())
}
