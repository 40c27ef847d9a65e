//! Checkpoints made by hand: odd ones that are right, and hostile ones.

use super::Weights;
use super::tests::goldens;
use rawzip::ZipArchiveWriter;
use std::io::Write;

/// A zip archive of these entries under `archive/`.
fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut zip = ZipArchiveWriter::new(&mut bytes);
    for (name, content) in entries {
        let (mut entry, config) = zip.new_file(format!("archive/{name}")).start().unwrap();
        let mut writer = config.wrap(&mut entry);
        writer.write_all(content).unwrap();
        let (_, descriptor) = writer.finish().unwrap();
        entry.finish(descriptor).unwrap();
    }
    zip.finish().unwrap();
    bytes
}

fn read(pickle: &[u8], storage: &[u8]) -> Result<Weights, String> {
    let bytes = archive(&[("data.pkl", pickle), ("byteorder", b"little"), ("data/0", storage)]);
    Weights::from_bytes("made.pth", &bytes).map_err(|e| e.to_string())
}

fn refusal(pickle: &[u8]) -> String {
    read(pickle, &[0; 16]).unwrap_err()
}

fn text(text: &str) -> Vec<u8> {
    [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat()
}

fn tuple(numbers: &[i64]) -> Vec<u8> {
    let long = |n: &i64| [&b"\x8a\x08"[..], &n.to_le_bytes()].concat();
    [b"(", &numbers.iter().flat_map(long).collect::<Vec<_>>()[..], b"t"].concat()
}

/// The instructions for a tensor on storage `0`.
fn tensor(storage: &str, offset: i64, size: &[i64], stride: &[i64]) -> Vec<u8> {
    let kind = format!("ctorch\n{storage}\n");
    let storage = [b"(", &text("storage")[..], kind.as_bytes(), &text("0"), &text("cpu"), b"K\x04tQ"].concat();
    let offset = [&b"\x8a\x08"[..], &offset.to_le_bytes()].concat();
    let hooks = b"\x89ccollections\nOrderedDict\n)RtR";
    [b"ctorch._utils\n_rebuild_tensor_v2\n(", &storage[..], &offset, &tuple(size), &tuple(stride), hooks].concat()
}

/// A bare state dict with `w` as its one tensor.
fn state(tensor: &[u8]) -> Vec<u8> {
    [b"\x80\x02}", &text("w")[..], tensor, b"s."].concat()
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

#[test]
fn strides_and_offsets_are_followed() {
    let data = floats(&[9.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    let values = |size: &[i64], stride: &[i64]| {
        read(&state(&tensor("FloatStorage", 1, size, stride)), &data).unwrap().tensors["w"].values.clone()
    };
    assert_eq!(values(&[2, 3], &[3, 1]), [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
    assert_eq!(values(&[3, 2], &[1, 3]), [0.0, 3.0, 1.0, 4.0, 2.0, 5.0]);
    assert_eq!(values(&[2, 2], &[0, 4]), [0.0, 4.0, 0.0, 4.0]);
    assert_eq!(values(&[1, 2, 1], &[i64::MAX, 5, i64::MAX]), [0.0, 5.0]);
    assert_eq!(values(&[], &[]), [0.0]);
    assert_eq!(values(&[0, 7], &[7, 1]), [0.0; 0]);
}

#[test]
fn storages_of_every_type_become_single_precision() {
    let value = |storage: &str, data: &[u8]| {
        read(&state(&tensor(storage, 0, &[1], &[1])), data).unwrap().tensors["w"].values.clone()
    };
    assert_eq!(value("DoubleStorage", &(-0.5f64).to_le_bytes()), [-0.5]);
    assert_eq!(value("HalfStorage", &[0x00, 0x3c]), [1.0]);
    assert_eq!(value("BFloat16Storage", &[0x40, 0x40]), [3.0]);
    assert_eq!(value("LongStorage", &(-7i64).to_le_bytes()), [-7.0]);
    assert_eq!(value("BoolStorage", &[1]), [1.0]);
}

#[test]
fn weights_are_found_where_checkpoints_keep_them() {
    let w = tensor("FloatStorage", 0, &[1], &[1]);
    let inner = |name: &str| [b"}", &text(name)[..], &w, b"s"].concat();
    let nested = [
        &b"\x80\x02}("[..],
        &text("epoch"),
        b"K\x05",
        &text("optimizer"),
        &inner("momentum"),
        &text("model"),
        b"}",
        &text("state_dict"),
        &inner("module.w"),
        b"su.",
    ];
    let weights = read(&nested.concat(), &floats(&[4.0])).unwrap();
    assert_eq!(weights.tensors.keys().collect::<Vec<_>>(), ["w"]);
    assert_eq!(weights.metadata["epoch"], "5");
    assert!(refusal(&[b"\x80\x02}", &text("epoch")[..], b"K\x05s."].concat()).contains("without named tensors"));
}

#[test]
fn nothing_is_called() {
    let command = [&b"\x80\x02cos\nsystem\n"[..], &text("touch owned"), b"\x85R."].concat();
    assert!(refusal(&command).contains("asks for os.system"));
    assert!(refusal(b"\x80\x02cposix\nsystem\n.").contains("asks for posix.system"));
    assert!(refusal(b"\x80\x02cbuiltins\neval\n.").contains("asks for builtins.eval"));
    // Names are compared whole, whatever they are made of.
    assert!(
        refusal(b"\x80\x02ccollections\nOrderedDict.update\n.").contains("asks for collections.OrderedDict.update")
    );
    assert!(refusal(b"\x80\x02ccollections OrderedDict\n\n.").contains("asks for"));
    assert!(refusal(b"\x80\x02}}b}K\x01R.").contains("calls"));
    assert!(refusal(b"\x80\x02K\x01}b.").contains("gives state"));
    assert!(refusal(b"\x80\x02ctorch\nFloatStorage\n)R.").contains("arguments that do not fit"));
}

#[test]
fn unknown_instructions_are_refused() {
    // INST, OBJ, NEWOBJ, EXT1, STACK_GLOBAL, FRAME, BINSTRING, POP, DUP, PERSID.
    for code in [b'i', b'o', 0x81, 0x82, 0x93, 0x95, b'T', b'0', b'2', b'P'] {
        let message = refusal(&[0x80, 2, b'}', code, 0, 0, 0, 0, b'.']);
        assert!(
            message.contains(&format!("instruction {code:#04x}")) && message.starts_with("made.pth: "),
            "{message}"
        );
    }
    assert!(refusal(b"\x80\x05}.").contains("protocol 5"));
}

#[test]
fn pickles_that_do_not_add_up_are_refused() {
    let cases: [&[u8]; 12] = [
        b"",
        b"\x80\x02",
        b"\x80\x02.",
        b"\x80\x02t.",
        b"\x80\x02}K\x01s.",
        b"\x80\x02}(K\x01u.",
        b"\x80\x02h\x07.",
        b"\x80\x02q\x07.",
        b"\x80\x02X\xff\xff\xff\xffabc.",
        b"\x80\x02\x8a\x09123456789.",
        b"\x80\x02K\x01Q.",
        b"\x80\x02}(a.",
    ];
    for pickle in cases {
        refusal(pickle);
    }
}

#[test]
fn depth_cycles_and_growth_cost_no_more_than_their_bytes() {
    let deep = [b"\x80\x02", &vec![b']'; 1 << 20][..], &vec![b'a'; (1 << 20) - 1], b"."].concat();
    assert!(refusal(&deep).contains("without named tensors"));
    // A dictionary that is its own `model`, and lists of lists that double twenty thousand times.
    let cycle = [b"\x80\x02}q\x00", &text("model")[..], b"h\x00s."].concat();
    assert!(refusal(&cycle).contains("without named tensors"));
    let doubling = [&b"\x80\x02]q\x00"[..], &b"]q\x01(h\x00h\x00eh\x01q\x00".repeat(20_000), b"."].concat();
    assert!(refusal(&doubling).contains("without named tensors"));
    let huge = vec![b'N'; 5 << 20];
    assert!(refusal(&huge).contains("more than the"));
    // One text of a megabyte as the value of very many keys.
    let long = [b"\x80\x02}(", &text(&"x".repeat(1 << 20))[..], b"q\x00", &b"h\x00".repeat(500_001), b"u."].concat();
    assert!(refusal(&long).contains("without named tensors"));
}

#[test]
fn absurd_tensors_are_refused() {
    let found = |offset, size: &[i64], stride: &[i64]| refusal(&state(&tensor("FloatStorage", offset, size, stride)));
    assert!(found(0, &[1_000_000_000_000], &[1]).contains("more values than the file has bytes"));
    assert!(found(0, &[1_000_000_000_000], &[0]).contains("more values than the file has bytes"));
    assert!(found(0, &[1 << 40, 1 << 40, 1 << 40], &[1, 1, 1]).contains("more values"));
    assert!(found(0, &[5], &[1]).contains("reaches beyond the 4 values"));
    assert!(found(4, &[1], &[1]).contains("reaches beyond"));
    assert!(found(0, &[2, 2], &[i64::MAX, i64::MAX]).contains("reaches beyond"));
    assert!(found(i64::MAX, &[2], &[i64::MAX]).contains("reaches beyond"));
    assert!(found(-1, &[1], &[1]).contains("starts before its storage"));
    assert!(found(0, &[-1], &[1]).contains("natural numbers"));
    assert!(found(0, &[1, 1], &[1]).contains("1 strides for 2 dimensions"));
    assert!(found(0, &[1; 65], &[1; 65]).contains("natural numbers"));
    // As many tensors on one storage as would fill the memory.
    let w = tensor("FloatStorage", 0, &[4], &[0]);
    let many: Vec<u8> = (0..2000)
        .flat_map(|i| {
            [text(&format!("w{i}")), if i == 0 { [&w[..], b"q\x00"].concat() } else { b"h\x00".to_vec() }].concat()
        })
        .collect();
    let repeated = [&b"\x80\x02}("[..], &many, b"u."].concat();
    assert!(read(&repeated, &[0; 16]).is_ok(), "8000 values in a file of 22 kB");
    let wide = tensor("FloatStorage", 0, &[20_000], &[0]);
    let many: Vec<u8> = (0..2).flat_map(|i| [text(&format!("w{i}")), wide.clone()].concat()).collect();
    assert!(refusal(&[&b"\x80\x02}("[..], &many, b"u."].concat()).contains("more values than the file has bytes"));
}

#[test]
fn broken_archives_are_refused() {
    let pickle = state(&tensor("FloatStorage", 0, &[4], &[1]));
    let whole = archive(&[("data.pkl", &pickle), ("data/0", &[0; 16])]);
    assert!(Weights::from_bytes("whole.pth", &whole).is_ok());
    for length in 0..whole.len() {
        assert!(Weights::from_bytes("cut.pth", &whole[..length]).is_err(), "cut at {length}");
    }
    let error = |entries: &[(&str, &[u8])]| Weights::from_bytes("made.pth", &archive(entries)).unwrap_err().to_string();
    assert!(error(&[("data.pkl", &pickle)]).contains("data/0 is missing"));
    assert!(error(&[("data/0", &[0; 16])]).contains("without data.pkl"));
    assert!(error(&[("data.pkl", &pickle), ("data/0", &[0; 15])]).contains("reaches beyond the 3 values"));
    assert!(error(&[("data.pkl", &pickle), ("byteorder", b"big"), ("data/0", &[0; 16])]).contains("big-endian"));
    assert!(error(&[("data.pkl", &pickle), ("data/0", &[0; 16]), ("data/0", &[1; 16])]).contains("two entries"));
    // A storage that was changed after it was written: only its checksum tells.
    let mut changed = archive(&[("data.pkl", &pickle), ("data/0", &[7; 16])]);
    let numbers = changed.windows(16).position(|bytes| bytes == [7; 16]).unwrap();
    changed[numbers] = 1;
    let found = Weights::from_bytes("changed.pth", &changed).unwrap_err().to_string();
    assert!(found.contains("data/0 cannot be read"), "{found}");
}

#[test]
fn flipped_bytes_never_panic() {
    let made = archive(&[("data.pkl", &state(&tensor("FloatStorage", 0, &[2, 2], &[2, 1]))), ("data/0", &[0; 16])]);
    for at in 0..made.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut bytes = made.clone();
            bytes[at] ^= flip;
            let _ = Weights::from_bytes("flipped.pth", &bytes);
        }
    }
    for path in goldens().into_iter().take(1) {
        let golden = std::fs::read(path).unwrap();
        let mut state = 1u64;
        for _ in 0..300 {
            let mut bytes = golden.clone();
            for _ in 0..3 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                // Most of the file is numbers; every other flip goes to its pickle, or to the directory at its end.
                let range =
                    [0..34_000, bytes.len() - 16_000..bytes.len(), 0..bytes.len()][(state >> 60) as usize % 3].clone();
                let at = range.start + (state >> 20) as usize % range.len();
                bytes[at] ^= (state >> 8) as u8 | 1;
            }
            let _ = Weights::from_bytes("flipped.pth", &bytes);
        }
    }
}
