//! Bytes to a client's connection.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| framewire_fuzz::client_bytes(data));
