//! Calls with Rust types, of functions that a C compiler made.

mod common;

use common::declared::{Mixed, declarations, function};
use common::{func, own_peer, peer};
use farcall::{Arguments, CReturn, CType, Complex, Error, Function, TypedFunction};
use std::ffi::{c_char, c_void};
use std::fmt::Debug;

#[repr(C)]
#[derive(CType, Clone, Copy, Debug, PartialEq)]
struct TypedMixed {
    a: i8,
    b: f64,
}

#[repr(C)]
#[derive(CType, Clone, Copy, Debug, PartialEq)]
struct Floats([f32; 3]);

#[repr(C)]
#[derive(CType, Clone, Copy, Debug, PartialEq)]
struct Odd {
    v: [u8; 3],
}

#[repr(C)]
#[derive(CType, Clone, Copy, Debug, PartialEq)]
struct Large {
    v: [i64; 5],
}

#[repr(transparent)]
#[derive(CType, Clone, Copy, Debug, PartialEq)]
struct Metres(f64);

fn typed<A: Arguments, R: CReturn>(function: &Function) -> TypedFunction<A, R> {
    function.typed().expect("its own types")
}

/// Calls a function of one argument.
fn one<A: CType, R: CReturn>(function: &Function, argument: A) -> R {
    // SAFETY: the functions of peer.c that are called by this use nothing but their argument.
    unsafe { typed::<(A,), R>(function).call((argument,)) }.expect("an open library")
}

#[test]
fn every_scalar_goes_to_c_and_back() {
    fn check<T: CType + PartialEq + Debug>(code: &str, given: T, wanted: T) {
        let function = func(code, &format!("flip_{code}"), code);
        assert_eq!(one::<T, T>(&function, given), wanted, "{code}");
    }
    check("b", -128_i8, 127);
    check("B", 1_u8, 254);
    check("h", i16::MIN, i16::MAX);
    check("H", 0_u16, u16::MAX);
    check("i", -1_i32, 0);
    check("I", 7_u32, !7);
    check("q", i64::MIN, i64::MAX);
    check("Q", 1_u64, !1);
    check("Q", 1_usize, !1);
    check("q", 1_isize, !1);
    check("f", 0.5_f32, -0.5);
    check("d", 1e300, -1e300);
    check("d", Metres(2.5), Metres(-2.5));
    let flip_p = func("p", "flip_p", "p");
    let pointer: *mut c_void = one(&flip_p, 0x1234 as *const u8);
    assert_eq!(pointer.addr(), !0x1234);
    assert!(!one::<bool, bool>(&function("not"), true));
    assert_eq!(one::<i128, u128>(&negate(), -1), 1);
}

/// A function of this program.
fn negate() -> Function {
    extern "C" fn negate(number: i128) -> u128 {
        number.unsigned_abs()
    }
    Function::declared(negate as *const c_void, "unsigned __int128 (__int128)").expect("a function")
}

#[test]
fn structures_and_complex_numbers_go_by_value() {
    let mixed = TypedMixed { a: -3, b: 1.5 };
    let scale = typed::<(TypedMixed, i32), TypedMixed>(&function("scale_mixed"));
    // SAFETY: it uses its arguments alone.
    let scaled = unsafe { scale.call((mixed, 2)) }.expect("an open library");
    assert_eq!(scaled, TypedMixed { a: -6, b: 3.0 });
    let reversed: Floats = one(&function("reverse_floats"), Floats([1.0, 2.0, 3.0]));
    assert_eq!(reversed, Floats([3.0, 2.0, 1.0]));
    let turned: Odd = one(&function("turn_odd"), Odd { v: [1, 2, 3] });
    assert_eq!(turned, Odd { v: [2, 3, 1] });
    let shift = typed::<(f64, Large, TypedMixed), Large>(&function("shift_large"));
    // SAFETY: as above.
    let shifted = unsafe { shift.call((10.0, Large { v: [1, 2, 3, 4, 5] }, mixed)) };
    let shifted = shifted.expect("an open library");
    assert_eq!(
        shifted,
        Large {
            v: [8, 9, 10, 11, 12]
        }
    );
    let turned: Complex = one(&function("times_i"), Complex { re: 1.0, im: 2.0 });
    assert_eq!(turned, Complex { re: -2.0, im: 1.0 });
}

#[test]
fn further_arguments_of_a_variadic_function_go_by_their_types() {
    let c = declarations();
    let weigh = peer().function_in(&c, "weigh_more").expect("a function");
    let in_codes = func("d", "weigh_more", "i.qdq");
    for weigh in [&weigh, &in_codes] {
        let weigh = typed::<(i32, i64, f64, i64), f64>(weigh);
        for _ in 0..3 {
            // SAFETY: three further arguments are announced, of the types that it takes.
            let sum = unsafe { weigh.call((3, 40, 1.5, 2)) };
            assert_eq!(sum.expect("an open library"), 43.5);
        }
    }
    // SAFETY: no further argument is announced.
    let none = unsafe { typed::<(i32,), f64>(&weigh).call((0,)) };
    assert_eq!(none.expect("an open library"), 0.0);
    let error = weigh.typed::<(i32, f32), f64>().expect_err("no such thing");
    assert_eq!(
        error.to_string(),
        "argument 2: expected int, a wider integer or double behind '...', got a type that C promotes"
    );
    assert!(weigh.typed::<(), f64>().is_err());
}

#[test]
fn types_that_are_not_the_functions_are_errors_that_name_both() {
    fn told<A: Arguments, R: CReturn>(function: &Function) -> String {
        match function.typed::<A, R>() {
            Err(error) => error.to_string(),
            Ok(typed) => format!("{typed:?}"),
        }
    }
    let c = "int mix(int count, unsigned long long size, const char *name, struct { int a; double b; } pair)";
    let function = Function::declared(0x1000 as *const c_void, c).expect("a function");
    type Name = *const c_char;
    #[repr(C)]
    #[derive(CType, Clone, Copy)]
    struct Pair {
        a: i32,
        b: f64,
    }
    type Right = (i32, u64, Name, Pair);
    assert!(told::<Right, i32>(&function).starts_with("TypedFunction("));
    assert_eq!(
        told::<(u32, u64, Name, Pair), i32>(&function),
        "mix: argument 1 (int count): expected i32, got u32"
    );
    assert_eq!(
        told::<(i32, u32, Name, Pair), i32>(&function),
        "mix: argument 2 (unsigned long long size): expected u64, got u32"
    );
    assert_eq!(
        told::<(i32, u64, usize, Pair), i32>(&function),
        "mix: argument 3 (const char *name): expected a pointer, got usize"
    );
    assert_eq!(
        told::<(i32, u64, Name, f64), i32>(&function),
        "mix: argument 4 (struct {...} pair): expected a structure of 16 bytes with the same members, got f64"
    );
    assert!(told::<(i32, u64, Name, Large), i32>(&function).contains("typed::Large"));
    assert_eq!(
        told::<Right, ()>(&function),
        "mix: result (int): expected i32, got ()"
    );
    let error = function.typed::<(i32,), i32>().expect_err("one is too few");
    assert!(matches!(
        error,
        Error::ArgumentCount {
            wanted: 4,
            got: 1,
            ..
        }
    ));
    let not = common::declared::function("not");
    assert_eq!(
        told::<(u8,), bool>(&not),
        "not: argument 1 (_Bool a): expected bool, got u8"
    );
    let third = common::declared::function("third");
    assert_eq!(
        told::<(f64,), f64>(&third),
        "third: argument 1 (long double a): expected a Value, as Rust has no such type, got f64"
    );
    let in_codes = func("i", "flip_i", "i");
    assert_eq!(
        told::<(f64,), i32>(&in_codes),
        "flip_i: argument 1: expected i32, got f64"
    );
}

#[test]
fn twelve_arguments_reach_a_function_each_in_its_place() {
    extern "C" fn weigh(
        a: i8,
        b: f64,
        c: u16,
        d: f32,
        e: i64,
        f: f64,
        g: bool,
        h: Mixed,
        i: u64,
        j: f64,
        k: i32,
        l: *const u8,
    ) -> f64 {
        let values = [
            f64::from(a),
            b,
            f64::from(c),
            f64::from(d),
            e as f64,
            f,
            f64::from(g),
            f64::from(h.a) + h.b,
            i as f64,
            j,
            f64::from(k),
            l.addr() as f64,
        ];
        let weighed = values
            .iter()
            .zip(1..)
            .map(|(value, weight)| value * f64::from(weight));
        weighed.sum()
    }
    let c = "double (signed char, double, unsigned short, float, long long, double, _Bool, struct { signed char a; double b; }, \
             unsigned long long, double, int, const void *)";
    type Args = (
        i8,
        f64,
        u16,
        f32,
        i64,
        f64,
        bool,
        TypedMixed,
        u64,
        f64,
        i32,
        *const u8,
    );
    let function = Function::declared(weigh as *const c_void, c).expect("a function");
    let eighth = TypedMixed { a: 7, b: 1.0 };
    let args = (
        1,
        2.0,
        3,
        4.0,
        5,
        6.0,
        true,
        eighth,
        9,
        10.0,
        11,
        12 as *const u8,
    );
    // SAFETY: it is declared as it is, and reads no memory.
    let sum = unsafe { typed::<Args, f64>(&function).call(args) };
    let wanted: i32 = (1..=12).map(|n| if n == 7 { 7 } else { n * n }).sum();
    assert_eq!(sum.expect("no library"), f64::from(wanted));
}

#[test]
fn function_of_a_closed_library_is_refused() {
    let (library, _path) = own_peer();
    let flip = library.func("i", "flip_i", "i").expect("a function");
    let flip = typed::<(i32,), i32>(&flip);
    // SAFETY: it uses its argument alone.
    let call = || unsafe { flip.call((1,)) };
    assert_eq!(call().expect("an open library"), !1);
    library.close();
    assert!(matches!(call(), Err(Error::Closed { .. })));
}

#[cfg(target_os = "linux")]
#[test]
fn all_passes_where_executable_memory_is_refused() {
    if common::policy::is_set() {
        return;
    }
    common::policy::all_pass_without("all_passes_where_executable_memory_is_refused");
}
