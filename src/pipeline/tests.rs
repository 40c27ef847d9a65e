use super::*;
use crate::capture::Camera;

fn view(image: &Path) -> View {
    let camera = Camera { width: 4, height: 4, fx: 4.0, fy: 4.0, cx: 2.0, cy: 2.0, viewmat: DMat4::IDENTITY };
    View { name: "a.png".into(), image: Some(image.to_path_buf()), camera, lens: None }
}

fn job(out: &Path, settings: Settings) -> Job {
    Job { scene: "scene".into(), out: out.into(), settings, overwrite: false, scope: Scope::Everything }
}

fn fingerprints(settings: Settings, capture: &Capture) -> Vec<String> {
    let (posed, origin) = prior::locate(capture, &settings.prior).unwrap();
    steps(&job(Path::new("out"), settings), capture, &posed, &origin, &[])
        .into_iter()
        .map(|step| step.fingerprint)
        .collect()
}

/// How many stages, counted from the front, are the same.
fn common(a: &[String], b: &[String]) -> usize {
    let same = a.iter().zip(b).take_while(|(a, b)| a == b).count();
    assert!(a.iter().zip(b).skip(same).all(|(a, b)| a != b), "a stage does not follow its input");
    same
}

#[test]
fn a_changed_setting_changes_its_stage_and_what_follows() {
    let capture = Capture { train: vec![view(Path::new("a.png"))], ..Capture::default() };
    let base = fingerprints(Settings::default(), &capture);
    assert_eq!(base.len(), 6);
    let with = |change: &dyn Fn(&mut Settings)| {
        let mut settings = Settings::default();
        change(&mut settings);
        common(&base, &fingerprints(settings, &capture))
    };
    assert_eq!(with(&|_| ()), 6);
    assert_eq!(with(&|s| s.adapter = "cpu".into()), 6);
    assert_eq!(with(&|s| s.train.steps += 1), 3);
    assert_eq!(with(&|s| s.ppm.tau0 *= 2.0), 2);
    assert_eq!(with(&|s| s.enhance.n = 2.0), 0);
    assert_eq!(with(&|s| s.downscale = 2), 0);
}

#[test]
fn changed_photographs_change_everything() {
    let dir = tempfile::tempdir().unwrap();
    let photo = dir.path().join("a.png");
    std::fs::write(&photo, "one").unwrap();
    let capture = Capture { train: vec![view(&photo)], ..Capture::default() };
    let before = fingerprints(Settings::default(), &capture);
    std::fs::write(&photo, "three").unwrap();
    assert_eq!(common(&before, &fingerprints(Settings::default(), &capture)), 0);
    let mut moved = capture.clone();
    moved.train[0].camera.fx = 5.0;
    let after = fingerprints(Settings::default(), &moved);
    assert_eq!(common(&before, &after), 0);
}

#[test]
fn results_do_not_go_among_the_photographs() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("images")).unwrap();
    let photo = dir.path().join("images/a.png");
    std::fs::write(&photo, "").unwrap();
    let capture = Capture { train: vec![view(&photo)], ..Capture::default() };
    let folder = dir.path().join("renders/../images");
    std::fs::create_dir(dir.path().join("renders")).unwrap();
    assert!(keep_apart(&[&folder], &capture).is_err());
    assert!(keep_apart(&[&dir.path().join("renders")], &capture).is_ok());
}
