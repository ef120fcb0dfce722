//! Which types may go to other threads, and be used by several.

use farcall::{
    Callback, Complex, Constant, Declarations, Error, Function, Library, LongDouble, Member,
    Signature, StructBytes, Type, Value, Variable,
};

fn is_send_and_sync<T: Send + Sync>() {}

#[test]
fn everything_goes_to_other_threads_and_is_used_by_several() {
    is_send_and_sync::<Callback>();
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
