use super::*;
use std::path::Path;

fn step(stage: Stage, fingerprint: &str) -> Step {
    Step { stage, fingerprint: fingerprint.into(), outputs: vec![stage.name().into()], related: Vec::new() }
}

/// A folder in which the stages wrote a file each.
struct Bench {
    dir: tempfile::TempDir,
    run: Run,
}

impl Bench {
    fn new(stages: &[(Stage, &str, Status)]) -> Self {
        let mut bench = Self { dir: tempfile::tempdir().unwrap(), run: Run::default() };
        for &(stage, fingerprint, status) in stages {
            std::fs::write(bench.dir.path().join(stage.name()), format!("{fingerprint} of {}", stage.name())).unwrap();
            let folder = bench.folder();
            let outputs = [(stage.name().to_string(), folder.content(stage.name()))].into();
            let made_from = bench.run.made_by(step(stage, "").builds_on());
            let record = StageRecord::beginning(stage, fingerprint, made_from, outputs);
            bench.run.put(StageRecord { status, ..record });
        }
        bench
    }

    fn folder(&self) -> OutputFolder {
        OutputFolder::open(self.dir.path()).unwrap()
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    fn decide(&self, steps: &[Step], overwrite: bool) -> Result<Vec<Action>> {
        decide(steps, Some(&self.run), &self.folder(), overwrite)
    }
}

#[test]
fn finished_stages_are_kept_and_interrupted_ones_continued() {
    let steps = [step(Stage::ENHANCE, "a"), step(Stage::TRAIN, "b")];
    let bench = Bench::new(&[(Stage::ENHANCE, "a", Status::Done), (Stage::TRAIN, "b", Status::Interrupted)]);
    assert_eq!(bench.decide(&steps, false).unwrap(), [Action::Keep, Action::Make]);
}

#[test]
fn lost_damaged_and_edited_outputs_are_made_again() {
    let steps = [step(Stage::ENHANCE, "a")];
    for damage in ["", "a of enhancf", "a of enhance, and more"] {
        let bench = Bench::new(&[(Stage::ENHANCE, "a", Status::Kept)]);
        assert_eq!(bench.decide(&steps, false).unwrap(), [Action::Keep]);
        std::fs::write(bench.path().join("enhance"), damage).unwrap();
        assert_eq!(bench.decide(&steps, false).unwrap(), [Action::Make], "'{damage}'");
    }
    let bench = Bench::new(&[(Stage::ENHANCE, "a", Status::Kept)]);
    std::fs::remove_file(bench.path().join("enhance")).unwrap();
    assert_eq!(bench.decide(&steps, false).unwrap(), [Action::Make]);
}

#[test]
fn what_was_made_from_other_files_is_made_again() {
    let steps = [step(Stage::TRAIN, "a"), step(Stage::RENDER, "b")];
    let mut bench = Bench::new(&[(Stage::TRAIN, "a", Status::Done), (Stage::RENDER, "b", Status::Stale)]);
    assert_eq!(bench.decide(&steps, false).unwrap(), [Action::Keep; 2], "trained again with the same result");
    std::fs::write(bench.path().join("train"), "another model").unwrap();
    let mut record = bench.run.stage(Stage::TRAIN).unwrap().clone();
    record.outputs.insert("train".into(), bench.folder().content("train"));
    bench.run.put(record);
    assert_eq!(bench.decide(&steps, false).unwrap(), [Action::Keep, Action::Replace]);
}

#[test]
fn a_different_run_needs_overwrite_and_replaces_only_what_differs() {
    let steps = [step(Stage::ENHANCE, "a"), step(Stage::TRAIN, "new")];
    let bench = Bench::new(&[(Stage::ENHANCE, "a", Status::Done), (Stage::TRAIN, "old", Status::Interrupted)]);
    assert!(matches!(bench.decide(&steps, false), Err(crate::Error::Exists(_))));
    assert_eq!(bench.decide(&steps, true).unwrap(), [Action::Keep, Action::Replace]);
}

#[test]
fn a_stage_that_failed_before_it_wrote_anything_is_in_nobodys_way() {
    for (stage, partial) in
        [(Stage::ENHANCE, None), (Stage::TRAIN, Some("checkpoints")), (Stage::POSES, Some("poses/database.db"))]
    {
        let steps = [step(stage, "new")];
        let refused = |bench: &Bench| matches!(bench.decide(&steps, false), Err(crate::Error::Exists(_)));
        let bench = Bench::new(&[(stage, "old", Status::Failed)]);
        assert!(refused(&bench), "what it wrote is there");
        std::fs::remove_file(bench.path().join(stage.name())).unwrap();
        assert_eq!(bench.decide(&steps, false).unwrap(), [Action::Replace]);
        if let Some(partial) = partial {
            std::fs::create_dir_all(bench.path().join(partial)).unwrap();
            assert!(refused(&bench), "it could be continued");
        }
        let bench = Bench::new(&[(stage, "old", Status::Interrupted)]);
        std::fs::remove_file(bench.path().join(stage.name())).unwrap();
        assert!(refused(&bench), "it did not fail");
    }
}

#[test]
fn files_without_a_record_are_not_ours() {
    let bench = Bench::new(&[]);
    let steps = [step(Stage::TRAIN, "a")];
    assert_eq!(decide(&steps, None, &bench.folder(), false).unwrap(), [Action::Make]);
    std::fs::write(bench.path().join("train"), "precious").unwrap();
    let error = decide(&steps, None, &bench.folder(), false).unwrap_err();
    assert!(error.to_string().contains("train"), "{error}");
    assert_eq!(decide(&steps, None, &bench.folder(), true).unwrap(), [Action::Replace]);
}

#[test]
fn the_prior_is_made_again_for_a_new_ppm() {
    let prior = Step { outputs: Vec::new(), ..step(Stage::PRIOR, "p") };
    let steps = [prior, step(Stage::PPM, "new")];
    let mut bench = Bench::new(&[(Stage::PRIOR, "p", Status::Done), (Stage::PPM, "old", Status::Done)]);
    let mut record = bench.run.stage(Stage::PRIOR).unwrap().clone();
    record.outputs.clear();
    bench.run.put(record);
    assert_eq!(bench.decide(&steps, true).unwrap(), [Action::Replace, Action::Replace]);
}

/// Runs of versions that did not write cameras and masks beside the pictures.
#[test]
fn cameras_and_masks_beside_the_pictures_make_nothing_else_outdated() {
    const BESIDE: [&str; 2] = ["transforms.json", "masks/1.png"];
    let mut bench = Bench::new(&[(Stage::ENHANCE, "a", Status::Done), (Stage::TRAIN, "b", Status::Done)]);
    let outputs = ["enhance"].iter().chain(&BESIDE).map(|name| name.to_string()).collect();
    let enhance = Step { outputs, ..step(Stage::ENHANCE, "a") };
    let steps = [enhance, step(Stage::TRAIN, "b")];
    assert_eq!(bench.decide(&steps, false).unwrap()[0], Action::Make);
    std::fs::create_dir(bench.path().join("masks")).unwrap();
    let mut record = bench.run.stage(Stage::ENHANCE).unwrap().clone();
    for name in BESIDE {
        std::fs::write(bench.path().join(name), "content").unwrap();
        record.outputs.insert(name.into(), bench.folder().content(name));
    }
    bench.run.put(record);
    assert_eq!(bench.decide(&steps, false).unwrap(), [Action::Keep, Action::Keep]);
}
