//! The content of an explanation: each value's places, and the content of each register and stack word. All formats show this.

use std::ops::Range;

use farcall_arch::abi::regs::{Convention, Gpr};
use farcall_arch::{Abi, Extend, Move, Place, Plan, PlanError, Signature, Type, plan};

use super::names::{place, stack_pointer};
use super::words;
use crate::failure::{Failure, Result};
use crate::prototype::Prototype;
use crate::spelling::declared;
use crate::target::Target;

/// A call of one signature on one target.
pub struct Explanation {
    pub target: Target,
    pub prototype: String,
    /// The range of each argument in the prototype.
    pub spans: Vec<Range<usize>>,
    pub is_variadic: bool,
    pub plan: Plan,
    pub arguments: Vec<Value>,
    pub result: Value,
    pub registers: Vec<Bank>,
    pub stack: Vec<Cell>,
    pub notes: Vec<String>,
}

/// An argument, or the result.
pub struct Value {
    /// Its type, with its name.
    pub declared: String,
    /// A short label for pictures.
    pub label: String,
    pub size: u32,
    pub parts: Vec<Part>,
    pub notes: Vec<String>,
}

/// Some bytes of a value, with their place.
pub struct Part {
    /// The index of the first byte, and the number of bytes.
    pub bytes: (u32, u32),
    pub place: String,
    pub extend: &'static str,
    /// Whether the place holds the address of the bytes.
    pub is_address: bool,
}

/// The registers of one kind, in the order in which arguments take them.
pub struct Bank {
    pub title: &'static str,
    pub registers: Vec<Register>,
}

pub struct Register {
    pub name: String,
    pub holds: Option<Held>,
}

/// The content of a register or a stack word.
#[derive(Clone)]
pub struct Held {
    pub who: Who,
    pub label: String,
    /// A short description: which bytes, or what else it is.
    pub detail: String,
}

/// The owner of a content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    Argument(usize),
    /// The address for a result in memory.
    Result,
    /// A value that the convention demands: the number of vector registers.
    Convention,
    /// Shadow space, which the callee may use.
    Shadow,
    Padding,
}

/// A stack word, with its offset in bytes above the stack pointer at the call instruction.
pub struct Cell {
    pub offset: u32,
    pub size: u32,
    pub held: Held,
}

impl Explanation {
    pub fn of(prototype: &Prototype, target: Target) -> Result<Explanation> {
        let (signature, plan) = planned(prototype, target.abi())?;
        let row = plan.abi.convention();
        let labels: Vec<String> = (0..prototype.params.len())
            .map(|index| label(prototype, index))
            .collect();
        let arguments = (0..labels.len())
            .map(|index| argument(prototype, &signature, &plan, index, &labels[index]))
            .collect();
        let result = result(prototype, &signature, &plan);
        let (text, spans) = with_more(prototype);
        Ok(Explanation {
            registers: banks(row, &plan, &labels, prototype.is_variadic),
            stack: stack(&plan, &labels),
            notes: words::of_call(&plan, prototype.is_variadic),
            prototype: text,
            spans,
            is_variadic: prototype.is_variadic,
            target,
            arguments,
            result,
            plan,
        })
    }

    pub fn stack_pointer(&self) -> &'static str {
        stack_pointer(&self.plan)
    }
}

fn planned(prototype: &Prototype, abi: Abi) -> Result<(Signature, Plan)> {
    let c = &prototype.c;
    let refused = |index: usize, why: &dyn std::fmt::Display| {
        let declared = prototype.declared(&prototype.params[index]);
        let message = format!(
            "argument {} ({declared}): no value can be passed: {why}",
            index + 1
        );
        Failure::usage(message).with_detail(prototype.pointed(index))
    };
    let mut types = Vec::new();
    for (index, param) in prototype.params.iter().enumerate() {
        let is_list = index < prototype.fixed
            && c.platform().va_list_is_array
            && c.show(c_list(prototype, param.ty)).to_string() == "__builtin_va_list";
        types.push(match is_list {
            true => Type::POINTER,
            false => c.passed(param.ty).map_err(|error| refused(index, &error))?,
        });
    }
    let ret = c.passed(prototype.ret).map_err(|error| {
        let failure = Failure::usage(format_args!("result: no value can be passed: {error}"));
        failure.with_detail(&prototype.text)
    })?;
    let signature = match prototype.is_variadic {
        true => Signature::variadic(ret, types, prototype.fixed),
        false => Signature::new(ret, types),
    };
    let signature = signature
        .map_err(|error| Failure::usage(format_args!("{error}")).with_detail(&prototype.text))?;
    let plan = plan(&signature, abi).map_err(|error| match error {
        PlanError::NoX87 {
            argument: Some(index),
        }
        | PlanError::OverAligned {
            argument: index, ..
        } => Failure::usage(format_args!("{abi}: {error}")).with_detail(prototype.pointed(index)),
        _ => Failure::usage(format_args!("{abi}: {error}")).with_detail(&prototype.text),
    })?;
    Ok((signature, plan))
}

/// The type with typedefs resolved.
fn c_list(prototype: &Prototype, ty: farcall_cdecl::c::TypeId) -> farcall_cdecl::c::TypeId {
    match prototype.c.get(ty) {
        farcall_cdecl::c::Ty::Alias { of, .. } => of,
        _ => ty,
    }
}

/// The prototype with the arguments for its `...`, and the range of each argument in the text.
fn with_more(prototype: &Prototype) -> (String, Vec<Range<usize>>) {
    let mut text = prototype.text.clone();
    let mut spans = prototype.spans.clone();
    let mut at = prototype.end_of_params().end;
    for (number, param) in prototype.params[prototype.fixed..].iter().enumerate() {
        let separator = if number == 0 { " " } else { ", " };
        let declared = prototype.declared(param);
        text.insert_str(at, &format!("{separator}{declared}"));
        let start = at + separator.len();
        at = start + declared.len();
        spans.push(start..at);
    }
    (text, spans)
}

fn label(prototype: &Prototype, index: usize) -> String {
    match &prototype.params[index].name {
        Some(name) => name.clone(),
        None => format!("#{}", index + 1),
    }
}

fn argument(
    prototype: &Prototype,
    signature: &Signature,
    plan: &Plan,
    index: usize,
    label: &str,
) -> Value {
    let moves: Vec<&Move> = of(&plan.args, index).collect();
    let mirrors: Vec<&Move> = of(&plan.mirrors, index).collect();
    let ty = &signature.args()[index];
    let is_more = index >= prototype.fixed;
    Value {
        declared: prototype.declared(&prototype.params[index]),
        label: label.to_owned(),
        size: ty.size(),
        parts: moves.iter().map(|mv| part(plan, mv)).collect(),
        notes: words::of_argument(plan, ty, &moves, &mirrors, is_more),
    }
}

fn result(prototype: &Prototype, signature: &Signature, plan: &Plan) -> Value {
    let ty = signature.ret();
    Value {
        declared: declared(&prototype.c, prototype.ret, None),
        label: "result".to_owned(),
        size: ty.size(),
        parts: plan.ret.iter().map(|mv| part(plan, mv)).collect(),
        notes: words::of_result(plan, ty),
    }
}

/// The moves of one argument.
pub fn of(moves: &[Move], index: usize) -> impl Iterator<Item = &Move> {
    moves.iter().filter(move |mv| mv.value as usize == index)
}

fn part(plan: &Plan, mv: &Move) -> Part {
    // A packed stack has no bytes to fill.
    let is_packed = matches!(mv.place, Place::Stack { size, .. } if size == mv.width);
    Part {
        bytes: (mv.offset, mv.width),
        place: place(plan, mv.place),
        extend: match mv.extend {
            _ if is_packed => "",
            Extend::None => "",
            Extend::Sign => "sign-extended",
            Extend::Zero => "zero-extended",
        },
        is_address: mv.copy.is_some(),
    }
}

/// The content that a move puts into a register or a stack word.
fn held(plan: &Plan, labels: &[String], mv: &Move) -> Held {
    let index = mv.value as usize;
    let is_whole = of(&plan.args, index).count() == 1;
    let last = (mv.offset + mv.width).saturating_sub(1);
    let detail = match (mv.copy, is_whole) {
        (Some(_), _) => "address of a copy".to_owned(),
        (None, true) => String::new(),
        (None, false) => format!("bytes {}–{last}", mv.offset),
    };
    Held {
        who: Who::Argument(index),
        label: labels[index].clone(),
        detail,
    }
}

fn banks(row: &Convention, plan: &Plan, labels: &[String], is_variadic: bool) -> Vec<Bank> {
    let isa = row.isa;
    let own = |who, label: String, detail: &str| Held {
        who,
        label,
        detail: detail.to_owned(),
    };
    let address = || own(Who::Result, "result".to_owned(), "address");
    let is_sret = |register: Gpr| plan.sret.is_some_and(|sret| sret.pointer == register);
    let int = |register: Gpr| Register {
        name: register.name(isa),
        holds: match is_sret(register) {
            true => Some(address()),
            false => holder(plan, labels, Place::Int(register)),
        },
    };
    let mut ints: Vec<Register> = row.int_args.iter().map(|&register| int(register)).collect();
    if !row.int_args.contains(&row.sret) {
        ints.push(int(row.sret));
    }
    if let (Some(count), true) = (plan.vector_args, is_variadic) {
        ints.push(Register {
            name: "al".to_owned(),
            holds: Some(own(Who::Convention, count.to_string(), "vectors")),
        });
    }
    let fps = row.fp_args.iter().map(|&register| Register {
        name: register.name(isa),
        holds: holder(plan, labels, Place::Fp(register)),
    });
    vec![
        Bank {
            title: "integer registers",
            registers: ints,
        },
        Bank {
            title: "floating-point registers",
            registers: fps.collect(),
        },
    ]
}

/// The content of a register.
fn holder(plan: &Plan, labels: &[String], place: Place) -> Option<Held> {
    let is_it = |mv: &&Move| mv.place == place;
    if let Some(mv) = plan.args.iter().find(is_it) {
        return Some(held(plan, labels, mv));
    }
    let mirror = plan.mirrors.iter().find(is_it)?;
    Some(Held {
        detail: "again".to_owned(),
        ..held(plan, labels, mirror)
    })
}

/// The stack from the pointer up: shadow space, arguments, padding, and then the copies.
fn stack(plan: &Plan, labels: &[String]) -> Vec<Cell> {
    let row = plan.abi.convention();
    let own = |who, label: &str, detail: &str| Held {
        who,
        label: label.to_owned(),
        detail: detail.to_owned(),
    };
    let mut cells = Vec::new();
    if row.shadow > 0 {
        let held = own(Who::Shadow, "shadow space", "the callee may use it");
        cells.push(Cell {
            offset: 0,
            size: row.shadow,
            held,
        });
    }
    for mv in &plan.args {
        if let Place::Stack { offset, size } = mv.place {
            cells.push(Cell {
                offset,
                size,
                held: held(plan, labels, mv),
            });
        }
        if let Some(copy) = mv.copy {
            let label = &labels[mv.value as usize];
            let mut held = own(Who::Argument(mv.value as usize), label, "the copy");
            held.label.clone_from(label);
            cells.push(Cell {
                offset: plan.stack + copy,
                size: mv.width,
                held,
            });
        }
    }
    cells.sort_by_key(|cell| cell.offset);
    let mut filled: Vec<Cell> = Vec::new();
    let mut end = 0;
    let total = plan.stack + plan.copies;
    let padding = |offset, size| Cell {
        offset,
        size,
        held: own(Who::Padding, "", "padding"),
    };
    for cell in cells {
        if cell.offset > end {
            filled.push(padding(end, cell.offset - end));
        }
        end = cell.offset + cell.size;
        filled.push(cell);
    }
    if total > end {
        filled.push(padding(end, total - end));
    }
    filled
}
