//! What stands beside the render at a camera, and where the dividers between are.

use super::album::Kind;

/// What is compared at a camera.
#[derive(Clone, Debug, PartialEq)]
pub struct Compare {
    pub on: bool,
    pub dark: bool,
    pub lit: bool,
    pub render: bool,
    /// Exposure of the dark photograph alone, in stops.
    pub dark_stops: f32,
    /// Places of the dividers as shares of the picture's width, from left to right.
    pub dividers: [f32; 2],
}

impl Default for Compare {
    fn default() -> Self {
        Self { on: false, dark: true, lit: true, render: true, dark_stops: 0.0, dividers: [1.0 / 3.0, 2.0 / 3.0] }
    }
}

/// One of the pictures side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    Photo(Kind),
    Render,
}

impl Compare {
    /// The pictures from left to right, of those that there are.
    pub fn layers(&self, has_dark: bool, has_lit: bool) -> Vec<Layer> {
        let all = [
            (self.dark && has_dark, Layer::Photo(Kind::Dark)),
            (self.lit && has_lit, Layer::Photo(Kind::Lit)),
            (self.render, Layer::Render),
        ];
        all.into_iter().filter(|(shown, _)| *shown).map(|(_, layer)| layer).collect()
    }

    /// The ends of `count` pictures side by side, as shares of the width: one more than there are.
    pub fn ends(&self, count: usize) -> Vec<f32> {
        let inner = &self.dividers[..count.saturating_sub(1).min(2)];
        std::iter::once(0.0).chain(inner.iter().copied()).chain([1.0]).collect()
    }

    /// Moves a divider; the others give way.
    pub fn drag(&mut self, index: usize, to: f32) {
        let to = to.clamp(0.0, 1.0);
        self.dividers[index] = to;
        self.dividers[..index].iter_mut().for_each(|other| *other = other.min(to));
        self.dividers[index + 1..].iter_mut().for_each(|other| *other = other.max(to));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_there_is_stands_side_by_side() {
        let compare = Compare::default();
        let [dark, lit, render] = [Layer::Photo(Kind::Dark), Layer::Photo(Kind::Lit), Layer::Render];
        assert_eq!(compare.layers(true, true), [dark, lit, render]);
        assert_eq!(compare.layers(true, false), [dark, render]);
        let pair = Compare { render: false, ..compare };
        assert_eq!(pair.layers(true, true), [dark, lit]);
        assert_eq!(pair.ends(3), [0.0, 1.0 / 3.0, 2.0 / 3.0, 1.0]);
        assert_eq!(pair.ends(2), [0.0, 1.0 / 3.0, 1.0]);
        assert_eq!(pair.ends(1), [0.0, 1.0]);
    }

    #[test]
    fn dividers_push_each_other_and_stay_inside() {
        let mut compare = Compare::default();
        compare.drag(0, 0.9);
        assert_eq!(compare.dividers, [0.9, 0.9]);
        compare.drag(1, 0.2);
        assert_eq!(compare.dividers, [0.2, 0.2]);
        compare.drag(1, 7.0);
        assert_eq!(compare.dividers, [0.2, 1.0]);
    }
}
