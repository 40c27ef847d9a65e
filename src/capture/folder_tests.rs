//! Captures in folders: rigs, walks, smaller copies, lists of what is kept; and that no picture of another folder passes
//! for one's own.

use super::tests::{SIZE, frame, reload, scene, transforms, write_image};
use super::*;
use serde_json::{Value, json};
use std::fs;
use std::path::Path;

fn open(dir: &Path) -> Capture {
    load(dir, &Options::default()).unwrap()
}

fn names(views: &[View]) -> Vec<&str> {
    views.iter().map(|view| view.name.as_str()).collect()
}

/// The views' pictures below `root`.
fn files(root: &Path, views: &[View]) -> Vec<String> {
    let below = |view: &View| {
        view.image.as_ref().map_or_else(String::new, |file| file.strip_prefix(root).unwrap().display().to_string())
    };
    views.iter().map(below).collect()
}

const RIG: [&str; 4] = ["cam0/0.png", "cam0/1.png", "cam1/0.png", "cam1/1.png"];

fn write(root: &Path, folder: &str, names: &[&str]) {
    names.iter().for_each(|name| write_image(&root.join(folder).join(name), SIZE));
}

fn save(root: &Path, file: &str, frames: &[&str]) -> Value {
    let json = transforms(frames.iter().zip(0..).map(|(name, i)| frame(name, f64::from(i))).collect());
    fs::write(root.join(file), json.to_string()).unwrap();
    json
}

/// A COLMAP model with pictures of these names.
fn model(root: &Path, camera: &str, names: &[&str]) {
    let folder = root.join("sparse/0");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("cameras.txt"), camera).unwrap();
    let line = |(name, i): (&&str, usize)| format!("{i} 1 0 0 0 {i} 0 0 1 {name}\n\n");
    fs::write(folder.join("images.txt"), names.iter().zip(1..).map(line).collect::<String>()).unwrap();
}

#[test]
fn a_rig_is_named_by_its_folders_however_it_comes() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    write(root, "images", &RIG);
    let found = readable_photos(&[photo_folder(root).unwrap()]).unwrap().0;
    assert_eq!(
        (names(&found.train), found.train[3].image.clone()),
        (RIG.to_vec(), Some(root.join("images/cam1/1.png")))
    );
    model(root, "1 PINHOLE 6 4 5 5 3 2\n", &RIG);
    let of_model = open(root);
    assert_eq!(names(&of_model.train), RIG);
    for named in ["images/", "./images/", "", r"images\", "/data/night/images/", r"C:\Users\me\night\images\", "old/"] {
        let frames = RIG
            .map(|name| format!("{named}{}", if named.contains('\\') { name.replace('/', "\\") } else { name.into() }));
        save(root, "transforms.json", &frames.each_ref().map(String::as_str));
        let capture = open(root);
        assert_eq!(names(&capture.train), RIG, "{named}");
        assert_eq!(files(root, &capture.train), files(root, &of_model.train), "{named}");
    }
    // Folders of any depth, and those directly in the scene.
    let deep = ["a/x/0.png", "a/y/0.png", "b/x/0.png"];
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "", &deep);
    assert_eq!(photo_folder(dir.path()), Some(dir.path().into()));
    assert_eq!(names(&photos(dir.path()).unwrap().train), deep);
    save(dir.path(), "transforms.json", &deep);
    assert_eq!(names(&open(dir.path()).train), deep);
}

#[test]
fn photographs_in_one_folder_have_bare_names() {
    let dir = tempfile::tempdir().unwrap();
    let inner = ["cam0/0.png", "cam0/1.png", "cam0/2.png"];
    write(dir.path(), "images", &inner);
    assert_eq!(names(&photos(dir.path().join("images")).unwrap().train), ["0.png", "1.png", "2.png"]);
    model(dir.path(), "1 PINHOLE 6 4 5 5 3 2\n", &inner);
    assert_eq!(names(&open(dir.path()).train), ["0.png", "1.png", "2.png"]);
    // Those below it are not those of the folder.
    write(dir.path(), "images", &["a.png"]);
    assert_eq!(names(&photos(dir.path().join("images")).unwrap().train), ["a.png"]);
}

#[test]
fn a_camera_of_a_rig_is_never_taken_for_another() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    write(root, "images", &RIG);
    fs::create_dir(root.join("images/cam2")).unwrap();
    for missing in ["cam2/0.png", "images/cam2/0.png", "/data/night/images/cam2/0.png"] {
        let all: Vec<&str> = RIG.iter().copied().chain([missing]).collect();
        save(root, "transforms.json", &all);
        let found = load(root, &Options::default());
        // A path of another machine that leads nowhere is refused.
        let named = found.map_or_else(|error| error.to_string(), |capture| names(&capture.train).join(" "));
        assert!(named == RIG.join(" ") || named.contains(missing), "{named}");
    }
    save(root, "transforms.json", &RIG);
    save(root, "transforms_test.json", &["cam0/0.png", "cam1/5.png", "cam3/0.png", "7.png"]);
    // A dark photograph at the very path that is named is what the file says; none is found by its bare name.
    write(root, "test", &["0.png", "cam1/5.png", "cam0/7.png"]);
    let test = open(root).test;
    assert_eq!(names(&test), ["cam0/0.png", "cam1/5.png", "cam3/0.png", "7.png"]);
    assert_eq!(files(root, &test), ["", "test/cam1/5.png", "", ""]);
}

#[test]
fn the_layout_of_nerf_synthetic() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    write(root, "", &["train/r_0.png", "train/r_1.png", "train/r_2.png", "test/r_0.png", "val/r_0.png"]);
    save(root, "transforms_train.json", &["./train/r_0", "./train/r_1", "./train/r_2"]);
    save(root, "transforms_test.json", &["./test/r_0", "./test/r_1"]);
    save(root, "transforms_val.json", &["./val/r_0"]);
    let capture = open(root);
    assert_eq!(names(&capture.train), ["r_0.png", "r_1.png", "r_2.png"]);
    assert_eq!(
        (names(&capture.test), files(root, &capture.test)),
        (vec!["r_0.png", "r_1"], vec!["test/r_0.png".into(), String::new()])
    );
    // All of them in one file are told apart.
    save(root, "transforms_train.json", &["train/r_0", "train/r_1", "train/r_2", "val/r_0"]);
    assert_eq!(names(&open(root).train), ["train/r_0.png", "train/r_1.png", "train/r_2.png", "val/r_0.png"]);
}

#[test]
fn names_with_periods_keep_them() {
    let dir = tempfile::tempdir().unwrap();
    let cameras = dir.path().join("transforms_test.json");
    save(dir.path(), "transforms_test.json", &["./test/cam.0001", "./test/cam.0002", r".\test\cam.0003"]);
    assert_eq!(names(&poses(&cameras).unwrap()), ["cam.0001", "cam.0002", "cam.0003"]);
    save(dir.path(), "transforms_test.json", &["test/a/0.png", "../../b/0.png", "/etc/0.png"]);
    assert_eq!(names(&poses(&cameras).unwrap()), ["a/0.png", "b/0.png", "0.png"]);
    save(dir.path(), "transforms_test.json", &["test/a.png", "test/x/../a.png"]);
    let message = poses(&cameras).unwrap_err().to_string();
    assert!(message.contains("`test/a.png`, `test/x/../a.png`"), "{message}");
}

#[test]
fn results_of_photographs_elsewhere_have_names_below_their_folder() {
    let (dir, mut json) = scene();
    let far = tempfile::tempdir().unwrap();
    write(far.path(), "", &["x/0.png", "y/0.png"]);
    for (index, name) in ["x/0.png", "y/0.png"].iter().enumerate() {
        json["frames"][index]["file_path"] = json!(far.path().join(name));
    }
    fs::write(dir.path().join("transforms_train.json"), json.to_string()).unwrap();
    let capture = load(dir.path(), &Options { allow_outside: true, ..Options::default() }).unwrap();
    assert_eq!(names(&capture.train), ["x/0.png", "y/0.png", "2.png", "3.png"]);
}

#[test]
fn smaller_pictures_scale_the_intrinsics() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let pictures = ["a.png", "b.png", "c.png"];
    for camera in ["1 PINHOLE 1957 1091 1200 1100 970 550\n", "1 SIMPLE_RADIAL 1957 1091 1200 970 550 0.1\n"] {
        model(root, camera, &pictures);
        pictures.iter().for_each(|name| write_image(&root.join("images").join(name), (1957, 1091)));
        let whole = open(root).train.swap_remove(1);
        pictures.iter().for_each(|name| write_image(&root.join("images").join(name), (979, 546)));
        let small = open(root).train.swap_remove(1);
        assert_eq!(small.camera, whole.camera.resized(979, 546));
        assert_eq!(small.lens, whole.lens.map(|lens| lens.resized(979, 546)));
        assert!((small.camera.fx - whole.camera.fx * 979.0 / 1957.0).abs() < 1e-9);
    }
    write_image(&root.join("images/b.png"), (979, 550));
    let message = load(root, &Options::default()).unwrap_err().to_string();
    assert!(message.contains("b.png: is 979 × 550 pixels") && message.contains("1957 × 1091"), "{message}");
    // References, and larger pictures.
    let (dir, _) = scene();
    write_image(&dir.path().join("test/9.png"), (12, 8));
    save(dir.path(), "transforms_test.json", &["test/9.png"]);
    let camera = open(dir.path()).test.swap_remove(0).camera;
    assert_eq!((camera.width, camera.height, camera.fx, camera.cx), (12, 8, 10.0, 6.5));
}

#[test]
fn smaller_copies_stand_in_for_missing_photographs() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let pictures = ["a.png", "b.png", "c.png"];
    for (folder, size) in [("images_4", (6, 4)), ("images_8", (3, 2)), ("images_16", (2, 1))] {
        pictures.iter().for_each(|name| write_image(&root.join(folder).join(name), size));
    }
    fs::create_dir(root.join("images_2")).unwrap();
    assert_eq!(photo_folder(root), Some(root.join("images_4")));
    model(root, "1 PINHOLE 24 16 20 20 12 8\n", &pictures);
    let capture = open(root);
    assert_eq!(
        (names(&capture.train), capture.train[0].image.clone()),
        (pictures.to_vec(), Some(root.join("images_4/a.png")))
    );
    assert_eq!(capture.train[0].camera.fx, 5.0);
    save(root, "transforms.json", &["images/a.png", "images/b", "c.png"]);
    assert_eq!(files(root, &open(root).train), ["images_4/a.png", "images_4/b.png", "images_4/c.png"]);
    save(root, "transforms.json", &["images_8/a.png", "images_8/b.png", "images_8/c.png"]);
    assert_eq!(files(root, &open(root).train)[0], "images_8/a.png");
    pictures.iter().for_each(|name| write_image(&root.join("images").join(name), (24, 16)));
    fs::remove_file(root.join("transforms.json")).unwrap();
    assert_eq!(files(root, &open(root).train)[0], "images/a.png");
}

#[test]
fn lists_say_which_frames_are_kept_from_training() {
    let (dir, mut json) = scene();
    let root = dir.path();
    write(root, "", &["train/4.png", "test/5.png", "test/6.png"]);
    let frames = json["frames"].as_array_mut().unwrap();
    frames.extend([frame("train/4.png", 4.0), frame("test/5.png", 5.0), frame("test/6.png", 6.0)]);
    let found = |json: &Value| {
        let capture = reload(root, json).unwrap();
        [&capture.train, &capture.holdout, &capture.test].map(|views| names(views).join(" "))
    };
    json["test_filenames"] = json!(["train/1.png", r".\test\5.png", "train/none.png"]);
    assert_eq!(found(&json), ["0.png 2.png 3.png 4.png 6.png", "1.png", "5.png"].map(String::from));
    json["val_filenames"] = json!(["./train/2.png", "test/6.png"]);
    assert_eq!(found(&json), ["0.png 3.png 4.png", "1.png 2.png", "5.png 6.png"].map(String::from));
    // What no list names is left out; what is trained on is not held out.
    json["train_filenames"] = json!(["train/0.png", "train/1.png", "train/3.png"]);
    assert_eq!(found(&json), ["0.png 1.png 3.png", "2.png", "5.png 6.png"].map(String::from));
    json["train_filenames"] = json!([]);
    assert!(reload(root, &json).unwrap_err().to_string().contains("0 views"));
}

#[test]
fn hidden_files_are_no_photographs() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    write(root, "images", &["0.png", "1.png", "2.png"]);
    for name in
        ["images/._0.png", "images/.DS_Store", "images/._5.dng", "__MACOSX/images/._0.png", "images/.thumbs/0.png"]
    {
        fs::create_dir_all(root.join(name).parent().unwrap()).unwrap();
        fs::write(root.join(name), "no picture").unwrap();
    }
    let (capture, unreadable) = readable_photos(&[photo_folder(root).unwrap()]).unwrap();
    assert_eq!((names(&capture.train), unreadable.len()), (vec!["0.png", "1.png", "2.png"], 0));
    save(root, "transforms.json", &["images/0", "images/1", "images/2"]);
    assert_eq!(files(root, &open(root).train), ["images/0.png", "images/1.png", "images/2.png"]);
}

#[test]
fn names_in_any_writing() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    // As macOS stores them: letters, then their accents.
    let stored = ["Nacht 1 e\u{301}.v2.png", "夜.png", "u\u{308}ber/A\u{30a}.png"];
    write(root, "images", &stored);
    let composed = ["Nacht 1 é.v2.png", "夜.PNG", "Über/å.png"];
    save(root, "transforms.json", &composed.map(|name| format!("images/{name}")).each_ref().map(String::as_str));
    let expected = stored.map(|name| format!("images/{name}"));
    assert_eq!(files(root, &open(root).train), expected);
    fs::remove_file(root.join("transforms.json")).unwrap();
    model(root, "1 PINHOLE 6 4 5 5 3 2\n", &composed);
    let mut found = files(root, &open(root).train);
    found.sort();
    assert_eq!(found, {
        let mut sorted = expected.to_vec();
        sorted.sort();
        sorted
    });
}

#[test]
fn names_of_a_binary_model_in_latin_1() {
    let dir = tempfile::tempdir().unwrap();
    let (root, folder) = (dir.path(), dir.path().join("sparse/0"));
    write(root, "images", &["café.png", "1.png", "2.png"]);
    fs::create_dir_all(&folder).unwrap();
    let mut cameras = 1u64.to_le_bytes().to_vec();
    cameras.extend([1u32, 1].iter().flat_map(|v| v.to_le_bytes()));
    cameras.extend([6u64, 4].iter().flat_map(|v| v.to_le_bytes()));
    cameras.extend([5.0f64, 5.0, 3.0, 2.0].iter().flat_map(|v| v.to_le_bytes()));
    fs::write(folder.join("cameras.bin"), cameras).unwrap();
    let mut images = 3u64.to_le_bytes().to_vec();
    for name in [&b"caf\xe9.png\0"[..], b"1.png\0", b"2.png\0"] {
        images.extend(1u32.to_le_bytes());
        images.extend([1.0f64, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0].iter().flat_map(|v| v.to_le_bytes()));
        images.extend(1u32.to_le_bytes());
        images.extend(name);
        images.extend(0u64.to_le_bytes());
    }
    fs::write(folder.join("images.bin"), images).unwrap();
    assert_eq!(names(&open(root).train), ["1.png", "2.png", "café.png"]);
}

#[test]
fn backslashes_in_the_path_of_points() {
    let (dir, mut json) = scene();
    fs::create_dir(dir.path().join("points")).unwrap();
    fs::write(dir.path().join("points/a.ply"), "").unwrap();
    json["ply_file_path"] = json!(r"points\a.ply");
    assert_eq!(reload(dir.path(), &json).unwrap().points, Some(dir.path().join("points/a.ply")));
    let named = named_poses(dir.path()).unwrap().unwrap();
    assert_eq!(named.points, Some(dir.path().join("points/a.ply")));
    let own = dir.path().join("points/a.ply");
    for (named, found) in [(own.to_str().unwrap(), true), ("/data/night/points/a.ply", true), ("/data/b.ply", false)] {
        json["ply_file_path"] = json!(named);
        assert_eq!(reload(dir.path(), &json).unwrap().points, found.then(|| own.clone()), "{named}");
    }
    json["ply_file_path"] = json!(own);
    fs::write(dir.path().join("transforms_train.json"), json.to_string()).unwrap();
    assert_eq!(named_poses(dir.path()).unwrap().unwrap().points, Some(own));
    json["ply_file_path"] = json!(r"..\a.ply");
    assert!(reload(dir.path(), &json).unwrap_err().to_string().contains("outside"));
}
