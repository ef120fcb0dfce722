//! Functions and variables that are declared in C, judged by functions that a C compiler made from the same declarations.

mod common;

use common::declared::{Large, Mixed, bytes, call, declarations, error, function, read};
use common::peer;
use farcall::{
    Callback, Complex, Error, Function, Library, LongDouble, Signature, StructBytes, Value,
};
use std::ffi::{CStr, c_void};

#[test]
fn structures_pass_by_value_in_both_directions() {
    let mixed = Mixed { a: -3, b: 1.5 };
    assert_eq!(
        read::<Mixed>(call("scale_mixed", &[bytes(mixed), Value::Int(4)])),
        Mixed { a: -12, b: 6.0 }
    );
    let floats = call("reverse_floats", &[bytes([1.0_f32, 2.0, 3.0])]);
    assert_eq!(read::<[f32; 3]>(floats), [3.0, 2.0, 1.0]);
    assert_eq!(
        read::<[u8; 3]>(call("turn_odd", &[bytes([1_u8, 2, 3])])),
        [2, 3, 1]
    );
    let number = call("half_number", &[bytes(3.0_f64)]);
    assert_eq!(read::<f64>(number), 1.5);
    let large = Large { v: [1, 2, 3, 4, 5] };
    let args = [Value::Double(100.0), bytes(large), bytes(mixed)];
    assert_eq!(
        read::<Large>(call("shift_large", &args)),
        Large {
            v: [98, 99, 100, 101, 102]
        }
    );
}

#[test]
fn bit_fields_pass_as_compilers_place_them() {
    let flipped = read::<[u32; 2]>(call("flip_bits", &[bytes([0xaaa_u32, 0x55])]));
    assert_eq!(flipped[0] & 0xfff, !0xaaa & 0xfff);
    assert_eq!(flipped[1], !0x55);
}

#[test]
fn result_of_more_than_usual_alignment_comes_back() {
    let over = call("make_over", &[Value::Int(7)]);
    let bytes = StructBytes::try_from(over).expect("a structure");
    assert_eq!(bytes.len(), 64);
    assert_eq!(bytes[..8], 7_i64.to_le_bytes());
    assert_eq!(bytes[8..16], (-7_i64).to_le_bytes());
}

#[test]
fn integers_of_128_bits_keep_every_bit() {
    let large = i128::MAX / 3;
    assert_eq!(
        call("times", &[large.into(), Value::Int(-2)]),
        Value::Int128(large * -2)
    );
    assert_eq!(
        call("times", &[Value::Int(-5), Value::Int(3)]),
        Value::Int128(-15)
    );
    let word = 0x0123_4567_89ab_cdef_1122_3344_5566_7788_u128;
    let flipped = call("flip_wide", &[Value::Int(0), word.into()]);
    assert_eq!(flipped, Value::Uint128(!word));
    assert!(error("flip_wide", &[Value::Int(0), Value::Int(-1)]).ends_with(
        "argument 2 (unsigned __int128 b): expected 0..=340282366920938463463374607431768211455, got -1"
    ));
}

#[test]
fn long_double_keeps_more_than_a_double() {
    let third = LongDouble::try_from(call("third", &[Value::Double(1.0)])).expect("a number");
    assert_eq!(third.to_f64(), 1.0 / 3.0);
    // Windows has its threads' x87 round to the 53 bits of a double.
    let is_larger = cfg!(not(any(target_vendor = "apple", windows)));
    assert_eq!(third != LongDouble::from(1.0 / 3.0), is_larger);
    let back = call("third", &[third.into()]);
    assert_eq!(f64::try_from(back).expect("a number"), 1.0 / 9.0);
}

#[test]
fn complex_numbers_have_both_parts() {
    let number = Complex { re: 1.5, im: -2.0 };
    assert_eq!(
        call("times_i", &[number.into()]),
        Value::Complex(Complex { re: 2.0, im: 1.5 })
    );
    assert_eq!(
        call("conjugate", &[number.into()]),
        Value::Complex(Complex { re: 1.5, im: 2.0 })
    );
    let beyond = Complex { re: 1e300, im: 0.0 };
    assert!(
        error("conjugate", &[beyond.into()]).ends_with(
            "expected a complex number in the range of float, got complex 1e300+0i"
                .replace("1e300", &1e300.to_string())
                .as_str()
        )
    );
}

#[test]
fn bool_takes_zero_and_one_only() {
    assert_eq!(call("not", &[false.into()]), Value::Uint(1));
    assert_eq!(call("not", &[Value::Int(1)]), Value::Uint(0));
    assert_eq!(
        bool::try_from(call("not", &[true.into()])).ok(),
        Some(false)
    );
    assert_eq!(
        error("not", &[Value::Uint(2)]),
        "not: argument 1 (_Bool a): expected 0 or 1, got 2"
    );
}

#[test]
fn enumerations_are_their_integers() {
    let green = call("next_colour", &[Value::Int(0)]);
    assert_eq!(i32::try_from(green).ok(), Some(5));
    assert_eq!(
        declarations().constant("BLUE").expect("memory"),
        Some(farcall::Constant::Integer(6))
    );
}

#[test]
fn variadic_prototype_takes_what_comes_by_its_kind() {
    let weigh_more = function("weigh_more");
    let sum = |more: &[Value]| {
        let count = Value::Int(more.len() as i64);
        let args: Vec<Value> = std::iter::once(count).chain(more.iter().cloned()).collect();
        // SAFETY: declared as it is; it takes a long long and a double in turns.
        unsafe { weigh_more.call(&args) }.expect("a call that fits")
    };
    assert_eq!(sum(&[]), Value::Double(0.0));
    let four = [
        1.into(),
        Value::Float(0.5),
        Value::Int(i64::MAX),
        0.25.into(),
    ];
    assert_eq!(sum(&four), Value::Double(1.75 + i64::MAX as f64));
    let none = error("weigh_more", &[]);
    assert!(none.starts_with("weigh_more takes 1 argument"), "{none}");
    assert_eq!(
        error("weigh_more", &[Value::Int(1), bytes(1_u8)]),
        "weigh_more: argument 2 (...): expected a number, a pointer or a structure that a Type has made behind '...', got structure of 1 bytes"
    );
}

/// The bytes of a number in memory.
fn as_bytes<T: Copy, const N: usize>(number: T) -> [u8; N] {
    let Value::Struct(bytes) = bytes(number) else {
        unreachable!("it is one")
    };
    bytes[..].try_into().expect("as many bytes")
}

#[test]
fn structures_behind_dots_pass_as_compilers_pass_them() {
    let c = declarations();
    let value = |name: &str, bytes: &[u8]| {
        let ty = c.ty(name).expect("it is declared");
        Value::Struct(ty.value(bytes).expect("so many bytes"))
    };
    let mut args = vec![Value::Int(4)];
    let mut wanted = 0.0;
    for round in 0..4_u8 {
        let number = f64::from(round);
        let mixed = Mixed {
            a: -(round as i8),
            b: number + 0.5,
        };
        let large = Large {
            v: [round.into(), 1, 2, 3, 4],
        };
        args.extend([
            value("struct mixed", &as_bytes::<_, 16>(mixed)),
            value(
                "struct floats",
                &as_bytes::<_, 12>([1.0_f32, 2.0, number as f32]),
            ),
            value("struct odd", &[round, 1, 2]),
            value("struct large", &as_bytes::<_, 40>(large)),
            value("union number", &number.to_ne_bytes()),
            Value::Double(number / 4.0),
            Value::Int(-1),
        ]);
        wanted =
            wanted * 3.0 - number + (number + 0.5) + (1.0 - 2.0 + number) + (number + 2.0 + 6.0);
        wanted += (number - 1.0 + 2.0 - 3.0 + 8.0) + number + number - 1.0;
    }
    assert_eq!(call("weigh_structures", &args), Value::Double(wanted));
    let over = c.ty("struct over").expect("it is declared");
    assert!(over.value(&[0; 128]).is_err());
}

#[test]
fn braces_among_the_codes_pass_the_same() {
    let scale = common::func("{bd}", "scale_mixed", "{bd}i");
    assert_eq!(
        scale.codes().map(ToString::to_string).as_deref(),
        Some("{bd}({bd}i)")
    );
    // SAFETY: declared as it is.
    let result = unsafe { scale.call(&[bytes(Mixed { a: 2, b: 0.5 }), Value::Int(3)]) };
    assert_eq!(
        read::<Mixed>(result.expect("a call that fits")),
        Mixed { a: 6, b: 1.5 }
    );
    // SAFETY: nothing is called.
    let error = unsafe { scale.call(&[bytes(1_u32), Value::Int(3)]) }.expect_err("no call");
    assert_eq!(
        error.to_string(),
        "scale_mixed: argument 1: expected a structure of 16 bytes, got structure of 4 bytes"
    );
    let mixed = peer().var("{bd}", "kept_mixed").expect("a variable");
    // SAFETY: declared as it is, and only read.
    assert_eq!(read::<Mixed>(unsafe { mixed.get() }.expect("open")).a, 5);
}

#[test]
fn slots_hold_wide_values_as_memory_does() {
    let scale = function("scale_mixed");
    let shift = function("shift_large");
    assert_eq!(shift.signature().slots(2), Some(6..8));
    // SAFETY: nothing is called.
    let error = unsafe { scale.call_slots(&[1, 0, 3]) }.expect_err("two slots");
    assert_eq!(
        error.to_string(),
        "result of scale_mixed: expected one of one slot, got one of 2"
    );
    let signature = declarations()
        .signature("struct mixed (struct mixed, int)")
        .expect("one");
    let callback = Callback::of_slots(&signature, |slots, result| {
        assert_eq!(slots.len(), 3);
        result[0] = slots[0] & 0xff;
        result[1] = slots[2];
    })
    .expect("a callback");
    let result = call(
        "call_mixed",
        &[(&callback).into(), bytes(Mixed { a: 9, b: 0.0 })],
    );
    let result: Mixed = read(result);
    assert_eq!((result.a, result.b.to_bits()), (9, 3));
}

#[test]
fn arguments_behind_pointers_are_read_where_they_lie() {
    let shift = function("shift_large");
    let (by, large, mixed) = (10.0_f64, Large { v: [0; 5] }, Mixed { a: 1, b: 0.0 });
    let args: [*const c_void; 3] = [
        (&raw const by).cast(),
        (&raw const large).cast(),
        (&raw const mixed).cast(),
    ];
    let mut result = [Large { v: [-1; 5] }; 2];
    for _ in 0..1000 {
        // SAFETY: declared as it is, with values of the types and room for the result.
        unsafe { shift.call_pointers(&args, (&raw mut result[0]).cast()) }.expect("a call");
    }
    assert_eq!(result, [Large { v: [11; 5] }, Large { v: [-1; 5] }]);

    let turn = function("turn_odd");
    let (given, mut turned) = ([1_u8, 2, 3], [9_u8; 8]);
    for _ in 0..1000 {
        let args = [given.as_ptr().cast()];
        // SAFETY: as above.
        unsafe { turn.call_pointers(&args, turned.as_mut_ptr().cast()) }.expect("a call");
    }
    assert_eq!(turned, [2, 3, 1, 9, 9, 9, 9, 9]);
    // SAFETY: nothing is called.
    let error = unsafe { turn.call_pointers(&[], turned.as_mut_ptr().cast()) };
    assert!(matches!(
        error,
        Err(Error::ArgumentCount {
            wanted: 1,
            got: 0,
            ..
        })
    ));
}

#[test]
fn declared_variables_have_their_types() {
    let c = declarations();
    let library = peer();
    let variable = |name| library.variable_in(&c, name).expect("a variable");
    let own = library
        .variable("long double kept_long")
        .expect("a variable");
    // SAFETY: declared as they are; no other test uses these.
    unsafe {
        let mixed = variable("kept_mixed");
        assert_eq!(
            read::<Mixed>(mixed.get().expect("open")),
            Mixed { a: 5, b: 2.5 }
        );
        mixed.set(bytes(Mixed { a: 6, b: 3.5 })).expect("it fits");
        assert_eq!(
            read::<Mixed>(mixed.get().expect("open")),
            Mixed { a: 6, b: 3.5 }
        );
        mixed.set(bytes(Mixed { a: 5, b: 2.5 })).expect("it fits");
        assert_eq!(own.get().expect("open"), Value::LongDouble(0.25.into()));
        own.set(Value::Double(-4.0)).expect("it fits");
        assert_eq!(
            variable("kept_long").get().expect("open"),
            Value::LongDouble((-4.0).into())
        );
        let numbers = variable("kept_numbers");
        assert_eq!(read::<[i32; 3]>(numbers.get().expect("open")), [1, 2, 3]);
        let flag = variable("kept_bool");
        flag.set(Value::Uint(0)).expect("it fits");
        assert_eq!(flag.get().expect("open"), Value::Uint(0));
        assert_eq!(
            flag.set(Value::Uint(2)).expect_err("no bool").to_string(),
            "variable (_Bool): expected 0 or 1, got 2"
        );
        assert_eq!(
            mixed.set(bytes(1_u8)).expect_err("too small").to_string(),
            "variable (struct mixed): expected a structure of 16 bytes, got structure of 1 bytes"
        );
        let colour = variable("kept_colour").get().expect("open");
        assert_eq!(i32::try_from(colour).ok(), Some(6));
    }
}

#[test]
fn errors_name_function_parameter_and_type() {
    assert_eq!(
        error(
            "scale_mixed",
            &[bytes(Mixed { a: 0, b: 0.0 }), Value::Int(1 << 40)]
        ),
        "scale_mixed: argument 2 (int by): expected -2147483648..=2147483647, got 1099511627776"
    );
    assert_eq!(
        error("scale_mixed", &[Value::Int(1), Value::Int(1)]),
        "scale_mixed: argument 1 (struct mixed m): expected a structure of 16 bytes, got 1"
    );
    assert_eq!(
        error("third", &[Value::Int(1)]),
        "third: argument 1 (long double a): expected a number, got 1"
    );
    assert_eq!(
        error("times", &[bytes(1_u8), Value::Int(1)]),
        "times: argument 1 (__int128 a): expected an integer, got structure of 1 bytes"
    );
    assert_eq!(
        error("next_colour", &[]),
        "next_colour takes 1 argument (enum colour next_colour(enum colour)), got 0"
    );
}

/// The C library's functions by what their manuals say.
#[test]
fn functions_of_the_c_library_are_called_by_their_declarations() {
    let c_library = Library::this().expect("the program itself");
    let function = |declaration| c_library.function(declaration).expect("a function");
    let text = c"0.1 and more";
    let mut end = std::ptr::null_mut::<std::ffi::c_char>();
    // SAFETY: declared as the manuals do.
    unsafe {
        let div = function("struct { int quot, rem; } div(int, int)");
        assert_eq!(
            read::<[i32; 2]>(div.call(&[17.into(), (-5).into()]).expect("a call")),
            [-3, 2]
        );
        let ldiv = function("struct { long quot, rem; } ldiv(long, long)");
        type Long = std::ffi::c_long;
        assert_eq!(
            read::<[Long; 2]>(ldiv.call(&[17.into(), 5.into()]).expect("a call")),
            [3, 2]
        );
        let strtod = function("double strtod(const char *restrict, char **restrict)");
        let number = strtod
            .call(&[text.into(), (&raw mut end).into()])
            .expect("a call");
        assert_eq!(number, Value::Double(0.1));
        assert_eq!(CStr::from_ptr(end), c" and more");
        let length = function("size_t strlen(const char *)").call(&[text.into()]);
        assert_eq!(length.expect("a call"), Value::Uint(12));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn strtold_gives_more_digits_than_strtod() {
    let c_library = Library::this().expect("the program itself");
    let strtold = c_library
        .function("long double strtold(const char *restrict, char **restrict)")
        .expect("a function");
    let null = std::ptr::null::<c_void>();
    // SAFETY: declared as its manual does.
    let tenth = unsafe { strtold.call(&[c"0.1".into(), null.into()]) }.expect("a call");
    let tenth = LongDouble::try_from(tenth).expect("a number");
    assert_eq!(tenth.to_f64(), 0.1);
    assert_ne!(tenth, LongDouble::from(0.1));
}

#[test]
fn prototypes_that_cannot_be_used_are_errors() {
    let of = |text: &str| Signature::declared(text).expect_err("no signature");
    assert_eq!(
        of("struct later f(int)").to_string(),
        "result (struct later): no value can be passed: its size is not known"
    );
    assert!(std::error::Error::source(&of("void f(struct later x)")).is_some());
    assert_eq!(
        of("int").to_string(),
        "declaration: expected a function's prototype, got int"
    );
    let Error::Declaration(text) = of("int f(in)") else {
        panic!("an error in the text")
    };
    assert_eq!((text.line(), text.column()), (Some(1), Some(7)));
    assert!(text.to_string().ends_with("int f(in)\n      ^^"), "{text}");
    let c = declarations();
    let unknown = c.signature("missing").expect_err("no function");
    assert_eq!(
        unknown.to_string(),
        "expected the name of a declared function, got 'missing'"
    );
    let nameless = peer().function("int (int)").expect_err("no name");
    assert_eq!(
        nameless.to_string(),
        "declaration: expected one with the function's name, got int(int)"
    );
    let variadic = Callback::declared("int (int, ...)", |_| Value::Int(0));
    assert_eq!(
        variadic.expect_err("no callback").to_string(),
        "callback: expected a signature without variadic arguments, got int(int, ...)"
    );
    assert!(matches!(
        Function::declared(std::ptr::null(), "int (int)"),
        Err(Error::Null { .. })
    ));
}

#[test]
fn closed_library_refuses_wide_calls() {
    let (library, _path) = common::own_peer();
    let scale = library
        .function_in(&declarations(), "scale_mixed")
        .expect("a function");
    library.close();
    let args = [bytes(Mixed { a: 0, b: 0.0 }), Value::Int(1)];
    // SAFETY: nothing is called.
    let error = unsafe { scale.call(&args) }.expect_err("closed");
    assert_eq!(error.to_string(), "scale_mixed is closed");
}
