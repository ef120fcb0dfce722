//! Says where the linker finds libffi.

fn main() {
    println!("cargo::rerun-if-env-changed=FARCALL_BENCH_LIBFFI");
    if let Ok(directory) = std::env::var("FARCALL_BENCH_LIBFFI") {
        println!("cargo::rustc-link-search=native={directory}");
    }
}
