//! The program, run from outside.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

pub fn naka_gs() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_naka-gs"));
    command.env_remove("NAKA_GS_MASK").env_remove("RUST_BACKTRACE").args(["--progress", "plain"]);
    command
}

/// Fails unless the program ended with `code` and one error message that has all of `words`, and without a panic.
pub fn assert_refused(output: &Output, code: i32, words: &[&str]) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    // A graphics library's own complaints are not ours.
    let errors: Vec<&str> =
        stderr.lines().filter(|l| l.starts_with("error: ") && !l.contains("XDG_RUNTIME_DIR")).collect();
    assert_eq!(errors.len(), 1, "not one message:\n{stderr}");
    for word in words {
        assert!(errors[0].contains(word), "'{word}' is not in: {}", errors[0]);
    }
    assert!(output.stdout.is_empty(), "stdout is for results: {}", String::from_utf8_lossy(&output.stdout));
}

/// The names below `folder`, and the contents of its files.
pub fn contents(folder: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut out = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(dir) = folders.pop() {
        for entry in std::fs::read_dir(&dir).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                out.push((path.clone(), std::fs::read(path).unwrap()));
            }
        }
    }
    out.sort();
    out
}
