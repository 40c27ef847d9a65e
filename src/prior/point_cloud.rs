//! Colored points.

use crate::capture::Similarity;
use glam::DVec3;

/// A colored point cloud. What stages give and take is in the scene frame ([`crate::capture::SceneFrame`]).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PointCloud {
    /// Positions, `[N, 3]`.
    pub positions: Vec<[f32; 3]>,
    /// RGB, 8 bits, `[N, 3]`; as long as `positions`.
    pub colors: Vec<[u8; 3]>,
    /// Unit normals of the surface, `[N, 3]`, zero where unknown; as long as `positions`, or empty where none is known.
    pub normals: Vec<[f32; 3]>,
}

impl PointCloud {
    /// Number of points.
    pub fn len(&self) -> usize {
        self.positions.len()
    }

    /// Whether there is no point.
    pub fn is_empty(&self) -> bool {
        self.positions.is_empty()
    }

    /// The normal of a point; zero where it is unknown.
    pub fn normal(&self, index: usize) -> [f32; 3] {
        self.normals.get(index).copied().unwrap_or_default()
    }

    /// Keeps the points with the indices `kept`, which ascend.
    pub(crate) fn take(&mut self, kept: &[u32]) {
        take(&mut self.positions, kept);
        take(&mut self.colors, kept);
        take(&mut self.normals, kept);
    }

    /// Keeps the points whose place in `kept` is true, in their order.
    pub(crate) fn retain(&mut self, kept: &[bool]) {
        retain(&mut self.positions, kept);
        retain(&mut self.colors, kept);
        retain(&mut self.normals, kept);
    }
}

impl Similarity {
    /// Moves every point of `cloud`; the identity leaves them as they are, to the bit.
    pub fn move_cloud(&self, cloud: &mut PointCloud) {
        if *self != Self::IDENTITY {
            let double = |v: [f32; 3]| DVec3::from(v.map(f64::from));
            cloud.positions.iter_mut().for_each(|p| *p = self.point(double(*p)).as_vec3().to_array());
            cloud.normals.iter_mut().for_each(|n| *n = (self.rotation * double(*n)).as_vec3().to_array());
        }
    }
}

/// Keeps the values with the indices `kept`, which ascend; no values stay none.
fn take<T: Copy>(values: &mut Vec<T>, kept: &[u32]) {
    if values.is_empty() {
        return;
    }
    for (to, &from) in kept.iter().enumerate() {
        values[to] = values[from as usize];
    }
    values.truncate(kept.len());
}

/// Keeps the values whose place in `kept` is true, in their order.
pub(crate) fn retain<T>(values: &mut Vec<T>, kept: &[bool]) {
    let mut kept = kept.iter();
    values.retain(|_| kept.next().is_some_and(|kept| *kept));
}
