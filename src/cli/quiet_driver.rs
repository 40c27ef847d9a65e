//! Keeps Mesa's device-selection layer from complaining on stderr.
//!
//! On machines without a desktop session (no `XDG_RUNTIME_DIR`) that Vulkan layer prints an "error" for every look at
//! the adapters, although nothing is wrong. It only orders adapters, which `--adapter` does here. The environment must
//! say so before the process starts, hence the start in place.

/// Starts this program again, in place, with the layer switched off, where it would complain. Returns otherwise.
#[cfg(target_os = "linux")]
pub fn restart_without_device_select() {
    use std::os::unix::process::CommandExt;
    const SWITCH: &str = "NODEVICE_SELECT";
    if std::env::var_os("XDG_RUNTIME_DIR").is_some() || std::env::var_os(SWITCH).is_some() {
        return;
    }
    if let Ok(program) = std::env::current_exe() {
        // exec returns only if it failed; then a line on stderr is the lesser evil.
        let error = std::process::Command::new(program).args(std::env::args_os().skip(1)).env(SWITCH, "1").exec();
        tracing::debug!("could not start in place: {error}");
    }
}

/// Nothing to do elsewhere.
#[cfg(not(target_os = "linux"))]
pub fn restart_without_device_select() {}
