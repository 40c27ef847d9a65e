//! Whatever a user brings that cannot be used: one message that names the file and the remedy, the right exit code, no
//! panic, nothing left under a final name and nothing overwritten.

use super::support::{assert_refused, contents, naka_gs};
use super::tiny_scene::TinyScene;
use serde_json::json;
use std::path::Path;
use std::process::Output;

/// Runs the scene after `damage`; `words` must be in the message and nothing may have been written.
fn refused_before_writing(damage: impl FnOnce(&TinyScene), words: &[&str]) {
    let tiny = TinyScene::new(4);
    damage(&tiny);
    assert_refused(&tiny.run(&[]), 1, words);
    assert!(!tiny.out.exists(), "the output folder was made");
}

fn remove(path: impl AsRef<Path>) {
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_missing_folder() {
    refused_before_writing(|tiny| std::fs::remove_dir_all(&tiny.scene).unwrap(), &["scene"]);
}

#[test]
fn a_folder_without_cameras() {
    let tiny = TinyScene::new(4);
    remove(tiny.transforms());
    // Photographs alone are posed by COLMAP; without it they cannot be used.
    assert_refused(&tiny.run(&["--colmap", "/nowhere/colmap"]), 2, &["/nowhere/colmap", "install", "--poses-from"]);
    std::fs::remove_dir_all(tiny.scene.join("train")).unwrap();
    assert_refused(&tiny.run(&[]), 1, &["transforms"]);
    assert!(!tiny.out.exists(), "the output folder was made");
}

#[test]
fn no_frames() {
    refused_before_writing(|tiny| tiny.edit(|json| json["frames"] = json!([])), &["transforms_train.json"]);
}

#[test]
fn fewer_than_three_views() {
    refused_before_writing(
        |tiny| tiny.edit(|json| json["frames"].as_array_mut().unwrap().truncate(2)),
        &["transforms_train.json", "3"],
    );
}

#[test]
fn too_few_frames_with_an_image() {
    let both =
        |tiny: &TinyScene| ["0002", "0003"].iter().for_each(|n| remove(tiny.scene.join(format!("train/{n}.JPG"))));
    refused_before_writing(both, &["0002.JPG", "0003.JPG"]);
}

#[test]
fn an_image_of_another_size() {
    refused_before_writing(
        |tiny| image::RgbImage::new(40, 24).save(tiny.scene.join("train/0001.JPG")).unwrap(),
        &["0001.JPG", "40", "32"],
    );
}

#[test]
fn a_singular_pose() {
    let zero = json!([[0, 0, 0, 1], [0, 0, 0, 2], [0, 0, 0, 3], [0, 0, 0, 1]]);
    refused_before_writing(
        |tiny| tiny.edit(|json| json["frames"][1]["transform_matrix"] = zero),
        &["transforms_train.json", "0001"],
    );
}

#[test]
fn not_a_number_in_the_json() {
    let replace = |tiny: &TinyScene, from: &str, to: &str| {
        let text = std::fs::read_to_string(tiny.transforms()).unwrap();
        assert!(text.contains(from));
        std::fs::write(tiny.transforms(), text.replacen(from, to, 1)).unwrap();
    };
    refused_before_writing(|tiny| replace(tiny, "30.0", "NaN"), &["transforms_train.json"]);
    refused_before_writing(|tiny| replace(tiny, "4.0", "null"), &["transforms_train.json"]);
    refused_before_writing(|tiny| replace(tiny, "4.0", "1e999"), &["transforms_train.json"]);
    refused_before_writing(|tiny| replace(tiny, "30.0", "-30.0"), &["transforms_train.json"]);
}

#[test]
fn a_path_that_leaves_the_scene() {
    let leave = |tiny: &TinyScene| {
        std::fs::rename(tiny.scene.join("train/0000.JPG"), tiny.scene.join("../0000.JPG")).unwrap();
        tiny.edit(|json| json["frames"][0]["file_path"] = json!("../0000.JPG"));
    };
    refused_before_writing(leave, &["transforms_train.json", "../0000.JPG", "--allow-outside"]);
}

#[test]
fn a_truncated_image() {
    let tiny = TinyScene::new(4);
    let path = tiny.scene.join("train/0003.JPG");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - bytes.len() / 3]).unwrap();
    assert_refused(&tiny.run(&[]), 1, &["0003.JPG"]);
    assert!(!tiny.out.join("images/0003.JPG").exists());
    assert!(!tiny.out.join("splats.ply").exists());
}

#[test]
fn no_adapter() {
    let tiny = TinyScene::new(4);
    let mut command = naka_gs();
    command.env("VK_DRIVER_FILES", "/nonexistent").env("VK_ICD_FILENAMES", "/nonexistent");
    let output = command.arg("run").arg(&tiny.scene).arg("-o").arg(&tiny.out).output().unwrap();
    assert_refused(&output, 1, &["no GPU adapter", "mesa-vulkan-drivers", "tools/setup.sh"]);
    assert!(!tiny.out.exists());
}

#[test]
fn wrong_usage() {
    let tiny = TinyScene::new(4);
    assert_refused(&tiny.run(&["--downscale", "0"]), 2, &["--downscale"]);
    assert_refused(&tiny.run(&["--preset", "best"]), 2, &["--preset", "preview", "standard", "paper"]);
    assert_refused(&tiny.run(&["--adapter", "no such thing"]), 1, &["no such thing", "llvmpipe"]);
    let config = tiny.scene.join("my.toml");
    std::fs::write(&config, "[train]\nstepps = 5\n").unwrap();
    assert_refused(&tiny.run(&["--config", config.to_str().unwrap()]), 2, &["my.toml", "stepps"]);
    let unknown = naka_gs().args(["run", "--no-such-flag"]).output().unwrap();
    assert_eq!(unknown.status.code(), Some(2));
    assert!(!tiny.out.exists());
}

fn ppm(points: &[u8], more: &[&str]) -> (Output, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("cloud.ply");
    std::fs::write(&path, points).unwrap();
    let mut command = naka_gs();
    command.arg("ppm").arg(path).arg("-o").arg(dir.path().join("fewer.ply")).args(more);
    (command.output().unwrap(), dir)
}

const PLY: &str = "ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\nproperty float y\nproperty float z\n\
                   property uchar red\nproperty uchar green\nproperty uchar blue\nend_header\n";

#[test]
fn points_that_are_not_there() {
    let few = format!("{PLY}0 0 0 1 2 3\n");
    let (output, dir) = ppm(few.as_bytes(), &[]);
    assert_refused(&output, 1, &["cloud.ply"]);
    assert!(!dir.path().join("fewer.ply").exists());
    let binary = PLY.replace("ascii", "binary_little_endian").replace("vertex 3", "vertex 4000000000");
    assert_refused(&ppm(binary.as_bytes(), &[]).0, 1, &["cloud.ply"]);
}

#[test]
fn points_that_are_not_numbers() {
    // Some are dropped with a word; a file with nothing else is refused.
    let poisoned = format!("{PLY}0 0 0 1 2 3\nnan 0 0 1 2 3\n0 inf 0 1 2 3\n");
    let (output, dir) = ppm(poisoned.as_bytes(), &[]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && stderr.contains("cloud.ply: 2 of 3 points"), "{stderr}");
    assert!(dir.path().join("fewer.ply").exists());
    let (output, dir) = ppm(poisoned.replace("0 0 0 1", "0 0 nan 1").as_bytes(), &[]);
    assert_refused(&output, 1, &["cloud.ply"]);
    assert!(!dir.path().join("fewer.ply").exists());
}

#[test]
fn an_existing_file_is_kept() {
    let good = format!("{PLY}0 0 0 1 2 3\n1 0 0 1 2 3\n0 1 0 1 2 3\n");
    let (output, dir) = ppm(good.as_bytes(), &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let before = contents(dir.path());
    let mut command = naka_gs();
    command.arg("ppm").arg(dir.path().join("cloud.ply")).arg("-o").arg(dir.path().join("fewer.ply"));
    assert_refused(&command.output().unwrap(), 1, &["fewer.ply", "--overwrite"]);
    assert_eq!(contents(dir.path()), before);
    assert!(command.arg("-w").output().unwrap().status.success());
}

#[test]
fn a_folder_that_is_someone_elses() {
    let tiny = TinyScene::new(4);
    std::fs::create_dir_all(&tiny.out).unwrap();
    std::fs::write(tiny.out.join("splats.ply"), "precious").unwrap();
    let before = contents(&tiny.out);
    assert_refused(&tiny.run(&[]), 1, &["splats.ply", "--overwrite"]);
    assert_eq!(contents(&tiny.out), before);
    let scene = contents(&tiny.scene);
    std::fs::rename(tiny.scene.join("train"), tiny.scene.join("images")).unwrap();
    tiny.edit(|json| {
        for frame in json["frames"].as_array_mut().unwrap() {
            frame["file_path"] = json!(frame["file_path"].as_str().unwrap().replace("train/", "images/"));
        }
    });
    let own = naka_gs().arg("run").arg(&tiny.scene).arg("-w").arg("-o").arg(&tiny.scene).output().unwrap();
    assert_refused(&own, 2, &["--out", "photographs"]);
    assert_eq!(contents(&tiny.scene).len(), scene.len());
}

/// A disk of 64 KiB, where this system lets a user make one.
#[test]
fn a_full_disk() {
    let tiny = TinyScene::new(4);
    let disk = tiny.scene.join("../disk");
    std::fs::create_dir(&disk).unwrap();
    let cloud = tiny.scene.join("cloud.ply");
    let points: String = (0..20_000).map(|i| format!("{i} {} 0 1 2 3\n", i % 7)).collect();
    std::fs::write(&cloud, PLY.replace("vertex 3", "vertex 20000") + &points).unwrap();
    let script = "mount -t tmpfs -o size=64k tmpfs \"$1\" || exit 99; \"$2\" ppm \"$3\" -o \"$1/points.ply\"; code=$?; \
                  ls -A \"$1\" | grep -q . && exit 98; exit $code";
    let arguments = [disk.as_os_str(), env!("CARGO_BIN_EXE_naka-gs").as_ref(), cloud.as_os_str()];
    let output = std::process::Command::new("unshare").args(["-rm", "sh", "-c", script, "sh"]).args(arguments).output();
    match output {
        Ok(output) if ![Some(99), Some(1)].contains(&output.status.code()) || mounted(&output) => {
            assert_refused(&output, 1, &["points.ply", "free some space"]);
        }
        _ => println!("skipped: this system does not let the test mount a small disk"),
    }
}

/// Whether the program itself ran, rather than `unshare` or `mount` having failed.
fn mounted(output: &Output) -> bool {
    String::from_utf8_lossy(&output.stderr).contains("error: ")
}

#[test]
fn what_no_camera_can_be_fitted_to() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    for (name, factor) in [("dark.png", 1), ("lit.png", 12)] {
        let value = |x, y| image::Rgb([(1 + (x + y) / 8) as u8 * factor; 3]);
        image::RgbImage::from_fn(64, 48, value).save(path(name)).unwrap();
    }
    let calibrate = |dark: &str, lit: &str, out: &str| {
        super::support::naka_gs()
            .arg("calibrate")
            .args([path(dark), path(lit)])
            .arg("-o")
            .arg(path(out))
            .output()
            .unwrap()
    };
    assert_refused(&calibrate("lit.png", "dark.png", "camera.toml"), 1, &["lit.png", "not darker"]);
    assert_refused(&calibrate("dark.png", "lit.png", "camera.txt"), 2, &["--out", ".toml"]);
    assert_refused(&calibrate("dark.png", "nothing.png", "camera.toml"), 1, &["nothing.png"]);
    assert!(!path("camera.toml").exists());
    assert!(calibrate("dark.png", "lit.png", "camera.toml").status.success());
    assert_refused(&calibrate("dark.png", "lit.png", "camera.toml"), 1, &["camera.toml", "--overwrite"]);
}

#[test]
fn an_export_over_a_file_or_to_an_unknown_format() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    // One splat of the 32-byte format: position, scale, color and opacity, rotation.
    let floats = [0.0f32, 1.0, 2.0, 0.1, 0.1, 0.1].map(f32::to_le_bytes);
    std::fs::write(at("a.splat"), [floats.as_flattened(), &[200, 100, 50, 255, 255, 128, 128, 128]].concat()).unwrap();
    let export = |command: &str, to: &str, flags: &[&str]| {
        naka_gs().arg(command).arg(at("a.splat")).arg("-o").arg(at(to)).args(flags).output().unwrap()
    };
    assert!(export("export", "b.spz", &[]).status.success());
    let written = contents(dir.path());
    assert_refused(&export("convert", "b.spz", &[]), 1, &["b.spz", "exists", "--overwrite"]);
    assert_refused(&export("export", "b.obj", &[]), 1, &["b.obj", ".compressed.ply", ".glb"]);
    // What came in stays, whatever the flags.
    for (command, flags) in [("export", &[][..]), ("edit", &["--min-opacity", "0.1"]), ("compress", &["--splats", "1"])]
    {
        let flags = [&["-w"], flags].concat();
        assert_refused(&export(command, "a.splat", &flags), 1, &["a.splat", "never replaced", "--out"]);
    }
    assert_eq!(contents(dir.path()), written);
    assert!(export("convert", "b.spz", &["-w"]).status.success());
    // The splat is at (0, 1, 2) as PLY, and at (0, -1, -2) in the file.
    let middle = |sphere: &str, out: &str| {
        naka_gs().args(["edit", "--sphere", sphere]).arg(at("b.spz")).arg("-o").arg(at(out)).output().unwrap()
    };
    let output = middle("0,1,2,0.5", "c.ply");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("does not name its axes") && said.contains("y and z"), "{said}");
    assert_refused(&middle("0,-1,-2,0.5", "d.ply"), 2, &["--sphere", "takes all of the 1 splats"]);
}

/// A limit on the size of files is an error that names the file, and no part of the file stays.
#[cfg(unix)]
#[test]
fn a_file_beyond_the_systems_limit() {
    let dir = tempfile::tempdir().unwrap();
    let floats = [0.0f32, 1.0, 2.0, 0.1, 0.1, 0.1].map(f32::to_le_bytes);
    let splat = [floats.as_flattened(), &[200, 100, 50, 255, 255, 128, 128, 128]].concat();
    std::fs::write(dir.path().join("a.splat"), splat.repeat(2000)).unwrap();
    let limited = "ulimit -f 50; exec \"$0\" export a.splat -o b.ply";
    let mut shell = std::process::Command::new("sh");
    shell.current_dir(dir.path()).args(["-c", limited, env!("CARGO_BIN_EXE_naka-gs")]);
    assert_refused(&shell.output().unwrap(), 1, &["b.ply", "large"]);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}
