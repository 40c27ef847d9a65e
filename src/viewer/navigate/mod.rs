//! Moving through a scene: orbit, pan, dolly, fly, focus, home, from camera to camera. Pure: pointer and keys in, a
//! point of view out.

mod lens;
mod pose;

pub use lens::Lens;
pub use pose::Pose;

use crate::capture::Camera;
use glam::DVec3;

/// Seconds that a transition takes.
const TRANSITION: f64 = 0.5;
/// Radians of an orbit for a drag over the height of the window.
const TURN: f64 = 2.5;
/// Share of the distance to the pivot that a click of the wheel takes, as the logarithm.
const DOLLY: f64 = 0.15;
/// Factor of a wheel click on the speed of flight.
const FASTER: f64 = 1.2;

/// A smooth way from one point of view to another.
struct Transition {
    from: Pose,
    to: Pose,
    seconds: f64,
}

/// What the pointer's drag moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Drag {
    /// Around the pivot.
    Orbit,
    /// Sideways.
    Pan,
    /// The head.
    Turn,
}

/// The point of view and where it is going.
pub struct Navigator {
    pose: Pose,
    home: (Pose, Option<usize>),
    /// The number of the camera that it is at or moving to.
    at: Option<usize>,
    transition: Option<Transition>,
    /// The scene's up axis, a unit vector.
    pub up: DVec3,
    /// World units per second of flight.
    pub speed: f64,
}

impl Navigator {
    /// At `home`, and at that camera if it is one; flight crosses the pivot's distance in two seconds.
    pub fn new(home: Pose, at: Option<usize>, up: DVec3) -> Self {
        Self { pose: home, home: (home, at), at, transition: None, up, speed: 0.5 * home.distance }
    }

    /// The point of view now.
    pub fn pose(&self) -> &Pose {
        &self.pose
    }

    /// The number of the camera that it is at, or on the way to.
    pub fn at(&self) -> Option<usize> {
        self.at
    }

    /// Whether it stands still.
    pub fn still(&self) -> bool {
        self.transition.is_none()
    }

    /// Takes over by hand from any transition.
    fn by_hand(&mut self) -> &mut Pose {
        self.transition = None;
        self.at = None;
        &mut self.pose
    }

    /// A drag by `right` and `down` heights of the window: the scene follows the pointer.
    pub fn drag(&mut self, drag: Drag, right: f64, down: f64) {
        let up = self.up;
        let pose = self.by_hand();
        match drag {
            Drag::Orbit => pose.orbit(-right * TURN, -down * TURN, up),
            Drag::Turn => pose.turn(right * TURN, down * TURN, up),
            Drag::Pan => pose.pan(right, down),
        }
    }

    /// `clicks` of the wheel toward the pivot.
    pub fn dolly(&mut self, clicks: f64) {
        self.by_hand().dolly(clicks * DOLLY);
    }

    /// Another speed of flight, by `clicks` of the wheel.
    pub fn faster(&mut self, clicks: f64) {
        self.speed *= FASTER.powf(clicks);
    }

    /// Flight along its own axes (`direction`, at most 1 long) for a time.
    pub fn fly(&mut self, direction: DVec3, seconds: f64) {
        let step = direction.clamp_length_max(1.0) * self.speed * seconds;
        self.by_hand().walk(step);
    }

    /// The same place through another lens.
    pub fn set_lens(&mut self, lens: Lens) {
        self.by_hand().lens = lens;
    }

    /// Makes `point` the pivot, in the middle of the picture.
    pub fn focus(&mut self, point: DVec3) {
        let pose = Pose::looking_at(self.pose.eye, point, self.up, self.pose.lens);
        self.go(pose, None);
    }

    /// To where it began.
    pub fn go_home(&mut self) {
        let (pose, at) = self.home;
        self.go(pose, at);
    }

    /// To a point of view, smoothly; `at` is the number of the camera that it is.
    pub fn go(&mut self, to: Pose, at: Option<usize>) {
        self.at = at;
        self.transition = Some(Transition { from: self.pose, to, seconds: 0.0 });
    }

    /// At a point of view, at once.
    pub fn place(&mut self, pose: Pose) {
        *self.by_hand() = pose;
    }

    /// `seconds` later.
    pub fn advance(&mut self, seconds: f64) {
        let Some(transition) = &mut self.transition else { return };
        transition.seconds += seconds;
        let t = transition.seconds / TRANSITION;
        if t >= 1.0 {
            self.pose = transition.to;
            self.transition = None;
        } else {
            self.pose = transition.from.between(&transition.to, t * t * (3.0 - 2.0 * t));
        }
    }
}

/// The number of the camera `by` places after (before, if negative) the one that one is at; from elsewhere the nearest to
/// `eye`.
pub fn neighbor(cameras: &[Camera], at: Option<usize>, eye: DVec3, by: isize) -> Option<usize> {
    let count = cameras.len();
    match at {
        _ if count == 0 => None,
        Some(index) => Some((index as isize + by).rem_euclid(count as isize) as usize),
        None => {
            let distance = |i: &usize| cameras[*i].center().distance(eye);
            (0..count).min_by(|a, b| distance(a).total_cmp(&distance(b)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pose(x: f64) -> Pose {
        Pose::looking_at(DVec3::new(x, 0.0, -4.0), DVec3::new(x, 0.0, 0.0), DVec3::NEG_Y, Lens::vertical(50.0, 1.5))
    }

    fn navigator() -> Navigator {
        Navigator::new(pose(0.0), None, DVec3::NEG_Y)
    }

    #[test]
    fn the_scene_follows_the_pointer() {
        let point = DVec3::new(0.0, 0.0, -0.5);
        for drag in [Drag::Orbit, Drag::Pan, Drag::Turn] {
            let mut navigator = navigator();
            navigator.drag(drag, 0.05, 0.05);
            let seen = navigator.pose().camera(300, 200).project(point);
            assert!(seen.x > 150.0 && seen.y > 100.0, "{drag:?}: {seen}");
        }
    }

    #[test]
    fn a_transition_ends_exactly_and_a_hand_takes_over() {
        let mut navigator = navigator();
        let camera = pose(1.0).camera(300, 200);
        navigator.go(Pose::of(&camera, 4.0), Some(3));
        assert!(!navigator.still() && navigator.at() == Some(3));
        navigator.advance(0.25);
        assert!((navigator.pose().eye.x - 0.5).abs() < 1e-9, "half way after half the time");
        navigator.advance(0.3);
        assert!(navigator.still() && navigator.pose().viewmat().abs_diff_eq(camera.viewmat, 1e-12));
        navigator.go_home();
        navigator.advance(0.1);
        navigator.dolly(1.0);
        assert!(navigator.still() && navigator.at().is_none());
        assert!(navigator.pose().eye.x > 0.5, "it stays where the hand took over");
    }

    #[test]
    fn focus_brings_a_point_to_the_middle_without_moving() {
        let mut navigator = navigator();
        let point = DVec3::new(1.0, 0.5, 2.0);
        navigator.focus(point);
        navigator.advance(1.0);
        let seen = navigator.pose().camera(300, 200).project(point);
        assert!((seen.x - 150.0).abs() < 1e-6 && (seen.y - 100.0).abs() < 1e-6);
        assert_eq!(navigator.pose().eye, pose(0.0).eye);
        assert!(navigator.pose().pivot().distance(point) < 1e-9);
    }

    #[test]
    fn flight_has_a_speed() {
        let mut navigator = navigator();
        navigator.faster(2.0);
        navigator.fly(DVec3::Z, 0.5);
        assert!((navigator.pose().eye.z - (-4.0 + 2.0 * 1.44 * 0.5)).abs() < 1e-9);
    }

    #[test]
    fn from_camera_to_camera_all_around() {
        let cameras: Vec<Camera> = [0.0, 1.0, 2.0].iter().map(|x| pose(*x).camera(30, 20)).collect();
        let eye = DVec3::new(1.2, 0.0, -4.0);
        assert_eq!(neighbor(&cameras, None, eye, 1), Some(1));
        assert_eq!(neighbor(&cameras, Some(2), eye, 1), Some(0));
        assert_eq!(neighbor(&cameras, Some(0), eye, -1), Some(2));
        assert_eq!(neighbor(&cameras, Some(1), eye, -2), Some(2));
        assert_eq!(neighbor(&[], None, eye, 1), None);
    }
}
