//! The declarations of `tests/c/peer.c` in C text: calls with structures and wide numbers.

use super::peer;
use farcall::{Declarations, Function, StructBytes, Value};

/// The declarations at the end of `tests/c/peer.c`: the same text that it includes.
pub const PEER: &str = include_str!("../c/declared.h");

#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mixed {
    pub a: i8,
    pub b: f64,
}

#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Large {
    pub v: [i64; 5],
}

pub fn declarations() -> Declarations {
    Declarations::parse(PEER).expect("good declarations")
}

pub fn function(name: &str) -> Function {
    peer()
        .function_in(&declarations(), name)
        .expect("a function of the peer library")
}

/// Calls a function of the library so often that later calls have code, each time with the same result.
pub fn call(name: &str, args: &[Value]) -> Value {
    let function = function(name);
    // SAFETY: the declarations are those of peer.c, whose functions use nothing but their arguments.
    let mut results = (0..1000).map(|_| unsafe { function.call(args) }.expect("a call that fits"));
    let first = results.next().expect("a result");
    let by_plan_and_code = results.filter(|result| !is_same(result, &first)).count();
    assert_eq!(by_plan_and_code, 0, "{name}");
    first
}

/// Whether two values are the same, but for padding.
fn is_same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Struct(a), Value::Struct(b)) => a.len() == b.len(),
        (a, b) => a == b,
    }
}

pub fn bytes<T: Copy>(value: T) -> Value {
    StructBytes::of(&value).expect("memory").into()
}

/// A structure's content.
pub fn read<T: Copy>(value: Value) -> T {
    let bytes = StructBytes::try_from(value).expect("a structure");
    // SAFETY: all structures of these tests have members that are numbers.
    unsafe { bytes.read() }.expect("as large as the type")
}

pub fn error(name: &str, args: &[Value]) -> String {
    // SAFETY: nothing is called.
    unsafe { function(name).call(args) }
        .expect_err("no call")
        .to_string()
}
