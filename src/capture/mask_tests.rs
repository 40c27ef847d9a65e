//! Masks beside photographs, as the programs that write them lay them out.

use super::*;
use crate::progress::Silent;
use ::image::{GrayImage, Luma, Rgb, RgbImage, Rgba, RgbaImage};
use glam::DMat4;
use std::fs;
use std::path::Path;

const SIZE: (u32, u32) = (12, 8);
const POSE: &str = "[[1,0,0,0],[0,1,0,0],[0,0,1,0],[0,0,0,1]]";

/// The left half counts, the right half is black.
fn half() -> GrayImage {
    GrayImage::from_fn(SIZE.0, SIZE.1, |x, _| Luma([if x < SIZE.0 / 2 { 255 } else { 0 }]))
}

fn save(path: &Path, image: &GrayImage) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    image.save(path).unwrap();
}

/// A scene with three photographs in `images/`; `mask_paths` go into the JSON.
fn scene(root: &Path, mask_paths: &[&str]) {
    fs::create_dir_all(root.join("images")).unwrap();
    let frame = |i: usize| {
        let name = format!("images/{i}.jpg");
        RgbImage::from_pixel(SIZE.0, SIZE.1, Rgb([9, 9, 9])).save(root.join(&name)).unwrap();
        let mask = mask_paths.get(i).map(|mask| format!(", \"mask_path\": \"{mask}\"")).unwrap_or_default();
        let pose = format!("[[1,0,0,{i}],[0,1,0,0],[0,0,1,0],[0,0,0,1]]");
        format!("{{\"file_path\": \"{name}\", \"transform_matrix\": {pose}{mask}}}")
    };
    let frames: Vec<String> = (0..3).map(frame).collect();
    let json = format!("{{\"camera_angle_x\": 0.8, \"frames\": [{}]}}", frames.join(","));
    fs::write(root.join("transforms.json"), json).unwrap();
}

fn load(root: &Path, masks: MaskUse) -> crate::Result<Capture> {
    super::load(root, &Options { masks, ..Options::default() })
}

fn weights(view: &View) -> Option<Vec<f32>> {
    view.read_weights(SIZE.0, SIZE.1).unwrap()
}

fn columns(view: &View) -> [f32; 2] {
    let weights = weights(view).unwrap();
    [weights[0], weights[SIZE.0 as usize - 1]]
}

#[test]
fn masks_are_found_where_programs_put_them() {
    for place in [
        "masks/1.jpg.png",
        "masks/1.png",
        "mask/1.PNG",
        "Masks/1.png",
        "images/masks/1.png",
        "masks/images/1.png",
        "masks/1_mask.png",
        "masks/mask_1.png",
        "masks/1.mask.tif",
        "masks/1.jpg.mask.png",
        "images/1_mask.PNG",
        "images/1.jpg.mask.png",
    ] {
        let dir = tempfile::tempdir().unwrap();
        scene(dir.path(), &[]);
        half().save(dir.path().join("mask.png")).unwrap();
        fs::create_dir_all(dir.path().join(place).parent().unwrap()).unwrap();
        fs::rename(dir.path().join("mask.png"), dir.path().join(place)).unwrap();
        let capture = load(dir.path(), MaskUse::Use).unwrap();
        assert_eq!(columns(&capture.train[1]), [1.0, 0.0], "{place}");
        assert!(capture.train[0].mask.is_none() && weights(&capture.train[0]).is_none());
        assert_eq!(columns(&load(dir.path(), MaskUse::Invert).unwrap().train[1]), [0.0, 1.0]);
        assert!(load(dir.path(), MaskUse::Ignore).unwrap().train[1].mask.is_none());
    }
    // Beside a folder of photographs without poses, and below it.
    let dir = tempfile::tempdir().unwrap();
    scene(dir.path(), &[]);
    save(&dir.path().join("masks/2.png"), &half());
    let mut photos = photos(dir.path().join("images")).unwrap();
    add_masks(&mut photos, MaskUse::Use).unwrap();
    assert_eq!(columns(&photos.train[2]), [1.0, 0.0]);
    assert!(photos.train[0].mask.is_none());
}

#[test]
fn the_mask_of_a_photograph_is_not_that_of_a_test_picture_of_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    scene(root, &[]);
    for name in ["test/1.png", "test/7.png"] {
        save(&root.join(name), &half());
    }
    save(&root.join("masks/1.png"), &half());
    save(&root.join("masks/7.png"), &half());
    let test = [1, 7].map(|i| format!("{{\"file_path\": \"test/{i}.png\", \"transform_matrix\": {POSE}}}")).join(",");
    let test = format!("{{\"camera_angle_x\": 0.8, \"frames\": [{test}]}}");
    fs::write(root.join("transforms_test.json"), test).unwrap();
    let masked = |capture: &Capture| capture.test.iter().map(|view| view.mask.is_some()).collect::<Vec<_>>();
    let capture = load(root, MaskUse::Use).unwrap();
    assert_eq!(columns(&capture.train[1]), [1.0, 0.0]);
    assert_eq!(masked(&capture), [false, true], "no photograph is called 7");
    let images = ["test/1.png", "test/7.png"].map(|name| root.join(name));
    let found = masks_of(&root.join("test"), images.iter().map(|image| image.as_path()), MaskUse::Use).unwrap();
    assert_eq!(found.into_keys().collect::<Vec<_>>(), &images[1..]);
    save(&root.join("masks/test/1.png"), &half());
    assert_eq!(masked(&load(root, MaskUse::Use).unwrap()), [true, true]);
}

#[test]
fn masks_beside_photographs_are_no_photographs() {
    let dir = tempfile::tempdir().unwrap();
    scene(dir.path(), &[]);
    let folder = dir.path().join("images");
    // OpenDroneMap, RealityScan, and a photograph that is only named as if it were a mask.
    for name in ["0_mask.png", "1.jpg.mask.png", "night_mask.png"] {
        half().save(folder.join(name)).unwrap();
    }
    fs::rename(folder.join("2.jpg"), folder.join("2.JPG")).unwrap();
    half().save(folder.join("2_MASK.png")).unwrap();
    let mut photos = photos(&folder).unwrap();
    let names: Vec<_> = photos.train.iter().map(|view| view.name.as_str()).collect();
    assert_eq!(names, ["0.jpg", "1.jpg", "2.JPG", "night_mask.png"]);
    add_masks(&mut photos, MaskUse::Use).unwrap();
    assert!(photos.train[..3].iter().all(|view| columns(view) == [1.0, 0.0]) && photos.train[3].mask.is_none());
}

#[test]
fn masks_of_no_photograph_are_named() {
    let dir = tempfile::tempdir().unwrap();
    scene(dir.path(), &[]);
    for name in ["m1", "m2", "m3", "m4"] {
        save(&dir.path().join("masks").join(name).with_extension("png"), &half());
    }
    let told =
        || super::mask_files::Finder::new(dir.path(), MaskUse::Use).misnamed(&load(dir.path(), MaskUse::Use).unwrap());
    let [told] = &told()[..] else { panic!("one folder of masks") };
    for words in ["masks", "4 images (m1.png, m2.png, m3.png, …)", "0.jpg.png, 0.png or 0_mask.png"] {
        assert!(told.contains(words), "{words}: {told}");
    }
}

#[test]
fn masks_in_other_folders_than_their_photographs_are_named() {
    // The folder of the photographs, where the masks lie, how they are listed, and where they would be.
    for (photographs, masks, listed, place) in
        [("images/a", "masks", "(0.png)", "masks/a"), ("images", "masks/a", "(a/0.png)", "masks")]
    {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path();
        scene(root, &[]);
        fs::rename(root.join("images"), root.join("moved")).unwrap();
        fs::create_dir_all(root.join(photographs).parent().unwrap()).unwrap();
        fs::rename(root.join("moved"), root.join(photographs)).unwrap();
        let text = fs::read_to_string(root.join("transforms.json")).unwrap();
        fs::write(root.join("transforms.json"), text.replace("images/", &format!("{photographs}/"))).unwrap();
        save(&root.join(masks).join("0.png"), &half());
        let capture = load(root, MaskUse::Use).unwrap();
        assert!(capture.train[0].mask.is_none());
        let told = super::mask_files::Finder::new(root, MaskUse::Use).misnamed(&capture);
        let [told] = &told[..] else { panic!("{told:?}") };
        let place = root.join(place);
        assert!(told.contains(listed) && told.trim_end_matches('/').ends_with(place.to_str().unwrap()), "{told}");
    }
}

#[test]
fn what_is_erased_from_a_mask_is_hidden() {
    let dir = tempfile::tempdir().unwrap();
    scene(dir.path(), &[]);
    let erased = |x| Rgba([255, 255, 255, if x < SIZE.0 / 2 { 255 } else { 0 }]);
    fs::create_dir(dir.path().join("masks")).unwrap();
    RgbaImage::from_fn(SIZE.0, SIZE.1, |x, _| erased(x)).save(dir.path().join("masks/0.png")).unwrap();
    assert_eq!(columns(&load(dir.path(), MaskUse::Use).unwrap().train[0]), [1.0, 0.0]);
    assert_eq!(columns(&load(dir.path(), MaskUse::Invert).unwrap().train[0]), [0.0, 1.0]);
}

#[test]
fn a_frame_names_its_mask() {
    let dir = tempfile::tempdir().unwrap();
    scene(dir.path(), &["", "m\\\\b.png"]);
    save(&dir.path().join("m/b.png"), &half());
    let text = fs::read_to_string(dir.path().join("transforms.json")).unwrap().replace(", \"mask_path\": \"\"", "");
    fs::write(dir.path().join("transforms.json"), text).unwrap();
    let capture = load(dir.path(), MaskUse::Use).unwrap();
    assert_eq!(columns(&capture.train[1]), [1.0, 0.0]);
    for (named, found) in [("gone.png", "gone.png"), ("../m.png", "outside")] {
        scene(dir.path(), &[named]);
        let error = load(dir.path(), MaskUse::Use).unwrap_err().to_string();
        assert!(error.contains("transforms.json") && error.contains(found), "{error}");
    }
}

#[test]
fn a_mask_of_another_shape_is_refused_and_a_smaller_one_scaled() {
    let dir = tempfile::tempdir().unwrap();
    scene(dir.path(), &[]);
    let mask = dir.path().join("masks/0.png");
    save(&mask, &GrayImage::from_fn(6, 4, |x, _| Luma([u8::from(x < 3)])));
    // Labels of 0 and 1 count as black and not.
    assert_eq!(columns(&load(dir.path(), MaskUse::Use).unwrap().train[0]), [1.0, 0.0]);
    save(&mask, &GrayImage::new(8, 12));
    let error = load(dir.path(), MaskUse::Use).unwrap_err().to_string();
    assert!(error.contains("0.png") && error.contains("8 × 12") && error.contains("12 × 8"), "{error}");
    assert!(!error.contains("EXIF"), "{error}");
    // The photograph's shape as viewers show it: an orientation of 6.
    let (mut bytes, exif) = (Vec::new(), b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0");
    let mut encoder = ::image::codecs::jpeg::JpegEncoder::new(&mut bytes);
    ::image::ImageEncoder::set_exif_metadata(&mut encoder, exif.to_vec()).unwrap();
    encoder.encode_image(&RgbImage::new(SIZE.0, SIZE.1)).unwrap();
    fs::write(dir.path().join("images/0.jpg"), bytes).unwrap();
    let error = load(dir.path(), MaskUse::Use).unwrap_err().to_string();
    assert!(error.contains("0.png") && error.contains("EXIF"), "{error}");
    fs::write(&mask, "no picture").unwrap();
    assert!(load(dir.path(), MaskUse::Use).unwrap_err().to_string().contains("0.png"));
}

#[test]
fn a_mask_may_cost_what_its_photograph_may() {
    let dir = tempfile::tempdir().unwrap();
    scene(dir.path(), &[]);
    // 28 megapixels in a few kilobytes.
    let mask = GrayImage::from_fn(6600, 4400, |x, _| Luma([if x < 3300 { 255 } else { 0 }]));
    save(&dir.path().join("masks/1.png"), &mask);
    let error = load(dir.path(), MaskUse::Use).unwrap_err().to_string();
    assert!(error.contains("masks/1.png") && error.contains("max_memory"), "{error}");
    // As long as a photograph of that size would be.
    let photo = fs::OpenOptions::new().write(true).open(dir.path().join("images/1.jpg")).unwrap();
    photo.set_len(4 << 20).unwrap();
    // Of half a million values a mean is not exact.
    let [left, right] = columns(&load(dir.path(), MaskUse::Use).unwrap().train[1]);
    assert!((left - 1.0).abs() < 1e-5 && right == 0.0, "{left} {right}");
}

/// What JPEG makes of black is not exactly black.
#[test]
fn alpha_and_mask_both_hide_and_follow_the_lens() {
    let dir = tempfile::tempdir().unwrap();
    let (photo, file) = (dir.path().join("a.png"), dir.path().join("m.jpg"));
    let top = RgbaImage::from_fn(SIZE.0, SIZE.1, |_, y| Rgba([5, 5, 5, if y < 4 { 255 } else { 0 }]));
    top.save(&photo).unwrap();
    half().save(&file).unwrap();
    let mask = Mask { alpha: Some(photo.clone()), file: Some(file), ..Mask::default() };
    let camera =
        Camera { width: 12, height: 8, fx: 10.0, fy: 10.0, cx: 6.0, cy: 4.0, viewmat: DMat4::IDENTITY, reduction: 1.0 };
    let view = View {
        name: "a.png".into(),
        image: Some(photo),
        camera: camera.clone(),
        lens: None,
        mask: Some(mask),
        gain: None,
        shots: Vec::new(),
    };
    let flat = weights(&view).unwrap();
    assert_eq!([flat[0], flat[11], flat[7 * 12], flat[7 * 12 + 11]], [1.0, 0.0, 0.0, 0.0]);
    let distortion = Distortion::Brown { k: [0.3, 0.0, 0.0, 0.0, 0.0, 0.0], p: [0.0; 2] };
    let bent = View { lens: Some(Lens::new(&camera, distortion).unwrap()), ..view };
    let through_lens = weights(&bent).unwrap();
    assert_ne!(through_lens, flat);
    // The lit picture has no lens any more; its mask still has.
    let lit = View { mask: bent.undistorted_mask(), lens: None, ..bent.clone() };
    assert_eq!(weights(&lit).unwrap(), through_lens);
}

#[test]
fn masks_that_hide_everything_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    scene(dir.path(), &[]);
    for i in 0..3 {
        save(&dir.path().join(format!("masks/{i}.png")), &GrayImage::new(SIZE.0, SIZE.1));
    }
    let gpu = crate::gpu::Gpu::open(&crate::gpu::Choice::Best, crate::gpu::Mask::ALL).unwrap();
    let config = crate::enhance::Config { weights: "none".into(), ..Default::default() };
    let lit = |masks| {
        let capture = load(dir.path(), masks).unwrap();
        crate::enhance::enhance_capture(&gpu, &capture, &config, 1, &dir.path().join("lit"), &Silent::default())
    };
    let error = lit(MaskUse::Use).unwrap_err().to_string();
    assert!(error.contains("every pixel") && error.contains("invert"), "{error}");
    assert_eq!(lit(MaskUse::Invert).unwrap().1.hidden, 0.0);
    save(&dir.path().join("masks/1.png"), &half());
    let report = lit(MaskUse::Use).unwrap().1;
    assert!((report.hidden - 2.5 / 3.0).abs() < 1e-9, "{}", report.hidden);
}
