//! `naka-gs enhance` as a photographer uses it: files of every kind come out as the same kind, lit.

use super::support::{assert_refused, contents, naka_gs};
use super::tiny_scene::TinyScene;
use image::metadata::Orientation;
use image::{ColorType, DynamicImage, ImageBuffer, ImageDecoder, ImageEncoder, ImageReader, Luma, Rgb, Rgba};
use naka_gs::capture;
use std::path::{Path, PathBuf};
use std::process::Output;

/// A folder of photographs and one for the results, which does not exist yet.
struct Bench {
    _dir: tempfile::TempDir,
    photos: PathBuf,
    out: PathBuf,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let photos = dir.path().join("photos");
        std::fs::create_dir(&photos).unwrap();
        let out = dir.path().join("out");
        Self { _dir: dir, photos, out }
    }

    fn enhance(&self, inputs: &[&Path], more: &[&str]) -> Output {
        let mut command = naka_gs();
        command.arg("enhance").args(inputs).arg("-o").arg(&self.out).args(["--adapter", "cpu"]).args(more);
        command.output().unwrap()
    }

    /// Lights the folder, which must succeed.
    fn light(&self, more: &[&str]) {
        let output = self.enhance(&[&self.photos], more);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    fn photo(&self, name: &str) -> PathBuf {
        self.photos.join(name)
    }

    fn jpeg(&self, name: &str) -> PathBuf {
        dark(40, 30).save(self.photo(name)).unwrap();
        self.photo(name)
    }

    fn lit(&self, name: &str) -> DynamicImage {
        image::open(self.out.join(name)).unwrap()
    }
}

/// A dark gradient with some structure.
fn dark(width: u32, height: u32) -> image::RgbImage {
    image::RgbImage::from_fn(width, height, |x, y| Rgb([(x / 4) as u8 + 1, (y / 5) as u8 + 1, ((x + y) / 9) as u8 + 1]))
}

/// An EXIF block that says how to turn the picture, and has a thumbnail.
fn exif(orientation: u8) -> Vec<u8> {
    let entry = [0x12, 0x01, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0];
    [b"II\x2a\0\x08\0\0\0\x01\0".as_slice(), &entry, &26u32.to_le_bytes(), &[0, 0, 0, 0, 0, 0]].concat()
}

/// The header of a color profile.
fn profile(space: &[u8; 4]) -> Vec<u8> {
    let mut profile = vec![0; 200];
    profile[16..20].copy_from_slice(space);
    profile
}

fn decoder(path: &Path) -> impl ImageDecoder + use<> {
    ImageReader::open(path).unwrap().with_guessed_format().unwrap().into_decoder().unwrap()
}

fn mean(image: &DynamicImage) -> f64 {
    let image = image.to_rgb8();
    image.as_raw().iter().map(|v| f64::from(*v)).sum::<f64>() / image.as_raw().len() as f64
}

#[test]
fn orientation_and_profile_stay_with_the_picture() {
    let bench = Bench::new();
    let pixels = dark(100, 60);
    let mut jpeg = jpeg_encoder::Encoder::new_file(bench.photo("turned.jpg"), 95).unwrap();
    jpeg.add_exif_metadata(&exif(6)).unwrap();
    jpeg.add_icc_profile(&profile(b"RGB ")).unwrap();
    jpeg.encode(pixels.as_raw(), 100, 60, jpeg_encoder::ColorType::Rgb).unwrap();
    let mut jpeg = jpeg_encoder::Encoder::new_file(bench.photo("gray.jpg"), 95).unwrap();
    jpeg.add_icc_profile(&profile(b"GRAY")).unwrap();
    jpeg.encode(&[3; 6000], 100, 60, jpeg_encoder::ColorType::Luma).unwrap();
    let file = std::fs::File::create(bench.photo("turned.png")).unwrap();
    let mut png = image::codecs::png::PngEncoder::new(file);
    png.set_exif_metadata(exif(3)).unwrap();
    png.set_icc_profile(profile(b"RGB ")).unwrap();
    png.write_image(&pixels, 100, 60, ColorType::Rgb8.into()).unwrap();
    let file = std::fs::File::create(bench.photo("turned.tif")).unwrap();
    let mut file = tiff::encoder::TiffEncoder::new(file).unwrap();
    let mut page = file.new_image::<tiff::encoder::colortype::RGB8>(100, 60).unwrap();
    page.encoder().write_tag(tiff::tags::Tag::Orientation, 8u16).unwrap();
    page.encoder().write_tag(tiff::tags::Tag::IccProfile, &profile(b"RGB ")[..]).unwrap();
    page.write_data(pixels.as_raw()).unwrap();
    bench.light(&["--sheet"]);

    let cases = [("turned.jpg", Orientation::Rotate90), ("turned.png", Orientation::Rotate180)];
    for (name, orientation) in cases.into_iter().chain([("turned.tif", Orientation::Rotate270)]) {
        let mut lit = decoder(&bench.out.join(name));
        assert_eq!(lit.orientation().unwrap(), orientation, "{name}");
        assert_eq!(lit.dimensions(), (100, 60), "{name}: pixels keep their order");
        assert_eq!(lit.icc_profile().unwrap(), Some(profile(b"RGB ")), "{name}");
    }
    assert_eq!(decoder(&bench.out.join("gray.jpg")).icc_profile().unwrap(), None, "the picture is not gray any more");
    // The thumbnail shows the dark picture: nothing points to it any more.
    let mut unlinked = exif(6);
    unlinked[22..26].fill(0);
    assert_eq!(decoder(&bench.out.join("turned.jpg")).exif_metadata().unwrap(), Some(unlinked));
    // On the sheet, pictures stand as a viewer shows them: the widest is 100 pixels, and so is the highest.
    let sheet = bench.lit("sheet.jpg");
    assert_eq!(sheet.width(), 4 + 3 * 104);
    assert!(sheet.height() > 4 * 100 && sheet.height() < 4 * 160, "{}", sheet.height());
}

#[test]
fn depth_is_kept() {
    let bench = Bench::new();
    let deep = ImageBuffer::from_fn(64, 40, |x, y| Rgb([x as u16 * 9 + 3, y as u16 * 11 + 5, (x + y) as u16 * 7 + 2]));
    deep.save(bench.photo("deep.png")).unwrap();
    deep.save(bench.photo("deep.tif")).unwrap();
    dark(64, 40).save(bench.photo("flat.png")).unwrap();
    bench.light(&[]);
    for name in ["deep.png", "deep.tif"] {
        let lit = bench.lit(name);
        assert_eq!(lit.color(), ColorType::Rgb16, "{name}");
        let values = lit.to_rgb16();
        assert!(values.as_raw().iter().filter(|v| **v % 257 != 0).count() > 1000, "{name}: 8 bits in a file of 16");
        assert!(mean(&lit) > 30.0, "{name}");
    }
    assert_eq!(bench.lit("deep.png").to_rgb16(), bench.lit("deep.tif").to_rgb16());
    assert_eq!(bench.lit("flat.png").color(), ColorType::Rgb8);
}

#[test]
fn opacity_is_kept() {
    let bench = Bench::new();
    let alpha = |x: u32| if x < 20 { 0 } else { 6 * x };
    let eight = ImageBuffer::from_fn(40, 30, |x, y| Rgba([x as u8 / 3, y as u8 / 3, 4, alpha(x) as u8]));
    let sixteen = ImageBuffer::from_fn(40, 30, |x, y| Rgba([x as u16 * 90, y as u16 * 90, 400, alpha(x) as u16 * 200]));
    eight.save(bench.photo("eight.png")).unwrap();
    sixteen.save(bench.photo("sixteen.png")).unwrap();
    sixteen.save(bench.photo("sixteen.tif")).unwrap();
    ImageBuffer::from_fn(40, 30, |x, _| image::LumaA([3u8, alpha(x) as u8])).save(bench.photo("gray.png")).unwrap();
    bench.light(&[]);
    for name in ["eight.png", "gray.png"] {
        let lit = bench.lit(name);
        assert_eq!(lit.color(), ColorType::Rgba8, "{name}");
        assert!(lit.to_rgba8().enumerate_pixels().all(|(x, _, p)| u32::from(p.0[3]) == alpha(x)), "{name}");
        assert!(mean(&lit) > 20.0, "{name}");
    }
    for name in ["sixteen.png", "sixteen.tif"] {
        let lit = bench.lit(name);
        assert_eq!(lit.color(), ColorType::Rgba16, "{name}");
        assert!(lit.to_rgba16().enumerate_pixels().all(|(x, _, p)| u32::from(p.0[3]) == 200 * alpha(x)), "{name}");
    }
}

#[test]
fn gray_pictures_become_color_pictures() {
    let bench = Bench::new();
    ImageBuffer::from_fn(40, 30, |x, _| Luma([x as u8 / 3])).save(bench.photo("gray.jpg")).unwrap();
    ImageBuffer::from_fn(40, 30, |x, _| Luma([x as u16 * 80])).save(bench.photo("gray.png")).unwrap();
    bench.light(&[]);
    assert_eq!(bench.lit("gray.jpg").color(), ColorType::Rgb8);
    assert_eq!(bench.lit("gray.png").color(), ColorType::Rgb16);
    assert!(mean(&bench.lit("gray.jpg")) > 30.0 && mean(&bench.lit("gray.png")) > 30.0);
}

#[test]
fn cmyk_is_refused_by_name() {
    let bench = Bench::new();
    let jpeg = jpeg_encoder::Encoder::new_file(bench.photo("print.jpg"), 95).unwrap();
    jpeg.encode(&[200; 4 * 40 * 30], 40, 30, jpeg_encoder::ColorType::Cmyk).unwrap();
    assert_refused(&bench.enhance(&[&bench.photo("print.jpg")], &[]), 1, &["print.jpg", "CMYK", "RGB"]);
    assert!(!bench.out.exists());
}

#[test]
fn files_that_are_no_pictures() {
    let bench = Bench::new();
    let good = std::fs::read(bench.jpeg("good.jpg")).unwrap();
    let mut png = std::io::Cursor::new(Vec::new());
    dark(40, 30).write_to(&mut png, image::ImageFormat::Png).unwrap();
    let png = png.into_inner();
    let cases: [(&str, &[u8]); 6] = [
        ("cut.jpg", &good[..good.len() * 2 / 3]),
        ("cut.png", &png[..png.len() / 2]),
        ("empty.jpg", b""),
        ("page.jpg", b"<html>not found</html>"),
        ("text.png", b"hello"),
        ("cut.tif", b"II\x2a\0\x08\0\0\0"),
    ];
    for (name, content) in cases {
        let path = bench.photos.join("..").join(name);
        std::fs::write(&path, content).unwrap();
        assert_refused(&bench.enhance(&[&path], &[]), 1, &[name]);
        assert!(!bench.out.exists(), "{name}");
        std::fs::rename(&path, bench.photo(name)).unwrap();
    }
    // In a folder, the others are lit, and the message at the end names what was left out.
    let output = bench.enhance(&[&bench.photos], &["--quiet"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    let last = stderr.lines().find(|line| line.starts_with("error: ")).unwrap();
    assert!(last.contains("6 of 7") && cases.iter().all(|(name, _)| last.contains(name)), "{last}");
    let written = contents(&bench.out);
    let names: Vec<_> = written.iter().map(|(path, _)| path.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["good.jpg", "results.json", "settings.toml"]);
}

#[test]
fn several_photographs_at_once() {
    let bench = Bench::new();
    let (a, b) = (bench.jpeg("a.jpg"), bench.jpeg("b.jpg"));
    bench.jpeg("c.jpg");
    let output = bench.enhance(&[&a, &b], &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(
        bench.out.join("a.jpg").is_file() && bench.out.join("b.jpg").is_file() && !bench.out.join("c.jpg").exists()
    );

    let before = contents(&bench.out);
    assert_refused(&bench.enhance(&[&a, &b], &[]), 1, &["a.jpg", "--overwrite"]);
    assert_eq!(contents(&bench.out), before);
    let other = bench.photos.join("other");
    std::fs::create_dir(&other).unwrap();
    std::fs::copy(&a, other.join("a.jpg")).unwrap();
    assert_refused(&bench.enhance(&[&a, &other.join("a.jpg")], &["-w"]), 1, &["a.jpg", "also named"]);
    assert_refused(&bench.enhance(&[&a, &bench.photo("d.jpg")], &["-w"]), 1, &["d.jpg"]);
}

#[test]
fn maps_need_a_network() {
    let bench = Bench::new();
    let photo = bench.jpeg("a.jpg");
    assert_refused(&bench.enhance(&[&photo], &["--maps", "--weights", "none"]), 2, &["--maps", "--weights none"]);
    let page = bench.photos.join("page.pth");
    std::fs::write(&page, "<html>not found</html>").unwrap();
    let weights = page.to_str().unwrap();
    assert_refused(&bench.enhance(&[&photo], &["--maps", "--weights", weights]), 1, &["page.pth", "a web page"]);
    assert!(!bench.out.exists());
}

#[test]
fn photographs_are_never_replaced() {
    let bench = Bench::new();
    let photo = bench.jpeg("a.jpg");
    let before = contents(&bench.photos);
    let into = |out: &Path, input: &Path| {
        let mut command = naka_gs();
        command.arg("enhance").arg(input).arg("-w").arg("-o").arg(out).args(["--adapter", "cpu", "--sheet"]);
        command.output().unwrap()
    };
    assert_refused(&into(&bench.photos, &photo), 2, &["--out", "photographs"]);
    assert_refused(&into(&bench.photos, &bench.photos), 2, &["--out", "photographs"]);
    assert_eq!(contents(&bench.photos), before);
    std::fs::rename(&photo, bench.photo("sheet.jpg")).unwrap();
    assert_refused(&into(&bench.out, &bench.photos), 2, &["sheet.jpg"]);
    assert!(!bench.out.exists());
    #[cfg(unix)]
    {
        std::fs::create_dir(&bench.out).unwrap();
        std::fs::rename(bench.photo("sheet.jpg"), bench.out.join("a.jpg")).unwrap();
        std::os::unix::fs::symlink(bench.out.join("a.jpg"), &photo).unwrap();
        assert_refused(&into(&bench.out, &bench.photos), 2, &["--out", "photographs"]);
        assert_eq!(contents(&bench.out)[0].1, before[0].1);
    }
}

#[test]
fn pictures_of_others_are_moved_aside_and_those_beside_a_photograph_stay() {
    let bench = Bench::new();
    bench.jpeg("a.jpg");
    std::fs::create_dir(&bench.out).unwrap();
    std::fs::write(bench.out.join("a.jpg"), "retouched").unwrap();
    assert_refused(&bench.enhance(&[&bench.photos], &["--weights", "none"]), 1, &["a.jpg", "--overwrite"]);
    // The second time, the picture is ours.
    for _ in 0..2 {
        bench.light(&["--weights", "none", "-w"]);
        assert!(bench.lit("a.jpg").width() == 40 && !bench.out.join("a.jpg.bak2").exists());
        assert_eq!(std::fs::read(bench.out.join("a.jpg.bak")).unwrap(), b"retouched");
    }
    // The JPEG of a photograph of another kind.
    let (both, webp) = (bench.photos.join("../both"), bench.photos.join("../both/b.webp"));
    std::fs::create_dir(&both).unwrap();
    dark(40, 30).save(&webp).unwrap();
    let into_both = |more: &[&str]| {
        let mut command = naka_gs();
        command.arg("enhance").arg(&webp).arg("-o").arg(&both).args(["--adapter", "cpu", "--weights", "none"]);
        command.args(more).output().unwrap()
    };
    std::fs::write(both.join("b.JPG"), "of the camera").unwrap();
    let before = contents(&both);
    for more in [&[][..], &["-w"]] {
        assert_refused(&into_both(more), 2, &["b.JPG", "photographs", "--out"]);
        assert_eq!(contents(&both), before);
    }
    std::fs::remove_file(both.join("b.JPG")).unwrap();
    for more in [&[][..], &["-w"]] {
        let output = into_both(more);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(both.join("b.JPG").is_file() && !both.join("b.JPG.bak").exists());
}

/// Views that a scene keeps from training are lit, too.
#[test]
fn pictures_in_the_way_of_views_kept_from_training_stay() {
    let bench = Bench::new();
    let frame = |index: usize| {
        bench.jpeg(&format!("{index}.jpg"));
        let x = index as f64;
        let pose = [[1.0, 0.0, 0.0, x], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]];
        serde_json::json!({ "file_path": format!("photos/{index}.jpg"), "transform_matrix": pose })
    };
    let frames: Vec<_> = (0..4).map(frame).collect();
    let transforms = serde_json::json!({ "fl_x": 40.0, "frames": frames, "val_filenames": ["photos/3.jpg"] });
    let scene = bench.photos.parent().unwrap();
    std::fs::write(scene.join("transforms.json"), transforms.to_string()).unwrap();
    std::fs::create_dir(&bench.out).unwrap();
    std::fs::write(bench.out.join("3.jpg"), "mine").unwrap();
    assert_refused(&bench.enhance(&[scene], &["--weights", "none"]), 1, &["3.jpg", "--overwrite"]);
    assert_eq!(contents(&bench.out).len(), 1);
    let output = bench.enhance(&[scene], &["--weights", "none", "-w", "--sheet"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(std::fs::read(bench.out.join("3.jpg.bak")).unwrap(), b"mine");
    assert_eq!(bench.lit("3.jpg").width(), 40);
}

/// Undistorted pictures do not fit the lens that took them.
#[test]
fn the_pictures_of_a_scene_lie_beside_cameras_that_fit_them() {
    let tiny = TinyScene::new(4);
    tiny.edit(|json| json["k1"] = serde_json::json!(-0.15));
    let lit = tiny.scene.with_file_name("lit");
    let settings = ["--weights", "none", "--downscale", "1"];
    let masked = &capture::load(&tiny.scene, &capture::Options::default()).unwrap().train[1];
    let (width, height) = capture::image_size(masked.image.as_ref().unwrap()).unwrap();
    std::fs::create_dir_all(tiny.scene.join("masks")).unwrap();
    let mask = image::GrayImage::from_fn(width, height, |x, _| image::Luma([if 2 * x < width { 255 } else { 0 }]));
    mask.save(tiny.scene.join("masks").join(format!("{}.png", masked.name))).unwrap();
    for _ in 0..2 {
        let output = tiny.run(&[&["--until", "enhance"][..], &settings].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let mut enhance = naka_gs();
    enhance.arg("enhance").arg(&tiny.scene).arg("-o").arg(&lit).args(["--adapter", "cpu"]).args(settings);
    for more in [&[][..], &["-w"]] {
        let output = enhance.args(more).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && stderr.contains("4 pictures are undistorted"), "{stderr}");
    }
    let results = std::fs::read_to_string(lit.join("results.json")).unwrap();
    assert!(results.contains("transforms.json") && results.contains("masks/"), "{results}");
    assert!(!lit.join("transforms.json.bak").exists());
    let load = |scene: &Path| capture::load(scene, &capture::Options::default()).unwrap().train;
    let given = load(&tiny.scene);
    for (folder, pictures) in [(&tiny.out, tiny.out.join("images")), (&lit, lit.clone())] {
        let found = load(folder);
        assert_eq!((found.len(), given.len()), (4, 4));
        for (view, given) in found.iter().zip(&given) {
            assert_eq!(view.image.as_deref(), Some(pictures.join(&given.name).as_path()));
            assert!(given.lens.is_some() && view.lens.is_none());
            assert_eq!(view.mask.is_some(), view.name == masked.name);
            let (camera, pinhole) = (&view.camera, &given.camera);
            assert!((camera.fx - pinhole.fx).abs() < 1e-9 && (camera.cy - pinhole.cy).abs() < 1e-9);
            assert!(camera.center().distance(pinhole.center()) < 1e-9);
        }
    }
    // It looks like a scene, and is the results of a run.
    let mut batch = naka_gs();
    let refused = batch.arg("batch").arg(&tiny.out).arg("-o").arg(tiny.scene.with_file_name("batch")).output().unwrap();
    assert_refused(&refused, 1, &["results of a run"]);
}
