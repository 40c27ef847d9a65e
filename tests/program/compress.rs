//! `naka-gs compress` on a finished run, and the log of its training.

use super::finished::finished;
use super::support::{assert_refused, contents, naka_gs};
use std::fs;
use std::path::Path;
use std::process::Output;

fn compress(splats: &Path, out: &Path, more: &[&str]) -> Output {
    let mut command = naka_gs();
    command.arg("compress").arg(splats).arg("-o").arg(out).args(["--adapter", "cpu", "--steps", "10"]);
    command.args(more).output().unwrap()
}

fn said(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{stderr}");
    stderr
}

#[test]
fn photographs_are_fitted_to_and_some_are_kept_to_measure() {
    let (run, folder) = (finished().join("runs/night"), tempfile::tempdir().unwrap());
    let small = folder.path().join("small.ply");
    let words = said(&compress(&run, &small, &["--splats", "80", "--photographs"]));
    assert!(words.contains("80 of") && words.contains("1 photograph that no fit saw"), "{words}");
    assert!(small.exists());

    let alone = folder.path().join("alone.ply");
    fs::copy(run.join("splats.ply"), &alone).unwrap();
    let output = compress(&alone, &folder.path().join("b.ply"), &["--splats", "80", "--photographs"]);
    assert_refused(&output, 2, &["--photographs", "alone.ply", "without a run"]);
}

#[test]
fn levels_of_detail_are_made_read_and_never_mixed_with_other_files() {
    let (run, folder) = (finished().join("runs/night"), tempfile::tempdir().unwrap());
    let levels = folder.path().join("web/lod-meta.json");
    let words = said(&compress(&run, &levels, &["--levels", "3"]));
    assert!(words.contains("level 2:") && !words.contains("level 3:"), "{words}");
    let meta: serde_json::Value = serde_json::from_slice(&fs::read(&levels).unwrap()).unwrap();
    let counts: Vec<u64> = meta["counts"].as_array().unwrap().iter().filter_map(|count| count.as_u64()).collect();
    assert!(counts[1] == counts[0] / 2 && counts[2] == counts[1] / 2, "{counts:?}");

    let back = folder.path().join("back.ply");
    let mut export = naka_gs();
    said(&export.arg("export").arg(&levels).arg("-o").arg(&back).output().unwrap());
    let header = String::from_utf8_lossy(&fs::read(&back).unwrap()[..200]).into_owned();
    assert!(header.contains(&format!("element vertex {}", counts[0])), "{header}");

    let again = compress(&run, &levels, &["--levels", "3"]);
    assert_refused(&again, 1, &["web", "files in it"]);
    // What is read stays, whatever the flags.
    let before = contents(&folder.path().join("web"));
    let elsewhere = folder.path().join("lod-meta.json");
    fs::write(&elsewhere, fs::read_to_string(&levels).unwrap().replace("0_0/", "web/0_0/").replace("1_0/", "web/1_0/"))
        .unwrap();
    for input in [folder.path().join("web/0_0/meta.json"), elsewhere] {
        let over = compress(&input, &levels, &["--levels", "2", "-w"]);
        assert_refused(&over, 1, &["0_0", "is read", "--out"]);
    }
    assert_eq!(contents(&folder.path().join("web")), before);
    let misnamed = compress(&run, &folder.path().join("a.sog"), &["--levels", "3"]);
    assert_refused(&misnamed, 1, &["a.sog", "lod-meta.json"]);
    let single = compress(&run, &folder.path().join("new/lod-meta.json"), &["--splats", "9"]);
    assert_refused(&single, 1, &["lod-meta.json", "--levels"]);
}

#[test]
fn cameras_that_see_no_splats_are_named_and_not_compressed_for() {
    let (run, folder) = (finished().join("runs/night"), tempfile::tempdir().unwrap());
    let poses = fs::read(finished().join("scenes/Night/transforms_test.json")).unwrap();
    let mut poses: serde_json::Value = serde_json::from_slice(&poses).unwrap();
    // Cameras look along -z: the scene lies far behind them.
    for frame in poses["frames"].as_array_mut().unwrap() {
        for row in 0..3_usize {
            let forward = -frame["transform_matrix"][row][2].as_f64().unwrap();
            frame["transform_matrix"][row][3] = (1e4 * forward).into();
        }
    }
    let (far, small) = (folder.path().join("far.json"), folder.path().join("small.ply"));
    fs::write(&far, poses.to_string()).unwrap();
    let output = compress(&run, &small, &["--splats", "80", "--cameras", far.to_str().unwrap()]);
    assert_refused(&output, 1, &["see none of its", "--cameras"]);
    assert!(!small.exists());
    let mut render = naka_gs();
    render.arg("render").arg(run.join("splats.ply")).arg("--cameras").arg(&far).args(["--adapter", "cpu"]);
    let words = said(&render.arg("-o").arg(folder.path().join("black")).output().unwrap());
    assert!(words.contains("splats.ply: the cameras see none of its splats"), "{words}");
}

#[test]
fn a_log_has_figures_and_pictures() {
    let files: Vec<_> = fs::read_dir(finished().join("logs")).unwrap().map(|file| file.unwrap().path()).collect();
    let name = files[0].file_name().unwrap().to_string_lossy();
    assert!(files.len() == 1 && name.starts_with("events.out.tfevents."), "{files:?}");
    let log = fs::read(&files[0]).unwrap();
    let has = |words: &[u8]| log.windows(words.len()).any(|part| part == words);
    for words in [&b"brain.Event:2"[..], b"train/loss", b"train/splats", b"render/", b"\x89PNG"] {
        assert!(has(words), "{}", String::from_utf8_lossy(words));
    }
}
