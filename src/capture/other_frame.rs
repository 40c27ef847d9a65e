//! Poses that are given instead of a scene's own ([`super::Options::cameras`]): moves what is in the frame of the scene's own
//! poses, its test poses and points, into that of the given ones, by the pictures that both pose.

use super::frame::Frame;
use super::medians::median;
use super::resolve::{Purpose, Resolver};
use super::robust::{Robust, extent, residual, robust};
use super::similarity::{Pair, Similarity, angle};
use crate::error::{Error, Result};
use glam::{DMat4, DQuat};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Frames count as the same where the median differences of cameras are below these: a part of their extent, and an angle in
/// radians. Refined poses differ by less, and those of another reconstruction by more.
const SAME: (f64, f64) = (0.02, 0.02);
/// Largest root mean square residual, as a part of the cameras' extent, of the same arrangement.
const MAX_RELATIVE_RMSE: f64 = 0.1;
/// Pictures that fix a similarity.
const MIN_PAIRS: usize = 3;

/// The relation of the frame of the scene's own poses to that of the given ones.
#[derive(Clone, Debug, PartialEq)]
pub enum OwnFrame {
    /// The same, also where the scene has no poses of its own.
    Same,
    /// Related by a similarity, from the own frame to the other.
    Moved {
        similarity: Similarity,
        /// Its support: pictures that both pose, and their RMSE as a part of the cameras' extent.
        pictures: usize,
        relative_rmse: f64,
    },
    /// Unknown, for this reason.
    Unknown(String),
}

impl OwnFrame {
    /// From the pictures that both `own` and `given` pose: each a file with its frames.
    pub fn between(resolver: &Resolver<'_>, own: (&Path, &[Frame]), given: (&Path, &[Frame])) -> Self {
        let (own, given) = (posed(resolver, own), posed(resolver, given));
        let pairs = own.iter().filter_map(|(file, from)| Some(Pair::of(*from, *given.get(file)?)));
        Self::of(&pairs.collect::<Vec<_>>())
    }

    fn of(pairs: &[Pair]) -> Self {
        if pairs.len() < MIN_PAIRS {
            return Self::Unknown(format!("{} pictures are posed by both, {MIN_PAIRS} are needed", pairs.len()));
        }
        let extent = extent(pairs);
        let apart = median(pairs.iter().map(|pair| pair.from.distance(pair.to)).collect());
        let turned = pairs.iter().map(|pair| pair.turn.map_or(0.0, |turn| angle(turn, DQuat::IDENTITY)));
        if apart <= SAME.0 * extent && median(turned.collect()) <= SAME.1 {
            return Self::Same;
        }
        let Ok((found, _)) = robust(pairs, false, 0) else {
            return Self::Unknown("the cameras stand at one point or on a line".into());
        };
        let (pictures, relative_rmse) = (pairs.len(), rmse(&found, pairs) / extent);
        let kept = found.kept.iter().filter(|kept| **kept).count();
        if relative_rmse.is_nan() || relative_rmse > MAX_RELATIVE_RMSE || 2 * kept <= pictures {
            return Self::Unknown("their cameras are not arranged alike".into());
        }
        Self::Moved { similarity: found.similarity, pictures, relative_rmse }
    }

    /// `frames` of the scene's file `path` in the frame of the poses `given`, with a warning where that is another frame.
    ///
    /// # Errors
    /// The frames' relation is unknown.
    pub fn enter(&self, path: &Path, mut frames: Vec<Frame>, given: &Path) -> Result<Vec<Frame>> {
        match self {
            Self::Same => {}
            Self::Unknown(_) if frames.is_empty() => {}
            Self::Moved { .. } if frames.is_empty() => {}
            Self::Moved { similarity, pictures, relative_rmse } => {
                tracing::warn!(
                    "{}: its poses are in the frame of the scene's own poses; they are moved into that of {}, by {pictures} \
                     pictures that both pose (RMSE {:.1} % of the cameras' extent)",
                    path.display(),
                    given.display(),
                    100.0 * relative_rmse
                );
                frames.iter_mut().for_each(|frame| frame.viewmat = similarity.viewmat(frame.viewmat));
            }
            Self::Unknown(reason) => {
                let found = format!(
                    "its poses are in the frame of the scene's own poses, which cannot be brought into that of {}: {reason}",
                    given.display()
                );
                return Err(Error::input(path, found, "take the file out of the scene, or use the scene's own poses"));
            }
        }
        Ok(frames)
    }

    /// Whether the points in the scene's own frame, `points`, can be used; warns where they cannot.
    pub fn has(&self, points: &Path, given: &Path) -> bool {
        if *self != Self::Same {
            tracing::warn!(
                "{}: is in the frame of the scene's own poses, and those of {} are in another: it is not used",
                points.display(),
                given.display()
            );
        }
        *self == Self::Same
    }
}

fn posed(resolver: &Resolver<'_>, (source, frames): (&Path, &[Frame])) -> BTreeMap<PathBuf, DMat4> {
    let file = |frame: &Frame| resolver.find(source, &frame.image, Purpose::Training).ok().flatten();
    frames.iter().filter_map(|frame| Some((file(frame)?, frame.viewmat))).collect()
}

fn rmse(found: &Robust, pairs: &[Pair]) -> f64 {
    let kept = pairs.iter().zip(&found.kept).filter(|(_, kept)| **kept);
    let squares: Vec<f64> = kept.map(|(pair, _)| residual(&found.similarity, pair).powi(2)).collect();
    (squares.iter().sum::<f64>() / squares.len().max(1) as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use glam::{DMat3, DVec3};

    /// Cameras on an arc.
    fn viewmats() -> Vec<DMat4> {
        let at = |i: usize| {
            let angle = 0.3 * i as f64;
            let center = DVec3::new(3.0 * angle.cos(), 3.0 * angle.sin(), 0.2 * (i % 3) as f64);
            let rotation = DMat3::from_rotation_z(-angle) * DMat3::from_rotation_x(0.1 * i as f64);
            let mut viewmat = DMat4::from_mat3(rotation);
            viewmat.w_axis = (-(rotation * center)).extend(1.0);
            viewmat
        };
        (0..8).map(at).collect()
    }

    fn between(moved: impl Fn(usize, DMat4) -> DMat4) -> OwnFrame {
        let pairs = viewmats().into_iter().enumerate().map(|(i, own)| Pair::of(own, moved(i, own)));
        OwnFrame::of(&pairs.collect::<Vec<_>>())
    }

    #[test]
    fn poses_that_were_refined_are_in_the_same_frame() {
        let nudge =
            |i: usize| DMat4::from_translation(DVec3::new(0.01 * (i % 3) as f64, -0.008, 0.005 * (i % 2) as f64));
        assert_eq!(between(|i, own| nudge(i) * own), OwnFrame::Same);
    }

    #[test]
    fn another_reconstruction_is_a_similarity_away() {
        let rotation = DMat3::from_axis_angle(DVec3::new(1.0, 2.0, -1.0).normalize(), 1.9);
        let truth = Similarity { scale: 0.4, rotation, translation: DVec3::new(3.0, -1.0, 8.0) };
        let wrong = DMat4::from_translation(DVec3::new(0.0, 9.0, 0.0));
        // One camera is somewhere else.
        let found = between(|i, own| if i == 4 { wrong } else { truth.viewmat(own) });
        let OwnFrame::Moved { similarity, pictures: 8, .. } = found else { panic!("{found:?}") };
        assert!((similarity.scale - 0.4).abs() < 1e-9 && similarity.translation.distance(truth.translation) < 1e-9);
    }

    #[test]
    fn cameras_of_another_scene_tell_nothing() {
        let elsewhere = |i: usize| DVec3::new([0.0, 5.0, -3.0, 8.0, 1.0, -7.0, 2.0, 4.0][i], (i * i % 5) as f64, 0.0);
        let found = between(|i, own| own * DMat4::from_translation(elsewhere(i)));
        assert!(matches!(&found, OwnFrame::Unknown(reason) if reason.contains("arranged")), "{found:?}");
        let few = OwnFrame::of(&[Pair::of(DMat4::IDENTITY, DMat4::IDENTITY)]);
        assert!(matches!(few, OwnFrame::Unknown(reason) if reason.contains("1 pictures")));
    }
}
