//! A convention's rules in words, as far as they explain a plan.

use farcall_arch::abi::regs::{Isa, Variadics};
use farcall_arch::{Move, Place, Plan, Type};

use super::names::{place, stack_pointer};

/// Notes on an argument, besides its places.
pub fn of_argument(
    plan: &Plan,
    ty: &Type,
    moves: &[&Move],
    mirrors: &[&Move],
    is_more: bool,
) -> Vec<String> {
    let row = plan.abi.convention();
    let mut notes = Vec::new();
    let is_struct = matches!(ty, Type::Struct(_) | Type::Complex(_));
    let is_fp = |mv: &&Move| matches!(mv.place, Place::Fp(_));
    let is_stack = |mv: &&Move| matches!(mv.place, Place::Stack { .. });
    if moves.iter().any(|mv| mv.copy.is_some()) {
        notes.push("by reference: the caller makes a copy and passes its address".to_owned());
    } else if is_struct && !moves.is_empty() && moves.iter().all(is_fp) && row.isa == Isa::A64 {
        notes.push(match moves.len() {
            1 => "a homogeneous floating-point aggregate of one member".to_owned(),
            count => format!(
                "a homogeneous floating-point aggregate: its {count} members take a register each"
            ),
        });
    } else if is_struct && moves.len() > 1 && row.isa == Isa::X64 {
        let classes: Vec<&str> = moves
            .iter()
            .map(|mv| if is_fp(mv) { "SSE" } else { "INTEGER" })
            .collect();
        notes.push(format!("classified by eightbytes: {}", classes.join(", ")));
    } else if is_struct && moves.iter().any(is_stack) {
        notes.push(on_stack(plan, ty));
    }
    for mirror in mirrors {
        let register = place(plan, mirror.place);
        notes.push(format!(
            "also in {register}: a variadic callee may look in either"
        ));
    }
    if is_more {
        match row.variadics {
            Variadics::OnStack(_) => notes.push("behind the '...': always on the stack".to_owned()),
            Variadics::InIntegers => {
                notes.push("variadic: never in a floating-point register".to_owned());
            }
            Variadics::LikeOthers | Variadics::Mirrored => {}
        }
    }
    if moves.is_empty() {
        notes.push("has no bytes to pass".to_owned());
    }
    notes
}

fn on_stack(plan: &Plan, ty: &Type) -> String {
    match plan.abi.convention().isa {
        Isa::X64 if ty.size() > 16 => "larger than two eightbytes: in memory".to_owned(),
        Isa::X64 => {
            "in memory: no registers are left for the whole, or a member is not aligned".to_owned()
        }
        Isa::A64 => "on the stack: no registers are left for the whole".to_owned(),
    }
}

/// Notes on the result.
pub fn of_result(plan: &Plan, ty: &Type) -> Vec<String> {
    let row = plan.abi.convention();
    let mut notes = Vec::new();
    if let Some(sret) = plan.sret {
        let pointer = sret.pointer.name(row.isa);
        let mut note = format!("in memory of the caller's, whose address is passed in {pointer}");
        if let Some(returned) = sret.returned {
            note += &format!(" and given back in {}", returned.name(row.isa));
        }
        notes.push(note);
    }
    let is_struct = matches!(ty, Type::Struct(_) | Type::Complex(_));
    let is_all_fp = plan.ret.iter().all(|mv| matches!(mv.place, Place::Fp(_)));
    if is_struct && plan.ret.len() > 1 {
        notes.push(match (row.isa, is_all_fp) {
            (Isa::A64, true) => "a homogeneous floating-point aggregate".to_owned(),
            _ => format!("in {} registers", plan.ret.len()),
        });
    }
    if plan.ret.iter().any(|mv| matches!(mv.place, Place::X87(_))) {
        notes.push("on the x87's register stack".to_owned());
    }
    notes
}

/// Notes on the call as a whole.
pub fn of_call(plan: &Plan, is_variadic: bool) -> Vec<String> {
    let row = plan.abi.convention();
    let pointer = stack_pointer(plan);
    let mut notes = Vec::new();
    let total = plan.stack + plan.copies;
    notes.push(match total {
        0 => format!("No stack: {pointer} is at a multiple of {} at the call.", row.stack_align),
        total => format!(
            "The caller keeps {total} bytes of stack, and {pointer} is at a multiple of {} at the call.",
            row.stack_align
        ),
    });
    if row.shadow > 0 {
        notes.push(format!(
            "{} bytes of shadow space are the callee's, whether or not it has arguments.",
            row.shadow
        ));
    }
    if row.positional {
        notes.push(
            "The n-th argument takes the n-th register, of one kind or the other.".to_owned(),
        );
    }
    if let (Some(count), true) = (plan.vector_args, is_variadic) {
        let registers = match count {
            1 => "1 vector register carries".to_owned(),
            count => format!("{count} vector registers carry"),
        };
        notes.push(format!(
            "al tells the callee that {registers} arguments, as it is variadic."
        ));
    }
    if row.stack_word == 1
        && plan
            .args
            .iter()
            .any(|mv| matches!(mv.place, Place::Stack { .. }))
    {
        notes.push("Named arguments are packed on the stack by their own sizes.".to_owned());
    }
    if row.red_zone > 0 {
        notes.push(format!(
            "The {} bytes below {pointer} stay as they are in signal handlers.",
            row.red_zone
        ));
    }
    let saved: Vec<String> = row.callee_saved.iter().map(|it| it.name(row.isa)).collect();
    notes.push(format!(
        "The callee gives back as they were: {}.",
        ranges(&saved)
    ));
    notes
}

/// Shortens ranges of names: `x19, x20, x21` becomes `x19–x21`.
fn ranges(names: &[String]) -> String {
    let number = |name: &str| {
        name.trim_start_matches(|c: char| c.is_alphabetic())
            .parse::<u32>()
            .ok()
    };
    let mut shown: Vec<(String, String, Option<u32>)> = Vec::new();
    for name in names {
        let this = number(name);
        match shown.last_mut() {
            Some((_, last, end))
                if this.is_some() && *end == this.and_then(|n| n.checked_sub(1)) =>
            {
                last.clone_from(name);
                *end = this;
            }
            _ => shown.push((name.clone(), name.clone(), this)),
        }
    }
    let texts = shown.iter().map(|(first, last, _)| match first == last {
        true => first.clone(),
        false => format!("{first}–{last}"),
    });
    texts.collect::<Vec<_>>().join(", ")
}
