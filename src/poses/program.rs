//! The installed COLMAP: its location, commands and their options.

use super::{Config, Mapper};
use crate::error::{Error, Result};
use crate::program;
use std::io::ErrorKind;
use std::process::Command;
use std::time::Duration;

/// Time limit for a program's help.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);

const INSTALL: &str = "install it (Debian, Ubuntu: apt install colmap; Fedora: dnf install colmap; Arch: colmap in the \
                       AUR; macOS: brew install colmap; conda: conda-forge::colmap; Windows: \
                       https://github.com/colmap/colmap/releases), name it (`poses.colmap`), or bring poses \
                       (`poses.poses_from`): a COLMAP model or transforms.json";

/// COLMAP (and, for the global mapper of older versions, GLOMAP beside it).
#[derive(Clone, Debug)]
pub struct Program {
    path: String,
    /// As it says itself: `COLMAP 3.8`.
    pub version: String,
    commands: String,
}

/// What a command's own help says.
pub struct Help(String);

impl Program {
    /// The program that the settings name.
    ///
    /// # Errors
    /// [`Error::Setting`]: no such program, or one that is no COLMAP, or one without the mapper asked for.
    pub fn find(config: &Config) -> Result<Self> {
        let (path, commands) = (config.colmap.clone(), output_of(&config.colmap, &["help"])?);
        let version = version(&commands);
        let found = Self { version: version.unwrap_or_default(), path, commands };
        if found.version.is_empty() || !found.has("feature_extractor") || !found.has("mapper") {
            let what = format!("`{} help` does not answer as COLMAP does", config.colmap);
            return Err(Error::setting("poses.colmap", what, INSTALL));
        }
        if config.mapper == Mapper::Global && !found.has("global_mapper") && output_of("glomap", &["-h"]).is_err() {
            let what = format!("global, which {} has not, and there is no glomap either", found.version);
            return Err(Error::setting("poses.mapper", what, "use incremental, or install COLMAP 4 or GLOMAP"));
        }
        Ok(found)
    }

    /// Whether there is such a command.
    pub fn has(&self, command: &str) -> bool {
        self.commands.split_whitespace().any(|word| word == command)
    }

    /// The command, without arguments.
    pub fn command(&self, name: &str) -> Command {
        let mut command = Command::new(&self.path);
        command.arg(name);
        command
    }

    /// The options that the command has in this version.
    ///
    /// # Errors
    /// A program that has gone.
    pub fn help(&self, command: &str) -> Result<Help> {
        output_of(&self.path, &[command, "-h"]).map(Help)
    }
}

/// GLOMAP's mapper and its options.
pub fn glomap() -> Result<(Command, Help)> {
    let mut command = Command::new("glomap");
    command.arg("mapper");
    Ok((command, Help(output_of("glomap", &["mapper", "-h"])?)))
}

impl Help {
    /// A help of these words.
    #[cfg(test)]
    pub fn from_text(text: &str) -> Self {
        Self(text.into())
    }

    /// Adds `--OPTION VALUE` for the first of `names` (of one option in several versions) that is one; none is no error.
    pub fn set(&self, command: &mut Command, names: &[&str], value: impl ToString) {
        if let Some(option) = names.iter().map(|name| format!("--{name}")).find(|option| self.lists(option)) {
            command.arg(option).arg(value.to_string());
        }
    }

    fn lists(&self, option: &str) -> bool {
        self.0.split_whitespace().any(|word| word == option)
    }
}

/// The output of a program called with `arguments`, from both streams.
fn output_of(program: &str, arguments: &[&str]) -> Result<String> {
    output_within(program, arguments, ANSWER_WITHIN)
}

fn output_within(program: &str, arguments: &[&str], limit: Duration) -> Result<String> {
    program::run_capturing(Command::new(program).args(arguments), limit).map_err(|error| {
        let found = match error.kind() {
            ErrorKind::NotFound => format!("poses have to be estimated, and there is no program `{program}`"),
            ErrorKind::TimedOut => format!("`{program} {}` hangs: {error}", arguments.join(" ")),
            _ => format!("`{program}` cannot be run ({error})"),
        };
        Error::setting("poses.colmap", found, INSTALL)
    })
}

/// `COLMAP 3.8`, from the first line that states it.
fn version(text: &str) -> Option<String> {
    let number = |word: &str| word.starts_with(|c: char| c.is_ascii_digit());
    let words: Vec<&str> = text.split_whitespace().take(40).collect();
    words.windows(2).find(|w| w[0] == "COLMAP" && number(w[1])).map(|w| format!("COLMAP {}", w[1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_those_of_the_version() {
        let mut command = Command::new("colmap");
        let help = Help::from_text("  --FeatureExtraction.use_gpu arg (=1)\n  --database_path arg\n");
        help.set(&mut command, &["SiftExtraction.use_gpu", "FeatureExtraction.use_gpu"], 0);
        help.set(&mut command, &["FeatureExtraction.use"], 1);
        let arguments: Vec<_> = command.get_args().map(|a| a.to_string_lossy().into_owned()).collect();
        assert_eq!(arguments, ["--FeatureExtraction.use_gpu", "0"]);
    }

    #[test]
    fn versions_as_they_name_themselves() {
        assert_eq!(version("COLMAP 3.8 -- Structure-from-Motion").unwrap(), "COLMAP 3.8");
        assert_eq!(version("I2025 x.cc:1] COLMAP 4.1.0 (Commit").unwrap(), "COLMAP 4.1.0");
        assert!(version("COLMAP is great").is_none());
    }

    #[test]
    fn a_missing_program_says_how_to_install_it() {
        let config = Config { colmap: "/nowhere/colmap".into(), ..Config::default() };
        let error = Program::find(&config).unwrap_err().to_string();
        for words in ["/nowhere/colmap", "apt install", "dnf", "Arch", "brew", "Windows", "poses.poses_from"] {
            assert!(error.contains(words), "{words}: {error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_program_that_hangs_is_named_and_not_waited_for() {
        let error = output_within("sleep", &["60"], Duration::from_millis(200)).unwrap_err();
        let words = error.to_string();
        assert!(
            error.exit_code() == 2 && words.contains("`sleep 60` hangs") && words.contains("poses.colmap"),
            "{words}"
        );
    }
}
