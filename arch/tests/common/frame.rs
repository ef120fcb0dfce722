//! What all emitted code must keep to, checked by going over it as a disassembler reads it, along with the frame notes that
//! unwinding goes by.

use super::decode::{Flow, Instruction, StackMove, Written, decode, dwarf_number};
use farcall_arch::abi::regs::{Convention, Isa, a64};
use farcall_arch::emit::Code;
use farcall_arch::emit::unwind::{FrameChange, FrameChangeKind, Shadow, shadow};
use std::collections::{BTreeMap, BTreeSet};

/// A step of more than this could jump over a guard page.
const PAGE: i64 = 4096;

/// Frames of fewer bytes have a shadow.
const SHADOW_REACH: i64 = 256 * 1024;

/// How close to the stack pointer a frame must have been touched last. On x64 the call itself writes the return address; a callee on
/// AArch64 counts on its caller to have touched all but 1024 bytes (AAPCS64 has no rule, but gcc's -fstack-clash-protection).
fn near(isa: Isa) -> i64 {
    match isa {
        Isa::X64 => PAGE - 8,
        Isa::A64 => 1024,
    }
}

/// The offset within the code that an instruction leads to.
fn target(instruction: &Instruction) -> Option<u32> {
    match instruction.flow {
        Flow::Branch(target) | Flow::Goto(target) => u32::try_from(target).ok(),
        _ => instruction.names,
    }
}

/// The store that a load from the same place, to the same registers, takes back.
fn store_of(load: &str) -> String {
    match load
        .strip_prefix("movups ")
        .and_then(|operands| operands.split_once(", "))
    {
        Some((register, place)) => format!("movups {place}, {register}"),
        None => load.replacen("ld", "st", 1),
    }
}

/// Runs over the instructions with the rules that any trampoline and any entry must keep. What follows the last of them that
/// anything leads to is data.
pub fn check_code(code: &Code) -> Result<(), String> {
    let instructions = decode(code);
    let first = &instructions[0];
    if !["endbr64", "bti c"].contains(&first.text.as_str()) {
        return Err(format!("begins with {}", first.text));
    }
    let mut checker = Checker {
        code,
        row: code.abi.convention(),
        boundaries: instructions.iter().map(|i| i.offset).collect(),
        targets: instructions.iter().filter_map(target).collect(),
        frame: Frame::new(code),
        frames: BTreeMap::new(),
        stores: BTreeSet::new(),
        shadow: shadow(code).expect("memory"),
    };
    for instruction in &instructions {
        let complain = |why| format!("{} {}: {why}", instruction.offset, instruction.text);
        checker.check(instruction).map_err(complain)?;
        if !checker.follow(instruction).map_err(complain)? {
            return Ok(());
        }
    }
    Err("runs on behind its end".to_owned())
}

struct Checker<'a> {
    code: &'a Code,
    row: &'a Convention,
    /// Where instructions begin.
    boundaries: BTreeSet<u32>,
    /// Where some of them lead to.
    targets: BTreeSet<u32>,
    /// The frame as it is now, and ahead of each target as far as that is known.
    frame: Frame,
    frames: BTreeMap<u32, Frame>,
    /// Stores to the stack, and how deep the frame was then.
    stores: BTreeSet<(i64, String)>,
    /// What is written beside the code, where that is done.
    shadow: Option<Shadow>,
}

impl Checker<'_> {
    /// What the instruction itself does.
    fn check(&mut self, instruction: &Instruction) -> Result<(), String> {
        self.frame
            .check_shadow(self.shadow.as_ref(), instruction.offset)?;
        if self.targets.contains(&instruction.offset) {
            self.frames.insert(instruction.offset, self.frame.clone());
        }
        let restored = (self.frame.depth, store_of(&instruction.text));
        let is_loaded_back = self.stores.contains(&restored);
        self.frame
            .check_writes(self.row, instruction, is_loaded_back)?;
        self.frame.check_access(instruction)?;
        if instruction
            .stack_access
            .is_some_and(|access| access.is_write)
        {
            let store = (self.frame.depth, instruction.text.clone());
            self.stores.insert(store);
        }
        self.frame.step(instruction)?;
        self.frame.check_flow(self.row, instruction)
    }

    /// Goes on where it leads to. Says whether there is anything that it or another one leads to.
    fn follow(&mut self, instruction: &Instruction) -> Result<bool, String> {
        let next = instruction.offset + instruction.len;
        let mut links = self.code.to_shared.iter();
        if links.any(|link| (instruction.offset..next).contains(link)) {
            self.frame.check_shared(instruction)?;
        } else {
            self.note_target(instruction)?;
        }
        if matches!(instruction.flow, Flow::Return | Flow::Jump | Flow::Goto(_)) {
            match (self.frames.get(&next), self.frames.range(next..).next()) {
                (Some(frame), _) => self.frame = frame.clone(),
                (None, None) => return Ok(false),
                (None, Some(_)) => return Err("is followed by what nothing leads to".to_owned()),
            }
        }
        self.frame.note(self.code, next);
        let Frame { depth, noted, .. } = self.frame;
        if noted != depth {
            return Err(format!("{depth} bytes deep, {noted} noted"));
        }
        match self.frames.get(&next) {
            Some(there) if !there.is_like(&self.frame) => {
                Err("runs on to another frame".to_owned())
            }
            _ => Ok(true),
        }
    }

    /// Wherever it leads to within the code, the frame is the same.
    fn note_target(&mut self, instruction: &Instruction) -> Result<(), String> {
        let target = match instruction.flow {
            Flow::Branch(target) | Flow::Goto(target) => u32::try_from(target).ok(),
            _ if instruction.names.is_none() => return Ok(()),
            _ => instruction.names,
        };
        let Some(target) = target.filter(|target| self.boundaries.contains(target)) else {
            return Err("leads out of the code".to_owned());
        };
        let now = &self.frame;
        match self.frames.entry(target).or_insert_with(|| now.clone()) {
            there if there.is_like(now) => Ok(()),
            _ => Err("leads to another frame".to_owned()),
        }
    }
}

/// How deep a change makes the frame.
fn depth_of(change: &FrameChange) -> i64 {
    match change.kind {
        FrameChangeKind::CfaOffset(bytes) => bytes.into(),
        FrameChangeKind::Saved(..) | FrameChangeKind::Restored(_) => 0,
    }
}

/// The stack frame, by what instructions do and by what the emitter noted.
#[derive(Clone)]
struct Frame {
    isa: Isa,
    at_entry: i64,
    depth: i64,
    noted: i64,
    /// How deep it is noted to be in all of the code.
    deepest: i64,
    /// What a loop on AArch64 counts down from, and whether it touches as many pages.
    pages: Option<(i64, bool)>,
    /// How deep the frame has been written to.
    touched: i64,
    /// The depth where the frame record is, once there is one.
    record: Option<i64>,
    /// DWARF numbers of registers whose old value is noted to be in the frame.
    saved: BTreeSet<u16>,
}

impl Frame {
    fn new(code: &Code) -> Frame {
        let isa = code.abi.convention().isa;
        let at_entry = match isa {
            Isa::X64 => 8,
            Isa::A64 => 0,
        };
        Frame {
            isa,
            at_entry,
            depth: at_entry,
            noted: at_entry,
            deepest: code.frame.iter().map(depth_of).max().unwrap_or(at_entry),
            pages: None,
            touched: at_entry,
            record: None,
            saved: BTreeSet::new(),
        }
    }

    fn step(&mut self, instruction: &Instruction) -> Result<(), String> {
        match instruction.stack {
            StackMove::None => {}
            StackMove::By(bytes) => self.depth -= bytes,
            StackMove::ToFramePointer => self.depth = self.record.ok_or("no frame record yet")?,
        }
        if instruction.text.starts_with("push ") {
            self.touched = self.depth;
        }
        if instruction.text == "mov x29, sp" {
            self.record = Some(self.depth);
        }
        // The end of the loop that touches the pages of a frame to come.
        if let Some(lowest) = instruction.text.strip_prefix("cmp rax, 0x") {
            let lowest = u64::from_str_radix(lowest, 16).map_err(|error| error.to_string())?;
            self.touched = self.depth - lowest as i64;
        }
        self.step_through_pages(&instruction.text)
    }

    /// The same on AArch64, where the loop counts pages.
    fn step_through_pages(&mut self, text: &str) -> Result<(), String> {
        if let Some(count) = text.strip_prefix("mov x17, #0x") {
            let count = i64::from_str_radix(count, 16).map_err(|error| error.to_string())?;
            self.pages = Some((count, false));
        }
        match (text, &mut self.pages) {
            ("sub x9, x9, #0x1, lsl #12", Some((_, touches))) => *touches = true,
            ("subs x17, x17, #0x1", Some((count, true))) => {
                self.touched = self.depth + *count * PAGE;
                self.pages = None;
            }
            _ => {}
        }
        Ok(())
    }

    /// Takes in the notes for the instruction at `offset`.
    fn note(&mut self, code: &Code, offset: u32) {
        for change in code.frame.iter().filter(|change| change.offset == offset) {
            match change.kind {
                FrameChangeKind::CfaOffset(bytes) => self.noted = bytes.into(),
                FrameChangeKind::Saved(register, _) => {
                    self.saved.insert(register);
                }
                FrameChangeKind::Restored(register) => {
                    self.saved.remove(&register);
                }
            }
        }
    }

    /// Calls find the stack aligned and touched; whoever leaves has taken its frame down.
    fn check_flow(&self, row: &Convention, instruction: &Instruction) -> Result<(), String> {
        let is_down = self.depth == self.at_entry && self.saved.is_empty();
        let why = match instruction.flow {
            Flow::Call if self.depth % i64::from(row.stack_align) != 0 => "misaligned call",
            Flow::Call if self.depth - self.touched > near(row.isa) => {
                "calls from a page that may not be there"
            }
            Flow::Return | Flow::Jump if !is_down => "leaves with a frame",
            _ => return Ok(()),
        };
        Err(why.to_owned())
    }

    /// The shadow says the same of an instruction. There is none for other machines, and for frames beyond what it can say.
    fn check_shadow(&self, shadow: Option<&Shadow>, offset: u32) -> Result<(), String> {
        let Some(shadow) = shadow else {
            return match self.isa == Isa::X64 && self.deepest <= SHADOW_REACH {
                true => Err("has no shadow".to_owned()),
                false => Ok(()),
            };
        };
        let [low, high] =
            [&shadow.low, &shadow.high].map(|plane| i64::from(plane[offset as usize]));
        let depth = 8 + 8 * (low & 0x7f) + 1024 * high;
        let has_rbx = self.saved.contains(&3);
        match (depth, low & 0x80 != 0) == (self.noted, has_rbx) {
            true => Ok(()),
            false => Err(format!("has {low:#x} and {high:#x} for a shadow")),
        }
    }

    fn is_like(&self, other: &Frame) -> bool {
        (self.depth, &self.saved) == (other.depth, &other.saved)
    }

    /// Shared code goes on without a frame, or with that of a trampoline without stack arguments.
    fn check_shared(&self, instruction: &Instruction) -> Result<(), String> {
        if instruction.flow == Flow::Call {
            return Ok(());
        }
        let (frame, saved) = match self.isa {
            Isa::X64 => (24, 0),
            Isa::A64 => (32, 2),
        };
        let entered = (self.depth - self.at_entry, self.saved.len());
        match entered == (0, 0) || entered == (frame, saved) {
            true => Ok(()),
            false => Err(format!("goes on elsewhere with a frame of {entered:?}")),
        }
    }

    /// What a callee gives back must have been saved; what belongs to the platform is not touched.
    fn check_writes(
        &self,
        row: &Convention,
        instruction: &Instruction,
        is_loaded_back: bool,
    ) -> Result<(), String> {
        for &written in &instruction.writes {
            let allowed = match written {
                Written::Fp(register) => !row.callee_saved_fp.contains(&register) || is_loaded_back,
                Written::Int(register) if row.reserved.contains(&register) => false,
                Written::Int(register) => {
                    let keeps = row.callee_saved.contains(&register)
                        || (self.isa, register) == (Isa::A64, a64::X30);
                    !keeps || self.saved.contains(&dwarf_number(self.isa, register))
                }
            };
            if !allowed {
                return Err(format!("{written:?} is not saved"));
            }
        }
        Ok(())
    }

    /// Nothing below the stack pointer is used, nothing above the frame is written, and no page is passed over on the way down.
    fn check_access(&mut self, instruction: &Instruction) -> Result<(), String> {
        let Some(access) = instruction.stack_access else {
            return Ok(());
        };
        let pushed = match instruction.stack {
            StackMove::By(bytes) if bytes < 0 => bytes,
            _ => 0,
        };
        let end = access.offset + i64::from(access.size);
        if access.offset < pushed || (access.is_write && end > self.depth - self.at_entry) {
            return Err(format!("{access:?} in a frame of {} bytes", self.depth));
        }
        if access.is_write {
            let deep = self.depth - access.offset;
            if deep - self.touched > PAGE {
                return Err(format!("jumps from {} to {deep} bytes", self.touched));
            }
            self.touched = self.touched.max(deep);
        }
        Ok(())
    }
}
