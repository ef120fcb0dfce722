//! What compilers get wrong, or differently from one another: signatures with such types are not made, or are not judged by
//! the compiler at fault. What is wrong on all of a target stands in [`crate::target`].

use crate::cases::Case;
use crate::layout::Layout;
use crate::target::Target;
use crate::types::{Member, Ty};
use farcall_arch::Abi;
use farcall_arch::abi::Dialect;

/// clang 14 passes a structure of one `__float128` in memory, gcc and clang 19 in a register.
pub const NOT_IN_STRUCTURES: &str = "g";

/// Arguments before which there are registers for a 128-bit integer, whatever they are.
const EARLY: usize = 2;

/// The case with other types in place of those that compilers do not agree on.
pub fn shun(mut case: Case, target: &Target) -> Case {
    if target.abi == Abi::SysV64 {
        case.args.iter_mut().skip(EARLY).for_each(wrap_int128);
    }
    if let Some(fixed) = case.fixed {
        case.args[fixed..].iter_mut().for_each(shun_unnamed);
        if target.abi == Abi::Aapcs64(Dialect::Windows) {
            case.args.iter_mut().for_each(|ty| shun_pairs(ty, target));
        }
    }
    case
}

/// An integer that finds one register left where it needs two leaves that one to the next argument with gcc, as the psABI
/// says (3.2.3), but takes it with clang (19.1; 14 even uses it). In a structure it is passed alike by both.
fn wrap_int128(ty: &mut Ty) {
    if [Ty::of('o'), Ty::of('O')].contains(ty) {
        let member = Member {
            ty: ty.clone(),
            count: None,
        };
        *ty = Ty::Struct(vec![member]);
    }
}

/// Behind a `...` clang 14 takes something else for a `__float128`, and passes complex `float`s in a structure on the stack
/// where it does not look for them (19.1 does both right).
fn shun_unnamed(ty: &mut Ty) {
    let has_pair = matches!(ty, Ty::Struct(_)) && ty.has('F');
    if *ty == Ty::of('g') || has_pair {
        *ty = Ty::of('D');
    }
}

/// Of two words in a call of a variadic Windows function clang 19.1 reads one in `x7` and one on the stack, and passes both there;
/// and it passes 128-bit integers at an even word, and reads them at any.
fn shun_pairs(ty: &mut Ty, target: &Target) {
    if (9..=16).contains(&Layout::of(ty, target).bytes.len()) {
        *ty = Ty::of('q');
    }
}
