//! The program with files that it cannot use: exit codes and messages.

use std::os::unix::ffi::OsStringExt;
use std::path::Path;
use std::process::{Command, Output};

fn naka_gs(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_naka-gs")).current_dir(folder).args(arguments).output().unwrap()
}

/// Asserts the exit code, the words of the message, and that nothing panicked; `output` is of the program.
fn ended(output: &Output, code: i32, words: &[&str]) {
    let message = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{message}");
    assert!(!message.contains("panicked") && words.iter().all(|word| message.contains(word)), "{message}");
}

#[test]
fn a_path_through_cameras_that_no_number_holds_is_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join("s/sparse/0");
    std::fs::create_dir_all(&model).unwrap();
    std::fs::create_dir(dir.path().join("s/images")).unwrap();
    std::fs::write(model.join("cameras.txt"), "1 PINHOLE 4 3 4 4 2 1.5\n").unwrap();
    let mut images = String::new();
    for (id, x) in ["0", "1e300", "-1e300", "5"].iter().enumerate() {
        image::RgbImage::new(4, 3).save(dir.path().join(format!("s/images/{id}.png"))).unwrap();
        images += &format!("{} 1 0 0 0 {x} 0 0 1 {id}.png\n\n", id + 1);
    }
    std::fs::write(model.join("images.txt"), images).unwrap();
    ended(&naka_gs(dir.path(), &["path", "s", "-o", "p.json"]), 1, &["images.txt", "1.png", "1e18"]);
    assert!(!dir.path().join("p.json").exists());
}

#[test]
fn paths_that_are_not_text_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let scene = dir.path().join(std::ffi::OsString::from_vec(b"caf\xe9".to_vec()));
    std::fs::create_dir(&scene).unwrap();
    image::RgbImage::new(4, 3).save(scene.join("a.png")).unwrap();
    let run = |folder: &Path, scene: &std::ffi::OsStr| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_naka-gs"));
        command.current_dir(folder).args(["enhance", "--weights", "none", "-o"]).arg(dir.path().join("o")).arg(scene);
        command.output().unwrap()
    };
    ended(&run(dir.path(), scene.file_name().unwrap()), 2, &["UTF-8", "rename"]);
    // The name of the folder is found where it is not given.
    std::fs::write(scene.join("transforms.json"), "{}").unwrap();
    ended(&run(&scene, ".".as_ref()), 1, &["UTF-8", "rename"]);
    assert!(!dir.path().join("o").exists());
}

#[test]
fn the_limit_of_memory_is_a_number_above_0() {
    let dir = tempfile::tempdir().unwrap();
    for limit in ["0", "-1", "nan", "inf"] {
        ended(&naka_gs(dir.path(), &[&format!("--max-memory={limit}"), "doctor"]), 2, &["--max-memory"]);
    }
}

/// A system that gives 300 MB of address space, which is more than the program and less than the picture takes.
#[test]
fn a_machine_without_memory_is_exit_code_3() {
    let dir = tempfile::tempdir().unwrap();
    image::GrayImage::new(6000, 5000).save(dir.path().join("a.png")).unwrap();
    let limited = "ulimit -v 400000; exec \"$0\" enhance a.png -o o --weights none --max-memory 8";
    let output = Command::new("sh")
        .current_dir(dir.path())
        .env("RAYON_NUM_THREADS", "2")
        .args(["-c", limited, env!("CARGO_BIN_EXE_naka-gs")])
        .output()
        .unwrap();
    ended(&output, 3, &["out of memory", "a.png", "6000 × 5000 pixels"]);
    assert!(!dir.path().join("o").exists());
}
