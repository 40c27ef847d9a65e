//! Weights of a network, by name: our safetensors, and checkpoints as PyTorch's `torch.save` writes them.
//!
//! A checkpoint is data. Of a pickle only the instructions that `torch.save` uses are read, into plain values; nothing that it
//! names is looked up or called, and anything else is refused by name. Every size a file claims is compared with the bytes it
//! has before memory is taken for it.

mod legacy;
mod pickle;
mod safe;
mod torch;

use crate::error::{Error, Result};
use crate::limits;
use safetensors::Dtype;
use std::collections::BTreeMap;
use std::path::Path;

/// Largest file, far above networks of this kind: the published one has 22 MB, 66 MB with the state of its optimizer.
const LARGEST: u64 = 1 << 30;
/// Name of the format of our own weights, without its version, and the version that is read.
const FORMAT: &str = "naka-gs chroma ";
const VERSION: &str = "1";
const REMEDY: &str = "give a .safetensors file of weights, or a checkpoint as torch.save writes it";

/// One array, its last dimension contiguous.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tensor {
    /// Its dimensions, outermost first.
    pub shape: Vec<usize>,
    /// Its numbers, row-major.
    pub values: Vec<f32>,
}

/// The named tensors of a network, and the metadata of its file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Weights {
    /// Where they come from, for messages: the path of the file.
    pub name: String,
    /// The tensors by their names.
    pub tensors: BTreeMap<String, Tensor>,
    /// Plain values stored with the tensors: `epoch`, `args.base_ch` and others of a checkpoint.
    pub metadata: BTreeMap<String, String>,
}

impl Weights {
    /// Reads safetensors or a PyTorch checkpoint, told apart by content. Of a checkpoint that holds more than weights,
    /// the weights are those under `model` (or `state_dict`, or `model_state_dict`). Numbers of any type become `f32`.
    ///
    /// # Errors
    /// [`Error::Io`], and [`Error::Input`] that names the file and says what it is instead, what is broken in it, or
    /// what it asks for that is refused.
    pub fn read(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let length = std::fs::metadata(path).map_err(Error::io(path))?.len();
        if length > LARGEST {
            return Err(Error::input(path, "larger than 1 GiB, too large for the weights of a network", REMEDY));
        }
        let bytes = limits::read(path)?;
        // Numbers of one byte become four, once in their storage and once in a tensor.
        limits::claim(path, length, 8 * bytes.len() as u64, "weights")?;
        Self::from_bytes(&path.display().to_string(), &bytes)
    }

    /// As [`Weights::read`], from the content of a file called `name`.
    ///
    /// # Errors
    /// As [`Weights::read`].
    pub fn from_bytes(name: &str, bytes: &[u8]) -> Result<Self> {
        let read = if bytes.starts_with(b"PK\x03\x04") {
            torch::read(bytes)
        } else if bytes.starts_with(legacy::MAGIC) {
            legacy::read(bytes)
        } else if safe::looks_like(bytes) {
            safe::read(bytes)
        } else {
            Err(format!("{}, not weights of a network", kind(bytes)))
        };
        let (tensors, metadata) = read.map_err(|found| Error::input(name, found, REMEDY))?;
        let weights = Self { name: name.to_string(), tensors, metadata };
        weights.check().map_err(|(found, remedy)| Error::input(name, found, remedy))?;
        Ok(weights)
    }

    /// Refuses what a later version of this program may have written, and numbers that would make every picture NaN.
    fn check(&self) -> Result<(), (String, &'static str)> {
        let version = self.metadata.get("format").and_then(|format| format.strip_prefix(FORMAT));
        if let Some(version) = version.filter(|version| *version != VERSION) {
            let found = format!("is of the format `{FORMAT}{}`, not {VERSION}", version.escape_debug());
            return Err((found, "use a newer version of naka-gs, or weights for this one"));
        }
        for (name, Tensor { values, .. }) in &self.tensors {
            let broken = values.iter().filter(|value| !value.is_finite()).count();
            if broken > 0 {
                let found =
                    format!("{broken} of the {} numbers in `{}` are not finite", values.len(), name.escape_debug());
                return Err((found, "copy the file again, or train the network anew"));
            }
        }
        Ok(())
    }

    /// Writes safetensors, the same bytes for the same weights; the file appears only when it is complete.
    ///
    /// # Errors
    /// [`Error::Io`], and [`Error::Input`] where the number of values of a tensor contradicts its shape.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<()> {
        safe::write(path.as_ref(), self, Dtype::F32)
    }

    /// As [`Weights::write`], in floats of 16 bits, to which numbers are rounded: half the bytes.
    ///
    /// # Errors
    /// Those of [`Weights::write`], and [`Error::Input`] where a number is beyond the largest of them, 65 504.
    pub fn write_half(&self, path: impl AsRef<Path>) -> Result<()> {
        safe::write(path.as_ref(), self, Dtype::F16)
    }
}

/// What a reader of one format returns: tensors and metadata, or what is wrong.
type Content = Result<(BTreeMap<String, Tensor>, BTreeMap<String, String>), String>;

/// What kind of file this is, by its first bytes, if it holds no weights.
fn kind(bytes: &[u8]) -> &'static str {
    const KINDS: [(&[u8], &str); 11] = [
        (b"\xff\xd8\xff", "a JPEG image"),
        (b"\x89PNG", "a PNG image"),
        (b"II*\0", "a TIFF image"),
        (b"MM\0*", "a TIFF image"),
        (b"ply", "a PLY file"),
        (b"version https://git-lfs", "a Git LFS pointer, not the file itself (git lfs pull fetches it)"),
        (b"\x80", "a bare pickle"),
        (b"\x93NUMPY", "a NumPy array"),
        (b"GGUF", "a GGUF file"),
        (b"\x1f\x8b", "a gzip archive"),
        (b"<", "a web page"),
    ];
    let start = bytes.trim_ascii_start();
    match KINDS.iter().find(|(magic, _)| start.starts_with(magic)) {
        _ if bytes.is_empty() => "an empty file",
        Some((_, kind)) => kind,
        None => "a file of unknown kind",
    }
}

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod tests;
