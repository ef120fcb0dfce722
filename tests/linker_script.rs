//! A linker script that stands where a library is expected is opened as the libraries that it names.

#![cfg(unix)]

mod common;

use common::peer_path;
use farcall::{EngineError, Error, Library, Value};
use std::fs;
use std::path::{Path, PathBuf};

/// A folder of this test's own.
fn folder(name: &str) -> PathBuf {
    let name = format!("{}-{name}", std::process::id());
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::create_dir_all(&folder).expect("a folder");
    folder
}

fn open(path: &str) -> farcall::Result<Library> {
    // SAFETY: none of these has initialisers that do anything.
    unsafe { Library::open(path) }
}

fn flipped_by(library: &Library) -> Value {
    let flip = library.func("i", "flip_i", "i").expect("the peer has it");
    // SAFETY: that is its signature.
    unsafe { flip.call(&[Value::Int(-43)]) }.expect("a result")
}

#[test]
fn script_is_opened_as_what_it_names() {
    let folder = folder("names");
    let script = folder.join("libx.so");
    let text = format!("GROUP ( {} AS_NEEDED ( /no/such.so ) )", peer_path());
    fs::write(&script, text).expect("a script");
    fs::write(folder.join("liby.so"), "INPUT(-lx)").expect("a script");
    for name in ["libx.so", "liby.so"] {
        let path = folder.join(name);
        let library = open(path.to_str().expect("it is text")).expect("it opens");
        assert_eq!(flipped_by(&library), Value::Int(42));
        library.close();
        let closed = library.addr("flip_i");
        assert!(matches!(closed, Err(Error::Closed { .. })), "{closed:?}");
    }
}

#[test]
fn script_that_names_what_is_not_there_is_an_error_that_names_both() {
    let folder = folder("missing");
    let script = folder.join("libx.so");
    fs::write(&script, "INPUT(libno-such-thing.so.7)").expect("a script");
    let error = open(script.to_str().expect("it is text")).expect_err("nothing to open");
    let text = error.to_string();
    assert!(
        text.contains("libx.so: the linker script there: "),
        "{text}"
    );
    assert!(text.contains("libno-such-thing.so.7"), "{text}");
    assert!(matches!(error, Error::Engine(EngineError::Open { .. })));
}

#[test]
fn library_that_is_not_there_is_an_error_with_the_number_for_that() {
    for path in ["libno-such-thing.so", "/no/such/thing.so"] {
        match open(path) {
            Err(Error::Engine(EngineError::Open { code, .. })) => assert_eq!(code, libc::ENOENT),
            other => panic!("{other:?}"),
        }
    }
}

/// The loader reads its search path as a program starts, so this runs once more as a program of its own, which an emulator cannot start.
#[cfg(target_arch = "x86_64")]
#[test]
fn script_is_found_by_its_name_where_the_loader_searches() {
    const SCRIPT: &str = "libfarcall-test-script.so";
    if std::env::var_os("LD_LIBRARY_PATH")
        .is_some_and(|path| path.as_encoded_bytes().ends_with(b"-searched"))
    {
        let library = open(SCRIPT).expect("it is found");
        assert_eq!(flipped_by(&library), Value::Int(42));
        return;
    }
    let folder = folder("searched");
    fs::write(folder.join(SCRIPT), format!("INPUT({})", peer_path())).expect("a script");
    let this = "script_is_found_by_its_name_where_the_loader_searches";
    let status = std::process::Command::new(std::env::current_exe().expect("this program"))
        .args(["--exact", this])
        .env("LD_LIBRARY_PATH", &folder)
        .env("FARCALL_TEST_PEER", peer_path())
        .status()
        .expect("it starts");
    assert!(status.success(), "{status}");
}
