//! Every seed through its target, without a fuzzer.

use std::{fs, path::Path};

fn run_all(target: &str, run: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("seeds")
        .join(target);
    let mut seeds = 0;
    for seed in fs::read_dir(&folder).expect("a folder of seeds") {
        let path = seed.expect("a seed").path();
        println!("{}", path.display());
        run(&fs::read(&path).expect("a seed"));
        seeds += 1;
    }
    assert!(seeds > 0);
}

#[test]
fn server_bytes() {
    run_all("server_bytes", framewire_fuzz::server_bytes);
}

#[test]
fn client_bytes() {
    run_all("client_bytes", framewire_fuzz::client_bytes);
}

#[test]
fn segmentation() {
    run_all("segmentation", framewire_fuzz::segmentation);
}

#[test]
fn request() {
    run_all("request", framewire_fuzz::request);
}

#[test]
fn response() {
    run_all("response", framewire_fuzz::response);
}

#[test]
fn headers() {
    run_all("headers", framewire_fuzz::headers);
}

#[test]
fn proxy() {
    run_all("proxy", framewire_fuzz::proxy);
}

#[test]
fn uri() {
    run_all("uri", framewire_fuzz::uri);
}

#[test]
fn deflate() {
    run_all("deflate", framewire_fuzz::deflate);
}
