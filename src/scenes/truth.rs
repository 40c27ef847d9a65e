//! The true depths of a view.

use super::path::Eye;
use super::world::World;
use crate::capture::Camera;
use rayon::prelude::*;

/// The depth (along the camera's axis, in meters) of what a camera sees at the center of every pixel, row-major; 0 for
/// sky and lamps.
pub fn depths(world: &World, camera: &Camera) -> Vec<f32> {
    let (eye, forward) = (Eye::new(camera), camera.forward().as_vec3());
    let depth = |at: usize| {
        let (x, y) = (at % camera.width as usize, at / camera.width as usize);
        let ray = eye.ray(x as f64 + 0.5, y as f64 + 0.5);
        world.distance(&ray).map_or(0.0, |distance| distance * ray.direction.dot(forward))
    };
    (0..camera.width as usize * camera.height as usize).into_par_iter().map(depth).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenes::{Scene, train_cameras};
    use std::path::Path;

    #[test]
    fn a_depth_is_that_of_the_surface_on_the_pixels_ray() {
        let scene = Scene::load(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scenes/tiny.toml"))).unwrap();
        let (world, camera) = (World::unlit(&scene), train_cameras(&scene.camera)[0].resized(31, 23));
        let depths = depths(&world, &camera);
        assert_eq!(depths.len(), 31 * 23);
        let eye = Eye::new(&camera);
        let mut compared = 0;
        for (at, depth) in depths.iter().enumerate() {
            let (x, y) = ((at % 31) as f64 + 0.5, (at / 31) as f64 + 0.5);
            let ray = eye.ray(x, y);
            if let Some((_, distance)) = world.surface(&ray) {
                let p = camera.unproject(x, y, f64::from(*depth));
                assert!((p - (ray.origin + ray.direction * distance).as_dvec3()).length() < 1e-3);
                compared += 1;
            }
        }
        assert!(compared > 300, "{compared}");
    }
}
