//! The similarity that takes one set of camera poses to another.

use super::SceneFrame;
use super::medians::median;
use crate::eigen;
use glam::{DMat3, DMat4, DQuat, DVec3};

/// `x ↦ scale · rotation · x + translation`, det(rotation) = +1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Similarity {
    /// Factor of lengths.
    pub scale: f64,
    /// Rotation about the origin.
    pub rotation: DMat3,
    /// What is added after scale and rotation.
    pub translation: DVec3,
}

impl Default for Similarity {
    fn default() -> Self {
        Self::IDENTITY
    }
}

impl Similarity {
    /// Nothing changes.
    pub const IDENTITY: Self = Self { scale: 1.0, rotation: DMat3::IDENTITY, translation: DVec3::ZERO };

    /// The image of the point `p`.
    pub fn point(&self, p: DVec3) -> DVec3 {
        self.scale * (self.rotation * p) + self.translation
    }

    /// The world-to-camera transform of the same camera in the new frame. It stays rigid: depths scale with the world.
    pub fn viewmat(&self, viewmat: DMat4) -> DMat4 {
        let rotation = DMat3::from_mat4(viewmat) * self.rotation.transpose();
        let center = self.point(viewmat.inverse().w_axis.truncate());
        let mut moved = DMat4::from_mat3(rotation);
        moved.w_axis = (-(rotation * center)).extend(1.0);
        moved
    }

    /// The way back.
    pub fn inverse(&self) -> Self {
        let (scale, rotation) = (1.0 / self.scale, self.rotation.transpose());
        Self { scale, rotation, translation: -scale * (rotation * self.translation) }
    }

    /// Into a frame of the space that this one leads to.
    #[must_use]
    pub fn in_frame(&self, frame: &SceneFrame) -> Self {
        if frame.is_identity() {
            return *self;
        }
        let Self { scale, rotation, translation } = *self;
        Self { scale: scale / frame.unit, rotation, translation: frame.enter(translation) }
    }

    /// For points that are given relative to `origin`. Where that is the origin of a frame to enter, nothing is rounded.
    #[must_use]
    pub fn relative_to(&self, origin: DVec3) -> Self {
        if origin == DVec3::ZERO { *self } else { Self { translation: self.point(origin), ..*self } }
    }

    /// As a 4 × 4 matrix.
    pub fn matrix(&self) -> DMat4 {
        let mut matrix = DMat4::from_mat3(self.scale * self.rotation);
        matrix.w_axis = self.translation.extend(1.0);
        matrix
    }
}

/// A camera in both frames.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pair {
    /// Its center in the frame to leave.
    pub from: DVec3,
    /// Its center in the frame to reach.
    pub to: DVec3,
    /// The rotation between the frames by the camera's orientations, where they are known.
    pub turn: Option<DQuat>,
}

impl Pair {
    /// The camera of the world-to-camera transforms `from` and `to`.
    pub fn of(from: DMat4, to: DMat4) -> Self {
        let center = |viewmat: DMat4| viewmat.inverse().w_axis.truncate();
        let turn = DMat3::from_mat4(to).transpose() * DMat3::from_mat4(from);
        Self { from: center(from), to: center(to), turn: Some(DQuat::from_mat3(&turn).normalize()) }
    }
}

/// What a rotation follows from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// The camera centers alone.
    Centers,
    /// Centers on one line; about that line, the cameras' orientations.
    Line,
    /// Orientations alone: all centers coincide.
    Orientations,
}

impl Basis {
    /// As in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Centers => "centers",
            Self::Line => "line",
            Self::Orientations => "orientations",
        }
    }
}

/// Why there is no similarity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undetermined {
    /// All centers coincide, so that the scale is unknown.
    Coincident,
    /// The centers lie on a line, and orientations are unknown or contradict each other.
    Line,
}

/// Part of the extent along a line within which centers count as lying on it: their sides carry nothing that noise
/// could not undo.
const COLLINEAR: f64 = 0.01;
/// Part of the distance from the origin below which centers coincide: beyond the precision of files.
const COINCIDENT: f64 = 1e-7;
/// Orientations of different cameras that differ by more than this contradict each other (radians).
const MAX_TURN: f64 = 0.35;

/// The least-squares similarity of `pairs` (rigid: of scale 1): Umeyama 1991, its rotation by the quaternion method of
/// Horn 1987, which never gives a reflection. Where the centers leave the rotation open, the orientations decide.
pub fn fit(pairs: &[Pair], rigid: bool) -> Result<(Similarity, Basis), Undetermined> {
    let (from, to) = (Spread::of(pairs.iter().map(|p| p.from)), Spread::of(pairs.iter().map(|p| p.to)));
    if from.is_point() || to.is_point() {
        // Without an extent there is no scale; a rotation there is if orientations are known.
        let rotation = mean_turn(pairs).filter(|_| rigid).ok_or(Undetermined::Coincident)?;
        return Ok((through(from.mean, to.mean, 1.0, rotation), Basis::Orientations));
    }
    let line = from.is_line() || to.is_line();
    let rotation = match line {
        false => rotation_of_centers(pairs, &from, &to),
        true => rotation_about_line(pairs, &from, &to).ok_or(Undetermined::Line)?,
    };
    let along: f64 = pairs.iter().map(|p| (p.to - to.mean).dot(rotation * (p.from - from.mean))).sum();
    let square: f64 = pairs.iter().map(|p| (p.from - from.mean).length_squared()).sum();
    let scale = if rigid { 1.0 } else { along / square };
    if !(scale.is_finite() && scale > 0.0) {
        return Err(Undetermined::Coincident);
    }
    let basis = if line { Basis::Line } else { Basis::Centers };
    Ok((through(from.mean, to.mean, scale, rotation), basis))
}

fn through(from: DVec3, to: DVec3, scale: f64, rotation: DQuat) -> Similarity {
    let rotation = DMat3::from_quat(rotation.normalize());
    Similarity { scale, rotation, translation: to - scale * (rotation * from) }
}

/// Mean, principal axis and extents of points.
struct Spread {
    mean: DVec3,
    axis: DVec3,
    /// Root of the mean square along the first and the second principal axis.
    extents: [f64; 2],
}

impl Spread {
    fn of(points: impl ExactSizeIterator<Item = DVec3> + Clone) -> Self {
        let count = points.len().max(1) as f64;
        let mean = points.clone().sum::<DVec3>() / count;
        let scatter = points.fold(DMat3::ZERO, |sum, p| {
            let d = p - mean;
            sum + DMat3::from_cols(d * d.x, d * d.y, d * d.z)
        });
        let [first, second, _] = eigen::largest_first((scatter * (1.0 / count)).to_cols_array_2d());
        let extents = [first.0.max(0.0).sqrt(), second.0.max(0.0).sqrt()];
        Self { mean, axis: DVec3::from(first.1), extents }
    }

    fn is_point(&self) -> bool {
        // Also of NaN.
        !(self.extents[0] > COINCIDENT * self.mean.length() && self.extents[0] > f64::MIN_POSITIVE)
    }

    fn is_line(&self) -> bool {
        self.extents[1] <= COLLINEAR * self.extents[0]
    }
}

/// Horn 1987: the largest eigenvector of a symmetric matrix of the cross-covariance's entries.
fn rotation_of_centers(pairs: &[Pair], from: &Spread, to: &Spread) -> DQuat {
    let size = 1.0 / (from.extents[0] * to.extents[0] * pairs.len() as f64);
    let [x, y, z] = pairs.iter().fold([DVec3::ZERO; 3], |[x, y, z], pair| {
        let (a, b) = ((pair.from - from.mean) * size, pair.to - to.mean);
        [x + a.x * b, y + a.y * b, z + a.z * b]
    });
    top_quaternion([
        [x.x + y.y + z.z, y.z - z.y, z.x - x.z, x.y - y.x],
        [y.z - z.y, x.x - y.y - z.z, x.y + y.x, z.x + x.z],
        [z.x - x.z, x.y + y.x, y.y - x.x - z.z, y.z + z.y],
        [x.y - y.x, z.x + x.z, y.z + z.y, z.z - x.x - y.y],
    ])
}

/// The rotation that takes line to line, and about the line agrees best with the orientations.
fn rotation_about_line(pairs: &[Pair], from: &Spread, to: &Spread) -> Option<DQuat> {
    let turn = mean_turn(pairs)?;
    let along: f64 = pairs.iter().map(|p| (p.from - from.mean).dot(from.axis) * (p.to - to.mean).dot(to.axis)).sum();
    let turned = turn * from.axis;
    let axis = to.axis * along.signum();
    (turned.angle_between(axis) <= MAX_TURN).then(|| DQuat::from_rotation_arc(turned, axis) * turn)
}

/// The mean of the rotations by the cameras' orientations (Markley et al. 2007), without outliers.
/// `None` where they are unknown or most do not agree.
fn mean_turn(pairs: &[Pair]) -> Option<DQuat> {
    let turns: Vec<DQuat> = pairs.iter().filter_map(|pair| pair.turn).collect();
    // The one that is nearest to most; a few hundred candidates are as good as all.
    let stride = turns.len().div_ceil(200).max(1);
    let typical = |turn: &DQuat| median(turns.iter().map(|other| angle(*turn, *other)).collect());
    let (center, spread) = turns
        .iter()
        .step_by(stride)
        .map(|turn| (*turn, typical(turn)))
        .min_by(|a, b| a.1.total_cmp(&b.1))
        .filter(|(_, spread)| *spread <= MAX_TURN)?;
    let mut sum = [[0.0; 4]; 4];
    for turn in turns.iter().filter(|turn| angle(center, **turn) <= (3.0 * spread).max(0.02)) {
        let q = [turn.w, turn.x, turn.y, turn.z];
        sum = std::array::from_fn(|i| std::array::from_fn(|j| sum[i][j] + q[i] * q[j]));
    }
    Some(top_quaternion(sum))
}

/// The angle between two rotations.
pub fn angle(a: DQuat, b: DQuat) -> f64 {
    let difference = a.inverse() * b;
    2.0 * difference.xyz().length().atan2(difference.w.abs())
}

fn top_quaternion(matrix: [[f64; 4]; 4]) -> DQuat {
    let [(_, [w, x, y, z]), ..] = eigen::largest_first(matrix);
    DQuat::from_xyzw(x, y, z, w).normalize()
}
