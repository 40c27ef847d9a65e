//! The exposure of the camera response: what was asked for, what EXIF data say, and what neither may touch.

use super::camera::{Camera, Kind};
use super::choose::{Origin, choose};
use super::tests::{gpu, scene};
use super::*;
use crate::color::{exposed, linear_to_srgb};
use crate::progress::Silent;

fn naka_rushton(ratio: f32) -> Camera {
    let text = format!("kind = 'naka-rushton'\nratio = {ratio}\nwhite = 1.2");
    Camera::parse(Path::new("camera.toml"), &text).unwrap()
}

fn lit(camera: &Camera, level: f32) -> f32 {
    camera.apply([level / 255.0; 3])[1] * 255.0
}

#[test]
fn a_naka_rushton_camera_multiplies_the_light_behind_its_levels() {
    let camera = naka_rushton(40.0);
    let light = |level: f32| level / (1.2 * 255.0 - level);
    for level in [0.1, 0.4, 0.8, 1.2, 2.4, 5.0, 9.0, 15.0, 25.0] {
        let (found, ratio) = (lit(&camera, level), light(lit(&camera, level)) / light(level));
        assert!((ratio / 40.0 - 1.0).abs() < 0.03, "{level} becomes {found}, {ratio} times the light");
    }
    // What clips in the lit picture is white, and black is black.
    assert!(lit(&camera, 40.0) > 254.4 && lit(&camera, 0.0).abs() < 1e-3 && lit(&camera, -0.2) < -5.0);
    // Light counts from the channel's own black.
    let text = "kind = 'naka-rushton'\nratio = 40.0\nwhite = 1.2\nblack = [0.5, 0.0, -0.5]";
    let [red, green, blue] = Camera::parse(Path::new("c"), text).unwrap().apply([2.0 / 255.0; 3]).map(|v| 255.0 * v);
    for (found, level) in [(red, 1.5), (green, 2.0), (blue, 2.5)] {
        assert!((found - lit(&camera, level)).abs() < 0.5, "{found}");
    }
}

#[test]
fn an_unknown_camera_is_halfway_between_srgb_and_naka_rushton() {
    for ratio in [1.0, 1.5, 4.0, 12.0, 40.0] {
        let camera = Camera::unknown(ratio);
        let dark = linear_to_srgb(0.18 / ratio);
        let light = |level: f32| level / (1.1 - level);
        let naka_ratio = light(linear_to_srgb(0.18)) / light(dark);
        let mut last = -1.0;
        for level in (0..=1000).map(|i| 0.001 * i as f32) {
            let naka = 1.1 * naka_ratio * light(level) / (1.0 + naka_ratio * light(level));
            let expected = 0.5 * (exposed(level, ratio) + naka.min(1.0));
            let found = camera.apply([level; 3])[0];
            assert!((found.min(1.0) - expected).abs() < 0.008, "{ratio}, {level}: {found} instead of {expected}");
            assert!(found >= last, "{ratio}, {level}: {found} after {last}");
            last = found;
        }
        assert!((lit(&camera, 255.0 * dark) - 117.6).abs() < 0.5, "{ratio}");
    }
}

#[test]
fn a_stop_is_twice_the_light_in_every_kind_of_camera() {
    let base = naka_rushton(40.0);
    for level in [0.3, 1.0, 3.0, 5.0] {
        let [longer, twice] = [base.clone().exposed(1.0), naka_rushton(80.0)].map(|camera| lit(&camera, level));
        assert!((longer - twice).abs() < 1.5, "{level}: {longer} {twice}");
        let back = lit(&base.clone().exposed(1.0).exposed(-1.0), level);
        assert!((back - lit(&base, level)).abs() < 0.01, "{level}: {back}");
    }
    assert_eq!(base.clone().exposed(0.0), base);
    assert_eq!(base.exposed(1.0).ratio, Some(80.0));
    let srgb = Camera::parse(Path::new("c"), "kind = 'srgb-exposure'\nratio = 40.0").unwrap();
    assert_eq!(srgb.exposed(-1.0).kind, Kind::SrgbExposure { ratios: [20.0; 3] });
}

#[test]
fn warmth_is_a_ratio_of_red_to_blue_light_in_every_kind_of_camera() {
    let srgb = Camera::parse(Path::new("c"), "kind = 'srgb-exposure'\nratio = 40.0").unwrap();
    for camera in [naka_rushton(40.0), srgb] {
        for level in [0.5, 2.0, 4.0] {
            let (plain, [red, green, blue]) =
                (lit(&camera, level), camera.clone().warmed(0.6).apply([level / 255.0; 3]));
            assert!((255.0 * green - plain).abs() < 1e-3, "{green} {plain}");
            let [more, less] = [0.3, -0.3].map(|stops| lit(&camera.clone().exposed(stops), level));
            assert!((255.0 * red - more).abs() < 0.01 && (255.0 * blue - less).abs() < 0.01, "{red} {blue}");
        }
        assert_eq!(camera.clone().warmed(0.0), camera);
    }
    // It is named, and other responses refuse it.
    let root = tempfile::tempdir().unwrap();
    let warm = Config { warmth: 0.5, ..Config::default() };
    let choice = choose(&warm, root.path(), &samples([2.0, 3.0, 4.0]), Origin::default()).unwrap();
    assert!(choice.response.ends_with("warmth +0.50 EV"), "{}", choice.response);
    let refused = Config { response: Response::Naka, ..warm }.validate().unwrap_err().to_string();
    assert!(refused.starts_with("enhance.warmth: 0.5"), "{refused}");
    let far = Config { warmth: 2.5, ..Config::default() }.validate().unwrap_err().to_string();
    assert!(far.starts_with("enhance.warmth: 2.5"), "{far}");
}

/// Dark gray levels that represent a capture.
fn samples(levels: [f32; 3]) -> Vec<[f32; 3]> {
    levels.iter().flat_map(|level| vec![[level / 255.0; 3]; 50]).collect()
}

#[test]
fn exif_data_expose_the_built_in_response_and_no_other() {
    let (root, dark) = (tempfile::tempdir().unwrap(), samples([2.0, 3.0, 4.0]));
    let built_in = Camera::open(camera::DEFAULT).unwrap().ratio.unwrap();
    let stops = |config: &Config, below_meter: Option<f64>| {
        let origin = Origin { linear: false, below_meter };
        let exposure = choose(config, root.path(), &dark, origin).unwrap().exposure.unwrap();
        (exposure.stops, exposure.reason)
    };
    let auto = Config::default();
    let (none, why) = stops(&auto, None);
    assert!(none == 0.0 && why.contains("average"), "{why}");
    // As far below the meter as the built-in response assumes, and a stop farther.
    let (same, _) = stops(&auto, Some(f64::from(built_in.log2())));
    let (farther, why) = stops(&auto, Some(f64::from(built_in.log2()) + 1.0));
    assert!(same.abs() < 1e-5 && (farther - 1.0).abs() < 1e-5 && why.contains("EXIF"), "{same} {farther} {why}");
    let set = Config { exposure: -0.33, ..auto.clone() };
    assert_eq!(stops(&set, Some(9.0)), (-0.33, "as set".into()));
    // Far nearer to it the response of another camera is likelier.
    let near = Origin { linear: false, below_meter: Some(3.0) };
    let choice = choose(&auto, root.path(), &samples([15.0, 20.0, 25.0]), near).unwrap();
    assert!(
        choice.response.contains("× 8.0, of an unknown curve") && choice.reason.contains("sensibly"),
        "{}",
        choice.reason
    );
    for config in [
        Config { exif_exposure: false, ..auto.clone() },
        Config { camera: "exposure-40".into(), ..auto.clone() },
        Config { camera: "exposure-40-plain".into(), response: Response::Camera, ..auto },
    ] {
        assert_eq!(stops(&config, Some(9.0)).0, 0.0, "{config:?}");
    }
}

#[test]
fn what_is_asked_for_brightens_and_is_reported_and_lit_captures_stay() {
    let folder = tempfile::tempdir().unwrap();
    let run = |levels: &[u8], exposure: f32, name: &str| {
        let names: Vec<String> = (0..levels.len()).map(|i| format!("{name}{i}.png")).collect();
        let capture = scene(folder.path(), levels, &names.iter().map(String::as_str).collect::<Vec<_>>());
        let config = Config { exposure, weights: "none".into(), ..Config::default() };
        let out = folder.path().join(format!("{name}.out"));
        let (lit, report) = enhance_capture(gpu(), &capture, &config, 1, &out, &Silent::default()).unwrap();
        (lit.train[0].read().unwrap().at(5, 5)[1], report)
    };
    let [(average, plain), (brighter, report)] = [(0.0, "a"), (1.0, "b")].map(|(ev, name)| run(&[2, 3, 4], ev, name));
    assert!(plain.exposure == Some(0.0) && plain.exposure_reason.contains("average"), "{plain:?}");
    assert!(report.exposure == Some(1.0) && report.exposure_reason == "as set", "{report:?}");
    assert!(report.response.contains("+1.00 EV") && !plain.response.contains("EV"), "{report:?}");
    assert!(brighter > average + 0.1, "{average} {brighter}");
    // Even where the response would not be chosen by itself.
    let (_, dim) = run(&[2, 3, 4], -4.0, "c");
    assert!(dim.response.contains("-4.00 EV"), "{dim:?}");
    let (same, report) = run(&[120, 121, 122], 0.0, "d");
    assert!(report.response == "none" && report.exposure == Some(0.0), "{report:?}");
    assert!((same - 120.0 / 255.0).abs() < 1.0 / 255.0, "{same}");
    // What is lit already counts from itself.
    let [(twice, report), (half, _)] = [(1.0, "e"), (-1.0, "f")].map(|(ev, name)| run(&[90, 91, 92], ev, name));
    assert!(
        report.response == "camera (that of the photographs), +1.00 EV" && report.reason.contains("lit already"),
        "{report:?}"
    );
    assert!((twice - exposed(90.0 / 255.0, 2.0)).abs() < 0.03, "{twice}");
    assert!((half - exposed(90.0 / 255.0, 0.5)).abs() < 0.01, "{half}");
}

#[test]
fn exposures_that_cannot_be_are_refused() {
    let message = |config: Config| config.validate().unwrap_err().to_string();
    for exposure in [5.1, -6.0, f32::NAN, f32::INFINITY] {
        let found = message(Config { exposure, ..Config::default() });
        assert!(found.contains("enhance.exposure") && found.contains("-5 to 5"), "{found}");
    }
    assert!(Config { exposure: -5.0, ..Config::default() }.validate().is_ok());
    for response in [Response::Naka, Response::Log, Response::None] {
        let found = message(Config { exposure: 0.33, response, ..Config::default() });
        assert!(found.contains("enhance.exposure") && found.contains("`enhance.response`"), "{found}");
        assert!(Config { response, ..Config::default() }.validate().is_ok());
    }
}
