//! The shape of a camera path: a centripetal Catmull–Rom spline through poses.
//!
//! Evaluated as Barry and Goldman's pyramid (SIGGRAPH 1988) of linear blends, in which rotations are blended along great
//! arcs (Schlag, Graphics Gems II, 1991) with the same knots, so that camera and view direction bend together. Knots
//! lie apart by the square root of the distance, which rules out cusps and loops within a segment (Yuksel et al. 2011).

use super::Pose;

/// Pieces of a segment whose lengths are known.
const PIECES: usize = 64;
/// Weight of turning relative to moving in lengths: enough that a turn in place takes time, too little to affect the pace of a
/// moving camera.
const TURNING: f64 = 0.2;
/// Distances that count as zero, as a part of the mean.
const NOTHING: f64 = 1e-9;

/// A smooth curve through poses.
pub(super) struct Curve {
    poses: Vec<Pose>,
    closed: bool,
    /// Square roots of the distances from each pose to the next.
    intervals: Vec<f64>,
    /// Length from the start to each end of a piece, [`PIECES`] a segment.
    lengths: Vec<f64>,
}

impl Curve {
    /// Through `poses`, at least two, and back to the first if `closed`.
    pub fn new(poses: &[Pose], closed: bool) -> Self {
        let segments = if closed { poses.len() } else { poses.len() - 1 };
        let pairs = || (0..segments).map(|i| (&poses[i], &poses[(i + 1) % poses.len()]));
        let moved: f64 = pairs().map(|(a, b)| a.position.distance(b.position)).sum();
        let turned: f64 = pairs().map(|(a, b)| angle(a, b)).sum();
        // World units that a radian of turning counts as.
        let radian = if turned == 0.0 || moved == 0.0 { 1.0 } else { TURNING * moved / turned };
        let distances: Vec<f64> = pairs().map(|(a, b)| distance(a, b, radian)).collect();
        let least = NOTHING * distances.iter().sum::<f64>().max(f64::MIN_POSITIVE) / segments as f64;
        let intervals = distances.iter().map(|d| d.max(least).sqrt()).collect();
        let mut curve = Self { poses: poses.to_vec(), closed, intervals, lengths: vec![0.0] };
        let (mut length, mut before) = (0.0, poses[0]);
        for piece in 1..=segments * PIECES {
            let pose = curve.at((piece - 1) / PIECES, ((piece - 1) % PIECES + 1) as f64 / PIECES as f64);
            length += distance(&before, &pose, radian);
            curve.lengths.push(length);
            before = pose;
        }
        curve
    }

    /// The length of the whole: a measure of moving and turning.
    pub fn length(&self) -> f64 {
        self.lengths[self.lengths.len() - 1]
    }

    /// Lengths from the start to each pose, and to the end where the curve is closed.
    pub fn lengths_at_poses(&self) -> Vec<f64> {
        self.lengths.iter().copied().step_by(PIECES).collect()
    }

    /// The pose at a length from the start, held within the curve.
    pub fn at_length(&self, length: f64) -> Pose {
        let last = self.lengths.len() - 2;
        let piece = self.lengths.partition_point(|end| *end <= length).saturating_sub(1).min(last);
        let (from, to) = (self.lengths[piece], self.lengths[piece + 1]);
        let within = if to > from { ((length - from) / (to - from)).clamp(0.0, 1.0) } else { 0.0 };
        self.at(piece / PIECES, ((piece % PIECES) as f64 + within) / PIECES as f64)
    }

    /// The pose at `t` (0 to 1) of a segment.
    fn at(&self, segment: usize, t: f64) -> Pose {
        let i = segment as isize;
        let poses = [i - 1, i, i + 1, i + 2].map(|index| self.pose(index));
        let [before, own, after] = [i - 1, i, i + 1].map(|index| self.interval(index));
        // Knots of the four poses, counted from the second.
        let knots = [-before, 0.0, own, own + after];
        let u = t * own;
        let blend =
            |a: &Pose, b: &Pose, from: usize, to: usize| mix(a, b, (u - knots[from]) / (knots[to] - knots[from]));
        let first = [0, 1, 2].map(|k| blend(&poses[k], &poses[k + 1], k, k + 1));
        let second = [0, 1].map(|k| blend(&first[k], &first[k + 1], k, k + 2));
        // The field of view does not swing.
        let fov = poses[1].fov + (poses[2].fov - poses[1].fov) * t;
        Pose { fov, ..blend(&second[0], &second[1], 1, 2) }
    }

    /// The pose at an index; beyond the ends of an open curve, what lies opposite of the neighbor.
    fn pose(&self, index: isize) -> Pose {
        let count = self.poses.len() as isize;
        if self.closed {
            return self.poses[index.rem_euclid(count) as usize];
        }
        let last = self.poses.len() - 1;
        match index {
            i if i < 0 => mix(&self.poses[1], &self.poses[0], 2.0),
            i if i >= count => mix(&self.poses[last - 1], &self.poses[last], 2.0),
            i => self.poses[i as usize],
        }
    }

    fn interval(&self, index: isize) -> f64 {
        let count = self.intervals.len() as isize;
        let index = if self.closed { index.rem_euclid(count) } else { index.clamp(0, count - 1) };
        self.intervals[index as usize]
    }
}

/// From `a` (0) to `b` (1), or beyond.
fn mix(a: &Pose, b: &Pose, t: f64) -> Pose {
    Pose {
        position: a.position + (b.position - a.position) * t,
        rotation: a.rotation.slerp(b.rotation, t).normalize(),
        fov: a.fov,
    }
}

/// Radians between two orientations.
fn angle(a: &Pose, b: &Pose) -> f64 {
    a.rotation.angle_between(b.rotation)
}

fn distance(a: &Pose, b: &Pose, radian: f64) -> f64 {
    a.position.distance(b.position).hypot(radian * angle(a, b))
}
