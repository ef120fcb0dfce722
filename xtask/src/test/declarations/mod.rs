//! The step in which C compilers check how farcall reads C declarations: those of whole headers, and random structures.
//!
//! The results of reading become assertions in C: sizes, alignments and offsets, the types of functions, the values of constants. The
//! compiler gets them behind the same text. GCC's verdict is final; differences between clang and GCC are listed.

mod headers;
mod judges;
mod mutated;
mod structures;

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::Result;
use farcall_cdecl::c::{Constant, Declarations, Platform, TypeId};

use super::Report;
use crate::paths;
use crate::setup;
use crate::target::Target;
use judges::{Judge, Said};

pub fn declarations(target: Target) -> Result<Report> {
    setup::ensure(target.spec().needs)?;
    setup::ensure(setup::COMPILERS)?;
    let work = paths::made(
        paths::root()
            .join("target/declarations")
            .join(target.spec().triple),
    )?;
    let mut report = Report::default();
    headers::all(target, &work, &mut report)?;
    structures::by_chance(target, &work, &mut report)?;
    Ok(report)
}

fn platform(target: Target) -> Platform {
    match target {
        Target::X86_64Linux => Platform::LINUX_X86_64,
        Target::Aarch64Linux => Platform::LINUX_AARCH64,
        Target::X86_64Windows => Platform::WINDOWS_X86_64_GNU,
    }
}

/// Assertions about the results of reading, and the number of each kind.
#[derive(Default)]
struct Assertions {
    text: String,
    functions: usize,
    types: usize,
    constants: usize,
    /// Functions whose types cannot be written in C, as a part has no name.
    nameless: usize,
}

impl Assertions {
    fn of(c: &Declarations) -> Result<Assertions> {
        let mut all = Assertions::default();
        for (name, ty) in c.typedefs() {
            all.layout(c, c.name(name), ty)?;
        }
        for (_, ty) in c.tags() {
            all.layout(c, &c.show(ty).to_string(), ty)?;
        }
        for function in c.functions() {
            let (name, ty) = (c.name(function.name), c.show(function.ty).to_string());
            if ty.contains("{...}") {
                all.nameless += 1;
                continue;
            }
            let condition = format!("__builtin_types_compatible_p(__typeof__({name}), {ty})");
            all.assert(&condition, name)?;
            all.functions += 1;
        }
        for (name, value) in c.constants() {
            if let Constant::Integer(value) = value {
                let suffix = if value > i64::MAX.into() { "ull" } else { "" };
                let name = c.name(name);
                // C has no constant for the least `long`.
                let shown = match value == i64::MIN.into() {
                    true => "(-9223372036854775807 - 1)".to_owned(),
                    false => format!("{value}{suffix}"),
                };
                all.assert(&format!("({name}) == {shown}"), name)?;
                all.constants += 1;
            }
        }
        Ok(all)
    }

    fn layout(&mut self, c: &Declarations, name: &str, ty: TypeId) -> Result<()> {
        let Some(layout) = c.layout(ty) else {
            return Ok(());
        };
        let (size, align) = (layout.size, layout.align);
        self.assert(
            &format!("sizeof({name}) == {size} && _Alignof({name}) == {align}"),
            name,
        )?;
        self.types += 1;
        let fields = c.record(ty).and_then(|record| c.fields(record));
        for field in fields.unwrap_or_default() {
            if let (Some(member), None) = (field.name, field.bits()) {
                let (member, offset) = (c.name(member), field.offset());
                let condition = format!("__builtin_offsetof({name}, {member}) == {offset}");
                self.assert(&condition, &format!("{name}.{member}"))?;
            }
        }
        Ok(())
    }

    fn assert(&mut self, condition: &str, about: &str) -> Result<()> {
        writeln!(self.text, "_Static_assert({condition}, \"{about}\");")?;
        Ok(())
    }

    /// The compiler's verdict on the text with the assertions behind it.
    fn judge(&self, judge: Judge, work: &Path, options: &[String], text: &str) -> Result<Said> {
        let file = work.join("judged.c");
        fs::write(&file, format!("{text}\n{}", self.text))?;
        judge.judge(&file, options)
    }
}
