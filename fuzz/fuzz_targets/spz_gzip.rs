#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| naka_gs_fuzz::spz_gzip(data, naka_gs_fuzz::scratch()));
