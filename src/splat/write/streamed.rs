//! Levels of detail for viewers that stream: `lod-meta.json` and folders of SOG in several files, as `splat-transform` 2.7
//! writes them (`writeLod`) and PlayCanvas's engine reads them.
//!
//! Space is cut in two at the median until a box holds few splats. A box names, for each level, a run of splats in a file,
//! so that a viewer loads near boxes finely and far ones coarsely. Files of one level are `LEVEL_NUMBER/meta.json`.

use super::{Export, FRAME, Format, check, morton, sog};
use crate::capture::SceneFrame;
use crate::error::Result;
use crate::parallel::try_map;
use crate::splat::{Splats, select};
use crate::storage;
use glam::{Mat3, Quat};
use serde_json::{Value, json};
use std::path::Path;

/// The file that describes the levels.
pub const LOD_META: &str = "lod-meta.json";
/// Splats of a box, of all levels together: a viewer chooses between levels no finer than this.
const BOX: usize = 1 << 14;
/// Splats of a file, about: what a viewer loads at once.
const FILE: usize = 1 << 19;

/// A splat: its level, and its index in it.
type Member = (usize, u32);

/// Files of splats, in which boxes are runs.
#[derive(Default)]
struct Files {
    names: Vec<String>,
    /// The level of each, and its splats in their order.
    contents: Vec<(usize, Vec<u32>)>,
    /// The file of each level that is being filled.
    open: Vec<Option<usize>>,
}

/// Writes `levels` of the same scene, the finest first, to the folder of `path`; `path`, which describes them, comes last.
/// Files of these names are replaced.
///
/// # Errors
/// A level without splats or with values that are not finite; a file that cannot be written.
pub fn write_levels(path: &Path, levels: &[Splats], frame: SceneFrame, antialiased: bool) -> Result<()> {
    let exports: Vec<Export<'_>> = levels.iter().map(|splats| Export { splats, frame, antialiased }).collect();
    exports.iter().try_for_each(|export| check(path, export))?;
    exports[0].warn_of_losses(path, Format::Sog);
    let members = |(level, export): (usize, &Export<'_>)| (0..export.len() as u32).map(move |i| (level, i));
    let mut all: Vec<Member> = exports.iter().enumerate().flat_map(members).collect();
    let mut files = Files { open: vec![None; levels.len()], ..Files::default() };
    let tree = cut(&exports, &mut all, &mut files);
    let folder = path.parent().unwrap_or(Path::new(""));
    // An earlier description does not fit these files.
    storage::remove_file(path)?;
    try_map(&(0..files.names.len()).collect::<Vec<_>>(), |file| {
        let (level, order) = &files.contents[*file];
        let splats = select(&levels[*level], &order.iter().map(|i| *i as usize).collect::<Vec<_>>());
        let export = Export { splats: &splats, ..exports[*level] };
        let meta = folder.join(&files.names[*file]);
        let inner = meta.parent().unwrap_or(folder);
        storage::create_folder(inner)?;
        let contents = sog::files(&meta, &export, (0..splats.len() as u32).collect())?;
        // An earlier one describes other pictures; the new one is the first of the files, and comes last.
        storage::remove_file(&meta)?;
        contents.iter().rev().try_for_each(|(name, content)| storage::write_bytes(inner.join(name), content))
    })?;
    let counts: Vec<usize> = levels.iter().map(Splats::len).collect();
    let mut meta = json!({
        "version": 1,
        "asset": {"generator": concat!("naka-gs ", env!("CARGO_PKG_VERSION"))},
        "count": counts.iter().sum::<usize>(),
        "counts": counts,
        "lodLevels": levels.len(),
        "filenames": files.names,
        "tree": tree.0,
    });
    if antialiased {
        meta["model"] = json!(sog::ANTIALIASED);
    }
    if let Some(frame) = exports[0].stated_frame() {
        meta[FRAME] = frame;
    }
    storage::write_bytes(path, meta.to_string().as_bytes())
}

/// Whether files of levels lie in a folder of this name.
pub fn is_level_folder(name: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    name.split_once('_').is_some_and(|(level, number)| is_number(level) && is_number(number))
}

/// Bounds of a box: its smallest and its largest corner.
type Corners = [[f32; 3]; 2];

/// The node of `members`, and its bounds; the runs of its leaves go to `files`.
fn cut(exports: &[Export<'_>], members: &mut [Member], files: &mut Files) -> (Value, Corners) {
    let position = |(level, i): &Member| exports[*level].splats.means[*i as usize];
    if members.len() <= BOX {
        let bound = bounds(exports, members);
        let runs: serde_json::Map<String, Value> = (0..exports.len())
            .filter_map(|level| {
                let of_level: Vec<u32> = members.iter().filter(|m| m.0 == level).map(|m| m.1).collect();
                (!of_level.is_empty()).then(|| (level.to_string(), files.add(&exports[level], level, of_level)))
            })
            .collect();
        return (json!({"bound": entry(bound), "lods": runs}), bound);
    }
    let widest = |axis: &usize| {
        let values = members.iter().map(|member| position(member)[*axis]);
        let [low, high] = values.fold([f32::INFINITY, f32::NEG_INFINITY], |[low, high], v| [low.min(v), high.max(v)]);
        high - low
    };
    let axis = (0..3).max_by(|a, b| widest(a).total_cmp(&widest(b))).unwrap_or(0);
    let middle = members.len() / 2;
    members.select_nth_unstable_by(middle, |a, b| position(a)[axis].total_cmp(&position(b)[axis]).then(a.cmp(b)));
    let (near, far) = members.split_at_mut(middle);
    let ((near, a), (far, b)) = (cut(exports, near, files), cut(exports, far, files));
    let bound = union(a, b);
    (json!({"bound": entry(bound), "children": [near, far]}), bound)
}

impl Files {
    /// Puts a run of splats, along a curve, at the end of the level's file; where it is.
    fn add(&mut self, export: &Export<'_>, level: usize, mut run: Vec<u32>) -> Value {
        // A selection does not stop at a certain order.
        run.sort_unstable();
        let splats = select(export.splats, &run.iter().map(|i| *i as usize).collect::<Vec<_>>());
        let order = morton::order(&Export { splats: &splats, ..*export });
        let file = *self.open[level].get_or_insert_with(|| {
            let number = self.contents.iter().filter(|(of, _)| *of == level).count();
            self.names.push(format!("{level}_{number}/{}", sog::META));
            self.contents.push((level, Vec::new()));
            self.contents.len() - 1
        });
        let content = &mut self.contents[file].1;
        let offset = content.len();
        content.extend(order.into_iter().map(|i| run[i as usize]));
        if content.len() > FILE {
            self.open[level] = None;
        }
        json!({"file": file, "offset": offset, "count": run.len()})
    }
}

/// Of the splats' boxes at one standard deviation, in the file's coordinates.
fn bounds(exports: &[Export<'_>], members: &[Member]) -> Corners {
    let corners = |(level, i): &Member| -> Corners {
        let (export, i) = (&exports[*level], *i as usize);
        let [w, x, y, z] = export.rotation(i);
        let axes = Mat3::from_quat(Quat::from_xyzw(x, y, z, w)).to_cols_array_2d();
        let (center, scales) = (export.position(i), export.log_scale(i).map(f32::exp));
        let half: [f32; 3] = std::array::from_fn(|row| (0..3).map(|k| axes[k][row].abs() * scales[k]).sum());
        [-1.0, 1.0].map(|sign: f32| std::array::from_fn(|axis| center[axis] + sign * half[axis]))
    };
    members.iter().map(corners).fold([[f32::INFINITY; 3], [f32::NEG_INFINITY; 3]], union)
}

fn union(a: Corners, b: Corners) -> Corners {
    [std::array::from_fn(|axis| a[0][axis].min(b[0][axis])), std::array::from_fn(|axis| a[1][axis].max(b[1][axis]))]
}

fn entry([min, max]: Corners) -> Value {
    json!({"min": min, "max": max})
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::uniform;
    use crate::splat::{read, read_file, reference};
    use crate::storage::faults;

    /// A flat scene of `count` splats.
    fn plane(count: usize) -> Splats {
        let one = reference::splats(&reference::cloud(1, 3));
        let mut all = select(&one, &vec![0; count]);
        for (i, mean) in all.means.iter_mut().enumerate() {
            *mean =
                std::array::from_fn(|axis| (uniform(7, axis as u64, i as u64) as f32 - 0.5) * [20.0, 0.1, 8.0][axis]);
        }
        all
    }

    /// Runs of each level in the leaves below a node; bounds must hold those of the children.
    fn runs(node: &Value, found: &mut Vec<(String, Value, Value)>) {
        if let Some(children) = node["children"].as_array() {
            for child in children {
                for axis in 0..3 {
                    let value = |node: &Value, end: &str| node["bound"][end][axis].as_f64().unwrap();
                    assert!(value(child, "min") >= value(node, "min") && value(child, "max") <= value(node, "max"));
                }
                runs(child, found);
            }
            return;
        }
        let of_leaf = node["lods"].as_object().unwrap().iter();
        found.extend(of_leaf.map(|(level, run)| (level.clone(), run.clone(), node["bound"].clone())));
    }

    /// A description that is there belongs to the pictures beside it, wherever the process ends.
    #[test]
    fn levels_that_are_replaced_are_the_old_ones_or_the_new_ones() {
        let [old, new] = [3, 4].map(|seed| vec![reference::splats(&reference::cloud(4, seed))]);
        for at in 0.. {
            let folder = tempfile::tempdir().unwrap();
            let (path, unit) = (folder.path().join(LOD_META), folder.path().join("0_0").join(sog::META));
            let write = |levels: &[Splats]| write_levels(&path, levels, SceneFrame::IDENTITY, false);
            write(&new).unwrap();
            let expected = read(&unit).unwrap();
            write(&old).unwrap();
            let before = read(&unit).unwrap();
            let armed = faults::arm(folder.path(), faults::Kind::Kill, at);
            let failed = write(&new).is_err();
            let hit = armed.disarm();
            if unit.exists() {
                let found = read(&unit).unwrap();
                assert!(found == before || found == expected, "at {at}");
            }
            if !hit {
                assert!(!failed && at > 8 && path.exists(), "only {at} changes were counted");
                break;
            }
        }
    }

    #[test]
    fn every_splat_of_every_level_is_in_the_box_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let fine = plane(40_000);
        let coarse = select(&fine, &(0..10_000).map(|i| 4 * i).collect::<Vec<_>>());
        let path = folder.path().join(LOD_META);
        write_levels(&path, &[fine, coarse], SceneFrame::IDENTITY, true).unwrap();
        let meta: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!((&meta["counts"], &meta["lodLevels"]), (&json!([40_000, 10_000]), &json!(2)));
        let mut found = Vec::new();
        runs(&meta["tree"], &mut found);
        assert!(found.len() >= 8, "{} runs", found.len());
        let names = meta["filenames"].as_array().unwrap();
        assert_eq!(names.len(), 2);
        for (level, count) in [("0", 40_000), ("1", 10_000)] {
            let of_level: Vec<_> = found.iter().filter(|(of, ..)| of == level).collect();
            let total: u64 = of_level.iter().map(|(_, run, _)| run["count"].as_u64().unwrap()).sum();
            assert_eq!(total, count);
            let file = names[of_level[0].1["file"].as_u64().unwrap() as usize].as_str().unwrap();
            let read = read_file(folder.path().join(file)).unwrap().splats;
            assert_eq!(read.len() as u64, count);
            for (_, run, bound) in of_level {
                let [offset, count] = ["offset", "count"].map(|key| run[key].as_u64().unwrap() as usize);
                for mean in &read.means[offset..offset + count] {
                    for axis in 0..3 {
                        let [min, max] = ["min", "max"].map(|end| bound[end][axis].as_f64().unwrap() as f32);
                        assert!((min - 1e-3..=max + 1e-3).contains(&mean[axis]), "{mean:?} in {bound}");
                    }
                }
            }
        }
        // The whole is read by its finest level.
        let whole = read_file(&path).unwrap();
        assert!(whole.splats.len() == 40_000 && whole.antialiased && meta["model"] == "antialiased");
    }
}
