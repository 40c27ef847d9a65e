//! Who reads the program's messages goes away: a closed terminal, a connection that dropped, `| head`.

use super::support::naka_gs;
use naka_gs::splat::{Splats, ply};
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

/// Commands without a stage, such as `export`, have no safe point to wait for.
#[test]
fn an_export_ends_at_once_and_leaves_no_file() {
    const SPLATS: usize = 300_000;
    let dir = tempfile::tempdir().unwrap();
    let (model, out) = (dir.path().join("large.ply"), dir.path().join("large.sog"));
    let place = |i: usize| [i % 97, i % 89, i % 83].map(|v| v as f32 / 50.0);
    let splats = Splats {
        means: (0..SPLATS).map(place).collect(),
        quats: vec![[1.0, 0.0, 0.0, 0.0]; SPLATS],
        log_scales: vec![[-4.0; 3]; SPLATS],
        logit_opacities: vec![1.0; SPLATS],
        sh: vec![0.1; 3 * SPLATS],
        sh_degree: 0,
    };
    ply::write(&model, &splats).unwrap();
    let mut child = naka_gs().arg("export").arg(&model).arg("-o").arg(&out).stderr(Stdio::null()).spawn().unwrap();
    let is_part = |entry: std::io::Result<std::fs::DirEntry>| {
        entry.is_ok_and(|entry| entry.file_name().to_string_lossy().ends_with(".naka-part"))
    };
    let began = Instant::now();
    while !std::fs::read_dir(dir.path()).unwrap().any(is_part) {
        assert!(child.try_wait().unwrap().is_none(), "it ended early");
        assert!(began.elapsed() < Duration::from_secs(120), "nothing was written");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let asked = Instant::now();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(asked.elapsed() < Duration::from_secs(10) && !out.exists());
}
