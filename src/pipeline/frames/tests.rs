//! Frames in their folder: made, kept, continued, and never at the cost of somebody's files.

use super::super::Shared;
use super::*;
use crate::progress::Silent;
use crate::settings::Settings;
use std::collections::BTreeMap;
use std::process::Command;

/// A video of a camera that moves, and a job for it; nothing where ffmpeg is not installed.
fn bench() -> Option<(tempfile::TempDir, Job)> {
    let dir = tempfile::tempdir().unwrap();
    let scene = dir.path().join("night.mp4");
    if !film(&scene, 24) {
        return None;
    }
    let job = Job {
        scene,
        out: dir.path().join("out"),
        settings: Settings::default(),
        overwrite: false,
        scope: Scope::Everything,
    };
    Some((dir, job))
}

fn film(path: &Path, frames: usize) -> bool {
    let source = format!("testsrc2=size=192x108:rate=12:duration={},crop=w=96:h=64:x=3*n", frames as f64 / 12.0);
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-loglevel", "error", "-y", "-f", "lavfi", "-i", &source, "-c:v", "mpeg4"]);
    match command.arg(path).status() {
        Ok(status) => status.success(),
        Err(_) => {
            eprintln!("skipped: ffmpeg is not installed");
            false
        }
    }
}

fn source(job: &Job) -> Source {
    Source { file: job.scene.clone(), content: Hashes::default().of(&job.scene).unwrap() }
}

fn made(job: &Job) -> Result<()> {
    make(job, &source(job), &Silent::default()).map(|_| ())
}

/// The files in the folder of the frames; their times too, so that none is written twice unseen.
fn files(job: &Job) -> BTreeMap<String, (Vec<u8>, std::time::SystemTime)> {
    let entries = std::fs::read_dir(folder_of(&job.out).unwrap()).into_iter().flatten().flatten();
    let file = |entry: std::fs::DirEntry| {
        let time = entry.metadata().unwrap().modified().unwrap();
        (entry.file_name().into_string().unwrap(), (std::fs::read(entry.path()).unwrap(), time))
    };
    entries.filter(|entry| entry.path().is_file()).map(file).collect()
}

#[test]
fn frames_are_made_once_and_continued() {
    let Some((_dir, job)) = bench() else { return };
    made(&job).unwrap();
    let folder = folder_of(&job.out).unwrap();
    let first = files(&job);
    let names: Vec<&str> = first.keys().map(String::as_str).collect();
    assert_eq!(names, ["0001.png", "0002.png", "0003.png", "0004.png", MANIFEST]);
    let manifest = Manifest::read(&folder).unwrap();
    assert_eq!(manifest.video, source(&job));
    assert!(manifest.frames.iter().all(|entry| {
        let of_file = sha256(&first[&entry.name].0);
        entry.content.as_ref().unwrap().sha256 == of_file && entry.frame.seconds.is_some()
    }));
    made(&job).unwrap();
    assert_eq!(files(&job), first, "nothing is written again");

    // A run that was killed: one file is missing, one is there without its hash.
    std::fs::remove_file(folder.join("0002.png")).unwrap();
    let mut killed = manifest.clone();
    (killed.frames[1].content, killed.frames[2].content) = (None, None);
    std::fs::write(folder.join("0003.png"), "of a power cut").unwrap();
    killed.write(&folder).unwrap();
    made(&job).unwrap();
    let again = files(&job);
    let contents =
        |files: &BTreeMap<String, (Vec<u8>, _)>| files.values().map(|file| file.0.clone()).collect::<Vec<_>>();
    assert_eq!(contents(&again), contents(&first));
    assert_eq!(again["0001.png"].1, first["0001.png"].1);

    // The same video elsewhere is the same.
    let moved = job.scene.with_file_name("moved.mp4");
    std::fs::rename(&job.scene, &moved).unwrap();
    made(&Job { scene: moved, ..job.clone() }).unwrap();
    assert_eq!(files(&job), again);
}

#[test]
fn a_stop_leaves_whole_frames_and_is_continued() {
    /// Stops when the first frame is written.
    struct Stopper(Silent, PathBuf);
    impl Progress for Stopper {
        fn set(&self, _done: u64, _note: &str) {
            if self.1.exists() {
                self.0.0.request();
            }
        }
        fn stop(&self) -> &crate::progress::Stop {
            self.0.stop()
        }
    }
    let Some((_dir, job)) = bench() else { return };
    let folder = folder_of(&job.out).unwrap();
    let stopper = Stopper(Silent::default(), folder.join("0001.png"));
    assert!(matches!(make(&job, &source(&job), &stopper), Err(Error::Interrupted(_))));
    let stopped = files(&job);
    assert!(stopped.contains_key("0001.png") && !stopped.contains_key("0004.png"), "{:?}", stopped.keys());
    for name in stopped.keys().filter(|name| *name != MANIFEST) {
        ::image::open(folder.join(name)).unwrap();
    }
    made(&job).unwrap();
    let whole = files(&job);
    assert_eq!((whole.len(), &whole["0001.png"]), (5, &stopped["0001.png"]));
}

#[test]
fn files_that_are_not_ours_stay() {
    let Some((_dir, job)) = bench() else { return };
    let folder = folder_of(&job.out).unwrap();
    let refused = |job: &Job, name: &str| {
        let before = files(job);
        match made(job) {
            Err(Error::Exists(path)) => assert_eq!(path, folder.join(name)),
            other => panic!("{name}: {other:?}"),
        }
        assert_eq!(files(job), before);
    };
    std::fs::create_dir(&folder).unwrap();
    for name in ["0002.png", "holiday.jpg", "notes.txt"] {
        std::fs::write(folder.join(name), "mine").unwrap();
    }
    refused(&job, "0002.png");
    let forced = Job { overwrite: true, ..job.clone() };
    made(&forced).unwrap();
    let found = files(&job);
    for name in ["0002.png.bak", "holiday.jpg.bak", "notes.txt"] {
        assert_eq!(found[name].0, b"mine", "{name}");
    }
    ::image::open(folder.join("0002.png")).unwrap();
    made(&job).unwrap();

    // One that somebody has touched up, and other settings.
    std::fs::write(folder.join("0003.png"), "mine").unwrap();
    refused(&job, "0003.png");
    made(&forced).unwrap();
    assert_eq!(files(&job)["0003.png.bak"].0, b"mine");
    let mut fewer = job.clone();
    fewer.settings.video.frames = 3;
    refused(&fewer, MANIFEST);
    made(&Job { overwrite: true, ..fewer.clone() }).unwrap();
    let names: Vec<String> = files(&job).into_keys().collect();
    let left = ["0001.png", "0002.png", "0002.png.bak", "0003.png", "0003.png.bak", MANIFEST];
    assert_eq!(names, [&left[..], &["holiday.jpg.bak", "notes.txt"]].concat());
    // Another video under the same name.
    made(&fewer).unwrap();
    assert!(film(&job.scene, 30));
    refused(&fewer, MANIFEST);
    // What another program calls the same.
    std::fs::write(folder.join(MANIFEST), "{}").unwrap();
    refused(&fewer, MANIFEST);
    made(&Job { overwrite: true, ..fewer }).unwrap();
    assert_eq!(files(&job)[&format!("{MANIFEST}.bak")].0, b"{}");
}

/// Settings follow the photographs, which a video has only once its frames are there; what asks for them sees a folder
/// that nobody else changes.
#[test]
fn settings_are_asked_for_once_the_frames_are_there_and_held() {
    let Some((_dir, mut job)) = bench() else { return };
    // So that no COLMAP is asked for.
    job.settings.poses.poses_from = "cameras.json".into();
    let folder = folder_of(&job.out).unwrap();
    let settings = |frames: &Path| {
        assert_eq!(frames, folder);
        assert!(frames.join("0004.png").is_file());
        for held in [frames, job.out.as_path()] {
            assert!(matches!(OutputFolder::open(held), Err(Error::InUse { .. })), "{}", held.display());
        }
        Err(Error::setting("downscale", "asked for", "as it should be"))
    };
    let shared = Shared { settings: Some(&settings), ..Shared::default() };
    let error = super::super::run(&job, &shared, &Silent::default()).unwrap_err().to_string();
    assert!(error.contains("asked for"), "{error}");
    OutputFolder::open(&folder).unwrap();
}

#[test]
fn a_video_that_fails_leaves_nothing() {
    let Some((dir, job)) = bench() else { return };
    let bad = dir.path().join("bad.mp4");
    std::fs::write(&bad, "not a video").unwrap();
    let job = Job { scene: bad, ..job };
    made(&job).unwrap_err();
    assert!(!folder_of(&job.out).unwrap().exists());
    let gone = Job { scene: dir.path().join("gone.mp4"), ..job.clone() };
    let error = super::super::run(&gone, &Shared::default(), &Silent::default()).unwrap_err().to_string();
    assert!(error.contains("gone.mp4") && error.contains("check the path"), "{error}");
    let training = Job { scope: Scope::Training, ..job };
    let error = super::super::run(&training, &Shared::default(), &Silent::default()).unwrap_err().to_string();
    assert!(error.contains("bad.mp4") && error.contains("is a video"), "{error}");
    assert!(!dir.path().join("out").exists());
}

#[test]
fn the_folder_lies_beside_that_of_the_results() {
    let here = std::env::current_dir().unwrap();
    for (out, folder) in [("out/night", "out/night.frames"), ("night/", "night.frames"), ("/a/b.c", "/a/b.c.frames")] {
        assert_eq!(folder_of(Path::new(out)).unwrap(), Path::new(folder));
    }
    let mut beside = here.clone().into_os_string();
    beside.push(ENDING);
    assert_eq!(folder_of(Path::new(".")).unwrap(), Path::new(&beside));
    assert!(folder_of(Path::new("/")).is_err());
}
