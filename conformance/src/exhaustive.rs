//! Every signature of few arguments over the distinct classes of types.
//!
//! Five classes are told apart by the conventions: integers narrower than an `int`, `int`, 64-bit integers, `float`
//! and `double`. Types that differ only in sign or name share a class, and represent it in turn. Results
//! are those five and `void`. So up to N arguments there are `6 * (5^0 + ... + 5^N)` signatures: 936 for three,
//! 4,686 for four. All of them are made; no result type represents another.

use crate::cases::Case;
use crate::rng::Rng;
use crate::types::Ty;

/// The members of the argument classes, used in turn.
const CLASSES: [&str; 5] = ["bBhH", "iI", "qQlLp", "f", "d"];

/// Every case of at most `max_args` arguments.
pub fn cases(max_args: u32) -> Vec<Case> {
    let mut cases = Vec::new();
    for count in 0..=max_args {
        for combination in 0..CLASSES.len().pow(count) {
            for ret in 0..=CLASSES.len() {
                cases.push(case(cases.len() as u64, count, combination, ret));
            }
        }
    }
    cases
}

/// `combination` read as a number of `count` digits, each the class of an argument.
fn case(index: u64, count: u32, combination: usize, ret: usize) -> Case {
    let mut rng = Rng::new(&[index, u64::from(b'E')]);
    let mut left = combination;
    let mut args = Vec::new();
    for _ in 0..count {
        args.push(member(left % CLASSES.len(), &mut rng));
        left /= CLASSES.len();
    }
    Case {
        index,
        ret: (ret < CLASSES.len()).then(|| member(ret, &mut rng)),
        args,
        fixed: None,
        declared: None,
        wide_return: rng.coin(),
        wide_args: rng.coin(),
    }
}

fn member(class: usize, rng: &mut Rng) -> Ty {
    let letters: Vec<char> = CLASSES[class].chars().collect();
    Ty::of(rng.pick(&letters))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn class(ty: Option<&Ty>) -> usize {
        let of = |ty: &Ty| {
            CLASSES
                .iter()
                .position(|class| class.contains(&ty.to_string()))
        };
        ty.and_then(of).unwrap_or(CLASSES.len())
    }

    #[test]
    fn every_combination_of_classes_occurs_once() {
        let cases = cases(4);
        assert_eq!(cases.len(), 4686);
        let distinct: HashSet<Vec<usize>> = cases
            .iter()
            .map(|case| {
                let args = case.args.iter().map(|ty| class(Some(ty)));
                std::iter::once(class(case.ret.as_ref()))
                    .chain(args)
                    .collect()
            })
            .collect();
        assert_eq!(distinct.len(), 4686);
    }

    #[test]
    fn every_code_occurs() {
        let cases = cases(2);
        for ty in crate::codes::WORDS.iter().map(Ty::Number) {
            assert!(cases.iter().any(|case| case.args.contains(&ty)), "{ty}");
        }
    }
}
