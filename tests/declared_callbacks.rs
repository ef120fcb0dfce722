//! Callbacks that are declared in C, called by functions that a C compiler made from the same declarations.

mod common;

use common::declared::{Large, Mixed, bytes, call, declarations, function, read};
use farcall::{Callback, LongDouble, Value};

#[test]
fn callbacks_take_and_return_structures_and_wide_numbers() {
    let c = declarations();
    let shift = Callback::of(&c.signature("make_large *").expect("a signature"), |args| {
        let [mixed, large] = args else { unreachable!() };
        let mixed: Mixed = read(mixed.clone());
        let large: Large = read(large.clone());
        bytes(Large {
            v: large
                .v
                .map(|v| v * i64::from(mixed.a) + (mixed.b * 2.0) as i64),
        })
    })
    .expect("a callback");
    let result = call("call_large", &[(&shift).into(), Value::Int(10)]);
    assert_eq!(
        read::<Large>(result),
        Large {
            v: [72, 8, 15, 22, 29]
        }
    );

    let scale = Callback::of(
        &c.signature("struct mixed (struct mixed, int)")
            .expect("a signature"),
        |args| {
            let [mixed, Value::Int(by)] = args else {
                unreachable!()
            };
            let Mixed { a, b } = read(mixed.clone());
            bytes(Mixed {
                a: a * *by as i8,
                b: b * *by as f64,
            })
        },
    )
    .expect("a callback");
    let result = call(
        "call_mixed",
        &[(&scale).into(), bytes(Mixed { a: 5, b: -0.5 })],
    );
    assert_eq!(read::<Mixed>(result), Mixed { a: 15, b: -1.5 });

    // A third as the compiler rounds it, in the format of its long double.
    let third = if cfg!(target_arch = "x86_64") {
        LongDouble::from_bits(0x3ffd << 112 | 0x2aaa_aaaa_aaaa_aaab << 49)
    } else if cfg!(any(target_vendor = "apple", windows)) {
        LongDouble::from(1.0 / 3.0)
    } else {
        LongDouble::from_bits(0x3ffd_5555_5555_5555_5555_5555_5555_5555)
    };
    let check = Callback::declared("long double (long double, __int128)", move |args| {
        assert_eq!(args[0], Value::LongDouble(third));
        let [Value::LongDouble(a), Value::Int128(b)] = args else {
            unreachable!()
        };
        assert_eq!(*b, i128::MIN);
        Value::LongDouble(*a)
    })
    .expect("a callback");
    let result = call("call_long", &[(&check).into(), i128::MIN.into()]);
    assert_eq!(result, Value::LongDouble(third));

    let not = Callback::declared("_Bool (_Bool)", |args| match args[0] {
        Value::Uint(word @ (0 | 1)) => (word == 0).into(),
        ref other => panic!("{other}"),
    })
    .expect("a callback");
    for given in [true, false] {
        let result = call("call_not", &[(&not).into(), given.into()]);
        assert_eq!(result, Value::from(!given));
    }
}

#[test]
fn value_of_a_callback_that_does_not_fit_is_a_panic_of_the_call() {
    let c = declarations();
    let wrong = |signature: &str, name: &str, args: Vec<Value>, value: Value| {
        let signature = c.signature(signature).expect("a signature");
        let callback = Callback::of(&signature, move |_| value.clone()).expect("a callback");
        let args: Vec<Value> = std::iter::once((&callback).into()).chain(args).collect();
        let function = function(name);
        // SAFETY: declared as it is.
        let call = || unsafe { function.call(&args) };
        let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call));
        let panic = panic.expect_err("a panic");
        panic.downcast_ref::<String>().cloned().expect("a text")
    };
    assert_eq!(
        wrong("make_large *", "call_large", vec![1.into()], bytes(1_u8)),
        "value returned by a callback: result (struct large): expected a structure of 40 bytes, got structure of 1 bytes"
    );
    assert_eq!(
        wrong(
            "_Bool (_Bool)",
            "call_not",
            vec![true.into()],
            Value::Uint(2)
        ),
        "value returned by a callback: result (_Bool): expected 0 or 1, got 2"
    );
}
