//! Which types may go to other threads, and be used by several.

use farcall::{
    Callback, CodeError, Codes, Complex, Constant, DeclarationError, Declarations, EngineError,
    Error, Function, Library, LongDouble, Member, OutOfMemory, Signature, SignatureBuilder,
    StructBytes, Type, TypeKind, TypedFunction, Unpassable, Value, Variable,
};
use std::error::Error as _;

fn is_send_and_sync<T: Send + Sync>() {}

#[test]
fn everything_goes_to_other_threads_and_is_used_by_several() {
    is_send_and_sync::<Callback>();
    is_send_and_sync::<Callback<unsafe extern "C" fn(*mut u8) -> i32>>();
    is_send_and_sync::<CodeError>();
    is_send_and_sync::<Codes>();
    is_send_and_sync::<DeclarationError>();
    is_send_and_sync::<EngineError>();
    is_send_and_sync::<OutOfMemory>();
    is_send_and_sync::<SignatureBuilder>();
    is_send_and_sync::<TypeKind>();
    is_send_and_sync::<TypedFunction<(*mut u8,), i32>>();
    is_send_and_sync::<Unpassable>();
    is_send_and_sync::<Complex>();
    is_send_and_sync::<Constant>();
    is_send_and_sync::<Declarations>();
    is_send_and_sync::<Error>();
    is_send_and_sync::<Function>();
    is_send_and_sync::<Library>();
    is_send_and_sync::<LongDouble>();
    is_send_and_sync::<Member>();
    is_send_and_sync::<Signature>();
    is_send_and_sync::<StructBytes>();
    is_send_and_sync::<Type>();
    is_send_and_sync::<Value>();
    is_send_and_sync::<Variable>();
}

#[test]
fn errors_are_whole_and_tell_their_sources() {
    fn is_error<T: std::error::Error + Send + Sync + 'static>() {}
    is_error::<CodeError>();
    is_error::<DeclarationError>();
    is_error::<EngineError>();
    is_error::<Error>();
    is_error::<OutOfMemory>();
    is_error::<Unpassable>();
    let error = Signature::declared("void (struct later)").expect_err("no size");
    let source = error.source().map(ToString::to_string);
    assert_eq!(source.as_deref(), Some("its size is not known"));
    let refused = std::io::Error::from_raw_os_error(1);
    let words = refused.to_string();
    let error = Error::from(EngineError::ExecutableMemory(refused));
    let source = error.source().map(ToString::to_string);
    assert_eq!(source, Some(words));
}
