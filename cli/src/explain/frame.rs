//! Comments on instructions that set up a stack frame: saved registers, and room on the stack.

use farcall_arch::Place;

use super::narrate::{Direction, Narrator, Thing};
use super::operands::Instruction;

impl Narrator<'_> {
    /// The comment on an instruction that saves registers or makes room.
    pub(super) fn of_frame(&mut self, it: &Instruction) -> Option<String> {
        let first = it.register(0);
        let by = it.number().unwrap_or(0);
        match it.mnemonic.as_str() {
            "push" if first.is_some_and(|name| self.is_kept(name)) => {
                self.depth += 8;
                Some(format!("saves our caller's {}", first.unwrap_or_default()))
            }
            "push" => Some(self.of_push(it)),
            "pop" => {
                self.depth -= 8;
                Some(format!(
                    "gives our caller its {} back",
                    first.unwrap_or_default()
                ))
            }
            "sub" if first == Some(self.sp) => {
                self.depth += by;
                Some(format!("makes room for {by} bytes: {}", self.room()))
            }
            "add" if first == Some(self.sp) => {
                self.depth -= by;
                Some("gives the room back".to_owned())
            }
            "stp" | "str" if first.is_some_and(|name| self.is_kept(name)) => {
                let memory = it.memory()?;
                if memory.moves_base {
                    self.depth -= memory.offset;
                }
                let is_link = first == Some("x29");
                Some(match is_link {
                    true => "saves the frame pointer and the return address".to_owned(),
                    false => format!("saves our caller's {}", first.unwrap_or_default()),
                })
            }
            "ldp" | "ldr"
                if first.is_some_and(|name| self.is_kept(name)) && it.memory()?.base == self.sp =>
            {
                Some(match first == Some("x29") {
                    true => {
                        "the frame pointer and the return address again, and the room goes back"
                            .to_owned()
                    }
                    false => format!("gives our caller its {} back", first.unwrap_or_default()),
                })
            }
            "mov" if first == Some("sp") => Some("gives the room back".to_owned()),
            "mov" if first == Some("x29") => Some("the frame begins here".to_owned()),
            "or" | "orr" if it.memory().is_some() => {
                Some("touches the next page of the stack".to_owned())
            }
            _ => None,
        }
    }

    /// The comment on a push that does not save a register: a stack argument, or only room.
    fn of_push(&mut self, it: &Instruction) -> String {
        self.depth += 8;
        let known = it.register(0).and_then(|name| self.known.get(name));
        let what = match (it.memory(), known) {
            (Some(memory), _) => self.of_slots(memory).map(|mv| self.argument(mv)),
            (None, Some(Thing::Argument(mv))) => Some(self.argument(*mv)),
            _ => None,
        };
        match what {
            Some(what) => format!("{what}, to the stack"),
            None => "keeps the stack aligned".to_owned(),
        }
    }

    /// The purpose of room on the stack.
    fn room(&self) -> String {
        let plan = &self.explanation.plan;
        let has_shadow = plan.abi.convention().shadow > 0;
        match self.direction {
            Direction::Callback if has_shadow => {
                "slots for the arguments, and shadow space".to_owned()
            }
            Direction::Callback => "slots for the arguments".to_owned(),
            Direction::Call => {
                let mut what = Vec::new();
                if has_shadow {
                    what.push("shadow space");
                }
                if plan
                    .args
                    .iter()
                    .any(|mv| matches!(mv.place, Place::Stack { .. }))
                {
                    what.push("stack arguments");
                }
                if plan.copies > 0 {
                    what.push("copies");
                }
                match what.is_empty() {
                    true => "the stack stays aligned".to_owned(),
                    false => what.join(", "),
                }
            }
        }
    }

    /// Whether a register is callee-saved and still has the caller's value.
    fn is_kept(&self, name: &str) -> bool {
        let row = self.explanation.plan.abi.convention();
        let is_saved = row.callee_saved.iter().any(|it| it.name(self.isa) == name);
        let is_link = matches!(name, "x29" | "x30");
        (is_saved || is_link) && (!self.known.contains_key(name) || self.is_after_call)
    }
}
