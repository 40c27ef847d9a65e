//! Memory limits of input files.
//!
//! A kilobyte can promise gigapixels. What a file will take is estimated from its header and compared here, before any of
//! it is taken, with three things: what a file of its size may take ([`PER_BYTE`]), the most that any file may take (half
//! of the machine's memory, or [`set_max_memory`]), and what the system has free at this moment.

use crate::error::{Error, Result};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use sysinfo::{
    CGroupLimits, MemoryRefreshKind, ProcessRefreshKind, ProcessesToUpdate, RefreshKind, System, get_current_pid,
};

/// Files up to this size may take as much as one of this size.
const SMALL_FILE: u64 = 1 << 20;
/// Memory that a file may take for each of its bytes. A JPEG takes 18 to 24 bytes a pixel while it is decoded, so this
/// allows 28 megapixels out of one megabyte: a third of a bit a pixel. The darkest photographs here have 0.6.
const PER_BYTE: u64 = 512;
/// The part of the machine's memory that one file may take: one over this.
const SHARE: u64 = 2;
/// Memory of a machine that does not tell.
const UNKNOWN: u64 = 8 << 30;

/// The limit for one file that the user has set; 0 for none.
static MAX_MEMORY: AtomicU64 = AtomicU64::new(0);

/// Lets one input file take up to `bytes` of memory, however small it is. It holds for the whole process.
pub fn set_max_memory(bytes: u64) {
    MAX_MEMORY.store(bytes.max(1), Ordering::Relaxed);
}

/// The most memory that a file of `file_bytes` may take.
pub(crate) fn allowed(file_bytes: u64) -> u64 {
    match MAX_MEMORY.load(Ordering::Relaxed) {
        0 => (machine() / SHARE).min(file_bytes.max(SMALL_FILE).saturating_mul(PER_BYTE)),
        set => set,
    }
}

/// Memory of the machine, or of the part of it that this process may use.
fn machine() -> u64 {
    static BYTES: OnceLock<u64> = OnceLock::new();
    *BYTES.get_or_init(|| match told(System::total_memory, |group| group.total_memory) {
        None | Some(0) => UNKNOWN,
        Some(bytes) => bytes,
    })
}

/// Free memory at this moment, of the machine or of the part of it that this process may use; 0 where it is unknown.
pub(crate) fn free() -> u64 {
    // Not the group's free memory: that counts the cache of files as used.
    told(System::available_memory, |group| group.total_memory.saturating_sub(group.rss)).unwrap_or(0)
}

/// Memory of the system, or of a control group of this process where that is less.
fn told(of_system: impl Fn(&System) -> u64, of_group: impl Fn(&CGroupLimits) -> u64) -> Option<u64> {
    let memory = RefreshKind::nothing().with_memory(MemoryRefreshKind::nothing().with_ram());
    let mut system = System::new_with_specifics(memory).ok()?;
    let pid = get_current_pid().ok();
    if let Some(pid) = pid {
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), false, ProcessRefreshKind::nothing());
    }
    // A container's limit is that of all it sees, one of Slurm or systemd that of the process's own group.
    let own = pid.and_then(|pid| system.process(pid)?.cgroup_limits());
    let groups = [system.cgroup_limits(), own];
    Some(groups.iter().flatten().map(of_group).fold(of_system(&system), u64::min))
}

/// Asks for `needed` bytes of memory for `what`, which the file `path` of `file_bytes` claims to hold.
///
/// # Errors
/// [`Error::Input`] if the file may not take as much, [`Error::OutOfHostMemory`] if the system does not give it.
pub(crate) fn claim(path: &Path, file_bytes: u64, needed: u64, what: &str) -> Result<()> {
    let allowed = allowed(file_bytes);
    if needed > allowed {
        let found = format!(
            "claims to hold {what}, which take {} of memory, in a file of {}; it may take {}",
            size(needed),
            size(file_bytes),
            size(allowed)
        );
        return Err(Error::input(path, found, "copy it again if that is wrong, or allow it (`max_memory`)"));
    }
    probe(needed, || format!("{what} of {}", path.display()))
}

/// Asks whether the system gives `bytes` of memory now: an allocation that fails would end the program.
///
/// # Errors
/// [`Error::OutOfHostMemory`] for `what`.
pub(crate) fn probe(bytes: u64, what: impl FnOnce() -> String) -> Result<()> {
    match available(bytes) {
        true => Ok(()),
        false => Err(Error::OutOfHostMemory(format!("{} take {}", what(), size(bytes)))),
    }
}

/// Memory of a picture while it is rendered: its planes on a device that shares the memory, and what is read back.
const RENDERED_BYTES: u64 = 28;
/// The largest picture that is rendered unasked takes as much as a file of this size may: 38 megapixels.
const RENDERED_FROM: u64 = 2 << 20;

/// As [`claim`], for a picture that is rendered: a line of text can ask for one of any size.
pub(crate) fn claim_picture(width: u32, height: u32) -> Result<()> {
    let needed = (u64::from(width) * u64::from(height)).saturating_mul(RENDERED_BYTES);
    if needed > allowed(RENDERED_FROM) {
        let found =
            format!("{width} × {height} pixels take {}; they may take {}", size(needed), size(allowed(RENDERED_FROM)));
        return Err(Error::setting("size of a picture", found, "use `downscale`, or allow it (`max_memory`)"));
    }
    probe(needed, || format!("{width} × {height} pixels of a picture"))
}

/// Whether the system would give `bytes` of memory now. Address space is enough to know: none of it is touched.
fn available(bytes: u64) -> bool {
    usize::try_from(bytes).is_ok_and(|bytes| Vec::<u8>::new().try_reserve_exact(bytes).is_ok())
}

/// The content of a file.
///
/// # Errors
/// [`Error::Io`]; those of [`claim`], also for a device or a pipe that does not come to an end.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    let file = File::open(path).map_err(Error::io(path))?;
    let bytes = file.metadata().map_err(Error::io(path))?.len();
    claim(path, bytes, bytes, "its bytes")?;
    let most = allowed(bytes);
    let mut content = Vec::with_capacity(usize::try_from(bytes).unwrap_or(0));
    file.take(most.saturating_add(1)).read_to_end(&mut content).map_err(Error::io(path))?;
    if content.len() as u64 > most {
        return Err(Error::input(path, format!("has more than {}", size(most)), "give a file of a known size"));
    }
    Ok(content)
}

/// The content of a text file.
///
/// # Errors
/// As [`read`]; a file that is not text in UTF-8 or UTF-16.
pub(crate) fn read_text(path: &Path) -> Result<String> {
    decode_text(read(path)?).ok_or_else(|| {
        Error::input(path, "is not text in UTF-8 (or UTF-16 with a byte order mark)", "save it as UTF-8")
    })
}

/// The text in a file's bytes: UTF-8 with or without a byte order mark, or UTF-16 with one (PowerShell and .NET write both
/// marks). The mark itself is no part of it.
pub(crate) fn decode_text(bytes: Vec<u8>) -> Option<String> {
    let wide = |unit: fn([u8; 2]) -> u16| {
        let (pairs, rest) = bytes[2..].as_chunks();
        let units: Vec<u16> = pairs.iter().map(|pair| unit(*pair)).collect();
        rest.is_empty().then(|| String::from_utf16(&units).ok()).flatten()
    };
    match bytes[..] {
        [0xff, 0xfe, ..] => wide(u16::from_le_bytes),
        [0xfe, 0xff, ..] => wide(u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, ..] => std::str::from_utf8(&bytes[3..]).ok().map(String::from),
        _ => String::from_utf8(bytes).ok(),
    }
}

/// Bytes for people.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 3] = ["KiB", "MiB", "GiB"];
    if bytes < 1 << 10 {
        return format!("{bytes} bytes");
    }
    let power = (bytes.ilog2() / 10).min(3);
    format!("{:.1} {}", bytes as f64 / f64::from(1 << (10 * power)), UNITS[power as usize - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_files_may_take_half_a_gibibyte_and_large_ones_half_of_the_machine() {
        assert_eq!(allowed(0), allowed(1 << 20));
        assert!(allowed(1 << 20) <= 512 << 20);
        assert_eq!(allowed(1 << 40), machine() / 2);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn free_memory_is_a_part_of_the_machines() {
        assert!((1..=machine()).contains(&free()), "{} of {}", free(), machine());
    }

    #[test]
    fn a_claim_names_file_size_and_remedy() {
        let message = claim(Path::new("a.jpg"), 1369, 6 << 30, "46000 × 46000 pixels").unwrap_err().to_string();
        let words = ["a.jpg", "46000 × 46000 pixels", "6.0 GiB", "1.3 KiB", "max_memory"];
        assert!(words.iter().all(|word| message.contains(word)), "{message}");
        assert!(claim(Path::new("a.jpg"), 1369, 1 << 20, "pixels").is_ok());
    }

    #[test]
    fn what_the_system_does_not_give_is_out_of_memory() {
        assert!(!available(1 << 62) && available(1 << 20));
    }

    #[cfg(unix)]
    #[test]
    fn a_device_without_end_is_refused() {
        let message = read(Path::new("/dev/zero")).unwrap_err().to_string();
        assert!(message.contains("/dev/zero") && message.contains("more than"), "{message}");
    }
}
