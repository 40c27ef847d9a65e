//! What people bring: names, folders and models that are not as a program would write them.

use super::tests::{SIZE, colmap_scene, frame, reload, said, scene, transforms, write_image};
use super::*;
use std::fs;
use std::path::Path;

const PINHOLE: &str = "4 PINHOLE 6 4 5 5.5 3 2\n";

fn open(dir: &Path) -> Capture {
    load(dir, &Options::default()).unwrap()
}

fn names(views: &[View]) -> Vec<&str> {
    views.iter().map(|view| view.name.as_str()).collect()
}

#[test]
fn a_training_picture_is_no_reference_of_a_test_pose_of_its_name() {
    let (dir, _) = scene();
    write_image(&dir.path().join("images/5.png"), SIZE);
    let test = ["./test/0", "test/1.png", "./5", "3.png"].map(|name| frame(name, 1.0));
    fs::write(dir.path().join("transforms_test.json"), transforms(test.to_vec()).to_string()).unwrap();
    assert!(open(dir.path()).test.iter().all(|view| view.image.is_none()));
    for name in ["0", "3"] {
        write_image(&dir.path().join(format!("test/{name}.png")), SIZE);
    }
    let test = open(dir.path()).test;
    let found = [Some("test/0.png"), None, None, Some("test/3.png")].map(|name| name.map(|name| dir.path().join(name)));
    assert_eq!(test.into_iter().map(|view| view.image).collect::<Vec<_>>(), found);
}

#[test]
fn a_list_of_test_poses_may_be_empty() {
    let (dir, _) = scene();
    for name in ["transforms_test.json", "transforms_train.json"] {
        fs::write(dir.path().join(name), "{\"frames\": []}").unwrap();
        let found = load(dir.path(), &Options::default()).map(|capture| capture.test.len());
        assert_eq!(found.ok(), (name == "transforms_test.json").then_some(0), "{name}");
    }
}

#[test]
fn a_path_into_a_folder_that_exists_is_not_looked_up_elsewhere() {
    let (dir, mut json) = scene();
    for name in ["images/a.png", "images/cam0/c.png", "cam1/b.png"] {
        write_image(&dir.path().join(name), SIZE);
    }
    for (named, found) in [
        ("cam1/a.png", None),
        ("cam0/a.png", None),
        ("cam0/c.png", Some("images/cam0/c.png")),
        ("./a.png", Some("images/a.png")),
        ("elsewhere/a.png", Some("images/a.png")),
    ] {
        json["frames"][3]["file_path"] = named.into();
        let image = reload(dir.path(), &json).unwrap().train.get(3).and_then(|view| view.image.clone());
        assert_eq!(image, found.map(|name| dir.path().join(name)), "{named}");
    }
}

#[test]
fn poses_without_a_picture_are_left_out() {
    let (dir, json) = scene();
    fs::remove_file(dir.path().join("train/1.png")).unwrap();
    assert_eq!(names(&reload(dir.path(), &json).unwrap().train), ["0.png", "2.png", "3.png"]);
    fs::remove_file(dir.path().join("train/2.png")).unwrap();
    let message = reload(dir.path(), &json).unwrap_err().to_string();
    assert!(message.contains("2 of its 4 poses") && message.contains("train/1.png, train/2.png"), "{message}");
}

#[test]
fn long_lists_are_cut() {
    let names: Vec<String> = (0..25).map(|i| i.to_string()).collect();
    assert_eq!(messages::list_names(&names[..2]), "0, 1");
    assert!(messages::list_names(&names).ends_with("18, 19 and 5 more"));
}

#[test]
fn letter_case_and_missing_endings() {
    let (dir, mut json) = scene();
    for name in ["images/A.JPG", "images/b.Png", "images/c.tif", "images/d.png", "images/D.png"] {
        write_image(&dir.path().join(name), SIZE);
    }
    for (named, found) in [
        ("images/a.jpg", Some("A.JPG")),
        ("Images/a", Some("A.JPG")),
        ("images/B", Some("b.Png")),
        ("images/C", Some("c.tif")),
        ("images/d.png", Some("d.png")),
        ("images/D", Some("D.png")),
        ("images/d.PNG", None),
    ] {
        json["frames"][3]["file_path"] = named.into();
        let view = reload(dir.path(), &json).unwrap().train.into_iter().nth(3);
        assert_eq!(view.map(|view| view.name).as_deref(), found, "{named}");
    }
}

#[test]
fn absolute_paths_of_this_scene_and_of_another_machine() {
    let (dir, mut json) = scene();
    write_image(&dir.path().join("images/a.png"), SIZE);
    let own = dir.path().join("images/a.png").display().to_string();
    for named in [own.as_str(), "/data/night/pictures/a.png", r"C:\Users\me\a.png", "d:/a.png"] {
        json["frames"][3]["file_path"] = named.into();
        assert_eq!(names(&reload(dir.path(), &json).unwrap().train)[3], "a.png", "{named}");
    }
    json["frames"][3]["file_path"] = dir.path().join("../a.png").display().to_string().into();
    assert!(reload(dir.path(), &json).unwrap_err().to_string().contains("outside"));
}

/// colmap2nerf writes paths from the folder of its file.
#[test]
fn paths_from_the_folder_of_the_poses() {
    let (dir, mut json) = scene();
    fs::remove_file(dir.path().join("transforms_train.json")).unwrap();
    let ngp = dir.path().join("ngp/transforms.json");
    fs::create_dir(ngp.parent().unwrap()).unwrap();
    let far = tempfile::tempdir().unwrap();
    for (file, front) in [(&ngp, "../train/"), (&ngp, "../../night/train/"), (&far.path().join("a.json"), "../walk/")] {
        (0..4).for_each(|i| json["frames"][i]["file_path"] = format!("{front}{i}.png").into());
        fs::write(file, json.to_string()).unwrap();
        let capture = load(dir.path(), &Options { cameras: Some(file.clone()), ..Options::default() }).unwrap();
        assert_eq!(names(&capture.train), ["0.png", "1.png", "2.png", "3.png"], "{front}");
    }
    json["frames"][1]["file_path"] = "../train/9.png".into();
    fs::write(&ngp, json.to_string()).unwrap();
    let capture = load(dir.path(), &Options { cameras: Some(ngp.clone()), ..Options::default() }).unwrap();
    assert_eq!(capture.train.len(), 3, "a picture of the scene that is missing");
    json["frames"][1]["file_path"] = "../../9.png".into();
    fs::write(&ngp, json.to_string()).unwrap();
    let error =
        load(dir.path(), &Options { cameras: Some(ngp.clone()), ..Options::default() }).unwrap_err().to_string();
    assert!(error.contains("../../9.png") && error.contains("outside"), "{error}");
    // Which the setting allows, from the same folder.
    let name = format!("{}.png", dir.path().file_name().unwrap().to_str().unwrap());
    let outside = dir.path().parent().unwrap().join(&name);
    fs::copy(dir.path().join("train/1.png"), &outside).unwrap();
    json["frames"][1]["file_path"] = format!("../../{name}").into();
    fs::write(&ngp, json.to_string()).unwrap();
    let options = Options { cameras: Some(ngp), allow_outside: true, ..Options::default() };
    let loaded = load(dir.path(), &options);
    fs::remove_file(&outside).unwrap();
    assert!(names(&loaded.unwrap().train).contains(&name.as_str()));
}

#[test]
fn poses_of_another_reconstruction_take_the_test_poses_along() {
    let (dir, own) = scene();
    let root = dir.path();
    // Not on one line.
    let at = |i: usize| [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 2.0]][i];
    let placed = |mut json: serde_json::Value, to: &dyn Fn([f64; 2]) -> [f64; 2]| {
        for i in 0..4 {
            for (row, value) in to(at(i)).into_iter().enumerate() {
                json["frames"][i]["transform_matrix"][row][3] = value.into();
            }
        }
        json.to_string()
    };
    fs::write(root.join("transforms_train.json"), placed(own.clone(), &|p| p)).unwrap();
    fs::write(root.join("transforms_test.json"), transforms(vec![frame("test/9.png", 5.0)]).to_string()).unwrap();
    fs::write(root.join("points.ply"), "ply\n").unwrap();
    let given = root.join("other.json");
    let open = || load(root, &Options { cameras: Some(given.clone()), ..Options::default() });
    let center = |capture: &Capture| capture.test[0].camera.center();

    // Three times as large, and elsewhere: x = 5 becomes 25.
    fs::write(&given, placed(own.clone(), &|[x, y]| [3.0 * x + 10.0, 3.0 * y])).unwrap();
    let capture = open().unwrap();
    assert!((center(&capture).x - 25.0).abs() < 1e-9, "{}", center(&capture));
    assert_eq!(capture.points, None, "points of the other frame");

    fs::write(&given, placed(own.clone(), &|[x, y]| [x + 1e-3, y])).unwrap();
    let capture = open().unwrap();
    assert!((center(&capture).x - 5.0).abs() < 1e-9 && capture.points.is_some(), "the same frame");

    fs::write(&given, placed(own, &|[x, y]| [y * y * y, 40.0 * x * y * y])).unwrap();
    let message = open().unwrap_err().to_string();
    assert!(message.contains("transforms_test.json") && message.contains("arranged"), "{message}");
}

#[test]
fn test_views_that_are_trained_on_or_seen_too_widely_are_told() {
    let (dir, _) = scene();
    let test = dir.path().join("transforms_test.json");
    let told = |json: &serde_json::Value| {
        fs::write(&test, json.to_string()).unwrap();
        said(|| drop(open(dir.path())))
    };
    let mut json = transforms(vec![frame("train/2.png", 1.0), frame("test/7.png", 2.0)]);
    let found = told(&json);
    assert!(found.contains("1 of 1 references") && found.contains("2.png") && !found.contains("too much"), "{found}");
    json["frames"][0]["file_path"] = "test/8.png".into();
    assert_eq!(told(&json), "");
    json["k1"] = (-0.1).into();
    assert_eq!(told(&json), "");
    json["camera_model"] = "OPENCV_FISHEYE".into();
    (json["fl_x"], json["fl_y"]) = (1.8.into(), 1.8.into());
    let found = told(&json);
    assert!(
        found.contains("2 test poses have a lens that sees too much") && found.contains("instead of 1.8"),
        "{found}"
    );
}

#[test]
fn pictures_that_were_converted_and_moved_are_found_by_their_names() {
    let (dir, mut json) = scene();
    for (index, name) in ["/phone/DCIM/0.heic", "shots/1.dng", "2.HEIC", "train/3.png"].iter().enumerate() {
        json["frames"][index]["file_path"] = (*name).into();
    }
    let capture = reload(dir.path(), &json).unwrap();
    assert_eq!(names(&capture.train), ["0.png", "1.png", "2.png", "3.png"]);
}

#[test]
fn one_line_an_image() {
    let dir = colmap_scene("sparse/0", PINHOLE);
    let whole = open(dir.path());
    let images = dir.path().join("sparse/0/images.txt");
    let text = fs::read_to_string(&images).unwrap();
    let poses: Vec<&str> = text.lines().filter(|line| line.ends_with("png")).collect();
    for text in [
        poses.join("\n"),
        format!("# images\n\n{}\r\n", poses.join("\r\n")),
        poses.join("\n\n"),
        poses.join("\n1 2 -1\n"),
    ] {
        fs::write(&images, &text).unwrap();
        assert_eq!(open(dir.path()), whole, "{text}");
    }
    fs::write(&images, poses.join("\n").replace(' ', "\t").replace("b\t2", "b 2")).unwrap();
    assert_eq!(open(dir.path()), whole);
}

#[test]
fn the_names_of_reality_capture() {
    let dir = colmap_scene("sparse/0", PINHOLE);
    let whole = open(dir.path());
    for name in ["cameras", "images"] {
        let folder = dir.path().join("sparse/0");
        let capital = format!("{}{}.txt", name[..1].to_uppercase(), &name[1..]);
        fs::rename(folder.join(format!("{name}.txt")), folder.join(capital)).unwrap();
    }
    assert_eq!(open(dir.path()), whole);
    fs::write(dir.path().join("sparse/0/Points3D.txt"), "1 0 0 5 9 9 9 0.5\n").unwrap();
    assert_eq!(open(dir.path()).points, Some(dir.path().join("sparse/0")));
}

#[test]
fn the_largest_of_several_models() {
    let dir = colmap_scene("sparse/10", PINHOLE);
    let large = dir.path().join("sparse/10");
    let text = fs::read_to_string(large.join("images.txt")).unwrap();
    let small = dir.path().join("sparse/2");
    fs::create_dir_all(&small).unwrap();
    fs::write(small.join("cameras.txt"), PINHOLE).unwrap();
    fs::write(small.join("points3D.txt"), "1 0 0 5 9 9 9 0.5\n").unwrap();
    fs::write(small.join("images.txt"), text.lines().take(3).collect::<Vec<_>>().join("\n")).unwrap();
    let capture = open(dir.path());
    assert_eq!((capture.train.len(), capture.points), (3, None));
    assert_eq!(models::find(dir.path()).unwrap(), Some(large.clone()));
    assert_eq!(models::find(&large).unwrap(), Some(large.clone()));
    // Of equals the first.
    fs::write(small.join("images.txt"), text).unwrap();
    assert_eq!(models::find(dir.path()).unwrap(), Some(small.clone()));
    assert_eq!(cameras_beside(&dir.path().join("images")), Some(small.canonicalize().unwrap()));
}

/// As people lay out what COLMAP made: `Sparse`, the model beside the photographs, or in a folder of its own.
#[test]
fn a_colmap_model_in_other_places() {
    for (place, posed) in [("Sparse/0", true), ("SPARSE", true), ("", true), ("colmap", false), ("colmap/0", false)] {
        let dir = colmap_scene(place, PINHOLE);
        assert_eq!(names(&open(dir.path()).train), ["a.png", "b 2.png", "c.png"], "{place}");
        assert_eq!(is_scene(dir.path()), posed, "{place}");
        assert_eq!(cameras_beside(dir.path()).is_some(), !posed, "{place}");
    }
    // Neither a list of photographs nor a model without any is a scene.
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("images.txt"), "a.png\n").unwrap();
    fs::create_dir(dir.path().join("images")).unwrap();
    assert!(!is_scene(dir.path()));
    assert!(is_scene(colmap_scene("", PINHOLE).path()) && !is_scene(colmap_scene("0", PINHOLE).path().join("0")));
}

#[test]
fn byte_order_marks_utf_16_and_windows_lines() {
    let encoded = |text: &str| -> Vec<Vec<u8>> {
        let text = text.replace('\n', "\r\n");
        let wide = |unit: fn(u16) -> [u8; 2]| format!("\u{feff}{text}").encode_utf16().flat_map(unit).collect();
        vec![format!("\u{feff}{text}").into_bytes(), wide(u16::to_le_bytes), wide(u16::to_be_bytes)]
    };
    let (dir, json) = scene();
    let whole = open(dir.path());
    for bytes in encoded(&serde_json::to_string_pretty(&json).unwrap()) {
        fs::write(dir.path().join("transforms_train.json"), &bytes).unwrap();
        assert_eq!(open(dir.path()), whole);
    }
    fs::write(dir.path().join("transforms_train.json"), b"{\"frames\": \"\xe9\"}").unwrap();
    assert!(load(dir.path(), &Options::default()).unwrap_err().to_string().contains("save it as UTF-8"));
    let dir = colmap_scene("sparse/0", PINHOLE);
    let whole = open(dir.path());
    let folder = dir.path().join("sparse/0");
    for name in ["cameras.txt", "images.txt"] {
        for bytes in encoded(&fs::read_to_string(folder.join(name)).unwrap()) {
            let plain = fs::read(folder.join(name)).unwrap();
            fs::write(folder.join(name), &bytes).unwrap();
            assert_eq!(open(dir.path()), whole);
            fs::write(folder.join(name), plain).unwrap();
        }
    }
    for bytes in encoded("# points\n1 0 0 5 9 8 7 0.5\n") {
        fs::write(folder.join("points3D.txt"), &bytes).unwrap();
        assert_eq!(crate::prior::read(&folder).unwrap().positions, [[0.0, 0.0, 5.0]]);
    }
}

/// COLMAP saw JPEG files of what is trained on as PNG (brush #550).
#[test]
fn a_picture_may_have_another_ending_than_its_name() {
    let (dir, mut json) = scene();
    for (named, found) in [("train/1.jpg", true), ("train/1.EXR", true), ("train/1.txt", false), ("train/9.jpg", false)]
    {
        json["frames"][1]["file_path"] = named.into();
        let views = reload(dir.path(), &json).unwrap().train;
        assert_eq!(views.iter().any(|view| view.name == "1.png"), found, "{named}");
    }
    write_image(&dir.path().join("train/1.tiff"), SIZE);
    json["frames"][1]["file_path"] = "train/1.jpg".into();
    assert!(reload(dir.path(), &json).unwrap().train.iter().all(|view| !view.name.starts_with('1')), "either will do");
}
