//! Any string: an error, or plans and code for every calling convention.

#![no_main]

use farcall::{Codes, Role};
use farcall_arch::{Abi, emit, plan};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let (ret, args) = text.split_at(text.ceil_char_boundary(1));
    let Ok(signature) = Codes::parse(ret, args, Role::Function).and_then(|codes| codes.signature()) else { return };
    for abi in Abi::ALL {
        let plan = plan(&signature, abi).expect("every code has a place");
        farcall_arch::abi::check::check(&signature, &plan).expect("a sound plan");
        assert!(!emit::call(&plan).bytes.is_empty() && !emit::callback_entry(&plan).bytes.is_empty());
    }
});
