#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| naka_gs_fuzz::checkpoint_zip(data, naka_gs_fuzz::scratch()));
