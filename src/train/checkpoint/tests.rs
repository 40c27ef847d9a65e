//! What is noticed of damage, what every failure of a write leaves, and what a run continues from.

use super::*;
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
    save(dir.path(), &other(41), true).unwrap();
    assert_eq!(loaded(dir.path()), Some((10, false)));
    discard(dir.path()).unwrap();
    assert!(!dir.path().exists());
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
