//! Makes the text of a declaration from seed and index: types as people write them in headers, and a prototype.
//!
//! The text contains everything that changes how a value is passed or where its members lie: bit-fields with and without names, of no bits
//! too, unions, nested and anonymous members, arrays of arrays, attributes and pragmas that pack or align, enumerations, and names for all of them.

use crate::cases::Case;
use crate::record::Text;
use crate::rng::Rng;
use crate::target::Target;
use crate::types::Ty;
use farcall_arch::Abi;
use std::fmt::Write;

/// The most bytes of a structure.
const MAX_BYTES: usize = 200;

/// The most arguments.
const MAX_ARGS: usize = 14;

/// Arguments before which there are registers for a 128-bit integer under System V: see [`crate::divergence`].
const EARLY: usize = 2;

/// Integers of up to a word: bit-fields have these, too.
const INTEGERS: [&str; 20] = [
    "char",
    "signed char",
    "unsigned char",
    "short",
    "unsigned short",
    "int",
    "int",
    "unsigned",
    "unsigned int",
    "long",
    "unsigned long",
    "long long",
    "unsigned long long",
    "size_t",
    "ptrdiff_t",
    "wchar_t",
    "int8_t",
    "uint16_t",
    "int32_t",
    "uint64_t",
];

const FLOATS: [&str; 6] = [
    "float",
    "double",
    "long double",
    "float _Complex",
    "double _Complex",
    "long double _Complex",
];

const POINTERS: [&str; 4] = ["void *", "const char *", "struct unknown *", "int *const *"];

/// One case of a seed, and the reasons why earlier attempts at it were refused.
///
/// # Panics
/// When farcall cannot read a text that this file has written.
pub fn case(seed: u64, index: u64, target: &Target) -> (Case, Vec<String>) {
    let mut refused = Vec::new();
    for attempt in 0.. {
        let mut rng = Rng::new(&[seed, index, attempt, u64::from(b'D')]);
        let text = Writer::new(&mut rng, index, target).text();
        let case = match Case::declared(index, text.clone(), target) {
            Ok(case) => case,
            Err(error) => panic!(
                "{}{};\n{}\n{error:#}",
                text.types, text.prototype, text.more
            ),
        };
        match case {
            Ok(case) if is_small_enough(&case) => return (case, refused),
            Ok(_) => {}
            Err(reason) => refused.push(reason),
        }
    }
    unreachable!("attempts do not end");
}

fn is_small_enough(case: &Case) -> bool {
    case.args.iter().chain(&case.ret).all(|ty| match ty {
        Ty::Declared(record) => record.layout.bytes.len() <= MAX_BYTES,
        _ => true,
    })
}

/// Writes one text.
struct Writer<'a> {
    rng: &'a mut Rng,
    target: &'a Target,
    index: u64,
    types: String,
    /// The number of names given out.
    names: u32,
    /// Structures that may be members of others.
    records: Vec<String>,
    enums: Vec<String>,
}

impl<'a> Writer<'a> {
    fn new(rng: &'a mut Rng, index: u64, target: &'a Target) -> Writer<'a> {
        Writer {
            rng,
            target,
            index,
            types: String::new(),
            names: 0,
            records: Vec::new(),
            enums: Vec::new(),
        }
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.rng.below(count) == 0
    }

    /// A name that is unique in a unit.
    fn name(&mut self, letter: char) -> String {
        self.names += 1;
        format!("{letter}{}_{}", self.index, self.names)
    }

    fn text(mut self) -> Text {
        if self.one_in(3) {
            self.enumeration();
        }
        let count = match self.rng.below(4) {
            0 => self.rng.below(4),
            1 | 2 => self.rng.below(8),
            _ => self.rng.below(MAX_ARGS + 1),
        };
        let ret = match self.one_in(8) {
            true => "void".to_owned(),
            false => self.value(0),
        };
        let args: Vec<String> = (0..count).map(|n| self.value(n)).collect();
        let is_variadic = self.target.has_wide_variadics && count > 0 && self.one_in(6);
        let fixed = match is_variadic {
            true => 1 + self.rng.below(count),
            false => count,
        };
        let (named, behind) = args.split_at(fixed);
        let mut params = Vec::new();
        for (n, ty) in named.iter().enumerate() {
            params.push(self.parameter(ty, n));
        }
        match (is_variadic, count) {
            (true, _) => params.push("...".to_owned()),
            (_, 0) => params.push("void".to_owned()),
            _ => {}
        }
        let behind: Vec<&str> = behind.iter().map(|ty| promoted(ty)).collect();
        let params = params.join(", ");
        let prototype = match self.one_in(12) {
            true => format!("int (*callee_{}({params}))(char, double)", self.index),
            false => format!("{ret} callee_{}({params})", self.index),
        };
        let more = match behind.is_empty() {
            true => String::new(),
            false => format!("void more({})", behind.join(", ")),
        };
        Text {
            types: self.types,
            prototype,
            more,
        }
    }

    /// A parameter's declaration; a pointer's may be an array's or a function's.
    fn parameter(&mut self, ty: &str, n: usize) -> String {
        match self.rng.below(20) {
            0 => format!("{} a{n}[{}]", self.integer(), 1 + n),
            1 => format!("int (*a{n})(const char *, ...)"),
            2 => format!("double a{n}(int, float)"),
            3 => format!("int (*a{n})[3]"),
            4 => format!("const {ty} a{n}"),
            _ => format!("{ty} a{n}"),
        }
    }

    /// The name of a type that is passed by value, as argument number `n`.
    fn value(&mut self, n: usize) -> String {
        match self.rng.below(12) {
            0 | 1 => self.integer(),
            2 => self.float(),
            3 if self.one_in(2) => "_Bool".to_owned(),
            3 => self.rng.pick(&POINTERS).to_owned(),
            4 if self.one_in(2) => {
                let int128 = self.rng.pick(&["__int128", "unsigned __int128"]);
                // Where compilers pass it differently, it is put into a structure.
                match self.target.abi == Abi::SysV64 && n >= EARLY {
                    true => self.record_of(&format!("{int128} m0;")),
                    false => int128.to_owned(),
                }
            }
            4 => match self.enums.is_empty() {
                true => self.integer(),
                false => self
                    .rng
                    .pick(&self.enums.iter().collect::<Vec<_>>())
                    .clone(),
            },
            5 if !self.records.is_empty() => self.known(),
            _ => self.record(),
        }
    }

    fn integer(&mut self) -> String {
        self.rng.pick(&INTEGERS).to_owned()
    }

    /// A floating-point type that all compilers of the target pass alike.
    fn float(&mut self) -> String {
        let has_wide = self.target.wide_letters.contains('e');
        let narrow = FLOATS
            .iter()
            .filter(|name| has_wide || !name.contains("long"));
        let choice: Vec<&str> = narrow.copied().collect();
        // Mostly `float` and `double`.
        match self.rng.below(3) {
            0 => self.rng.pick(&choice).to_owned(),
            _ => self.rng.pick(&choice[..2]).to_owned(),
        }
    }

    fn known(&mut self) -> String {
        let records: Vec<&String> = self.records.iter().collect();
        self.rng.pick(&records).clone()
    }

    fn enumeration(&mut self) {
        let (tag, name) = (self.name('e'), self.name('E'));
        let value = self
            .rng
            .pick(&["-1", "0", "1 << 20", "0x7fffffff", "0xffffffffu"]);
        let _ = writeln!(self.types, "enum {tag} {{ {name} = {value} }};");
        self.enums.push(format!("enum {tag}"));
    }

    /// Writes a structure or a union of a kind that conventions tell apart.
    fn record(&mut self) -> String {
        let mut body = String::new();
        match self.rng.below(10) {
            0..3 => {
                for _ in 0..1 + self.rng.below(5) {
                    match self.one_in(5) {
                        true => self.number(&mut body),
                        false => self.bit_field(&mut body),
                    }
                }
            }
            3 | 4 => self.alike(&mut body),
            5 => {
                let (integer, member) = (self.integer(), self.name('m'));
                let _ = match self.one_in(2) {
                    true => write!(body, "char {member}[{}]; ", 1 + self.rng.below(25)),
                    false => {
                        let [one, other] = [(); 2].map(|()| 1 + self.rng.below(3));
                        write!(body, "{integer} {member}[{one}][{other}]; ")
                    }
                };
            }
            _ => {
                for _ in 0..1 + self.rng.below(4) {
                    self.member(0, &mut body);
                }
            }
        }
        self.record_of(&body)
    }

    /// Up to four numbers of one floating-point type, perhaps with something between that takes no room.
    fn alike(&mut self, body: &mut String) {
        let ty = self.float();
        for _ in 0..1 + self.rng.below(4) {
            let member = self.name('m');
            let _ = match self.rng.below(12) {
                0 => write!(body, "int : {}; ", self.rng.pick(&["0", "0", "8", "32"])),
                1 => write!(body, "{ty} {member}[{}]; ", 1 + self.rng.below(2)),
                2 => write!(body, "struct {{ {ty} {member}; }}; "),
                3 => write!(body, "union {{ {ty} {member}; {ty} o{member}[2]; }}; "),
                4 => write!(body, "int {member}[0]; "),
                _ => write!(body, "{ty} {member}; "),
            };
        }
    }

    /// Writes a structure or a union with these members, and names it in one of C's ways.
    fn record_of(&mut self, body: &str) -> String {
        let pack = match self.one_in(10) {
            true => self.rng.pick(&["1", "2", "4", "8", "16"]),
            false => "",
        };
        if !pack.is_empty() {
            let _ = writeln!(self.types, "#pragma pack(push, {pack})");
        }
        let keyword = self
            .rng
            .pick(&["struct", "struct", "struct", "struct", "union"]);
        let attribute = self.attribute(6);
        let (tag, alias) = (self.name('s'), self.name('t'));
        let (text, name) = match self.rng.below(3) {
            0 => (
                format!("typedef {keyword} {{ {body}}}{attribute} {alias};"),
                alias,
            ),
            1 => (
                format!("typedef {keyword} {tag} {{ {body}}}{attribute} {alias};"),
                alias,
            ),
            _ => (
                format!("{keyword} {tag} {{ {body}}}{attribute};"),
                format!("{keyword} {tag}"),
            ),
        };
        let _ = writeln!(self.types, "{text}");
        if !pack.is_empty() {
            self.types.push_str("#pragma pack(pop)\n");
        }
        if self.one_in(2) {
            self.records.push(name.clone());
        }
        name
    }

    fn attribute(&mut self, one_in: usize) -> &'static str {
        if !self.one_in(one_in) {
            return "";
        }
        self.rng.pick(&[
            " __attribute__((packed))",
            " __attribute__((packed))",
            " __attribute__((aligned(2)))",
            " __attribute__((aligned(4)))",
            " __attribute__((aligned(8)))",
            " __attribute__((aligned(16)))",
            " __attribute__((aligned(32)))",
            " __attribute__((packed, aligned(4)))",
        ])
    }

    fn bit_field(&mut self, body: &mut String) {
        let ty = match self.rng.below(10) {
            0 => "_Bool".to_owned(),
            1 if !self.enums.is_empty() => self.enums[0].clone(),
            _ => self.integer(),
        };
        let bits = self.bits(&ty);
        let width = match self.rng.below(5) {
            0 => bits,
            _ => self.rng.below(bits + 1),
        };
        let member = self.name('m');
        let _ = match width == 0 || self.one_in(7) {
            true => write!(body, "{ty} : {width}; "),
            false => write!(body, "{ty} {member} : {width}{}; ", self.attribute(12)),
        };
    }

    /// The most bits of a bit-field of this type.
    fn bits(&self, ty: &str) -> usize {
        let long = 8 * self.target.model.long_bytes();
        match ty {
            "_Bool" => 1,
            "char" | "signed char" | "unsigned char" | "int8_t" => 8,
            "short" | "unsigned short" | "uint16_t" => 16,
            "wchar_t" if long == 32 => 16,
            "long" | "unsigned long" => long,
            "long long" | "unsigned long long" | "size_t" | "ptrdiff_t" | "uint64_t" => 64,
            _ => 32,
        }
    }

    fn number(&mut self, body: &mut String) {
        let ty = match self.rng.below(12) {
            0 => "_Bool".to_owned(),
            1 => "void *".to_owned(),
            2 if !self.enums.is_empty() => self.enums[0].clone(),
            3 if self.one_in(3) => "__int128".to_owned(),
            3..6 => self.float(),
            _ => self.integer(),
        };
        let member = self.name('m');
        let _ = write!(body, "{ty} {member}{}; ", self.attribute(12));
    }

    fn member(&mut self, depth: u32, body: &mut String) {
        let member = self.name('m');
        match self.rng.below(12) {
            0..3 => self.bit_field(body),
            3 | 4 if depth < 2 => {
                let keyword = self.rng.pick(&["struct", "union"]);
                let _ = write!(body, "{keyword} {{ ");
                for _ in 0..1 + self.rng.below(3) {
                    self.member(depth + 1, body);
                }
                let attribute = self.attribute(8);
                let name = match self.rng.below(4) {
                    0 | 1 => String::new(),
                    2 => format!(" {member}"),
                    _ => format!(" {member}[2]"),
                };
                let _ = write!(body, "}}{attribute}{name}; ");
            }
            5 if !self.records.is_empty() => {
                let known = self.known();
                let _ = write!(body, "{known} {member}; ");
            }
            6 => {
                let ty = match self.one_in(2) {
                    true => self.float(),
                    false => self.integer(),
                };
                let count = 1 + self.rng.below(3);
                let _ = match self.one_in(3) {
                    true => write!(body, "{ty} {member}[2][{count}]; "),
                    false => write!(body, "{ty} {member}[{count}]; "),
                };
            }
            7 => {
                let _ = write!(body, "int (*{member})(void); ");
            }
            _ => self.number(body),
        }
    }
}

/// The type that C promotes an argument behind `...` to.
fn promoted(ty: &str) -> &str {
    match ty {
        "float" => "double",
        "_Bool" | "char" | "signed char" | "unsigned char" | "short" | "unsigned short"
        | "int8_t" | "uint16_t" | "wchar_t" => "int",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::ALL;

    #[test]
    fn a_few_hundred_texts_have_all_that_headers_have() {
        for target in ALL.into_iter().filter(|target| target.platform.is_some()) {
            let mut all = String::new();
            let mut refused = Vec::new();
            for index in 0..300 {
                let (case, reasons) = case(1, index, target);
                all.push_str(&case.to_string());
                refused.extend(reasons);
            }
            for wanted in [
                "union {",
                "typedef struct {",
                "#pragma pack",
                "packed",
                "aligned(16)",
                " : 0;",
                "_Bool",
                "int : ",
                "enum ",
                "[2][",
                "__int128",
                "float _Complex",
                "size_t",
                "wchar_t",
                "(*a",
                "...",
                "))(char, double)",
                "double a",
            ] {
                assert!(all.contains(wanted), "{target}: {wanted}");
            }
            assert!(!refused.is_empty(), "{target}");
        }
    }

    #[test]
    fn a_case_comes_back_from_its_text() {
        let (made, _) = case(3, 5, ALL[0]);
        assert_eq!(case(3, 5, ALL[0]).0, made);
        let text = made.declared.as_ref().map(|declared| declared.text.clone());
        let again = Case::declared(5, text.expect("a text"), ALL[0]);
        assert_eq!(again.expect("C"), Ok(made));
    }
}
