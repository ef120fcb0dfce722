//! C variables, judged by a C compiler's layouts.

mod common;

use farcall::{CodeError, Error, Value, Variable};
use std::ffi::c_long;

#[test]
fn variable_of_every_code_reads_and_takes_values() {
    let cases: [(&str, Value, Value); 12] = [
        ("b", Value::Int(-1), Value::Int(-128)),
        ("B", Value::Uint(200), Value::Uint(255)),
        ("h", Value::Int(-300), Value::Int(32767)),
        ("H", Value::Uint(50000), Value::Uint(0)),
        ("i", Value::Int(-100000), Value::Int(i32::MIN.into())),
        ("I", Value::Uint(4_000_000_000), Value::Uint(1)),
        (
            "l",
            Value::Int(-5),
            Value::Int(i64::MAX >> (64 - c_long::BITS)),
        ),
        (
            "L",
            Value::Uint(6),
            Value::Uint(u64::MAX >> (64 - c_long::BITS)),
        ),
        ("q", Value::Int(i64::MIN), Value::Int(7)),
        ("Q", Value::Uint(u64::MAX), Value::Uint(8)),
        ("f", Value::Float(1.5), Value::Float(-0.25)),
        ("d", Value::Double(-2.25), Value::Double(1e300)),
    ];
    let library = common::peer();
    for (code, first, second) in cases {
        let variable = library
            .var(code, &format!("var_{code}"))
            .expect("a variable");
        // SAFETY: declared as it is, and used by this test alone.
        unsafe {
            assert_eq!(variable.get().expect("open"), first, "{code}");
            variable.set(second.clone()).expect("in range");
            assert_eq!(variable.get().expect("open"), second, "{code}");
        }
    }
    let pointer = library.var("p", "var_p").expect("a variable");
    let target = library.addr("var_i").expect("a symbol");
    // SAFETY: declared as it is.
    let value = unsafe { pointer.get() };
    assert_eq!(value.expect("open"), Value::Pointer(target));
}

#[test]
fn store_changes_the_variable_alone() {
    let address = match common::call("p", "fenced_value", "", &[]) {
        Value::Pointer(address) => address,
        other => panic!("a pointer, got {other}"),
    };
    let variable = Variable::at(address, "h").expect("a variable");
    for value in [-1, 0x5aa5] {
        // SAFETY: the address is that of an int16_t, used by this test alone.
        unsafe { variable.set(Value::Int(value)) }.expect("in range");
        assert_eq!(common::call("i", "fence_intact", "", &[]), Value::Int(1));
    }
}

#[test]
fn value_out_of_range_is_an_error_and_the_variable_stays() {
    let variable = common::peer().var("H", "var_H").expect("a variable");
    // SAFETY: declared as it is.
    unsafe {
        let before = variable.get().expect("open");
        for value in [Value::Int(-1), Value::Int(65536), Value::Uint(1 << 40)] {
            let error = variable.set(value).expect_err("out of range");
            assert!(
                matches!(error, Error::Codes(CodeError::OutOfRange { .. })),
                "{error}"
            );
        }
        assert!(matches!(
            variable.set(Value::Double(1.0)),
            Err(Error::Codes(CodeError::WrongKind { .. }))
        ));
        assert_eq!(variable.get().expect("open"), before);
    }
}

#[test]
fn void_null_and_unknown_variables_are_errors() {
    let library = common::peer();
    let error = library.var("v", "var_i").expect_err("no type").to_string();
    assert_eq!(error, "variable: 'v' is no type for a variable");
    assert!(library.var("Z", "var_i").is_err());
    assert!(library.var("ii", "var_i").is_err());
    assert!(Variable::at(std::ptr::null_mut(), "i").is_err());
}
