//! What commands without a record of a run write into an output folder: the pictures of `enhance` and `render`, the table
//! and the page of a batch. `results.json` lists these files by their content, so that a later command knows which are ours.
//! Files that are being made are listed without their content, before the first is written, so that a killed command
//! leaves nothing that the next one takes for somebody else's; pictures are listed with it every few seconds.

use super::{Files, OutputFolder, names};
use crate::error::{Error, Result};
use crate::progress::Journal;
use crate::settings::{self, Settings};
use crate::storage;
use crate::sync::lock;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Time between two writes of the list: the most that a kill can lose.
pub const NOTE_EVERY: Duration = Duration::from_secs(5);

/// What `written_by` begins with in a list of this program.
const PROGRAM: &str = "naka-gs ";

/// `results.json`.
#[derive(Serialize, Deserialize)]
struct List {
    written_by: String,
    files: Files,
}

/// The list in an output folder.
#[derive(Debug)]
pub struct Listed<'f> {
    folder: &'f OutputFolder,
    files: Files,
    /// As the list on the disk has them.
    saved: Files,
}

impl<'f> Listed<'f> {
    /// Reads the list of `folder`, which is empty where there is none.
    ///
    /// # Errors
    /// A file of that name that is no such list; with `overwrite` it is moved aside when a list is written.
    pub fn read(folder: &'f OutputFolder, overwrite: bool) -> Result<Self> {
        let path = folder.join(names::RESULTS);
        let files = match std::fs::read(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Files::new(),
            text => match parse(&text.map_err(Error::io(&path))?) {
                Some(files) => files,
                None if overwrite => Files::new(),
                None => {
                    let remedy = "move the file away, or choose another output (`out`)";
                    return Err(Error::input(&path, "is not a result list of naka-gs", remedy));
                }
            },
        };
        Ok(Self { folder, saved: files.clone(), files })
    }

    /// Whether the file `name` is listed, changed or not.
    pub fn has(&self, name: &str) -> bool {
        self.files.contains_key(name)
    }

    /// Whether the file `name` is listed, and as it was written, or was not finished. No name leads out of the folder.
    pub fn is_ours(&self, name: &str) -> bool {
        let Some(written) = self.files.get(name) else { return false };
        let as_written = |written| self.folder.unchanged(name, written);
        self.folder.has_file(name) && written.as_ref().is_none_or(as_written)
    }

    /// Whether `file` lies in the folder and is ours.
    pub fn is_own_file(&self, file: &Path) -> bool {
        let parent = file.parent().and_then(|parent| Path::new(".").join(parent).canonicalize().ok());
        let root = self.folder.path().canonicalize().ok();
        let (Some(parent), Some(root), Some(name)) = (parent, root, file.file_name()) else { return false };
        let file = parent.join(name);
        let Ok(below) = file.strip_prefix(&root) else { return false };
        let parts: Option<Vec<&str>> = below.iter().map(|part| part.to_str()).collect();
        parts.is_some_and(|parts| self.is_ours(&parts.join("/")))
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
        if self.is_ours(name) { Ok(()) } else { self.folder.make_way(name, None) }
    }

    /// Lists the files `names` as being made: from now on they are ours, even if the program is killed.
    ///
    /// # Errors
    /// The list cannot be written.
    pub fn announce<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) -> Result<()> {
        let folder = self.folder;
        // What a killed command did not come to.
        self.files.retain(|name, written| written.is_some() || folder.occupied(name));
        self.files.extend(names.into_iter().map(|name| (name.to_string(), None)));
        self.write()
    }

    /// Lists the files `names` as they are now; those that are not there are taken off the list.
    ///
    /// # Errors
    /// The list cannot be written.
    pub fn note<'n>(&mut self, names: impl IntoIterator<Item = &'n str>) -> Result<()> {
        for name in names {
            match self.folder.content(name) {
                Some(written) => _ = self.files.insert(name.into(), Some(written)),
                None => _ = self.files.remove(name),
            }
        }
        if self.saved == self.files { Ok(()) } else { self.write() }
    }

    /// Writes the list; one of no files is removed.
    fn write(&mut self) -> Result<()> {
        self.saved.clone_from(&self.files);
        let path = self.folder.join(names::RESULTS);
        if std::fs::read(&path).is_ok_and(|text| parse(&text).is_none()) {
            self.folder.make_way(names::RESULTS, None)?;
        }
        if self.files.is_empty() {
            return storage::remove_file(&path);
        }
        let list = List { written_by: format!("{PROGRAM}{}", env!("CARGO_PKG_VERSION")), files: self.files.clone() };
        storage::write_json(&path, &list)
    }
}

fn parse(text: &[u8]) -> Option<Files> {
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
                let found = format!("is the output folder of a run ({})", names::RUN);
                let remedy = "choose another output (`out`), or write into it all the same with `overwrite`";
                return Err(Error::input(folder.path(), found, remedy));
            }
        }
        if !of_run {
            settings::file::check(&folder.join(names::SETTINGS), overwrite)?;
        }
        Ok(Self { listed: Listed::read(folder, overwrite)?, targets, overwrite, of_run })
    }

    /// Moves aside what is in the way, lists the targets, lets `work` write them, which says so of each, and lists those that
    /// it wrote as they are, however it ended. A run's settings stay; else `settings` are written beside them.
    ///
    /// # Errors
    /// Those of `work`, and of writing.
    pub fn make<T>(mut self, settings: &Settings, work: impl FnOnce(&dyn Journal) -> Result<T>) -> Result<T> {
        self.targets.iter().try_for_each(|name| self.listed.make_way(name))?;
        self.listed.announce(self.targets.iter().map(String::as_str))?;
        let made = work(&ListJournal(self.listed.folder, Mutex::new((&mut self.listed, Instant::now()))));
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

/// Lists files as they are finished. Existing ones are always made again.
struct ListJournal<'l, 'f>(&'f OutputFolder, Mutex<(&'l mut Listed<'f>, Instant)>);

impl Journal for ListJournal<'_, '_> {
    fn is_finished(&self, _path: &Path) -> bool {
        false
    }

    fn finished(&self, path: &Path) -> Result<()> {
        let name = self.0.name_of(path);
        let written = self.0.content(&name);
        let (listed, last) = &mut *lock(&self.1);
        listed.files.insert(name, written);
        if last.elapsed() < NOTE_EVERY {
            return Ok(());
        }
        *last = Instant::now();
        listed.write()
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
        Results::plan(&folder, names(), true).unwrap().make(&settings, |_| write("one")).unwrap();
        assert_eq!(fs::read_to_string(out.join("b.jpg.bak")).unwrap(), "mine");
        // Ours are replaced, also those of a work that failed.
        let stopped = Results::plan(&folder, names(), true).unwrap().make(&settings, |_| {
            write("two").unwrap();
            Err::<(), _>(Error::Interrupted(String::new()))
        });
        assert!(stopped.is_err());
        assert_eq!(Listed::read(&folder, true).unwrap().foreign(&names()), None);
        Results::plan(&folder, names(), true).unwrap().make(&settings, |_| write("three")).unwrap();
        assert!(!out.join("a.jpg.bak").exists() && !out.join("b.jpg.bak2").exists());
        // What was edited is not.
        fs::write(out.join("a.jpg"), "retouched").unwrap();
        Results::plan(&folder, names(), true).unwrap().make(&settings, |_| write("four")).unwrap();
        assert_eq!(fs::read_to_string(out.join("a.jpg.bak")).unwrap(), "retouched");
        assert_eq!(fs::read_to_string(out.join("a.jpg")).unwrap(), "four");
    }

    #[test]
    fn what_a_killed_work_left_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let folder = OutputFolder::open(dir.path()).unwrap();
        let names = || ["a.jpg", "b.jpg"].map(String::from).to_vec();
        let settings = Settings::default();
        let plan = || Results::plan(&folder, names(), true).unwrap();
        let write = |name: &str, content: &str| storage::write_bytes(folder.join(name), content.as_bytes());
        fs::write(folder.join("b.jpg"), "mine").unwrap();
        let killed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            plan().make(&settings, |_| -> Result<()> {
                write("a.jpg", "one")?;
                std::panic::resume_unwind(Box::new("killed"))
            })
        }));
        assert!(killed.is_err() && folder.occupied("a.jpg") && !folder.occupied(names::SETTINGS));
        let listed = Listed::read(&folder, false).unwrap();
        assert!(listed.is_ours("a.jpg") && listed.has("b.jpg") && listed.foreign(&names()).is_none());
        plan().make(&settings, |_| names().iter().try_for_each(|name| write(name, "two"))).unwrap();
        assert!(!folder.occupied("a.jpg.bak") && !folder.occupied("b.jpg.bak2"));
        assert_eq!(fs::read_to_string(folder.join("b.jpg.bak")).unwrap(), "mine");
        // Now they are listed as they were written.
        fs::write(folder.join("a.jpg"), "retouched").unwrap();
        assert_eq!(Listed::read(&folder, false).unwrap().foreign(&names()), Some("a.jpg"));
    }

    #[test]
    fn what_was_finished_before_a_kill_and_then_edited_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let folder = OutputFolder::open(dir.path()).unwrap();
        let names = ["a.jpg", "b.jpg"].map(String::from);
        let mut listed = Listed::read(&folder, false).unwrap();
        listed.announce(names.iter().map(String::as_str)).unwrap();
        names.iter().for_each(|name| storage::write_bytes(folder.join(name), b"picture").unwrap());
        let long_ago = Instant::now().checked_sub(NOTE_EVERY).unwrap();
        ListJournal(&folder, Mutex::new((&mut listed, long_ago))).finished(&folder.join("a.jpg")).unwrap();
        names.iter().for_each(|name| fs::write(folder.join(name), "retouched").unwrap());
        // Of the one that was not noted nothing can be told.
        let listed = Listed::read(&folder, false).unwrap();
        assert!(listed.foreign(&names) == Some("a.jpg") && listed.is_ours("b.jpg"));
    }

    #[test]
    fn pictures_that_were_finished_at_once_are_listed_by_their_content() {
        let dir = tempfile::tempdir().unwrap();
        let folder = OutputFolder::open(dir.path()).unwrap();
        let plan = || Results::plan(&folder, vec!["a.jpg".into()], true).unwrap();
        let write = |journal: &dyn Journal| {
            storage::write_bytes(folder.join("a.jpg"), b"picture")?;
            journal.finished(&folder.join("a.jpg"))
        };
        plan().make(&Settings::default(), write).unwrap();
        fs::write(folder.join("a.jpg"), "retouched").unwrap();
        assert!(!Listed::read(&folder, false).unwrap().is_ours("a.jpg"));
    }

    #[test]
    fn own_renders_are_no_photographs() {
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("test");
        let folder = OutputFolder::open(&out).unwrap();
        let files = ["a.jpg", "cam0/b.jpg", "mine.jpg", "half.jpg"];
        let mut listed = Listed::read(&folder, false).unwrap();
        files.iter().for_each(|name| storage::write_bytes(out.join(name), name.as_bytes()).unwrap());
        storage::write_bytes(dir.path().join("a.jpg"), b"a.jpg").unwrap();
        listed.announce(["half.jpg"]).unwrap();
        listed.note(["a.jpg", "cam0/b.jpg"]).unwrap();
        let own = || files.map(|name| listed.is_own_file(&out.join("../test").join(name)));
        assert_eq!(own(), [true, true, false, true]);
        assert!(!listed.is_own_file(&dir.path().join("a.jpg")) && !listed.is_own_file(&out.join("none.jpg")));
        // A photograph in the place of a render.
        fs::write(out.join("a.jpg"), "photograph").unwrap();
        assert_eq!(own(), [false, true, false, true]);
    }

    #[test]
    fn a_work_that_wrote_nothing_leaves_no_list() {
        let dir = tempfile::tempdir().unwrap();
        let folder = OutputFolder::open(dir.path()).unwrap();
        let results = Results::plan(&folder, vec!["a.jpg".into()], false).unwrap();
        let failed = results.make(&Settings::default(), |_| {
            assert!(folder.occupied(names::RESULTS));
            Err::<(), _>(Error::Interrupted(String::new()))
        });
        assert!(failed.is_err() && !folder.occupied(names::RESULTS));
    }

    /// The list may come from somebody else, and a folder may be a link.
    #[cfg(unix)]
    #[test]
    fn no_listed_name_leads_out_of_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let (out, photos) = (dir.path().join("out"), dir.path().join("photos"));
        [&out, &photos].into_iter().for_each(|folder| fs::create_dir(folder).unwrap());
        fs::write(photos.join("a.jpg"), "mine").unwrap();
        std::os::unix::fs::symlink(&photos, out.join("maps")).unwrap();
        std::os::unix::fs::symlink(photos.join("a.jpg"), out.join("b.jpg")).unwrap();
        let folder = OutputFolder::open(&out).unwrap();
        let mut listed = Listed::read(&folder, false).unwrap();
        let names = ["maps/a.jpg", "../photos/a.jpg", "b.jpg"];
        listed.announce(names).unwrap();
        assert!(names.iter().all(|name| listed.has(name) && !listed.is_ours(name)));
        listed.note(names).unwrap();
        assert!(names.iter().all(|name| !listed.is_ours(name)));
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
        results.make(&other, |_| storage::write_bytes(folder.join("a.jpg"), b"picture")).unwrap();
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
