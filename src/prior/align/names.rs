//! Matches cameras of a prior with views of a capture: by file name, then stem, then number; in each case within folders
//! of the same names first.

use crate::capture::plain_names;
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
/// by view. Of names with folders as many of the last ones count as both sides have (`images/cam0/1.png` is `cam0/1.jpg`
/// and not `cam1/1.jpg`), except folders that all names of the prior share. A key that two names of one side share
/// matches nothing by its rule, and nothing is matched twice.
pub fn matches(prior: &[&str], views: &[&str]) -> Vec<Match> {
    let rules: [(Rule, Key); 3] = [
        (Rule::Name, |name| Some(file_name(name).into())),
        (Rule::Stem, |name| Some(stem(name))),
        (Rule::Number, number),
    ];
    let short = plain_names(prior);
    let mut found: Vec<Match> = Vec::new();
    let deepest = views.iter().map(|name| folders(name).len()).max().unwrap_or(0);
    for ((rule, key), depth) in rules.into_iter().flat_map(|rule| (0..=deepest).rev().map(move |depth| (rule, depth))) {
        let (prior_keys, view_keys) = (unique(prior, key, depth), unique(views, key, depth));
        let new = view_keys.into_iter().filter_map(|(key, view)| {
            let index = *prior_keys.get(&key)?;
            let free = found.iter().all(|m| m.prior != index && m.view != view);
            let agree = [prior[index], &short[index]].iter().any(|name| same_folders(name, views[view]));
            (free && agree).then_some(Match { prior: index, view, rule })
        });
        let new: Vec<Match> = new.collect();
        found.extend(new);
    }
    found.sort_by_key(|m| m.view);
    found
}

/// The folders before a name, in lower case.
fn folders(name: &str) -> Vec<String> {
    let mut folders: Vec<String> = name.split(['/', '\\']).map(str::to_lowercase).collect();
    folders.pop();
    folders
}

/// Whether the last folders of two names are the same, as many as both have.
fn same_folders(a: &str, b: &str) -> bool {
    folders(a).iter().rev().zip(folders(b).iter().rev()).all(|(a, b)| a == b)
}

/// The index of each key, within the last `depth` folders, that one name alone has.
fn unique(names: &[&str], key: Key, depth: usize) -> HashMap<String, usize> {
    let mut seen: HashMap<String, Vec<usize>> = HashMap::new();
    for (index, name) in names.iter().enumerate() {
        if let Some(key) = key(name) {
            let folders = folders(name);
            let within = folders[folders.len().saturating_sub(depth)..].join("/");
            seen.entry(format!("{within}/{key}")).or_default().push(index);
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
    fn folders_of_a_rig_tell_its_cameras_apart() {
        let views = ["cam0/1.JPG", "cam1/1.JPG"];
        let name = |index: &[(usize, usize)]| index.iter().map(|&(p, v)| (p, v, Rule::Name)).collect::<Vec<_>>();
        assert_eq!(pairs(&["images/cam1/1.JPG", r"images\cam0\1.JPG"], &views), name(&[(1, 0), (0, 1)]));
        assert_eq!(
            pairs(&["Cam1/1_enhanced.png", "Cam0/1_enhanced.png"], &views),
            [(1, 0, Rule::Stem), (0, 1, Rule::Stem)]
        );
        assert_eq!(pairs(&["images/cam1/1.JPG"], &views), name(&[(0, 1)]));
        assert_eq!(pairs(&["cam2/1.JPG", "cam3/1.JPG"], &views), []);
        assert_eq!(pairs(&["1.JPG"], &views), []);
        // Never the picture of that name of another camera.
        assert_eq!(pairs(&["cam0/2.JPG", "cam2/3.JPG"], &["cam0/2.JPG", "cam1/3.JPG"]), name(&[(0, 0)]));
        // The folder that the whole prior shares carries no information.
        assert_eq!(pairs(&["out/2.JPG", "out/3.JPG"], &["cam0/2.JPG", "cam1/3.JPG"]), name(&[(0, 0), (1, 1)]));
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
