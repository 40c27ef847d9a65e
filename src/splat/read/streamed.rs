//! The finest level of a streamed scene, whose `lod-meta.json` names files of SOG: `write/streamed.rs` has the layout.

use super::super::Splats;
use super::super::write::MODEL_ANTIALIASED;
use super::sog::{damaged, is_below, read_beside};
use crate::error::{Error, Result};
use crate::limits;
use serde::Deserialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
struct Streamed {
    filenames: Vec<String>,
    tree: Node,
    model: Option<Value>,
}

#[derive(Deserialize)]
struct Node {
    #[serde(default)]
    children: Vec<Node>,
    #[serde(default)]
    lods: BTreeMap<String, Run>,
}

/// A box's splats of one level.
#[derive(Deserialize)]
struct Run {
    file: usize,
}

impl Node {
    /// Adds the files with splats of the finest level.
    fn finest(&self, files: &mut BTreeSet<usize>) {
        files.extend(self.lods.get("0").map(|run| run.file));
        self.children.iter().for_each(|child| child.finest(files));
    }
}

/// Reads the splats, and whether they were trained for antialiased rendering.
///
/// # Errors
/// A `lod-meta.json` that cannot be understood; files that it names, as [`read_beside`].
pub fn read(path: &Path) -> Result<(Splats, bool)> {
    let streamed: Streamed = serde_json::from_slice(&limits::read(path)?)
        .map_err(|error| damaged(path, format!("does not describe a streamed scene: {error}")))?;
    let mut files = BTreeSet::new();
    streamed.tree.finest(&mut files);
    let folder = path.parent().unwrap_or(Path::new(""));
    // One file under several numbers would be splats without end.
    let (mut read, mut all): (BTreeSet<PathBuf>, Option<(Splats, bool)>) = Default::default();
    for file in files {
        let name = streamed.filenames.get(file);
        let name = name.ok_or_else(|| damaged(path, format!("names file {file} of {}", streamed.filenames.len())))?;
        if !is_below(name) {
            return Err(damaged(path, format!("names {}, which is not in its folder", name.escape_debug())));
        }
        let path_of_file = folder.join(name);
        if !read.insert(path_of_file.clone()) {
            return Err(damaged(path, format!("names {} twice", name.escape_debug())));
        }
        let (splats, antialiased) = read_beside(&path_of_file)?;
        match &mut all {
            Some((all, _)) if all.sh_degree == splats.sh_degree => all.append(splats),
            Some((all, _)) => {
                let found = format!("has splats of SH degrees {} and {} in one level", all.sh_degree, splats.sh_degree);
                return Err(Error::input(path, found, "export it again with one degree"));
            }
            None => all = Some((splats, antialiased)),
        }
    }
    let (splats, antialiased) = all.ok_or_else(|| damaged(path, "names no splats of its finest level".into()))?;
    Ok((splats, streamed.model.map_or(antialiased, |model| model == MODEL_ANTIALIASED)))
}
