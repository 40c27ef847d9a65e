//! Errors as values: each says which file or setting, what was found, and what to do about it.

use std::path::{Path, PathBuf};

/// `Result` with the crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Everything that can go wrong, grouped by what the caller can do about it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be read or written.
    #[error("{}: {source}{}", path.display(), io_remedy(source))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: std::io::Error,
    },
    /// A file was read, but what it holds cannot be used.
    #[error("{}: {found}; {remedy}", path.display())]
    Input {
        /// The file.
        path: PathBuf,
        /// What was found in it.
        found: String,
        /// What to do.
        remedy: String,
    },
    /// A setting has a value that cannot be used: `setting` is its key (`train.steps`), a parameter's name (`out`), or where
    /// in which file it stands. Messages have keys in backticks; a command line turns both into its flags.
    #[error("{setting}: {found}; {remedy}")]
    Setting {
        /// Its key, or where it stands.
        setting: String,
        /// Its value, or what is wrong with it.
        found: String,
        /// What to do.
        remedy: String,
    },
    /// A file is in the way that is no result of the same run.
    #[error("{}: already exists and is not a result of these inputs and settings; `overwrite` replaces it (files that naka-gs did not write, or that were edited, are kept as .bak), or choose another output (`out`)", .0.display())]
    Exists(PathBuf),
    /// Another process works in the output folder.
    #[error("{}: another naka-gs process ({owner}) is using this folder; wait until it ends, or choose another output (`out`)", folder.display())]
    InUse {
        /// The output folder.
        folder: PathBuf,
        /// The process that works in it.
        owner: String,
    },
    /// No adapter can run the kernels.
    #[error("no GPU adapter: {0}")]
    NoAdapter(String),
    /// No window can be opened, or nothing can draw to it.
    #[error("no window: {0}; `naka-gs view` needs a desktop session (every other command does without)")]
    NoWindow(String),
    /// The device disappeared (driver reset, unplugged, killed).
    #[error("the GPU device was lost: {0}; run the same command again")]
    DeviceLost(String),
    /// The adapter is out of memory, or a buffer exceeds its limits.
    #[error(
        "out of GPU memory: {0}; try `downscale = 2`, fewer splats (`train.densify.max_splats`) or an `adapter` with more memory (see `naka-gs doctor`)"
    )]
    OutOfMemory(String),
    /// The system does not have enough memory for the program.
    #[error("out of memory: {0}; close other programs, try `downscale = 2`, or use a machine with more memory")]
    OutOfHostMemory(String),
    /// The driver or a kernel is wrong; never the user's fault.
    #[error("GPU error: {0}; `naka-gs doctor` tests the driver")]
    Gpu(String),
    /// Numbers that must be finite and are not: a training that diverged, a broken model, a picture of one.
    #[error("{what}: {found}; {remedy}")]
    NotFinite {
        /// What has such values.
        what: String,
        /// Which.
        found: String,
        /// What to do.
        remedy: String,
    },
    /// The user asked to stop, but what was done since the last checkpoint could not be saved.
    #[error("stopped, but the checkpoint of step {step} could not be written: {source}; {kept}")]
    NotSaved {
        /// Steps done.
        step: u32,
        /// Why it could not.
        #[source]
        source: Box<Error>,
        /// Which earlier checkpoint there is.
        kept: String,
    },
    /// A check of the program against reference data failed.
    #[error("{0}")]
    CheckFailed(String),
    /// The user asked to stop (Ctrl-C); all that was finished is on disk.
    #[error("interrupted{}", if .0.is_empty() { String::new() } else { format!(": {}", .0) })]
    Interrupted(String),
}

impl Error {
    /// An [`Error::Io`] for `path`; use as `.map_err(Error::io(path))`.
    pub fn io(path: impl AsRef<Path>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.as_ref().to_path_buf();
        move |source| match source.kind() {
            std::io::ErrorKind::OutOfMemory => Self::OutOfHostMemory(path.display().to_string()),
            _ => Self::Io { path, source },
        }
    }

    /// An [`Error::Input`]: what was `found` in the file, and the `remedy`.
    pub fn input(path: impl AsRef<Path>, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Input { path: path.as_ref().to_path_buf(), found: found.into(), remedy: remedy.into() }
    }

    /// An [`Error::Setting`] for the key `setting`.
    pub fn setting(setting: impl Into<String>, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::Setting { setting: setting.into(), found: found.into(), remedy: remedy.into() }
    }

    /// Adds the stage in which the device or the memory failed. Other errors name a file or a setting, which is more specific.
    #[must_use]
    pub fn in_stage(self, stage: &str) -> Self {
        // A command around a stage must not replace the name that the stage has set.
        let named = |what: String| if what.starts_with("stage ") { what } else { format!("stage {stage}: {what}") };
        match self {
            Self::DeviceLost(what) => Self::DeviceLost(named(what)),
            Self::OutOfMemory(what) => Self::OutOfMemory(named(what)),
            Self::OutOfHostMemory(what) => Self::OutOfHostMemory(named(what)),
            other => other,
        }
    }

    /// The process exit code of the command line (0 is success, 2 wrong usage).
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Setting { .. } => 2,
            Self::DeviceLost(_) | Self::OutOfMemory(_) | Self::OutOfHostMemory(_) => 3,
            Self::Interrupted(_) => 130,
            _ => 1,
        }
    }
}

fn io_remedy(source: &std::io::Error) -> &'static str {
    use std::io::ErrorKind as Kind;
    match source.kind() {
        Kind::NotFound => "; check the path",
        Kind::PermissionDenied => "; check the permissions",
        Kind::StorageFull => "; free some space and run the same command again (finished stages are kept)",
        _ => "",
    }
}
