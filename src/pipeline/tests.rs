use super::test_bed::Bed;
use super::*;
use crate::capture::Camera;
use crate::{Silent, Stop};
use glam::{DMat4, DVec3};

fn view(image: &Path) -> View {
    let camera =
        Camera { width: 4, height: 4, fx: 4.0, fy: 4.0, cx: 2.0, cy: 2.0, viewmat: DMat4::IDENTITY, reduction: 1.0 };
    View {
        name: "a.png".into(),
        image: Some(image.to_path_buf()),
        camera,
        lens: None,
        mask: None,
        gain: None,
        shots: Vec::new(),
    }
}

fn job(out: &Path, settings: Settings) -> Job {
    Job { scene: "scene".into(), out: out.into(), settings, overwrite: false, scope: Scope::Everything }
}

fn fingerprints(settings: Settings, capture: &Capture) -> Vec<String> {
    let (posed, origin) = prior::locate(capture, &settings.prior).unwrap();
    steps(&job(Path::new("out"), settings), &Hashes::default(), [capture, &posed], false, &origin, &[])
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
    assert_eq!(with(&|s| s.seeds = 2), 3);
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
    // Of the same length, and with the time that it had.
    let modified = std::fs::metadata(&photo).unwrap().modified().unwrap();
    std::fs::write(&photo, "two").unwrap();
    std::fs::File::options().write(true).open(&photo).unwrap().set_modified(modified).unwrap();
    assert_eq!(common(&before, &fingerprints(Settings::default(), &capture)), 0);
    let mut moved = capture.clone();
    moved.train[0].camera.fx = 5.0;
    let after = fingerprints(Settings::default(), &moved);
    assert_eq!(common(&before, &after), 0);
}

#[test]
fn touched_photographs_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let photo = dir.path().join("a.png");
    std::fs::write(&photo, "one").unwrap();
    let capture = Capture { train: vec![view(&photo)], ..Capture::default() };
    let before = fingerprints(Settings::default(), &capture);
    let file = std::fs::File::options().write(true).open(&photo).unwrap();
    file.set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    assert_eq!(common(&before, &fingerprints(Settings::default(), &capture)), before.len());
}

#[test]
fn frames_that_would_be_one_picture_are_named() {
    let named = |name: &str| View { name: name.into(), ..view(Path::new("a.png")) };
    for (one, other) in [("a.png", "a.tif"), ("b.JPG", "B.jpg"), ("c.png", "c.JPG")] {
        let error = unique_renders(Path::new("scene"), &[named(one), named("z.png"), named(other)]).unwrap_err();
        let text = error.to_string();
        assert!(text.contains(one) && text.contains(other), "{text}");
    }
    unique_renders(Path::new("scene"), &[named("a.png"), named("b.png"), named("cam0/a.png")]).unwrap();
    let nested = unique_renders(Path::new("scene"), &[named("a.jpg/b.png"), named("a.jpg")]).unwrap_err();
    assert!(nested.to_string().contains("folder of a.jpg/b.png"), "{nested}");
}

#[test]
fn models_in_another_unit_or_place_are_others() {
    let at = |scale: f64, offset: f64| {
        let camera = |x: f64| Camera {
            viewmat: DMat4::from_translation(-DVec3::new(x * scale + offset, x * x * scale, 0.0)),
            ..view(Path::new("")).camera
        };
        let views = [0.0, 2.0, 5.0].map(|x| View { camera: camera(x), ..view(Path::new("a.png")) });
        Capture { train: views.to_vec(), ..Capture::default() }
    };
    let base = at(2f64.powi(-12), 0.0);
    let others = [at(2f64.powi(-14), 0.0), at(2f64.powi(-12), 64.0), at(2f64.powi(-14), 64.0)];
    for other in others {
        assert_eq!(common(&fingerprints(Settings::default(), &base), &fingerprints(Settings::default(), &other)), 0);
    }
    let (posed, origin) = prior::locate(&base, &Settings::default().prior).unwrap();
    assert_eq!(origin.similarity.scale, 1.0 / posed.frame.unit);
    assert_eq!(posed.train, prior::locate(&at(2f64.powi(-14), 0.0), &Settings::default().prior).unwrap().0.train);
}

#[test]
fn a_run_of_one_seed_is_what_it_was_before_there_were_several() {
    let capture = Capture { train: vec![view(Path::new("a.png"))], ..Capture::default() };
    let settings = Settings::default();
    let (posed, origin) = prior::locate(&capture, &settings.prior).unwrap();
    let steps_of = |seeds| {
        let job = job(Path::new("out"), Settings { seeds, ..settings.clone() });
        steps(&job, &Hashes::default(), [&capture, &posed], false, &origin, &[])
    };
    let one = steps_of(1);
    let at = |steps: &[Step], stage| steps.iter().position(|step| step.stage == stage).unwrap();
    let [enhance, ppm, train, render] = [Stage::ENHANCE, Stage::PPM, Stage::TRAIN, Stage::RENDER].map(|s| at(&one, s));
    let parts = (&one[enhance].fingerprint, Some(&one[ppm].fingerprint), settings.train.cache_key());
    assert_eq!(one[train].fingerprint, fingerprint::of(&parts));
    assert_eq!(one[render].fingerprint, render_fingerprint(&one[train].fingerprint, &capture.test));
    assert_eq!((one[train].outputs.as_slice(), one[train].related.len()), (&["splats.ply".to_string()][..], 0));
    let two = &steps_of(2)[train];
    assert_eq!(two.outputs, ["seeds/splats-1.ply", "seeds/splats-2.ply", "splats.ply"]);
    assert!(two.related.contains(&one[train].fingerprint) && two.related.contains(&steps_of(3)[train].fingerprint));
    assert!(!two.related.contains(&two.fingerprint));
}

/// Takes a folder away once a training begins.
struct Away<'a> {
    folder: &'a Path,
    to: PathBuf,
    stop: Stop,
}

impl Progress for Away<'_> {
    fn begin(&self, stage: &str, _: &str, _: u64) {
        if stage == "train" && !self.to.exists() {
            std::fs::rename(self.folder, &self.to).unwrap();
        }
    }

    fn stop(&self) -> &Stop {
        &self.stop
    }
}

#[test]
fn a_scene_that_is_away_while_it_is_trained_on_makes_no_other_run() {
    let bed = Bed::new();
    let mut job = bed.job("out");
    job.settings.train.steps = 2;
    let away = Away { folder: &bed.capture, to: bed.dir.path().join("away"), stop: Stop::default() };
    // It ends where references are read.
    assert!(bed.run(&job, &away).is_err());
    std::fs::rename(&away.to, &bed.capture).unwrap();
    let run = bed.run(&job, &Silent::default()).unwrap().run;
    assert_eq!(run.stage(Stage::RENDER).unwrap().status, record::Status::Kept);
}
