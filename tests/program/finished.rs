//! A finished run, for tests that go on from one. They leave it as it is.

use super::support::naka_gs;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use tempfile::TempDir;

/// A folder with a scene, `scenes/Night`, a finished run of it, `runs/night`, and the log of its training, `logs`; made once.
pub fn finished() -> &'static Path {
    static MADE: OnceLock<TempDir> = OnceLock::new();
    MADE.get_or_init(|| {
        let dir = tempfile::tempdir().unwrap();
        let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenes/tiny.toml");
        let mut photograph = naka_gs();
        photograph.args(["demo", "--photograph", "--scene"]).arg(tiny).arg("-o").arg(dir.path());
        assert!(photograph.output().unwrap().status.success());
        fs::create_dir(dir.path().join("scenes")).unwrap();
        fs::rename(dir.path().join("capture"), dir.path().join("scenes/Night")).unwrap();
        let mut run = naka_gs();
        run.arg("run").arg(dir.path().join("scenes/Night")).arg("-o").arg(dir.path().join("runs/night"));
        run.args(["--adapter", "cpu", "--downscale", "2", "--make-points", "500", "--steps", "3"]);
        run.arg("--tensorboard").arg(dir.path().join("logs"));
        let output = run.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        dir
    })
    .path()
}
