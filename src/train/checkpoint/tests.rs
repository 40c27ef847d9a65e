//! What is noticed of damage, what every failure of a write leaves, and what a run continues from.

use super::*;
use crate::capture::{Camera, Capture, Mask, Shot, View};
use crate::prior::PointCloud;
use crate::splat::TENSOR_WIDTHS;
use crate::storage::faults::{Kind, arm};
use serde_json::json;

const RUN: &str = "this run";

fn config(sh_degree: u32) -> Config {
    Config { steps: 50, sh_degree, ..Config::default() }
}

fn state(count: usize, sh_degree: u32, step: u32) -> State {
    let value = |i: usize| (i as f32 * 0.37 + step as f32).sin();
    let mut state = State { identity: RUN.into(), step, seconds: 1.5, sh_degree, ..State::default() };
    for (group, tensors) in state.groups.iter_mut().enumerate() {
        for (values, width) in tensors.iter_mut().zip(TENSOR_WIDTHS).take(5 + sh_degree as usize) {
            *values = (0..count * width).map(|i| if group == 2 { value(i).abs() } else { value(i) }).collect();
        }
    }
    state.statistics = (0..count).map(|i| [value(i), i as f32]).collect();
    state
}

fn decode(bytes: &[u8], sh_degree: u32) -> Result<Option<State>, String> {
    format::decode(bytes, RUN, &config(sh_degree))
}

#[test]
fn a_state_survives_the_round_trip() {
    for (count, sh_degree) in [(0, 1), (1, 0), (7, 1), (5, 2), (3, 3)] {
        let mut state = state(count, sh_degree, 41);
        state.changes = vec![Change { step: 3, settings: json!({ "steps": 60 }).as_object().unwrap().clone() }];
        let bytes = format::encode(&state).unwrap();
        assert_eq!(decode(&bytes, sh_degree).unwrap(), Some(state));
        assert_eq!(format::decode(&bytes, "another run", &config(sh_degree)), Ok(None));
    }
}

#[test]
fn every_flipped_bit_and_every_cut_is_noticed() {
    let whole = format::encode(&state(2, 0, 9)).unwrap();
    assert!(decode(&whole, 0).unwrap().is_some());
    let mut bytes = whole.clone();
    for bit in 0..8 * whole.len() {
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(decode(&bytes, 0).is_err(), "bit {bit} of {}", 8 * whole.len());
        bytes[bit / 8] ^= 1 << (bit % 8);
    }
    (0..whole.len()).for_each(|length| assert!(decode(&whole[..length], 0).is_err(), "{length} bytes"));
    assert!(decode(&[whole.as_slice(), b"\0"].concat(), 0).is_err());
}

#[test]
fn what_no_training_can_have_written_is_refused_though_its_checksum_fits() {
    let change = |step| Change { step, settings: json!({ "lr_sh": 1e-3 }).as_object().unwrap().clone() };
    type Wrong = (fn(&mut State), &'static str);
    let wrong: [Wrong; 8] = [
        (|s| s.step = 51, "step 51 of 50"),
        (|s| s.seconds = f64::NAN, "time"),
        (|s| s.seconds = -1.0, "time"),
        (|s| s.groups[0][1][3] = f32::NAN, "parameters.quats has 1 of 12"),
        (|s| s.groups[1][4][0] = f32::INFINITY, "m.sh0 has 1 of 9"),
        (|s| s.groups[2][0][0] = -1.0, "v.means has 1 of 9"),
        (|s| s.statistics[2][0] = f32::NAN, "densify has 1 of 6"),
        (|s| s.groups[0][7] = vec![0.0; 63], "parameters.sh3"),
    ];
    for (wrong, words) in wrong {
        let mut state = state(3, 3, 9);
        wrong(&mut state);
        if words == "parameters.sh3" {
            // As of a model of another degree.
            state.sh_degree = 2;
        }
        let message = decode(&format::encode(&state).unwrap(), 3).unwrap_err();
        assert!(message.contains(words), "{message}");
    }
    let early = State { changes: vec![change(10)], ..state(3, 1, 9) };
    assert!(decode(&format::encode(&early).unwrap(), 1).unwrap_err().contains("step 9"));
    // More tensors than there should be.
    let message = decode(&format::encode(&state(3, 2, 9)).unwrap(), 1).unwrap_err();
    assert!(message.contains("tensors instead of"), "{message}");
}

#[test]
fn files_without_a_checksum_and_of_other_formats_are_refused_in_clear_words() {
    let tensor = safetensors::tensor::TensorView::new(safetensors::Dtype::F32, vec![1], &[0; 4]).unwrap();
    let metadata = [("identity", RUN), ("step", "5"), ("seconds", "1"), ("changes", "[]")];
    let metadata = metadata.map(|(key, value)| (key.to_string(), value.to_string())).into();
    let old = safetensors::serialize([("densify", tensor)], Some(metadata)).unwrap();
    assert!(decode(&old, 0).unwrap_err().contains("have no checksum"));
    let text = format::encode(&state(1, 0, 5)).unwrap();
    let future = String::from_utf8_lossy(&text).contains("\"format\":\"2\"");
    assert!(future, "the version is written");
}

/// The generation that a run continues from: its step and whether it is `latest`.
fn loaded(dir: &Path) -> Option<(u32, bool)> {
    load(dir, RUN, &config(1)).unwrap().map(|(state, latest)| (state.step, latest))
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn damage(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 16;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_damaged_generation_is_passed_over_and_two_are_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    assert_eq!(loaded(dir), None);
    save(dir, &state(3, 1, 10), true).unwrap();
    save(dir, &state(3, 1, 20), true).unwrap();
    assert_eq!(names(dir), [LATEST, PREVIOUS]);
    assert_eq!(loaded(dir), Some((20, true)));
    damage(&dir.join(LATEST));
    assert_eq!(loaded(dir), Some((10, false)));
    // The next one replaces the damaged one, not the one that is whole.
    save(dir, &state(3, 1, 30), false).unwrap();
    assert_eq!(loaded(dir), Some((30, true)));
    damage(&dir.join(LATEST));
    assert_eq!(loaded(dir), Some((10, false)));
    damage(&dir.join(PREVIOUS));
    let message = load(dir, RUN, &config(1)).err().unwrap().to_string();
    for words in [LATEST, PREVIOUS, "checksum", "delete"] {
        assert!(message.contains(words), "'{words}' is not in {message}");
    }
}

#[test]
fn a_generation_of_another_run_is_none_and_hides_no_older_one() {
    let dir = tempfile::tempdir().unwrap();
    let other = |step| State { identity: "another run".into(), ..state(3, 1, step) };
    save(dir.path(), &other(40), true).unwrap();
    assert_eq!(loaded(dir.path()), None);
    save(dir.path(), &state(3, 1, 10), false).unwrap();
    let aside = dir.path().join(format!("{LATEST}.bak"));
    assert_eq!(format::identity_of(&std::fs::read(&aside).unwrap()).as_deref(), Ok("another run"), "it is not lost");
    save(dir.path(), &other(41), true).unwrap();
    assert_eq!(loaded(dir.path()), Some((10, false)));
    discard_of(dir.path(), "another run").unwrap();
    assert_eq!(names(dir.path()), [format!("{LATEST}.bak"), PREVIOUS.into()]);
    std::fs::remove_file(aside).unwrap();
    discard(dir.path()).unwrap();
    assert!(!dir.path().exists());
}

#[test]
fn all_generations_of_another_run_are_kept_through_the_writes_of_this_one() {
    let dir = tempfile::tempdir().unwrap();
    let other = |step| State { identity: "another run".into(), ..state(3, 1, step) };
    save(dir.path(), &other(40), true).unwrap();
    save(dir.path(), &other(41), true).unwrap();
    std::fs::write(dir.path().join(NEXT), format::encode(&other(42)).unwrap()).unwrap();
    let before: Vec<Vec<u8>> =
        [NEXT, LATEST, PREVIOUS].iter().map(|name| std::fs::read(dir.path().join(name)).unwrap()).collect();
    for (step, rotate) in [(10, false), (20, true), (30, true)] {
        save(dir.path(), &state(3, 1, step), rotate).unwrap();
    }
    assert_eq!(loaded(dir.path()), Some((30, true)));
    for (name, before) in [NEXT, LATEST, PREVIOUS].iter().zip(before) {
        assert!(std::fs::read(dir.path().join(format!("{name}.bak"))).unwrap() == before, "{name}");
    }
}

/// A view with a mask and a second shot, and its files in `folder`.
fn capture_in(folder: &Path) -> Capture {
    std::fs::create_dir_all(folder).unwrap();
    for name in ["a.jpg", "a2.jpg", "mask.png", "dark.png"] {
        std::fs::write(folder.join(name), name).unwrap();
    }
    let viewmat = glam::DMat4::IDENTITY;
    let camera = Camera { width: 8, height: 6, fx: 9.0, fy: 9.0, cx: 4.0, cy: 3.0, viewmat, reduction: 1.0 };
    let file = |name: &str| Some(folder.join(name));
    let mask = Mask { alpha: file("dark.png"), file: file("mask.png"), ..Mask::default() };
    let shots = vec![Shot { image: folder.join("a2.jpg"), exposure: 2.0 }];
    let view = View { name: "a".into(), image: file("a.jpg"), camera, lens: None, mask: Some(mask), gain: None, shots };
    Capture { root: folder.into(), train: vec![view], ..Capture::default() }
}

#[test]
fn files_count_by_their_content_wherever_they_lie() {
    let dir = tempfile::tempdir().unwrap();
    let of = |capture: &Capture| identity(&config(1), capture, &PointCloud::default());
    let capture = capture_in(&dir.path().join("here"));
    let first = of(&capture).unwrap();
    for elsewhere in ["moved", "here/../spelled", "./moved"] {
        assert_eq!(of(&capture_in(&dir.path().join(elsewhere))).unwrap(), first, "{elsewhere}");
    }
    for name in ["a.jpg", "a2.jpg", "mask.png", "dark.png"] {
        let path = dir.path().join("here").join(name);
        std::fs::write(&path, "another picture").unwrap();
        assert_ne!(of(&capture).unwrap(), first, "{name}");
        std::fs::write(&path, name).unwrap();
    }
    assert_eq!(of(&capture).unwrap(), first);
    let changes: [fn(&mut View); 7] = [
        |view| view.name = "b".into(),
        |view| view.camera.fx += 1.0,
        |view| view.gain = Some([2.0; 3]),
        |view| view.mask.as_mut().unwrap().inverted = true,
        |view| view.mask = None,
        |view| view.shots[0].exposure = 4.0,
        |view| view.shots.clear(),
    ];
    for (number, change) in changes.iter().enumerate() {
        let mut changed = capture.clone();
        change(&mut changed.train[0]);
        assert_ne!(of(&changed).unwrap(), first, "{number}");
    }
    std::fs::remove_file(dir.path().join("here/mask.png")).unwrap();
    assert!(of(&capture).unwrap_err().to_string().contains("mask.png"));
}

#[test]
fn at_any_instant_of_a_write_a_whole_generation_is_there_and_the_next_write_succeeds() {
    for kind in [Kind::Error, Kind::ShortWrite, Kind::Kill] {
        for at in 0.. {
            let dir = tempfile::tempdir().unwrap();
            let dir = dir.path();
            save(dir, &state(3, 1, 10), true).unwrap();
            save(dir, &state(3, 1, 20), true).unwrap();
            let armed = arm(dir, kind, at);
            let saved = save(dir, &state(3, 1, 30), true);
            let log = armed.log();
            let hit = armed.disarm();
            let (step, latest) = loaded(dir).unwrap();
            assert!(step == 20 || step == 30, "{kind:?} at {at} leaves step {step}: {log:?}");
            if saved.is_ok() {
                assert_eq!(step, 30, "{log:?}");
            }
            storage::remove_leftovers(dir);
            save(dir, &state(3, 1, 40), latest).unwrap();
            assert_eq!((loaded(dir), names(dir).len()), (Some((40, true)), 2), "{kind:?} at {at}: {log:?}");
            if !hit {
                assert!(saved.is_ok() && at > 4, "{at}: {log:?}");
                break;
            }
        }
    }
}
