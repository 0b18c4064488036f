//! Values of extension and subprotocol headers, to both sides of an opening handshake.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| framewire_fuzz::headers(data));
