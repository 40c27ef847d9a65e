//! The real window on a desktop of its own, driven by mouse and keys, its picture compared with the offline render.

#![cfg(target_os = "linux")]

mod crop;
mod desktop;
mod drop;
#[path = "../support/mod.rs"]
mod support;

use desktop::{Desktop, is_there, wait_for};
use drop::drop_on;
use naka_gs::Silent;
use naka_gs::capture::{self, Camera};
use naka_gs::gpu::{Choice, Gpu, Mask};
use naka_gs::pipeline::Painter;
use naka_gs::scenes::{Scene, generate};
use naka_gs::splat::{self, Splats, ply};
use std::io::BufRead;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use support::{assert_refused, contents, naka_gs};

const WIDTH: u32 = 640;
const HEIGHT: u32 = 360;
/// Gray levels by which the window may differ from the offline render, on average.
const TOLERANCE: f64 = 2.0;
/// Gray levels by which other pictures differ at least.
const OTHER: f64 = 4.0;

/// Colored splats on a grid in space that looks different from everywhere.
fn splats() -> Splats {
    let mut splats = Splats { sh_degree: 1, ..Splats::default() };
    for i in 0..1500u32 {
        // Three digits of the golden ratio's powers spread evenly.
        let share = |factor: f64| (f64::from(i) * factor).fract() as f32;
        let [x, y, z] = [share(0.8191725), share(0.6710436), share(0.5497005)].map(|v| 2.0 * v - 1.0);
        splats.means.push([1.4 * x, y, z]);
        splats.quats.push([1.0, x, y, z]);
        splats.log_scales.push([-3.2 + 0.5 * x, -3.0, -2.8 + 0.5 * z]);
        splats.logit_opacities.push(1.5 + y);
        splats.sh.extend([1.5 * x, 1.5 * y, 1.5 * z]);
        splats.sh.extend([0.2 * y; 9]);
    }
    splats
}

/// `cameras.json` around the scene, each 640 × 360.
fn cameras(folder: &Path) -> Vec<Camera> {
    let frame = |(index, turn): (usize, f64)| {
        let (sin, cos) = turn.sin_cos();
        // Camera to world, OpenGL axes: about y, three units from the middle, a little to the side of it.
        serde_json::json!({
            "file_path": format!("{index}.png"),
            "transform_matrix": [
                [cos, 0.0, sin, 3.0 * sin + 0.2],
                [0.0, 1.0, 0.0, 0.1],
                [-sin, 0.0, cos, 3.0 * cos],
                [0.0, 0.0, 0.0, 1.0],
            ],
        })
    };
    let frames: Vec<_> = [0.0, 0.9, 2.0].into_iter().enumerate().map(frame).collect();
    let file = serde_json::json!({
        "w": WIDTH, "h": HEIGHT, "fl_x": 520.0, "fl_y": 500.0, "cx": 330.0, "cy": 170.0, "frames": frames,
    });
    let path = folder.join("cameras.json");
    std::fs::write(&path, file.to_string()).unwrap();
    capture::poses(&path).unwrap().into_iter().map(|view| view.camera).collect()
}

/// Mean difference in gray levels.
fn difference(a: &image::RgbImage, b: &image::RgbImage) -> f64 {
    assert_eq!(a.dimensions(), b.dimensions());
    let sum: u64 = a.as_raw().iter().zip(b.as_raw()).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    sum as f64 / a.as_raw().len() as f64
}

struct Window {
    desktop: Desktop,
    program: Child,
}

impl Window {
    fn screen(&self) -> image::RgbImage {
        self.desktop.screen(WIDTH, HEIGHT)
    }

    /// Waits until the window shows `expected`.
    fn shows(&self, expected: &image::RgbImage, what: &str) {
        let mut last = f64::MAX;
        wait_for(Duration::from_secs(60), || {
            last = difference(&self.screen(), expected);
            (last <= TOLERANCE).then_some(())
        });
        assert!(last <= TOLERANCE, "{what}: the window differs from the offline render by {last} levels");
    }

    /// Waits until the window shows something other than `earlier`, and stands still.
    fn changes(&self, earlier: &image::RgbImage, what: &str) -> image::RgbImage {
        let mut last = self.screen();
        let changed = wait_for(Duration::from_secs(60), || {
            std::thread::sleep(Duration::from_millis(400));
            let now = self.screen();
            let still = difference(&now, &last) == 0.0 && difference(&now, earlier) > OTHER;
            last = now;
            still.then(|| last.clone())
        });
        changed.unwrap_or_else(|| panic!("{what} did not change the picture"))
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        let _ = self.program.kill();
        let _ = self.program.wait();
    }
}

fn view(arguments: &[&str], folder: &Path) -> Command {
    let mut command = naka_gs();
    command.arg("view").args(arguments).args(["--adapter", "cpu"]).current_dir(folder);
    command
}

/// Waits for the screenshot in `folder`, and removes its file.
fn screenshot(folder: &Path) -> image::RgbImage {
    let shot = wait_for(Duration::from_secs(30), || {
        let files = contents(folder).into_iter().map(|(path, _)| path);
        files.into_iter().find(|path| path.extension().is_some_and(|e| e == "png"))
    });
    let shot = shot.expect("a screenshot");
    let picture = image::open(&shot).unwrap().to_rgb8();
    std::fs::remove_file(shot).unwrap();
    picture
}

#[test]
fn the_window_shows_what_is_rendered_and_follows_mouse_and_keys() {
    if !is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (splats, cameras) = (splats(), cameras(folder.path()));
    ply::write(folder.path().join("scene.ply"), &splats).unwrap();
    let gpu = Gpu::open(&Choice::Cpu, Mask::default()).unwrap();
    let mut painter = Painter::new(&gpu, &splats, false).unwrap();
    let renders: Vec<_> = cameras.iter().map(|camera| painter.render(camera).unwrap().to_rgb8()).collect();
    assert!(difference(&renders[0], &renders[1]) > OTHER && difference(&renders[0], &renders[2]) > OTHER);

    let desktop = Desktop::new();
    let mut command = view(&["scene.ply", "--cameras", "cameras.json", "--size", "640x360"], folder.path());
    let program = desktop.host(&mut command).spawn().unwrap();
    let mut window = Window { desktop, program };
    window.desktop.focus("scene.ply");
    let input = |arguments: &str| window.desktop.xdotool(arguments);
    // As slowly as a hand: a window that draws slowly must see the way, not only its end.
    let drag = |way: &[(u32, u32)]| {
        let steps: Vec<String> = way.iter().map(|(x, y)| format!("mousemove {x} {y} sleep 0.4")).collect();
        input(&format!("{} mousedown 1 sleep 0.4 {} mouseup 1", steps[0], steps[1..].join(" ")));
    };
    input("mousemove 320 180");
    window.shows(&renders[0], "the first camera");
    input("key bracketright");
    window.shows(&renders[1], "the next camera");
    input("key Prior");
    input("key bracketleft");
    window.shows(&renders[2], "two cameras back");
    drag(&[(320, 180), (360, 190), (420, 200), (470, 210)]);
    let turned = window.changes(&renders[2], "a drag");
    input("click 4 click 4 click 4 click 4");
    let near = window.changes(&turned, "the wheel");
    input("keydown shift");
    drag(&[(470, 210), (420, 200), (360, 190), (300, 160)]);
    input("keyup shift");
    let aside = window.changes(&near, "a drag with shift");
    input("keydown w sleep 0.5 keyup w");
    window.changes(&aside, "flight");
    input("key Home");
    window.shows(&renders[0], "home");
    input("key 2");
    window.changes(&renders[0], "depth");
    input("key 1");
    window.shows(&renders[0], "the render again");
    input("key F12");
    let shot = screenshot(folder.path());
    assert!(difference(&shot, &renders[0]) <= 0.6, "the screenshot: {}", difference(&shot, &renders[0]));
    input("key ctrl+q");
    let status = wait_for(Duration::from_secs(20), || window.program.try_wait().unwrap());
    assert_eq!(status.and_then(|status| status.code()), Some(0), "it ends when asked");
}

#[test]
fn files_of_all_kinds_are_shown_or_refused_in_words() {
    if !is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let desktop = Desktop::new();
    let shot = |file: &str| {
        let mut command = view(&[file, "--size", "320x200", "--screenshot", "shot.png", "-w"], folder.path());
        desktop.host(&mut command).output().unwrap()
    };
    let bright = || {
        let picture = image::open(folder.path().join("shot.png")).unwrap().to_rgb8();
        assert_eq!(picture.dimensions(), (320, 200));
        picture.as_raw().iter().filter(|v| **v > 40).count()
    };
    for sh_degree in 0..=3 {
        let mut some = splats();
        some.sh_degree = sh_degree;
        some.sh = (0..1500 * 3 * Splats::coefficients(sh_degree)).map(|i| (i % 7) as f32 * 0.05).collect();
        let file = folder.path().join("some.ply");
        ply::write(&file, &some).unwrap();
        // No such value is ever written, so it comes from elsewhere.
        let mut bytes = std::fs::read(&file).unwrap();
        let rows = bytes.windows(11).position(|part| part == b"end_header\n").unwrap() + 11;
        let row = (bytes.len() - rows) / 1500;
        bytes[rows + 3 * row + 4..][..4].copy_from_slice(&f32::NAN.to_le_bytes());
        bytes[rows + 7 * row..][..4].copy_from_slice(&f32::INFINITY.to_le_bytes());
        std::fs::write(&file, bytes).unwrap();
        let output = shot("some.ply");
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success() && stderr.contains("2 splats hold NaN"), "degree {sh_degree}: {stderr}");
        assert!(bright() > 1000);
    }
    let points: String = (0..900).map(|i| format!("{} {} 0 250 200 90\n", i % 30, i / 30)).collect();
    let properties = ["x", "y", "z"].map(|n| format!("property float {n}\n")).join("")
        + &["red", "green", "blue"].map(|n| format!("property uchar {n}\n")).join("");
    let header = format!("ply\nformat ascii 1.0\nelement vertex 900\n{properties}end_header\n");
    std::fs::write(folder.path().join("points.ply"), header + &points).unwrap();
    assert!(shot("points.ply").status.success());
    assert!(bright() > 500, "points are seen");

    ply::write(folder.path().join("none.ply"), &Splats::default()).unwrap();
    assert_refused(&shot("none.ply"), 1, &["none.ply", "none of its 0 splats is usable"]);
    std::fs::write(folder.path().join("page.ply"), "<html>").unwrap();
    assert_refused(&shot("page.ply"), 1, &["page.ply", "web page"]);
    std::fs::create_dir(folder.path().join("empty")).unwrap();
    assert_refused(&shot("empty"), 1, &["empty", "run.json", "output folder"]);
}

#[test]
fn what_is_dropped_on_the_window_is_opened() {
    if !is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    ply::write(folder.path().join("scene.ply"), &splats()).unwrap();
    std::fs::create_dir(folder.path().join("nothing")).unwrap();
    let tiny = Scene::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("scenes/tiny.toml")).unwrap();
    generate(&tiny, &folder.path().join("tiny"), &Silent::default()).unwrap();
    let desktop = Desktop::new();
    let mut command = view(&["--size", "640x360", "-o", "trained", "--steps", "3"], folder.path());
    command.args(["--make-points", "500", "--downscale", "1"]);
    let program = desktop.host(&mut command).spawn().unwrap();
    let mut window = Window { desktop, program };
    let target = window.desktop.focus("naka-gs");
    let drop = |name: &str| drop_on(&window.desktop, target, &folder.path().join(name));

    let empty = window.screen();
    drop("scene.ply");
    assert_eq!(window.desktop.focus("scene.ply"), target, "the same window shows it");
    let shown = window.changes(&empty, "a PLY file");
    assert!(difference(&shown, &dark(WIDTH, HEIGHT)) > OTHER);
    // Words over the picture that stays.
    drop("nothing");
    let told = wait_for(Duration::from_secs(30), || (difference(&window.screen(), &shown) > 0.2).then_some(()));
    assert!(told.is_some(), "a folder that is no result is refused in words");
    assert!(difference(&window.screen(), &shown) < OTHER);
    assert!(!window.desktop.xdotool("search --onlyvisible --name scene.ply").is_empty());
    // It asks before it trains.
    let trained = |seconds| {
        wait_for(Duration::from_secs(seconds), || folder.path().join("trained/report.html").exists().then_some(()))
    };
    drop("tiny");
    window.desktop.xdotool("sleep 1 key Escape");
    assert!(trained(2).is_none() && !folder.path().join("trained").exists());
    drop("tiny");
    window.desktop.xdotool("sleep 1 key Return");
    assert!(trained(120).is_some(), "it is trained");
    window.desktop.xdotool("key ctrl+q");
    let status = wait_for(Duration::from_secs(20), || window.program.try_wait().unwrap());
    assert_eq!(status.and_then(|status| status.code()), Some(0));
}

#[test]
fn without_a_desktop_there_are_words() {
    let folder = tempfile::tempdir().unwrap();
    ply::write(folder.path().join("scene.ply"), &splats()).unwrap();
    let mut command = view(&["scene.ply"], folder.path());
    for name in ["DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET"] {
        command.env_remove(name);
    }
    assert_refused(&command.output().unwrap(), 1, &["no window", "DISPLAY", "desktop session"]);
    assert_refused(&view(&["missing.ply"], folder.path()).output().unwrap(), 1, &["missing.ply", "check the path"]);
    assert_refused(&view(&["scene.ply", "--at", "0"], folder.path()).output().unwrap(), 2, &["counted from 1"]);
}

#[test]
fn what_does_not_fit_the_device_is_no_screenshot() {
    if !is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut large = Splats::default();
    for splats in std::iter::repeat_n(splats(), 27) {
        large.means.extend(splats.means);
        large.quats.extend(splats.quats);
        large.log_scales.extend(splats.log_scales);
        large.logit_opacities.extend(splats.logit_opacities);
    }
    large.sh = vec![0.5; 3 * large.means.len()];
    ply::write(folder.path().join("large.ply"), &large).unwrap();
    let desktop = Desktop::new();
    let mut command = view(&["large.ply", "--size", "150x100", "--screenshot", "shot.png"], folder.path());
    // Less than 40 500 projected splats take.
    command.env("NAKA_GS_MASK", "all,buffers=1");
    assert_refused(&desktop.host(&mut command).output().unwrap(), 3, &["out of GPU memory", "1 MiB"]);
    assert!(!folder.path().join("shot.png").exists());
}

#[test]
fn a_training_goes_on_in_the_window_ends_with_it_and_is_shown_again() {
    if !is_there() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let tiny = Scene::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("scenes/tiny.toml")).unwrap();
    generate(&tiny, &folder.path().join("tiny"), &Silent::default()).unwrap();
    let settings = ["--size", "320x240", "--downscale", "1", "--make-points", "2000"];
    let train = |desktop: &Desktop, steps: &str, seeds: &str| {
        let own = ["tiny", "-o", "out", "--steps", steps, "--seeds", seeds];
        let mut command = view(&[&own[..], &settings[..]].concat(), folder.path());
        let program = desktop.host(&mut command).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        desktop.focus("naka-gs");
        program
    };
    let lines =
        |program: &mut Child| std::io::BufReader::new(program.stderr.take().unwrap()).lines().map(Result::unwrap);

    // Closed in the middle: a checkpoint, and the words and the code of an interruption.
    let desktop = Desktop::new();
    let mut program = train(&desktop, "100000", "1");
    let mut said = lines(&mut program);
    assert!(said.any(|line| line.starts_with("train: ")), "it trains");
    wait_for(Duration::from_secs(60), || (difference(&desktop.screen(320, 240), &dark(320, 240)) > 4.0).then_some(()))
        .expect("the model is shown while it is trained");
    desktop.xdotool("key ctrl+q");
    assert!(said.any(|line| line.contains("checkpoint at step")), "it says where it stopped");
    assert_eq!(program.wait().unwrap().code(), Some(130));
    assert!(!contents(&folder.path().join("out/checkpoints")).is_empty());

    // To its end, in a folder of its own. Of two models the window shows what both say.
    std::fs::remove_dir_all(folder.path().join("out")).unwrap();
    let mut program = train(&desktop, "20", "2");
    let mut said = lines(&mut program);
    assert!(said.any(|line| line.contains("the run is finished")));
    assert!(said.any(|line| line.contains("splats.ply is shown")));
    desktop.xdotool("key ctrl+q");
    assert_eq!(program.wait().unwrap().code(), Some(0));
    assert!(folder.path().join("out/report.html").is_file());

    // The finished run at one of its cameras.
    let mut command = view(&["out", "--at", "2", "--size", "64x48", "--screenshot", "shot.png"], folder.path());
    assert!(desktop.host(&mut command).output().unwrap().status.success());
    let shot = image::open(folder.path().join("shot.png")).unwrap().to_rgb8();
    let splats = splat::read(folder.path().join("out/splats.ply")).unwrap();
    let camera =
        capture::load(folder.path().join("tiny"), &capture::Options::default()).unwrap().train[1].camera.clone();
    let gpu = Gpu::open(&Choice::Cpu, Mask::default()).unwrap();
    let render = Painter::new(&gpu, &splats, false).unwrap().render(&camera).unwrap().to_rgb8();
    assert!(difference(&shot, &render) <= 0.6, "{}", difference(&shot, &render));
    assert!(difference(&render, &dark(64, 48)) > OTHER);
}

fn dark(width: u32, height: u32) -> image::RgbImage {
    image::RgbImage::new(width, height)
}
