use super::camera::{Camera, Kind};
use super::*;
use crate::capture;
use crate::gpu::{self, Mask};
use crate::progress::Silent;
use glam::DMat4;
use std::sync::OnceLock;

pub(super) fn gpu() -> &'static Gpu {
    static GPU: OnceLock<Gpu> = OnceLock::new();
    GPU.get_or_init(|| Gpu::open(&gpu::Choice::Best, Mask::default()).unwrap())
}

/// Values from a little below black to white, most of them dark.
fn dark_image(width: u32, height: u32) -> Image {
    let value = |i: u32| {
        let r = (i.wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 24) as f32;
        if i.is_multiple_of(97) { r } else { 0.06 * r * r - 0.004 }
    };
    let pixels = (0..width * height).map(|i| [value(3 * i), value(3 * i + 1), value(3 * i + 2)]).collect();
    Image { width, height, pixels }
}

fn worst(kernel: &Image, twin: impl Fn([f32; 3]) -> [f32; 3], dark: &Image) -> f32 {
    let pairs = kernel.pixels.iter().zip(&dark.pixels);
    let errors = pairs.flat_map(|(k, d)| k.iter().zip(twin(*d)).map(|(a, b)| (a - b).abs()).collect::<Vec<_>>());
    errors.fold(0.0, |worst, e| if e <= worst { worst } else { e })
}

#[test]
fn golden_responses_and_maps() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/golden");
    for n in 0..2 {
        let path = folder.join(format!("enhance_{n:02}.safetensors"));
        if !path.is_file() {
            println!("skipped: no {}", path.display());
            continue;
        }
        let errors = golden_check(gpu(), &path).unwrap();
        let network = if path.with_extension("pth").is_file() { 6 } else { 0 };
        assert_eq!(errors.len(), 4 + network);
        for (name, error, tolerance) in errors {
            println!("{name}: {error:e}");
            assert!(error < tolerance, "enhance_{n:02} {name}: {error:e}");
        }
    }
}

#[test]
fn a_golden_file_of_another_kind_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("enhance_99.safetensors");
    std::fs::write(&path, "nothing").unwrap();
    assert!(golden_check(gpu(), &path).unwrap_err().to_string().contains("enhance_99"));
}

#[test]
fn kernels_equal_their_twins_in_every_mode() {
    let dark = dark_image(61, 43);
    let kernels = Kernels::with_chunks_of(gpu(), 1000).unwrap();
    let base = Config { response: Response::Naka, ..Config::default() };
    for normalize in
        [Normalize::Linear, Normalize::Percentile, Normalize::Symmetric, Normalize::Histogram, Normalize::White]
    {
        for config in [
            Config { normalize, ..base.clone() },
            Config { normalize, n: 0.74, sigma: Sigma::Value(0.03), ..base.clone() },
            Config { normalize, response: Response::Log, ..base.clone() },
            Config { normalize, response: Response::None, ..base.clone() },
        ] {
            let restoration = estimate(&config, &dark.pixels);
            let lit = kernels.apply(&dark, &restoration).unwrap();
            let error = worst(&lit, |p| restoration.apply(p), &dark);
            // A value on the edge of an 8-bit step may fall to either side.
            let tolerance = if normalize == Normalize::Histogram { 0.06 } else { 3e-6 };
            assert!(error < tolerance, "{config:?}: {error:e}");
        }
    }
    for name in ["exposure-45", "exposure-40", "exposure-40-plain"] {
        let mut camera = Camera::open(name).unwrap();
        camera.matrix = [[1.1, -0.1, 0.0], [0.0, 0.9, 0.1], [-0.2, 0.0, 1.2]];
        let restoration = Restoration::plain(Tone::Camera(Box::new(camera)));
        let error = worst(&kernels.apply(&dark, &restoration).unwrap(), |p| restoration.apply(p), &dark);
        assert!(error < 1e-5, "{name}: {error:e}");
    }
    let text = "kind = 'srgb-exposure'\nratio = 40.0\ngain = 0.9\nhues = 'yellow'\nmatrix = [[2, -1, 0], [0, 1, 0], [0, 1, 0]]";
    let camera = Camera::parse(Path::new("c"), text).unwrap();
    let restoration = Restoration::plain(Tone::Camera(Box::new(camera)));
    let error = worst(&kernels.apply(&dark, &restoration).unwrap(), |p| restoration.apply(p), &dark);
    assert!(error < 1e-5, "exposure: {error:e}");
}

#[test]
fn degenerate_images() {
    let kernels = Kernels::new(gpu()).unwrap();
    for normalize in [Normalize::Linear, Normalize::Percentile, Normalize::Histogram, Normalize::White] {
        for pixels in [vec![], vec![[0.0; 3]; 12], vec![[0.25; 3]; 12]] {
            let image = Image { width: 4, height: pixels.len() as u32 / 4, pixels };
            let config = Config { response: Response::Naka, normalize, ..Config::default() };
            let lit = kernels.apply(&image, &estimate(&config, &image.pixels)).unwrap();
            assert_eq!(lit.pixels.len(), image.pixels.len());
            assert!(lit.pixels.iter().flatten().all(|v| (0.0..=1.0).contains(v)), "{normalize:?}: {lit:?}");
            if matches!(normalize, Normalize::Linear | Normalize::Percentile) {
                assert!(lit.pixels.iter().flatten().all(|v| *v == 0.0), "a constant image gives 0");
            }
        }
    }
}

/// The published formulas, written out once more, on a hand-made example.
#[test]
fn published_formulas() {
    let pixels = [[0.0, 0.1, 0.2], [0.3, 0.4, 0.5], [0.6, 0.7, 0.9]];
    let config = Config { eight_bit: false, ..Config::published() };
    let lit = estimate(&config, &pixels).apply(pixels[1]);
    let naka = |x: f32| x / (x + 0.05);
    (0..3).for_each(|c| assert!((lit[c] - naka(pixels[1][c]) / naka(0.9)).abs() < 1e-6));
    let auto = estimate(&Config { sigma: Sigma::Auto, ..config.clone() }, &pixels);
    assert_eq!(auto.tone, Tone::Naka { n: 1.0, sigma: 0.1 }, "a quarter of the median of 0.4");
    let log = estimate(&Config { response: Response::Log, sigma: Sigma::Auto, ..config }, &pixels);
    assert!(matches!(log.tone, Tone::Log { scale } if (scale - 0.16).abs() < 1e-6));
}

#[test]
fn curves_are_monotone_through_their_knots_and_saturate() {
    for name in ["exposure-45", "exposure-40", "exposure-40-plain"] {
        let camera = Camera::open(name).unwrap();
        let Kind::Curve(curves) = &camera.kind else { panic!("{name} is a curve") };
        for curve in curves {
            for [u, y, _] in &curve.knots {
                assert!((curve.apply(u.sinh() / 255.0) - y).abs() < 1e-4);
            }
            let values: Vec<f32> = (-2000..26_000).map(|i| curve.apply(i as f32 / 25_500.0)).collect();
            assert!(values.windows(2).all(|w| w[1] >= w[0] - 1e-6), "{name} falls somewhere");
            // No jump: the steepest place is far below one full range a level.
            assert!(values.windows(2).all(|w| w[1] - w[0] < 0.005), "{name} jumps");
            assert!(values.last().is_some_and(|v| *v > 0.9 && *v <= 1.0) && values[0] < 0.0);
        }
    }
}

#[test]
fn a_matrix_for_yellows_leaves_pinks_and_grays() {
    let text = |hues: &str| {
        let matrix = "matrix = [[1.5, -0.25, -0.25], [0.5, 0.5, 0.0], [0.0, 0.5, 0.5]]";
        format!("kind = 'srgb-exposure'\nratio = 1.0\ngain = 0.9\n{matrix}\nhues = '{hues}'")
    };
    let [all, yellow] = ["all", "yellow"].map(|hues| Camera::parse(Path::new("c"), &text(hues)).unwrap());
    let same = |a: [f32; 3], b: [f32; 3]| (0..3).all(|c| (a[c] - b[c]).abs() < 1e-5);
    let (pink, gray, lime) = ([0.5, 0.1, 0.2], [0.3; 3], [0.3, 0.4, 0.1]);
    assert!(same(yellow.apply(pink), pink.map(|v| 0.9 * v)) && !same(all.apply(pink), yellow.apply(pink)));
    let mut led = yellow.clone();
    led.red_lead = 2.0;
    assert!(same(led.apply(pink), [0.45 + 2.0 * 0.3, 0.09, 0.18]) && same(led.apply(lime), yellow.apply(lime)));
    assert!(same(yellow.apply(gray), [0.27; 3]) && same(yellow.apply(lime), all.apply(lime)));
    assert!(Camera::parse(Path::new("c"), &text("blue")).unwrap_err().to_string().contains("blue"));
}

#[test]
fn an_exposure_is_inverted_exactly() {
    let camera = Camera::parse(Path::new("camera.toml"), "kind = \"srgb-exposure\"\nratio = 40.0").unwrap();
    for level in 0..=20 {
        let linear = level as f32 / 20.0;
        let srgb = |v: f32| if v <= 0.003_130_8 { 12.92 * v } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 };
        assert!((camera.apply([srgb(linear / 40.0); 3])[1] - srgb(linear)).abs() < 1e-5);
    }
    let [below, above] = [-0.0005, 0.0005].map(|v| camera.apply([v; 3])[0]);
    assert!(below < 0.0 && above > 0.0, "black is crossed: {below} {above}");
}

#[test]
fn bad_camera_files_say_what_is_wrong() {
    let cases = [
        ("kind = 'curve'\nred = [[0, 0]]", "two knots"),
        ("kind = 'curve'\nred = [[1, 0], [0, 9]]", "rise"),
        ("kind = 'curve'\nred = [[0, 0], [9, 255]]", "below 255"),
        ("kind = 'curve'\nred = [[0, nan], [9, 25]]", "numbers"),
        ("kind = 'srgb-exposure'", "ratio"),
        ("kind = 'naka-rushton'\nwhite = 1.2", "ratio"),
        ("kind = 'naka-rushton'\nratio = 40.0\nwhite = 1.0", "white above 1"),
        ("kind = 'naka-rushton'\nratio = 0.5\nwhite = 1.2", "ratio above 1"),
        ("kind = 'naka-rushton'\nratio = 40.0\nwhite = 1.2\nblack = [0, nan, 0]", "numbers"),
        ("kind = 'srgb-exposure'\nratio = 4.0\nred_lead = -1.0", "red_lead"),
        ("kind = 'srgb-exposure'\nratio = 4.0\nred_lead = 4.1", "red_lead"),
        ("kind = 'film'", "unknown kind 'film'"),
        ("kind = 'curve'\ngain = -1.0", "gain"),
        ("color = 1", "color"),
        ("kind", "camera.toml"),
    ];
    for (text, expected) in cases {
        let message = Camera::parse(Path::new("camera.toml"), text).unwrap_err().to_string();
        assert!(message.contains(expected) && message.contains("camera.toml"), "{text}: {message}");
    }
    assert!(Camera::open("nikon").unwrap_err().to_string().contains("exposure-40"));
}

#[test]
fn settings_survive_toml_and_bad_ones_are_named() {
    let config = Config { sigma: Sigma::Value(0.02), response: Response::Naka, ..Config::default() };
    assert_eq!(toml::from_str::<Config>(&toml::to_string(&config).unwrap()).unwrap(), config);
    assert_eq!(toml::from_str::<Config>("sigma = 'auto'").unwrap(), Config::default());
    assert!(toml::from_str::<Config>("sigma = 'big'").is_err());
    for bad in [Config { n: f32::NAN, ..Config::default() }, Config { sigma: Sigma::Value(0.0), ..Config::default() }] {
        assert!(bad.validate().is_err(), "{bad:?}");
    }
}

pub fn scene(folder: &Path, levels: &[u8], names: &[&str]) -> Capture {
    let camera = capture::Camera {
        width: 32,
        height: 20,
        fx: 30.0,
        fy: 30.0,
        cx: 16.0,
        cy: 10.0,
        viewmat: DMat4::IDENTITY,
        reduction: 1.0,
    };
    let view = |(&level, &name): (&u8, &&str)| {
        let path = folder.join(name);
        let picture = ::image::RgbImage::from_fn(32, 20, |x, _| ::image::Rgb([level + (x / 16) as u8, level, level]));
        picture.save(&path).unwrap();
        View {
            name: name.into(),
            image: Some(path),
            camera: camera.clone(),
            lens: None,
            mask: None,
            gain: None,
            shots: Vec::new(),
        }
    };
    let mut train: Vec<View> = levels.iter().zip(names).map(view).collect();
    let holdout = train.split_off(train.len() - 1);
    let test =
        vec![View { name: "t.png".into(), image: None, camera, lens: None, mask: None, gain: None, shots: Vec::new() }];
    Capture { root: folder.into(), train, holdout, test, ..Capture::default() }
}

#[test]
fn a_capture_is_lit_under_its_own_names_and_consistently() {
    let folder = tempfile::tempdir().unwrap();
    let names = ["a.png", "b.JPG", "c.tiff", "d.png"];
    let dark = scene(folder.path(), &[2, 3, 2, 3], &names);
    let out = folder.path().join("out/images");
    let (lit, report) = enhance_capture(gpu(), &dark, &Config::default(), 2, &out, &Silent::default()).unwrap();
    assert_eq!((lit.train.len(), lit.holdout.len(), report.images), (3, 1, 4));
    assert_eq!(lit.test, dark.test);
    let mut written: Vec<_> = std::fs::read_dir(&out).unwrap().map(|e| e.unwrap().file_name()).collect();
    written.sort();
    assert_eq!(written, names);
    let image = |view: &View| view.read().unwrap();
    for view in lit.train.iter().chain(&lit.holdout) {
        let image = image(view);
        assert_eq!((image.width, image.height), (16, 10));
        assert_eq!((view.camera.width, view.camera.fx), (16, 15.0));
    }
    assert!((image(&lit.train[0]).at(3, 3)[1] - image(&lit.train[2]).at(3, 3)[1]).abs() < 2.0 / 255.0);
    assert!(image(&lit.train[1]).at(3, 3)[1] > image(&lit.train[0]).at(3, 3)[1] + 0.05);
    assert!(report.response.contains("camera"), "{report:?}");
}

#[test]
fn the_response_is_chosen_by_what_fits() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("images");
    let response = |capture: &Capture, config: &Config| {
        enhance_capture(gpu(), capture, config, 1, &out, &Silent::default()).unwrap().1
    };
    let names = ["a.png", "b.png"];
    let lit = response(&scene(folder.path(), &[120, 130], &names), &Config::default());
    assert!(lit.response == "none" && lit.reason.contains("lit"), "{lit:?}");
    let dusk = response(&scene(folder.path(), &[30, 31], &names), &Config::default());
    assert!(dusk.response.contains("unknown curve") && (dusk.median[1] - 0.46).abs() < 0.01, "{dusk:?}");
    let dark = scene(folder.path(), &[2, 3], &names);
    let published = response(&dark, &Config::published());
    assert!(published.response.starts_with("per image: naka"), "{published:?}");
    std::fs::write(folder.path().join("camera.toml"), "kind = 'srgb-exposure'\nratio = 40.0\nname = 'mine'").unwrap();
    let own = response(&dark, &Config::default());
    assert!(own.response.contains("mine") && own.reason.contains("camera.toml"), "{own:?}");
}

#[test]
fn stops_and_bad_input_leave_clear_words() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("images");
    let mut dark = scene(folder.path(), &[2, 3], &["a.png", "b.png"]);
    let silent = Silent::default();
    silent.0.request();
    let stopped = enhance_capture(gpu(), &dark, &Config::default(), 1, &out, &silent);
    assert!(matches!(stopped, Err(Error::Interrupted(_))));
    let same = Capture { holdout: dark.train.clone(), ..dark.clone() };
    let twice = enhance_capture(gpu(), &same, &Config::default(), 1, &out, &Silent::default()).unwrap_err();
    assert!(twice.to_string().contains("also named a.png"), "{twice}");
    std::fs::write(folder.path().join("b.png"), "cut").unwrap();
    let cut = enhance_capture(gpu(), &dark, &Config::default(), 1, &out, &Silent::default()).unwrap_err();
    assert!(cut.to_string().contains("b.png"), "{cut}");
    dark.holdout.clear();
    assert!(enhance_capture(gpu(), &dark, &Config::default(), 0, &out, &Silent::default()).is_ok());
}

#[test]
fn the_network_corrects_a_capture_with_statistics_of_all_views() {
    let folder = tempfile::tempdir().unwrap();
    let dark = scene(folder.path(), &[2, 3, 2], &["a.png", "b.png", "c.png"]);
    let mut weights = network::tests::whole::weights(3, 3);
    weights.metadata.insert("working".into(), "16".into());
    let file = folder.path().join("w.safetensors");
    weights.write(&file).unwrap();
    let run = |config: &Config, capture: &Capture, name: &str| {
        let out = folder.path().join(name);
        let (lit, report) = enhance_capture(gpu(), capture, config, 1, &out, &Silent::default()).unwrap();
        let image = |view: &View| view.read().unwrap();
        (lit.train.iter().chain(&lit.holdout).map(image).collect::<Vec<_>>(), report)
    };
    let none = Config { weights: "none".into(), ..Config::default() };
    let with = Config { weights: file.to_string_lossy().into_owned(), ..Config::default() };
    let (plain, report) = run(&none, &dark, "none");
    assert_eq!((report.network.as_str(), report.network_ms), ("none", 0.0));
    let (corrected, report) = run(&with, &dark, "with");
    assert!(report.network.contains("w.safetensors (at most 16 pixels a side, statistics of 3 views)"), "{report:?}");
    assert!(report.network_ms > 0.0);
    assert_eq!((corrected[0].width, corrected[0].height), (plain[0].width, plain[0].height));
    assert_ne!(corrected, plain);
    assert_eq!(corrected[0], corrected[2], "equal views stay equal");
    // Alone, a view has its own statistics.
    let alone = Capture { train: vec![dark.train[0].clone()], holdout: Vec::new(), ..dark.clone() };
    let (_, report) = run(&with, &alone, "alone");
    assert!(report.network.contains("statistics of each view"), "{report:?}");
    let (full, report) = run(&Config { working: 9999, ..with.clone() }, &dark, "full");
    assert!(report.network.contains("at most 9999") && full != corrected, "{report:?}");
    let absent = Config { weights: "nowhere.pth".into(), ..Config::default() };
    let error = enhance_capture(gpu(), &dark, &absent, 1, &folder.path().join("absent"), &Silent::default());
    let error = error.unwrap_err().to_string();
    assert!(error.contains("nowhere.pth"), "{error}");
    // Nor are photographs replaced by what is made of them.
    let photograph = dark.train[0].image.as_ref().unwrap();
    let before = std::fs::read(photograph).unwrap();
    let error = enhance_capture(gpu(), &dark, &none, 1, folder.path(), &Silent::default()).unwrap_err().to_string();
    assert!(error.contains("would be replaced") && before == std::fs::read(photograph).unwrap(), "{error}");
}
