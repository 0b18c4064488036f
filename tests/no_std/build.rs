//! Links the C library, which `std` would have linked: for `malloc` and what starts a program.

fn main() {
    println!("cargo::rustc-link-lib=c");
}
