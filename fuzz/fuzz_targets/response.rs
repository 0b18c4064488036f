//! Bytes to a client's opening handshake.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| framewire_fuzz::response(data));
