//! Who reads the program's messages goes away: a closed terminal, a connection that dropped, `| head`.

use super::support::naka_gs;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn demo(out: &Path, steps: u32) -> Command {
    let scene = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenes/tiny.toml");
    let mut command = naka_gs();
    command.arg("demo").arg("--scene").arg(scene).arg("-o").arg(out);
    command.args(["--adapter", "cpu", "--make-points", "200", "--steps", &steps.to_string()]);
    // Both ends are pipes of which nobody reads the other.
    let unread = || std::io::pipe().unwrap().1;
    command.stdout(unread()).stderr(unread()).stdin(Stdio::null());
    command
}

fn status_of_training(out: &Path) -> Option<String> {
    let record: Value = serde_json::from_slice(&std::fs::read(out.join("run.json")).ok()?).ok()?;
    let train = record["stages"].as_array()?.iter().find(|stage| stage["stage"] == "train")?;
    Some(train["status"].as_str()?.to_string())
}

#[test]
fn a_run_goes_on_where_nobody_reads_its_messages() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    assert_eq!(demo(&out, 3).status().unwrap().code(), Some(0));
    assert_eq!(status_of_training(&out).as_deref(), Some("done"));
    assert!(out.join("metrics.json").is_file());
}

#[test]
fn a_stop_leaves_a_checkpoint_where_nobody_reads_the_messages() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    // The first by the clock comes after a minute.
    let checkpoint = out.join("checkpoints/latest.safetensors");
    let mut child = demo(&out, 100_000).spawn().unwrap();
    let began = Instant::now();
    while status_of_training(&out).as_deref() != Some("running") {
        assert!(child.try_wait().unwrap().is_none(), "it ended early");
        assert!(began.elapsed() < Duration::from_secs(120), "training never began");
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(status_of_training(&out).as_deref(), Some("interrupted"));
    assert!(checkpoint.is_file());
}

/// Commands without a stage, such as `export`, have no safe point to wait for. This one reads a model that never ends.
#[test]
fn an_export_that_reads_ends_at_once_and_leaves_no_file() {
    let dir = tempfile::tempdir().unwrap();
    let (model, out) = (dir.path().join("endless.ply"), dir.path().join("model.sog"));
    assert!(Command::new("mkfifo").arg(&model).status().unwrap().success());
    let mut child = naka_gs().arg("export").arg(&model).arg("-o").arg(&out).stderr(Stdio::null()).spawn().unwrap();
    let (opened, began) = std::sync::mpsc::channel();
    let pipe = model.clone();
    // It opens once the program reads the other end.
    std::thread::spawn(move || opened.send(std::fs::File::create(pipe)));
    let _pipe = began.recv_timeout(Duration::from_secs(120)).expect("the model was never read").unwrap();
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let asked = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if asked.elapsed() > Duration::from_secs(10) {
            child.kill().unwrap();
            panic!("it reads on");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    assert_eq!(status.code(), Some(130));
    let files: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files, [model]);
}
