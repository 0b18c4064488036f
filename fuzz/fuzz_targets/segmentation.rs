//! The same bytes, cut in several ways.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| framewire_fuzz::segmentation(data));
