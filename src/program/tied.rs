//! Child processes that end with this one, even if it is killed.
//!
//! A program that is killed cannot end its children, and the next run would start a second COLMAP on the same database.
//! Each child is therefore started by a small shell script that holds the reading end of a pipe from this process: the
//! pipe closes when this process is gone, and the script then kills the child. (Linux's `PR_SET_PDEATHSIG` would need
//! `unsafe` code in the child.)

use std::io::Result;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus, Stdio};

/// `$@` is the command. Its status is passed on; a signal `n` becomes 128 + n.
#[cfg(unix)]
const SCRIPT: &str = r#"exec 3<&0
"$@" </dev/null 3<&- &
child=$!
{ read -r _ <&3; kill -KILL "$child"; } >/dev/null 2>&1 &
watcher=$!
exec 3<&-
wait "$child"
status=$?
kill "$watcher" 2>/dev/null
exit "$status""#;

/// A child that is ended where this is dropped.
pub struct Tied(Child);

impl Tied {
    /// Starts `command`, which gets no input; its streams are as `command` says.
    #[cfg(unix)]
    pub fn spawn(command: &Command, streams: [Stdio; 2]) -> Result<Self> {
        let [out, err] = streams;
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", SCRIPT, "naka-gs"]).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        if let Some(folder) = command.get_current_dir() {
            shell.current_dir(folder);
        }
        // The pipe stays open as long as `Child` holds it.
        shell.stdin(Stdio::piped()).stdout(out).stderr(err).spawn().map(Self)
    }

    /// Without such pipes, it is at least ended when this process exits normally.
    #[cfg(not(unix))]
    pub fn spawn(command: &Command, streams: [Stdio; 2]) -> Result<Self> {
        let [out, err] = streams;
        let mut copy = Command::new(command.get_program());
        copy.args(command.get_args()).stdin(Stdio::null()).stdout(out).stderr(err);
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => copy.env(name, value),
                None => copy.env_remove(name),
            };
        }
        copy.spawn().map(Self)
    }

    /// Its standard output, once, where that is a pipe.
    pub fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.0.stdout.take()
    }

    /// Its standard error, once, where that is a pipe.
    pub fn take_stderr(&mut self) -> Option<ChildStderr> {
        self.0.stderr.take()
    }

    /// How it ended, if it has.
    pub fn try_wait(&mut self) -> Result<Option<ExitStatus>> {
        self.0.try_wait()
    }
}

impl Drop for Tied {
    fn drop(&mut self) {
        // The script ends the child when the pipe closes, and then itself.
        drop(self.0.stdin.take());
        #[cfg(not(unix))]
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The signal that ended the child, if one did.
pub fn signal(status: ExitStatus) -> Option<i32> {
    status.code().filter(|code| cfg!(unix) && (129..=192).contains(code)).map(|code| code - 128)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::path::Path;
    use std::time::{Duration, Instant};

    fn sleeper(pid_file: &Path) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", "echo $$ > \"$0.new\" && mv \"$0.new\" \"$0\"; exec sleep 600"]).arg(pid_file);
        command
    }

    fn wait_for<T>(mut found: impl FnMut() -> Option<T>) -> T {
        let started = Instant::now();
        loop {
            if let Some(found) = found() {
                return found;
            }
            assert!(started.elapsed() < Duration::from_secs(20), "it takes too long");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn is_alive(pid: &str) -> bool {
        Command::new("kill").args(["-0", pid]).stderr(Stdio::null()).status().unwrap().success()
    }

    #[test]
    fn the_child_ends_with_its_holder_and_with_the_pipe() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pid");
        let tied = Tied::spawn(&sleeper(&file), [Stdio::null(), Stdio::null()]).unwrap();
        let pid = wait_for(|| std::fs::read_to_string(&file).ok()).trim().to_string();
        assert!(is_alive(&pid));
        drop(tied);
        wait_for(|| (!is_alive(&pid)).then_some(()));
    }

    #[test]
    fn statuses_and_signals_are_passed_on() {
        let end = |script: &str| {
            let mut command = Command::new("sh");
            command.args(["-c", script]);
            let mut tied = Tied::spawn(&command, [Stdio::null(), Stdio::null()]).unwrap();
            wait_for(|| tied.try_wait().unwrap())
        };
        assert!(end("exit 0").success());
        let code = end("exit 3");
        assert_eq!((code.code(), signal(code)), (Some(3), None));
        assert_eq!(signal(end("kill -SEGV $$")), Some(11));
        assert_eq!(end("cat; exit 5").code(), Some(5), "its input is empty");
    }
}
