//! Results on stdout, messages on stderr, and where files go.

use naka_gs::capture::{Capture, View};
use naka_gs::pipeline::Shared;
use naka_gs::pipeline::output::names;
use naka_gs::pipeline::record::RUN_FILE;
use naka_gs::settings::{self, Settings};
use naka_gs::splat::{self, write::is_level_folder};
use naka_gs::train::{EventLog, Watch};
use naka_gs::{Error, Result, prior, storage};
use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Prints a line of results. A reader that went away (`| head`) is not an error.
pub fn line(text: impl AsRef<str>) -> Result<()> {
    match writeln!(std::io::stdout(), "{}", text.as_ref()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Error::io("stdout")(error)),
        _ => Ok(()),
    }
}

/// Prints a line on stderr. A run continues where nobody reads it any more: its work matters more than the line, and there
/// is no place left to complain.
pub fn say(text: impl AsRef<str>) {
    let _ = writeln!(std::io::stderr(), "{}", text.as_ref());
}

/// Prints a value as JSON.
pub fn json(value: &impl serde::Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Error::io("stdout")(e.into()))?;
    line(text)
}

/// Claims the name of a single file that is going to be written. Fails where it is taken, even by a link that leads
/// nowhere (to a disk that is not mounted); what appears there later is not replaced either, unless `overwrite` allows
/// both. Leftovers of a killed process are removed.
pub fn claim(path: &Path, overwrite: bool) -> Result<()> {
    if !overwrite && storage::occupied(path) {
        return Err(Error::input(path, "exists", "`overwrite` replaces it, or choose another name (`out`)"));
    }
    if !overwrite {
        storage::create_only(path);
    }
    storage::remove_leftovers_of(path);
    Ok(())
}

/// The file of splats that `path` stands for: itself, or that of the run whose output folder it is.
pub fn splats_file(path: PathBuf) -> PathBuf {
    if path.join(RUN_FILE).is_file() { path.join(names::SPLATS) } else { path }
}

/// Fails where `out` is the file `input` that is read: inputs are never replaced, whatever the flags.
pub fn not_in_place(input: &Path, out: &Path) -> Result<()> {
    Inputs::default().file(input).ensure_kept([out])
}

/// What a command reads.
#[derive(Default)]
pub struct Inputs {
    files: Vec<PathBuf>,
    /// Of poses.
    folders: Vec<PathBuf>,
}

impl Inputs {
    /// A file.
    pub fn file(mut self, path: &Path) -> Self {
        self.files.extend(path.canonicalize());
        self
    }

    /// A file, or a folder of poses or points.
    pub fn file_or_folder(mut self, path: &Path) -> Self {
        self.folders.extend(path.canonicalize().ok().filter(|real| real.is_dir()));
        self.file(&prior::points_file(path))
    }

    /// A scene folder: its poses, photographs and masks. Its points are listed separately, since not every command reads them.
    pub fn scene(mut self, capture: &Capture) -> Self {
        let views = capture.train.iter().chain(&capture.holdout).chain(&capture.test);
        let masks = views.clone().filter_map(|view| view.mask.as_ref()?.file.as_deref());
        self.files.extend(views.flat_map(View::files).chain(masks).filter_map(|file| file.canonicalize().ok()));
        self.folders.extend(capture.root.canonicalize());
        self
    }

    /// Fails where one of `outs` is a file that is read: inputs are never replaced, whatever the flags.
    pub fn ensure_kept<'a>(&self, outs: impl IntoIterator<Item = &'a Path>) -> Result<()> {
        let is_read = |out: &Path| {
            let Ok(real) = out.canonicalize() else { return false };
            let of_poses = || holds_poses(&real) && self.folders.iter().any(|folder| real.starts_with(folder));
            self.files.contains(&real) || of_poses()
        };
        match outs.into_iter().find(|out| is_read(out)) {
            Some(out) => {
                let found = "is an input, which is never replaced";
                Err(Error::input(out, found, "choose another name (`out`)"))
            }
            None => Ok(()),
        }
    }
}

/// Whether a file is named like one that holds poses: a transforms file, or a file of a COLMAP model.
fn holds_poses(file: &Path) -> bool {
    let name = file.file_name().and_then(OsStr::to_str).unwrap_or_default().to_lowercase();
    let transforms = ["transforms.json", "transforms_train.json", "transforms_val.json", "transforms_test.json"];
    let model = ["cameras", "images", "points3d", "frames", "rigs"];
    let (stem, ending) = name.split_once('.').unwrap_or_default();
    transforms.contains(&name.as_str()) || (model.contains(&stem) && ["bin", "txt"].contains(&ending))
}

/// Fails where levels of detail beside `out` would replace what `input` is read from.
pub fn not_in_levels(input: &Path, out: &Path) -> Result<()> {
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let levels = entries.filter(|entry| entry.file_name().to_str().is_some_and(is_level_folder));
    let levels: Vec<PathBuf> = levels.filter_map(|entry| entry.path().canonicalize().ok()).collect();
    for file in splat::files_of(input)? {
        if file.canonicalize().is_ok_and(|file| levels.iter().any(|level| file.starts_with(level))) {
            let found = format!("is read, and lies where levels would be written for {}", out.display());
            return Err(Error::input(file, found, "choose another folder (`out`)"));
        }
    }
    Ok(())
}

/// The flag for a log of a training.
#[derive(clap::Args)]
pub struct LogFlag {
    /// Write loss, PSNR, counts and pictures of the training to a new event file in this folder, for `tensorboard --logdir`
    #[arg(long, value_name = "FOLDER", hide_short_help = true)]
    tensorboard: Option<PathBuf>,
}

impl LogFlag {
    /// The log, where one is asked for.
    pub fn create(&self) -> Result<Option<EventLog>> {
        self.tensorboard.as_deref().map(EventLog::create).transpose()
    }
}

/// What a run shares with its log.
pub fn shared(log: &Option<EventLog>) -> Shared<'_> {
    Shared { watch: log.as_ref().map(|log| log as &dyn Watch), ..Shared::default() }
}

/// The flags for a folder of results.
#[derive(clap::Args)]
pub struct OutFolder {
    /// Folder of results [default: out/NAME]
    #[arg(short, long, value_name = "OUT")]
    pub out: Option<PathBuf>,
    /// Replace results of a different run
    #[arg(short = 'w', long)]
    pub overwrite: bool,
}

impl OutFolder {
    /// The folder, by default named after the input.
    pub fn or_named_after(&self, input: &Path) -> PathBuf {
        let full = input.canonicalize().unwrap_or_else(|_| input.to_path_buf());
        let name = full.file_stem().unwrap_or_else(|| "scene".as_ref());
        self.out.clone().unwrap_or_else(|| Path::new("out").join(name))
    }
}

/// The flags for a single file of results.
#[derive(clap::Args)]
pub struct OutFile {
    /// File to write
    #[arg(short = 'o', long = "out", value_name = "FILE")]
    pub path: PathBuf,
    /// Replace the file if it exists
    #[arg(short = 'w', long)]
    pub overwrite: bool,
}

impl OutFile {
    /// [`claim`]s the file.
    pub fn check(&self) -> Result<()> {
        claim(&self.path, self.overwrite)
    }

    /// [`OutFile::check`], for the settings beside the file too.
    pub fn check_with_settings(&self) -> Result<()> {
        self.check()?;
        settings::file::check(&self.settings_path(), self.overwrite)
    }

    /// `points.ply` → `points.settings.toml`.
    fn settings_path(&self) -> PathBuf {
        self.path.with_extension("settings.toml")
    }

    /// The path of the picture of the file: `points.ply` → `points.sheet.jpg`. Fails like [`OutFile::check`].
    pub fn sheet(&self) -> Result<PathBuf> {
        let sheet = self.path.with_extension("sheet.jpg");
        claim(&sheet, self.overwrite)?;
        Ok(sheet)
    }

    /// Prints that the file is written, with the settings beside it (`points.ply` → `points.settings.toml`).
    pub fn wrote(&self, settings: &Settings) -> Result<()> {
        settings::file::write(&self.settings_path(), settings, self.overwrite)?;
        line(self.path.display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_file_that_appears_while_a_command_works_stays() {
        let dir = tempfile::tempdir().unwrap();
        let out = |overwrite| OutFile { path: dir.path().join("x.ply"), overwrite };
        out(false).check().unwrap();
        fs::write(dir.path().join("x.ply"), "mine").unwrap();
        let error = storage::write_bytes(&out(false).path, b"result").unwrap_err().to_string();
        assert!(error.contains("x.ply") && error.contains("`overwrite`"), "{error}");
        assert_eq!(fs::read(dir.path().join("x.ply")).unwrap(), b"mine");
        assert!(out(false).check().is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_that_leads_nowhere_is_replaced_only_when_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let out = |overwrite| OutFile { path: dir.path().join("x.ply"), overwrite };
        std::os::unix::fs::symlink("/nowhere/x.ply", &out(false).path).unwrap();
        assert!(out(false).check().is_err() && out(true).check().is_ok());
        std::os::unix::fs::symlink("/nowhere/x.jpg", dir.path().join("x.sheet.jpg")).unwrap();
        assert!(out(false).sheet().is_err() && out(true).sheet().is_ok());
    }
}
