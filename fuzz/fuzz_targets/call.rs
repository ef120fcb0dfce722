//! Any bytes: a signature with values, and a call that notes where they arrive.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| conformance::fuzz::call(input));
