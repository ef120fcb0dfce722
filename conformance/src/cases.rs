//! Cases, and the file that connects the stages: the signatures, the compilers, and the objects that these made.
//!
//! One record a line, fields separated by tabs. Values are not in it: both stages make them from seed and index.
//!
//! ```text
//! farcall-conformance  1
//! target   x86_64-unknown-linux-gnu
//! seed     0x4d2
//! rounds   3
//! direction  call
//! object   gcc -O2   0   250   gcc-O2-000.so       compiler, first case's place in the list, number of cases, file
//! case     17   i   ddpb   wide-return,fixed=2     index, result, arguments, flags: `wide-return,wide-args,fixed=2`
//! declared 17   struct s { int m0 : 3; };   int callee_17(struct s a0, ...)   void more(double)     index, and the text
//! ```

use crate::record::{Declared, Text};
use crate::target::Target;
use crate::types::Ty;
use anyhow::{Context, Result, bail, ensure};
use clap::ValueEnum;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// The most arguments a generated signature has.
pub const MAX_ARGS: usize = 40;

/// A signature, and the way in which the C side implements it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Case {
    /// Its number within the seed's cases: values are made from seed and index.
    pub index: u64,
    /// The result's type, if it has one.
    pub ret: Option<Ty>,
    /// The arguments' types.
    pub args: Vec<Ty>,
    /// The number of named arguments, if the function is variadic.
    pub fixed: Option<usize>,
    /// The C function that farcall calls returns a wider type, with dirt above the value, if that fills a word.
    pub wide_return: bool,
    /// The C function that calls a callback passes wider types, with dirt above the values that fill words.
    pub wide_args: bool,
    /// The text that declares it, if there is one, and what farcall read in it.
    pub declared: Option<Arc<Declared>>,
}

impl Case {
    /// Reads a result, `v` for none, and arguments, as [`Case::ret_text`] and [`Case::args_text`] write them.
    ///
    /// # Errors
    /// When the texts are not of that form.
    pub fn parse(index: u64, ret: &str, args: &str) -> Result<Case> {
        let mut ret = match ret {
            "v" => Vec::new(),
            _ => Ty::parse_all(ret)?,
        };
        ensure!(ret.len() < 2, "several results");
        Ok(Case {
            index,
            ret: ret.pop(),
            args: Ty::parse_all(args)?,
            ..Case::default()
        })
    }

    /// The number of named arguments.
    pub fn named(&self) -> usize {
        self.fixed.unwrap_or(self.args.len())
    }

    /// Whether it can be written in type codes.
    pub fn is_of_words(&self) -> bool {
        let mut types = self.args.iter().chain(&self.ret);
        self.declared.is_none() && types.all(|ty| ty.word().is_some())
    }

    /// The result as text.
    pub fn ret_text(&self) -> String {
        self.ret.as_ref().map_or("v".to_owned(), Ty::to_string)
    }

    /// The arguments as text, with `mark` where the `...` begins.
    pub fn args_text(&self, mark: &str) -> String {
        let mut texts: Vec<String> = self.args.iter().map(Ty::to_string).collect();
        if let Some(fixed) = self.fixed {
            texts.insert(fixed, mark.to_owned());
        }
        texts.concat()
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |ty: &Ty| match ty {
            Ty::Number(code) => code.c_type.to_owned(),
            Ty::Struct(_) | Ty::Declared(_) => ty.to_string(),
        };
        if let Some(declared) = &self.declared {
            let Text {
                types,
                prototype,
                more,
            } = &declared.text;
            return write!(f, "\n{types}{prototype};\n{more}");
        }
        let mut types: Vec<String> = self.args.iter().map(text).collect();
        if let Some(fixed) = self.fixed {
            types.insert(fixed, "...:".to_owned());
        }
        if types.is_empty() {
            types.push("void".to_owned());
        }
        let (ret, types) = (
            self.ret.as_ref().map_or("void".to_owned(), text),
            types.join(", "),
        );
        let (short_ret, short) = (self.ret_text(), self.args_text("."));
        write!(f, "{ret} f({types}), \"{short_ret}\" \"{short}\"")
    }
}

/// The types that signatures are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draw {
    /// The types of the type codes.
    Words,
    /// Also types wider than a word: structures, complex numbers, `long double`, 128-bit integers.
    Wide,
    /// Types that C text declares.
    Declared,
}

impl Draw {
    const ALL: [Draw; 3] = [Draw::Words, Draw::Wide, Draw::Declared];

    /// The option of this program that selects it, without its dashes.
    pub fn option(self) -> &'static str {
        match self {
            Draw::Words => "words",
            Draw::Wide => "wide",
            Draw::Declared => "declared",
        }
    }
}

/// The file's name in the directory.
pub const FILE: &str = "cases";

const HEADING: &str = "farcall-conformance\t1";

/// Who calls whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Direction {
    /// farcall calls C.
    Call,
    /// C calls farcall.
    Callback,
}

impl Direction {
    /// Both directions, in the order of tables.
    pub const ALL: [Direction; 2] = [Direction::Call, Direction::Callback];
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Direction::Call => "call",
            Direction::Callback => "callback",
        })
    }
}

/// A shared object with the C side of some cases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The compiler and its optimisation, `gcc -O2`.
    pub config: String,
    /// The place of its first case in the suite's list.
    pub first: usize,
    /// The number of its cases.
    pub count: usize,
    /// Its name in the directory.
    pub file: String,
}

/// Everything the run stage needs to know.
#[derive(Clone, Debug)]
pub struct Suite {
    /// The target that it was compiled for.
    pub target: &'static Target,
    /// The seed of signatures and values.
    pub seed: u64,
    /// Whether the signatures are those of [`crate::exhaustive`], and the seed makes values only.
    pub exhaustive: bool,
    /// The types that signatures are made of otherwise.
    pub draw: Draw,
    /// The number of sets of values that each case is run with.
    pub rounds: u64,
    /// The directions to test.
    pub directions: Vec<Direction>,
    /// The compiled code.
    pub objects: Vec<Object>,
    /// The signatures.
    pub cases: Vec<Case>,
}

impl Suite {
    /// The compilers with their optimisations, each once.
    pub fn configs(&self) -> Vec<&str> {
        let mut configs: Vec<&str> = self.objects.iter().map(|o| o.config.as_str()).collect();
        configs.dedup();
        configs
    }

    /// Writes the file into `dir`.
    ///
    /// # Errors
    /// When that fails.
    pub fn write(&self, dir: &Path) -> Result<()> {
        let path = dir.join(FILE);
        std::fs::write(&path, self.text()).with_context(|| format!("cannot write {path:?}"))
    }

    fn text(&self) -> String {
        let mut lines = vec![
            HEADING.to_owned(),
            format!("target\t{}", self.target),
            format!("seed\t{:#x}", self.seed),
            format!("rounds\t{}", self.rounds),
            format!("draw\t{}", self.draw.option()),
        ];
        lines.extend(self.exhaustive.then(|| "exhaustive".to_owned()));
        lines.extend(self.directions.iter().map(|d| format!("direction\t{d}")));
        lines.extend(self.objects.iter().map(|object| {
            let Object {
                config,
                first,
                count,
                file,
            } = object;
            format!("object\t{config}\t{first}\t{count}\t{file}")
        }));
        lines.extend(self.cases.iter().map(case_line));
        lines.join("\n") + "\n"
    }

    /// Reads the file in `dir`.
    ///
    /// # Errors
    /// When it cannot be read or is not such a file.
    pub fn read(dir: &Path) -> Result<Suite> {
        let path = dir.join(FILE);
        let text =
            std::fs::read_to_string(&path).with_context(|| format!("cannot read {path:?}"))?;
        Suite::parse(&text).with_context(|| format!("bad case file {path:?}"))
    }

    fn parse(text: &str) -> Result<Suite> {
        let mut lines = text.lines();
        ensure!(lines.next() == Some(HEADING), "the heading is not ours");
        let mut suite = Suite {
            target: crate::target::ALL[0],
            seed: 0,
            exhaustive: false,
            draw: Draw::Words,
            rounds: 1,
            directions: Vec::new(),
            objects: Vec::new(),
            cases: Vec::new(),
        };
        for line in lines {
            let fields: Vec<&str> = line.split('\t').collect();
            match fields[..] {
                ["target", name] => {
                    suite.target = Target::named(name).context("an unknown target")?;
                }
                ["seed", seed] => suite.seed = parse_number(seed)?,
                ["draw", name] => {
                    let draw = Draw::ALL.into_iter().find(|draw| draw.option() == name);
                    suite.draw = draw.context("unknown types")?;
                }
                ["exhaustive"] => suite.exhaustive = true,
                ["rounds", rounds] => suite.rounds = rounds.parse()?,
                ["direction", name] => suite
                    .directions
                    .push(Direction::from_str(name, false).map_err(anyhow::Error::msg)?),
                ["object", config, first, count, file] => suite.objects.push(Object {
                    config: config.to_owned(),
                    first: first.parse()?,
                    count: count.parse()?,
                    file: file.to_owned(),
                }),
                ["case", index, ret, args, flags] => {
                    suite
                        .cases
                        .push(parse_case(index.parse()?, ret, args, flags)?);
                }
                ["declared", index, types, prototype, more] => {
                    let text =
                        [types, prototype, more].map(|part| part.replace(LINE_SEPARATOR, "\n"));
                    let case = declared(index.parse()?, text, suite.target);
                    suite.cases.push(case?);
                }
                _ => bail!("a line that is none of ours: {line:?}"),
            }
        }
        let fits = |o: &Object| o.first + o.count <= suite.cases.len();
        ensure!(suite.objects.iter().all(fits), "an object lacks its cases");
        Ok(suite)
    }
}

/// The beginning of a variadic function's flag; the number of named arguments follows.
const FIXED: &str = "fixed=";

/// The separator of lines in a text that is written as one line.
pub const LINE_SEPARATOR: char = '\u{1f}';

fn case_line(case: &Case) -> String {
    if let Some(declared) = &case.declared {
        let Text {
            types,
            prototype,
            more,
        } = &declared.text;
        let line = format!("declared\t{}\t{types}\t{prototype}\t{more}", case.index);
        return line.replace('\n', &LINE_SEPARATOR.to_string());
    }
    let flags = [
        ("wide-return", case.wide_return),
        ("wide-args", case.wide_args),
    ];
    let mut flags: Vec<String> = flags
        .iter()
        .filter(|flag| flag.1)
        .map(|flag| flag.0.to_owned())
        .collect();
    flags.extend(case.fixed.map(|fixed| format!("{FIXED}{fixed}")));
    let (ret, args) = (case.ret_text(), case.args_text(""));
    format!("case\t{}\t{ret}\t{args}\t{}", case.index, flags.join(","))
}

fn parse_case(index: u64, ret: &str, args: &str, flags: &str) -> Result<Case> {
    let has = |wanted| flags.split(',').any(|flag| flag == wanted);
    let fixed = flags.split(',').find_map(|flag| flag.strip_prefix(FIXED));
    let case = Case {
        fixed: fixed.map(str::parse).transpose()?,
        wide_return: has("wide-return"),
        wide_args: has("wide-args"),
        ..Case::parse(index, ret, args)?
    };
    ensure!(
        (1..=case.args.len().max(1)).contains(&case.fixed.unwrap_or(1)),
        "no such `...`"
    );
    Ok(case)
}

fn declared(index: u64, text: [String; 3], target: &Target) -> Result<Case> {
    let [types, prototype, more] = text;
    let text = Text {
        types,
        prototype,
        more,
    };
    Case::declared(index, text, target)?.map_err(anyhow::Error::msg)
}

/// Reads a number, hexadecimal behind `0x`.
///
/// # Errors
/// When the text is no number.
pub fn parse_number(text: &str) -> Result<u64> {
    let number = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    number.with_context(|| format!("not a number: {text:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suite_comes_back_as_it_was_written() {
        let case = |args| Case::parse(3, "{d3h{ff}}", args).expect("a case");
        let variadic = Case {
            fixed: Some(2),
            wide_args: true,
            ..case("iO{b}F")
        };
        let text = Text {
            types: "#pragma pack(1)\nstruct s { int a : 3; };\n".to_owned(),
            prototype: "struct s callee_3(struct s a0, ...)".to_owned(),
            more: "void more(long)".to_owned(),
        };
        let declared = Case::declared(3, text, crate::target::ALL[0]);
        let declared = declared.expect("C").expect("values");
        let suite = Suite {
            target: crate::target::ALL[0],
            seed: 0xdead_beef,
            exhaustive: true,
            draw: Draw::Wide,
            rounds: 3,
            directions: Direction::ALL.to_vec(),
            objects: vec![Object {
                config: "gcc -O2".to_owned(),
                first: 0,
                count: 2,
                file: "gcc-O2-000.so".to_owned(),
            }],
            cases: vec![variadic, case("ddpb"), declared],
        };
        let again = Suite::parse(&suite.text()).expect("our own file");
        assert_eq!(again.text(), suite.text());
        assert_eq!(again.cases, suite.cases);
    }

    #[test]
    fn foreign_and_damaged_files_are_errors() {
        for text in [
            "",
            "farcall-conformance\t2",
            "farcall-conformance\t1\ncase\t0\tz\t\t",
            "farcall-conformance\t1\ncase\t0\tii\t\t",
            "farcall-conformance\t1\ncase\t0\ti\tii\tfixed=3",
            "farcall-conformance\t1\ndeclared\t0\tstruct s {\tvoid callee_0(struct s)\t",
            "farcall-conformance\t1\ndraw\tnothing",
            "farcall-conformance\t1\nobject\tgcc -O0\t0\t1\tx.so",
        ] {
            assert!(Suite::parse(text).is_err(), "{text:?}");
        }
    }
}
