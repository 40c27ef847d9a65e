//! A child process whose output goes to a log file, with progress, a time limit and a stop.

use super::output;
use crate::error::{Error, Result};
use crate::program::tied::{self, Tied};
use crate::progress::Progress;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// Interval of polling a running child.
const POLL: Duration = Duration::from_millis(50);
/// Ctrl-C on a terminal.
const SIGINT: i32 = 2;
/// How much of the end of a log a message quotes.
const QUOTED: usize = 400;

/// What a command is run under.
pub struct Watch<'a> {
    /// A short name for messages: `COLMAP's mapper`.
    pub name: String,
    /// Everything the child says is appended to this file.
    pub log: &'a Path,
    pub limit: Duration,
    pub progress: &'a dyn Progress,
}

/// How a child came to its end.
#[derive(Debug)]
pub enum End {
    Success,
    /// It exited with this code.
    Code(i32),
}

impl Watch<'_> {
    /// Runs `command` to its end; every line of its output is passed to `line`.
    ///
    /// # Errors
    /// A program that cannot be started, a crash, the time limit, an interrupt. The child has ended by then.
    pub fn run(&self, command: &mut Command, mut line: impl FnMut(&str)) -> Result<End> {
        let mut log = OpenOptions::new().create(true).append(true).open(self.log).map_err(Error::io(self.log))?;
        writeln!(log, "\n$ {command:?}").map_err(Error::io(self.log))?;
        let mut said = Said::after(self.log)?;
        let streams = [log.try_clone().map_err(Error::io(self.log))?, log];
        let [out, err] = streams.map(Stdio::from);
        // No screen is needed; COLMAP's Qt would look for one.
        command.env("QT_QPA_PLATFORM", "offscreen");
        let mut child = Tied::spawn(command, [out, err]).map_err(Error::io(command.get_program()))?;
        let status = self.wait(&mut child, &mut said, &mut line);
        // Kills it where it is still running.
        drop(child);
        let status = status?;
        said.read(&mut line);
        self.judge(status, &said)
    }

    fn wait(&self, child: &mut Tied, said: &mut Said, line: &mut impl FnMut(&str)) -> Result<ExitStatus> {
        let started = Instant::now();
        loop {
            if let Some(status) = child.try_wait().map_err(Error::io(self.log))? {
                return Ok(status);
            }
            self.progress.check()?;
            if started.elapsed() > self.limit {
                let found = format!("{} did not end within {:.1} min", self.name, self.limit.as_secs_f64() / 60.0);
                let remedy = "raise `poses.colmap_minutes`, or use fewer photographs or `poses.max_features`; the same command \
                              continues";
                return Err(Error::input(self.log, found, remedy));
            }
            said.read(line);
            std::thread::sleep(POLL);
        }
    }

    fn judge(&self, status: ExitStatus, said: &Said) -> Result<End> {
        if status.success() {
            return Ok(End::Success);
        }
        // Ctrl-C reaches the child of a terminal's program as well, and maybe first.
        self.progress.check()?;
        match (tied::signal(status), status.code()) {
            (Some(SIGINT), _) => Err(Error::Interrupted(String::new())),
            (Some(signal), _) => Err(self.crashed(&format!("signal {signal}"), said.end())),
            (None, Some(code)) => Ok(End::Code(code)),
            (None, None) => Err(self.crashed(&status.to_string(), said.end())),
        }
    }

    /// The error for a child that crashed.
    pub fn crashed(&self, how: &str, last_words: String) -> Error {
        let found = format!("{} failed ({how}); its last words: {last_words}", self.name);
        Error::input(self.log, found, "the file has all it said; what was finished is kept for the same command")
    }

    /// The end of what was said so far.
    pub fn last_words(&self) -> String {
        let text = std::fs::read(self.log).unwrap_or_default();
        output::end(&String::from_utf8_lossy(&text), QUOTED)
    }
}

/// What a child has said to the log so far.
struct Said {
    file: File,
    /// An incomplete line.
    rest: Vec<u8>,
    tail: String,
}

impl Said {
    fn after(log: &Path) -> Result<Self> {
        let mut file = File::open(log).map_err(Error::io(log))?;
        file.seek(SeekFrom::End(0)).map_err(Error::io(log))?;
        Ok(Self { file, rest: Vec::new(), tail: String::new() })
    }

    /// Hands the new lines to `line`. What cannot be read is only progress.
    fn read(&mut self, line: &mut impl FnMut(&str)) {
        let mut new = Vec::new();
        let _ = self.file.read_to_end(&mut new);
        for byte in new {
            if byte != b'\n' && byte != b'\r' {
                self.rest.push(byte);
                continue;
            }
            let text = String::from_utf8_lossy(&self.rest).into_owned();
            self.rest.clear();
            line(&text);
            self.remember(&text);
        }
        // COLMAP ends some lines only when what they announce is done.
        if !self.rest.is_empty() {
            line(&String::from_utf8_lossy(&self.rest));
        }
    }

    fn remember(&mut self, text: &str) {
        self.tail.push_str(text);
        self.tail.push('\n');
        if self.tail.len() > 8 * QUOTED {
            self.tail = output::end(&self.tail, 4 * QUOTED);
        }
    }

    fn end(&self) -> String {
        output::end(&format!("{}{}", self.tail, String::from_utf8_lossy(&self.rest)), QUOTED)
    }
}
