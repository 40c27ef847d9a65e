//! Films by the installed ffmpeg, and by ones that misbehave.

use super::*;
use crate::capture::Image;
use crate::progress::Silent;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

/// A program that answers as ffmpeg does and makes films by `script`, in which `$out` is the file to write.
fn fake(dir: &Path, script: &str) -> Encoder {
    let path = dir.join("ffmpeg");
    let encoders = "case \"$*\" in *-encoders*) echo ' V....D mpeg4   MPEG-4 part 2'; exit 0;; esac";
    std::fs::write(&path, format!("#!/bin/sh\n{encoders}\nfor out; do :; done\nout=${{out#file:}}\n{script}\n"))
        .unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    // A file that was just written may still be busy in a process that another test has just forked.
    let started = Instant::now();
    loop {
        match Encoder::named(&path.to_string_lossy(), CONTAINERS[0]) {
            Err(error) if error.to_string().contains("busy") && started.elapsed().as_secs() < 10 => {}
            found => return found.unwrap(),
        }
    }
}

fn picture(index: usize) -> RgbImage {
    let mut image = Image::new(63, 48);
    let width = image.width as usize;
    for (at, pixel) in image.pixels.iter_mut().enumerate() {
        *pixel = [(at % width) as f32 / 63.0, 0.4, 0.1 + 0.05 * index as f32];
    }
    image.to_rgb8()
}

fn make(encoder: &Encoder, path: &Path, limit: Duration) -> Result<()> {
    encoder.film_within(path, [63, 48], 12.0, &Silent::default(), limit, |film| {
        (0..12).try_for_each(|index| film.put(&picture(index)))
    })
}

/// Files in `dir` but for the program itself.
fn left(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| !path.ends_with("ffmpeg")).collect()
}

#[test]
fn a_film_has_the_pictures() {
    for (name, format) in [("film.mp4", "mp4"), ("film.MOV", "mov"), ("film.mkv", "matroska"), ("film.webm", "webm")] {
        let dir = tempfile::tempdir().unwrap();
        let film = dir.path().join(name);
        match Encoder::find(&film) {
            Ok(encoder) => has_the_pictures(&encoder, &film, format),
            Err(error) => eprintln!("skipped: {error}"),
        }
    }
}

/// Makes the film and takes it apart again.
fn has_the_pictures(encoder: &Encoder, film: &Path, format: &str) {
    let dir = film.parent().unwrap();
    let limit = Duration::from_secs(60);
    encoder
        .film_within(film, [63, 48], 12.0, &Silent::default(), limit, |film| {
            (0..12).try_for_each(|index| film.put(&picture(index)))
        })
        .unwrap();
    assert_eq!(left(dir), [film]);
    // A demuxer that is named takes no other kind, but that MP4 and MOV, and Matroska and WebM, have one.
    let mut back = Command::new("ffmpeg");
    back.args(["-loglevel", "error", "-f", format, "-i"]).arg(film).arg(dir.join("%02d.png"));
    assert!(back.status().unwrap().success(), "{format}");
    assert_eq!(left(dir).len(), 13, "twelve pictures");
    for index in 0..12 {
        let found = ::image::open(dir.join(format!("{:02}.png", index + 1))).unwrap().to_rgb8();
        assert_eq!((found.width(), found.height()), (62, 48));
        let (mut error, wanted) = (0.0, picture(index));
        for (x, y, pixel) in found.enumerate_pixels() {
            error += (0..3).map(|c| f64::from(pixel[c].abs_diff(wanted.get_pixel(x, y)[c]))).sum::<f64>();
        }
        let mean = error / f64::from(3 * 62 * 48);
        assert!(mean < 3.0, "picture {index} of {format} is {mean} levels off");
    }
}

#[test]
fn what_ffmpeg_says_is_the_reason_and_no_file_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let film = dir.path().join("film.mp4");
    for script in [
        "head -c 9000 > \"$out\"; echo 'the disk is on fire' >&2; exit 7",
        "cat > /dev/null; echo 'the disk is on fire' >&2; exit 7",
    ] {
        let error = make(&fake(dir.path(), script), &film, Duration::from_secs(60)).unwrap_err().to_string();
        assert!(["film.mp4", "disk is on fire", "7"].iter().all(|word| error.contains(word)), "{error}");
        assert!(left(dir.path()).is_empty());
    }
}

#[test]
fn an_ffmpeg_that_hangs_is_ended() {
    let dir = tempfile::tempdir().unwrap();
    let film = dir.path().join("film.mp4");
    std::fs::write(&film, "an older film").unwrap();
    for script in ["exec sleep 60", "cat > \"$out\"; exec sleep 60"] {
        let started = Instant::now();
        let error = make(&fake(dir.path(), script), &film, Duration::from_millis(500)).unwrap_err().to_string();
        assert!(error.contains("did not come to an end") && started.elapsed() < Duration::from_secs(30), "{error}");
        assert_eq!(left(dir.path()), [film.as_path()]);
    }
    assert_eq!(std::fs::read(&film).unwrap(), b"an older film");
}

#[test]
fn a_stop_ends_the_film() {
    let (dir, silent) = (tempfile::tempdir().unwrap(), Silent::default());
    let film = dir.path().join("film.mp4");
    let encoder = fake(dir.path(), "exec cat > \"$out\"");
    let stopped = encoder.film(&film, [63, 48], 12.0, &silent, |film| {
        film.put(&picture(0))?;
        silent.0.request();
        film.put(&picture(1))
    });
    assert!(matches!(stopped, Err(Error::Interrupted(_))));
    assert!(left(dir.path()).is_empty());
}

#[test]
fn films_that_cannot_be_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["film.gif", "film.avi", "film"] {
        let other = Encoder::find(Path::new(name)).unwrap_err().to_string();
        assert!(other.contains(name) && other.contains(".mp4, .m4v, .mov, .mkv, .webm"), "{other}");
    }
    let missing = Encoder::named("/nowhere/ffmpeg", CONTAINERS[0]).unwrap_err();
    assert!(missing.exit_code() == 2 && missing.to_string().contains("apt install ffmpeg"), "{missing}");
    assert!(Encoder::named("true", CONTAINERS[0]).unwrap_err().to_string().contains("none of the encoders"));
    let encoder = fake(dir.path(), "exec cat > \"$out\"");
    let film = dir.path().join("film.mp4");
    let small = encoder.film(&film, [1, 48], 12.0, &Silent::default(), |_| Ok(()));
    assert!(small.unwrap_err().to_string().contains("1 × 48"));
    let other = encoder.film(&film, [64, 48], 12.0, &Silent::default(), |film| film.put(&picture(0)));
    assert!(other.unwrap_err().to_string().contains("63 × 48"));
    assert!(left(dir.path()).is_empty());
}

#[test]
fn a_name_with_a_colon_is_that_of_a_file() {
    let dir = tempfile::tempdir().unwrap();
    let checked =
        "for last; do :; done; case $last in file:*) exec cat > \"$out\";; *) echo \"$last\" >&2; exit 9;; esac";
    let encoder = fake(dir.path(), checked);
    for name in ["http:film.mp4", "-f.mp4", "concat:a|b.mp4"] {
        let film = dir.path().join(name);
        // The script is done long before the default limit.
        encoder.film(&film, [63, 48], 12.0, &Silent::default(), |film| film.put(&picture(0))).unwrap();
        assert_eq!(std::fs::metadata(&film).unwrap().len(), 63 * 48 * 3);
    }
}
