//! What is said of text that is no C, as golden text.

use farcall_cdecl::c::{Declarations, Platform};
use std::fmt::Write;

/// One a line; `cdecl/tests/malformed.txt` has what is said of each below it.
#[test]
fn every_malformed_declaration_gets_the_message_that_was_reviewed() {
    let golden = include_str!("malformed.txt");
    let mut said = String::new();
    let mut count = 0;
    for text in golden.lines().filter_map(|line| line.strip_prefix("> ")) {
        let mut c = Declarations::new(Platform::LINUX_X86_64).expect("there is memory");
        let outcome = match c.read(text) {
            Ok(()) => "nothing".to_owned(),
            Err(error) => error.to_string(),
        };
        writeln!(said, "> {text}\n{outcome}\n").expect("a string can be written to");
        count += 1;
    }
    if std::env::var_os("FARCALL_BLESS").is_some() {
        std::fs::write(
            concat!(env!("CARGO_MANIFEST_DIR"), "/tests/malformed.txt"),
            &said,
        )
        .expect("the file can be written");
        return;
    }
    assert!(count >= 60 && !said.contains("\nnothing\n"));
    for (wanted, got) in golden.lines().zip(said.lines()) {
        assert_eq!(wanted, got);
    }
    assert_eq!(golden.len(), said.len());
}
