//! Runs of a rig: results lie in the photographs' folders, and no folder of ours stays behind.

use super::*;
use crate::Silent;
use crate::prior::Make;
use crate::scenes::Scene;
use serde_json::Value;
use std::fs;

struct Bench {
    dir: tempfile::TempDir,
    gpu: Arc<Gpu>,
}

impl Bench {
    /// The tiny scene as photographed by the cameras `cam0` and `cam1`, whose pictures have the same names, and two
    /// references in folders of their own.
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let scene = Scene::load(Path::new("scenes/tiny.toml")).unwrap();
        let made = demo::photograph(&scene, dir.path(), false, &Silent::default()).unwrap();
        let scene = dir.path().join("scene");
        fs::rename(made, &scene).unwrap();
        for (file, folder) in [("transforms_train.json", "images"), ("transforms_test.json", "test")] {
            let mut json: Value = serde_json::from_slice(&fs::read(scene.join(file)).unwrap()).unwrap();
            for (index, frame) in json["frames"].as_array_mut().unwrap().iter_mut().enumerate() {
                let to = format!("{folder}/cam{}/{}.JPG", index % 2, index / 2);
                fs::create_dir_all(scene.join(&to).parent().unwrap()).unwrap();
                fs::rename(scene.join(frame["file_path"].as_str().unwrap()), scene.join(&to)).unwrap();
                frame["file_path"] = to.into();
            }
            fs::write(scene.join(file), json.to_string()).unwrap();
        }
        let gpu = Arc::new(Gpu::open(&"cpu".parse().unwrap(), Mask::default()).unwrap());
        Self { dir, gpu }
    }

    fn job(&self, overwrite: bool) -> Job {
        let [scene, out] = ["scene", "out"].map(|name| self.dir.path().join(name));
        let mut settings = Settings { adapter: "cpu".into(), downscale: 2, ..Settings::default() };
        settings.enhance.weights = "none".into();
        (settings.prior.make, settings.prior.make_points) = (Make::Frustum, 200);
        settings.train.steps = 2;
        Job { scene, out, settings, overwrite, scope: Scope::Everything }
    }

    fn run(&self, overwrite: bool) -> Result<Outcome> {
        let shared = Shared { gpu: Some(Arc::clone(&self.gpu)), ..Shared::default() };
        run(&self.job(overwrite), &shared, &Silent::default())
    }

    fn out(&self, name: &str) -> PathBuf {
        self.dir.path().join("out").join(name)
    }

    /// Files below a folder of the results.
    fn below(&self, folder: &str) -> Vec<String> {
        let mut found = Vec::new();
        for cam in fs::read_dir(self.out(folder)).unwrap().map(|entry| entry.unwrap().path()) {
            let name = cam.file_name().unwrap().to_str().unwrap().to_string();
            match cam.is_dir() {
                true => found.extend(
                    fs::read_dir(&cam)
                        .unwrap()
                        .map(|entry| format!("{name}/{}", entry.unwrap().file_name().to_str().unwrap())),
                ),
                false => found.push(name),
            }
        }
        found.sort();
        found
    }
}

#[test]
fn results_lie_in_the_photographs_folders_and_go_with_them() {
    let bench = Bench::new();
    // A file of somebody else where a folder has to be.
    fs::create_dir_all(bench.out("images")).unwrap();
    fs::write(bench.out("images/cam0"), "mine").unwrap();
    assert!(matches!(bench.run(false), Err(Error::Exists(_))));
    let outcome = bench.run(true).unwrap();
    assert_eq!(fs::read(bench.out("images/cam0.bak")).unwrap(), b"mine");
    fs::remove_file(bench.out("images/cam0.bak")).unwrap();
    let photos = ["cam0/0.JPG", "cam0/1.JPG", "cam0/2.JPG", "cam1/0.JPG", "cam1/1.JPG", "cam1/2.JPG"];
    assert_eq!(
        (bench.below("images"), bench.below("renders")),
        (photos.map(String::from).to_vec(), vec!["cam0/0.JPG".into(), "cam1/0.JPG".into()])
    );
    let measured: Vec<_> = outcome.metrics.metrics.test.views.iter().map(|view| view.name.as_str()).collect();
    assert_eq!(measured, ["cam0/0.JPG", "cam1/0.JPG"]);
    let counts = &outcome.run.stage(Stage::RENDER).unwrap().counts;
    assert!(counts["sha256"].get("cam1/0.JPG").is_some());

    // A killed run leaves a temporary file; the same command keeps the rest.
    let leftover = bench.out("images/cam1/.0.JPG.abcdefgh.naka-part");
    fs::write(&leftover, "half").unwrap();
    let again = bench.run(false).unwrap().run;
    assert!(again.stages.iter().all(|stage| stage.status == record::Status::Kept) && !leftover.exists());
    fs::remove_file(bench.out("images/cam1/1.JPG")).unwrap();
    bench.run(false).unwrap();
    assert_eq!(bench.below("images"), photos);

    // Without the second camera its folder goes, unless somebody has put something there.
    for (mine, left) in
        [(true, vec!["0.JPG", "1.JPG", "2.JPG", "cam1/mine.txt"]), (false, vec!["0.JPG", "1.JPG", "2.JPG"])]
    {
        if mine {
            fs::write(bench.out("images/cam1/mine.txt"), "mine").unwrap();
        } else {
            fs::remove_file(bench.out("images/cam1/mine.txt")).unwrap();
            fs::rename(bench.dir.path().join("cam1"), bench.dir.path().join("scene/images/cam1")).unwrap();
            bench.run(true).unwrap();
        }
        fs::rename(bench.dir.path().join("scene/images/cam1"), bench.dir.path().join("cam1")).unwrap();
        assert!(matches!(bench.run(false), Err(Error::Exists(_))));
        bench.run(true).unwrap();
        assert_eq!(bench.below("images"), left);
    }
}
