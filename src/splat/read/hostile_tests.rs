//! GLB and SOG whose parts contradict each other, or promise what they do not hold.

use super::super::write::{Export, write};
use super::*;
use rawzip::ZipArchiveWriter;
use serde_json::{Value, json};
use std::fs;
use std::io::Write;

fn sample() -> Splats {
    Splats {
        means: vec![[1.0, 2.0, 3.0], [-1.0, 0.5, 0.0]],
        quats: vec![[1.0, 0.0, 0.0, 0.0]; 2],
        log_scales: vec![[-2.0; 3]; 2],
        logit_opacities: vec![0.5; 2],
        sh: (0..2 * 12).map(|i| i as f32 * 0.02).collect(),
        sh_degree: 1,
    }
}

fn written(name: &str) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    let frame = SceneFrame::IDENTITY;
    write(&path, &Export { splats: &sample(), frame, antialiased: false }).unwrap();
    fs::read(path).unwrap()
}

fn read_bytes(name: &str, content: &[u8]) -> Result<Found> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name);
    fs::write(&path, content).unwrap();
    read_file(&path)
}

/// The file with its JSON changed.
fn glb(change: impl FnOnce(&mut Value)) -> Result<Found> {
    let whole = written("a.glb");
    let end = 20 + u32::from_le_bytes([whole[12], whole[13], whole[14], whole[15]]) as usize;
    let mut document: Value = serde_json::from_slice(&whole[20..end]).unwrap();
    change(&mut document);
    let document = document.to_string();
    let length = (document.len() as u32).to_le_bytes();
    read_bytes("a.glb", &[&whole[..12], &length, &whole[16..20], document.as_bytes(), &whole[end..]].concat())
}

#[test]
fn a_frame_that_cannot_be_computed_with_is_passed_over() {
    let plain = glb(|_| ()).unwrap();
    for frame in [json!({"origin": [1, 2, 3], "unit": 0}), json!({"origin": [1, null, 3], "unit": 1}), json!("far")] {
        let stated = |document: &mut Value| {
            document["meshes"][0]["primitives"][0]["extras"] = json!({"naka_gs_frame": frame});
        };
        assert_eq!(glb(stated).unwrap(), plain);
    }
}

#[test]
fn glb_that_contradicts_itself_is_refused_with_a_reason() {
    assert_eq!(glb(|_| ()).unwrap().splats.len(), 2);
    let refusals: [(&str, &str, Value, &str); 13] = [
        ("/accessors/0/count", "", json!(u64::MAX / 16), "lies outside"),
        ("/accessors/0", "byteOffset", json!(u64::MAX), "lies outside"),
        ("/accessors/2/count", "", json!(1), "different lengths"),
        ("/accessors/3/type", "", json!("VEC4"), "no plain VEC3"),
        ("/accessors/3/componentType", "", json!(5125), "no numbers"),
        ("/bufferViews/4/byteLength", "", json!(1), "lies outside"),
        ("/bufferViews/4/buffer", "", json!(1), "lies outside"),
        ("/nodes/0", "translation", json!([1, 0, 0]), "moved"),
        (
            "/meshes/0/primitives/0/extensions/KHR_gaussian_splatting",
            "colorSpace",
            json!("lin_rec709_display"),
            "lin_rec709",
        ),
        (
            "/meshes/0/primitives/0/extensions/KHR_gaussian_splatting",
            "extensions",
            json!({"KHR_gaussian_splatting_compression_spz_2": {}}),
            "compression_spz_2",
        ),
        ("", "extensionsRequired", json!(["KHR_draco_mesh_compression"]), "needs KHR_draco"),
        ("/meshes/0/primitives/0/attributes", "KHR_gaussian_splatting:SH_DEGREE_2_COEF_3", json!(5), "is missing"),
        ("/meshes", "", json!([]), "without KHR_gaussian_splatting"),
    ];
    for (place, key, value, words) in refusals {
        let changed = |document: &mut Value| {
            let target = document.pointer_mut(place).unwrap();
            if key.is_empty() { *target = value.clone() } else { target[key] = value.clone() }
        };
        let message = glb(changed).unwrap_err().to_string();
        assert!(message.contains(words) && message.contains("a.glb"), "{place} {key}: {message}");
    }
    let of_degree_4 = |document: &mut Value| {
        let attributes = document.pointer_mut("/meshes/0/primitives/0/attributes").unwrap();
        for k in 4..25 {
            attributes[super::super::gltf::harmonic(k)] = json!(5);
        }
    };
    assert!(glb(of_degree_4).unwrap_err().to_string().contains("degree 4"));
    // A node above that rests, and a camera that stands elsewhere.
    let placed = glb(|document| {
        document["extensionsRequired"] = json!(["KHR_gaussian_splatting"]);
        document["nodes"] = json!([
            {"mesh": 0, "rotation": [0, 0, 0, 1], "translation": [0.0, -0.0, 0.0]},
            {"children": [0], "scale": [1, 1, 1]},
            {"camera": 0, "translation": [1, 2, 3]},
        ]);
    });
    assert_eq!(placed.unwrap(), glb(|_| ()).unwrap());
    let above = glb(|document| document["nodes"] = json!([{"mesh": 0}, {"children": [0], "scale": [2, 2, 2]}]));
    assert!(above.unwrap_err().to_string().contains("moved"));
    // Integers as the extension allows them: opacity in 16 bits, which are those of the color.
    let found = glb(|document| {
        document["accessors"][4] = json!({"bufferView": 1, "byteOffset": 6, "componentType": 5123, "normalized": true,
            "count": 2, "type": "SCALAR"});
        document["bufferViews"][1]["byteStride"] = json!(8);
    });
    let opacity = 1.0 / (1.0 + (-found.unwrap().splats.logit_opacities[1]).exp());
    assert!((opacity - 0.622_46).abs() < 0.003, "{opacity}");
}

/// The pictures and the description of the file, with the latter changed, and one of the former if it is named.
fn sog(change: impl FnOnce(&mut Value), other: Option<(&str, &[u8])>) -> Result<Found> {
    sog_in("", change, other)
}

/// The same, with what stands before the names of the archive.
fn sog_in(folder: &str, change: impl FnOnce(&mut Value), other: Option<(&str, &[u8])>) -> Result<Found> {
    let archive = written("a.sog");
    let zip = rawzip::ZipArchive::from_slice(archive).unwrap();
    let mut parts = Vec::new();
    let mut entries = zip.entries();
    while let Some(record) = entries.next_entry().unwrap() {
        let name = String::from_utf8(record.file_path().as_bytes().to_vec()).unwrap();
        parts.push((name, zip.get_entry(record.wayfinder()).unwrap().data().to_vec()));
    }
    let mut meta: Value = serde_json::from_slice(&parts[0].1).unwrap();
    change(&mut meta);
    parts[0].1 = meta.to_string().into_bytes();
    let mut zip = ZipArchiveWriter::new(Vec::new());
    for (name, content) in parts {
        let content = other.filter(|(replaced, _)| *replaced == name).map_or(&content[..], |(_, content)| content);
        let (mut file, config) = zip.new_file(format!("{folder}{name}")).start().unwrap();
        let mut data = config.wrap(&mut file);
        data.write_all(content).unwrap();
        let (_, descriptor) = data.finish().unwrap();
        file.finish(descriptor).unwrap();
    }
    read_bytes("a.sog", &zip.finish().unwrap())
}

#[test]
fn a_sog_may_be_packed_with_its_folder() {
    let plain = sog(|_| (), None).unwrap();
    assert_eq!(sog_in("scene/", |_| (), None).unwrap(), plain);
    assert!(sog_in("not-", |_| (), None).unwrap_err().to_string().contains("meta.json"));
}

#[test]
fn sog_that_contradicts_itself_is_refused_with_a_reason() {
    assert_eq!(sog(|_| (), None).unwrap().splats.len(), 2);
    let refused = |place: &str, value: Value, words: &str| {
        let message = sog(|meta| *meta.pointer_mut(place).unwrap() = value, None).unwrap_err().to_string();
        assert!(message.contains(words) && message.contains("a.sog"), "{place}: {message}");
    };
    refused("/count", json!(4_000_000_000_u64), "4000000000 splats");
    refused("/count", json!(17), "4 × 4 pixels for 17");
    refused("/version", json!(3), "version 3");
    let first = |meta: &mut Value| {
        meta["means"]["shape"] = json!([2, 3]);
        meta.as_object_mut().unwrap().remove("version");
    };
    let message = sog(first, None).unwrap_err().to_string();
    assert!(message.contains("version 1") && message.contains("npx @playcanvas/splat-transform"), "{message}");
    refused("/shN/bands", json!(4), "degree 4");
    refused("/shN/bands", json!(2), "pixels");
    refused("/shN/count", json!(1), "set 1 of 1");
    refused("/means/files/0", json!("../other.webp"), "no ../other.webp");
    refused("/means/mins", json!([0]), "cannot be read");
    // A value that the table does not have is none.
    let found = sog(|meta| meta["scales"]["codebook"] = json!([]), None).unwrap_err().to_string();
    assert!(found.contains("none of its 2 splats"), "{found}");
    let noise = sog(|_| (), Some(("quats.webp", b"RIFF noise"))).unwrap_err().to_string();
    assert!(noise.contains("quats.webp") && noise.contains("decoded"), "{noise}");
    // A header of 16 383 × 16 383 pixels, and nothing more.
    let mut huge = b"RIFF\x1a\0\0\0WEBPVP8L\x0e\0\0\0\x2f\xfe\xbf\xff\x0f".to_vec();
    huge.resize(34, 0);
    let message = sog(|_| (), Some(("quats.webp", &huge))).unwrap_err().to_string();
    assert!(message.contains("claims to hold a picture of 16383 × 16383 pixels"), "{message}");
}

/// PlayCanvas's programs write `model`, the specification has `antialias`.
#[test]
fn sog_says_in_either_way_that_it_is_for_antialiased_rendering() {
    for (model, antialias, antialiased) in [
        (json!(null), json!(true), true),
        (json!("antialiased"), json!(false), true),
        (json!("default"), json!(true), false),
        (json!("2dgs"), json!(false), false),
        (json!(7), json!(false), false),
    ] {
        let change = |meta: &mut Value| (meta["model"], meta["antialias"]) = (model.clone(), antialias);
        assert_eq!(sog(change, None).unwrap().antialiased, antialiased, "{model}");
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.sog");
    write(&path, &Export { splats: &sample(), frame: SceneFrame::IDENTITY, antialiased: true }).unwrap();
    let whole = fs::read(&path).unwrap();
    let has = |words: &[u8]| whole.windows(words.len()).any(|part| part == words);
    assert!(has(b"\"model\":\"antialiased\"") && has(b"\"antialias\":true"));
}

#[test]
fn levels_that_contradict_themselves_are_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let unpacked = folder.path().join("0_0");
    std::fs::create_dir(&unpacked).unwrap();
    let archive = written("a.sog");
    let zip = rawzip::ZipArchive::from_slice(archive).unwrap();
    let mut entries = zip.entries();
    while let Some(record) = entries.next_entry().unwrap() {
        let name = String::from_utf8(record.file_path().as_bytes().to_vec()).unwrap();
        std::fs::write(unpacked.join(name), zip.get_entry(record.wayfinder()).unwrap().data()).unwrap();
    }
    let beside = |content: &str| {
        let path = folder.path().join("lod-meta.json");
        std::fs::write(&path, content).unwrap();
        read_file(&path).map_err(|error| error.to_string())
    };
    let lods = |filenames: Value, run: Value| json!({"filenames": filenames, "tree": {"lods": run}}).to_string();
    let run = |file: usize| json!({"0": {"file": file, "offset": 0, "count": 2}});
    assert_eq!(beside(&lods(json!(["0_0/meta.json"]), run(0))).unwrap().splats.len(), 2);
    let children = [0, 1].map(|file| json!({"lods": run(file)}));
    let names = json!(["0_0/meta.json", "0_0//meta.json"]);
    let twice = json!({"filenames": names, "tree": {"children": children}}).to_string();
    for (content, words) in [
        ("{\"filenames\": [", "does not describe"),
        (&lods(json!([]), run(0)), "file 0 of 0"),
        (&lods(json!(["../0_0/meta.json"]), run(0)), "not in its folder"),
        (&lods(json!(["/etc/meta.json"]), run(0)), "not in its folder"),
        (&lods(json!(["0_1/meta.json"]), run(0)), "0_1"),
        (&twice, "twice"),
        (&lods(json!(["0_0/meta.json"]), json!({"finest": {"file": 0}})), "does not describe"),
    ] {
        let message = beside(content).unwrap_err();
        assert!(message.contains(words), "{message}");
    }
    // The description of one file, which names a picture elsewhere.
    let meta = unpacked.join("meta.json");
    let text = std::fs::read_to_string(&meta).unwrap();
    for (name, words) in [("../0_0/quats.webp", "not in its folder"), ("none.webp", "none.webp")] {
        std::fs::write(&meta, text.replace("quats.webp", name)).unwrap();
        let message = read_file(&meta).unwrap_err().to_string();
        assert!(message.contains(words), "{message}");
    }
}
