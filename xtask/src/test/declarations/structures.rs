//! Checks random structures and unions, with everything that changes where members lie.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Result;
use farcall_cdecl::c::{Declarations, Field, TypeId};

use super::{Assertions, Report, judges, platform};
use crate::process::{self, Output};
use crate::target::Target;

/// The number of structures.
const COUNT: usize = 10_000;

/// The number of structures whose bit-fields a program writes to.
const WRITTEN: usize = 1_000;

/// Integers that a bit-field may have, and their bits on 64-bit Unix.
const INTEGERS: [(&str, u32); 12] = [
    ("char", 8),
    ("signed char", 8),
    ("unsigned char", 8),
    ("short", 16),
    ("unsigned short", 16),
    ("int", 32),
    ("unsigned", 32),
    ("long", 64),
    ("unsigned long", 64),
    ("long long", 64),
    ("_Bool", 1),
    ("enum e", 32),
];

const OTHERS: [&str; 4] = ["float", "double", "void *", "long double"];

struct Generator {
    state: u64,
    members: u32,
    is_windows: bool,
    /// Tags that may be members of others.
    known: Vec<String>,
}

impl Generator {
    fn below(&mut self, limit: u32) -> u32 {
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) as u32 % limit
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len() as u32) as usize]
    }

    fn attribute(&mut self, one_in: u32) -> &'static str {
        if self.below(one_in) != 0 {
            return "";
        }
        self.pick(&[
            " __attribute__((packed))",
            " __attribute__((aligned(1)))",
            " __attribute__((aligned(2)))",
            " __attribute__((aligned(4)))",
            " __attribute__((aligned(8)))",
            " __attribute__((aligned(16)))",
            " __attribute__((aligned(32)))",
        ])
    }

    fn integer(&mut self) -> (&'static str, u32) {
        let (name, bits) = INTEGERS[self.below(INTEGERS.len() as u32) as usize];
        let is_long = matches!(name, "long" | "unsigned long");
        (name, if self.is_windows && is_long { 32 } else { bits })
    }

    fn member(&mut self, depth: u32, text: &mut String) -> Result<()> {
        self.members += 1;
        let number = self.members;
        match self.below(20) {
            0..=6 => {
                let (ty, bits) = self.integer();
                let width = match self.below(4) {
                    0 => bits,
                    _ => self.below(bits + 1),
                };
                let name = if width == 0 || self.below(7) == 0 {
                    String::new()
                } else {
                    format!("m{number}")
                };
                let attribute = if name.is_empty() {
                    ""
                } else {
                    self.attribute(8)
                };
                write!(text, "{ty} {name} : {width}{attribute}; ")?;
            }
            7..=8 if depth < 3 => {
                let keyword = self.pick(&["struct", "union"]);
                write!(text, "{keyword} {{ ")?;
                for _ in 0..1 + self.below(3) {
                    self.member(depth + 1, text)?;
                }
                let attribute = self.attribute(4);
                let name = if self.below(2) == 0 {
                    String::new()
                } else {
                    format!("m{number}")
                };
                write!(text, "}}{attribute} {name}; ")?;
            }
            9..=10 if !self.known.is_empty() => {
                let index = self.below(self.known.len() as u32) as usize;
                write!(text, "{} m{number}; ", self.known[index])?;
            }
            11 => {
                let (ty, _) = self.integer();
                write!(text, "{ty} m{number}[{}]; ", 1 + self.below(4))?;
            }
            12 => write!(
                text,
                "{} m{number}{}; ",
                self.pick(&OTHERS),
                self.attribute(6)
            )?,
            _ => {
                let (ty, _) = self.integer();
                write!(text, "{ty} m{number}{}; ", self.attribute(6))?;
            }
        }
        Ok(())
    }

    fn structure(&mut self, number: usize, text: &mut String) -> Result<()> {
        let pack = self.pick(&["", "", "", "", "", "", "", "1", "2", "4", "8", "16"]);
        if !pack.is_empty() {
            writeln!(text, "#pragma pack(push, {pack})")?;
        }
        let keyword = self.pick(&["struct", "struct", "struct", "union"]);
        write!(text, "{keyword} s{number} {{ ")?;
        for _ in 0..1 + self.below(7) {
            self.member(0, text)?;
        }
        writeln!(text, "}}{};", self.attribute(4))?;
        if !pack.is_empty() {
            writeln!(text, "#pragma pack(pop)")?;
        }
        if self.below(3) == 0 {
            self.known.push(format!("{keyword} s{number}"));
        }
        Ok(())
    }
}

pub fn by_chance(target: Target, work: &Path, report: &mut Report) -> Result<()> {
    let mut generator = Generator {
        state: 1,
        members: 0,
        is_windows: target == Target::X86_64Windows,
        known: Vec::new(),
    };
    let mut text = String::from("enum e { E0 };\n");
    for number in 0..COUNT {
        generator.structure(number, &mut text)?;
    }
    let mut c = Declarations::new(platform(target))?;
    c.read(&text)?;
    let assertions = Assertions::of(&c)?;
    let count = assertions.text.lines().count();
    for judge in judges::all(target) {
        let said = assertions.judge(judge, work, &[], &text)?;
        let differing = said.failed.len();
        println!(
            "{COUNT} structures by chance: {} of {count} assertions are as {} has them",
            count - differing,
            judge.name
        );
        if let Some(other) = &said.other {
            println!("FAIL  {other}");
        }
        let is_agreed = said.other.is_none() && (differing == 0 || !judge.is_final());
        report.add(
            is_agreed,
            format!("structures by chance: {} does not agree", judge.name),
        );
        if differing > 0 {
            println!("otherwise: {}", named(&said.failed, &text));
            report.notes.push(format!(
                "{} has {differing} assertions about structures by chance otherwise; the output names them",
                judge.name
            ));
        }
    }
    let _runner = target.start_runner()?;
    bit_fields(target, work, &c, &text, report)
}

/// Runs a program that sets every bit-field to all ones, and prints where the ones are.
fn bit_fields(
    target: Target,
    work: &Path,
    c: &Declarations,
    text: &str,
    report: &mut Report,
) -> Result<()> {
    let mut program =
        format!("#include <stdio.h>\n#include <string.h>\n{text}\nstatic int wrong;\n");
    program.push_str(
        "static void look(const char *what, const unsigned char *at, unsigned size, unsigned first, unsigned width) {\n\
         for (unsigned bit = 0; bit < size * 8; ++bit)\n\
         if ((at[bit / 8] >> bit % 8 & 1) != (bit >= first && bit < first + width)) { printf(\"%s\\n\", what); wrong = 1; return; }\n}\n\
         int main(void) {\n",
    );
    let mut count = 0;
    for (_, ty) in c.tags().take(WRITTEN) {
        for field in members(c, ty) {
            if let (Some(name), Some((first, width))) = (field.name, field.bits()) {
                let (ty, name) = (c.show(ty), c.name(name));
                let first = field.offset() * 8 + u64::from(first);
                writeln!(
                    program,
                    "{{ static {ty} x; memset(&x, 0, sizeof x); x.{name} = -1; look(\"{ty}.{name}\", (void *)&x, sizeof x, {first}, {width}); }}"
                )?;
                count += 1;
            }
        }
    }
    program.push_str("return wrong; }\n");
    let (source, built) = (work.join("bits.c"), work.join("bits.exe"));
    fs::write(&source, program)?;
    let mut cc = Command::new(target.spec().cc);
    cc.args(["-w", "-O0", "-o"]).arg(&built).arg(&source);
    process::run(&mut cc, Output::OnFailure)?;
    let said = process::transcript(&mut target.command(&built)?, None)?;
    println!("{count} bit-fields written to");
    if !said.success() {
        println!("{}", said.text());
    }
    report.add(
        said.success() && count > WRITTEN / 2,
        "bit-fields are not where the compiler has them",
    );
    Ok(())
}

fn members(c: &Declarations, ty: TypeId) -> &[Field] {
    let fields = c.record(ty).and_then(|record| c.fields(record));
    fields.unwrap_or_default()
}

/// The number of structures that are shown with their text.
const SHOWN: usize = 5;

/// The structures that assertions are about, the first with their text.
fn named(failed: &[String], text: &str) -> String {
    let mut tags: Vec<&str> = failed
        .iter()
        .map(|about| about.split('.').next().unwrap_or(about))
        .collect();
    tags.dedup();
    let shown = tags.iter().enumerate().map(|(index, tag)| {
        let start = format!("{tag} {{");
        match text.lines().find(|line| line.starts_with(&start)) {
            Some(line) if index < SHOWN => line.to_owned(),
            _ => (*tag).to_owned(),
        }
    });
    shown.collect::<Vec<_>>().join(", ")
}
