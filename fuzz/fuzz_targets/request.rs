//! Bytes to a server's opening handshake.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| framewire_fuzz::request(data));
