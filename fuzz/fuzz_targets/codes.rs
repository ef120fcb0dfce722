//! Reads any string as a signature: an error, or plans and code for every calling convention.

#![no_main]

libfuzzer_sys::fuzz_target!(|text: &str| conformance::fuzz::codes(text));
