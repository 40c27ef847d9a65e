//! Which camera of a prior is which view of a capture: by file name, then stem, then number.

use std::collections::HashMap;

/// Endings that programs add to a stem.
const SUFFIXES: [&str; 3] = ["_enhanced", "_image", "_img"];

/// The rule that found a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    Name,
    Stem,
    Number,
}

/// A camera of the prior and a view of the capture that are the same photograph: their indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Match {
    pub prior: usize,
    pub view: usize,
    pub rule: Rule,
}

/// What a rule compares.
type Key = fn(&str) -> Option<String>;

/// Pairs of equal file name, of the rest those of equal stem, of the rest those with the same last number in the stem,
/// by view. Names may have folders before them. A key that two names of one side share matches nothing by its rule,
/// and nothing is matched twice.
pub fn matches(prior: &[&str], views: &[&str]) -> Vec<Match> {
    let rules: [(Rule, Key); 3] = [
        (Rule::Name, |name| Some(file_name(name).into())),
        (Rule::Stem, |name| Some(stem(name))),
        (Rule::Number, number),
    ];
    let mut found: Vec<Match> = Vec::new();
    for (rule, key) in rules {
        let (prior_keys, view_keys) = (unique(prior, key), unique(views, key));
        let new = view_keys.into_iter().filter_map(|(key, view)| {
            let prior = *prior_keys.get(&key)?;
            let free = found.iter().all(|m| m.prior != prior && m.view != view);
            free.then_some(Match { prior, view, rule })
        });
        let new: Vec<Match> = new.collect();
        found.extend(new);
    }
    found.sort_by_key(|m| m.view);
    found
}

/// The index of each key that one name alone has.
fn unique(names: &[&str], key: Key) -> HashMap<String, usize> {
    let mut seen: HashMap<String, Vec<usize>> = HashMap::new();
    for (index, name) in names.iter().enumerate() {
        if let Some(key) = key(name) {
            seen.entry(key).or_default().push(index);
        }
    }
    seen.into_iter().filter(|(_, indices)| indices.len() == 1).map(|(key, indices)| (key, indices[0])).collect()
}

fn file_name(name: &str) -> &str {
    name.rsplit(['/', '\\']).next().unwrap_or(name)
}

/// The file name without ending and [`SUFFIXES`], in lower case.
fn stem(name: &str) -> String {
    let name = file_name(name);
    let mut stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem).to_lowercase();
    while let Some(suffix) = SUFFIXES.into_iter().find(|suffix| stem.len() > suffix.len() && stem.ends_with(suffix)) {
        stem.truncate(stem.len() - suffix.len());
    }
    stem
}

/// The last number in the stem, without leading zeros.
fn number(name: &str) -> Option<String> {
    let stem = stem(name);
    let digits = stem.trim_end_matches(|c: char| !c.is_ascii_digit());
    let start = digits.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    let digits = &digits[start..];
    (!digits.is_empty()).then(|| digits.trim_start_matches('0').to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(prior: &[&str], views: &[&str]) -> Vec<(usize, usize, Rule)> {
        matches(prior, views).into_iter().map(|m| (m.prior, m.view, m.rule)).collect()
    }

    #[test]
    fn by_name_then_stem_then_number() {
        let prior = ["images/0003.JPG", "0002_enhanced.png", "frame_0007_img.png", "x.png"];
        let views = ["0002.JPG", "0003.JPG", "IMG-7.jpg", "y.png"];
        assert_eq!(pairs(&prior, &views), [(1, 0, Rule::Stem), (0, 1, Rule::Name), (2, 2, Rule::Number)]);
        assert_eq!(pairs(&["a_IMAGE_enhanced.png"], &["A.tif"]), [(0, 0, Rule::Stem)]);
        // A name that is nothing but a suffix keeps it; the last number counts, whatever stands behind it.
        assert_eq!(pairs(&["_img.png"], &["_image.png"]), []);
        assert_eq!(pairs(&["2024-05-000.png"], &["take1_0b.png"]), [(0, 0, Rule::Number)]);
    }

    #[test]
    fn a_key_that_is_not_unique_matches_nothing() {
        assert_eq!(pairs(&["a/1.png", "b/1.png"], &["1.png"]), []);
        assert_eq!(pairs(&["1.jpg"], &["1.png", "1.tif"]), []);
        // The name is unique, but the stem is not: the second stays alone.
        assert_eq!(pairs(&["1.png"], &["1.png", "1.tif"]), [(0, 0, Rule::Name)]);
        assert_eq!(pairs(&["cam_5.png", "5.png"], &["x5.png"]), []);
        assert_eq!(pairs(&["cam_5.png", "5.png"], &["x5.png", "cam_5.jpg"]), [(0, 1, Rule::Stem)]);
    }
}
