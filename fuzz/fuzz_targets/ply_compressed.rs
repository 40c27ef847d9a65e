#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| naka_gs_fuzz::ply_compressed(data, naka_gs_fuzz::scratch()));
