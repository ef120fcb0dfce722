//! Common code of the tests: a library made by the C compiler from `tests/c/peer.c`.

#![allow(dead_code, unused_imports, reason = "each test program uses a part")]

pub mod declared;
pub mod memory;
#[cfg(target_os = "linux")]
pub mod policy;
pub mod tell;
#[cfg(target_os = "linux")]
pub mod ticks;

use farcall::{Callback, Function, Library, Value};
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The path of the library, which is compiled once in each test program.
pub fn peer_path() -> &'static str {
    static PATH: OnceLock<String> = OnceLock::new();
    PATH.get_or_init(|| {
        // A program that runs in an emulator cannot always start a compiler.
        if let Ok(library) = std::env::var("FARCALL_TEST_PEER") {
            return library;
        }
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/c/peer.c");
        let library = compiled(source, "peer.so", &["-O2", "-shared", "-fPIC", "-pthread"]);
        library.to_str().expect("a UTF-8 path").to_owned()
    })
}

/// Compiles a file with the C compiler. The output's name ends in `name`.
pub fn compiled(source: &str, name: &str, args: &[&str]) -> PathBuf {
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let name = format!("{}-{name}", std::process::id());
    let output = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let status = Command::new(&compiler)
        .args(["-Wall", "-Werror"])
        .args(args)
        .arg("-o")
        .arg(&output)
        .arg(source)
        .status()
        .unwrap_or_else(|error| panic!("{compiler}: {error}"));
    assert!(status.success(), "{compiler} failed");
    output
}

/// The library, opened anew. The first one stays open, so that its addresses and its state outlive each test.
pub fn peer() -> Library {
    static FIRST: OnceLock<Library> = OnceLock::new();
    // SAFETY: it has no initialisers of its own.
    let open = || unsafe { Library::open(peer_path()) }.expect("the peer library opens");
    FIRST.get_or_init(open);
    open()
}

/// A function of the library.
pub fn func(ret: &str, name: &str, args: &str) -> Function {
    peer()
        .func(ret, name, args)
        .expect("a function of the peer library")
}

/// Calls a function of the library.
pub fn call(ret: &str, name: &str, args: &str, values: &[Value]) -> Value {
    // SAFETY: the tests declare peer.c's functions as they are, with pointers that live through the call.
    unsafe { func(ret, name, args).call(values) }.expect("a call that fits")
}

/// Many different signatures, named by a number.
pub fn signature(number: usize) -> String {
    (0..10)
        .map(|digit| if number >> digit & 1 == 1 { 'd' } else { 'i' })
        .collect()
}

/// The result of a callback of an int.
pub fn answer(callback: &Callback) -> i64 {
    let function = Function::at(callback.code(), "i", "i").expect("a function");
    // SAFETY: the function is the callback.
    match unsafe { function.call(&[Value::Int(0)]) } {
        Ok(Value::Int(answer)) => answer,
        other => panic!("{other:?}"),
    }
}

/// The library under a path of its own, so that nothing else keeps it loaded; and that path.
pub fn own_peer() -> (Library, PathBuf) {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("{}-{count}-own-peer.so", std::process::id());
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::copy(peer_path(), &path).expect("a copy");
    // SAFETY: it has no initialisers of its own.
    let library = unsafe { Library::open(&path) }.expect("the copy opens");
    (library, path)
}

#[cfg(unix)]
/// Runs `body` in a child process and says whether it ended well.
pub fn in_child(body: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child runs `body` and ends; the data that `body` uses is guarded across forks, or the child's alone.
    unsafe {
        match libc::fork() {
            0 => {
                let fine =
                    std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)).unwrap_or(false);
                libc::_exit(if fine { 0 } else { 1 })
            }
            child => {
                assert!(child > 0, "fork failed");
                let mut status = 0;
                assert_eq!(libc::waitpid(child, &mut status, 0), child);
                libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
            }
        }
    }
}
