//! Names of the settings' flags where they differ from the keys, and the words that they take.

use clap::builder::{PossibleValue, TypedValueParser};
use std::ffi::OsStr;

/// Flags whose key alone would be unclear on a command line. The key's own name stays a hidden alias.
const RENAMED: [(&str, &str); 15] = [
    ("enhance.scope", "response-scope"),
    ("enhance.n", "naka-n"),
    ("enhance.sigma", "naka-sigma"),
    ("enhance.normalize", "response-range"),
    ("enhance.working", "network-size"),
    ("prior.image_size", "stereo-size"),
    ("prior.max_views", "stereo-views"),
    ("prior.min_views", "stereo-min-views"),
    ("prior.min_correlation", "stereo-min-correlation"),
    ("prior.make", "make-points-by"),
    ("train.densify.start", "densify-start"),
    ("train.densify.stop", "densify-stop"),
    ("train.densify.every", "densify-every"),
    ("train.densify.grow", "densify-grow"),
    ("train.densify.noise", "densify-noise"),
];

/// Names of the same settings in other programs: nerfstudio, gsplat, Brush, Inria's 3DGS, LichtFeld.
const ALIASES: [(&str, &[&str]); 5] = [
    ("train.steps", &["max-steps", "total-steps", "iterations", "max-num-iterations"]),
    ("holdout", &["test-every", "eval-split-every"]),
    ("downscale", &["data-factor"]),
    ("train.densify.max_splats", &["cap-max"]),
    ("train.ssim_weight", &["ssim-lambda"]),
];

/// The settings that `-h` shows.
const COMMON: [&str; 7] =
    ["preset", "adapter", "downscale", "holdout", "train.steps", "prior.points", "train.densify.strategy"];

/// Keys that take one of a few words.
const WORDS: [(&str, &[&str]); 15] = [
    ("preset", &["preview", "standard", "paper"]),
    ("masks", &["use", "invert", "ignore"]),
    ("enhance.response", &["auto", "camera", "naka", "log", "none"]),
    ("enhance.scope", &["scene", "image"]),
    ("enhance.normalize", &["linear", "percentile", "symmetric", "histogram", "white"]),
    ("poses.mapper", &["incremental", "global"]),
    ("poses.lens", &["simple_pinhole", "pinhole", "simple_radial", "radial", "opencv"]),
    ("prior.align", &["sim3", "rigid", "none"]),
    ("prior.poses", &["replace", "align", "prior"]),
    ("prior.make", &["stereo", "frustum"]),
    ("prior.pose_check", &["refuse", "warn", "off"]),
    ("train.background", &["random", "black"]),
    ("train.densify.strategy", &["none", "default", "gradual", "mcmc"]),
    ("adapter", &["best", "cpu"]),
    ("enhance.weights", &["auto", "none"]),
];

fn find<T: Copy>(table: &[(&str, T)], path: &str) -> Option<T> {
    table.iter().find(|(key, _)| *key == path).map(|(_, value)| *value)
}

/// The flag of a key whose own name is `flag`, without dashes.
pub fn long<'a>(path: &str, flag: &'a str) -> &'a str {
    find(&RENAMED, path).unwrap_or(flag)
}

/// Other names of the flag: peers', and the key's own where the flag has another.
pub fn aliases(path: &str, flag: &str) -> Vec<String> {
    let own = find(&RENAMED, path).map(|_| flag);
    let peers = find(&ALIASES, path).unwrap_or_default();
    own.into_iter().chain(peers.iter().copied()).map(str::to_string).collect()
}

/// Whether `-h` shows it.
pub fn is_common(path: &str) -> bool {
    COMMON.contains(&path)
}

/// The words that a key takes, or that complete it.
pub fn words(path: &str) -> Option<Words> {
    find(&WORDS, path).map(Words)
}

/// Lists words for help and completion. Anything is accepted here: the settings give better errors about values.
#[derive(Clone, Copy)]
pub struct Words(&'static [&'static str]);

impl Words {
    /// Whether a help text has them all already.
    pub fn are_in(self, help: &str) -> bool {
        self.0.iter().all(|word| help.contains(word))
    }
}

impl TypedValueParser for Words {
    type Value = String;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<Self::Value, clap::Error> {
        clap::builder::StringValueParser::new().parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(self.0.iter().map(PossibleValue::new)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use naka_gs::settings::{Layers, keys};

    #[test]
    fn names_are_those_of_keys_and_words_are_accepted() {
        let keys = keys();
        let listed = RENAMED.iter().map(|(path, _)| path).chain(ALIASES.iter().map(|(path, _)| path)).chain(&COMMON);
        for path in listed {
            assert!(keys.iter().any(|key| key.path == *path), "{path} is no key");
        }
        for (path, words) in WORDS {
            let key = keys.iter().find(|key| key.path == path).unwrap();
            let resolved = |word: &str| {
                let flags = vec![(key.flag.clone(), word.to_string())];
                Layers { flags, ..Layers::default() }.resolve()
            };
            words.iter().for_each(|word| assert!(resolved(word).is_ok(), "--{} {word}", key.flag));
            if !["adapter", "enhance.weights"].contains(&path) {
                assert!(resolved("nonsense").is_err(), "{path} takes more than its words");
            }
        }
    }
}
