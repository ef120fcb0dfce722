//! Makes a signature from seed and index. Each index has a random stream of its own, so one case can be made again without the others.

use crate::cases::{Case, Draw, MAX_ARGS};
use crate::codes::{Code, WORDS};
use crate::declare;
use crate::divergence;
use crate::layout::Layout;
use crate::rng::Rng;
use crate::target::{Form, Target};
use crate::types::{Member, Ty};

/// The most arguments of a variadic function that have names, and of a signature with wide types.
const MAX_FIXED: usize = 9;
const MAX_WIDE_ARGS: usize = 14;

/// The most bytes of a structure: where the C side has a library to copy it with, and where it has none.
const MAX_BYTES: [usize; 2] = [400, 64];

/// The first `count` cases of a seed, of types that C has on `target`.
pub fn cases(draw: Draw, seed: u64, count: u64, target: &Target) -> Vec<Case> {
    let indices = 0..count;
    indices
        .map(|index| case(draw, seed, index, target))
        .collect()
}

/// One case of a seed.
pub fn case(draw: Draw, seed: u64, index: u64, target: &Target) -> Case {
    let case = match draw {
        Draw::Words => words(seed, index, target),
        Draw::Wide => wide(seed, index, target),
        Draw::Declared => return declare::case(seed, index, target).0,
    };
    divergence::shun(case, target)
}

fn words(seed: u64, index: u64, target: &Target) -> Case {
    let mut rng = Rng::new(&[seed, index, u64::from(b'S')]);
    let flavour = Flavour::random(&mut rng);
    let count = arg_count(&mut rng);
    let args = (0..count).map(|_| Ty::Number(flavour.code(&mut rng)));
    let mut case = Case {
        index,
        args: args.collect(),
        ret: WORDS.get(rng.below(WORDS.len() + 1)).map(Ty::Number),
        wide_return: rng.coin(),
        wide_args: rng.coin(),
        fixed: None,
        declared: None,
    };
    if target.va_list.is_some() && count > 0 && rng.below(6) == 0 {
        variadic(&mut case, 1 + rng.below(MAX_FIXED.min(count)));
    }
    case
}

fn wide(seed: u64, index: u64, target: &Target) -> Case {
    let mut rng = Rng::new(&[seed, index, u64::from(b'W')]);
    let mut maker = Maker {
        rng: &mut rng,
        target,
    };
    let count = match maker.rng.below(4) {
        0 => maker.rng.below(4),
        1 | 2 => maker.rng.below(9),
        _ => maker.rng.below(MAX_WIDE_ARGS + 1),
    };
    let mut case = Case {
        index,
        args: (0..count).map(|_| maker.any()).collect(),
        ret: (maker.rng.below(10) > 0).then(|| maker.any()),
        ..Case::default()
    };
    if target.has_wide_variadics && count > 0 && rng.below(5) == 0 {
        variadic(&mut case, 1 + rng.below(count));
    }
    (case.wide_return, case.wide_args) = (rng.coin(), rng.coin());
    case
}

/// Puts a `...` behind `fixed` arguments, perhaps behind all.
fn variadic(case: &mut Case, fixed: usize) {
    for ty in &mut case.args[fixed..] {
        if let Ty::Number(code) = ty {
            *code = code.promoted();
        }
    }
    case.fixed = Some(fixed);
}

/// A number of arguments: mostly near the limits at which registers run out (4, 6, 8, 6 + 8), now and then far beyond.
fn arg_count(rng: &mut Rng) -> usize {
    match rng.below(20) {
        0..4 => rng.below(5),
        4..11 => 4 + rng.below(9),
        11..17 => 10 + rng.below(11),
        _ => 20 + rng.below(MAX_ARGS - 19),
    }
}

/// The types that a signature of words mostly has. Uniform choice would hardly ever exhaust one kind of register and not the other.
#[derive(Clone, Copy)]
enum Flavour {
    Any,
    Integers,
    Floats,
    Narrow,
    Few(&'static Code, &'static Code),
}

impl Flavour {
    fn random(rng: &mut Rng) -> Flavour {
        match rng.below(10) {
            0..4 => Flavour::Any,
            4 | 5 => Flavour::Integers,
            6 | 7 => Flavour::Floats,
            8 => Flavour::Narrow,
            _ => Flavour::Few(word(rng), word(rng)),
        }
    }

    fn code(self, rng: &mut Rng) -> &'static Code {
        let odd_one = rng.below(8) == 0;
        let wanted: fn(&Code) -> bool = match self {
            _ if odd_one => |_| true,
            Flavour::Any => |_| true,
            Flavour::Integers => |code| !code.is_float(),
            Flavour::Floats => Code::is_float,
            Flavour::Narrow => |code| "bBhHf".contains(code.letter),
            Flavour::Few(one, other) => return if rng.coin() { one } else { other },
        };
        let choice: Vec<&Code> = WORDS.iter().filter(|code| wanted(code)).collect();
        rng.pick(&choice)
    }
}

fn word(rng: &mut Rng) -> &'static Code {
    &WORDS[rng.below(WORDS.len())]
}

/// One of the numbers with these letters.
fn one_of(letters: &str, rng: &mut Rng) -> Ty {
    let codes: Vec<&Code> = letters.chars().filter_map(Code::of).collect();
    Ty::Number(rng.pick(&codes))
}

/// Makes types of any width.
struct Maker<'a> {
    rng: &'a mut Rng,
    target: &'a Target,
}

impl Maker<'_> {
    fn any(&mut self) -> Ty {
        match self.rng.below(10) {
            0..3 => Ty::Number(word(self.rng)),
            3 | 4 => one_of(self.target.wide_letters, self.rng),
            _ => self.small_enough(),
        }
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

    /// A structure of one of the kinds that conventions tell apart: few numbers of one type, bytes, a mixture; nested or not; rarely large.
    fn structure(&mut self, depth: u32) -> Ty {
        let members: Vec<Ty> = match self.rng.below(10) {
            0..3 => {
                let ty = one_of("fdfdiqh", self.rng);
                let count = 1 + self.rng.below(5);
                return self.repeated(ty, count);
            }
            3 | 4 => {
                let count = 1 + self.rng.below(25);
                return self.repeated(Ty::of('B'), count);
            }
            5 if self.rng.below(6) == 0 => {
                let count = 20 + self.rng.below(80);
                return self.repeated(Ty::of('i'), count);
            }
            6 => {
                let ty = one_of(&self.wide_members(), self.rng);
                let count = 1 + self.rng.below(4);
                return self.repeated(ty, count);
            }
            7 | 8 if depth > 0 => (0..1 + self.rng.below(3))
                .map(|_| self.structure(depth - 1))
                .collect(),
            _ => (0..1 + self.rng.below(4)).map(|_| self.number()).collect(),
        };
        let members = members.into_iter();
        Ty::Struct(members.map(|ty| Member { ty, count: None }).collect())
    }

    fn number(&mut self) -> Ty {
        match self.rng.below(8) {
            0 => one_of(&self.wide_members(), self.rng),
            _ => Ty::Number(word(self.rng)),
        }
    }

    /// The letters of wide numbers that may be members.
    fn wide_members(&self) -> String {
        let letters = self.target.wide_letters;
        letters.replace(divergence::NOT_IN_STRUCTURES, "")
    }

    /// `count` members of a type, as an array or one by one.
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
    fn a_few_hundred_cases_of_words_have_every_code_in_every_role_and_cross_every_limit() {
        let cases = cases(Draw::Words, 1, 400, ALL[0]);
        for ty in WORDS.iter().map(Ty::Number) {
            assert!(cases.iter().any(|case| case.ret.as_ref() == Some(&ty)));
            assert!(cases.iter().any(|case| case.args.contains(&ty)), "{ty}");
        }
        assert!(cases.iter().any(|case| case.ret.is_none()));
        let beyond = |limit: usize, is_float: bool| {
            let used = |case: &&Case| {
                let codes = case.args.iter().filter_map(Ty::word);
                codes.filter(|code| code.is_float() == is_float).count() > limit
            };
            cases.iter().filter(used).count()
        };
        assert!(beyond(6, false) > 100 && beyond(8, true) > 30);
        for count in [0, 1, 4, 5, 6, 7, 8, 9, 14, 15, MAX_ARGS] {
            assert!(cases.iter().any(|case| case.args.len() == count), "{count}");
        }
        for fixed in 1..=MAX_FIXED {
            assert!(
                cases.iter().any(|case| case.fixed == Some(fixed)),
                "{fixed}"
            );
        }
    }

    #[test]
    fn a_few_hundred_wide_cases_have_every_kind_in_every_role() {
        for target in ALL {
            let cases = cases(Draw::Wide, 1, 400, target);
            for letter in target.wide_letters.chars() {
                let number = Ty::of(letter);
                assert!(
                    cases.iter().any(|case| case.ret.as_ref() == Some(&number)),
                    "{letter}"
                );
                assert!(cases.iter().any(|case| case.args.contains(&number)));
            }
            for size in 1..=17 {
                let has = |ty: &Ty| Layout::of(ty, target).bytes.len() == size;
                assert!(cases.iter().any(|case| case.args.iter().any(has)), "{size}");
            }
            let is_variadic = cases.iter().any(|case| case.fixed.is_some());
            assert_eq!(is_variadic, target.has_wide_variadics);
        }
    }

    #[test]
    fn narrow_types_do_not_stand_behind_an_ellipsis_and_targets_without_have_none() {
        for case in cases(Draw::Words, 2, 400, ALL[0]) {
            let mut unnamed = case.args[case.named()..].iter().filter_map(Ty::word);
            assert!(unnamed.all(|code| code.promoted() == code), "{case}");
        }
        let without = ALL.iter().find(|target| target.va_list.is_none());
        let cases = cases(Draw::Words, 2, 400, without.expect("such a target"));
        assert!(cases.iter().all(|case| case.fixed.is_none()));
    }

    #[test]
    fn a_case_does_not_depend_on_how_many_are_made() {
        for draw in [Draw::Words, Draw::Wide] {
            assert_eq!(cases(draw, 9, 20, ALL[0])[13], case(draw, 9, 13, ALL[0]));
        }
    }
}
