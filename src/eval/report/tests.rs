use super::*;
use crate::eval::{Sampling, write_jpeg, write_jpeg_with};
use crate::progress::Silent;

/// A smooth picture that JPEG keeps well.
fn picture(width: u32, height: u32, shift: f32) -> Image {
    let mut image = Image::new(width, height);
    for (i, p) in image.pixels.iter_mut().enumerate() {
        let (x, y) = ((i as u32 % width) as f32 / width as f32, (i as u32 / width) as f32 / height as f32);
        *p = [0.2 + 0.5 * x + shift, 0.3 + 0.4 * y + shift, 0.5 + 0.3 * (6.0 * x).sin() * y + shift];
    }
    image
}

#[test]
fn folders_pair_by_stem_whatever_the_case() {
    let dir = tempfile::tempdir().unwrap();
    let (renders, references) = (dir.path().join("renders"), dir.path().join("references"));
    [&renders, &references].iter().for_each(|d| std::fs::create_dir(d).unwrap());
    write_jpeg(&renders.join("Frame1.JPG"), &picture(40, 24, 0.0)).unwrap();
    write_jpeg(&renders.join("frame2.jpg"), &picture(40, 24, 0.1)).unwrap();
    write_jpeg(&renders.join("lonely.jpg"), &picture(40, 24, 0.1)).unwrap();
    std::fs::write(renders.join("notes.txt"), "no picture").unwrap();
    [&renders, &references].iter().for_each(|d| std::fs::write(d.join("._Frame1.jpg"), "no picture").unwrap());
    write_jpeg(&renders.join("cam0/frame2.jpg"), &picture(40, 24, 0.0)).unwrap();
    write_jpeg(&references.join("Cam0/frame2.jpg"), &picture(40, 24, 0.0)).unwrap();
    picture(40, 24, 0.0).to_rgb8().save(references.join("frame1.png")).unwrap();
    picture(40, 24, 0.0).to_rgb8().save(references.join("FRAME2.PNG")).unwrap();

    let metrics = compare_folders(&renders, &references, MaskUse::Use, None, &Silent::default()).unwrap();
    let views = &metrics.test.views;
    assert_eq!(
        views.iter().map(|v| v.name.as_str()).collect::<Vec<_>>(),
        ["cam0/frame2.jpg", "Frame1.JPG", "frame2.jpg"]
    );
    assert!(views[..2].iter().all(|view| view.psnr > 35.0), "{views:?}");
    // A shift by 0.1 is 20 dB, and nothing once colors are fitted.
    assert!((views[2].psnr - 20.0).abs() < 0.3, "{}", views[2].psnr);
    assert!(views[2].psnr_affine > 35.0 && views[2].psnr_quadratic > 35.0);
    let mean = views.iter().map(|view| view.psnr).sum::<f64>() / 3.0;
    assert!((metrics.test.psnr.unwrap() - mean).abs() < 1e-9);
}

#[test]
fn the_json_is_the_documented_one() {
    let view = compare("0031.JPG", &picture(16, 16, 0.0), &picture(16, 16, 0.0), None, Extras::default()).unwrap();
    let metrics = Metrics { test: Group::new(vec![view]), holdout: None };
    let json = serde_json::to_value(&metrics).unwrap();
    assert_eq!(json["psnr"], 100.0);
    assert!((json["ssim"].as_f64().unwrap() - 1.0).abs() < 1e-6);
    assert!(json["lpips"].is_null() && json["holdout"].is_null());
    assert_eq!(json["views"][0]["name"], "0031.JPG");
    assert_eq!(serde_json::from_value::<Metrics>(json).unwrap(), metrics);

    let with_holdout = serde_json::to_value(Metrics { holdout: Some(metrics.test), ..Metrics::default() }).unwrap();
    assert!(with_holdout["psnr"].is_null());
    assert_eq!(with_holdout["holdout"]["views"][0]["psnr"], 100.0);
}

#[test]
fn a_smaller_render_is_compared_with_the_averaged_reference() {
    let reference = picture(80, 47, 0.0);
    let small = resize_area(&reference, 20, 11);
    assert!(compare("a", &small, &reference, None, Extras::default()).unwrap().psnr > 45.0);
    assert!(compare("a", &reference, &small, None, Extras::default()).unwrap().psnr > 45.0);
    let turned = compare("a", &picture(47, 80, 0.0), &reference, None, Extras::default());
    assert!(turned.unwrap_err().to_string().contains("47x80"));
}

#[test]
fn only_pixels_that_count_are_compared() {
    let (reference, mut render) = (picture(40, 30, 0.0), picture(40, 30, 0.1));
    let weights: Vec<f32> = (0..40 * 30).map(|i| if i % 40 < 20 { 1.0 } else { 0.0 }).collect();
    let counted = Counted::new(40, 30, &weights);
    let left = compare("a", &render, &reference, Some(&counted), Extras::default()).unwrap();
    assert!((left.psnr - 20.0).abs() < 0.3 && left.psnr_affine > 35.0, "{left:?}");
    // Whatever is where nothing counts.
    render.pixels.iter_mut().enumerate().filter(|(i, _)| i % 40 >= 20).for_each(|(i, p)| *p = [i as f32 % 7.0; 3]);
    assert_eq!(compare("a", &render, &reference, Some(&counted), Extras::default()).unwrap(), left);
    let merged = counted.merged(&render, &reference);
    assert_eq!(left.ssim, crate::eval::metrics::ssim_where(&merged, &reference, &|at| at % 40 < 20));
    assert!(left.ssim < ssim(&merged, &reference), "windows outside are of no account");
    let all = Counted::new(40, 30, &[1.0; 1200]);
    let whole = compare("a", &picture(40, 30, 0.1), &reference, None, Extras::default()).unwrap();
    assert_eq!(compare("a", &picture(40, 30, 0.1), &reference, Some(&all), Extras::default()).unwrap(), whole);
    // The other picture may be smaller.
    let small = resize_area(&picture(40, 30, 0.1), 20, 15);
    assert!((compare("a", &small, &reference, Some(&counted), Extras::default()).unwrap().psnr - 20.0).abs() < 0.3);
    assert!(Counted::new(2, 1, &[0.4, 0.0]).is_empty() && !counted.is_empty());
}

#[test]
fn fine_structures_that_a_mask_hides_do_not_count() {
    // Stripes; the render has half of their contrast on the left, and none of them on the right, which is hidden.
    let striped = |contrast: [f32; 2]| {
        let mut image = Image::new(40, 30);
        let value = |x: usize| contrast[x / 20] * if x.is_multiple_of(2) { 1.0 } else { -1.0 };
        image.pixels.iter_mut().enumerate().for_each(|(at, pixel)| *pixel = [0.5 + value(at % 40); 3]);
        image
    };
    let counted = Counted::new(40, 30, &(0..1200).map(|i| f32::from(u8::from(i % 40 < 20))).collect::<Vec<_>>());
    let sharpness = |counted: Option<&Counted>| {
        let (render, reference) = (striped([0.1, 0.0]), striped([0.2, 0.2]));
        compare("a", &render, &reference, counted, Extras::default()).unwrap().sharpness
    };
    assert!((sharpness(Some(&counted)).unwrap() - 0.5).abs() < 1e-4, "{:?}", sharpness(Some(&counted)));
    assert!(sharpness(None).unwrap() < 0.4);
    let dots = Counted::new(40, 30, &(0..1200).map(|i| f32::from(u8::from(i % 4 == 0))).collect::<Vec<_>>());
    assert_eq!(sharpness(Some(&dots)), None, "no window is whole");
}

#[test]
fn views_follow_one_another_by_number() {
    let dir = tempfile::tempdir().unwrap();
    let [renders, references] = ["renders", "references"].map(|name| dir.path().join(name));
    [&renders, &references].iter().for_each(|folder| std::fs::create_dir(folder).unwrap());
    for i in 1..=12u8 {
        // Off by one level more from view to view.
        ::image::RgbImage::from_pixel(8, 8, ::image::Rgb([60 + i; 3])).save(renders.join(format!("v{i}.png"))).unwrap();
        ::image::RgbImage::from_pixel(8, 8, ::image::Rgb([60; 3])).save(references.join(format!("v{i}.png"))).unwrap();
    }
    let group = compare_folders(&renders, &references, MaskUse::Use, None, &Silent::default()).unwrap().test;
    let names: Vec<&str> = group.views.iter().map(|view| view.name.as_str()).collect();
    assert_eq!(names[..3], ["v1.png", "v2.png", "v3.png"]);
    assert!((group.flicker.unwrap() - 3f64.sqrt()).abs() < 1e-3, "{:?}", group.flicker);
    let mut all = ["b1", "a/10", "a/2", "a02", "a1", "é9", "a"];
    all.sort_by_cached_key(|name| natural_key(name));
    assert_eq!(all, ["a", "a1", "a02", "a/2", "a/10", "b1", "é9"]);
}

/// A challenge's or another program's references may be transparent in parts.
#[test]
fn transparent_pixels_of_a_reference_do_not_count() {
    let dir = tempfile::tempdir().unwrap();
    let [renders, references] = ["renders", "references"].map(|name| dir.path().join(name));
    std::fs::create_dir_all(&renders).unwrap();
    std::fs::create_dir_all(&references).unwrap();
    ::image::RgbImage::from_pixel(24, 20, ::image::Rgb([60, 60, 60])).save(renders.join("0.png")).unwrap();
    let reference = |x, alpha| ::image::Rgba(if x < 12 { [60, 60, 60, 255] } else { [250, 0, 0, alpha] });
    let psnr = |alpha| {
        ::image::RgbaImage::from_fn(24, 20, |x, _| reference(x, alpha)).save(references.join("0.png")).unwrap();
        compare_folders(&renders, &references, MaskUse::Use, None, &Silent::default()).unwrap().test.psnr.unwrap()
    };
    assert_eq!(psnr(0), 100.0);
    assert!(psnr(255) < 12.0);
}

/// A scene has its references in `test/`, and masks of them where it has those of its photographs.
#[test]
fn what_the_masks_of_a_scene_hide_does_not_count() {
    let dir = tempfile::tempdir().unwrap();
    let [renders, references, masks] = ["renders", "scene/test", "scene/masks"].map(|name| dir.path().join(name));
    [&renders, &references, &masks].iter().for_each(|folder| std::fs::create_dir_all(folder).unwrap());
    let halves = |left: u8, right: u8| {
        ::image::RgbImage::from_fn(24, 20, |x, _| ::image::Rgb([if x < 12 { left } else { right }; 3]))
    };
    halves(60, 60).save(renders.join("0.png")).unwrap();
    halves(60, 250).save(references.join("0.webp")).unwrap();
    halves(255, 0).save(masks.join("0.png")).unwrap();
    let psnr =
        |masks| compare_folders(&renders, &references, masks, None, &Silent::default()).unwrap().test.psnr.unwrap();
    let [used, inverted, ignored] = [MaskUse::Use, MaskUse::Invert, MaskUse::Ignore].map(psnr);
    assert!(used == 100.0 && inverted < ignored && ignored < 12.0, "{used} {inverted} {ignored}");
}

#[test]
fn pictures_of_another_size_are_compared_unless_they_are_cropped() {
    let dir = tempfile::tempdir().unwrap();
    let [renders, references] = ["renders", "references"].map(|name| dir.path().join(name));
    [&renders, &references].iter().for_each(|folder| std::fs::create_dir(folder).unwrap());
    picture(40, 30, 0.0).to_rgb8().save(references.join("0.png")).unwrap();
    let compared = |width, height| {
        let render = resize_area(&picture(40, 30, 0.0), width, height);
        render.to_rgb8().save(renders.join("0.png")).unwrap();
        compare_folders(&renders, &references, MaskUse::Use, None, &Silent::default())
    };
    assert!(compared(20, 15).unwrap().test.psnr.unwrap() > 45.0);
    let text = compared(39, 29).unwrap_err().to_string();
    assert!(text.contains("39x29 pixels, its reference 40x30: one of them was cropped"), "{text}");
}

#[test]
fn bad_folders_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = (dir.path().join("a"), dir.path().join("b"));
    let message =
        |a: &Path, b: &Path| compare_folders(a, b, MaskUse::Use, None, &Silent::default()).unwrap_err().to_string();
    assert!(message(&a, &b).contains("check the path"));
    [&a, &b].iter().for_each(|d| std::fs::create_dir(d).unwrap());
    assert!(message(&a, &b).contains("no picture here"));
    write_jpeg_with(&a.join("1.jpg"), &picture(12, 12, 0.0), 98, Sampling::Full).unwrap();
    let whole = std::fs::read(a.join("1.jpg")).unwrap();
    std::fs::write(b.join("1.JPG"), &whole[..40]).unwrap();
    let text = message(&a, &b);
    assert!(text.contains("1.JPG") && text.contains("cannot be decoded"), "{text}");
    std::fs::write(b.join("1.png"), "").unwrap();
    assert!(message(&a, &b).contains("keep one of the two"));
}

#[test]
fn a_stop_is_obeyed() {
    let silent = Silent::default();
    silent.0.request();
    let pair = Pair { name: "a.jpg".into(), render: "a.jpg".into(), reference: "b.jpg".into() };
    assert!(matches!(compare_pairs(&[pair], &|_| Ok(None), None, &silent), Err(Error::Interrupted(_))));
}

#[test]
fn what_jpeg_takes_and_what_is_soft_show() {
    let reference = picture(64, 48, 0.0);
    let mut soft = resize_area(&resize_area(&reference, 16, 12), 64, 48);
    soft.pixels.iter_mut().flatten().for_each(|v| *v += 2.0 / 255.0);
    let extras = Extras { through_jpeg: true, ..Extras::default() };
    let same = compare("a", &reference, &reference, None, extras).unwrap();
    assert!(same.psnr == 100.0 && same.psnr_jpeg.is_some_and(|psnr| (35.0..70.0).contains(&psnr)), "{same:?}");
    assert!((same.sharpness.unwrap() - 1.0).abs() < 1e-9 && same.offset == [0.0; 3]);
    let view = compare("b", &soft, &reference, None, Extras::default()).unwrap();
    assert!(view.psnr_jpeg.is_none() && (view.offset[1] - 2.0).abs() < 0.3, "{view:?}");
    let group = Group::new(vec![same.clone(), view]);
    assert!(group.flicker.is_some_and(|levels| (levels - 2.0 * 3f64.sqrt()).abs() < 0.5), "{:?}", group.flicker);
    let counted = Counted::new(64, 48, &[1.0; 64 * 48]);
    assert_eq!(compare("a", &reference, &reference, Some(&counted), extras).unwrap(), same);
}
