//! Challenge zips through the binary: what goes in, and every reason not to write one.

use super::finished::finished;
use super::support::{assert_refused, contents, naka_gs};
use image::{Rgb, RgbImage};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use tempfile::TempDir;

/// Copies of the scene and of its run.
struct Bench {
    dir: TempDir,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        copy(&finished().join("scenes"), &dir.path().join("scenes"));
        copy(&finished().join("runs"), &dir.path().join("runs"));
        Self { dir }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A second run of the same scene.
    fn another_run(&self) {
        copy(&self.at("runs/night"), &self.at("runs/night-2"));
    }

    fn submit(&self, more: &[&str]) -> Output {
        let mut command = naka_gs();
        command.arg("submit").arg(self.at("runs")).arg("-o").arg(self.zip());
        command.arg("--scenes").arg(self.at("scenes")).args(more).output().unwrap()
    }

    /// Of the scenes where the runs found them.
    fn submit_where_they_lie(&self, more: &[&str]) -> Output {
        let mut command = naka_gs();
        command.args(["submit", "-w"]).arg(self.at("runs")).arg("-o").arg(self.zip()).args(more).output().unwrap()
    }

    fn check(&self) -> Output {
        let mut command = naka_gs();
        command.arg("submit").arg(self.at("scenes/Night")).arg("--check").arg(self.zip()).output().unwrap()
    }

    fn zip(&self) -> PathBuf {
        self.at("entry.zip")
    }

    fn entries(&self) -> BTreeMap<String, Vec<u8>> {
        let bytes = fs::read(self.zip()).unwrap();
        let archive = rawzip::ZipArchive::from_slice(&bytes).unwrap();
        let mut entries = BTreeMap::new();
        for record in archive.entries() {
            let record = record.unwrap();
            let name = String::from_utf8(record.file_path().as_bytes().to_vec()).unwrap();
            let entry = archive.get_entry(record.wayfinder()).unwrap();
            // JPEGs do not shrink; their sizes stand before them, where any reader looks.
            assert_eq!(record.compression_method(), rawzip::CompressionMethod::STORE);
            assert!(!record.flags().has_data_descriptor(), "{name}");
            entries.insert(name, entry.data().to_vec());
        }
        entries
    }

    /// Rewrites the record of a run.
    fn edit(&self, run: &str, change: impl FnOnce(&mut Value)) {
        let path = self.at("runs").join(run).join("run.json");
        let mut record = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
        change(&mut record);
        fs::write(path, record.to_string()).unwrap();
    }

    /// Puts a picture in the place of a render, and makes the run forget what it wrote.
    fn plant(&self, run: &str, name: &str, picture: &RgbImage) {
        self.edit(run, |record| drop(stage(record, "render")["counts"].as_object_mut().unwrap().remove("sha256")));
        picture.save(self.at("runs").join(run).join("renders").join(name)).unwrap();
    }

    /// Nothing is written, and the message has all of `words`.
    fn refused(&self, more: &[&str], words: &[&str]) {
        let before = contents(self.dir.path());
        assert_refused(&self.submit(more), 1, words);
        assert_eq!(contents(self.dir.path()), before);
    }
}

fn stage<'a>(record: &'a mut Value, name: &str) -> &'a mut Value {
    record["stages"].as_array_mut().unwrap().iter_mut().find(|stage| stage["stage"] == name).unwrap()
}

fn copy(from: &Path, to: &Path) {
    for (path, bytes) in contents(from) {
        let target = to.join(path.strip_prefix(from).unwrap());
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::write(target, bytes).unwrap();
    }
}

fn accepted(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn waves(shift: u32) -> RgbImage {
    RgbImage::from_fn(64, 48, |x, y| Rgb([(40 + x * 2 + shift) as u8, (30 + y * 3) as u8, (60 + x + y + shift) as u8]))
}

#[test]
fn frames_are_counted_from_one_and_files_are_those_of_the_run() {
    let bench = Bench::new();
    let stdout = accepted(&bench.submit(&["--description", "a test\nof words"]));
    assert!(stdout.contains("2 images of 1 scenes") && stdout.contains("entry.zip"), "{stdout}");
    let entries = bench.entries();
    let names: Vec<_> = entries.keys().map(String::as_str).collect();
    assert_eq!(names, ["night_0001.JPG", "night_0002.JPG", "readme.txt"]);
    let test: Value =
        serde_json::from_slice(&fs::read(bench.at("scenes/Night/transforms_test.json")).unwrap()).unwrap();
    for (i, frame) in test["frames"].as_array().unwrap().iter().enumerate() {
        let name = Path::new(frame["file_path"].as_str().unwrap()).file_name().unwrap();
        let render = fs::read(bench.at("runs/night/renders").join(name)).unwrap();
        assert_eq!(entries[&format!("night_{:04}.JPG", i + 1)], render);
    }
    let readme = String::from_utf8(entries["readme.txt"].clone()).unwrap();
    let lines: Vec<_> = readme.lines().collect();
    assert!(lines[0].starts_with("runtime per image [s] : 0.") || lines[0].starts_with("runtime per image [s] : 1."));
    assert_eq!(
        lines[1..],
        ["CPU[1] / GPU[0] : 1", "Extra Data [1] / No Extra Data [0] : 1", "Other description : a test of words"]
    );

    // A zip that is there is kept; the same submission has the same bytes.
    let first = fs::read(bench.zip()).unwrap();
    bench.refused(&[], &["entry.zip", "--overwrite"]);
    accepted(&bench.submit(&["--description", "a test of words", "-w"]));
    assert_eq!(fs::read(bench.zip()).unwrap(), first);
    let stdout = accepted(&bench.check());
    assert!(stdout.contains("2 images"), "{stdout}");
}

#[test]
fn the_order_is_that_of_the_test_poses_not_of_names() {
    let bench = Bench::new();
    let path = bench.at("scenes/Night/transforms_test.json");
    let mut test: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    test["frames"].as_array_mut().unwrap().reverse();
    fs::write(&path, test.to_string()).unwrap();
    bench.refused(&[], &["renders", "stale"]);
    let mut run = naka_gs();
    run.arg("run").arg(bench.at("scenes/Night")).arg("-o").arg(bench.at("runs/night"));
    run.args(["-w", "--config"]).arg(bench.at("runs/night/settings.toml"));
    accepted(&run.output().unwrap());
    accepted(&bench.submit(&[]));
    let last = Path::new(test["frames"][0]["file_path"].as_str().unwrap()).file_name().unwrap().to_owned();
    assert_eq!(bench.entries()["night_0001.JPG"], fs::read(bench.at("runs/night/renders").join(last)).unwrap());
}

#[test]
fn renders_that_are_missing_foreign_or_unusable() {
    let bench = Bench::new();
    let render = bench.at("runs/night/renders/0008.JPG");
    let good = fs::read(&render).unwrap();
    fs::remove_file(&render).unwrap();
    bench.refused(&[], &["0008.JPG", "does not exist"]);
    waves(0).save(&render).unwrap();
    bench.refused(&[], &["0008.JPG", "not the picture that the run"]);
    bench.plant("night", "0008.JPG", &RgbImage::from_pixel(32, 24, Rgb([90; 3])));
    bench.refused(&[], &["0008.JPG", "32x24", "64x48"]);
    bench.plant("night", "0008.JPG", &RgbImage::new(64, 48));
    bench.refused(&[], &["0008.JPG", "black"]);
    fs::write(&render, &good[..good.len() / 2]).unwrap();
    bench.refused(&[], &["0008.JPG"]);
    fs::write(&render, "no picture").unwrap();
    bench.refused(&[], &["0008.JPG", "JPEG"]);
    fs::write(&render, good).unwrap();
    accepted(&bench.submit(&[]));
}

#[test]
fn renders_of_a_model_that_was_trained_again() {
    let bench = Bench::new();
    bench.edit("night", |record| stage(record, "train")["fingerprint"] = json!("0"));
    bench.refused(&[], &["renders", "stale"]);
    bench.edit("night", |record| stage(record, "train")["status"] = json!("interrupted"));
    bench.refused(&[], &["run.json", "train is not finished"]);
    bench.edit("night", |record| record["stages"] = json!([]));
    bench.refused(&[], &["run.json", "not finished"]);
    fs::remove_file(bench.at("runs/night/run.json")).unwrap();
    bench.refused(&[], &["runs", "run.json"]);
}

#[test]
fn scenes_that_give_no_pictures() {
    let bench = Bench::new();
    fs::remove_file(bench.at("scenes/Night/transforms_test.json")).unwrap();
    bench.refused(&[], &["Night", "no test poses"]);
    fs::remove_dir_all(bench.at("scenes/Night")).unwrap();
    bench.refused(&[], &["run.json", "Night", "--scenes"]);
    bench.refused(&["no such folder"], &["no such folder"]);
}

#[test]
fn two_runs_of_a_scene_are_an_error_or_a_mean() {
    let bench = Bench::new();
    bench.another_run();
    bench.refused(&[], &["night-2", "Night", "--average"]);
    let twice = bench.at("runs/night");
    bench.refused(&["--average", twice.to_str().unwrap()], &["named twice"]);
    for name in ["0007.JPG", "0008.JPG"] {
        bench.plant("night", name, &waves(0));
        bench.plant("night-2", name, &waves(40));
    }
    let stdout = accepted(&bench.submit(&["--average", "--readme"]));
    assert!(stdout.contains("2 images of 1 scenes of 2 runs"), "{stdout}");
    let entries = bench.entries();
    // By hand: the mean of the two planted pictures is the one in their middle, up to what JPEG does to each.
    let mean = image::load_from_memory(&entries["night_0001.JPG"]).unwrap().to_rgb8();
    let middle = waves(20);
    assert_eq!(mean.dimensions(), middle.dimensions());
    let differences = || mean.iter().zip(middle.iter()).map(|(a, b)| f64::from(a.abs_diff(*b)));
    let (worst, average) = (differences().fold(0.0, f64::max), differences().sum::<f64>() / mean.len() as f64);
    assert!(worst <= 12.0 && average < 2.0, "worst {worst}, on average {average}");
    let readme = String::from_utf8(entries["readme.txt"].clone()).unwrap();
    assert!(readme.contains("mean of up to 2 models"), "{readme}");
    accepted(&bench.check());

    // Another scene of that name has no mean with this one.
    copy(&bench.at("scenes/Night"), &bench.at("elsewhere/Night"));
    let path = bench.at("elsewhere/Night/transforms_test.json");
    fs::write(&path, fs::read_to_string(&path).unwrap().replace("0008", "0009")).unwrap();
    fs::remove_file(bench.at("elsewhere/Night/test/0008.JPG")).unwrap();
    let mut run = naka_gs();
    run.arg("run").arg(bench.at("elsewhere/Night")).arg("-o").arg(bench.at("runs/night-2"));
    run.args(["-w", "--config"]).arg(bench.at("runs/night/settings.toml"));
    accepted(&run.output().unwrap());
    assert_refused(&bench.submit_where_they_lie(&["--average"]), 1, &["night-2", "test poses differ"]);
}

/// Captures in several light levels have the same folder names and test poses.
#[test]
fn two_captures_of_one_name_have_no_mean() {
    let bench = Bench::new();
    bench.another_run();
    copy(&bench.at("scenes/Night"), &bench.at("low/Night"));
    bench.edit("night-2", |record| {
        let (earlier, now) = (record["scene"].as_str().unwrap().to_string(), bench.at("low/Night"));
        let now = now.to_str().unwrap();
        let files = record["inputs"].as_object().unwrap().clone();
        record["inputs"] = files.into_iter().map(|(path, file)| (path.replace(&earlier, now), file)).collect();
        record["scene"] = json!(now);
    });
    accepted(&bench.submit_where_they_lie(&["--average"]));
    bench.edit("night-2", |record| {
        let files = record["inputs"].as_object_mut().unwrap();
        let photograph = files.iter_mut().find(|(path, _)| path.ends_with("0001.JPG")).unwrap().1;
        photograph["sha256"] = json!("another");
    });
    for more in [&[][..], &["--average"]] {
        assert_refused(&bench.submit_where_they_lie(more), 1, &["night-2", "low", "holds other files"]);
    }
}

#[test]
fn scenes_in_groups_are_found_elsewhere_and_checked() {
    let bench = Bench::new();
    fs::create_dir(bench.at("scenes/low")).unwrap();
    fs::rename(bench.at("scenes/Night"), bench.at("scenes/low/Night")).unwrap();
    bench.edit("night", |record| record["scene"] = json!("/gone/low/Night"));
    accepted(&bench.submit(&[]));
    let mut check = naka_gs();
    check.arg("submit").arg(bench.at("scenes")).arg("--check").arg(bench.zip());
    assert!(accepted(&check.output().unwrap()).contains("2 images of 1 scenes"));
    fs::remove_dir_all(bench.at("scenes/low")).unwrap();
    assert_refused(&check.output().unwrap(), 1, &["scenes", "run.json"]);
}

#[test]
fn templates() {
    let bench = Bench::new();
    for bad in ["{scene}.JPG", "../{index}.JPG", "{index}.png"] {
        assert_refused(&bench.submit(&["--template", bad]), 2, &["--template", "{index:04}"]);
    }
    accepted(&bench.submit(&["--template", "{scene}/{name}.jpg"]));
    assert_eq!(bench.entries().keys().collect::<Vec<_>>(), ["Night/0007.jpg", "Night/0008.jpg"]);
    assert_refused(&bench.check(), 1, &["Night/0007.jpg", "night_0001.JPG"]);
    let other = bench.at("entry.tar");
    let output = naka_gs().arg("submit").arg(bench.at("runs")).arg("-o").arg(other).output().unwrap();
    assert_refused(&output, 2, &["--out", ".zip"]);
}

#[test]
fn a_zip_is_checked() {
    let bench = Bench::new();
    accepted(&bench.submit(&[]));
    let good = fs::read(bench.zip()).unwrap();
    let render = fs::read(bench.at("runs/night/renders/0007.JPG")).unwrap();
    let mut black = Vec::new();
    RgbImage::new(64, 48).write_to(&mut std::io::Cursor::new(&mut black), image::ImageFormat::Jpeg).unwrap();
    let mut small = Vec::new();
    waves(0).write_to(&mut std::io::Cursor::new(&mut small), image::ImageFormat::Png).unwrap();
    for length in [0, good.len() / 2, good.len() - 5] {
        fs::write(bench.zip(), &good[..length]).unwrap();
        assert_refused(&bench.check(), 1, &["entry.zip", "not a whole zip"]);
    }
    let (one, two) = ("night_0001.JPG", "night_0002.JPG");
    let cases: [(Entries, &str); 6] = [
        (&[(one, &render)], "night_0002.JPG is missing"),
        (&[(one, &render), (two, &render), ("other_0001.JPG", &render)], "other_0001.JPG"),
        (&[(one, &render), (two, &render), (two, &render)], "two entries of one name"),
        (&[(one, &render), (two, &black)], "black"),
        (&[(one, &render), (two, &small)], "not a JPEG"),
        (&[(one, &render), (two, &render[..render.len() / 2])], "night_0002.JPG"),
    ];
    for (entries, word) in cases {
        fs::write(bench.zip(), stored(entries)).unwrap();
        assert_refused(&bench.check(), 1, &["entry.zip", word]);
    }
    // What another program has zipped, uncompressed, is as good.
    fs::write(bench.zip(), stored(&[(one, &render), (two, &render), ("readme.txt", b"hello")])).unwrap();
    accepted(&bench.check());
}

/// Names and contents.
type Entries<'a> = &'a [(&'a str, &'a [u8])];

/// A zip with uncompressed entries.
fn stored(entries: Entries) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut zip = rawzip::ZipArchiveWriter::new(&mut bytes);
    for (name, content) in entries {
        let (mut entry, config) = zip.new_file(*name).start().unwrap();
        let mut data = config.wrap(&mut entry);
        std::io::Write::write_all(&mut data, content).unwrap();
        let (_, descriptor) = data.finish().unwrap();
        entry.finish(descriptor).unwrap();
    }
    zip.finish().unwrap();
    bytes
}
