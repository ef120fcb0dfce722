//! Calls of C functions, judged by functions that a C compiler made.

mod common;

use common::{call, func};
use farcall::{Error, Function, Library, Value};
use std::ffi::{CString, c_long, c_void};

#[test]
fn value_of_every_code_passes_through_c_with_every_bit() {
    let cases: [(&str, Value, Value); 13] = [
        ("b", Value::Int(-128), Value::Int(127)),
        ("B", Value::Uint(0x5a), Value::Uint(0xa5)),
        ("h", Value::Int(-32768), Value::Int(32767)),
        ("H", Value::Uint(0x1234), Value::Uint(0xedcb)),
        (
            "i",
            Value::Int(i32::MIN.into()),
            Value::Int(i32::MAX.into()),
        ),
        ("I", Value::Uint(0x1234_5678), Value::Uint(0xedcb_a987)),
        (
            "l",
            Value::Int(i64::MAX >> (64 - c_long::BITS)),
            Value::Int(i64::MIN >> (64 - c_long::BITS)),
        ),
        (
            "L",
            Value::Uint(1),
            Value::Uint((u64::MAX >> (64 - c_long::BITS)) - 1),
        ),
        ("q", Value::Int(i64::MIN), Value::Int(i64::MAX)),
        ("Q", Value::Uint(0), Value::Uint(u64::MAX)),
        ("f", Value::Float(1.5), Value::Float(-1.5)),
        (
            "d",
            Value::Double(f64::MIN_POSITIVE),
            Value::Double(-f64::MIN_POSITIVE),
        ),
        (
            "p",
            Value::Pointer(0xff as *mut _),
            Value::Pointer(!0xff_usize as *mut _),
        ),
    ];
    for (code, value, flipped) in cases {
        assert_eq!(
            call(code, &format!("flip_{code}"), code, &[value]),
            flipped,
            "{code}"
        );
    }
}

#[test]
fn void_function_without_arguments_is_called() {
    let before = call("i", "counted", "", &[]);
    assert_eq!(call("v", "count", "", &[]), Value::Void);
    assert_ne!(call("i", "counted", "", &[]), before);
}

#[test]
fn forty_eight_mixed_arguments_arrive_each_in_its_place() {
    let codes = format!("{}{}", "id".repeat(20), "f".repeat(8));
    let values: Vec<Value> = (1..=48)
        .map(|n| match n {
            41.. => Value::Float(n as f32),
            n if n % 2 == 1 => Value::Int(n),
            n => Value::Double(n as f64),
        })
        .collect();
    let expected: i64 = (1..=48).map(|n| n * n).sum();
    assert_eq!(
        call("d", "weigh", &codes, &values),
        Value::Double(expected as f64)
    );
}

#[test]
fn narrow_result_ignores_dirty_upper_bits() {
    let bits = Value::Uint(0xdead_beef_ffff_ff80);
    let read = |code| call(code, "dirty", "Q", std::slice::from_ref(&bits));
    assert_eq!(read("b"), Value::Int(-128));
    assert_eq!(read("B"), Value::Uint(0x80));
    assert_eq!(read("h"), Value::Int(-128));
    assert_eq!(read("H"), Value::Uint(0xff80));
    assert_eq!(read("i"), Value::Int(-128));
    assert_eq!(read("I"), Value::Uint(0xffff_ff80));
}

#[test]
fn narrow_argument_in_a_dirty_slot_is_taken_from_its_low_bytes() {
    let flip = func("h", "flip_h", "h");
    // SAFETY: the function takes a number.
    let result = unsafe { flip.call_slots(&[0xdead_beef_dead_0001]) }.expect("one slot");
    assert_eq!(result as i64, -2);
}

#[test]
fn string_goes_in_and_comes_back_as_a_pointer() {
    let text = CString::new("farcall").expect("no NUL inside");
    let result = call("s", "tail", "s", &[text.as_c_str().into()]);
    assert_eq!(result, Value::from(text.as_ptr().wrapping_add(1)));
    assert_eq!(
        call("s", "tail", "s", &[Value::Pointer(std::ptr::null_mut())]),
        Value::Pointer(std::ptr::null_mut())
    );
}

#[test]
fn wrong_count_is_an_error_that_states_both_numbers() {
    let flip = func("i", "flip_i", "i");
    for args in [&[][..], &[Value::Int(1), Value::Int(2)][..]] {
        // SAFETY: it is not called at all.
        let error = unsafe { flip.call(args) }
            .expect_err("a wrong count")
            .to_string();
        assert_eq!(
            error,
            format!("flip_i takes 1 argument (i), got {}", args.len())
        );
        let slots = vec![0; args.len()];
        // SAFETY: likewise.
        assert!(unsafe { flip.call_slots(&slots) }.is_err());
    }
}

#[test]
fn number_beyond_its_type_is_an_error_and_nothing_is_called() {
    let before = call("i", "counted", "", &[]);
    let count = func("v", "count", "b");
    // SAFETY: it is not called at all.
    let error = unsafe { count.call(&[Value::Int(128)]) }
        .expect_err("out of range")
        .to_string();
    assert_eq!(error, "argument 1: expected 'b' (-128..=127), got 128");
    assert_eq!(call("i", "counted", "", &[]), before);
}

#[test]
fn null_address_is_an_error() {
    let error = Function::at(std::ptr::null(), "v", "").expect_err("no function");
    assert!(matches!(error, Error::Null { .. }), "{error}");
}

#[test]
fn any_number_of_arguments_is_passed() {
    let zero = func("v", "count", "").address();
    for count in [1024, 1025, 3000] {
        let many = Function::at(zero, "v", &"q".repeat(count)).expect("a signature");
        // SAFETY: a SysV callee that takes nothing does not look at what it is given.
        unsafe { many.call(&vec![Value::Int(-1); count]) }.expect("a call that fits");
    }
}

#[test]
fn function_keeps_its_library_open_and_close_ends_that() {
    let library = common::peer();
    let flip = library.func("i", "flip_i", "i").expect("a function");
    let var = library.var("i", "var_i").expect("a variable");
    drop(library.clone());
    // SAFETY: declared as it is.
    let flipped = unsafe { flip.call(&[Value::Int(5)]) };
    assert_eq!(flipped.expect("still open"), Value::Int(-6));
    library.close();
    library.close();
    // SAFETY: neither is reached.
    let (called, read) = unsafe { (flip.call(&[Value::Int(5)]), var.get()) };
    assert_eq!(called.expect_err("closed").to_string(), "flip_i is closed");
    assert_eq!(read.expect_err("closed").to_string(), "var_i is closed");
    let gone = library.func("i", "flip_i", "i").expect_err("closed");
    assert!(matches!(gone, Error::Closed { .. }), "{gone}");
}

#[test]
fn missing_library_and_symbol_are_errors_with_the_loaders_words() {
    // SAFETY: there is nothing to run.
    let error = unsafe { Library::open("libno-such-thing.so") }.expect_err("no library");
    let words = if cfg!(windows) {
        ["libno-such-thing.so: ", "not found"]
    } else if cfg!(target_env = "musl") {
        ["loading shared library libno-such-thing.so", "No such file"]
    } else {
        [
            "libno-such-thing.so: cannot open shared object file",
            "No such file",
        ]
    };
    let text = error.to_string();
    assert!(words.iter().all(|words| text.contains(words)), "{text}");
    let words = if cfg!(windows) {
        "not found"
    } else if cfg!(target_env = "musl") {
        "Symbol not found"
    } else {
        "undefined symbol"
    };
    let error = common::peer()
        .addr("no_such_symbol")
        .expect_err("no symbol")
        .to_string();
    assert!(
        error.contains("no symbol 'no_such_symbol'") && error.contains(words),
        "{error}"
    );
    let error = common::peer()
        .addr("a\0b")
        .expect_err("no name")
        .to_string();
    assert_eq!(error, r#"expected a name without NUL bytes, got "a\0b""#);
}

#[test]
fn variadic_function_gets_what_is_behind_the_mark() {
    let mut text = [0_u8; 64];
    let values = [
        Value::from(text.as_mut_ptr().cast::<c_void>()),
        c"%d %g %s %g".into(),
        Value::Int(-3),
        Value::Double(2.5),
        c"text".into(),
        Value::Double(0.125),
    ];
    let program = Library::this().expect("the program");
    let sprintf = program.func("i", "sprintf", "ps.idsd").expect("C has it");
    // SAFETY: the values are those that the format tells of, and the text has room for theirs.
    let length = unsafe { sprintf.call(&values) }.expect("six values");
    assert_eq!(length, Value::Int(17));
    assert_eq!(&text[..18], b"-3 2.5 text 0.125\0");
}

#[test]
fn program_itself_is_a_library() {
    let program = Library::this().expect("the program");
    let abs = program.func("i", "abs", "i").expect("the C library's abs");
    // SAFETY: declared as it is.
    let three = unsafe { abs.call(&[Value::Int(-3)]) };
    assert_eq!(three.expect("one int"), Value::Int(3));
}

#[cfg(target_os = "linux")]
#[test]
fn all_passes_where_executable_memory_is_refused() {
    common::policy::all_pass_without("all_passes_where_executable_memory_is_refused");
}
