//! Callbacks, judged by C functions that call them.

mod common;

use common::{call, func};
use farcall::{Callback, CodeError, Error, Function, Value};
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

fn int(value: &Value) -> i64 {
    match value {
        Value::Int(value) => *value,
        other => panic!("an int was due, got {other}"),
    }
}

#[test]
fn argument_and_result_of_a_callback_pass_with_their_types() {
    let cases: [(&str, Value, Value); 6] = [
        ("i", Value::Int(-7), Value::Int(i32::MIN.into())),
        ("b", Value::Int(-128), Value::Int(127)),
        ("H", Value::Uint(65535), Value::Uint(40000)),
        ("f", Value::Float(0.1), Value::Float(-3.5)),
        ("d", Value::Double(-0.0), Value::Double(1e-300)),
        (
            "p",
            Value::Pointer(0x1234 as *mut _),
            Value::Pointer(!0_usize as *mut _),
        ),
    ];
    for (code, given, returned) in cases {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (inner, result) = (seen.clone(), returned.clone());
        let callback = Callback::with_codes(code, code, move |args| {
            inner.lock().expect("no panic").extend_from_slice(args);
            result.clone()
        });
        let callback = callback.expect("a callback");
        let got = call(
            code,
            &format!("call_{code}"),
            &format!("C{code}"),
            &[callback.code().into(), given.clone()],
        );
        assert_eq!(
            (got, &seen.lock().expect("no panic")[..]),
            (returned, &[given][..]),
            "{code}"
        );
    }
}

#[test]
fn narrow_arguments_with_dirty_upper_bits_are_extended_by_their_type() {
    let sum = Callback::with_codes("q", "bH", |args| match args {
        [Value::Int(a), Value::Uint(b)] => Value::Int(a * 100_000 + *b as i64),
        _ => panic!("a char and an unsigned short were due"),
    })
    .expect("a callback");
    let values = [
        sum.code().into(),
        Value::Uint(0xffff_ffff_ffff_ff80),
        Value::Uint(0x1234_5678_9abc_def0),
    ];
    assert_eq!(
        call("q", "call_dirty", "CQQ", &values),
        Value::Int(-128 * 100_000 + 0xdef0)
    );
}

#[test]
fn forty_eight_mixed_arguments_reach_a_callback_each_in_its_place() {
    let codes = format!("{}{}", "id".repeat(20), "f".repeat(8));
    let weigh = Callback::with_codes("d", &codes, |args| {
        let weighed = args.iter().enumerate().map(|(index, value)| {
            let value = match value {
                Value::Int(value) => *value as f64,
                Value::Double(value) => *value,
                Value::Float(value) => (*value).into(),
                other => panic!("a number was due, got {other}"),
            };
            (index + 1) as f64 * value
        });
        Value::Double(weighed.sum())
    })
    .expect("a callback");
    let expected: i64 = (1..=48).map(|n| n * n).sum();
    assert_eq!(
        call("d", "call_weigher", "C", &[weigh.code().into()]),
        Value::Double(expected as f64)
    );
}

#[test]
fn callback_without_arguments_or_result_is_called() {
    let times = Arc::new(AtomicUsize::new(0));
    let inner = times.clone();
    let callback = Callback::with_codes("v", "", move |args| {
        assert!(args.is_empty());
        inner.fetch_add(1, Ordering::Relaxed);
        Value::Void
    });
    call(
        "v",
        "call_v",
        "C",
        &[callback.expect("a callback").code().into()],
    );
    assert_eq!(times.load(Ordering::Relaxed), 1);
}

#[test]
fn callbacks_and_calls_nest() {
    static FIB: OnceLock<Function> = OnceLock::new();
    static SELF: OnceLock<Callback> = OnceLock::new();
    FIB.set(func("i", "fib", "iC")).expect("set once");
    let callback = Callback::with_codes("i", "i", |args| {
        let (fib, me) = (FIB.get().expect("set"), SELF.get().expect("set"));
        // SAFETY: declared as it is; the callback lives for good.
        unsafe { fib.call(&[args[0].clone(), me.code().into()]) }.expect("a call that fits")
    });
    let me = SELF.get_or_init(|| callback.expect("a callback"));
    assert_eq!(
        call("i", "fib", "iC", &[Value::Int(15), me.code().into()]),
        Value::Int(610)
    );
}

#[test]
fn panic_gives_c_zero_stops_further_callbacks_and_goes_on_at_the_call() {
    let runs = Arc::new(AtomicUsize::new(0));
    let inner = runs.clone();
    let callback = Callback::with_codes("i", "i", move |args| {
        inner.fetch_add(1, Ordering::Relaxed);
        if int(&args[0]) == 3 {
            panic!("at three");
        }
        args[0].clone()
    })
    .expect("a callback");
    let call_times = func("i", "call_times", "Ci");
    let args = [callback.code().into(), Value::Int(10)];
    // SAFETY: declared as it is.
    let run = panic::catch_unwind(AssertUnwindSafe(|| unsafe { call_times.call(&args) }));
    let message = *run
        .expect_err("the panic")
        .downcast::<&str>()
        .expect("its message");
    assert_eq!((message, runs.load(Ordering::Relaxed)), ("at three", 4));
    // SAFETY: declared as it is. The panic is over: a new call is as good as ever.
    let sum = unsafe { call_times.call(&[callback.code().into(), Value::Int(3)]) };
    assert_eq!(sum.expect("three ints"), Value::Int(3));
}

#[test]
fn value_of_the_wrong_kind_from_a_closure_panics_at_the_call() {
    let callback = Callback::with_codes("i", "i", |_| Value::Double(1.0)).expect("a callback");
    let args = [callback.code().into(), Value::Int(1)];
    let call_i = func("i", "call_i", "Ci");
    // SAFETY: declared as it is.
    let run = panic::catch_unwind(AssertUnwindSafe(|| unsafe { call_i.call(&args) }));
    let message = *run
        .expect_err("the panic")
        .downcast::<String>()
        .expect("its message");
    assert_eq!(
        message,
        "value returned by a callback: result: expected 'i' (a signed integer), got double 1"
    );
}

#[test]
fn callback_may_be_closed_while_it_runs() {
    let slot: Arc<Mutex<Option<Callback>>> = Arc::default();
    let inner = slot.clone();
    let total = Arc::new(AtomicI64::new(0));
    let shared = total.clone();
    let callback = Callback::with_codes("i", "i", move |args| {
        drop(inner.lock().expect("no panic").take());
        shared.fetch_add(int(&args[0]) + 1, Ordering::Relaxed);
        Value::Int(100)
    })
    .expect("a callback");
    let code = callback.code();
    *slot.lock().expect("no panic") = Some(callback);
    // The first call closes it and still returns; the others find it closed, are reported, and return zero.
    assert_eq!(
        call("i", "call_times", "Ci", &[code.into(), Value::Int(5)]),
        Value::Int(100)
    );
    assert_eq!(total.load(Ordering::Relaxed), 1);
}

#[test]
fn closed_callback_returns_zero_of_any_type() {
    let callback = Callback::with_codes("d", "d", |_| Value::Double(9.0)).expect("a callback");
    let code = callback.code();
    assert_eq!(
        call("d", "call_d", "Cd", &[code.into(), Value::Double(1.0)]),
        Value::Double(9.0)
    );
    callback.close();
    assert_eq!(
        call("d", "call_d", "Cd", &[code.into(), Value::Double(1.0)]),
        Value::Double(0.0)
    );
    assert_eq!(
        call("i", "call_i", "Ci", &[code.into(), Value::Int(1)]),
        Value::Int(0)
    );
}

#[test]
fn callback_runs_on_a_thread_of_cs_own() {
    let callback = Callback::with_codes("i", "i", |args| args[0].clone()).expect("a callback");
    let args = [callback.code().into(), Value::Int(100)];
    assert_eq!(
        call("i", "call_times_on_thread", "Ci", &args),
        Value::Int(4950)
    );
}

#[test]
fn function_pointer_is_an_address_as_an_argument_of_a_callback() {
    let callback = Callback::with_codes("C", "C", |args| args[0].clone()).expect("a callback");
    let address = callback.code().cast_mut();
    let args = [callback.code().into(), Value::Pointer(address)];
    assert_eq!(call("C", "call_p", "CC", &args), Value::Pointer(address));
}

#[test]
fn void_among_the_arguments_of_a_callback_is_an_error() {
    let error = Callback::with_codes("v", "iv", |_| Value::Void).expect_err("no type");
    assert_eq!(
        error.to_string(),
        "argument 2: 'v' is no type for an argument"
    );
    assert!(matches!(
        error,
        Error::Codes(CodeError::MisplacedCode { .. })
    ));
}

#[test]
fn slots_reach_a_closure_unboxed() {
    let callback = Callback::with_slots("q", "bd", |slots, result| {
        assert_eq!(*result, 0);
        *result = slots[0].wrapping_add(f64::from_bits(slots[1]) as u64);
    })
    .expect("a callback");
    let function = Function::at(callback.code(), "q", "bd").expect("a function");
    // SAFETY: the function is the callback above.
    let sum = unsafe { function.call(&[Value::Int(-2), Value::Double(44.0)]) };
    assert_eq!(sum.expect("two numbers"), Value::Int(42));
}

#[test]
fn unwinder_walks_from_a_callback_through_c_to_the_caller() {
    #[inline(never)]
    fn caller_of_the_trampoline(callback: &Callback) {
        call(
            "i",
            "call_times",
            "Ci",
            &[callback.code().into(), Value::Int(1)],
        );
    }
    let trace = Arc::new(Mutex::new(String::new()));
    let inner = trace.clone();
    let callback = Callback::with_codes("i", "i", move |args| {
        *inner.lock().expect("no panic") = std::backtrace::Backtrace::force_capture().to_string();
        args[0].clone()
    });
    caller_of_the_trampoline(&callback.expect("a callback"));
    let trace = trace.lock().expect("no panic");
    let frame = |name: &str| {
        trace
            .find(name)
            .unwrap_or_else(|| panic!("no frame of {name} in\n{trace}"))
    };
    assert!(
        frame("run_closure") < frame("call_times")
            && frame("call_times") < frame("caller_of_the_trampoline")
    );
}

#[test]
fn library_closed_inside_its_own_callback_stays_until_the_call_is_over() {
    let library = common::peer();
    let call_times = library.func("i", "call_times", "Ci").expect("a function");
    let callback = Callback::with_codes("i", "i", move |args| {
        library.close();
        args[0].clone()
    })
    .expect("a callback");
    let args = [callback.code().into(), Value::Int(4)];
    // SAFETY: declared as it is.
    let (first, second) = unsafe { (call_times.call(&args), call_times.call(&args)) };
    assert_eq!(first.expect("open when it began"), Value::Int(6));
    assert!(matches!(second, Err(Error::Closed { .. })));
}

#[cfg(target_os = "linux")]
#[test]
fn all_passes_where_executable_memory_is_refused() {
    common::policy::all_pass_without("all_passes_where_executable_memory_is_refused");
}
