//! Videos that the installed ffmpeg makes, and programs that misbehave.

use super::choose::{Choice, Verdict};
use super::ffmpeg::{Ffmpeg, Gray};
use super::sharpness::{blur, sharpness};
use super::*;
use crate::progress::Silent;
use std::process::Command;
use std::time::{Duration, Instant};

/// 60 frames of a camera that moves; only the third of every six is sharp.
const WALK: &str = "testsrc2=size=640x360:rate=30:duration=2,crop=w=320:h=180:x=4*n:y=n,\
                    gblur=sigma=5:enable='mod(n-2\\,6)'";

/// Makes a video of what `source` shows; whether there is an ffmpeg that can.
fn film(path: &Path, source: &str, codec: &[&str]) -> bool {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-nostdin", "-loglevel", "error", "-y", "-f", "lavfi", "-i", source]);
    match command.args(codec).arg(crate::program::file_url(path)).status() {
        Ok(status) => {
            assert!(status.success(), "ffmpeg cannot make {}", path.display());
            true
        }
        Err(_) => {
            eprintln!("skipped: ffmpeg is not installed");
            false
        }
    }
}

fn error(path: &Path) -> String {
    Video::open(path, &Silent::default())
        .and_then(|video| video.choose(&Config::default(), &Silent::default()))
        .map_or_else(|error| error.to_string(), |_| "none".into())
}

fn gray(of: impl Fn(usize, usize) -> f64) -> Gray {
    let (width, height) = (96, 64);
    let pixels = (0..width * height).map(|i| of(i % width, i / width).clamp(0.0, 255.0) as u8).collect();
    Gray { width, height, pixels }
}

/// Squares of 8 pixels with edges `soft` pixels wide.
fn squares(soft: f64, brightness: f64, shift: usize) -> Gray {
    let wave = |at: usize| ((at as f64 + 0.5) / 8.0 * std::f64::consts::PI).sin() * 8.0 / soft;
    gray(|x, y| brightness * (1.0 + (wave(x + shift) * wave(y + shift)).clamp(-1.0, 1.0)))
}

#[test]
fn the_sharpest_frame_of_each_interval_is_chosen() {
    let dir = tempfile::tempdir().unwrap();
    // To ffmpeg, the names of a protocol and of an option.
    let path = dir.path().join("http:walk.mp4");
    if !film(&path, WALK, &["-c:v", "mpeg4", "-q:v", "2"]) {
        return;
    }
    let (silent, config) = (Silent::default(), Config::default());
    let video = Video::open(&path, &silent).unwrap();
    let frames = video.choose(&config, &silent).unwrap();
    let indices: Vec<u64> = frames.iter().map(|frame| frame.index).collect();
    assert_eq!(indices, (0..10).map(|interval| 6 * interval + 2).collect::<Vec<_>>());
    for frame in &frames {
        assert!((frame.seconds.unwrap() - frame.index as f64 / 30.0).abs() < 1e-3, "{frame:?}");
    }
    let few = video.choose(&Config { frames: 5, candidates: 4 }, &silent).unwrap();
    assert_eq!(few.len(), 5);
    assert!(few.iter().all(|frame| frame.index % 3 == 0), "every third frame is looked at: {few:?}");

    let mut pictures = Vec::new();
    let put = |place: usize, png: &[u8]| {
        assert_eq!(place, pictures.len());
        pictures.push(::image::load_from_memory(png).unwrap());
        Ok(())
    };
    video.extract(&indices[..2], &silent, put).unwrap();
    assert_eq!(pictures.len(), 2);
    // The same frames as ffmpeg shows by itself.
    let mut command = Command::new("ffmpeg");
    command.args(["-loglevel", "error", "-i"]).arg(crate::program::file_url(&path));
    command.args(["-vf", "select=eq(n\\,8)", "-frames:v", "1"]).arg(dir.path().join("eight.png"));
    assert!(command.status().unwrap().success());
    let eight = ::image::open(dir.path().join("eight.png")).unwrap().into_rgb8();
    let mine = pictures[1].as_rgb8().expect("8 bits");
    assert_eq!((mine.width(), mine.height()), (320, 180));
    let error = mine.as_raw().iter().zip(eight.as_raw()).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>();
    let mean = error / mine.as_raw().len() as f64;
    assert!(mean < 2.0, "{mean} levels off");
}

#[test]
fn a_video_that_was_trimmed_without_loss_has_the_frames_that_it_shows() {
    let dir = tempfile::tempdir().unwrap();
    let (whole, trimmed) = (dir.path().join("walk.mp4"), dir.path().join("trimmed.mp4"));
    if !film(&whole, WALK, &["-c:v", "mpeg4", "-q:v", "2", "-g", "60"]) {
        return;
    }
    // From the middle on; what stands before it is still needed to decode the rest.
    let mut command = Command::new("ffmpeg");
    command.args(["-loglevel", "error", "-ss", "1", "-i"]).arg(crate::program::file_url(&whole));
    command.args(["-c", "copy"]).arg(crate::program::file_url(&trimmed));
    assert!(command.status().unwrap().success());
    let silent = Silent::default();
    let frames = |path: &Path| {
        Video::open(path, &silent).unwrap().choose(&Config { frames: 10, candidates: 3 }, &silent).unwrap()
    };
    assert_eq!([frames(&whole).len(), frames(&trimmed).len()], [10, 10]);
    assert!(frames(&trimmed).iter().all(|frame| frame.index < 32));
}

#[test]
fn depth_shape_and_orientation_are_the_videos() {
    let dir = tempfile::tempdir().unwrap();
    let silent = Silent::default();
    let first = |path: &Path| {
        let mut found = None;
        let put = |_: usize, png: &[u8]| {
            found = ::image::load_from_memory(png).ok();
            Ok(())
        };
        Video::open(path, &silent).unwrap().extract(&[1], &silent, put).unwrap();
        found.unwrap()
    };
    let deep = dir.path().join("deep.mkv");
    if !film(&deep, "testsrc2=size=64x48:duration=1", &["-c:v", "ffv1", "-pix_fmt", "yuv420p10le"]) {
        return;
    }
    assert_eq!(first(&deep).color(), ::image::ColorType::Rgb16);
    let wide = dir.path().join("wide.avi");
    film(&wide, "testsrc2=size=64x48:duration=1,setsar=2", &["-c:v", "mpeg4", "-aspect", "8:3"]);
    assert_eq!((first(&wide).width(), first(&wide).height()), (128, 48));
    // `rotate` became `-display_rotation` in version 6.
    let (plain, turned) = (dir.path().join("plain.mp4"), dir.path().join("turned.mp4"));
    film(&plain, "testsrc2=size=64x48:duration=1", &["-c:v", "mpeg4"]);
    let turn = |before: &[&str], after: &[&str]| {
        let mut command = Command::new("ffmpeg");
        command.args(["-loglevel", "quiet", "-y"]).args(before).arg("-i").arg(&plain).args(["-c", "copy"]);
        command.args(after).arg(&turned).status().unwrap().success()
    };
    assert!(turn(&["-display_rotation", "90"], &[]) || turn(&[], &["-metadata:s:v", "rotate=90"]));
    assert_eq!((first(&turned).width(), first(&turned).height()), (48, 64));
}

#[test]
fn frames_of_hdr_videos_become_srgb() {
    let dir = tempfile::tempdir().unwrap();
    let hdr = dir.path().join("hdr.mkv");
    let hlg = ["-color_trc", "arib-std-b67", "-color_primaries", "bt2020", "-colorspace", "bt2020nc"];
    let deep = ["-c:v", "ffv1", "-pix_fmt", "yuv420p10le"];
    if !film(&hdr, "color=0x808080:size=64x48:duration=1", &[&deep[..], &hlg].concat()) {
        return;
    }
    let silent = Silent::default();
    let mut middle = None;
    let put = |_: usize, png: &[u8]| {
        middle = ::image::load_from_memory(png).ok().map(|picture| picture.into_rgb16().get_pixel(32, 24).0);
        Ok(())
    };
    Video::open(&hdr, &silent).unwrap().extract(&[1], &silent, put).unwrap();
    // A signal of a half is a twelfth of HLG's light, and white a quarter (0.265); ffmpeg's own rounding is 2 %.
    let expected = crate::color::linear_to_srgb(1.0 / 12.0 / 0.265);
    let found = middle.unwrap().map(|sample| f32::from(sample) / 65_535.0);
    assert!(found.iter().all(|found| (found - expected).abs() < 0.02), "{found:?}, not {expected}");
}

#[test]
fn what_is_no_video_or_cut_short_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let refused = |name: &str, words: &str| {
        let error = error(&at(name));
        assert!(error.contains(name) && error.contains(words), "{words}: {error}");
    };
    if !film(&at("walk.mp4"), WALK, &["-c:v", "mpeg4", "-movflags", "+faststart"]) {
        return;
    }
    film(&at("index-last.mp4"), WALK, &["-c:v", "mpeg4"]);
    film(&at("walk.mkv"), WALK, &["-c:v", "mpeg4"]);
    film(&at("walk.avi"), WALK, &["-c:v", "mpeg4"]);
    for name in ["walk.mp4", "walk.mkv", "walk.avi", "index-last.mp4"] {
        let bytes = std::fs::read(at(name)).unwrap();
        std::fs::write(at(&format!("cut-{name}")), &bytes[..bytes.len() * 6 / 10]).unwrap();
    }
    ["cut-walk.mp4", "cut-walk.mkv", "cut-walk.avi"].iter().for_each(|name| refused(name, "is cut short"));
    refused("cut-index-last.mp4", "moov atom not found");
    film(&at("sound.mp4"), "sine=duration=1", &["-c:a", "aac"]);
    refused("sound.mp4", "has no video");
    film(&at("two.avi"), "testsrc2=size=64x48:rate=2:duration=1", &["-c:v", "mpeg4"]);
    refused("two.avi", "holds 2 frames");
    film(&at("black.mp4"), "color=black:size=64x48:duration=1", &["-c:v", "mpeg4"]);
    refused("black.mp4", "show nothing");
    std::fs::write(at("text.mp4"), "not a video").unwrap();
    refused("text.mp4", "cannot read it");
    // A playlist would read other files.
    let list = format!("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{}\n#EXT-X-ENDLIST\n", at("walk.mp4").display());
    std::fs::write(at("list.mp4"), list).unwrap();
    refused("list.mp4", "cannot read it");
    refused("missing.mp4", "check the path");
}

#[test]
fn blurred_still_and_empty_videos_are_told() {
    let verdict = |picture: &dyn Fn(usize) -> Gray| {
        let mut choice = Choice::new(20, &Config { frames: 10, candidates: 2 });
        (0..20).for_each(|index| choice.look_at(index, &picture(index as usize)));
        choice.verdict()
    };
    let words = |verdict: Verdict| verdict.warnings.join(" ");
    assert_eq!(verdict(&|index| squares(1.0, 20.0, index)), Verdict::default());
    assert!(words(verdict(&|_| squares(1.0, 20.0, 0))).contains("hardly differ"));
    let smooth = |index: usize| gray(|x, y| 40.0 + 30.0 * ((x + y + 3 * index) as f64 / 30.0).sin());
    assert!(words(verdict(&smooth)).contains("no frame is sharp"));
    assert!(verdict(&|_| gray(|_, _| 3.0)).shows_nothing.is_some());
}

#[test]
fn sharpness_falls_with_blur_and_not_with_brightness() {
    let [sharp, soft, dark] = [squares(1.0, 100.0, 0), squares(8.0, 100.0, 0), squares(1.0, 25.0, 0)];
    assert!(sharpness(&sharp) > 1.5 * sharpness(&soft));
    assert!((sharpness(&sharp) / sharpness(&dark) - 1.0).abs() < 0.05);
    assert!(blur(&soft) > blur(&sharp) + 0.05, "{} {}", blur(&soft), blur(&sharp));
}

#[test]
fn settings_out_of_range_are_refused() {
    for config in [Config { frames: 2, candidates: 6 }, Config { frames: 120, candidates: 0 }] {
        let error = config.check().unwrap_err();
        assert!(error.exit_code() == 2 && error.to_string().starts_with("video."), "{error}");
    }
    assert!(is_video("night.MP4") && !is_video("night.png") && !is_video("._night.mp4"));
}

#[cfg(unix)]
mod misbehaving {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    /// Both programs in one: it knows its version and otherwise does as `script` says.
    fn fake(dir: &Path, script: &str) -> Result<Ffmpeg> {
        let path = dir.join("program");
        let text = format!("#!/bin/sh\ncase \"$*\" in -version) echo 1; exit 0;; esac\n{script}\n");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        let name = path.to_string_lossy();
        // Only what hangs is to seem to: a machine at work may take half a second to begin a script.
        let stuck_after = Duration::from_millis(if script.contains("sleep") { 500 } else { 60_000 });
        // A file that was just written may still be busy in a process that another test has just forked.
        let started = Instant::now();
        loop {
            match Ffmpeg::named(&name, &name, stuck_after, &dir.join("night.mp4")) {
                Err(error) if error.to_string().contains("busy") && started.elapsed().as_secs() < 10 => {}
                found => return found,
            }
        }
    }

    const INFO: &str = "case \"$*\" in *-count_packets*) echo '{\"streams\":[{\"pix_fmt\":\"yuv420p\",\
                        \"nb_read_packets\":\"30\"}]}'; exit 0;; esac\n";

    fn choose(script: &str) -> Result<Vec<Frame>> {
        let dir = tempfile::tempdir().unwrap();
        let silent = Silent::default();
        Video::open_with(fake(dir.path(), script)?, &dir.path().join("night.mp4"), &silent)?
            .choose(&Config::default(), &silent)
    }

    #[test]
    fn a_program_that_hangs_fails_or_writes_nonsense_is_named() {
        let one = "printf 'P5\\n2 2\\n255\\nabcd'; ";
        for (script, words) in [
            ("exec sleep 60".into(), "gave nothing for 0.5 s"),
            ("echo '[error] the disk is on fire' >&2; exit 7".into(), "the disk is on fire"),
            ("echo nonsense".into(), "ffprobe answers"),
            (format!("{INFO}{one}exec sleep 60"), "gave nothing"),
            (format!("{INFO}{one}echo '[x @ 0x1] [error] no memory' >&2; exit 1"), "no memory"),
            (format!("{INFO}{one}echo P6 2 2 255"), "writes no PGM"),
            (format!("{INFO}{one}"), "holds 1 frames"),
        ] {
            let started = Instant::now();
            let error = choose(&script).unwrap_err().to_string();
            assert!(error.contains(words) && error.contains("night.mp4"), "{words}: {error}");
            assert!(started.elapsed() < Duration::from_secs(20));
        }
        let missing = Ffmpeg::named("/nowhere/ffmpeg", "ffprobe", Duration::from_secs(1), "night.mp4".as_ref());
        let missing = missing.unwrap_err().to_string();
        assert!(missing.contains("night.mp4") && missing.contains("apt install ffmpeg"), "{missing}");
    }

    #[test]
    fn a_stop_ends_the_program() {
        let dir = tempfile::tempdir().unwrap();
        let silent = Silent::default();
        let png = "printf '\\211PNG\\r\\n\\032\\n\\000\\000\\000\\000IEND\\256B`\\202'; exec sleep 60";
        let mut ffmpeg = fake(dir.path(), &format!("{INFO}{png}")).unwrap();
        ffmpeg.stuck_after = Duration::from_secs(60);
        let video = Video::open_with(ffmpeg, &dir.path().join("night.mp4"), &silent).unwrap();
        let started = Instant::now();
        let stopped = video.extract(&[1, 2], &silent, |place, png| {
            assert!(place == 0 && png.len() == 20);
            silent.0.request();
            Ok(())
        });
        assert!(matches!(stopped, Err(Error::Interrupted(_))), "{stopped:?}");
        assert!(started.elapsed() < Duration::from_secs(20));
    }
}
