//! What a user of the crate called libffi does: calls and closures of its three levels.

use libffi::high::{ClosureMut1, Closure2, Closure4};
use libffi::middle::{Cif, Closure, CodePtr, Type, arg};
use std::ffi::c_void;

#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq)]
struct Pair {
    first: i8,
    second: f64,
}

extern "C" fn swap(pair: Pair, by: i32) -> Pair {
    Pair {
        first: pair.second as i8,
        second: f64::from(pair.first) * f64::from(by),
    }
}

extern "C" fn narrow(a: i8, b: u16) -> i16 {
    i16::from(a) - b as i16
}

fn pair() -> Type {
    Type::structure([Type::i8(), Type::f64()])
}

#[test]
fn functions_take_and_return_structures_and_narrow_integers() {
    let cif = Cif::new([pair(), Type::i32()], pair());
    let given = Pair {
        first: -3,
        second: 7.5,
    };
    // More often than signatures do without code.
    for by in 0..2000 {
        // SAFETY: it is such a function.
        let got: Pair = unsafe { cif.call(CodePtr(swap as *mut c_void), &[arg(&given), arg(&by)]) };
        let second = -3.0 * f64::from(by);
        assert_eq!(got, Pair { first: 7, second });
    }
    let cif = Cif::new([Type::i8(), Type::u16()], Type::i16());
    // SAFETY: as above.
    let got: i16 = unsafe { cif.call(CodePtr(narrow as *mut c_void), &[arg(&-128_i8), arg(&100_u16)]) };
    assert_eq!(got, -228);
}

#[test]
fn typed_closures_are_called_by_c() {
    let by = 3;
    let scaled = |a: i32, b: f64| f64::from(a) * b * f64::from(by);
    let closure = Closure2::new(&scaled);
    let mixed = |a: f32, b: i64, c: u8, d: f64| f64::from(a) + b as f64 + f64::from(c) + d;
    let many = Closure4::new(&mixed);
    for n in 0..2000 {
        assert_eq!(closure.code_ptr().call(n, 0.5), 1.5 * f64::from(n));
        assert_eq!(many.code_ptr().call(0.5, i64::from(n), 255, 0.25), 255.75 + f64::from(n));
    }
    let mut sum = 0_u64;
    let mut add = |n: u64| {
        sum += n;
        sum
    };
    let closure = ClosureMut1::new(&mut add);
    assert_eq!(closure.code_ptr().call(40), 40);
    assert_eq!(closure.code_ptr().call(2), 42);
}

#[test]
fn closures_of_cifs_take_structures() {
    unsafe extern "C" fn run(_: &libffi::low::ffi_cif, result: &mut Pair, args: *const *const c_void, by: &i32) {
        // SAFETY: the cif has one argument, a pair.
        let given = unsafe { *(*args).cast::<Pair>() };
        *result = swap(given, *by);
    }
    let by = 2;
    let cif = Cif::new([pair()], pair());
    let closure = Closure::new(cif, run, &by);
    // SAFETY: the closure is of that type.
    let code: &extern "C" fn(Pair) -> Pair = unsafe { closure.instantiate_code_ptr() };
    let given = Pair {
        first: 5,
        second: 1.0,
    };
    let wanted = Pair {
        first: 1,
        second: 10.0,
    };
    assert_eq!(code(given), wanted);
}
