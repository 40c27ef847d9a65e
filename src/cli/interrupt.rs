//! Ctrl-C and similar signals: the first asks the running stage to stop cleanly, the second ends the program at once. So does
//! the first where no stage has begun and no output folder is in use.

use super::output::say;
use super::progress::Reporter;
use naka_gs::{Error, Progress, Result, Stop, storage};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Installs the handlers: for Ctrl-C, and on Unix for SIGTERM and SIGHUP, unless the latter is ignored (`nohup`).
pub fn on_ctrl_c(reporter: &Reporter) -> Result<()> {
    install(reporter.stop().clone(), reporter.begun())
}

fn ask(stop: &Stop, begun: &AtomicBool) {
    if stop.requested() {
        std::process::exit(130);
    }
    // A command without a stage has no safe point to wait for: its complete files stay.
    if !begun.load(Ordering::SeqCst) && !storage::holds_folders() {
        storage::remove_unfinished();
        say("naka-gs: interrupted");
        std::process::exit(130);
    }
    stop.request();
    say("stopping at the next safe point; press Ctrl-C again to stop immediately");
}

fn refuse(error: &dyn std::error::Error) -> Error {
    Error::setting("Ctrl-C handler", error.to_string(), "run the program in a normal process")
}

/// (Not by `ctrlc`, which takes SIGHUP too where any other crate of a build asks for its feature `termination`.)
#[cfg(unix)]
fn install(stop: Stop, begun: Arc<AtomicBool>) -> Result<()> {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
    // Once handled, it no longer kills the process: a write beyond the file size limit becomes an error that names the file.
    let beyond = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGXFSZ, beyond).map_err(|error| refuse(&error))?;
    let signals = if hangup_is_ignored() { vec![SIGINT, SIGTERM] } else { vec![SIGINT, SIGTERM, SIGHUP] };
    let mut signals = signal_hook::iterator::Signals::new(signals).map_err(|error| refuse(&error))?;
    std::thread::spawn(move || signals.forever().for_each(|_| ask(&stop, &begun)));
    Ok(())
}

#[cfg(not(unix))]
fn install(stop: Stop, begun: Arc<AtomicBool>) -> Result<()> {
    ctrlc::set_handler(move || ask(&stop, &begun)).map_err(|error| refuse(&error))
}

/// Whether the program was started to outlive its terminal.
#[cfg(target_os = "linux")]
fn hangup_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_none_or(|mask| mask & (1 << (signal_hook::consts::SIGHUP - 1)) != 0)
}

/// It cannot be queried there without `unsafe`: the inherited disposition stays in force.
#[cfg(all(unix, not(target_os = "linux")))]
fn hangup_is_ignored() -> bool {
    true
}
