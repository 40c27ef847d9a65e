//! The stage with a stand-in for COLMAP (`tests/support/fake-colmap.sh`), which says what it was asked for.

use super::*;
use crate::capture::{Camera, Distortion, LENSES, Mask, posed};
use crate::progress::{Silent, Stop};
use glam::DMat4;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// A folder with lit photographs and a link to the stand-in.
struct Bench {
    dir: tempfile::TempDir,
    config: Config,
    names: [&'static str; 4],
}

impl Bench {
    /// Four photographs of 40 × 30, of which the model has the first three at 80 × 60.
    fn new() -> Self {
        Self::of(["a.png", "b c.png", "d.png", "e.png"])
    }

    fn of(names: [&'static str; 4]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/fake-colmap.sh");
        std::os::unix::fs::symlink(script, dir.path().join("colmap")).unwrap();
        let colmap = dir.path().join("colmap").display().to_string();
        let bench = Self { dir, config: Config { colmap, ..Config::default() }, names };
        for view in bench.views() {
            let picture = bench.path("images").join(picture_name(&view.name));
            std::fs::create_dir_all(picture.parent().unwrap()).unwrap();
            ::image::RgbImage::new(80, 60).save(picture).unwrap();
        }
        bench.set("cameras", "1 PINHOLE 80 60 100 101 40 30\n");
        let pose = |(x, name)| format!("1 0 0 0 {x} 0 0 1 {name}\n");
        bench.set("poses", &names[..3].iter().enumerate().map(pose).collect::<String>());
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn set(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn views(&self) -> Vec<View> {
        let camera = Camera {
            width: 40,
            height: 30,
            fx: 1.0,
            fy: 1.0,
            cx: 0.0,
            cy: 0.0,
            viewmat: DMat4::IDENTITY,
            reduction: 1.0,
        };
        let view = |name: &str| View {
            name: name.into(),
            image: None,
            camera: camera.clone(),
            lens: None,
            mask: None,
            gain: None,
            shots: Vec::new(),
        };
        self.names.map(view).to_vec()
    }

    fn estimate(&self, progress: &dyn Progress) -> Result<Report> {
        let [images, work, model, log] = ["images", "work", "sparse/0", "colmap.log"].map(|name| self.path(name));
        let folders = Folders { images: &images, work: &work, model: &model, log: &log };
        estimate(&self.views(), &folders, &self.config, progress)
    }

    fn refused(&self) -> String {
        let error = self.estimate(&Silent::default()).unwrap_err();
        assert!(!self.path("sparse").exists(), "no model is left behind");
        error.to_string()
    }

    /// The commands that were called, in order.
    fn calls(&self) -> Vec<String> {
        std::fs::read_to_string(self.path("calls")).unwrap_or_default().lines().map(String::from).collect()
    }

    fn commands(&self) -> Vec<String> {
        self.calls().iter().map(|call| call.split(' ').next().unwrap().to_string()).collect()
    }
}

#[test]
fn the_largest_model_at_the_size_of_the_lit_photographs() {
    let bench = Bench::new();
    let report = bench.estimate(&Silent::default()).unwrap();
    assert_eq!((report.images, report.registered, report.models, report.points), (4, 3, 2, 2));
    assert_eq!((report.unregistered, report.program.as_str()), (vec!["e.png".to_string()], "COLMAP 3.8"));
    assert!(report.shared_camera && report.reprojection_error == 1.0);
    assert_eq!(bench.commands(), ["feature_extractor", "exhaustive_matcher", "mapper", "model_converter"]);
    assert!(bench.calls()[3].contains("models/1"), "the second model has more images");

    let photos = crate::capture::Capture { train: bench.views(), ..Default::default() };
    let capture = posed(&photos, &bench.path("sparse/0"), None).unwrap();
    let names: Vec<_> = capture.train.iter().map(|view| view.name.as_str()).collect();
    assert_eq!(names, ["a.png", "b c.png", "d.png"]);
    let camera = &capture.train[1].camera;
    assert_eq!((camera.width, camera.fx, camera.fy, camera.cx, camera.cy), (40, 50.0, 50.5, 20.0, 15.0));
    assert_eq!(camera.viewmat.w_axis.x, 1.0);
    assert_eq!((report.cameras, camera.height), (vec!["PINHOLE 80 60 100 101 40 30".to_string()], 30));
    assert!(capture.train.iter().all(|view| view.lens.is_none()));
    let images = std::fs::read_to_string(bench.path("sparse/0/images.txt")).unwrap();
    assert!(images.contains(" 1 b c.png\n5 10 -1 15 20.25 7\n"), "{images}");
    let log = std::fs::read_to_string(bench.path("colmap.log")).unwrap();
    assert!(log.contains("Processed file [2/2]") && log.contains("Registering image"), "{log}");
}

#[test]
fn what_masks_hide_has_no_features() {
    let bench = Bench::new();
    let (mask, mut views) = (bench.path("mask.png"), bench.views());
    ::image::GrayImage::from_fn(40, 30, |x, _| ::image::Luma([if x < 10 { 0 } else { 255 }])).save(&mask).unwrap();
    views[1].mask = Some(Mask { file: Some(mask), ..Mask::default() });
    let [images, work, model, log] = ["images", "work", "sparse/0", "colmap.log"].map(|name| bench.path(name));
    let folders = Folders { images: &images, work: &work, model: &model, log: &log };
    estimate(&views, &folders, &bench.config, &Silent::default()).unwrap();
    let masks = work.join("masks");
    assert!(bench.calls()[0].contains(&format!("--ImageReader.mask_path {}", masks.display())), "{:?}", bench.calls());
    // COLMAP looks for the picture's whole name with `.png` behind it.
    let written = ::image::open(masks.join("b c.png.jpg.png")).unwrap().into_luma8();
    assert_eq!(written.dimensions(), (80, 60));
    assert!(written.enumerate_pixels().all(|(x, _, pixel)| pixel[0] == if x < 20 { 0 } else { 255 }));
    assert_eq!(std::fs::read_dir(&masks).unwrap().count(), 1);
    remove_work(&work).unwrap();
    assert!(!work.exists());
}

#[test]
fn a_rig_has_a_camera_for_each_folder() {
    let bench = Bench::of(["cam0/0.png", "cam0/1.png", "cam1/0.png", "cam1/1.png"]);
    let report = bench.estimate(&Silent::default()).unwrap();
    assert!(report.shared_camera && report.unregistered == ["cam1/1.png"]);
    let features = &bench.calls()[0];
    assert!(features.contains("single_camera 0") && features.contains("single_camera_per_folder 1"), "{features}");
    let photos = crate::capture::Capture { train: bench.views(), ..Default::default() };
    let capture = posed(&photos, &bench.path("sparse/0"), None).unwrap();
    let places: Vec<_> = capture.train.iter().map(|view| (view.name.as_str(), view.camera.viewmat.w_axis.x)).collect();
    assert_eq!(places, [("cam0/0.png", 0.0), ("cam0/1.png", 1.0), ("cam1/0.png", 2.0)]);
}

#[test]
fn a_distorted_camera_becomes_the_pinhole_of_the_undistorted_photographs() {
    for (words, rest) in [
        ("SIMPLE_RADIAL 80 60 100 40 30", "-0.1"),
        ("RADIAL 80 60 100 40 30", "-0.1 0.02"),
        ("OPENCV 80 60 100 100 40 30", "-0.1 0.02 0.001 -0.002"),
    ] {
        let bench = Bench::new();
        bench.set("cameras", &format!("1 {words} {rest}\n2 PINHOLE 80 60 50 50 40 30\n"));
        bench.set("poses", "1 0 0 0 0 0 0 1 a.png\n1 0 0 0 1 0 0 1 b c.png\n1 0 0 0 2 0 0 2 d.png\n");
        let report = bench.estimate(&Silent::default()).unwrap();
        assert_eq!(report.cameras, [format!("{words} {rest}"), "PINHOLE 80 60 50 50 40 30".into()]);

        // Of the photographs' own size, 160 × 120.
        let mut photos = crate::capture::Capture { train: bench.views(), ..Default::default() };
        photos.train.iter_mut().for_each(|view| view.camera = view.camera.resized(160, 120));
        let capture = posed(&photos, &bench.path("sparse/0"), None).unwrap();
        let [first, .., last] = &capture.train[..] else { panic!("three views") };
        let lens = first.lens.unwrap();
        assert_eq!((lens.width, lens.fx, lens.cx, lens.cy), (160, 200.0, 80.0, 60.0));
        let (model, params) = (words.split(' ').next().unwrap(), rest.split(' ').map(|v| v.parse().unwrap()));
        assert_eq!(Some(lens.distortion), Distortion::colmap(model, &params.collect::<Vec<f64>>()));
        assert!((first.camera.fx - 200.0 * lens.zoom).abs() < 1e-9 && lens.zoom < 0.999, "{lens:?}");
        assert!(last.lens.is_none() && last.camera.fx == 100.0);

        // The model fits the undistorted pictures at half of COLMAP's size.
        let read = |name: &str| std::fs::read_to_string(bench.path("sparse/0").join(name)).unwrap();
        let focal = 50.0 * lens.zoom;
        let cameras = read("cameras.txt");
        let words: Vec<f64> = cameras.split_whitespace().take(8).filter_map(|word| word.parse().ok()).collect();
        assert!(cameras.starts_with("1 PINHOLE 40 30 ") && (words[3] - focal).abs() < 1e-9, "{cameras}");
        assert_eq!(words[5..], [20.0, 15.0]);
        let images = read("images.txt");
        let lines: Vec<&str> = images.lines().collect();
        assert_eq!(lines[5], "5 10 -1 15 20.25 7", "a pinhole's key points are only scaled");
        let words: Vec<f64> = lines[1].split(' ').map(|word| word.parse().unwrap()).collect();
        for (found, seen) in [([words[0], words[1]], [10.0, 20.0]), ([words[3], words[4]], [30.0, 40.5])] {
            let ray = [(found[0] - 20.0) / focal, (found[1] - 15.0) / focal];
            let [u, v] = lens.distortion.distort(ray);
            assert!((100.0 * u + 40.0 - seen[0]).hypot(100.0 * v + 30.0 - seen[1]) < 1e-6, "{model}: {found:?}");
        }
        assert_eq!((words[2], words[5]), (-1.0, 7.0));
    }
}

#[test]
fn a_lens_that_cannot_be_inverted_is_named_with_a_photograph() {
    let bench = Bench::new();
    bench.set("cameras", "1 SIMPLE_RADIAL 80 60 100 40 30 -9\n");
    let error = bench.refused();
    for words in ["a.png", "SIMPLE_RADIAL 80 60 100 40 30 -9", "cannot be inverted", "poses.lens", "more photographs"] {
        assert!(error.contains(words), "{words}: {error}");
    }
    // A camera of no photograph is no trouble.
    bench.set("cameras", "1 PINHOLE 80 60 100 101 40 30\n2 SIMPLE_RADIAL 80 60 100 40 30 -9\n");
    assert_eq!(bench.estimate(&Silent::default()).unwrap().cameras.len(), 1);
}

#[test]
fn lenses_that_are_damaged_or_gone_are_named() {
    let bench = Bench::new();
    bench.estimate(&Silent::default()).unwrap();
    let photos = crate::capture::Capture { train: bench.views(), ..Default::default() };
    let lenses = bench.path("sparse/0").join(LENSES);
    std::fs::write(&lenses, "{\"1\": 5}").unwrap();
    let error = posed(&photos, &bench.path("sparse/0"), None).unwrap_err().to_string();
    assert!(error.contains(LENSES) && error.contains("estimate poses again"), "{error}");
    std::fs::remove_file(&lenses).unwrap();
    assert!(posed(&photos, &bench.path("sparse/0"), None).unwrap_err().to_string().contains(LENSES));
}

#[test]
fn options_are_named_as_the_installed_version_names_them() {
    for (modern, prefix) in [(false, "Sift"), (true, "Feature")] {
        let mut bench = Bench::new();
        if modern {
            bench.set("modern", "");
        }
        (bench.config.colmap_threads, bench.config.seed, bench.config.lens) = (3, 7, Lens::Opencv);
        bench.estimate(&Silent::default()).unwrap();
        let calls = bench.calls();
        let has = |call: usize, words: &str| assert!(calls[call].contains(words), "{words}: {}", calls[call]);
        has(0, &format!("--{prefix}Extraction.use_gpu 0"));
        has(0, &format!("--{prefix}Extraction.max_image_size 1600"));
        has(0, "--ImageReader.single_camera 1");
        has(0, "--ImageReader.camera_model OPENCV");
        has(0, "--random_seed 7");
        has(1, &format!("--{prefix}Matching.use_gpu 0"));
        has(1, &format!("--{prefix}Matching.num_threads 3"));
        has(2, "--Mapper.min_model_size 3");
    }
}

#[test]
fn many_photographs_are_matched_with_their_neighbors() {
    let mut bench = Bench::new();
    bench.config.match_all_up_to = 3;
    bench.estimate(&Silent::default()).unwrap();
    assert_eq!(bench.commands()[1..3], ["sequential_matcher", "transitive_matcher"]);
    assert!(bench.calls()[1].contains("--SequentialMatching.loop_detection 0"));
}

#[test]
fn the_global_mapper_where_there_is_one() {
    let mut bench = Bench::new();
    bench.config.mapper = Mapper::Global;
    if Program::find(&Config::default()).is_err() {
        assert!(bench.refused().contains("poses.mapper"), "3.8 has none");
    }
    bench.set("modern", "");
    bench.estimate(&Silent::default()).unwrap();
    assert_eq!(bench.commands()[2..4], ["view_graph_calibrator", "global_mapper"]);
    assert!(bench.calls()[3].contains("--GlobalMapper.gp_use_gpu 0"));
}

#[test]
fn one_camera_only_for_photographs_of_one_size() {
    let bench = Bench::new();
    let mut views = bench.views();
    views[2].camera.width = 30;
    assert!(!focal::agree(&views, &bench.path("images")).unwrap());
    assert!(focal::agree(&bench.views(), &bench.path("images")).unwrap());
}

#[test]
fn a_crash_is_told_with_the_last_words_and_continued_from() {
    let bench = Bench::new();
    bench.set("crash", "exhaustive_matcher");
    let error = bench.refused();
    for words in ["colmap.log", "exhaustive_matcher", "signal", "about to crash"] {
        assert!(error.contains(words), "{words}: {error}");
    }
    std::fs::remove_file(bench.path("crash")).unwrap();
    bench.estimate(&Silent::default()).unwrap();
    let extractions = bench.commands().iter().filter(|c| *c == "feature_extractor").count();
    assert_eq!(extractions, 1, "a finished step is not repeated");
    bench.set("fail", "mapper");
    std::fs::remove_file(bench.path("work/models.done")).unwrap();
    let error = bench.estimate(&Silent::default()).unwrap_err().to_string();
    assert!(error.contains("exit code 3") && error.contains("out of ideas"), "{error}");
}

#[test]
fn a_hanging_step_ends_at_the_time_limit() {
    let mut bench = Bench::new();
    bench.set("hang", "mapper");
    bench.config.colmap_minutes = 0.005;
    let started = Instant::now();
    let error = bench.refused();
    assert!(started.elapsed() < Duration::from_secs(60));
    assert!(error.contains("mapper did not end") && error.contains("colmap_minutes"), "{error}");
}

#[test]
fn an_interrupt_ends_the_child_and_keeps_the_database() {
    let bench = Bench::new();
    bench.set("hang", "exhaustive_matcher");
    let stop = Stop::default();
    let asks = stop.clone();
    let waits = bench.path("calls");
    let asker = std::thread::spawn(move || {
        let begun = || std::fs::read_to_string(&waits).is_ok_and(|calls| calls.contains("exhaustive_matcher"));
        while !begun() {
            std::thread::sleep(Duration::from_millis(10));
        }
        asks.request();
    });
    let error = bench.estimate(&Silent(stop)).unwrap_err();
    asker.join().unwrap();
    assert!(matches!(error, Error::Interrupted(_)), "{error}");
    assert!(bench.path("work/database.db").is_file() && !bench.path("sparse").exists());
}

#[test]
fn no_model_or_a_small_one_says_what_photographs_are_needed() {
    let bench = Bench::new();
    bench.set("nothing", "");
    assert!(bench.refused().contains("overlapping"));
    let bench = Bench::new();
    bench.set("poses", "1 0 0 0 0 0 0 1 a.png\n1 0 0 0 1 0 0 1 d.png\n");
    assert!(bench.refused().contains("fewer than 3 of 4"));
}

#[test]
fn a_program_that_is_no_colmap_is_refused() {
    let config = Config { colmap: "true".into(), ..Config::default() };
    assert!(Program::find(&config).unwrap_err().to_string().contains("does not answer as COLMAP"));
}

#[test]
fn a_damaged_model_is_named() {
    let bench = Bench::new();
    bench.set("cameras", "1 PINHOLE eighty 60 100 101 40 30\n");
    assert!(bench.refused().contains("cameras.txt"));
    let bench = Bench::new();
    bench.set("poses", "1 0 0 0 0 0 0 1 stranger.png\n");
    assert!(bench.refused().contains("stranger.png"));
}
