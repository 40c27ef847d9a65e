use super::*;
use crate::capture::{self, Image};
use crate::progress::Silent;
use crate::random::uniform;
use std::path::PathBuf;

const SIZE: (u32, u32) = (384, 256);

/// Dark colors that vary smoothly over the picture, between 0.6 and 16 levels, before noise.
fn surfaces(seed: u64, width: u32, height: u32) -> Image {
    let wave = |x: f64, y: f64, k: u64| {
        let [fx, fy, phase] = [0, 1, 2].map(|i| uniform(seed, k, i));
        (0.055 * fx * x + 0.055 * fy * y + 6.3 * phase).sin()
    };
    let mut image = Image::new(width, height);
    for (i, pixel) in image.pixels.iter_mut().enumerate() {
        let (x, y) = ((i as u32 % width) as f64, (i as u32 / width) as f64);
        let light = 3.2 * (0.5 * (wave(x, y, 0) + wave(x, y, 1) + wave(x, y, 2))).exp();
        *pixel = std::array::from_fn(|c| (light * (0.3 * wave(x, y, 3 + c as u64)).exp() / 255.0) as f32);
    }
    image
}

/// With noise of `levels`, rounded to 8 bits.
fn noisy(image: &Image, levels: f32, seed: u64) -> Image {
    let noise = |i: usize| (0..4).map(|k| uniform(seed, 100 + k, i as u64) as f32 - 0.5).sum::<f32>() * 1.73;
    let values = image.pixels.iter().enumerate();
    let pixels = values.map(|(i, p)| std::array::from_fn(|c| p[c] + levels / 255.0 * noise(3 * i + c))).collect();
    Image::from_rgb8(&Image { pixels, ..*image }.to_rgb8())
}

fn lit_by(camera: &Camera, dark: &Image) -> Image {
    Image { pixels: dark.pixels.iter().map(|p| camera.apply(*p)).collect(), ..*dark }
}

/// Two folders of pictures.
struct Folders(tempfile::TempDir);

impl Folders {
    fn new(dark: &[(&str, Image)], lit: &[(&str, Image)]) -> Self {
        let folders = Self(tempfile::tempdir().unwrap());
        for (folder, pictures) in [("dark", dark), ("lit", lit)] {
            std::fs::create_dir(folders.path(folder)).unwrap();
            pictures.iter().for_each(|(name, image)| image.to_rgb8().save(folders.path(folder).join(name)).unwrap());
        }
        folders
    }

    /// One pair: noisy dark picture of the surfaces, lit picture by `camera`.
    fn pair(camera: &Camera) -> Self {
        let dark = surfaces(1, SIZE.0, SIZE.1);
        Self::new(&[("a.png", noisy(&dark, 1.0, 1))], &[("a.png", lit_by(camera, &dark))])
    }

    fn path(&self, folder: &str) -> PathBuf {
        self.0.path().join(folder)
    }

    fn calibrate(&self, quantiles: bool) -> Result<Calibration> {
        let [dark, lit] = ["dark", "lit"].map(|folder| capture::photos(self.path(folder)).unwrap());
        calibrate(&dark, &lit, Config { quantiles }, &Silent::default())
    }

    fn refused(&self, words: &[&str]) {
        let message = self.calibrate(false).unwrap_err().to_string();
        words.iter().for_each(|word| assert!(message.contains(word), "'{word}' is not in: {message}"));
    }
}

/// The built-in camera with a matrix for all colors, as a calibration finds them.
fn camera() -> Camera {
    let matrix = [[1.16, 0.15, -0.41], [0.14, 0.70, 0.06], [-0.12, 0.42, 0.60]];
    Camera { matrix, yellows_only: None, ..Camera::open("exposure-40").unwrap() }
}

/// Mean and largest difference of two cameras in levels over the colors of unseen surfaces.
fn difference(a: &Camera, b: &Camera) -> [f32; 2] {
    let colors = surfaces(7, 64, 48).pixels;
    let levels = |camera: &Camera, x: [f32; 3]| camera.apply(x).map(|v| v.clamp(0.0, 1.0) * 255.0);
    let differences: Vec<f32> = colors
        .iter()
        .filter(|x| levels(b, **x).iter().all(|v| *v < 245.0))
        .flat_map(|x| (0..3).map(|c| (levels(a, *x)[c] - levels(b, *x)[c]).abs()))
        .collect();
    [differences.iter().sum::<f32>() / differences.len() as f32, differences.iter().fold(0.0, |a, b| a.max(*b))]
}

#[test]
fn a_known_camera_is_found_again() {
    let found = Folders::pair(&camera()).calibrate(false).unwrap();
    let [mean, largest] = difference(&found.camera, &camera());
    println!("{mean} {largest} {:?} {:?}", found.camera.matrix, found.report);
    assert!(mean < 1.0 && largest < 8.0, "{mean} {largest}");
    // Rows are known up to a factor, which is the same as another curve.
    for (row, truth) in found.camera.matrix.iter().zip(camera().matrix) {
        let sum: f32 = truth.iter().sum();
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-3);
        (0..3).for_each(|j| assert!((row[j] - truth[j] / sum).abs() < 0.06, "{row:?} {truth:?}"));
    }
    // What remains is the noise of 6 × 6 pixels behind a curve of up to 40 lit levels a dark one.
    let rms = found.report.channels.map(|channel| channel.rms);
    assert!(rms.iter().all(|rms| rms[1] < 6.0 && rms[1] < rms[0] + 0.3), "{rms:?}");
    assert!(rms[0][0] > 1.7 * rms[0][1] && rms[2][0] > 2.4 * rms[2][1], "red and blue need their matrix: {rms:?}");
    assert!(found.report.warnings.is_empty(), "{:?}", found.report.warnings);
    assert_eq!((found.report.pairs, found.report.images), (1, [1, 1]));
    assert!(found.toml.contains("# dark: ") && found.toml.contains("residual"));
}

#[test]
fn pairs_in_memory_are_fitted_too() {
    let dark = surfaces(1, SIZE.0, SIZE.1);
    let (noise, lit) = (noisy(&dark, 1.0, 3), lit_by(&camera(), &dark));
    let [mean, _] = difference(&fit_pairs(&[(&noise, &lit), (&noise, &lit)]).unwrap(), &camera());
    assert!(mean < 1.0, "{mean}");
    assert!(fit_pairs(&[(&surfaces(1, 50, 40), &lit)]).is_err() && fit_pairs(&[]).is_err());
}

#[test]
fn grays_alone_leave_the_identity() {
    let mut dark = surfaces(2, SIZE.0, SIZE.1);
    dark.pixels.iter_mut().for_each(|p| *p = [p[1]; 3]);
    let lit = lit_by(&camera(), &dark);
    let found = Folders::new(&[("a.png", noisy(&dark, 1.0, 3))], &[("a.png", lit)]).calibrate(false).unwrap();
    for (c, row) in found.camera.matrix.iter().enumerate() {
        (0..3).for_each(|j| assert!((row[j] - f32::from(u8::from(j == c))).abs() < 0.12, "{row:?}"));
    }
}

#[test]
fn outliers_do_not_bend_the_curve() {
    let dark = surfaces(1, SIZE.0, SIZE.1);
    let mut lit = lit_by(&camera(), &dark);
    // Something stood in a tenth of the lit picture.
    for y in 40..120 {
        (100..220).for_each(|x| lit.pixels[(y * SIZE.0 + x) as usize] = [0.35, 0.8, 0.2]);
    }
    let found = Folders::new(&[("a.png", noisy(&dark, 1.0, 1))], &[("a.png", lit)]).calibrate(false).unwrap();
    let [mean, _] = difference(&found.camera, &camera());
    assert!(mean < 1.5, "{mean}");
}

#[test]
fn a_shot_in_two_formats_is_one_pair() {
    let (dark, other) = (surfaces(1, SIZE.0, SIZE.1), surfaces(2, SIZE.0, SIZE.1));
    let [noisy_dark, noisy_other] = [(&dark, 1), (&other, 2)].map(|(image, seed)| noisy(image, 1.0, seed));
    let lit = [&dark, &other].map(|image| lit_by(&camera(), image));
    let one = [("a.png", noisy_dark.clone()), ("b.png", noisy_other.clone())];
    // The JPEG file comes first, but the lit picture is a PNG file.
    let two =
        [("A.jpg", noisy_dark.clone()), ("a.png", noisy_dark), ("b.png", noisy_other.clone()), ("b.tif", noisy_other)];
    let [once, twice] = [&one[..], &two[..]].map(|pictures| {
        let folders = Folders::new(pictures, &[("a.png", lit[0].clone()), ("b.png", lit[1].clone())]);
        folders.calibrate(false).unwrap()
    });
    assert!(twice.camera.kind == once.camera.kind && twice.report.pairs == 2, "a shot counts once");
    let further: Vec<_> = twice.report.warnings.iter().filter(|words| !once.report.warnings.contains(words)).collect();
    let [found] = &further[..] else { panic!("{:?}", twice.report.warnings) };
    assert!(found.starts_with("2 more files") && found.contains("A.jpg") && found.contains("b.tif"), "{found}");
    let folders = Folders::new(&two[..2], &[("a.png", lit[0].clone()), ("c.png", lit[1].clone())]);
    let found = folders.calibrate(false).unwrap().report;
    assert!(found.pairs == 1 && !found.warnings.iter().any(|words| words.contains("no partner")), "{found:?}");
}

#[test]
fn folders_without_common_names_match_quantiles() {
    let plain = Camera::open("exposure-40-plain").unwrap();
    let dark = surfaces(1, 1024, 768);
    let lit = lit_by(&plain, &dark);
    let folders = Folders::new(&[("a.png", noisy(&dark, 1.0, 1))], &[("b.png", lit.clone()), ("c.png", lit)]);
    let found = folders.calibrate(false).unwrap();
    assert_eq!((found.report.pairs, found.report.images), (0, [1, 2]));
    assert!(found.report.warnings[0].contains("no matrix"));
    assert_eq!(found.camera.matrix, [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]);
    let [mean, _] = difference(&found.camera, &plain);
    assert!(mean < 2.5, "{mean}");
    // The same pictures as a pair, if asked for.
    assert_eq!(Folders::pair(&plain).calibrate(true).unwrap().report.pairs, 0);
}

#[test]
fn exchanged_pictures_are_refused() {
    let dark = surfaces(1, SIZE.0, SIZE.1);
    let lit = lit_by(&camera(), &dark);
    Folders::new(&[("a.png", lit)], &[("a.png", dark.clone())]).refused(&["dark", "not darker", "first"]);
    Folders::new(&[("a.png", dark.clone())], &[("a.png", dark)]).refused(&["not darker"]);
}

#[test]
fn pairs_of_two_sizes_are_refused() {
    let (dark, small) = (surfaces(1, SIZE.0, SIZE.1), surfaces(1, 192, 128));
    Folders::new(&[("a.png", dark)], &[("a.png", lit_by(&camera(), &small))]).refused(&[
        "a.png",
        "384 × 256",
        "192 × 128",
    ]);
}

#[test]
fn saturated_black_blank_and_tiny_pictures_are_refused() {
    let dark = surfaces(1, SIZE.0, SIZE.1);
    let lit = lit_by(&camera(), &dark);
    let flat = |value: f32| Image { pixels: vec![[value; 3]; dark.pixels.len()], ..dark };
    Folders::new(&[("a.png", dark.clone())], &[("a.png", flat(1.0))]).refused(&["lit", "saturated"]);
    Folders::new(&[("a.png", flat(0.0))], &[("a.png", lit.clone())]).refused(&["dark", "0.0 levels"]);
    Folders::new(&[("a.png", dark.clone())], &[("a.png", flat(0.5))]).refused(&["lit", "0.0 levels"]);
    let crop = |image: &Image| Image { width: 20, height: 10, pixels: image.pixels[..200].to_vec() };
    Folders::new(&[("a.png", crop(&dark))], &[("a.png", crop(&lit))]).refused(&["lit", "areas"]);
    let none = |image: &Image| Image { width: 1, height: 1, pixels: image.pixels[..1].to_vec() };
    Folders::new(&[("a.png", none(&dark))], &[("a.png", none(&lit))]).refused(&["0 areas", "larger"]);
}

#[test]
fn pictures_of_two_places_are_refused_or_left_out() {
    let (here, there) = (surfaces(1, SIZE.0, SIZE.1), surfaces(4, SIZE.0, SIZE.1));
    let lit = lit_by(&camera(), &here);
    Folders::new(&[("a.png", there.clone())], &[("a.png", lit.clone())]).refused(&["lit", "same thing", "quantiles"]);
    let good = [("a.png", noisy(&here, 1.0, 1)), ("b.png", there), ("c.png", here.clone())];
    let found = Folders::new(&good, &[("A.png", lit.clone()), ("b.png", lit.clone()), ("d.png", lit)])
        .calibrate(false)
        .unwrap();
    assert_eq!(found.report.pairs, 1);
    let warnings = found.report.warnings.join("\n");
    assert!(warnings.contains("b.png") && warnings.contains("no partner"), "{warnings}");
    assert!(found.toml.contains("# Warning: "));
}

#[test]
fn a_doubtful_pair_is_warned_about() {
    let dark = surfaces(1, SIZE.0, SIZE.1);
    let lit = lit_by(&camera(), &dark);
    let warnings = |dark: Image, lit: Image| {
        let found = Folders::new(&[("a.png", dark)], &[("a.png", lit)]).calibrate(false).unwrap();
        found.report.warnings.join("\n")
    };
    let mut moved = lit.clone();
    moved.pixels.chunks_exact_mut(SIZE.0 as usize).for_each(|row| row.rotate_left(24));
    assert!(warnings(dark.clone(), moved).contains("aligned"));
    let mut faint = lit.clone();
    faint.pixels.iter_mut().for_each(|p| *p = p.map(|v| 0.2 + 0.2 * v));
    assert!(warnings(dark.clone(), faint).contains("a guess"));
    let mut bright = lit;
    bright.pixels.iter_mut().for_each(|p| *p = p.map(|v| 2.5 * v));
    assert!(warnings(dark, bright).contains("clipped"));
}

#[test]
fn any_file_name_stays_in_its_comment() {
    let channel = fit::channel(&[], 0, true);
    let report = Report { warnings: vec!["one\nkind = 'x'".into()], ..Report::default() };
    let text = write::toml(Path::new("a\nmatrix = 1"), Path::new("b"), &[channel; 3], &report);
    assert!(text.lines().all(|line| !line.starts_with("matrix = 1") && !line.starts_with("kind = '")), "{text}");
}

#[test]
fn a_photographed_scene_is_lit_as_well_as_with_its_own_camera() {
    use crate::{eval::psnr, scenes};
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenes/tiny.toml");
    let mut scene = scenes::Scene::load(&file).unwrap();
    (scene.camera.width, scene.camera.height) = (192, 144);
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("capture");
    scenes::generate(&scene, &root, &Silent::default()).unwrap();
    let dark = capture::load(&root, &capture::Options::default()).unwrap();
    let lit = capture::photos(root.join("truth")).unwrap();
    let found = calibrate(&dark, &lit, Config::default(), &Silent::default()).unwrap();
    assert_eq!(found.report.pairs, 6);
    let known = Camera::open(&root.join("camera.toml").to_string_lossy()).unwrap();
    let mean = |camera: &Camera| {
        let one = |view: &View| {
            let dark = read_image(view.image.as_deref().unwrap()).unwrap();
            psnr(&lit_by(camera, &dark), &read_image(&root.join("truth").join(&view.name)).unwrap()).unwrap()
        };
        dark.train.iter().map(one).sum::<f64>() / 6.0
    };
    let (calibrated, known) = (mean(&found.camera), mean(&known));
    println!("{calibrated} {known}");
    assert!(calibrated > known - 0.2 && known > 20.0, "{calibrated} {known}");
}

mod model {
    use super::super::spline::*;
    use super::*;

    fn curve() -> Spline {
        let mut curve = Spline::between(-0.4, 18.0);
        curve.lit = std::array::from_fn(|k| 12.0 * k as f64 + 20.0 * (k as f64 / 3.0).sin());
        curve
    }

    #[test]
    fn is_the_curve_of_the_camera_file() {
        let curve = curve();
        let knots: Vec<String> = (0..KNOTS).map(|k| format!("[{:.6}, {:.6}]", curve.dark(k), curve.lit[k])).collect();
        let knots = knots.join(", ");
        let text = format!("kind = 'curve'\nred = [{knots}]\ngreen = [{knots}]\nblue = [{knots}]");
        let camera = Camera::parse(Path::new("c"), &text).unwrap();
        for i in -100..1800 {
            let level = f64::from(i) * 0.01;
            let [value, slope] = curve.at(level);
            let file = f64::from(camera.apply([level as f32 / 255.0; 3])[0]) * 255.0;
            assert!((value - file).abs() < 0.01, "{level}: {value} {file}");
            let numeric = (curve.at(level + 1e-5)[0] - curve.at(level - 1e-5)[0]) / 2e-5;
            assert!((slope - numeric).abs() < 1e-3 * slope.abs().max(1.0), "{level}: {slope} {numeric}");
        }
    }

    #[test]
    fn rises_stay_at_their_bound_only_where_the_equations_push_them() {
        let mut equations = Equations::default();
        for k in 0..KNOTS {
            let mut knot = [0.0; KNOTS];
            knot[k] = 1.0;
            let mut row = [0.0; UNKNOWNS];
            row[..KNOTS].copy_from_slice(&by_rises(&knot));
            // Rising, with a dip in the middle.
            equations.add(&row, if (6..10).contains(&k) { 3.0 } else { k as f64 }, 1.0);
        }
        (KNOTS..UNKNOWNS).for_each(|j| equations.gram[j][j] = 1.0);
        let found = equations.solve().unwrap();
        for i in 0..UNKNOWNS {
            let pull = equations.moments[i] - (0..UNKNOWNS).map(|j| equations.gram[i][j] * found[j]).sum::<f64>();
            let held = (1..KNOTS).contains(&i) && found[i] <= LEAST_RISE;
            assert!(if held { pull < 1e-9 } else { pull.abs() < 1e-9 }, "{i}: {} {pull}", found[i]);
        }
        assert!((1..KNOTS).all(|i| found[i] >= LEAST_RISE) && found[6] == LEAST_RISE && found[12] > 0.9);
        assert!(Equations::default().solve().is_none());
    }
}
