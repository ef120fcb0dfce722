//! All texts of the comparison: each fault in words.

use crate::cases::{Case, Direction, Draw, Suite};
use crate::values::Values;
use std::fmt;

/// Where two sides disagree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A word of an argument, the first of each being 0.
    Argument(usize, usize),
    /// A word of the result.
    Result(usize),
    /// The result's slot as a handler found it.
    FreshResult,
    /// How often C code or a handler was called.
    Calls,
    /// How often the function that farcall calls was entered.
    Entries,
    /// How often farcall's code returned.
    GuardReturns,
    /// The context that a handler gets.
    Context,
    /// A register that a callee gives back.
    Saved(&'static str),
    /// A control word after the call.
    ControlAfter(&'static str),
    /// A control word as the called function found it.
    ControlInside(&'static str),
    /// The stack pointer after the call.
    StackPointer,
    /// The stack pointer modulo 16 as the called function found it.
    StackAlignment,
    /// The count of vector registers in `al`.
    VectorCount,
    /// A word of the caller's frame, counted from the one above the return address.
    CallersFrame(usize),
    /// Bytes behind a result that were written.
    BehindResult,
    /// Pointers that are not aligned for the values that they point to.
    Misaligned,
    /// A guard word, or an argument's slot, counted from the first slot of the arguments.
    Around(&'static str, isize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Argument(n, 0) => write!(f, "argument {}", n + 1),
            Place::Argument(n, word) => write!(f, "argument {}, word {word}", n + 1),
            Place::Result(0) => f.write_str("result"),
            Place::Result(word) => write!(f, "result, word {word}"),
            Place::FreshResult => f.write_str("result slot before the handler fills it"),
            Place::Calls => f.write_str("number of calls that arrived"),
            Place::Entries => f.write_str("number of entries into the called function"),
            Place::GuardReturns => f.write_str("number of returns from farcall's code"),
            Place::Context => f.write_str("handler's context"),
            Place::Saved(name) => write!(f, "register {name} after the call"),
            Place::ControlAfter(name) => write!(f, "{name} after the call"),
            Place::ControlInside(name) => write!(f, "{name} inside the called function"),
            Place::StackPointer => f.write_str("stack pointer after the call"),
            Place::StackAlignment => {
                f.write_str("stack pointer modulo 16 inside the called function")
            }
            Place::VectorCount => f.write_str("vector registers announced in al"),
            Place::CallersFrame(word) => write!(f, "word {word} of the caller's frame"),
            Place::BehindResult => f.write_str("number of bytes written behind the result"),
            Place::Misaligned => f.write_str("number of misaligned pointers"),
            Place::Around(what, word) => write!(f, "word {word} around the {what}"),
        }
    }
}

/// One disagreement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where.
    pub place: Place,
    /// The right value.
    pub expected: u64,
    /// The word that the giving side (for an argument the caller, for a result the callee) passed, dirt included.
    pub given: Option<u64>,
    /// The value that the other side found.
    pub got: u64,
}

impl Fault {
    /// A fault in a value that neither side passes.
    pub fn new(place: Place, expected: u64, got: u64) -> Fault {
        Fault {
            place,
            expected,
            given: None,
            got,
        }
    }

    /// A fault, if there is one.
    pub fn unless_equal(place: Place, expected: u64, got: u64) -> Option<Fault> {
        (expected != got).then(|| Fault::new(place, expected, got))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "  {}", self.place)?;
        line(f, "expected", self.expected)?;
        let (giver, taker) = match (self.place, self.given) {
            (Place::Result(_), Some(_)) => ("callee", "caller"),
            (_, Some(_)) => ("caller", "callee"),
            (_, None) => ("", "got"),
        };
        if let Some(given) = self.given {
            line(f, giver, given)?;
        }
        line(f, taker, self.got)
    }
}

/// A word as a number, and by its bytes as they lie in memory.
fn line(f: &mut fmt::Formatter<'_>, what: &str, word: u64) -> fmt::Result {
    write!(f, "    {what:8} {word:#018x}   bytes")?;
    for byte in word.to_le_bytes() {
        write!(f, " {byte:02x}")?;
    }
    writeln!(f)
}

/// The faults of one round of a case.
#[derive(Clone, Debug)]
pub struct Mismatch {
    /// Who called whom.
    pub direction: Direction,
    /// The way through farcall, in words.
    pub route: &'static str,
    /// The number of the set of values.
    pub round: u64,
    /// The faults.
    pub faults: Vec<Fault>,
}

impl Mismatch {
    /// The full report, with the command that reproduces it.
    pub fn text(&self, suite: &Suite, config: &str, case: &Case) -> String {
        let Mismatch {
            direction,
            route,
            round,
            ..
        } = self;
        let mut text = format!(
            "{config}, {direction} ({route}), case {}, round {round}: {case}\n",
            case.index
        );
        for fault in &self.faults {
            text.push_str(&fault.to_string());
        }
        if case.declared.is_some() {
            text.push_str(&all_values(suite, case, *round));
        }
        text.push_str(&reproduce(suite, config, case, *direction));
        text
    }
}

/// The bytes of all values of a round.
fn all_values(suite: &Suite, case: &Case, round: u64) -> String {
    let values = Values::new(case, suite.target, suite.seed, round);
    let mut text = String::new();
    for (n, value) in std::iter::once(&values.ret).chain(&values.args).enumerate() {
        let name = match n {
            0 => "result".to_owned(),
            n => format!("a{}", n - 1),
        };
        let bytes: Vec<String> = value
            .dirty
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        text.push_str(&format!("  {name} = {}\n", bytes.join(" ")));
    }
    text
}

/// The command that runs one case again.
pub fn reproduce(suite: &Suite, config: &str, case: &Case, direction: Direction) -> String {
    let (compiler, level) = config.rsplit_once(" -").unwrap_or((config, "O0"));
    let what = match (suite.exhaustive, suite.draw) {
        (true, _) => "--exhaustive ".to_owned(),
        (_, Draw::Words) => String::new(),
        (_, draw) => format!("--{} ", draw.option()),
    };
    format!(
        "  again: farcall-conformance --target {} {what}--seed {:#x} --only {} --rounds {} --cc '{compiler}' --opt {level} --direction {direction}\n",
        suite.target, suite.seed, case.index, suite.rounds
    )
}

/// The counts for one compiler's code in one direction.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Signatures.
    pub cases: u64,
    /// Calls of C functions, or of callbacks.
    pub calls: u64,
    /// Rounds with a fault.
    pub mismatches: u64,
}

/// A compiler with its optimisation, and the outcome of its code.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// `gcc -O2`.
    pub config: String,
    /// By direction, as in [`Direction::ALL`].
    pub tallies: [Tally; 2],
    /// A text for each mismatch and each crash.
    pub failures: Vec<String>,
    /// The time that the cases ran, in seconds.
    pub seconds: f64,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:12}", self.config)?;
        for (direction, tally) in Direction::ALL.iter().zip(self.tallies) {
            if tally.cases > 0 {
                let Tally {
                    cases,
                    calls,
                    mismatches,
                } = tally;
                write!(
                    f,
                    " {direction}: {cases} signatures, {calls} calls, {mismatches} mismatches;"
                )?;
            }
        }
        write!(f, " {:.1} s", self.seconds)
    }
}
