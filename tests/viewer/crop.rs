//! A box over the picture, dragged by mouse, and the file of what it leaves.

use crate::desktop::{Desktop, is_there, wait_for};
use crate::{OTHER, Window, cameras, difference, screenshot, splats, view};
use glam::DVec3;
use naka_gs::gpu::{Choice, Gpu, Mask};
use naka_gs::pipeline::Painter;
use naka_gs::splat::{self, Splats, ply};
use std::time::Duration;

#[test]
fn a_box_is_dragged_by_its_handles_and_what_it_leaves_is_saved() {
    if !is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (splats, cameras) = (splats(), cameras(folder.path()));
    let file = folder.path().join("scene.ply");
    ply::write(&file, &splats).unwrap();
    let original = std::fs::read(&file).unwrap();
    let desktop = Desktop::new();
    let mut command = view(&["scene.ply", "--cameras", "cameras.json", "--size", "640x360"], folder.path());
    let program = desktop.host(&mut command).spawn().unwrap();
    let window = Window { desktop, program };
    window.desktop.focus("scene.ply");
    let gpu = Gpu::open(&Choice::Cpu, Mask::default()).unwrap();
    let render = |splats: &Splats| Painter::new(&gpu, splats, false).unwrap().render(&cameras[0]).unwrap().to_rgb8();
    let whole = render(&splats);
    window.desktop.xdotool("mousemove 320 20");
    window.shows(&whole, "the first camera");
    window.desktop.xdotool("key b");
    let boxed = wait_for(Duration::from_secs(30), || (difference(&window.screen(), &whole) > 0.5).then_some(()));
    assert!(boxed.is_some(), "the box is drawn");

    // To the left by half of the way to the middle of the box.
    let bounds = splat::Bounds::of(&splats.means);
    let handle = bounds.center + DVec3::new(bounds.radius, 0.0, 0.0);
    assert!(cameras[0].sees(handle).is_some(), "the handle is in the picture");
    let [from, to] = [handle, 0.5 * (handle + bounds.center)].map(|point| cameras[0].project(point));
    let pixel = |share: f64| {
        let place = from.lerp(to, share).round();
        (place.x, place.y)
    };
    let way =
        [0.25, 0.5, 0.75, 1.0, 1.0].map(|share| format!("mousemove {} {} sleep 0.4", pixel(share).0, pixel(share).1));
    let (x, y) = pixel(0.0);
    window.desktop.xdotool(&format!("mousemove {x} {y} sleep 0.6 mousedown 1 sleep 0.4 {} mouseup 1", way.join(" ")));
    window.desktop.xdotool("sleep 1 key ctrl+s");
    let saved = |name: &str| {
        let path = folder.path().join(name);
        wait_for(Duration::from_secs(30), || path.exists().then_some(())).unwrap_or_else(|| panic!("no {name}"));
        splat::read(path).unwrap()
    };
    let left = saved("scene-cropped.ply");
    let holds = |most: f64| {
        let holds = |mean: &[f32; 3]| {
            let place = DVec3::from(mean.map(f64::from));
            place.x <= most && (place - bounds.center).abs().max_element() <= bounds.radius
        };
        splats.means.iter().filter(|mean| holds(mean)).count()
    };
    // A pixel is some 0.006 units there.
    let (at, tolerance) = (0.5 * (handle.x + bounds.center.x), 0.015);
    assert!((holds(at - tolerance)..=holds(at + tolerance)).contains(&left.len()), "{} of {}", left.len(), holds(at));
    assert!(left.means.iter().all(|mean| f64::from(mean[0]) <= at + tolerance));

    // The camera has not moved, and the picture shows the remaining splats.
    window.desktop.xdotool("key F12");
    let shot = screenshot(folder.path());
    let expected = render(&left);
    assert!(difference(&expected, &whole) > OTHER);
    assert!(difference(&shot, &expected) <= 0.6, "the screenshot: {}", difference(&shot, &expected));

    // Another name the next time; the file that is shown stays.
    window.desktop.xdotool("key ctrl+s");
    assert_eq!(saved("scene-cropped-2.ply"), left);
    assert_eq!(std::fs::read(&file).unwrap(), original);
    window.desktop.xdotool("key b key F12");
    let shot = screenshot(folder.path());
    assert!(difference(&shot, &whole) <= 0.6, "all again without the box: {}", difference(&shot, &whole));
}
