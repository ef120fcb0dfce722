//! Reads any bytes as a signature with values, and checks where a call passes these.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| conformance::fuzz::call(input));
