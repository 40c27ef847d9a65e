//! What the frames of a transforms file are for, where it says so: `train_filenames`, `val_filenames` and
//! `test_filenames`, as nerfstudio has them.

use super::frame::Frame;
use super::messages::list_names;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::Path;

/// The lists of a transforms file.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Lists {
    train_filenames: Option<Vec<String>>,
    val_filenames: Option<Vec<String>>,
    test_filenames: Option<Vec<String>>,
}

impl Lists {
    /// The `frames` of `source` to train on, and those that are kept from it for validation or test. Without a list of
    /// the first, they are all that no other list names.
    pub fn divide(&self, source: &Path, frames: Vec<Frame>) -> (Vec<Frame>, Vec<Frame>) {
        let lists = [&self.train_filenames, &self.val_filenames, &self.test_filenames];
        if lists.iter().all(|list| list.is_none()) {
            return (frames, Vec::new());
        }
        let names = |list: &Option<Vec<String>>| list.iter().flatten().map(|name| plain(name)).collect::<BTreeSet<_>>();
        let train = self.train_filenames.as_ref().map(|_| names(&self.train_filenames));
        let kept: BTreeSet<String> = lists[1..].iter().flat_map(|list| names(list)).collect();
        let known: BTreeSet<String> = frames.iter().map(|frame| plain(&frame.image)).collect();
        let listed = || train.iter().flatten().chain(&kept);
        let unknown: Vec<&String> = listed().filter(|name| !known.contains(*name)).collect();
        warn(source, &unknown, "names of its lists are none of its frames");
        let both: Vec<&String> = train.iter().flatten().filter(|name| kept.contains(*name)).collect();
        warn(source, &both, "frames are listed both for training and for validation or test: they are trained on");
        let (mut to_train, mut to_keep, mut neither) = (Vec::new(), Vec::new(), Vec::new());
        for frame in frames {
            let name = plain(&frame.image);
            let is_kept = kept.contains(&name);
            match &train {
                Some(train) if train.contains(&name) => to_train.push(frame),
                None if !is_kept => to_train.push(frame),
                _ if is_kept => to_keep.push(frame),
                _ => neither.push(name),
            }
        }
        warn(source, &neither, "frames are in none of its lists and are left out");
        (to_train, to_keep)
    }
}

fn warn(source: &Path, names: &[impl AsRef<str>], found: &str) {
    if !names.is_empty() {
        tracing::warn!("{}: {} {found}: {}", source.display(), names.len(), list_names(names));
    }
}

/// A path as it is compared.
fn plain(name: &str) -> String {
    let name = name.replace('\\', "/");
    name.trim_start_matches("./").to_string()
}
