//! Reads any text as C: an error that names its place, or declarations whose layouts and plans make sense.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| conformance::fuzz::declarations(text));
