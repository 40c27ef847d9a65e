//! Pictures for which a binding is too small: they are drawn in strips of rows.

use super::reference::{camera, cloud, splats};
use super::{EightBit, RenderSettings, Rendered, Renderer, Splats, Style, Tensors};
use crate::capture::Camera;
use crate::error::Result;
use crate::gpu::{Choice, Gpu, Mask};
use image::RgbImage;

fn large_camera() -> Camera {
    let small = camera();
    let [fx, fy, cx, cy] = [small.fx, small.fy, small.cx, small.cy].map(|value| 6.0 * value);
    Camera { width: 6 * small.width, height: 6 * small.height, fx, fy, cx, cy, ..small }
}

const SETTINGS: RenderSettings = RenderSettings {
    background: [0.1, 0.7, 0.4],
    sh_degree: 3,
    antialiased: false,
    style: Style { scale_modifier: 1.0, max_scale: f32::MAX, min_opacity: 0.0 },
};

fn draw(splats: &Splats, mask: Mask) -> Result<(Rendered, RgbImage)> {
    let gpu = Gpu::open(&Choice::Best, mask).unwrap();
    let (tensors, renderer) = (Tensors::from_splats(&gpu, splats, 0)?, Renderer::new(&gpu)?);
    let (camera, mut work) = (large_camera(), None);
    let rendered = renderer.render_image(&gpu, &tensors, &camera, &SETTINGS, &mut work)?;
    let rounded = EightBit::new(&gpu)?.render(&gpu, &renderer, &tensors, &camera, &SETTINGS, &mut work)?;
    gpu.check()?;
    Ok((rendered, rounded))
}

#[test]
fn strips_make_the_same_picture() {
    let splats = splats(&cloud(3000, 7));
    // The image does not fit; its pairs do not, of which there is room for 24 576; its splats do not, of which 2560.
    for (mask, kib) in [Mask::default(), Mask::ALL].into_iter().flat_map(|mask| [512, 96, 80].map(|kib| (mask, kib))) {
        let (whole, rounded) = draw(&splats, mask).unwrap();
        assert!(whole.visible > 2600 && whole.pairs > 30_000, "{} splats, {} pairs", whole.visible, whole.pairs);
        let (found, found_rounded) = draw(&splats, Mask { buffer_bytes: kib << 10, ..mask }).unwrap();
        assert_eq!([found.image.width, found.image.height], [whole.image.width, whole.image.height]);
        assert!(found.visible > whole.visible, "{kib} KiB: there are no strips");
        assert_eq!(found.pairs, whole.pairs, "{kib} KiB: every tile is of one strip");
        let of = |r: &Rendered| [r.image.pixels.as_flattened(), &r.alpha, &r.depth].concat();
        let (a, b) = (of(&found), of(&whole));
        assert_eq!(a.len(), b.len());
        let mut errors: Vec<f32> = a.iter().zip(&b).map(|(a, b)| (a - b).abs()).collect();
        errors.sort_by(f32::total_cmp);
        // A pixel at a threshold may fall on the other side of it: positions count from the strip's first row.
        let [nearly_all, largest] = [errors[errors.len() - 1 - errors.len() / 500], errors[errors.len() - 1]];
        assert!(nearly_all < 2e-5 && largest < 0.05, "{kib} KiB: errors {nearly_all}, {largest}");
        let far = found_rounded.iter().zip(rounded.iter()).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(far <= Some(13), "{kib} KiB: {far:?} levels");
    }
}

#[test]
fn what_does_not_fit_in_strips_either_is_an_error() {
    let mut model = cloud(4000, 7);
    // Over all tiles of every row.
    model[2].fill(0.0);
    let error = draw(&splats(&model), Mask { buffer_bytes: 72 << 10, ..Mask::default() }).err().unwrap().to_string();
    assert!(error.contains("222 x 132") && error.contains("more splats than"), "{error}");
    let error =
        draw(&splats(&cloud(10, 7)), Mask { buffer_bytes: 40 << 10, ..Mask::default() }).err().unwrap().to_string();
    assert!(error.contains("'image' needs"), "{error}");
}
