//! Recording of a camera path: keyframes and their file.

use crate::paths::{self, CameraPath, Keyframe};
use glam::DVec3;
use std::path::PathBuf;

/// Seconds from a keyframe to the one that is recorded after it.
pub const STEP: f64 = 2.0;
/// Parts of the way that are drawn.
const PARTS: u32 = 160;

/// What the way depends on.
type Bends = (Vec<Keyframe>, Option<f64>, bool);

/// A path that is recorded.
pub struct Recorder {
    pub path: CameraPath,
    /// The place on the way while it is played.
    pub playing: Option<f64>,
    /// Where the path is kept, and where it is filmed to, as typed; by default beside the scene.
    pub file: String,
    pub film: String,
    /// The file that the path was read from or written to: the one that may be replaced.
    pub own: Option<PathBuf>,
    /// The drawn curve and its path, cached because computing it is slow for a frame.
    line: Option<(Bends, Vec<DVec3>)>,
}

impl Recorder {
    /// Nothing is recorded.
    pub fn new() -> Self {
        let (path, file, film) = (CameraPath::new(1280, 720), String::new(), String::new());
        Self { path, playing: None, file, film, own: None, line: None }
    }

    /// The places on the way that lines are drawn between.
    pub fn line(&mut self) -> &[DVec3] {
        let CameraPath { keyframes, closing, constant_speed, .. } = &self.path;
        let same = |(keys, closed, even): &Bends| keys == keyframes && closed == closing && even == constant_speed;
        let kept = self.line.take_if(|(of, _)| same(of));
        let found = kept.unwrap_or_else(|| ((keyframes.clone(), *closing, *constant_speed), self.path.places(PARTS)));
        &self.line.insert(found).1
    }

    /// Adds a keyframe at the end.
    pub fn add(&mut self, pose: paths::Pose) {
        let seconds = self.path.keyframes.last().map_or(0.0, |last| last.seconds + STEP);
        self.path.frames.clear();
        self.path.keyframes.push(Keyframe { pose, seconds });
    }

    /// Takes a keyframe out; the first one is always at 0.
    pub fn remove(&mut self, index: usize) {
        self.path.frames.clear();
        self.path.keyframes.remove(index);
        let start = self.path.keyframes.first().map_or(0.0, |first| first.seconds);
        self.path.keyframes.iter_mut().for_each(|key| key.seconds -= start);
    }

    /// Moves a keyframe in time, between its neighbors.
    pub fn set_time(&mut self, index: usize, seconds: f64) {
        let keys = &mut self.path.keyframes;
        let after = index.checked_sub(1).map_or(0.0, |before| keys[before].seconds + 0.05);
        let before = keys.get(index + 1).map_or(f64::MAX, |next| next.seconds - 0.05);
        keys[index].seconds = seconds.min(before).max(after);
        self.path.frames.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use glam::{DQuat, DVec3};

    fn recorder(count: usize) -> Recorder {
        let mut recorder = Recorder::new();
        for i in 0..count {
            let position = DVec3::new(i as f64, 0.0, 0.0);
            recorder.add(paths::Pose { position, rotation: DQuat::IDENTITY, fov: 50.0 });
        }
        recorder
    }

    fn times(recorder: &Recorder) -> Vec<f64> {
        recorder.path.keyframes.iter().map(|key| key.seconds).collect()
    }

    #[test]
    fn keyframes_come_one_after_the_other_and_the_first_is_at_the_start() {
        let mut recorder = recorder(4);
        assert_eq!(times(&recorder), [0.0, 2.0, 4.0, 6.0]);
        recorder.remove(0);
        assert_eq!(times(&recorder), [0.0, 2.0, 4.0]);
        recorder.remove(1);
        assert_eq!(times(&recorder), [0.0, 4.0]);
        assert!(recorder.path.cameras().is_ok());
    }

    #[test]
    fn the_way_is_found_once_for_a_path() {
        let mut recorder = recorder(3);
        let found = recorder.line().as_ptr();
        assert_eq!(recorder.line().as_ptr(), found);
        let changes: [fn(&mut CameraPath); 4] = [
            |path| path.keyframes[1].pose.position.y = 3.0,
            |path| path.closing = Some(1.0),
            |path| path.constant_speed = true,
            |path| path.keyframes[2].seconds = 9.0,
        ];
        for change in changes {
            change(&mut recorder.path);
            let places = recorder.path.places(PARTS);
            assert_eq!(recorder.line(), places);
        }
    }

    #[test]
    fn times_stay_in_order() {
        let mut recorder = recorder(3);
        recorder.set_time(1, 99.0);
        assert!(recorder.path.keyframes[1].seconds < 4.0);
        recorder.set_time(1, -5.0);
        assert!(recorder.path.keyframes[1].seconds > 0.0);
        recorder.set_time(2, 9.0);
        assert_eq!(times(&recorder)[2], 9.0);
        assert!(recorder.path.cameras().is_ok());
    }
}
