//! The forward kernels against the render by definition.

use super::reference::{self, Model, camera, cloud, splats};
use super::{EightBit, Raster, RenderSettings, Rendered, Renderer, Splats, Style, Tensors, with_bands};
use crate::capture::{Camera, resize_area};
use crate::gpu::{Choice, Gpu, Mask};

fn settings(sh_degree: u32, antialiased: bool) -> RenderSettings {
    RenderSettings { background: [0.1, 0.7, 0.4], sh_degree, antialiased, style: Style::default() }
}

fn device_render(gpu: &Gpu, model: &Model, camera: &Camera, settings: &RenderSettings) -> Rendered {
    render(gpu, &splats(model), camera, settings)
}

fn render(gpu: &Gpu, splats: &Splats, camera: &Camera, settings: &RenderSettings) -> Rendered {
    let tensors = Tensors::from_splats(gpu, splats, 0).unwrap();
    let renderer = Renderer::new(gpu).unwrap();
    let rendered = renderer.render_image(gpu, &tensors, camera, settings, &mut None).unwrap();
    gpu.check().unwrap();
    rendered
}

fn check(gpu: &Gpu, model: &Model, camera: &Camera, settings: &RenderSettings) {
    compare(&device_render(gpu, model, camera, settings), model, camera, settings);
}

fn compare(found: &Rendered, model: &Model, camera: &Camera, settings: &RenderSettings) {
    let expected = reference::render(model, camera, settings);
    let image = expected.image.as_flattened().iter().zip(found.image.pixels.as_flattened());
    let alpha = expected.alpha.iter().zip(&found.alpha);
    let depth = expected.depth.iter().zip(&found.depth);
    let mut errors: Vec<f64> = image.chain(alpha).chain(depth).map(|(a, b)| (a - f64::from(*b)).abs()).collect();
    assert!(errors.iter().all(|e| e.is_finite()));
    errors.sort_by(f64::total_cmp);
    // A pixel at a threshold may fall on the other side of it in 32 bits.
    let nearly_all = errors[errors.len() - 1 - errors.len() / 200];
    let largest = errors[errors.len() - 1];
    assert!(nearly_all < 5e-5 && largest < 0.05, "{settings:?}: errors {nearly_all}, {largest}");
}

#[test]
fn images_follow_the_definition() {
    for gpu in Gpu::every_layout() {
        for degree in 0..=3 {
            let camera = Camera { reduction: f64::from(1 << degree), ..camera() };
            let (model, settings) = (cloud(60, u64::from(degree)), settings(degree, degree % 2 == 1));
            check(&gpu, &model, &camera, &settings);
            // Of a model that has no other bands, too.
            let own = with_bands(&splats(&model), degree);
            compare(&render(&gpu, &own, &camera, &settings), &model, &camera, &settings);
        }
        check(&gpu, &cloud(3000, 7), &camera(), &settings(3, false));
        // As steep as splats get: nothing but the least low-pass filter.
        let mut points = cloud(300, 8);
        points[2].fill(-9.0);
        points[3].fill(6.0);
        check(&gpu, &points, &Camera { reduction: 8.0, ..camera() }, &settings(3, false));
    }
}

/// Thin splats that blend with each other, in every layout.
#[test]
fn a_small_picture_is_the_mean_of_a_large_one() {
    let mut model = cloud(80, 5);
    model[2].iter_mut().for_each(|log_scale| *log_scale = -4.5);
    model[3].fill(1.0);
    let large = Camera { reduction: 1.0, ..camera().resized(37 * 3, 22 * 3) };
    let small = large.downscaled(3);
    assert_eq!((small.width, small.height, small.reduction), (37, 22, 3.0));
    for gpu in Gpu::every_layout() {
        let render = |camera: &Camera| device_render(&gpu, &model, camera, &settings(0, false)).image;
        let mean = resize_area(&render(&large), small.width, small.height);
        let error = |camera: &Camera| {
            let other = render(camera);
            let pairs = mean.pixels.as_flattened().iter().zip(other.pixels.as_flattened());
            pairs.map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>()
        };
        let (as_reduced, as_photograph) = (error(&small), error(&Camera { reduction: 1.0, ..small.clone() }));
        assert!(as_reduced < 0.3 * as_photograph, "{as_reduced} and {as_photograph}");
    }
}

#[test]
fn splats_that_cannot_be_drawn_change_nothing() {
    let gpu = Gpu::open(&Choice::Best, Mask::default()).unwrap();
    let clean = cloud(40, 11);
    let mut model = clean.clone();
    let poison = [
        (0, f64::NAN),
        (0, f64::INFINITY),
        (1, f64::NAN),
        (2, f64::NAN),
        (2, 300.0),
        (3, f64::NAN),
        (3, -20.0),
        (3, f64::NEG_INFINITY),
    ];
    for (tensor, value) in poison {
        let extra = cloud(1, 100);
        for (all, one) in model.iter_mut().zip(&extra) {
            all.extend(one);
        }
        if let Some(last) = model[tensor].last_mut() {
            *last = value;
        }
    }
    // Behind the camera, and just in front of it but before the near plane.
    for depth in [-1.0, 0.0, 0.005] {
        let place = camera().unproject(17.0, 12.0, 1.0) - camera().forward() * (1.0 - depth);
        let extra = cloud(1, 101);
        for (all, one) in model.iter_mut().zip(&extra) {
            all.extend(one);
        }
        let at = model[0].len() - 3;
        model[0][at..].copy_from_slice(&place.to_array());
    }
    let settings = settings(3, false);
    let [with, without] = [&model, &clean].map(|m| device_render(&gpu, m, &camera(), &settings));
    assert_eq!(with.image.pixels, without.image.pixels);
    assert_eq!(with.alpha, without.alpha);
    assert_eq!(with.visible, without.visible);
}

#[test]
fn without_splats_there_is_the_background() {
    for mask in [Mask::default(), Mask::ALL] {
        let gpu = Gpu::open(&Choice::Best, mask).unwrap();
        let mut behind = cloud(5, 3);
        for mean in behind[0].chunks_exact_mut(3) {
            mean.copy_from_slice(&(camera().center() - camera().forward() * 5.0).to_array());
        }
        for model in [cloud(0, 1), behind] {
            let found = device_render(&gpu, &model, &camera(), &settings(3, true));
            assert_eq!((found.visible, found.pairs), (0, 0));
            assert!(found.image.pixels.iter().all(|p| *p == [0.1, 0.7, 0.4]));
            assert!(found.alpha.iter().chain(&found.depth).all(|v| *v == 0.0));
        }
    }
}

#[test]
fn splats_are_drawn_larger_and_left_out_as_asked() {
    let gpu = Gpu::open(&Choice::Best, Mask::default()).unwrap();
    let model = cloud(200, 3);
    let all = splats(&model);
    let style = Style { max_scale: 0.2, min_opacity: 0.4, scale_modifier: 1.5 };
    let kept: Vec<usize> = (0..all.len())
        .filter(|&i| {
            let opacity = 1.0 / (1.0 + (-all.logit_opacities[i]).exp());
            all.log_scales[i].iter().all(|s| s.exp() <= style.max_scale) && opacity >= style.min_opacity
        })
        .collect();
    assert!((10..180).contains(&kept.len()), "{} of 200", kept.len());
    let row = all.sh.len() / all.len();
    let rest = super::Splats {
        means: kept.iter().map(|&i| all.means[i]).collect(),
        quats: kept.iter().map(|&i| all.quats[i]).collect(),
        log_scales: kept.iter().map(|&i| all.log_scales[i].map(|s| s + 1.5f32.ln())).collect(),
        logit_opacities: kept.iter().map(|&i| all.logit_opacities[i]).collect(),
        sh: kept.iter().flat_map(|&i| all.sh[i * row..(i + 1) * row].to_vec()).collect(),
        sh_degree: all.sh_degree,
    };
    let renderer = Renderer::new(&gpu).unwrap();
    let render = |splats: &super::Splats, style: Style| {
        let tensors = Tensors::from_splats(&gpu, splats, 0).unwrap();
        renderer
            .render_image(&gpu, &tensors, &camera(), &RenderSettings { style, ..settings(3, true) }, &mut None)
            .unwrap()
    };
    let (found, expected) = (render(&all, style), render(&rest, Style::default()));
    assert_eq!(found.visible, expected.visible);
    let values = found.image.pixels.as_flattened().iter().zip(expected.image.pixels.as_flattened());
    assert!(values.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) < 1e-5);
}

#[test]
fn pictures_for_files_are_renders_rounded() {
    for gpu in Gpu::every_layout() {
        let renderer = Renderer::new(&gpu).unwrap();
        let mut eight_bit = EightBit::new(&gpu).unwrap();
        let mut work = None;
        // Sizes that fill neither a tile nor a workgroup; the second is larger than what there is room for, the third smaller.
        for (width, height, count) in [(37, 22, 300), (83, 41, 0), (1, 1, 300), (83, 41, 300)] {
            let camera = Camera { width, height, ..camera() };
            // Brighter than white and darker than black in places.
            let tensors = Tensors::from_splats(&gpu, &splats(&cloud(count, 5)), 0).unwrap();
            let settings = RenderSettings { background: [-0.1, 0.5, 1.2], ..settings(3, false) };
            let exact = renderer.render_color(&gpu, &tensors, &camera, &settings, &mut work).unwrap();
            let found = eight_bit.render(&gpu, &renderer, &tensors, &camera, &settings, &mut work).unwrap();
            assert_eq!(found.dimensions(), (width, height));
            for (value, level) in exact.pixels.as_flattened().iter().zip(found.as_raw()) {
                let wanted = value.clamp(0.0, 1.0) * 255.0;
                assert!((wanted - f32::from(*level)).abs() <= 0.5001, "{value} is not {level}");
            }
        }
        let mut broken = splats(&cloud(300, 5));
        broken.sh.fill(f32::NAN);
        let tensors = Tensors::from_splats(&gpu, &broken, 0).unwrap();
        let floats = renderer.render_color(&gpu, &tensors, &camera(), &settings(3, false), &mut work).map(|_| ());
        let bytes = eight_bit.render(&gpu, &renderer, &tensors, &camera(), &settings(3, false), &mut work).map(|_| ());
        assert_eq!(format!("{bytes:?}"), format!("{floats:?}"));
        let white = RenderSettings { background: [f32::INFINITY, 1.0, 1.0], ..settings(3, false) };
        let nothing = Tensors::from_splats(&gpu, &splats(&cloud(0, 5)), 0).unwrap();
        let error = eight_bit.render(&gpu, &renderer, &nothing, &camera(), &white, &mut work).unwrap_err();
        assert!(error.to_string().contains(&format!("{} pixels are not finite", 37 * 22)), "{error}");
    }
}

#[test]
fn ellipses_are_lines_at_two_standard_deviations() {
    let gpu = Gpu::open(&Choice::Best, Mask::default()).unwrap();
    let camera = Camera {
        width: 100,
        height: 70,
        fx: 100.0,
        fy: 100.0,
        cx: 50.0,
        cy: 35.0,
        viewmat: glam::DMat4::from_translation(glam::DVec3::new(0.0, 0.0, 10.0)),
        reduction: 1.0,
    };
    // Straight ahead, 1.5 and 0.8 wide: 15 and 8 pixels, plus the low-pass filter's variance.
    let splat = super::Splats {
        means: vec![[0.0; 3]],
        quats: vec![[1.0, 0.0, 0.0, 0.0]],
        log_scales: vec![[1.5f32.ln(), 0.8f32.ln(), 0.1f32.ln()]],
        logit_opacities: vec![4.0],
        sh: vec![1.0, 0.0, -1.0],
        sh_degree: 0,
    };
    let tensors = Tensors::from_splats(&gpu, &splat, 0).unwrap();
    let work = super::Workspace::new(&gpu, 1, 1000, 100, 70).unwrap();
    let mut recorder = crate::gpu::Recorder::new(&gpu);
    let settings = RenderSettings { background: [0.0; 3], ..settings(0, false) };
    Renderer::new(&gpu).unwrap().record(&mut recorder, &tensors, &camera, &settings, &work, Raster::Ellipses);
    recorder.submit();
    let planes = gpu.read(&work.image).unwrap();
    let pitch = super::tiles(100, 70)[0] as usize * super::TILE as usize;
    let opacity = |x: usize, y: usize| 1.0 - planes[3 * super::plane_len(100, 70) + y * pitch + x];
    let sides = [(225.0f64 + 0.3).sqrt(), (64.0f64 + 0.3).sqrt()];
    for y in 0..70 {
        for x in 0..100 {
            let d = [x as f64 + 0.5 - 50.0, y as f64 + 0.5 - 35.0];
            // Distance to the ellipse by a walk along it.
            let near = (0..3600).map(|i| (f64::from(i) / 1800.0 * std::f64::consts::PI).sin_cos()).map(|(sin, cos)| {
                ((2.0 * sides[0] * cos - d[0]).powi(2) + (2.0 * sides[1] * sin - d[1]).powi(2)).sqrt()
            });
            let near = near.fold(f64::MAX, f64::min);
            let inside = (d[0] / sides[0]).powi(2) + (d[1] / sides[1]).powi(2) <= 4.0;
            let found = opacity(x, y);
            match near {
                n if n < 0.3 => assert!(found > 0.6, "{x} {y}: {found} on the line"),
                n if n > 1.6 && inside => assert!((found - 0.04).abs() < 1e-4, "{x} {y}: {found} inside"),
                n if n > 1.6 => assert_eq!(found, 0.0, "{x} {y} outside"),
                _ => {}
            }
        }
    }
}
