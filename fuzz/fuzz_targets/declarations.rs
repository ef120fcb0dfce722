//! Any text: an error that names its place, or C declarations whose layouts and plans make sense.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| conformance::fuzz::declarations(text));
