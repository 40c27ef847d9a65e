//! Every committed input of the fuzzers, through the same readers; and files that promise more than they can hold. What
//! either take of the heap is measured.

#[path = "../../fuzz/src/targets.rs"]
mod targets;

mod hostile;
mod poison;
#[cfg(unix)]
mod program;

use peak_alloc::PeakAlloc;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

/// Most bytes of the heap that a file of up to 1 MB may take.
const MOST: usize = 1 << 30;

/// The peak is one for the whole process, so that one measurement runs at a time.
static MEASURING: Mutex<()> = Mutex::new(());

/// Most bytes that were held at one time while `work` ran.
fn peak(work: impl FnOnce()) -> usize {
    let _alone = MEASURING.lock().unwrap_or_else(PoisonError::into_inner);
    HEAP.reset_peak_usage();
    work();
    HEAP.peak_usage()
}

#[test]
fn every_input_of_the_corpus_is_read_or_refused() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let mut bytes = 0;
    for (name, target) in targets::TARGETS {
        let scratch = tempfile::tempdir().unwrap();
        let mut files: Vec<_> = std::fs::read_dir(corpus.join(name)).unwrap().map(|e| e.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty(), "{name} has no inputs");
        for file in files {
            let data = std::fs::read(&file).unwrap();
            bytes += data.len();
            println!("{}", file.display());
            let taken = peak(|| target(&data, scratch.path()));
            assert!(taken < MOST, "{} takes {taken} bytes", file.display());
        }
    }
    assert!(bytes < 300_000, "the corpus has grown to {bytes} bytes");
}
