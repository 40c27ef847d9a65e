//! What is chosen where much of a capture is black.

use super::choose::{Choice, Origin, choose};
use super::*;

/// `part` of the pixels around `level`, in three shades, the others at `background`.
fn samples(background: f32, part: f32, level: f32) -> Vec<[f32; 3]> {
    let pixel = |i: usize| match (i as f32) < 1000.0 * part {
        true => [level * (0.8 + 0.2 * (i % 3) as f32) / 255.0; 3],
        false => [background / 255.0; 3],
    };
    (0..1000).map(pixel).collect()
}

fn chosen(samples: &[[f32; 3]], linear: bool) -> Choice {
    let root = tempfile::tempdir().unwrap();
    choose(&Config::default(), root.path(), samples, Origin { linear, below_meter: None }).unwrap()
}

/// The lit levels of what is shown: the darkest and the brightest.
fn levels(choice: &Choice, level: f32) -> [f32; 2] {
    [0.8, 1.2].map(|of| 255.0 * choice.restoration.apply([of * level / 255.0; 3])[1])
}

#[test]
fn a_lit_subject_before_black_is_left_alone() {
    for (background, linear) in [(0.0, false), (0.4, false), (0.0, true), (-0.2, true)] {
        let choice = chosen(&samples(background, 0.31, 115.0), linear);
        assert_eq!(choice.response, "none", "{background} {linear}");
        assert!(choice.reason.contains("lit already") && choice.reason.contains("not black"), "{}", choice.reason);
    }
    // Lamps in the night are not the subject, neither is what lies in a dim light, and a dark room has a window.
    for (background, part, level) in [(0.0, 0.1, 200.0), (3.0, 0.31, 115.0), (1.0, 0.28, 115.0), (0.0, 0.4, 20.0)] {
        let choice = chosen(&samples(background, part, level), false);
        assert_ne!(choice.response, "none", "{background} {part} {level}");
    }
}

#[test]
fn what_is_shown_before_black_says_how_bright_it_becomes() {
    // A dim subject, and a dark one.
    let dim = chosen(&samples(0.0, 0.31, 20.0), false);
    assert!(dim.response.contains("unknown curve"), "{}", dim.response);
    let [low, high] = levels(&dim, 20.0);
    assert!(low > 60.0 && high < 243.0 && high > low + 15.0, "{low} {high}");
    let dark = chosen(&samples(0.0, 0.31, 4.0), false);
    assert!(dark.response.starts_with("camera"), "{}", dark.reason);
    // Nothing is different where little is black.
    let plain = chosen(&samples(2.0, 0.31, 4.0), false);
    assert_eq!((plain.response, plain.reason.contains("sensibly")), (dark.response, true));
}

/// The median luminance that pixels are lit to.
fn median(choice: &Choice, pixels: &[[f32; 3]]) -> f32 {
    estimate::median_luminance(&pixels.iter().map(|p| choice.restoration.apply(*p)).collect::<Vec<_>>())
}

#[test]
fn captures_that_would_be_too_bright_become_mid_gray() {
    let exposed = |exposure: f32, pixels: &[[f32; 3]]| {
        let root = tempfile::tempdir().unwrap();
        choose(&Config { exposure, ..Config::default() }, root.path(), pixels, Origin::default()).unwrap()
    };
    for level in [9.0, 12.0, 33.0] {
        let pixels = samples(level, 0.4, 1.2 * level);
        let choice = chosen(&pixels, false);
        assert!(
            choice.response.contains("unknown curve") && choice.reason.contains("does not fit"),
            "{}",
            choice.reason
        );
        let found = median(&choice, &pixels);
        assert!((found - 0.4613).abs() < 0.003, "{level}: {found}");
        // What is asked for counts from there.
        assert_eq!(choice.exposure.unwrap().stops, 0.0);
        let [darker, brighter] = [-0.5, 0.5].map(|stops| median(&exposed(stops, &pixels), &pixels));
        assert!(darker < found - 0.05 && brighter > found + 0.05, "{darker} {found} {brighter}");
    }
    for level in [1.0, 3.0, 7.0] {
        let own = chosen(&samples(level, 0.4, 1.2 * level), false);
        assert!(own.response == "camera (exposure ÷45)", "{level}: {}", own.response);
    }
    // What JPEG files have of black is no light to be exposed.
    for level in [0.125, 0.3] {
        let dark = chosen(&samples(level, 0.0, 0.0), false);
        assert!(dark.exposure.is_none(), "{level}: {}", dark.response);
    }
}

#[test]
fn photographs_of_nothing_stay_black() {
    let with = |ones: usize| [vec![[0.0; 3]; 2000 - ones], vec![[1.0 / 255.0; 3]; ones]].concat();
    for ones in [0, 1] {
        let choice = chosen(&with(ones), false);
        assert!(choice.response == "none" && choice.reason.contains("black"), "{}", choice.reason);
        assert_eq!(choice.restoration.apply([0.0; 3]), [0.0; 3]);
    }
    // A few lamps are something.
    assert_ne!(chosen(&with(20), false).response, "none");
    let config = Config { response: Response::Naka, ..Config::default() };
    let root = tempfile::tempdir().unwrap();
    assert!(choose(&config, root.path(), &with(0), Origin::default()).unwrap().response.starts_with("naka"));
}

#[test]
fn what_saturates_keeps_the_rest_dark_and_lamps_alone_have_no_exposure() {
    let window = samples(1.0, 0.3, 115.0);
    let choice = chosen(&window, false);
    let exposure = choice.exposure.as_ref().unwrap();
    assert!(exposure.reason.contains("with 15 % saturated"), "{exposure:?}");
    let saturated = window.iter().filter(|p| choice.restoration.apply(**p)[1] >= 0.98).count();
    assert!(saturated <= 150, "{saturated}");
    let lamps = chosen(&samples(0.0, 0.1, 200.0), false);
    assert!(lamps.response.starts_with("naka") && lamps.reason.contains("does not fit"), "{}", lamps.reason);
}

#[test]
fn linear_light_is_exposed_without_burning_what_is_shown() {
    // Encoded levels of 255. A faint background, none, and noise below black.
    for background in [0.06, 0.0, -0.3] {
        let choice = chosen(&samples(background, 0.4, 30.0), true);
        assert!(choice.response.contains("exposure ×"), "{background}: {}", choice.response);
        let [low, high] = levels(&choice, 30.0);
        assert!(low > 90.0 && high < 160.0, "{background}: {low} {high}");
    }
    // A fifth of the pixels is far brighter than the rest, which is faint, but not black.
    let choice = chosen(&samples(1.0, 0.2, 30.0), true);
    assert!(choice.reason.contains("15 % saturated"), "{}", choice.reason);
    let lit: Vec<f32> = samples(1.0, 0.2, 30.0).iter().map(|p| choice.restoration.apply(*p)[1]).collect();
    let saturated = lit.iter().filter(|v| **v >= 0.98).count();
    assert!(saturated <= 150 && lit[0] > 0.6, "{saturated} {}", lit[0]);
    // A few lamps may saturate, and no light at all becomes none.
    let lamps = chosen(&samples(1.0, 0.1, 200.0), true);
    assert!(lamps.reason.ends_with("becomes mid-gray"), "{}", lamps.reason);
    assert_eq!(chosen(&samples(-0.3, 0.0, 0.0), true).response, "none");
    // Less than may saturate is shown, on noise: its brightest say how much light there is.
    let few = chosen(&samples(-0.3, 0.05, 30.0), true);
    assert!(few.reason.contains("99th percentile"), "{}", few.reason);
}
