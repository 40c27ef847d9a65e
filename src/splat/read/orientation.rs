//! The relation of a file's axes to those of splats, checked against cameras.

use super::super::axes::Axes;
use super::Found;
use crate::capture::{Camera, SceneFrame};
use glam::DVec3;
use rayon::prelude::*;
use std::path::Path;

/// Most splats and cameras to test.
const MOST_SPLATS: usize = 2000;
const MOST_CAMERAS: usize = 50;
/// Other axes fit better where cameras see this many times as many splats, and at least this part of them.
const TIMES: f64 = 3.0;
const LEAST_SEEN: f64 = 0.05;

/// From the axes of a file to those of the PLY layout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Orientation {
    /// Whether x, y and z changed their signs.
    pub turned: [bool; 3],
    /// The file names no axes, and programs differ on such files. They were taken as right, up, back, by the format's
    /// specification, but might be those of the PLY layout.
    pub assumed: bool,
}

impl Orientation {
    pub(super) fn of(axes: Axes, assumed: bool) -> Self {
        Self { turned: axes.signs().position.map(|sign| sign < 0.0), assumed }
    }

    /// The axes that changed their signs, in words; `None` where none did.
    pub fn turned_axes(&self) -> Option<String> {
        let axes = ["x", "y", "z"].into_iter().zip(self.turned).filter(|(_, turned)| *turned).map(|(axis, _)| axis);
        Some(axes.collect::<Vec<_>>().join(" and ")).filter(|axes| !axes.is_empty())
    }
}

impl Found {
    /// Warns where `cameras`, which are in the capture's coordinates, see none of the splats. Says that the axes of the file
    /// `path` were assumed, as a warning where cameras see more of the splats by other axes. The splats are in `frame`.
    pub fn check_axes(&self, path: &Path, frame: &SceneFrame, cameras: &[Camera]) {
        let [seen, otherwise] = self.seen(frame, cameras);
        let unseen = !cameras.is_empty() && seen == 0.0 && (otherwise == 0.0 || !self.orientation.assumed);
        if unseen && !self.is_seen(frame, cameras) {
            tracing::warn!(
                "{}: the cameras see none of its splats. They are those of another scene, or the splats are relative to \
                 an origin that the file does not state, as SPZ and .splat cannot: use the splats.ply of the run",
                path.display()
            );
            return;
        }
        if !self.orientation.assumed {
            return;
        }
        let taken = "does not name its axes; they are read as right, up, back, as SPZ specifies";
        if otherwise >= LEAST_SEEN && otherwise > TIMES * seen {
            tracing::warn!(
                "{}: {taken}. With these, the cameras see {:.1} % of the splats; with the axes of the PLY layout, which \
                 some programs write into SPZ, {:.1} %: export it as PLY with the program that wrote it",
                path.display(),
                100.0 * seen,
                100.0 * otherwise
            );
        } else if seen <= TIMES * otherwise {
            tracing::info!(
                "{}: {taken}. If the scene is upside down, export it as PLY with the program that wrote it",
                path.display()
            );
        }
    }

    /// Whether a camera sees any of the splats.
    fn is_seen(&self, frame: &SceneFrame, cameras: &[Camera]) -> bool {
        let cameras = some_of(cameras);
        self.splats.means.par_iter().any(|mean| {
            let place = frame.leave(DVec3::from(mean.map(f64::from)));
            cameras.iter().any(|camera| camera.sees(place).is_some())
        })
    }

    /// The part of the splats that a camera sees, on average: with the given axes, and with those of the PLY layout.
    fn seen(&self, frame: &SceneFrame, cameras: &[Camera]) -> [f64; 2] {
        let means = &self.splats.means;
        let some = || means.iter().step_by(means.len().div_ceil(MOST_SPLATS).max(1));
        let cameras = some_of(cameras);
        let part = |sign: f64| {
            let turned = DVec3::new(1.0, sign, sign);
            let places = some().map(|mean| turned * frame.leave(DVec3::from(mean.map(f64::from))));
            let seen: usize = places.map(|p| cameras.iter().filter(|camera| camera.sees(p).is_some()).count()).sum();
            seen as f64 / (some().count() * cameras.len()).max(1) as f64
        };
        [1.0, -1.0].map(part)
    }
}

fn some_of(cameras: &[Camera]) -> Vec<&Camera> {
    cameras.iter().step_by(cameras.len().div_ceil(MOST_CAMERAS).max(1)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::write::{Export, write};
    use super::super::{read_file, read_framed};
    use super::*;
    use crate::splat::reference::{camera, cloud, splats};

    #[test]
    fn files_say_how_their_axes_lie() {
        let dir = tempfile::tempdir().unwrap();
        let scene = splats(&cloud(5, 1));
        for (name, turned, assumed) in [
            ("a.ply", None, false),
            ("a.compressed.ply", None, false),
            ("a.spz", Some("y and z"), true),
            ("a.v4.spz", Some("y and z"), true),
            ("a.sog", None, false),
            ("a.glb", Some("x and y"), false),
            ("a.splat", None, false),
        ] {
            let path = dir.path().join(name);
            write(&path, &Export { splats: &scene, frame: SceneFrame::IDENTITY, antialiased: false }).unwrap();
            let orientation = read_file(&path).unwrap().orientation;
            assert_eq!((orientation.turned_axes().as_deref(), orientation.assumed), (turned, assumed), "{name}");
        }
    }

    /// A file whose axes are those of the PLY layout, as splat-transform 3 writes it, and the cameras of its scene.
    #[test]
    fn cameras_tell_that_axes_are_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.spz");
        let mut scene = splats(&cloud(200, 2));
        scene.means.iter_mut().for_each(|[_, _, z]| *z += 4.0);
        let frame = SceneFrame::IDENTITY;
        let cameras = vec![Camera { viewmat: glam::DMat4::IDENTITY, ..camera() }; 3];
        let parts = |turn: bool| {
            let mut scene = scene.clone();
            if turn {
                scene.means.iter_mut().for_each(|[_, y, z]| (*y, *z) = (-*y, -*z));
            }
            write(&path, &Export { splats: &scene, frame, antialiased: false }).unwrap();
            let (found, frame) = read_framed(&path).unwrap();
            found.seen(&frame, &cameras)
        };
        let [seen, otherwise] = parts(false);
        assert!(seen > LEAST_SEEN && seen > TIMES * otherwise, "{seen} {otherwise}");
        assert_eq!(parts(true), [otherwise, seen]);
    }

    #[test]
    fn one_splat_in_view_of_many_is_seen() {
        let mut scene = splats(&cloud(3 * MOST_SPLATS, 2));
        scene.means.iter_mut().for_each(|[_, _, z]| *z = -50.0);
        let cameras = [Camera { viewmat: glam::DMat4::IDENTITY, ..camera() }];
        let found = |splats: &crate::splat::Splats| {
            let found =
                Found { splats: splats.clone(), dropped: 0, antialiased: false, orientation: Orientation::default() };
            (found.seen(&SceneFrame::IDENTITY, &cameras)[0], found.is_seen(&SceneFrame::IDENTITY, &cameras))
        };
        assert_eq!(found(&scene), (0.0, false));
        scene.means[1] = [0.0, 0.0, 4.0];
        assert_eq!(found(&scene), (0.0, true));
    }
}
