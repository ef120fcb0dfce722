//! Seed and index to signature. Each index has a stream of its own, so one case can be made again without the others.

use crate::MAX_ARGS;
use crate::codes::{Case, Code, VALUES, VOID};
use crate::rng::Rng;
use crate::target::Target;

/// The most arguments of a variadic function that have names.
const MAX_FIXED: usize = 9;

/// The first `count` cases of a seed, such as C can write for `target`.
pub fn cases(seed: u64, count: u64, target: &Target) -> Vec<Case> {
    (0..count).map(|index| case(seed, index, target)).collect()
}

/// One case of a seed.
pub fn case(seed: u64, index: u64, target: &Target) -> Case {
    let mut rng = Rng::new(&[seed, index, u64::from(b'S')]);
    let flavour = Flavour::random(&mut rng);
    let count = arg_count(&mut rng);
    let args = (0..count).map(|_| flavour.code(&mut rng)).collect();
    let ret = match rng.below(14) {
        13 => &VOID,
        n => &VALUES[n],
    };
    let case = Case {
        index,
        ret,
        args,
        fixed: None,
        wide_return: rng.coin(),
        wide_args: rng.coin(),
        wide: None,
    };
    if target.va_list.is_some() && !case.args.is_empty() && rng.below(6) == 0 {
        variadic(case, &mut rng)
    } else {
        case
    }
}

/// The case with a `...` somewhere, perhaps behind all arguments.
fn variadic(mut case: Case, rng: &mut Rng) -> Case {
    let fixed = 1 + rng.below(MAX_FIXED.min(case.args.len()));
    for code in &mut case.args[fixed..] {
        *code = code.promoted();
    }
    case.fixed = Some(fixed);
    case
}

/// Mostly around the limits at which registers run out (4, 6, 8, 6 + 8), now and then far beyond.
fn arg_count(rng: &mut Rng) -> usize {
    match rng.below(20) {
        0..4 => rng.below(5),
        4..11 => 4 + rng.below(9),
        11..17 => 10 + rng.below(11),
        _ => 20 + rng.below(MAX_ARGS - 19),
    }
}

/// What a signature is mostly made of: uniform choice alone would hardly ever exhaust one kind of register and not
/// the other.
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
            _ => Flavour::Few(any(rng), any(rng)),
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
        let choice: Vec<&Code> = VALUES.iter().filter(|code| wanted(code)).collect();
        rng.pick(&choice)
    }
}

fn any(rng: &mut Rng) -> &'static Code {
    &VALUES[rng.below(VALUES.len())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::ALL;

    #[test]
    fn a_few_hundred_cases_have_every_code_in_every_role_and_cross_every_limit() {
        let cases = cases(1, 400, ALL[0]);
        for code in &VALUES {
            assert!(cases.iter().any(|case| case.ret == code), "{code:?}");
            assert!(cases.iter().any(|case| case.args.contains(&code)));
        }
        assert!(cases.iter().any(|case| case.ret == &VOID));
        let beyond = |limit: usize, is_float: bool| {
            let used = |case: &&Case| {
                let kind = case.args.iter().filter(|code| code.is_float() == is_float);
                kind.count() > limit
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
    fn narrow_types_do_not_stand_behind_an_ellipsis_and_targets_without_have_none() {
        for case in cases(2, 400, ALL[0]) {
            let unnamed = case.args.iter().skip(case.fixed.unwrap_or(case.args.len()));
            assert!(
                unnamed.into_iter().all(|code| code.promoted() == *code),
                "{case}"
            );
        }
        let without = ALL.iter().find(|target| target.va_list.is_none());
        let cases = cases(2, 400, without.expect("such a target"));
        assert!(cases.iter().all(|case| case.fixed.is_none()));
    }

    #[test]
    fn a_case_does_not_depend_on_how_many_are_made() {
        assert_eq!(cases(9, 20, ALL[0])[13], case(9, 13, ALL[0]));
    }
}
