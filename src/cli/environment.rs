//! Environment variables that must be set before the process starts, so that the program re-executes itself, and the user's
//! cache folder.
//!
//! - On machines without a desktop session (no `XDG_RUNTIME_DIR`) Mesa's device-selection layer prints an "error" for every
//!   look at the adapters, although nothing is wrong. It only orders adapters, which `--adapter` does here.
//! - The C library gives large blocks of memory back to the system, but only up to the size of the first one that is freed:
//!   decoded photographs then stay with the threads that decoded them. A run with 16 threads took 1036 MB while it enhanced
//!   BlueHawaii, and takes 478 MB with a fixed size.

use std::path::PathBuf;

/// Restarts this program in place with a suitable environment; returns where it already has one.
#[cfg(target_os = "linux")]
pub fn restart_where_it_matters() {
    use std::os::unix::process::CommandExt;
    let is_set = |name: &str| std::env::var_os(name).is_some();
    let layer = ("NODEVICE_SELECT", "1");
    let blocks = ("MALLOC_MMAP_THRESHOLD_", "4194304");
    let wanted = [
        (layer, !is_set("XDG_RUNTIME_DIR") && !is_set(layer.0)),
        (blocks, cfg!(target_env = "gnu") && !is_set(blocks.0) && !is_set("GLIBC_TUNABLES")),
    ];
    let missing: Vec<_> = wanted.into_iter().filter_map(|(variable, missing)| missing.then_some(variable)).collect();
    if missing.is_empty() {
        return;
    }
    if let Ok(program) = std::env::current_exe() {
        // exec returns only if it failed; then an extra line on stderr, or more memory, is acceptable.
        let error = std::process::Command::new(program).args(std::env::args_os().skip(1)).envs(missing).exec();
        tracing::debug!("could not start in place: {error}");
    }
}

/// Nothing to do elsewhere.
#[cfg(not(target_os = "linux"))]
pub fn restart_where_it_matters() {}

/// The user's cache folder; `None` where the environment does not state it.
pub fn cache_folder() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = || folder("HOME");
    let found = match std::env::consts::OS {
        "windows" => folder("LOCALAPPDATA"),
        "macos" => home().map(|home| home.join("Library/Caches")),
        _ => folder("XDG_CACHE_HOME").or_else(|| home().map(|home| home.join(".cache"))),
    };
    found.map(|folder| folder.join("naka-gs"))
}
