//! A program whose output is read piece by piece while it runs, with an end on request.

use crate::error::Error;
use crate::program::OutputReader;
use crate::program::tied::Tied;
use crate::progress::Progress;
use std::io::{self, BufReader};
use std::process::{ChildStdout, Command, ExitStatus, Stdio};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// Time between two looks at the program.
const POLL: Duration = Duration::from_millis(20);
/// Pieces in the queue to the consumer.
const WAITING: usize = 4;
/// How much of its last words a message quotes.
const QUOTED: usize = 300;

/// What a program writes.
pub type Output = BufReader<ChildStdout>;

/// What a command is run under.
pub struct Run<'a> {
    pub command: &'a Command,
    /// How long it may give nothing.
    pub stuck_after: Duration,
    pub progress: &'a dyn Progress,
}

/// How it came to its end.
pub struct Ended {
    pub status: ExitStatus,
    /// What it said on its standard error.
    pub words: String,
}

/// Why it did not.
pub enum Failure {
    /// The error of the consumer, or a stop.
    Taker(Error),
    /// What the child did wrong.
    Child(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Taker(error)
    }
}

impl Ended {
    /// The errors that it named last.
    pub fn reason(&self) -> String {
        let errors: Vec<&str> =
            self.words.lines().filter(|line| line.contains("[error]") || line.contains("[fatal]")).collect();
        let plain = errors.iter().rev().take(3).rev().map(|line| line.rsplit("] ").next().unwrap_or(line).trim());
        let text = plain.collect::<Vec<_>>().join("; ");
        let skipped = text.chars().count().saturating_sub(QUOTED);
        if text.is_empty() { "no error message".into() } else { text.chars().skip(skipped).collect() }
    }
}

impl Run<'_> {
    /// Runs the command to its end; what `read` makes of its output, until there is nothing more, is handed to `take`.
    /// However this ends, the child has ended too.
    pub fn read<T: Send + 'static>(
        &self,
        read: fn(&mut Output) -> io::Result<Option<T>>,
        mut take: impl FnMut(T) -> Result<(), Error>,
    ) -> Result<Ended, Failure> {
        let program = self.command.get_program().to_string_lossy().into_owned();
        let broken = |error: io::Error| Failure::Child(format!("`{program}` cannot be run ({error})"));
        let mut child = Tied::spawn(self.command, [Stdio::piped(), Stdio::piped()]).map_err(broken)?;
        let words = child.take_stderr().map(OutputReader::of);
        let (sender, receiver) = sync_channel(WAITING);
        let out = child.take_stdout();
        thread::spawn(move || {
            let Some(mut out) = out.map(BufReader::new) else { return };
            // It is over when the pieces, or those who want them, are.
            while let Some(piece) = read(&mut out).transpose() {
                let failed = piece.is_err();
                if sender.send(piece).is_err() || failed {
                    return;
                }
            }
        });
        let mut heard = Instant::now();
        let mut unreadable = None;
        let status = loop {
            self.progress.check()?;
            match receiver.recv_timeout(POLL) {
                Ok(Ok(piece)) => {
                    take(piece)?;
                    heard = Instant::now();
                }
                // What it says at its end tells more.
                Ok(Err(error)) => unreadable = Some(error),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    if let Some(status) = child.try_wait().map_err(broken)? {
                        break status;
                    }
                    thread::sleep(POLL);
                }
            }
            if heard.elapsed() > self.stuck_after {
                let seconds = self.stuck_after.as_secs_f64();
                return Err(Failure::Child(format!("`{program}` gave nothing for {seconds} s")));
            }
        };
        let words = words.map(OutputReader::all).unwrap_or_default();
        match unreadable.filter(|_| status.success()) {
            Some(error) => Err(Failure::Child(format!("what `{program}` wrote cannot be read ({error})"))),
            None => Ok(Ended { status, words }),
        }
    }
}
