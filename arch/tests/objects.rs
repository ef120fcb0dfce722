//! Listings of the code that works on an interpreter's objects, to be read in review; see `golden.rs`.

mod common;

use common::{listing, signature};
use farcall_arch::endpoint::{
    Boxing, CatchModel, ObjectCall, ObjectModel, PointerField, SharedEntries, Unbox,
};
use farcall_arch::{Abi, Signature, Type, emit, plan};

/// An interpreter that never was: addresses that tell in a listing what they are.
fn model() -> ObjectModel {
    let field = |ty, offset| PointerField { ty, offset };
    ObjectModel {
        none: 6,
        float_type: 0x1111_0000_0000,
        float_value: 8,
        buffers: vec![field(0x2222_0000_0000, 24), field(0x2222_0000_0100, 24)],
        functions: vec![field(0x3333_0000_0000, 32)],
        function_target: 16,
        function_library: 32,
        library_open: 8,
        innermost: -64,
        call: 0x4444_0000_0000,
        raise: 0x5555_0000_0000,
        new_float: 0x6666_0000_0000,
        new_object: 0x7777_0000_0000,
        catch: Some(CatchModel {
            state: -56,
            innermost: 40,
            size: 80,
            prev: 0,
            value: 8,
            instruction_pointer: 16,
            stack_pointer: 32,
            saved: [40, 24, 48, 56, 64, 72],
        }),
    }
}

/// Far ahead of the code, at addresses that tell in a listing what they are: backwards from there.
const SHARED: SharedEntries = SharedEntries {
    call: 0x1000_0000,
    leave: 0x2000_0000,
    leave_restoring: 0x2100_0000,
    raise: 0x3000_0000,
    new_object: 0x4000_0000,
    pointer: 0x5000_0000,
    function: 0x6000_0000,
};

/// The conversions that the types suggest: all pointers are pointers.
fn call_of(signature: &Signature) -> ObjectCall {
    let is_float = |ty: &Type| matches!(ty, Type::Scalar(scalar) if scalar.is_float());
    let args = signature.args().iter().map(|ty| match ty {
        ty if is_float(ty) => Unbox::Number,
        ty if *ty == Type::POINTER => Unbox::Pointer,
        _ => Unbox::Int,
    });
    let ret = match signature.ret() {
        Type::Void => Boxing::None,
        ty if is_float(ty) => Boxing::Number,
        ty if *ty == Type::POINTER => Boxing::Uint(5),
        _ => Boxing::Int(1),
    };
    ObjectCall {
        args: args.collect(),
        ret,
    }
}

#[test]
fn call_operations_on_objects_are_as_reviewed() {
    let names = [
        ("nothing", "v()"),
        ("add", "i(ii)"),
        ("pow", "d(dd)"),
        ("floats", "f(fi)"),
        ("pointers", "p(pqp)"),
        ("on-the-stack", "q(7qBfp)"),
    ];
    for (name, text) in names {
        let signature = signature(text);
        let plan = plan(&signature, Abi::SysV64).expect("every scalar has a place");
        let code = emit::call_objects(&plan, &call_of(&signature), &model(), &SHARED);
        let code = code.expect("an emitter for SysV");
        listing::assert_golden(
            Abi::SysV64,
            &format!("objects-{name}"),
            &listing::of(&signature, &code),
        );
    }
}

#[test]
fn callback_entries_on_objects_are_as_reviewed() {
    for (name, text) in [("compare", "i(pp)"), ("mixed", "v(bQq7i)")] {
        let signature = signature(text);
        let plan = plan(&signature, Abi::SysV64).expect("every scalar has a place");
        let is_signed: Vec<bool> = signature
            .args()
            .iter()
            .map(|ty| matches!(ty, Type::Scalar(scalar) if scalar.is_signed()))
            .collect();
        let code = emit::callback_entry_objects(&plan, &model(), &is_signed, 0xaaaa_0000_0000);
        let code = code.expect("an emitter for SysV");
        listing::assert_golden(
            Abi::SysV64,
            &format!("object-callback-{name}"),
            &listing::of(&signature, &code),
        );
    }
}

#[test]
fn shared_code_for_objects_is_as_reviewed() {
    let shared = emit::shared_for_objects(Abi::SysV64, &model()).expect("an emitter for SysV");
    let title = format!("{:?}", shared.entries);
    let listing = listing::of(title, &shared.code);
    listing::assert_golden(Abi::SysV64, "objects-shared", &listing);
}

#[test]
fn conventions_without_an_emitter_for_objects_have_none() {
    for abi in Abi::ALL.into_iter().filter(|abi| *abi != Abi::SysV64) {
        let signature = signature("i(ii)");
        let plan = plan(&signature, abi).expect("every scalar has a place");
        assert_eq!(
            emit::call_objects(&plan, &call_of(&signature), &model(), &SHARED),
            None
        );
        assert_eq!(
            emit::callback_entry_objects(&plan, &model(), &[true, true], 0),
            None
        );
        assert_eq!(emit::shared_for_objects(abi, &model()), None);
    }
}
