//! `FARCALL_PERF=1` leaves a map of all generated code for the profiler.

#![cfg(target_os = "linux")]

mod common;

use farcall::{Callback, Function, Value};
use std::fs;
use std::process::Command;

/// The variable that marks this process as the child of the test below.
const CHILD: &str = "FARCALL_TEST_OF_PERF";

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

/// In the child: makes code, and prints where its callback is.
#[test]
fn code_is_made_in_the_child() {
    if std::env::var_os(CHILD).is_none() {
        return;
    }
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
    println!("callback at {:x}", callback.code() as usize);
}

#[test]
fn map_for_perf_covers_generated_code_and_names_its_signatures() {
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command
        .args(["--exact", "code_is_made_in_the_child", "--nocapture"])
        .env(CHILD, "1")
        .env("FARCALL_CODE", "always");
    for is_wanted in [false, true] {
        if is_wanted {
            command.env("FARCALL_PERF", "1");
        }
        let child = command
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("the child starts");
        let file = format!("/tmp/perf-{}.map", child.id());
        let output = child.wait_with_output().expect("the child ends");
        assert!(output.status.success(), "{output:?}");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
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
        let callback = text.split("callback at ").nth(1).expect("an address");
        let digits = callback.split_whitespace().next().expect("an address");
        let callback = usize::from_str_radix(digits, 16).expect("an address");
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
