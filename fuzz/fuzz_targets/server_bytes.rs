//! Bytes to a server's connection.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| framewire_fuzz::server_bytes(data));
