//! Coloured points.

/// A coloured point cloud in the capture's own frame.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PointCloud {
    /// Positions, `[N, 3]`.
    pub positions: Vec<[f32; 3]>,
    /// RGB, 8 bits, `[N, 3]`; as long as `positions`.
    pub colors: Vec<[u8; 3]>,
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
}
