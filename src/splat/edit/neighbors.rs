//! Points that are connected where one is within another's reach. A tree of boxes records which boxes are connected as a whole,
//! and never searches these again, so that a reach over all points costs no more than a short one.

/// Points of a box that is not divided.
const LEAF: usize = 8;

/// Points in a tree of boxes, and which of them are connected.
pub struct Neighbors<'p> {
    points: &'p [[f32; 3]],
    /// Points in the order of the boxes.
    order: Vec<usize>,
    boxes: Vec<Cell>,
    /// Each point's parent; a root is its own.
    parents: Vec<usize>,
}

/// A run of points, their bounds, and the halves.
struct Cell {
    run: [usize; 2],
    low: [f64; 3],
    high: [f64; 3],
    halves: Option<[usize; 2]>,
    /// All its points are connected.
    whole: bool,
}

/// What is within reach of a point.
struct Ball {
    point: usize,
    center: [f64; 3],
    squared: f64,
}

impl<'p> Neighbors<'p> {
    /// Points of which none is connected.
    pub fn of(points: &'p [[f32; 3]]) -> Self {
        let indices = || (0..points.len()).collect();
        let mut this = Self { points, order: indices(), boxes: Vec::new(), parents: indices() };
        if !points.is_empty() {
            this.divide([0, points.len()]);
        }
        this
    }

    /// Adds the box of a run, which is not empty, and all within it; its index.
    fn divide(&mut self, run: [usize; 2]) -> usize {
        let [start, end] = run;
        let (mut low, mut high) = ([f64::INFINITY; 3], [f64::NEG_INFINITY; 3]);
        for i in &self.order[start..end] {
            for (axis, v) in self.points[*i].into_iter().map(f64::from).enumerate() {
                (low[axis], high[axis]) = (low[axis].min(v), high[axis].max(v));
            }
        }
        let at = self.boxes.len();
        self.boxes.push(Cell { run, low, high, halves: None, whole: end - start == 1 });
        if end - start > LEAF {
            let extent = |axis: usize| high[axis] - low[axis];
            let axis = (0..3).max_by(|a, b| extent(*a).total_cmp(&extent(*b))).unwrap_or(0);
            let (points, half) = (self.points, (end - start) / 2);
            let by_axis = |a: &usize, b: &usize| points[*a][axis].total_cmp(&points[*b][axis]);
            self.order[start..end].select_nth_unstable_by(half, by_axis);
            let halves = [[start, start + half], [start + half, end]].map(|run| self.divide(run));
            self.boxes[at].halves = Some(halves);
        }
        at
    }

    /// Connects point `i` with all within `reach`.
    pub fn connect(&mut self, i: usize, reach: f64) {
        let ball = Ball { point: i, center: self.points[i].map(f64::from), squared: reach * reach };
        self.connect_in(0, &ball);
    }

    /// The representative of all points connected with `i`.
    pub fn root(&mut self, mut i: usize) -> usize {
        while self.parents[i] != i {
            // Halves the way for those who come later.
            self.parents[i] = self.parents[self.parents[i]];
            i = self.parents[i];
        }
        i
    }

    fn connect_in(&mut self, at: usize, ball: &Ball) {
        let Cell { run: [start, end], halves, whole, .. } = self.boxes[at];
        let [nearest, farthest] = self.boxes[at].distances(ball);
        if nearest > ball.squared {
            return;
        }
        let first = self.order[start];
        if whole {
            if self.root(first) != self.root(ball.point) && self.any_in(at, ball) {
                self.join(first, ball.point);
            }
            return;
        }
        self.boxes[at].whole = match halves {
            _ if farthest <= ball.squared => {
                (start..end).for_each(|k| self.join(self.order[k], ball.point));
                true
            }
            Some(halves) => {
                halves.into_iter().for_each(|half| self.connect_in(half, ball));
                let [a, b] = halves.map(|half| self.boxes[half].whole.then(|| self.order[self.boxes[half].run[0]]));
                a.zip(b).is_some_and(|(a, b)| self.root(a) == self.root(b))
            }
            None => {
                for k in start..end {
                    if self.is_within(self.order[k], ball) {
                        self.join(self.order[k], ball.point);
                    }
                }
                let root = self.root(first);
                (start..end).all(|k| self.root(self.order[k]) == root)
            }
        };
    }

    /// Whether a point of the box is within reach.
    fn any_in(&self, at: usize, ball: &Ball) -> bool {
        let this = &self.boxes[at];
        let [nearest, farthest] = this.distances(ball);
        if nearest > ball.squared || farthest <= ball.squared {
            return nearest <= ball.squared;
        }
        match this.halves {
            Some(halves) => halves.into_iter().any(|half| self.any_in(half, ball)),
            None => self.order[this.run[0]..this.run[1]].iter().any(|i| self.is_within(*i, ball)),
        }
    }

    fn is_within(&self, i: usize, ball: &Ball) -> bool {
        let offsets = (0..3).map(|axis| f64::from(self.points[i][axis]) - ball.center[axis]);
        offsets.map(|v| v * v).sum::<f64>() <= ball.squared
    }

    /// Roots are the smallest of those that are connected.
    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.parents[a.max(b)] = a.min(b);
    }
}

impl Cell {
    /// The squared distances of its nearest and its farthest place from the middle of the ball.
    fn distances(&self, ball: &Ball) -> [f64; 2] {
        let mut squared = [0.0; 2];
        for axis in 0..3 {
            let (below, above) = (self.low[axis] - ball.center[axis], ball.center[axis] - self.high[axis]);
            squared[0] += below.max(above).max(0.0).powi(2);
            squared[1] += below.min(above).powi(2);
        }
        squared
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::uniform;
    use std::time::Instant;

    fn points(count: usize) -> Vec<[f32; 3]> {
        (0..count).map(|i| [0, 1, 2].map(|axis| uniform(5, axis, i as u64) as f32)).collect()
    }

    #[test]
    fn clusters_are_those_of_all_pairs() {
        let points = points(600);
        for usual in [0.02, 0.05, 0.08, 0.3] {
            let reach = |i: usize| usual * (0.2 + 1.6 * uniform(6, 0, i as u64));
            let mut found = Neighbors::of(&points);
            (0..points.len()).for_each(|i| found.connect(i, reach(i)));
            let mut expected = Neighbors::of(&points);
            for (a, b) in (0..points.len()).flat_map(|a| (0..points.len()).map(move |b| (a, b))) {
                let [at, other] = [a, b].map(|i| glam::Vec3::from(points[i]).as_dvec3());
                if at.distance_squared(other) <= reach(a) * reach(a) {
                    expected.join(a, b);
                }
            }
            for i in 0..points.len() {
                assert_eq!(found.root(i), expected.root(i), "{usual}: {i}");
            }
        }
    }

    /// Fog, in which each splat reaches all: all pairs would take minutes.
    #[test]
    fn reaches_over_all_points_take_seconds() {
        let points = points(40_000);
        let since = Instant::now();
        for reach in [0.5, 3.0] {
            let mut fog = Neighbors::of(&points);
            (0..points.len()).for_each(|i| fog.connect(i, reach));
            assert!((0..points.len()).all(|i| fog.root(i) == 0));
        }
        assert!(since.elapsed().as_secs() < 20, "{:?}", since.elapsed());
    }
}
