//! Other programs as child processes, with a time limit.

pub mod tied;

use std::ffi::OsString;
use std::io::{Error, ErrorKind, Read, Result};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// Time between two looks at a running program.
const POLL: Duration = Duration::from_millis(10);
/// How long output may be on its way after the program that wrote it has ended.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// Runs `command` without a screen or input, and returns what it writes to both streams, however it ends.
///
/// # Errors
/// A program that cannot be started; [`ErrorKind::TimedOut`] for one that does not end within `limit`, and is killed.
pub fn run_capturing(command: &mut Command, limit: Duration) -> Result<String> {
    command.env("QT_QPA_PLATFORM", "offscreen");
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let (out, err) = (child.stdout.take().map(OutputReader::of), child.stderr.take().map(OutputReader::of));
    let started = Instant::now();
    while child.try_wait()?.is_none() {
        if started.elapsed() > limit {
            child.kill()?;
            child.wait()?;
            return Err(Error::new(ErrorKind::TimedOut, format!("no answer within {} s", limit.as_secs())));
        }
        thread::sleep(POLL);
    }
    Ok([out, err].map(|reader| reader.map(OutputReader::all).unwrap_or_default()).join("\n"))
}

/// A name that ffmpeg takes for a file: without `file:`, what comes before a colon is a protocol (`http:`), and a name
/// that starts with a dash is an option.
pub fn file_url(path: &Path) -> OsString {
    let mut url = OsString::from("file:");
    url.push(path);
    url
}

/// What comes out of a running program's stream, read so that the program never waits for a reader.
pub struct OutputReader {
    bytes: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl OutputReader {
    /// Starts to read `stream`.
    pub fn of(mut stream: impl Read + Send + 'static) -> Self {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&bytes);
        let reader = thread::spawn(move || {
            let mut chunk = [0; 4096];
            // What came before a broken stream still counts.
            while let Ok(count @ 1..) = stream.read(&mut chunk) {
                kept.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&chunk[..count]);
            }
        });
        Self { bytes, reader }
    }

    /// All of it, once the program has ended. A child of its own may hold the stream open for ever: that is not waited
    /// for.
    pub fn all(self) -> String {
        let started = Instant::now();
        while !self.reader.is_finished() && started.elapsed() < DRAIN_TIMEOUT {
            thread::sleep(POLL);
        }
        let bytes = self.bytes.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn both_streams_are_heard_whatever_the_exit_code() {
        let words = run_capturing(&mut shell("echo one; echo two >&2; exit 3"), Duration::from_secs(20)).unwrap();
        assert!(words.contains("one") && words.contains("two"), "{words}");
        // More than a pipe holds.
        let long = run_capturing(&mut shell("yes 0123456789 | head -n 20000"), Duration::from_secs(20)).unwrap();
        assert_eq!(long.lines().filter(|line| *line == "0123456789").count(), 20_000);
    }

    #[test]
    fn a_program_that_hangs_is_ended() {
        let started = Instant::now();
        let error = run_capturing(&mut shell("exec sleep 60"), Duration::from_millis(300)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TimedOut);
        assert!(started.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn a_grandchild_that_holds_the_streams_is_not_waited_for() {
        let started = Instant::now();
        let words = run_capturing(&mut shell("echo word; sleep 9 &"), Duration::from_secs(20)).unwrap();
        assert!(words.contains("word") && started.elapsed() < Duration::from_secs(8), "{words}");
    }
}
