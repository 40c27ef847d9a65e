//! The pictures that are compared with the render at a camera, and the dividers between them.

use super::album::Kind;
use super::scene::Photo;

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
    /// The available pictures from left to right.
    pub fn layers(&self, has_dark: bool, has_lit: bool) -> Vec<Layer> {
        let all = [
            (self.dark && has_dark, Layer::Photo(Kind::Dark)),
            (self.lit && has_lit, Layer::Photo(Kind::Lit)),
            (self.render, Layer::Render),
        ];
        all.into_iter().filter(|(shown, _)| *shown).map(|(_, layer)| layer).collect()
    }

    /// Factors of the linear light of a photograph, given those of the render, `shown`. Lit ones are exposed like the model.
    pub fn gain(&self, kind: Kind, photo: &Photo, shown: [f32; 3]) -> [f32; 3] {
        let own = if kind == Kind::Dark { [self.dark_stops.exp2(); 3] } else { photo.gain };
        std::array::from_fn(|channel| shown[channel] * own[channel])
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
    use crate::Silent;
    use crate::pipeline::record::{Run, Stage, StageRecord};
    use crate::pipeline::{Job, Scope};
    use crate::settings::Settings;
    use crate::viewer::scene::photos;
    use std::path::Path;

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

    #[test]
    fn lit_photographs_are_compared_at_the_exposure_of_the_model() {
        let dir = tempfile::tempdir().unwrap();
        let [scene, out] = ["capture", "out"].map(|name| dir.path().join(name));
        let tiny = crate::scenes::Scene::load(Path::new("scenes/tiny.toml")).unwrap();
        crate::scenes::generate(&tiny, &scene, &Silent::default()).unwrap();
        let settings = Settings::default();
        let mut run = Run::new(&scene, &settings);
        let job = Job { scene, out: out.clone(), settings, overwrite: false, scope: Scope::Everything };
        let name = photos(&job).unwrap().0[1].name.clone();
        let mut prior = StageRecord::beginning(Stage::PRIOR, "", String::new(), Default::default());
        prior.counts.insert("exposures".into(), serde_json::json!({ (name): [0.5, 1.0, 2.0] }));
        run.put(prior);
        run.write(&out).unwrap();
        let (photos, _) = photos(&job).unwrap();
        let compare = Compare { dark_stops: 2.0, ..Compare::default() };
        let gain = |index: usize, kind: Kind| compare.gain(kind, &photos[index], [3.0; 3]);
        assert_eq!((gain(0, Kind::Lit), gain(1, Kind::Lit)), ([3.0; 3], [1.5, 3.0, 6.0]));
        assert_eq!(gain(1, Kind::Dark), [12.0; 3]);
    }
}
