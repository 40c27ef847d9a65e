//! Every change to the file system of a whole run fails in turn: nothing is torn, nothing foreign is touched, and the
//! same job completes afterwards.

use super::test_bed::Bed;
use super::*;
use crate::Silent;
use crate::storage::faults::{self, Kind};
use std::collections::BTreeSet;

/// Runs beside files of somebody else.
struct Bench(Bed);

/// Files of somebody else in an output folder.
const FOREIGN: [&str; 6] =
    ["notes.txt", "images/mine.jpg", "renders/old.png", "checkpoints/mine.bin", "poses/thesis.tex", ".a.b.part"];

impl Bench {
    /// A run into a folder of that name, beside files of somebody else.
    fn job(&self, name: &str, steps: u32, overwrite: bool) -> Job {
        let mut job = Job { overwrite, ..self.0.job(name) };
        for name in FOREIGN {
            std::fs::create_dir_all(job.out.join(name).parent().unwrap()).unwrap();
            std::fs::write(job.out.join(name), "mine").unwrap();
        }
        job.settings.train.steps = steps;
        job
    }

    fn run(&self, job: &Job) -> Result<Outcome> {
        self.0.run(job, &Silent::default())
    }

    fn check_untouched(&self, job: &Job, what: &str) {
        for name in FOREIGN {
            assert_eq!(std::fs::read(job.out.join(name)).unwrap_or_default(), b"mine", "{what}: {name}");
        }
        let list = std::fs::read_to_string(self.0.capture.join("files.sha256")).unwrap();
        for (hash, name) in list.lines().map(|line| line.split_once("  ").unwrap()) {
            let found = crate::hash::sha256_of_file(&self.0.capture.join(name)).unwrap().1;
            assert_eq!(found, hash, "{what}: {name} of the capture");
        }
    }
}

/// The files below `folder`.
fn files(folder: &Path) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(inner) = folders.pop() {
        for entry in std::fs::read_dir(&inner).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => _ = found.insert(path.strip_prefix(folder).unwrap().to_string_lossy().into_owned()),
            }
        }
    }
    found
}

/// Files under final names are whole.
fn check_whole(out: &Path, what: &str) {
    for name in files(out).iter().filter(|name| !FOREIGN.contains(&name.as_str()) && !name.ends_with(".naka-part")) {
        let path = out.join(name);
        let whole = match path.extension().and_then(|ending| ending.to_str()) {
            Some("JPG") => image::open(&path).is_ok(),
            Some("json") => serde_json::from_slice::<serde_json::Value>(&std::fs::read(&path).unwrap()).is_ok(),
            Some("toml") => settings::file::check(&path, false).is_ok(),
            Some("ply") if name == names::SPLATS || name.starts_with(names::SEEDS) => crate::splat::read(&path).is_ok(),
            Some("ply") => prior::read(&path).is_ok(),
            Some("safetensors") => true,
            _ => panic!("{what}: {name} is no file of a run"),
        };
        assert!(whole, "{what}: {name} is torn");
    }
}

/// What the record calls finished is there as it says, whichever run it is of.
fn check_record(out: &Path, what: &str) {
    let Some(run) = Run::read(out).unwrap() else { return };
    let folder = OutputFolder::open(out).unwrap();
    for record in run.stages.iter().filter(|record| record.status.finished()) {
        assert!(folder.intact(&record.outputs), "{what}: {} counts as finished", record.stage.name());
    }
}

/// Ends a run at every change, or at every `every`-th one from a varying first on, and lets it complete. One of several
/// `seeds` replaces one of a single seed.
fn end_everywhere(kind: Kind, every: usize, seeds: u32) {
    let bench = Bench(Bed::new());
    let mut whole = bench.job("whole", 3, false);
    whole.settings.seeds = seeds;
    bench.run(&whole).unwrap();
    let expected = files(&whole.out);
    let mut at = 0;
    loop {
        let what = format!("{kind:?} at change {at}");
        // Half of the time, results of another run are there to be replaced.
        let replaced = (at / every) % 2 == 1;
        let mut job = bench.job("out", 3, replaced);
        if replaced {
            bench.run(&bench.job("out", if seeds > 1 { 3 } else { 2 }, false)).unwrap();
        }
        job.settings.seeds = seeds;
        job.settings.enhance.n = if replaced && seeds == 1 { 1.1 } else { 1.0 };
        let guard = faults::arm(&job.out, kind, at);
        let ended = bench.run(&job).map(|_| ());
        let log = guard.log();
        let hit = guard.disarm();
        let what = format!("{what}, {}", log.get(at).map_or("past the end", String::as_str));
        bench.check_untouched(&job, &what);
        check_whole(&job.out, &what);
        // A change that tidies up may fail without harm; any other is an error.
        let harmless = log.get(at).is_none_or(|change| change.starts_with("Remove") || change.contains("checkpoints"));
        assert!(ended.is_err() || harmless, "{what}: passed for success");
        check_record(&job.out, &what);
        let again = bench.run(&job).unwrap_or_else(|error| panic!("{what}: does not complete: {error}"));
        assert!(again.run.stages.iter().all(|stage| stage.status.finished()), "{what}");
        bench.check_untouched(&job, &what);
        assert_eq!(files(&job.out), expected, "{what}: other files");
        std::fs::remove_dir_all(&job.out).unwrap();
        if !hit {
            assert!(at > 40, "a whole run has more than {at} changes");
            break;
        }
        at += every;
    }
}

#[test]
fn a_run_killed_at_any_change_completes() {
    end_everywhere(Kind::Kill, 7, 1);
}

#[test]
fn a_run_of_several_seeds_killed_at_any_change_completes() {
    end_everywhere(Kind::Kill, 9, 2);
}

#[test]
fn a_run_whose_writes_fail_completes() {
    end_everywhere(Kind::Error, 13, 1);
    end_everywhere(Kind::ShortWrite, 17, 1);
}

/// Not a sample of the changes but all of them: some minutes.
#[test]
#[ignore = "takes minutes; a sample of it runs with the others"]
fn a_run_may_end_at_every_single_change() {
    for kind in [Kind::Kill, Kind::Error, Kind::ShortWrite] {
        end_everywhere(kind, 1, 1);
        end_everywhere(kind, 1, 2);
    }
}
