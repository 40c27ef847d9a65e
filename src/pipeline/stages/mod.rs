//! The stages, a file each.

pub(super) mod enhance;
pub(super) mod eval;
pub(super) mod poses;
pub(super) mod ppm;
pub(super) mod prior;
pub(super) mod render;
pub(super) mod train;

use super::definition::Definition;
use super::stage::{Stage, with_stages};

macro_rules! definitions {
    ($($(#[$doc:meta])* $constant:ident, $name:literal, $maker:expr;)+) => {
        /// In the order of [`Stage::all`].
        pub(super) const STAGES: &[&dyn Definition] = &[$(&$maker),+];
    };
}
with_stages!(definitions);

/// How a stage is planned and made.
pub(super) fn definition(stage: Stage) -> &'static dyn Definition {
    *STAGES.iter().find(|definition| definition.stage() == stage).expect("every stage is listed")
}

/// The stages that a run may stop after.
pub fn ends() -> impl Iterator<Item = Stage> {
    STAGES.iter().filter(|definition| definition.stored_with().is_none()).map(|definition| definition.stage())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_build_on_earlier_ones_and_are_known_by_name() {
        let all: Vec<Stage> = Stage::all().collect();
        assert!(STAGES.iter().map(|definition| definition.stage()).eq(Stage::all()));
        assert!(all.is_sorted() && all.windows(2).all(|pair| pair[0] != pair[1]));
        for stage in all {
            assert_eq!(Stage::named(stage.name()), Some(stage));
            assert!(definition(stage).builds_on().iter().all(|before| *before < stage));
            assert!(definition(stage).stored_with().is_none_or(|home| home > stage));
            let text = serde_json::to_string(&stage).unwrap();
            assert_eq!(serde_json::from_str::<Stage>(&text).unwrap(), stage);
        }
        let error = serde_json::from_str::<Stage>("\"bake\"").unwrap_err().to_string();
        assert!(error.contains("bake"), "{error}");
        assert!(ends().all(|stage| stage != Stage::PRIOR));
    }
}
