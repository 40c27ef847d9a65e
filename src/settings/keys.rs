//! The keys of [`Settings`], read off the struct itself: path, flag, help and default.

use super::Settings;
use crate::{enhance, eval, poses, ppm, prior, train, video};
use documented::DocumentedFields;
use serde_json::Value;

/// One setting.
#[derive(Clone, Debug)]
pub struct Key {
    /// Table and name as in a settings file: `ppm.voxel_size`, `seed`.
    pub path: String,
    /// Table alone; empty for keys outside tables.
    pub section: &'static str,
    /// The long flag without dashes: the name, with its table before it where several tables have that name or the name alone
    /// is unclear.
    pub flag: String,
    /// The field's doc comment.
    pub help: String,
    /// Value where nobody sets it; null for an optional key that is not set.
    pub default: Value,
}

/// The tables with the names and doc comments of their fields.
const SECTIONS: &[(&str, &[&str], &[&str])] = &[
    ("", Settings::FIELD_NAMES, Settings::FIELD_DOCS),
    ("video", video::Config::FIELD_NAMES, video::Config::FIELD_DOCS),
    ("enhance", enhance::Config::FIELD_NAMES, enhance::Config::FIELD_DOCS),
    ("poses", poses::Config::FIELD_NAMES, poses::Config::FIELD_DOCS),
    ("prior", prior::Config::FIELD_NAMES, prior::Config::FIELD_DOCS),
    ("ppm", ppm::Config::FIELD_NAMES, ppm::Config::FIELD_DOCS),
    ("train", train::Config::FIELD_NAMES, train::Config::FIELD_DOCS),
    ("eval", eval::Config::FIELD_NAMES, eval::Config::FIELD_DOCS),
    ("train.densify", train::densify::Config::FIELD_NAMES, train::densify::Config::FIELD_DOCS),
];

/// Tables whose flags always start with the table's name: their keys alone are unclear.
const PREFIXED: [&str; 1] = ["video"];

/// All keys in the order of the struct, with the values of the preset *standard*.
pub fn keys() -> Vec<Key> {
    keys_from(&Settings::default())
}

/// As [`keys`], with the values of `defaults`.
pub fn keys_from(defaults: &Settings) -> Vec<Key> {
    let tree = serde_json::to_value(defaults).unwrap_or_default();
    let is_section = |path: &str| SECTIONS.iter().any(|(section, _, _)| *section == path);
    // The name of a table is no key, so a key of another table may have it for its flag.
    let has =
        |section: &str, names: &[&str], name: &str| names.contains(&name) && !(section.is_empty() && is_section(name));
    let times = |name: &str| SECTIONS.iter().filter(|(section, names, _)| has(section, names, name)).count();
    let mut keys = Vec::new();
    for &(section, names, docs) in SECTIONS {
        for (&name, doc) in names.iter().zip(docs) {
            let path = if section.is_empty() { name.to_string() } else { format!("{section}.{name}") };
            if is_section(&path) {
                continue;
            }
            let plain = section.is_empty() || (times(name) == 1 && !PREFIXED.contains(&section));
            let flag = if plain { name.to_string() } else { path.clone() };
            let default = tree.pointer(&pointer(&path)).cloned().unwrap_or_default();
            let help = doc.split_whitespace().collect::<Vec<_>>().join(" ");
            keys.push(Key { section, flag: flag.replace(['_', '.'], "-"), help, default, path });
        }
    }
    keys
}

fn pointer(path: &str) -> String {
    format!("/{}", path.replace('.', "/"))
}

impl Key {
    /// Possible values of a flag's text: for a key that holds text the text itself first, else a TOML value first.
    pub(super) fn candidates(&self, text: &str) -> Vec<Value> {
        let string = Value::String(text.to_string());
        let parsed = format!("v = {text}").parse::<toml::Table>().ok().and_then(|mut t| t.remove("v"));
        let parsed = parsed.and_then(|v| serde_json::to_value(v).ok());
        match parsed {
            None => vec![string],
            Some(value) if self.default.is_string() => vec![string, value],
            Some(value) => vec![value, string],
        }
    }

    /// `settings` with this key, and for a key outside tables every key of the same name, set to `value`.
    pub(super) fn set(&self, settings: &Settings, value: &Value) -> Result<Settings, serde_json::Error> {
        let mut tree = serde_json::to_value(settings)?;
        let same_name = format!(".{}", self.path);
        let fan_out = keys().into_iter().filter(|k| self.section.is_empty() && k.path.ends_with(&same_name));
        for path in std::iter::once(self.path.clone()).chain(fan_out.map(|k| k.path)) {
            if let Some(slot) = tree.pointer_mut(&pointer(&path)) {
                *slot = value.clone();
            }
        }
        serde_json::from_value(tree)
    }
}
