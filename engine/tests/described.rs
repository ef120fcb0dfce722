//! An interpreter whose model is told when it is wanted first.

#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod model;

use farcall_arch::endpoint::{Boxing, ObjectCall, Unbox};
use farcall_arch::{Shared, Signature, Type};
use farcall_engine::{
    Compiled, Conversion, Direction, Endpoint, Served, compile, describe_objects,
    describe_objects_by, generates_code, set_object_model,
};
use std::sync::atomic::{AtomicUsize, Ordering};

static ASKED: AtomicUsize = AtomicUsize::new(0);

/// Describes an interpreter that does not exist, but has no memory for that at first.
unsafe extern "C" fn describe() -> bool {
    // SAFETY: nothing is called by what this says.
    ASKED.fetch_add(1, Ordering::Relaxed) > 0
        && unsafe { set_object_model(model::of_no_interpreter()) }.is_ok()
}

fn function_of(args: usize) -> Shared<Compiled> {
    let signature = Signature::new(Type::I32, vec![Type::I32; args]).expect("a signature");
    let args = vec![Unbox::Int; args];
    let ret = Boxing::Int(1);
    let conversion = Conversion::Call(ObjectCall { args, ret });
    compile(signature, Some(conversion)).expect("a plan")
}

#[test]
fn model_is_asked_for_when_code_is_made_and_again_where_there_was_no_memory() {
    // SAFETY: it may be called by any thread.
    unsafe { describe_objects_by(describe) };
    let asked = || ASKED.load(Ordering::Relaxed);
    let [one, other] = [1, 2].map(function_of);
    assert_eq!(asked(), 0, "no code is wanted yet");
    let make = |function: &Compiled| function.serve_with_code(Direction::Call, Endpoint::Objects);
    if !generates_code() {
        let served = make(&one);
        let is_plan = matches!(served, Served::Plan | Served::PlanForGood);
        assert!(is_plan, "{served:?} where no code can be made");
        return;
    }
    assert_eq!(make(&one), Served::Plan, "later there may be memory");
    assert!(matches!(make(&one), Served::Code(_)));
    assert_eq!(asked(), 2);
    assert!(matches!(make(&other), Served::Code(_)));
    describe_objects().expect("it is known");
    // SAFETY: as above.
    unsafe { describe_objects_by(describe) };
    describe_objects().expect("it is known");
    assert_eq!(asked(), 2, "what is known is not asked for");
}
