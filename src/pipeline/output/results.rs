//! What commands without a record of a run write into an output folder: the pictures of `enhance` and `render`, the table
//! and the page of a batch. `results.json` lists these files by their content, so that a later command knows which are ours.

use super::{OutputFolder, names};
use crate::error::{Error, Result};
use crate::pipeline::fingerprint::Written;
use crate::settings::{self, Settings};
use crate::storage;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What `written_by` begins with in a list of this program.
const PROGRAM: &str = "naka-gs ";

/// `results.json`.
#[derive(Serialize, Deserialize)]
struct List {
    written_by: String,
    files: BTreeMap<String, Written>,
}

/// The list in an output folder.
#[derive(Debug)]
pub struct Listed<'f> {
    folder: &'f OutputFolder,
    files: BTreeMap<String, Written>,
}

impl<'f> Listed<'f> {
    /// Reads the list of `folder`, which is empty where there is none.
    ///
    /// # Errors
    /// A file of that name that is no such list; with `overwrite` it is moved aside when a list is written.
    pub fn read(folder: &'f OutputFolder, overwrite: bool) -> Result<Self> {
        let path = folder.join(names::RESULTS);
        let files = match std::fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => BTreeMap::new(),
            text => match parse(&text.map_err(Error::io(&path))?) {
                Some(files) => files,
                None if overwrite => BTreeMap::new(),
                None => {
                    let remedy = "move the file away, or choose another output (`out`)";
                    return Err(Error::input(&path, "is no list of results of this program", remedy));
                }
            },
        };
        Ok(Self { folder, files })
    }

    /// Whether the file `name` is listed, be it as it was written or not.
    pub fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    /// Whether the file `name` is listed, and as it was written.
    pub fn is_ours(&self, name: &str) -> bool {
        self.files.get(name).is_some_and(|written| self.folder.unchanged(name, written))
    }

    /// The first of `names` at which something is that is not ours.
    pub fn foreign<'n>(&self, names: &'n [String]) -> Option<&'n str> {
        names.iter().find(|name| self.folder.occupied(name) && !self.is_ours(name)).map(String::as_str)
    }

    /// Moves what is at `name` aside, unless it is ours.
    ///
    /// # Errors
    /// It cannot be renamed.
    pub fn make_way(&self, name: &str) -> Result<()> {
        self.folder.make_way(name, self.files.get(name).cloned().map(Some).as_ref())
    }

    /// Lists the files `names` as they are now; those that are not there are taken off the list.
    ///
    /// # Errors
    /// The list cannot be written.
    pub fn note<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) -> Result<()> {
        let before = self.files.clone();
        for name in names {
            match self.folder.written(name) {
                Some(written) => _ = self.files.insert(name.into(), written),
                None => _ = self.files.remove(name),
            }
        }
        if before == self.files {
            return Ok(());
        }
        let path = self.folder.join(names::RESULTS);
        if std::fs::read(&path).is_ok_and(|text| parse(&text).is_none()) {
            self.folder.make_way(names::RESULTS, None)?;
        }
        let list = List { written_by: format!("{PROGRAM}{}", env!("CARGO_PKG_VERSION")), files: self.files.clone() };
        let mut text = serde_json::to_string_pretty(&list).map_err(|error| Error::io(&path)(error.into()))?;
        text.push('\n');
        storage::write_bytes(&path, text.as_bytes())
    }
}

fn parse(text: &[u8]) -> Option<BTreeMap<String, Written>> {
    let list: List = serde_json::from_slice(text).ok()?;
    list.written_by.starts_with(PROGRAM).then_some(list.files)
}

/// The files that one command is about to write into an output folder, with its settings beside them.
#[derive(Debug)]
pub struct Results<'f> {
    listed: Listed<'f>,
    targets: Vec<String>,
    overwrite: bool,
    /// A run's settings are in the folder, and stay.
    of_run: bool,
}

impl<'f> Results<'f> {
    /// The files `targets` in `folder`. Nothing is changed yet.
    ///
    /// # Errors
    /// Without `overwrite`: [`Error::Exists`] for the first that is there; a folder that holds a run; settings or a list
    /// that this program did not write.
    pub fn plan(folder: &'f OutputFolder, targets: Vec<String>, overwrite: bool) -> Result<Self> {
        let of_run = folder.occupied(names::RUN);
        if !overwrite {
            if let Some(present) = targets.iter().find(|name| folder.occupied(name)) {
                return Err(Error::Exists(folder.join(present)));
            }
            if of_run {
                let found = format!("holds a run ({}), and would hold other results beside it", names::RUN);
                let remedy = "choose another output (`out`), or have them beside it all the same (`overwrite`)";
                return Err(Error::input(folder.path(), found, remedy));
            }
        }
        if !of_run {
            settings::file::check(&folder.join(names::SETTINGS), overwrite)?;
        }
        Ok(Self { listed: Listed::read(folder, overwrite)?, targets, overwrite, of_run })
    }

    /// Moves aside what is in the way, lets `work` write the targets, and lists those that it wrote, however it ended. A
    /// run's settings stay; else `settings` are written beside them.
    ///
    /// # Errors
    /// Those of `work`, and of writing.
    pub fn make<T>(mut self, settings: &Settings, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.targets.iter().try_for_each(|name| self.listed.make_way(name))?;
        let made = work();
        let noted = self.listed.note(self.targets.iter().map(String::as_str));
        if let (Err(_), Err(error)) = (&made, &noted) {
            tracing::warn!("what was written is not listed as ours: {error}");
        }
        let value = made?;
        noted?;
        let path = self.listed.folder.join(names::SETTINGS);
        if self.of_run {
            tracing::warn!("{} is that of the run in this folder, and stays", path.display());
        } else {
            settings::file::write(&path, settings, self.overwrite)?;
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn only_what_is_listed_and_unchanged_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path();
        let folder = OutputFolder::open(out).unwrap();
        let names = || ["a.jpg", "b.jpg"].map(String::from).to_vec();
        let settings = Settings::default();
        let write = |content: &str| {
            names().iter().try_for_each(|name| storage::write_bytes(out.join(name), content.as_bytes()))
        };
        fs::write(out.join("b.jpg"), "mine").unwrap();
        assert!(matches!(Results::plan(&folder, names(), false), Err(Error::Exists(path)) if path.ends_with("b.jpg")));
        assert_eq!(Listed::read(&folder, true).unwrap().foreign(&names()), Some("b.jpg"));
        Results::plan(&folder, names(), true).unwrap().make(&settings, || write("one")).unwrap();
        assert_eq!(fs::read_to_string(out.join("b.jpg.bak")).unwrap(), "mine");
        // Ours are replaced, also those of a work that failed.
        let stopped = Results::plan(&folder, names(), true).unwrap().make(&settings, || {
            write("two").unwrap();
            Err::<(), _>(Error::Interrupted(String::new()))
        });
        assert!(stopped.is_err());
        assert_eq!(Listed::read(&folder, true).unwrap().foreign(&names()), None);
        Results::plan(&folder, names(), true).unwrap().make(&settings, || write("three")).unwrap();
        assert!(!out.join("a.jpg.bak").exists() && !out.join("b.jpg.bak2").exists());
        // What was edited is not.
        fs::write(out.join("a.jpg"), "retouched").unwrap();
        Results::plan(&folder, names(), true).unwrap().make(&settings, || write("four")).unwrap();
        assert_eq!(fs::read_to_string(out.join("a.jpg.bak")).unwrap(), "retouched");
        assert_eq!(fs::read_to_string(out.join("a.jpg")).unwrap(), "four");
    }

    #[test]
    fn a_runs_settings_stay() {
        let dir = tempfile::tempdir().unwrap();
        let folder = OutputFolder::open(dir.path()).unwrap();
        let beside = folder.join(names::SETTINGS);
        let (of_run, other) = (Settings { seed: 7, ..Settings::default() }, Settings::default());
        settings::file::write(&beside, &of_run, false).unwrap();
        fs::write(folder.join(names::RUN), "{}").unwrap();
        let before = fs::read_to_string(&beside).unwrap();
        let refused = Results::plan(&folder, vec!["a.jpg".into()], false).unwrap_err().to_string();
        assert!(refused.contains(names::RUN) && refused.contains("`out`"), "{refused}");
        let results = Results::plan(&folder, vec!["a.jpg".into()], true).unwrap();
        results.make(&other, || storage::write_bytes(folder.join("a.jpg"), b"picture")).unwrap();
        assert_eq!(fs::read_to_string(&beside).unwrap(), before);
    }

    #[test]
    fn a_list_of_somebody_else_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let folder = OutputFolder::open(dir.path()).unwrap();
        for mine in ["{\"files\": {}}", "{\"written_by\": \"me\", \"files\": {}}", "no JSON"] {
            fs::write(folder.join(names::RESULTS), mine).unwrap();
            assert!(Listed::read(&folder, false).unwrap_err().to_string().contains(names::RESULTS));
            let mut listed = Listed::read(&folder, true).unwrap();
            storage::write_bytes(folder.join("a.jpg"), b"picture").unwrap();
            listed.note(["a.jpg"]).unwrap();
            assert!(Listed::read(&folder, false).unwrap().is_ours("a.jpg"));
            let backup = folder.join("results.json.bak");
            assert_eq!(fs::read_to_string(&backup).unwrap(), mine);
            fs::remove_file(backup).unwrap();
        }
    }
}
