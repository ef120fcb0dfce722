//! What `FARCALL_PERF=1` leaves for the profiler: a map of all generated code.

#![cfg(target_os = "linux")]

mod common;

use farcall::{Callback, Function, Value};
use std::fs;
use std::io::{Read, Write, pipe};

/// A line of the map: addresses from and to, and the name.
fn entry(line: &str) -> (usize, usize, &str) {
    let mut fields = line.splitn(3, ' ');
    let mut number = || {
        let field = fields.next().expect("a number");
        usize::from_str_radix(field, 16).expect("a number")
    };
    let (start, len) = (number(), number());
    (start, start + len, fields.next().expect("a name"))
}

/// Makes code. The address of a callback.
fn make_code() -> usize {
    let counted = common::func("i", "counted", "").address();
    let (int, double, float) = (Value::Int(1), Value::Double(0.5), Value::Float(0.5));
    for (codes, args) in [
        ("id", vec![int.clone(), double.clone()]),
        (
            "idP",
            vec![int, double, Value::Pointer(std::ptr::null_mut())],
        ),
        ("fff", vec![float.clone(), float.clone(), float]),
    ] {
        let function = Function::at(counted, "i", codes).expect("a function");
        // SAFETY: the function takes nothing, and what is passed is passed in registers.
        unsafe { function.call(&args) }.expect("a result");
    }
    let callback = Callback::with_codes("d", "iqd", |_| Value::Double(0.5)).expect("a callback");
    callback.code() as usize
}

/// Has a child make code; an emulator would run no program that this one starts. Its process and what [`make_code`] said there.
fn made_in_child(is_wanted: bool) -> (i32, usize) {
    let (mut from_child, mut to_parent) = pipe().expect("a pipe");
    // SAFETY: the child ends here. This program's other threads do not change the environment.
    unsafe {
        let child = libc::fork();
        if child == 0 {
            std::env::set_var("FARCALL_CODE", "always");
            if is_wanted {
                std::env::set_var("FARCALL_PERF", "1");
            }
            let told = to_parent.write_all(&make_code().to_ne_bytes());
            libc::_exit(i32::from(told.is_err()))
        }
        drop(to_parent);
        let mut bytes = [0; size_of::<usize>()];
        from_child.read_exact(&mut bytes).expect("an address");
        let mut status = 1;
        assert_eq!(libc::waitpid(child, &mut status, 0), child);
        assert_eq!(status, 0);
        (child, usize::from_ne_bytes(bytes))
    }
}

#[test]
fn map_for_perf_covers_generated_code_and_names_its_signatures() {
    for is_wanted in [false, true] {
        let (child, callback) = made_in_child(is_wanted);
        let file = format!("/tmp/perf-{child}.map");
        if !is_wanted {
            assert!(fs::metadata(&file).is_err(), "nobody asked for {file}");
            continue;
        }
        let map = fs::read_to_string(&file).expect("a map");
        fs::remove_file(&file).expect("it is ours");
        let mut entries: Vec<_> = map.lines().map(entry).collect();
        entries.sort_unstable();
        for pair in entries.windows(2) {
            assert!(pair[0].1 <= pair[1].0, "{pair:?} overlap");
        }
        assert!(entries.iter().all(|(start, end, _)| start < end), "{map}");
        let covers = |entry: &&(usize, usize, &str)| entry.0 <= callback && callback < entry.1;
        let (.., name) = entries.iter().find(covers).expect("the thunk's entry");
        assert_eq!(*name, "farcall thunks");
        for wanted in [
            "farcall call int32(int32, float64)",
            "farcall call int32(int32, float64, int64)",
            "farcall call int32(float32, float32, float32)",
            "farcall callback float64(int32, int64, float64)",
        ] {
            assert!(entries.iter().any(|(.., name)| *name == wanted), "{map}");
        }
    }
}
