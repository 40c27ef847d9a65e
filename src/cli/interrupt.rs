//! Ctrl-C: the first asks the running stage to stop cleanly, the second ends the program at once.

use super::progress::Reporter;
use naka_gs::{Error, Progress, Result};

/// Installs the handler.
pub fn on_ctrl_c(reporter: &Reporter) -> Result<()> {
    let stop = reporter.stop().clone();
    ctrlc::set_handler(move || {
        if stop.requested() {
            std::process::exit(130);
        }
        stop.request();
        eprintln!("stopping after a clean checkpoint; once more to stop at once");
    })
    .map_err(|e| Error::setting("Ctrl-C handler", e.to_string(), "run the program in a normal process"))
}
