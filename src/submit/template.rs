//! How pictures are called in a submission.

use crate::error::{Error, Result};
use std::path::Path;
use std::str::FromStr;

/// Names of pictures: text with `{scene}` (the scene folder's name), `{scene_lowercase}`, `{index}` (position among
/// the scene's test frames, from 1; `{index:04}` with zeros to four digits) and `{name}` (the frame's own name, with its
/// folders, without ending). A `/` makes folders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Scene,
    SceneLowercase,
    /// With the number of digits.
    Index(usize),
    Name,
}

/// The layout of NTIRE 3DRR track 1: a flat folder, each scene counted from 1.
pub const NTIRE_3DRR: &str = "{scene_lowercase}_{index:04}.JPG";

const MOST_DIGITS: usize = 12;

impl Default for Template {
    fn default() -> Self {
        let parts = [Part::SceneLowercase, Part::Text("_".into()), Part::Index(4), Part::Text(".JPG".into())];
        Self(parts.into())
    }
}

impl Template {
    /// The name of the test frame called `frame`, the `index`-th (from 1) of `scene`.
    pub fn name(&self, scene: &str, index: usize, frame: &str) -> String {
        let part = |part: &Part| match part {
            Part::Text(text) => text.clone(),
            Part::Scene => scene.to_string(),
            Part::SceneLowercase => scene.to_lowercase(),
            Part::Index(digits) => format!("{index:0digits$}"),
            Part::Name => {
                let path = Path::new(frame);
                path.with_file_name(path.file_stem().unwrap_or_default()).to_string_lossy().into_owned()
            }
        };
        self.0.iter().map(part).collect()
    }
}

impl FromStr for Template {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let refuse = |found: &str| {
            let fields = "{scene}, {scene_lowercase}, {index:04} and {name}";
            Error::setting("template", format!("'{text}' {found}"), format!("use {fields}, as in {NTIRE_3DRR}"))
        };
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (field, after) = after.split_once('}').ok_or_else(|| refuse("has a { without a }"))?;
            parts.extend((!before.is_empty()).then(|| Part::Text(before.into())));
            parts.push(field_part(field).ok_or_else(|| refuse(&format!("has an unknown field {{{field}}}")))?);
            rest = after;
        }
        parts.extend((!rest.is_empty()).then(|| Part::Text(rest.into())));
        let lower = text.to_lowercase();
        if !(lower.ends_with(".jpg") || lower.ends_with(".jpeg")) {
            return Err(refuse("does not end in .JPG or .jpg, and pictures are JPEG files"));
        }
        if !parts.iter().any(|part| matches!(part, Part::Index(_) | Part::Name)) {
            return Err(refuse("gives all frames of a scene the same name"));
        }
        let bad = |c: char| c == '\\' || c == ':' || c == '}' || c.is_control();
        if parts.iter().any(|part| matches!(part, Part::Text(text) if text.contains(bad))) {
            return Err(refuse("has a character that names of files may not have"));
        }
        if text.split('/').any(|folder| ["", ".", ".."].contains(&folder)) {
            return Err(refuse("is not a plain path inside the zip"));
        }
        Ok(Self(parts))
    }
}

fn field_part(field: &str) -> Option<Part> {
    Some(match field {
        "scene" => Part::Scene,
        "scene_lowercase" => Part::SceneLowercase,
        "index" => Part::Index(1),
        "name" => Part::Name,
        _ => {
            let digits = field.strip_prefix("index:0")?.parse().ok()?;
            (1..=MOST_DIGITS).contains(&digits).then_some(Part::Index(digits))?
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_is_the_challenges() {
        assert_eq!(NTIRE_3DRR.parse::<Template>().unwrap(), Template::default());
        assert_eq!(Template::default().name("BlueHawaii", 7, "0031.JPG"), "bluehawaii_0007.JPG");
        assert_eq!(Template::default().name("BlueHawaii", 12345, "0031.JPG"), "bluehawaii_12345.JPG");
    }

    #[test]
    fn every_field_is_filled() {
        let template: Template = "{scene}/{name}_{index}.jpeg".parse().unwrap();
        assert_eq!(template.name("Room", 3, "a/0031.PNG"), "Room/a/0031_3.jpeg");
        assert_eq!(template.name("Room", 3, "0031"), "Room/0031_3.jpeg");
    }

    #[test]
    fn names_that_cannot_be_are_refused() {
        let bad = [
            "{scene}.JPG",
            "{index:04}.png",
            "{index",
            "{frame}.JPG",
            "../{index}.JPG",
            "/{index}.JPG",
            "a//{index}.JPG",
            "C:{index}.JPG",
            "a\\{index}.JPG",
            "{index:099}.JPG",
            "{index:4}.JPG",
            "",
        ];
        for text in bad {
            let error = text.parse::<Template>().expect_err(text);
            assert!(error.to_string().starts_with("template"), "{error}");
            assert_eq!(error.exit_code(), 2);
        }
    }
}
