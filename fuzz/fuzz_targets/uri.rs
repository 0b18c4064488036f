//! Anything that an application may ask a server for.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| framewire_fuzz::uri(data));
