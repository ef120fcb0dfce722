//! Types that compilers get wrong, or differently from one another. The test makes no signatures with them ([`shun`]), or does not let the
//! compiler at fault judge them ([`misjudges`]). Faults that concern a whole target stand in [`crate::target`].

use crate::cases::Case;
use crate::layout::Layout;
use crate::record::Declared;
use crate::target::{Model, Target};
use crate::types::{Member, Ty};
use farcall_arch::Abi;
use farcall_arch::abi::Dialect;

/// clang 14 passes a structure of one `__float128` in memory, gcc and clang 19 in a register.
pub const NOT_IN_STRUCTURES: &str = "g";

/// Arguments before which there are registers for a 128-bit integer, whatever they are.
const EARLY: usize = 2;

/// Replaces the types that compilers do not agree on.
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

/// Behind a `...` clang 14 reads something else as a `__float128`, and passes complex `float`s in a structure on the stack at one place
/// and looks for them at another (19.1 does both right).
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

/// Whether a bit-field has attributes of its own. clang 14 places those that ask for an alignment elsewhere than GCC, which farcall follows.
fn has_bit_field_with_attribute(declared: &Declared) -> bool {
    let texts = declared.text.types.split(" __attribute__");
    let ends: Vec<&str> = texts.collect();
    let is_width = |text: &&str| {
        let number = text.trim_end_matches(|digit: char| digit.is_ascii_digit());
        number.len() < text.len() && number.ends_with(" : ")
    };
    let (_, before) = ends.split_last().unwrap_or((&"", &[]));
    before.iter().any(is_width)
}

/// Vector registers for arguments under System V.
const VECTOR_REGISTERS: usize = 8;

/// Whether the compiler of `config`, `clang -O2`, is known to be wrong about a case.
///
/// clang 14 passes a `__float128` in a vector register, and does not count that. So it still sees registers free when none is,
/// and then splits an argument of two words between a register and the stack, or takes the integer half of it from a
/// register (the psABI, 3.2.3: if there is no register for any eightbyte of an argument, the whole is passed on the stack),
/// and aligns a pair of `float`s on the stack as a vector. Behind a `double` in its place it does all this right.
pub fn misjudges(config: &str, case: &Case, target: &Target) -> bool {
    if !config.contains("clang") {
        return false;
    }
    if let Some(declared) = &case.declared {
        // On Windows it places some in packed structures and in unions elsewhere than MinGW's GCC, too.
        let has_bit_field = declared.text.types.contains(" : ");
        let is_windows = target.model == Model::Llp64;
        return has_bit_field && is_windows || has_bit_field_with_attribute(declared);
    }
    if target.abi != Abi::SysV64 {
        return false;
    }
    let (mut taken, mut has_quad) = (0, false);
    case.args.iter().any(|ty| {
        let wanted = vector_words(ty, target);
        let is_one_number = ty.word().is_some() || *ty == Ty::of('g');
        let lacks = wanted > 0 && taken + wanted > VECTOR_REGISTERS;
        taken += wanted;
        has_quad |= *ty == Ty::of('g');
        has_quad && lacks && !is_one_number
    })
}

/// The number of vector registers that an argument may take under System V.
fn vector_words(ty: &Ty, target: &Target) -> usize {
    let words = Layout::of(ty, target).bytes.len().div_ceil(8);
    let has_float = "fdFD".chars().any(|letter| ty.has(letter));
    match words {
        _ if *ty == Ty::of('g') => 1,
        1 | 2 if has_float => words,
        // In integer registers, on the x87's stack, or, if larger, in memory.
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Text;
    use crate::target::ALL;

    #[test]
    fn clang_is_not_asked_where_bit_fields_are_passed_or_lie_otherwise() {
        for (types, is_wrong) in [
            (
                "struct s { int a : 3 __attribute__((aligned(2))); };",
                [Some(true), Some(true), None],
            ),
            (
                "struct s { int a : 3; } __attribute__((aligned(2)));",
                [Some(false), Some(false), Some(true)],
            ),
            (
                "struct s { int a __attribute__((aligned(2))); };",
                [Some(false); 3],
            ),
            (
                "struct s { int a; int : 0; float b; };",
                [Some(false), Some(false), Some(true)],
            ),
        ] {
            for (target, is_wrong) in [ALL[0], ALL[1], ALL[2]].into_iter().zip(is_wrong) {
                let text = Text {
                    types: types.to_owned(),
                    prototype: "void callee_0(struct s a0)".to_owned(),
                    more: String::new(),
                };
                let case = Case::declared(0, text, target).expect("C");
                // Some are not passed at all.
                let Some(is_wrong) = is_wrong else {
                    assert!(case.is_err(), "{types}");
                    continue;
                };
                let case = case.expect("values");
                assert_eq!(misjudges("clang -O2", &case, target), is_wrong, "{types}");
                assert!(!misjudges("gcc -O2", &case, target));
            }
        }
    }

    #[test]
    fn clang_is_not_asked_what_it_finds_behind_a_quad_where_vector_registers_run_out() {
        for (args, is_wrong) in [
            ("ggfD{FF}{D}", true),
            ("gdddddd{D}", true),
            ("gddddddd{dq}", true),
            ("gddddddd{ff}", true),
            ("ddddddd{D}", false),
            ("gddddd{D}", false),
            ("gddddddddd", false),
            ("gddddddd{qq}", false),
            ("gddddddd{dqd}", false),
            ("ddddddd{D}g", false),
        ] {
            let case = Case::parse(0, "v", args).expect("a case");
            assert_eq!(misjudges("clang -O2", &case, ALL[0]), is_wrong, "{args}");
            assert!(!misjudges("gcc -O2", &case, ALL[0]));
        }
    }
}
