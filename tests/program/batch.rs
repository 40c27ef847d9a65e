//! Batches through the binary: every scene, whatever happens to one.

use super::support::{assert_refused, contents, naka_gs};
use serde_json::Value;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// A folder with copies of one tiny scene under the given names.
struct Bench {
    dir: TempDir,
}

impl Bench {
    fn new(names: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let tiny = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenes/tiny.toml");
        let mut photograph = naka_gs();
        photograph.args(["demo", "--photograph", "--scene"]).arg(tiny).arg("-o").arg(dir.path().join("made"));
        assert!(photograph.output().unwrap().status.success());
        let made = dir.path().join("made/capture");
        for name in names {
            for (path, bytes) in contents(&made) {
                let target = dir.path().join("scenes").join(name).join(path.strip_prefix(&made).unwrap());
                fs::create_dir_all(target.parent().unwrap()).unwrap();
                fs::write(target, bytes).unwrap();
            }
        }
        Self { dir }
    }

    fn scene(&self, name: &str) -> PathBuf {
        self.dir.path().join("scenes").join(name)
    }

    fn out(&self, name: &str) -> PathBuf {
        self.dir.path().join("out").join(name)
    }

    fn command(&self, steps: u32, more: &[&str]) -> Command {
        let mut command = naka_gs();
        command.arg("batch").arg(self.dir.path().join("scenes")).arg("-o").arg(self.dir.path().join("out"));
        command.args(["--adapter", "cpu", "--make-points", "500", "--downscale", "2"]).args(more);
        if steps > 0 {
            command.args(["--steps", &steps.to_string()]);
        }
        command
    }

    /// Scene, status, splats, steps and error of every row of the table.
    fn rows(&self) -> Vec<[String; 5]> {
        let mut table = csv::Reader::from_path(self.out("summary.csv")).unwrap();
        let columns = table.headers().unwrap().clone();
        let column = |name: &str| columns.iter().position(|column| column == name).unwrap();
        let wanted = ["scene", "status", "splats", "steps", "error"].map(column);
        table.records().map(|row| row.unwrap()).map(|row| wanted.map(|i| row[i].to_string())).collect()
    }

    fn statuses(&self) -> Vec<String> {
        self.rows().into_iter().map(|row| format!("{} {}", row[0], row[1])).collect()
    }
}

fn error_line(output: &Output) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    stderr.lines().filter(|line| line.starts_with("error: ")).collect()
}

#[test]
fn goes_on_after_a_failure_resumes_and_reports() {
    let bench = Bench::new(&["a room", "b", "site/c"]);
    let cut = bench.scene("b/train/0002.JPG");
    let whole = fs::read(&cut).unwrap();
    fs::write(&cut, &whole[..whole.len() / 2]).unwrap();
    fs::write(bench.scene("site/c/naka-gs.toml"), "steps = 4\nmake_points = 300\nholdout = 3\n").unwrap();
    let listed = bench.command(0, &["--list"]).output().unwrap();
    assert_eq!(String::from_utf8(listed.stdout).unwrap(), "a room\nb\nsite/c\n");
    assert!(!bench.out("").exists());
    let output = bench.command(0, &["--config", "/dev/null", "--steps", "3"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let error = error_line(&output);
    assert!(error.contains("1 of 3 scenes failed (b)") && error.contains("summary.csv"), "{error}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert!(stdout.contains("a room") && stdout.contains("failed") && stdout.contains("report.html"), "{stdout}");
    assert_eq!(bench.statuses(), ["a room done", "b failed", "site/c done"]);
    let rows = bench.rows();
    assert!(rows[1][4].contains("0002.JPG") && rows[0][4].is_empty(), "{rows:?}");
    // Flags win over the scene's own file, which wins over defaults.
    assert_eq!((rows[0][3].as_str(), rows[2][3].as_str()), ("3", "3"));
    let own: Value = serde_json::from_slice(&fs::read(bench.out("site/c/run.json")).unwrap()).unwrap();
    assert_eq!(own["settings"]["holdout"], 3);
    assert!(bench.out("a room/report.html").is_file() && bench.out("site/c/renders/0007.JPG").is_file());
    let page = fs::read_to_string(bench.out("report.html")).unwrap();
    assert!(page.contains("href=\"a%20room/report.html\"") && page.contains("0002.JPG"), "links and failures");

    // What failed is tried again once it is repaired, what is finished is kept.
    fs::write(&cut, whole).unwrap();
    // Masks are missing, which a message says, and of which scene.
    let (width, height) = image::image_dimensions(bench.scene("b/train/0001.JPG")).unwrap();
    fs::create_dir(bench.scene("b/masks")).unwrap();
    let mask = image::GrayImage::from_pixel(width, height, image::Luma([255]));
    mask.save(bench.scene("b/masks/0001.png")).unwrap();
    let output = bench.command(3, &["--jobs", "2"]).output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let of_masks: Vec<&str> = stderr.lines().filter(|line| line.contains("photographs have a mask;")).collect();
    assert!(!of_masks.is_empty() && of_masks.iter().all(|line| line.contains("WARN scene{name=b}: ")), "{stderr}");
    assert_eq!(bench.statuses(), ["a room kept", "b done", "site/c kept"]);

    // The results are runs: they can be submitted, and reported again.
    let zip = bench.dir.path().join("entry.zip");
    let mut submit = naka_gs();
    submit.arg("submit");
    for entry in fs::read_dir(bench.out("")).unwrap() {
        submit.arg(entry.unwrap().path());
    }
    let output = submit.arg("-o").arg(&zip).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("6 images of 3 scenes"));
    fs::remove_file(bench.out("report.html")).unwrap();
    assert!(naka_gs().arg("report").arg(bench.out("")).output().unwrap().status.success());
    assert!(bench.out("report.html").is_file());

    // Pages that somebody has edited are moved aside, and the table has the rows of other batches.
    let pages = ["report.html", "a room/report.html"].map(|name| bench.out(name));
    for page in &pages {
        let edited = fs::read_to_string(page).unwrap().replace("</body>", "my remark</body>");
        fs::write(page, edited).unwrap();
    }
    fs::rename(bench.scene("b"), bench.dir.path().join("b")).unwrap();
    assert!(bench.command(3, &[]).output().unwrap().status.success());
    assert_eq!(bench.statuses(), ["a room kept", "site/c kept", "b done"]);
    // Without its scene a page would have no pictures: the one with them stays, and the others are made.
    let (shown, batch) = (fs::read(bench.out("b/report.html")).unwrap(), bench.out("report.html"));
    fs::remove_file(&batch).unwrap();
    let report = naka_gs().arg("report").arg(bench.out("")).output().unwrap();
    assert_refused(&report, 1, &["report.html", "no pictures", "scenes"]);
    assert_eq!(fs::read(bench.out("b/report.html")).unwrap(), shown);
    assert!(batch.is_file());
    fs::rename(bench.dir.path().join("b"), bench.scene("b")).unwrap();
    for _ in 0..2 {
        assert!(naka_gs().arg("report").arg(bench.out("")).output().unwrap().status.success());
    }
    for page in &pages {
        let backup = page.with_file_name("report.html.bak");
        assert!(fs::read_to_string(backup).unwrap().contains("my remark"), "{}", page.display());
        assert!(!page.with_file_name("report.html.bak2").exists());
    }
}

#[test]
fn batches_that_cannot_be() {
    let bench = Bench::new(&["a"]);
    let nothing = bench.dir.path().join("nothing");
    fs::create_dir(&nothing).unwrap();
    let mut command = naka_gs();
    command.arg("batch").arg(&nothing).arg("-o").arg(bench.out(""));
    assert_refused(&command.output().unwrap(), 1, &["nothing", "no scene", "transforms_train.json"]);
    assert_refused(&bench.command(3, &["--jobs", "0"]).output().unwrap(), 2, &["--jobs"]);
    assert_refused(&bench.command(3, &["--preset", "best"]).output().unwrap(), 2, &["--preset"]);
    assert!(!bench.out("").exists());
    let mut into_itself = naka_gs();
    into_itself.arg("batch").arg(bench.scene("")).arg("-o").arg(bench.scene(""));
    assert_refused(&into_itself.output().unwrap(), 2, &["--out", "folder of the scenes"]);
    fs::create_dir(bench.out("")).unwrap();
    fs::write(bench.out("summary.csv"), "name,mark\nAnna,1\n").unwrap();
    assert_refused(&bench.command(3, &[]).output().unwrap(), 1, &["summary.csv"]);
    assert_eq!(contents(&bench.out("")).len(), 1);
    fs::remove_file(bench.out("summary.csv")).unwrap();

    // A scene's own file with an unknown key, or with a permission that is not its to give.
    for (text, word) in [("stepps = 3\n", "stepps"), ("allow_outside = true\n", "allow_outside")] {
        fs::write(bench.scene("a/naka-gs.toml"), text).unwrap();
        let output = bench.command(3, &[]).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(bench.rows()[0][4].contains(word), "{:?}", bench.rows());
    }
    // A zip without a scene of the batch would pass for a whole one.
    let mut submit = naka_gs();
    submit.arg("submit").arg(bench.out("")).arg("-o").arg(bench.dir.path().join("entry.zip"));
    assert_refused(&submit.output().unwrap(), 1, &["summary.csv", "no run: a"]);
}

#[cfg(unix)]
#[test]
fn interrupted_everywhere_and_continued() {
    let bench = Bench::new(&["a", "b", "c"]);
    let mut child = bench.command(300, &["--jobs", "2"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let mut begun = 0;
    assert!(lines.any(|line| {
        begun += usize::from(line.contains(": train: 300 steps"));
        begun == 2
    }));
    std::thread::sleep(Duration::from_millis(200));
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let rest: Vec<String> = lines.collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("0 of 3 scenes are finished; run the same command")), "{rest:?}");
    assert_eq!(bench.statuses(), ["a interrupted", "b interrupted", "c waiting"]);
    for name in ["a", "b"] {
        assert!(!contents(&bench.out(name).join("checkpoints")).is_empty());
    }
    let output = bench.command(300, &[]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let run: Value = serde_json::from_slice(&fs::read(bench.out("a/run.json")).unwrap()).unwrap();
    let train = run["stages"].as_array().unwrap().iter().find(|stage| stage["stage"] == "train").unwrap();
    assert!(train["counts"]["resumed_at"].as_u64().unwrap() > 0, "{train}");
}
