//! Results on stdout.

use naka_gs::{Error, Result};
use std::io::Write;

/// Prints a line of results. A reader that went away (`| head`) is not an error.
pub fn line(text: impl AsRef<str>) -> Result<()> {
    match writeln!(std::io::stdout(), "{}", text.as_ref()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Error::io("stdout")(error)),
        _ => Ok(()),
    }
}

/// Prints a value as JSON.
pub fn json(value: &impl serde::Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).map_err(|e| Error::io("stdout")(e.into()))?;
    line(text)
}
