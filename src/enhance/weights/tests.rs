//! Weights as they should be, and files of other kinds.

use super::{Tensor, Weights};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

pub fn goldens() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/golden");
    let files: Vec<_> = (0..10).map(|n| folder.join(format!("enhance_{n:02}.pth"))).filter(|p| p.exists()).collect();
    if files.is_empty() {
        println!("skipped: no enhance_*.pth in {}", folder.display());
    }
    files
}

fn example() -> Weights {
    let tensor = |shape: &[usize], first: f32| {
        let count: usize = shape.iter().product();
        Tensor { shape: shape.to_vec(), values: (0..count).map(|i| first + i as f32 / 7.0).collect() }
    };
    let named = [("a.weight", tensor(&[2, 3, 1, 2], 0.5)), ("b", tensor(&[], -3.0)), ("none", tensor(&[0, 4], 0.0))];
    let metadata = [("base_ch", "8"), ("seed", "1"), ("trained on", "„demo“\n")];
    Weights {
        name: "example".into(),
        tensors: named.map(|(name, tensor)| (name.to_string(), tensor)).into(),
        metadata: metadata.map(|(key, value)| (key.to_string(), value.to_string())).into(),
    }
}

#[test]
fn safetensors_come_back_as_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("made/weights.safetensors");
    let weights = example();
    weights.write(&path).unwrap();
    let read = Weights::read(&path).unwrap();
    assert_eq!(read.name, path.display().to_string());
    assert_eq!(Weights { name: weights.name.clone(), ..read }, weights);
    let first = fs::read(&path).unwrap();
    weights.write(&path).unwrap();
    assert_eq!(first, fs::read(&path).unwrap(), "the same weights are the same bytes");
    // The crate's own reader is stricter than ours would be.
    safetensors::SafeTensors::deserialize(&first).unwrap();
}

#[test]
fn a_tensor_that_does_not_fit_its_shape_is_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("weights.safetensors");
    let tensor = Tensor { shape: vec![2, 2], values: vec![0.0; 3] };
    let weights = Weights { tensors: BTreeMap::from([("w".to_string(), tensor)]), ..Weights::default() };
    assert!(weights.write(&path).unwrap_err().to_string().contains("[2, 2] has 3 values"));
    assert!(!path.exists());
}

#[test]
fn goldens_are_read_whole() {
    for path in goldens() {
        let weights = Weights::read(&path).unwrap();
        assert_eq!(weights.tensors.len(), 164);
        assert_eq!(weights.tensors["stem.block.0.weight"].shape, [8, 18, 3, 3]);
        let setting = |name: &str| weights.metadata[name].as_str();
        assert_eq!([setting("epoch"), setting("best_psnr")], ["3", "18.5"]);
        assert_eq!([setting("args.base_ch"), setting("args.mul_range"), setting("args.hf_sigma")], ["8", "0.6", "1"]);
        let values = weights.tensors.values().flat_map(|tensor| &tensor.values);
        assert!(values.clone().all(|v| v.is_finite()) && values.clone().any(|v| *v != 0.0));
        for tensor in weights.tensors.values() {
            assert_eq!(tensor.values.len(), tensor.shape.iter().product::<usize>());
        }
    }
}

#[test]
fn other_files_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let cases: [(&str, &[u8], &str); 9] = [
        ("empty.pth", b"", "an empty file"),
        ("photo.pth", b"\xff\xd8\xff\xe0\0\x10JFIF\0", "a JPEG image"),
        ("page.pth", b"\n<!DOCTYPE html><html>404</html>", "a web page"),
        ("scene.pth", b"ply\nformat ascii 1.0\nend_header\n", "a PLY file"),
        ("pointer.pth", b"version https://git-lfs.github.com/spec/v1\noid", "a Git LFS pointer"),
        ("old.pth", b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.", "ends too early"),
        ("noise.pth", b"\x01\x02\x03\x04", "a file of unknown kind"),
        ("short.safetensors", b"\xff\0\0\0\0\0\0\0{\"a\":", "broken safetensors"),
        ("archive.pth", b"PK\x03\x04 and no more", "a broken zip archive"),
    ];
    for (name, content, says) in cases {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        let message = Weights::read(&path).unwrap_err().to_string();
        assert!(message.contains(says) && message.contains(name), "{message}");
    }
    let absent = Weights::read(folder.path().join("absent.pth")).unwrap_err().to_string();
    assert!(absent.contains("absent.pth"), "{absent}");
    assert!(Weights::read(folder.path()).is_err());
}

#[test]
fn absurd_safetensors_are_refused() {
    let file = |header: &str| [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &[0; 16]].concat();
    let cases = [
        r#"{"w":{"dtype":"F32","shape":[1000000,1000000],"data_offsets":[0,16]}}"#,
        r#"{"w":{"dtype":"F32","shape":[1000000000000],"data_offsets":[0,4000000000000]}}"#,
        r#"{"w":{"dtype":"F32","shape":[18446744073709551615,18446744073709551615],"data_offsets":[0,16]}}"#,
        r#"{"w":{"dtype":"C64","shape":[2],"data_offsets":[0,16]}}"#,
        r#"{"w":{"dtype":"F32","shape":[4],"data_offsets":[16,0]}}"#,
        r#"{"w":7}"#,
    ];
    for header in cases {
        let error = Weights::from_bytes("w.safetensors", &file(header)).unwrap_err().to_string();
        assert!(error.starts_with("w.safetensors: "), "{error}");
    }
    let mut endless = file("{}");
    endless[..8].copy_from_slice(&u64::MAX.to_le_bytes());
    assert!(Weights::from_bytes("w.safetensors", &endless).is_err());
}

#[test]
fn half_precision_becomes_single() {
    let header = r#"{"h":{"dtype":"F16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"BF16","shape":[1],"data_offsets":[4,6]}}"#;
    let data = [0x00, 0x3c, 0x00, 0xc1, 0x40, 0x40];
    let bytes = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &data].concat();
    let weights = Weights::from_bytes("half.safetensors", &bytes).unwrap();
    assert_eq!(weights.tensors["h"].values, [1.0, -2.5]);
    assert_eq!(weights.tensors["b"].values, [3.0]);
}

#[test]
fn half_precision_is_written_in_half_the_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let [single, half] = ["single", "half"].map(|name| folder.path().join(format!("{name}.safetensors")));
    let mut weights = example();
    weights.tensors.get_mut("b").unwrap().values[0] = 0.1;
    weights.write(&single).unwrap();
    weights.write_half(&half).unwrap();
    let read = Weights::read(&half).unwrap();
    assert_eq!(read.metadata, weights.metadata);
    // 0.1 is 1638.4 / 2¹⁴, of which 16 bits hold the whole part.
    assert_eq!(read.tensors["b"].values[0], 1638.0 / 16384.0);
    for (name, tensor) in &weights.tensors {
        assert_eq!(read.tensors[name].shape, tensor.shape);
        assert!(tensor.values.iter().zip(&read.tensors[name].values).all(|(a, b)| (a - b).abs() <= a.abs() / 2048.0));
    }
    let data = |path: &Path| {
        let bytes = std::fs::read(path).unwrap();
        bytes.len() - 8 - u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize
    };
    assert_eq!(data(&single), 2 * data(&half));
    weights.tensors.get_mut("b").unwrap().values[0] = 7e4;
    let error = weights.write_half(&half).unwrap_err().to_string();
    assert!(error.contains("tensor b has numbers beyond those of 16 bits"), "{error}");
}

#[test]
fn later_formats_and_numbers_that_are_not_finite_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    let refusal = |change: &dyn Fn(&mut Weights)| {
        let mut weights = example();
        change(&mut weights);
        weights.write(&path).unwrap();
        Weights::read(&path).err().map(|error| error.to_string())
    };
    let format = |text: &str| {
        let text = text.to_string();
        refusal(&|weights| drop(weights.metadata.insert("format".into(), text.clone())))
    };
    assert_eq!(format("naka-gs chroma 1"), None);
    assert_eq!(format("pt"), None, "other programs' files say other things there");
    for later in ["naka-gs chroma 2", "naka-gs chroma 10", "naka-gs chroma 1.5"] {
        let message = format(later).unwrap();
        assert!(message.contains("w.safetensors") && message.contains(later) && message.contains("newer"), "{message}");
    }
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        let message = refusal(&|weights| weights.tensors.get_mut("a.weight").unwrap().values[3] = value).unwrap();
        assert!(message.contains("1 of the 12 numbers in `a.weight`"), "{message}");
    }
    assert_eq!(refusal(&|weights| weights.tensors.get_mut("b").unwrap().values[0] = f32::MAX), None);
}
