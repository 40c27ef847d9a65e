//! Reads the finest level of a streamed scene, whose `lod-meta.json` names files of SOG: `write/streamed.rs` has the layout.
//!
//! Each box gives its finest level, which is not always level 0, and an environment (a sky) lies around all boxes.

use super::super::write::MODEL_ANTIALIASED;
use super::super::{Splats, raise_bands};
use super::sog::{damaged, is_below, read_beside};
use super::{FramedModel, bytes_in_memory, frame_in};
use crate::error::Result;
use crate::limits;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[derive(Deserialize)]
struct Streamed {
    filenames: Vec<String>,
    tree: Node,
    model: Option<Value>,
    environment: Option<String>,
    #[serde(rename = "naka_gs_frame")]
    frame: Option<Value>,
}

#[derive(Deserialize)]
struct Node {
    #[serde(default)]
    children: Vec<Node>,
    #[serde(default)]
    lods: BTreeMap<u32, Run>,
}

/// A box's splats of one level.
#[derive(Clone, Copy, Deserialize)]
struct Run {
    file: usize,
    #[serde(default)]
    offset: usize,
    /// All from `offset` on where it is not said.
    count: Option<usize>,
}

/// What is taken of a file.
#[derive(Default)]
struct Part {
    /// It is of the finest level, and taken as it is.
    whole: bool,
    runs: Vec<Run>,
}

impl Node {
    /// Adds the finest level of each box to `parts`, by file.
    fn finest(&self, parts: &mut BTreeMap<usize, Part>) {
        if let Some((level, run)) = self.lods.first_key_value()
            && (*level == 0 || self.children.is_empty())
        {
            let part = parts.entry(run.file).or_default();
            part.whole |= *level == 0;
            part.runs.push(*run);
        }
        self.children.iter().for_each(|child| child.finest(parts));
    }
}

impl Part {
    /// Of the splats of its file those that it has.
    fn of(&self, path: &Path, mut splats: Splats) -> Result<Splats> {
        if self.whole {
            return Ok(splats);
        }
        let all = splats.len();
        let mut kept = vec![false; all];
        for run in &self.runs {
            let end = run.count.map_or(Some(all), |count| run.offset.checked_add(count));
            let named = end.and_then(|end| kept.get_mut(run.offset..end)).ok_or_else(|| {
                let count = run.count.unwrap_or_default();
                damaged(path, format!("has {all} splats, of which {count} from {} on are named", run.offset))
            })?;
            named.fill(true);
        }
        splats.retain(&kept);
        Ok(splats)
    }
}

/// Reads the splats, whether they were trained for antialiased rendering, and the frame that the file states.
///
/// # Errors
/// A `lod-meta.json` that cannot be understood; files that it names, as [`read_beside`].
pub fn read(path: &Path) -> Result<FramedModel> {
    let streamed = Streamed::of(path)?;
    let mut parts = BTreeMap::new();
    streamed.tree.finest(&mut parts);
    if parts.is_empty() {
        return Err(damaged(path, "names no splats".into()));
    }
    let (mut read, mut all): (Vec<PathBuf>, Vec<Splats>) = Default::default();
    let mut antialiased = streamed.model.as_ref().map(|model| model == MODEL_ANTIALIASED);
    let names = parts.into_iter().map(|(file, part)| (streamed.filenames.get(file).ok_or(file), part));
    let around = streamed.environment.as_ref().map(|name| (Ok(name), Part { whole: true, runs: Vec::new() }));
    for (name, part) in names.chain(around) {
        let files = streamed.filenames.len();
        let name = name.map_err(|file| damaged(path, format!("names file {file} of {files}")))?;
        let file = file_beside(path, name)?;
        // One file under several numbers would be splats without end.
        if read.contains(&file) {
            return Err(damaged(path, format!("names {} twice", name.escape_debug())));
        }
        let (splats, of_file, _) = read_beside(&file)?;
        antialiased.get_or_insert(of_file);
        all.push(part.of(&file, splats)?);
        read.push(file);
    }
    Ok((joined(path, all)?, antialiased.unwrap_or_default(), frame_in(streamed.frame.as_ref())))
}

/// The files of a streamed scene beside `path` that describe its splats.
///
/// # Errors
/// As [`read`], but that none of them is read.
pub fn files(path: &Path) -> Result<Vec<PathBuf>> {
    let streamed = Streamed::of(path)?;
    streamed.filenames.iter().chain(&streamed.environment).map(|name| file_beside(path, name)).collect()
}

impl Streamed {
    fn of(path: &Path) -> Result<Self> {
        serde_json::from_slice(&limits::read(path)?)
            .map_err(|error| damaged(path, format!("does not describe a streamed scene: {error}")))
    }
}

fn file_beside(path: &Path, name: &str) -> Result<PathBuf> {
    match is_below(name) {
        true => Ok(path.parent().unwrap_or(Path::new("")).join(name)),
        false => Err(damaged(path, format!("names {}, which is not in its folder", name.escape_debug()))),
    }
}

/// All parts together, with the highest SH degree among them.
fn joined(path: &Path, all: Vec<Splats>) -> Result<Splats> {
    let degree = all.iter().map(|splats| splats.sh_degree).max().unwrap_or(0);
    if all.iter().any(|splats| splats.sh_degree < degree) {
        let count: usize = all.iter().map(Splats::len).sum();
        let bytes = all.iter().map(|splats| splats.len() as u64 * bytes_in_memory(splats.sh_degree)).sum();
        let needed = (count as u64).saturating_mul(bytes_in_memory(degree));
        limits::claim(path, bytes, needed, &format!("{count} splats with harmonics of degree {degree}"))?;
    }
    let mut whole = Splats { sh_degree: degree, ..Splats::default() };
    all.into_iter().for_each(|splats| whole.append(raise_bands(splats, degree)));
    Ok(whole)
}

#[cfg(test)]
mod tests {
    use super::super::super::write::{LOD_META, write_levels};
    use super::super::read_file;
    use crate::capture::SceneFrame;
    use crate::splat::reference::{cloud, splats};
    use crate::splat::{Splats, raise_bands, select, with_bands};
    use serde_json::{Value, json};
    use std::path::Path;

    fn write(path: &Path, levels: &[Splats]) {
        write_levels(path, levels, SceneFrame::IDENTITY, false).unwrap();
    }

    /// The splats of the file `name` as they are read by themselves.
    fn alone(folder: &Path, name: &str) -> Splats {
        read_file(folder.join(name)).unwrap().splats
    }

    /// As `splat-transform` writes them: levels of different places, and a sky.
    #[test]
    fn boxes_without_a_finest_level_and_the_environment_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(LOD_META);
        let all = splats(&cloud(12, 3));
        write(&path, &[select(&all, &[0, 1, 2]), select(&all, &[3, 4, 5, 6, 7])]);
        write(&folder.path().join("env").join(LOD_META), &[with_bands(&select(&all, &[8, 9]), 1)]);
        let mut meta: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let run = |file: u32, offset: u32, count: u32| json!({"file": file, "offset": offset, "count": count});
        let leaves = json!([{"lods": {"1": run(1, 1, 2), "10": run(0, 0, 3)}}, {"lods": {"1": run(1, 4, 1)}}]);
        let inner = json!({"children": leaves, "lods": {"2": run(1, 0, 5)}});
        meta["tree"] = json!({"children": [{"lods": {"0": run(0, 0, 3), "1": run(1, 0, 1)}}, inner]});
        meta["environment"] = json!("env/0_0/meta.json");
        std::fs::write(&path, meta.to_string()).unwrap();

        let [fine, coarse, sky] =
            ["0_0/meta.json", "1_0/meta.json", "env/0_0/meta.json"].map(|n| alone(folder.path(), n));
        let mut expected = fine;
        expected.append(select(&coarse, &[1, 2, 4]));
        expected.append(raise_bands(sky, 3));
        assert_eq!(read_file(&path).unwrap().splats, expected);
        // As a folder is moved without its sky.
        std::fs::remove_file(folder.path().join("env/0_0/meta.json")).unwrap();
        assert!(read_file(&path).unwrap_err().to_string().contains("env"));

        for (environment, tree, words) in [
            (json!("../0_0/meta.json"), json!({"lods": {"0": run(0, 0, 3)}}), "not in its folder"),
            (json!("0_0/meta.json"), json!({"lods": {"0": run(0, 0, 3)}}), "twice"),
            (json!(null), json!({"lods": {"1": run(1, 4, 2)}}), "5 splats, of which 2 from 4 on"),
            (json!(null), json!({"lods": {"1": {"file": 1, "offset": 2, "count": u64::MAX}}}), "from 2 on"),
            (json!(null), json!({}), "names no splats"),
        ] {
            (meta["environment"], meta["tree"]) = (environment, tree);
            std::fs::write(&path, meta.to_string()).unwrap();
            let message = read_file(&path).unwrap_err().to_string();
            assert!(message.contains(words), "{message}");
        }
    }
}
