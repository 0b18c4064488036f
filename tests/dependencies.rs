//! The packages that the crate is built of: the README lists them, by feature.
//!
//! `UPDATE_DEPENDENCIES=1 cargo test --test dependencies` writes the list.

use std::{collections::BTreeSet, env, fs, process::Command};

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
const BEGIN: &str = "<!-- dependencies -->\n";
const END: &str = "<!-- end of dependencies -->\n";
const OPTIONAL: &[&str] = &[
    "nonblocking",
    "tokio",
    "futures",
    "http",
    "tracing",
    "rustls",
    "idna",
];

/// The packages of a build for Linux, but for the crate itself.
fn packages(features: &[&str]) -> BTreeSet<String> {
    let tree = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--edges", "normal"])
        .args(["--target", "x86_64-unknown-linux-gnu"])
        .args(["--prefix", "none", "--format", "{p}"])
        .args([
            "--manifest-path",
            concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
        ])
        .args(features)
        .output()
        .expect("cargo runs, since it runs this");
    let told = String::from_utf8_lossy(&tree.stderr);
    assert!(tree.status.success(), "{told}");
    let listed = String::from_utf8(tree.stdout).expect("names are ASCII");
    let names = listed.lines().filter_map(|line| line.split(' ').next());
    let others = names.filter(|name| !name.is_empty() && *name != "framewire");
    others.map(str::to_owned).collect()
}

fn row(name: &str, packages: &BTreeSet<String>) -> String {
    let list: Vec<_> = packages.iter().map(String::as_str).collect();
    let list = if list.is_empty() {
        "none".into()
    } else {
        list.join(", ")
    };
    format!("| {name} | {} | {list} |\n", packages.len())
}

#[test]
fn readme_lists_the_packages_of_each_feature() {
    let core = packages(&["--no-default-features"]);
    let default = packages(&[]);
    let mut table = String::from("| feature | adds | packages |\n|---|---|---|\n");
    table += &row("no feature at all", &core);
    table += &row("default", &(&default - &core));
    for feature in OPTIONAL {
        let with = packages(&["--features", feature]);
        table += &row(&format!("`{feature}`"), &(&with - &default));
    }
    let readme = fs::read_to_string(README).expect("there is a README");
    let (before, rest) = readme.split_once(BEGIN).expect("the list has a beginning");
    let (listed, after) = rest.split_once(END).expect("the list has an end");
    if env::var_os("UPDATE_DEPENDENCIES").is_some() {
        let updated = [before, BEGIN, "\n", &table, "\n", END, after].concat();
        fs::write(README, updated).expect("it can be written");
        return;
    }
    assert_eq!(
        listed.trim(),
        table.trim(),
        "see the first lines of this file"
    );
}
