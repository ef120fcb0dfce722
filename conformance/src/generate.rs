//! Seed and index to signature. Each index has a stream of its own, so one case can be made again without the others.

use crate::MAX_ARGS;
use crate::codes::{Case, Code, VALUES, VOID};
use crate::rng::Rng;

/// The first `count` cases of a seed.
pub fn cases(seed: u64, count: u64) -> Vec<Case> {
    (0..count).map(|index| case(seed, index)).collect()
}

/// One case of a seed.
pub fn case(seed: u64, index: u64) -> Case {
    let mut rng = Rng::new(&[seed, index, u64::from(b'S')]);
    let flavour = Flavour::random(&mut rng);
    let count = arg_count(&mut rng);
    let args = (0..count).map(|_| flavour.code(&mut rng)).collect();
    let ret = match rng.below(14) {
        13 => &VOID,
        n => &VALUES[n],
    };
    Case {
        index,
        ret,
        args,
        wide_return: rng.coin(),
        wide_args: rng.coin(),
    }
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

    #[test]
    fn a_few_hundred_cases_have_every_code_in_every_role_and_cross_every_limit() {
        let cases = cases(1, 400);
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
    }

    #[test]
    fn a_case_does_not_depend_on_how_many_are_made() {
        assert_eq!(cases(9, 20)[13], case(9, 13));
    }
}
