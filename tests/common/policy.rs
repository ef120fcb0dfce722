//! Runs tests once more where the system refuses executable memory: the test program starts itself under a policy of the kernel's.
//! Tests that pass here must pass there, too. So the C compiler's functions judge both ways.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The variable that tells the program that it runs under a policy.
const POLICY: &str = "FARCALL_TEST_POLICY";

/// The program that starts others under policies: `tests/c/hardened.c`.
fn launcher() -> &'static PathBuf {
    static LAUNCHER: OnceLock<PathBuf> = OnceLock::new();
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/c/hardened.c");
    LAUNCHER.get_or_init(|| super::compiled(source, "hardened", &[]))
}

/// Whether this is a process under a policy.
pub fn is_set() -> bool {
    std::env::var_os(POLICY).is_some()
}

/// Runs all tests of this program, but for the one called `this`, under each policy.
pub fn all_pass_without(this: &str) {
    for policy in ["mdwe", "seccomp"] {
        pass_under(policy, &["--skip", this]);
    }
}

/// Runs the tests of this program that `choice` selects under a policy.
pub fn pass_under(policy: &str, choice: &[&str]) {
    let program = std::env::current_exe().expect("this program");
    let status = Command::new(launcher())
        .arg(policy)
        .arg(program)
        .args(choice)
        .env(POLICY, policy)
        .env("FARCALL_TEST_PEER", super::peer_path())
        .status()
        .expect("the launcher starts");
    assert!(status.success(), "under {policy}: {status}");
}
