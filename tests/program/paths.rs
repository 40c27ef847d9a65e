//! Camera paths through the binary: from cameras to a path, to frames and a film.

use super::finished::finished;
use super::support::{assert_refused, contents, naka_gs};
use image::codecs::jpeg::JpegEncoder;
use image::{ImageEncoder, RgbImage};
use naka_gs::eval::psnr;
use naka_gs::prior::PointCloud;
use naka_gs::{capture, paths::CameraPath, splat};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A folder with `splats.ply`, a colored block, and `transforms.json`, five cameras on an arc before it.
fn scene() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let at = |i: usize| [(i % 5) as f32 * 0.2 - 0.4, (i / 5 % 5) as f32 * 0.2 - 0.4, (i / 25) as f32 * 0.2 - 0.4];
    let color = |i: usize| [40 + 40 * (i % 5) as u8, 200 - 30 * (i / 5 % 5) as u8, 60 + 30 * (i / 25) as u8];
    let points = PointCloud {
        positions: (0..125).map(at).collect(),
        colors: (0..125).map(color).collect(),
        ..PointCloud::default()
    };
    let init = splat::Init { sh_degree: 0, opacity: 0.9, scale: 1.0, thickness: 1.0, seed: 1 };
    splat::ply::write(dir.path().join("splats.ply"), &splat::from_points(&points, &init)).unwrap();
    let frame = |i: usize| {
        let angle = 0.2 * (i as f64 - 2.0);
        let (sin, cos) = angle.sin_cos();
        let rows =
            [[cos, 0.0, sin, 2.0 * sin], [0.0, 1.0, 0.0, 0.0], [-sin, 0.0, cos, 2.0 * cos], [0.0, 0.0, 0.0, 1.0]];
        serde_json::json!({ "file_path": format!("{i}.jpg"), "transform_matrix": rows })
    };
    let frames: Vec<_> = (0..5).map(frame).collect();
    let file = serde_json::json!({ "fl_x": 60.0, "w": 64, "h": 48, "frames": frames });
    std::fs::write(dir.path().join("transforms.json"), file.to_string()).unwrap();
    dir
}

/// Photographs for the frames of [`scene`], which are portraits; every second one is stored on its side if `turned`.
fn portraits(turned: bool) -> tempfile::TempDir {
    let dir = scene();
    let poses = dir.path().join("transforms.json");
    let text = std::fs::read_to_string(&poses).unwrap();
    std::fs::write(&poses, text.replace("\"w\":64", "\"w\":48").replace("\"h\":48", "\"h\":64")).unwrap();
    for i in 0..5 {
        let on_its_side = turned && i % 2 == 0;
        let (width, height) = if on_its_side { (64, 48) } else { (48, 64) };
        let mut bytes = Vec::new();
        let mut encoder = JpegEncoder::new(&mut bytes);
        // EXIF data with nothing but an orientation: viewers turn the pixels clockwise, or not at all.
        let entry: [u8; 12] = [0x12, 0x01, 3, 0, 1, 0, 0, 0, if on_its_side { 6 } else { 1 }, 0, 0, 0];
        encoder.set_exif_metadata([&b"II*\0\x08\0\0\0\x01\0"[..], &entry, &[0; 4]].concat()).unwrap();
        encoder.encode_image(&RgbImage::new(width, height)).unwrap();
        std::fs::write(dir.path().join(format!("{i}.jpg")), bytes).unwrap();
    }
    dir
}

fn naka(arguments: &[&str], files: &[&Path]) -> Command {
    let mut command = naka_gs();
    command.args(arguments).args(files);
    command
}

fn finish(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

/// The scene's path of nine frames, five a second.
fn tour(dir: &Path) -> PathBuf {
    let (cameras, path) = (dir.join("transforms.json"), dir.join("camera_path.json"));
    finish(&mut naka(&["path", "--seconds", "1.6", "--fps", "5", "--keyframes", "3", "-o"], &[&path, &cameras]));
    path
}

fn render(dir: &Path, path: &Path) -> Command {
    let mut command = naka(&["render", "--adapter", "cpu", "--path"], &[path, &dir.join("splats.ply")]);
    command.current_dir(dir);
    command
}

#[test]
fn a_path_through_cameras_becomes_frames() {
    let scene = scene();
    let (dir, out) = (scene.path(), scene.path().join("frames"));
    let path = tour(dir);
    assert_refused(
        &naka(&["path", "-o"], &[&path, &dir.join("transforms.json")]).output().unwrap(),
        1,
        &["camera_path.json", "--overwrite"],
    );
    finish(render(dir, &path).arg("-o").arg(&out));
    let frame = |name: &str| capture::read_image(&out.join(name)).unwrap();
    let names: Vec<_> =
        contents(&out).into_iter().map(|(path, _)| path).filter(|p| p.extension().unwrap() == "png").collect();
    assert_eq!(names, (0..9).map(|i| out.join(format!("{i:05}.png"))).collect::<Vec<_>>());

    // Frames at the ends and in the middle are what the cameras themselves see.
    let views = dir.join("views");
    let cameras = dir.join("transforms.json");
    let poses = ["render", "--adapter", "cpu", "--cameras"];
    finish(naka(&poses, &[&cameras, &dir.join("splats.ply")]).arg("-o").arg(&views));
    for (found, view) in [("00000.png", "0.jpg"), ("00004.png", "2.jpg"), ("00008.png", "4.jpg")] {
        let same = psnr(&frame(found), &capture::read_image(&views.join(view)).unwrap()).unwrap();
        assert!(same > 30.0, "{found} and {view}: {same} dB");
    }
    assert!(psnr(&frame("00000.png"), &frame("00002.png")).unwrap() < 30.0, "nothing moves");

    let before = contents(&out);
    assert_refused(&render(dir, &path).arg("-o").arg(&out).output().unwrap(), 1, &["00000.png", "--overwrite"]);
    assert_eq!(contents(&out), before);
    let jpeg = ["--format", "jpg", "--quality", "70", "--size", "50x20", "--fps", "10", "-w"];
    finish(render(dir, &path).arg("-o").arg(&out).args(jpeg));
    let picture = capture::read_image(&out.join("00008.jpg")).unwrap();
    assert_eq!((picture.width, picture.height), (50, 20));
}

#[test]
fn a_path_does_not_roll_through_pictures_that_are_stored_turned() {
    let path = |turned: bool| {
        let scene = portraits(turned);
        let out = scene.path().join("camera_path.json");
        finish(&mut naka(&["path", "-o"], &[&out, scene.path()]));
        CameraPath::read(&out).unwrap()
    };
    let (upright, turned) = (path(false), path(true));
    assert_eq!((turned.width, turned.height, turned.keyframes.len()), (48, 64, 5));
    assert_eq!((upright.width, upright.height, upright.keyframes.len()), (48, 64, 5));
    for (a, b) in upright.keyframes.iter().zip(&turned.keyframes) {
        assert!(a.pose.position.distance(b.pose.position) < 1e-6 && (a.pose.fov - b.pose.fov).abs() < 1e-6);
        assert!(a.pose.rotation.angle_between(b.pose.rotation) < 1e-4, "{:?}, not {:?}", b.pose, a.pose);
    }
}

#[test]
fn a_path_becomes_a_film_where_ffmpeg_is() {
    let scene = scene();
    let (dir, path) = (scene.path(), tour(scene.path()));
    let before = contents(dir);
    let without = render(dir, &path).args(["--video", "film.mp4"]).env("PATH", dir).output().unwrap();
    assert_refused(&without, 2, &["--video", "no program `ffmpeg`", "apt install ffmpeg"]);
    assert_eq!(contents(dir), before, "nothing is written without ffmpeg");
    let other = render(dir, &path).args(["--video", "film.gif"]).output().unwrap();
    assert_refused(&other, 1, &["film.gif", ".mp4", ".webm"]);
    assert_eq!(contents(dir), before, "nor under the name of another kind");
    if Command::new("ffmpeg").arg("-version").output().is_err() {
        eprintln!("skipped: ffmpeg is not installed");
        return;
    }
    let film = dir.join("film.mp4");
    finish(render(dir, &path).args(["--video", "film.mp4"]));
    assert_eq!(contents(dir).len(), before.len() + 1, "the film alone");
    let frames = dir.join("back");
    std::fs::create_dir(&frames).unwrap();
    let mut back = Command::new("ffmpeg");
    back.args(["-loglevel", "error", "-i"]).arg(&film).arg(frames.join("%05d.png"));
    assert!(back.status().unwrap().success());
    assert_eq!(contents(&frames).len(), 9);
    let whole = std::fs::read(&film).unwrap();
    assert_refused(
        &render(dir, &path).args(["--video", "film.mp4"]).output().unwrap(),
        1,
        &["film.mp4", "--overwrite"],
    );
    assert_eq!(std::fs::read(&film).unwrap(), whole);
}

/// Commands that read splats or cameras take the output folder of a run.
#[test]
fn the_folder_of_a_run_stands_for_its_splats_and_cameras() {
    let (run, scene, dir) =
        (finished().join("runs/night"), finished().join("scenes/Night"), tempfile::tempdir().unwrap());
    let at = |name: &str| dir.path().join(name);
    finish(naka(&["export", "-o"], &[&at("all.ply"), &run]).arg("-w"));
    finish(&mut naka(&["edit", "--min-opacity", "0", "-o"], &[&at("edited.ply"), &run]));
    let [whole, all, edited] =
        [run.join("splats.ply"), at("all.ply"), at("edited.ply")].map(|f| splat::read(f).unwrap());
    assert!(whole == all && whole == edited);
    let folder = naka(&["export", "-o"], &[&at("b.ply"), &scene]).output().unwrap();
    assert_refused(&folder, 1, &["Night", "is a folder", "PLY"]);

    let cameras = [&run, &scene].map(|from| {
        let path = at("path.json");
        finish(naka(&["path", "-w", "--keyframes", "4", "--fps", "2", "-o"], &[&path, from]).arg("--loop"));
        CameraPath::read(&path).unwrap().cameras().unwrap()
    });
    assert!(cameras[0].len() == cameras[1].len());
    for (one, other) in cameras[0].iter().zip(&cameras[1]) {
        assert!(one.viewmat.abs_diff_eq(other.viewmat, 1e-9), "{one:?} {other:?}");
    }
}

#[test]
fn paths_that_cannot_be_rendered_are_refused() {
    let scene = scene();
    let dir = scene.path();
    let splats = dir.join("splats.ply");
    let usage = naka(&["render"], &[&splats]).output().unwrap();
    assert_refused(&usage, 2, &["required"]);
    for film in [["--size", "50x20"], ["--fps", "10"], ["--format", "jpg"], ["--quality", "70"], ["--video", "f.mp4"]] {
        let views =
            naka(&["render", "--cameras"], &[&dir.join("transforms.json"), &splats]).args(film).output().unwrap();
        assert_refused(&views, 2, &[film[0], "--cameras"]);
    }
    let path = tour(dir);
    let mut both = naka(&["render", "--path"], &[&path, &splats]);
    both.arg("--cameras").arg(dir.join("transforms.json"));
    assert_refused(&both.output().unwrap(), 2, &["cannot be used with"]);
    assert_refused(
        &render(dir, &dir.join("transforms.json")).output().unwrap(),
        1,
        &["transforms.json", "camera path"],
    );
    assert_refused(&render(dir, &path).args(["--fps", "0"]).output().unwrap(), 2, &["frames a second"]);
    let one = naka(&["path", "--keyframes", "1", "-o"], &[&dir.join("p.json"), &dir.join("transforms.json")]).output();
    assert_refused(&one.unwrap(), 2, &["--keyframes"]);
    assert!(!dir.join("p.json").exists());
    assert_eq!(CameraPath::read(&path).unwrap().keyframes.len(), 3);
}

/// The frames of a scene without test pictures name the renders that are written where such pictures would be.
#[test]
fn own_renders_are_no_photographs() {
    let scene = scene();
    let [cameras, splats, out] = ["transforms.json", "splats.ply", "test"].map(|name| scene.path().join(name));
    let render = || {
        let mut views = naka(&["render", "--adapter", "cpu", "-w", "--cameras"], &[&cameras, &splats]);
        views.arg("-o").arg(&out);
        views
    };
    for _ in 0..2 {
        finish(&mut render());
        assert!(out.join("0.jpg").is_file() && !out.join("0.jpg.bak").exists());
    }
    std::fs::write(out.join("0.jpg"), "photograph").unwrap();
    assert_refused(&render().output().unwrap(), 2, &["--out", "photographs"]);
    assert_eq!(std::fs::read(out.join("0.jpg")).unwrap(), b"photograph");
}

#[test]
fn renders_replace_no_pictures_of_others() {
    let scene = scene();
    let (dir, path) = (scene.path(), tour(scene.path()));
    let (cameras, splats) = (dir.join("transforms.json"), dir.join("splats.ply"));
    for folder in ["test", "train"] {
        std::fs::create_dir(dir.join(folder)).unwrap();
        std::fs::write(dir.join(folder).join("0.jpg"), "photograph").unwrap();
    }
    let before = contents(dir);
    for out in ["test", "train", "test/new"] {
        for more in [&[][..], &["-w"]] {
            let mut views = naka(&["render", "--adapter", "cpu", "--cameras"], &[&cameras, &splats]);
            assert_refused(
                &views.arg("-o").arg(dir.join(out)).args(more).output().unwrap(),
                2,
                &["--out", "photographs"],
            );
        }
    }
    for input in [&path, &splats] {
        let mut film = render(dir, &path);
        assert_refused(&film.arg("-w").arg("--video").arg(input).output().unwrap(), 1, &["which is never replaced"]);
    }
    assert_eq!(contents(dir), before);

    // What nobody can know to be a photograph is moved aside, once: then the pictures are ours.
    let out = dir.join("out");
    std::fs::create_dir(&out).unwrap();
    for name in ["00000.png", "1.jpg"] {
        std::fs::write(out.join(name), "mine").unwrap();
    }
    for _ in 0..2 {
        finish(render(dir, &path).arg("-w").arg("-o").arg(&out));
        finish(naka(&["render", "--adapter", "cpu", "-w", "--cameras"], &[&cameras, &splats]).arg("-o").arg(&out));
        let mut backups: Vec<_> = contents(&out);
        backups.retain(|(path, _)| path.extension().unwrap().to_string_lossy().starts_with("bak"));
        let mine = |name: &str| (out.join(name), b"mine".to_vec());
        assert_eq!(backups, [mine("00000.png.bak"), mine("1.jpg.bak")]);
    }
    // A run's folder is the run's.
    std::fs::write(dir.join("run.json"), "{}").unwrap();
    let mut beside = render(dir, &path);
    assert_refused(&beside.arg("-o").arg(dir).output().unwrap(), 1, &["run.json", "--out", "--overwrite"]);
}
