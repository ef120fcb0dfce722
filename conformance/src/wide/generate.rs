//! Seed and index to signature.

use super::layout::Layout;
use super::{Member, Signature, Ty};
use crate::codes::{Case, Code, VALUES, VOID};
use crate::rng::Rng;
use crate::target::{Form, Target};
use farcall_arch::Abi;
use farcall_arch::abi::Dialect;

/// The most arguments.
const MAX_ARGS: usize = 14;

/// The most bytes of a structure where the C side has a library to copy it with, and where not.
const MAX_BYTES: [usize; 2] = [400, 64];

/// clang 14 passes a structure of one `__float128` in memory, gcc and clang 19 in a register.
const NOT_IN_STRUCTURES: &str = "g";

/// Arguments before which there are registers for a 128-bit integer, whatever they are.
const EARLY: usize = 2;

/// An integer that finds one register left where it needs two leaves that one to the next argument with gcc, as the psABI
/// says (3.2.3), but takes it with clang (19.1; 14 even uses it). In a structure it is passed alike by both.
fn wrap_int128(ty: &mut Ty) {
    if let Ty::Number('o' | 'O') = ty {
        let count = None;
        *ty = Ty::Struct(vec![Member {
            ty: ty.clone(),
            count,
        }]);
    }
}

/// The first `count` cases of a seed, such as C can write for `target`.
pub fn cases(seed: u64, count: u64, target: &Target) -> Vec<Case> {
    (0..count).map(|index| case(seed, index, target)).collect()
}

/// One case of a seed.
pub fn case(seed: u64, index: u64, target: &Target) -> Case {
    let mut rng = Rng::new(&[seed, index, u64::from(b'W')]);
    let mut maker = Maker {
        rng: &mut rng,
        target,
    };
    let count = match maker.rng.below(4) {
        0 => maker.rng.below(4),
        1 | 2 => maker.rng.below(9),
        _ => maker.rng.below(MAX_ARGS + 1),
    };
    let mut args: Vec<Ty> = (0..count).map(|_| maker.any()).collect();
    if target.abi == Abi::SysV64 {
        for ty in args.iter_mut().skip(EARLY) {
            wrap_int128(ty);
        }
    }
    let ret = (maker.rng.below(10) > 0).then(|| maker.any());
    let mut fixed = None;
    if target.has_wide_variadics && count > 0 && rng.below(5) == 0 {
        let named = 1 + rng.below(count);
        for ty in &mut args[named..] {
            promote(ty);
        }
        if target.abi == Abi::Aapcs64(Dialect::Windows) {
            args.iter_mut().for_each(|ty| shun_pairs(ty, target));
        }
        fixed = Some(named);
    }
    Case {
        index,
        ret: &VOID,
        args: Vec::new(),
        fixed,
        wide_return: false,
        wide_args: false,
        wide: Some(Signature { ret, args }),
    }
}

/// Of two words in a call of a variadic Windows function clang 19.1 reads one in `x7` and one on the stack, and passes both there;
/// and it passes 128-bit integers at an even word, and reads them at any.
fn shun_pairs(ty: &mut Ty, target: &Target) {
    if (9..=16).contains(&Layout::of(ty, target).bytes.len()) {
        *ty = Ty::Number('q');
    }
}

/// A type as C passes it behind a `...`, and as clang 14 knows it there: it takes something else for a `__float128`, and passes
/// complex `float`s in a structure on the stack where it does not look for them (19.1 does both right).
fn promote(ty: &mut Ty) {
    let text = ty.to_string();
    if *ty == Ty::Number('g') || text.contains('{') && text.contains('F') {
        *ty = Ty::Number('D');
    }
    if let Ty::Number(letter) = ty
        && let Some(code) = Code::of(*letter)
    {
        *letter = code.promoted().letter;
    }
}

struct Maker<'a> {
    rng: &'a mut Rng,
    target: &'a Target,
}

impl Maker<'_> {
    fn any(&mut self) -> Ty {
        match self.rng.below(10) {
            0..3 => Ty::Number(VALUES[self.rng.below(VALUES.len())].letter),
            3 | 4 => self.wide_number(""),
            _ => self.small_enough(),
        }
    }

    fn wide_number(&mut self, without: &str) -> Ty {
        let letters = self.target.wide_letters.chars();
        let letters: Vec<char> = letters
            .filter(|letter| !without.contains(*letter))
            .collect();
        Ty::Number(self.rng.pick(&letters))
    }

    fn small_enough(&mut self) -> Ty {
        let most = match (self.target.form, self.target.extension) {
            (Form::Shared, "so") => MAX_BYTES[0],
            _ => MAX_BYTES[1],
        };
        loop {
            let made = self.structure(2);
            if Layout::of(&made, self.target).bytes.len() <= most {
                return made;
            }
        }
    }

    /// Of the kinds that conventions tell apart: few numbers of one type, bytes, a mixture; nested or not; rarely large.
    fn structure(&mut self, depth: u32) -> Ty {
        let members = match self.rng.below(10) {
            0..3 => {
                let ty = Ty::Number(self.rng.pick(&['f', 'd', 'f', 'd', 'i', 'q', 'h']));
                let count = 1 + self.rng.below(5);
                return self.repeated(ty, count);
            }
            3 | 4 => {
                let count = 1 + self.rng.below(25);
                return self.repeated(Ty::Number('B'), count);
            }
            5 if self.rng.below(6) == 0 => {
                let count = 20 + self.rng.below(80);
                return self.repeated(Ty::Number('i'), count);
            }
            6 => {
                let ty = self.wide_number(NOT_IN_STRUCTURES);
                let count = 1 + self.rng.below(4);
                return self.repeated(ty, count);
            }
            7 | 8 if depth > 0 => (0..1 + self.rng.below(3))
                .map(|_| self.structure(depth - 1))
                .collect(),
            _ => (0..1 + self.rng.below(4))
                .map(|_| self.number())
                .collect::<Vec<_>>(),
        };
        Ty::Struct(
            members
                .into_iter()
                .map(|ty| Member { ty, count: None })
                .collect(),
        )
    }

    fn number(&mut self) -> Ty {
        match self.rng.below(8) {
            0 => self.wide_number(NOT_IN_STRUCTURES),
            _ => Ty::Number(VALUES[self.rng.below(VALUES.len())].letter),
        }
    }

    /// As an array or as so many members.
    fn repeated(&mut self, ty: Ty, count: usize) -> Ty {
        let members = if self.rng.coin() || count > 8 {
            let count = Some(count as u32);
            vec![Member { ty, count }]
        } else {
            vec![Member { ty, count: None }; count]
        };
        Ty::Struct(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::ALL;

    #[test]
    fn a_few_hundred_cases_have_every_kind_in_every_role() {
        for target in ALL {
            let cases = cases(1, 400, target);
            let signatures: Vec<&Signature> = cases.iter().flat_map(|case| &case.wide).collect();
            for letter in target.wide_letters.chars() {
                let number = Some(Ty::Number(letter));
                assert!(signatures.iter().any(|s| s.ret == number), "{letter}");
                assert!(
                    signatures
                        .iter()
                        .any(|s| s.args.contains(&Ty::Number(letter)))
                );
            }
            for size in 1..=17 {
                let has = |ty: &Ty| Layout::of(ty, target).bytes.len() == size;
                assert!(signatures.iter().any(|s| s.args.iter().any(has)), "{size}");
            }
            let is_variadic = cases.iter().any(|case| case.fixed.is_some());
            assert_eq!(is_variadic, target.has_wide_variadics);
        }
    }
}
