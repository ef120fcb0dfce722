//! Calls on an interpreter's own objects: the order of their steps, once for all machines.
//!
//! The fast path falls through from top to bottom. Branches off it go forward, to a few instructions after the return, or to code
//! that all calls share ([`super::shared`]). Up to the call each of them may take the slow path, the interpreter's C function that handles
//! everything: nothing has happened yet that the shared code does not undo.

use super::buffer::{Label, List};
use super::bytes::{BytesSteps, Room, prepare_bytes};
use crate::abi::regs::{Fpr, Gpr};
use crate::abi::{Abi, Extend, Move, Plan};
use crate::endpoint::{Boxing, ErrnoModel, ObjectCall, ObjectModel, SharedOffsets, Unbox};
use crate::layout::SLOT;
use farcall_memory::OutOfMemory;

/// The registers of the call operation's own arguments: the function, the counts of arguments and of keywords, the arguments' address.
pub(super) fn operation_args(abi: Abi) -> [Gpr; 4] {
    [0, 1, 2, 3].map(|n| abi.convention().int_args[n])
}

/// The steps that calls, entries and shared code on objects need from a machine.
pub(super) trait Machine {
    /// The function object, once no argument register holds it. It carries no argument under any convention, nor do the others.
    const FUNCTION: Gpr;
    /// The address of the argument objects, likewise.
    const ARGS: Gpr;
    /// The object that shared code converts.
    const OBJECT: Gpr;
    /// The call frame's first word when the C function has returned.
    const PREV: Gpr;

    fn new_label(&mut self) -> Label;
    /// Binds the label to what is emitted next.
    fn place(&mut self, label: Label);
    fn branch_to(&mut self, label: Label);
    /// Jumps to the shared code at this offset.
    fn branch_to_shared(&mut self, to: u32);
    fn call_shared(&mut self, to: u32);
    /// Jumps to an absolute address.
    fn jump_to(&mut self, address: u64);
    fn copy(&mut self, to: Gpr, from: Gpr);
    fn ret(&mut self);
    /// Stores a register to the thread's word for calls.
    fn set_innermost(&mut self, model: &ObjectModel, from: Gpr);
}

/// When a call becomes known to callbacks and to threads that close the library.
pub(super) enum LinkTime {
    /// As soon as the tags are tested. A later failure unlinks it again.
    BeforeUnboxing,
    /// Once the arguments are in their places. Their tags are tested on the way.
    AfterUnboxing,
}

/// The steps of a call on objects as one machine does them, in [`emit_call`]'s order.
pub(super) trait CallSteps: BytesSteps {
    const LINK_TIME: LinkTime;

    /// Takes the slow path unless there are as many arguments as the signature has, and no keywords.
    fn check_counts(&mut self, job: &CallJob<'_>);
    /// Makes the frame, and puts the function and the arguments' address where they hold while arguments are loaded.
    fn enter_call(&mut self, job: &CallJob<'_>);
    /// Loads the thread's word for calls, to be tested with the tags, and keeps it in the call frame.
    fn keep_thread_word(&mut self, job: &CallJob<'_>);
    /// Takes the slow path unless this thread has made a call before and every argument that has to be a small integer is one.
    fn test_tags(&mut self, job: &CallJob<'_>);
    /// Makes this the thread's innermost call.
    fn link_call(&mut self, job: &CallJob<'_>);
    /// Takes the slow path if the library is closed. This comes after the link: so either this thread sees it closed, or who closes
    /// it sees this call.
    fn check_library(&mut self, job: &CallJob<'_>);
    /// Puts the arguments' values where C looks for them.
    fn unbox(&mut self, job: &mut CallJob<'_>);
    /// Goes and gives C the error numbers that are kept, if calls begin with them. All arguments are in their places.
    fn give_errno(&mut self, job: &mut CallJob<'_>, errno: &ErrnoModel);
    fn call_target(&mut self, job: &CallJob<'_>);
    /// Keeps C's error numbers. The result's registers are taken.
    fn keep_errno(&mut self, errno: &ErrnoModel);
    /// Makes the call around this one the innermost again, or goes and raises the exception that waits. The result's registers are taken.
    fn unlink_call(&mut self, job: &CallJob<'_>);

    /// The result is none.
    fn box_none(&mut self, job: &CallJob<'_>);
    /// Makes a small integer of a result of fewer than all bits.
    fn box_narrow(&mut self, job: &CallJob<'_>, result: &Move);
    /// Makes true or false of a result.
    fn box_bool(&mut self, job: &CallJob<'_>);
    /// Makes a small integer of a result of all bits, or goes to `large` with it.
    fn box_word(&mut self, job: &CallJob<'_>, is_signed: bool, large: Label);
    /// Passes a result on to the function that makes floats.
    fn pass_float(&mut self, job: &CallJob<'_>, result: &Move);
    /// Passes a kind on to the function that makes objects.
    fn pass_kind(&mut self, job: &CallJob<'_>, kind: u8);
    /// Takes the frame down.
    fn leave_call(&mut self, job: &CallJob<'_>);

    /// Begins out-of-line code: the frame is as on the fast path.
    fn begin_detour(&mut self, job: &CallJob<'_>);
    /// After shared code has converted an object: branches if the flag says that its type is unknown.
    fn branch_unless_converted(&mut self, label: Label);
    /// Takes the slow path unless the object is a small integer, and makes a float of it.
    fn unbox_float_of_integer(&mut self, job: &CallJob<'_>, register: Fpr, width: u32);
    /// What [`CallSteps::give_errno`] goes for.
    fn give_kept_errno(&mut self, errno: &ErrnoModel);
    /// Restores a result to what it was before [`CallSteps::box_word`] found it too large.
    fn restore_large(&mut self, is_signed: bool);
    /// The ways out that are not taken back: to the slow path, and to the exception that waits.
    fn emit_ways_out(&mut self, job: &CallJob<'_>);
}

/// A call that is being emitted: what it is made from, and where it leads.
pub(super) struct CallJob<'a> {
    pub plan: &'a Plan,
    pub call: &'a ObjectCall,
    pub model: &'a ObjectModel,
    pub shared: &'a SharedOffsets,
    /// Leads to the slow path.
    pub slow_path: Label,
    /// The same from where there is no frame yet.
    pub wrong_count: Label,
    /// Leads to the exception that waits.
    pub raise: Label,
    /// Leads to the slow path from where the thread's word is not kept yet.
    pub without_word: Label,
    pub room: Room,
    /// Whether any argument is of bytes.
    pub has_bytes: bool,
    /// Whether no argument's conversion can fail once all tags are tested.
    pub is_of_integers: bool,
    detours: List<(DetourLabels, Detour)>,
}

/// Which integers an argument's type holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Range {
    /// All of them, or their low bits if the type has fewer.
    Any,
    /// Those that extending its bits does not change.
    Narrow,
    NotNegative,
    /// 0 and 1. They may be the words for false and for true.
    Truth,
}

/// The start of a detour, and the place that it comes back to.
#[derive(Clone, Copy)]
pub(super) struct DetourLabels {
    pub start: Label,
    pub back: Label,
}

/// Code off the fast path. It goes on where it left, or takes the slow path.
pub(super) enum Detour {
    /// The object in the register is a pointer, or of unknown type.
    Convert { register: Gpr, with: u32 },
    /// The object in [`Machine::OBJECT`] is a small integer, or of unknown type; a float of this size is wanted.
    Integer { register: Fpr, width: u32 },
    /// Calls begin with the error numbers that are kept.
    Errno(ErrnoModel),
    /// The result fits no small integer.
    Large { kind: u8, is_signed: bool },
}

impl<'a> CallJob<'a> {
    pub(super) fn new(
        asm: &mut impl Machine,
        plan: &'a Plan,
        call: &'a ObjectCall,
        model: &'a ObjectModel,
        shared: &'a SharedOffsets,
    ) -> CallJob<'a> {
        let mut job = CallJob {
            plan,
            call,
            model,
            shared,
            slow_path: asm.new_label(),
            wrong_count: asm.new_label(),
            raise: asm.new_label(),
            without_word: asm.new_label(),
            room: Room::new(plan, call),
            has_bytes: call.args.contains(&Unbox::Bytes),
            is_of_integers: false,
            detours: List::new(),
        };
        let is_certain = |arg| job.is_of_integer(arg) && job.range(arg) == Range::Any;
        job.is_of_integers = !job.has_bytes && plan.args.iter().all(is_certain);
        job
    }

    /// The way to unbox an argument.
    pub(super) fn unbox(&self, arg: &Move) -> Unbox {
        self.call.args[arg.value as usize]
    }

    /// What has to be asked of an argument that is an integer.
    pub(super) fn range(&self, arg: &Move) -> Range {
        match (self.unbox(arg), arg.extend) {
            (Unbox::Signed | Unbox::Unsigned, Extend::Sign | Extend::Zero) => Range::Narrow,
            (Unbox::Unsigned, Extend::None) => Range::NotNegative,
            (Unbox::Bool, _) => Range::Truth,
            _ => Range::Any,
        }
    }

    /// Whether the argument is a small integer and nothing else.
    pub(super) fn is_of_integer(&self, arg: &Move) -> bool {
        matches!(
            self.unbox(arg),
            Unbox::Int | Unbox::Signed | Unbox::Unsigned
        )
    }

    /// The shared code that converts an argument, if it may be more than one kind of object.
    pub(super) fn converter(&self, unbox: Unbox) -> Option<u32> {
        match unbox {
            Unbox::Pointer => Some(self.shared.pointer),
            Unbox::Function => Some(self.shared.function),
            Unbox::Int
            | Unbox::Signed
            | Unbox::Unsigned
            | Unbox::Bool
            | Unbox::Float
            | Unbox::Bytes => None,
        }
    }

    /// Has a detour emitted behind the fast path.
    pub(super) fn detour(&mut self, asm: &mut impl Machine, detour: Detour) -> DetourLabels {
        let labels = DetourLabels {
            start: asm.new_label(),
            back: asm.new_label(),
        };
        self.detours.push((labels, detour));
        labels
    }
}

/// The call operation of functions of one signature.
pub(super) fn emit_call<M: CallSteps>(
    asm: &mut M,
    mut job: CallJob<'_>,
) -> Result<(), OutOfMemory> {
    let job = &mut job;
    asm.check_counts(job);
    asm.enter_call(job);
    prepare_bytes(asm, job);
    asm.keep_thread_word(job);
    match M::LINK_TIME {
        LinkTime::BeforeUnboxing => {
            asm.test_tags(job);
            asm.link_call(job);
            asm.check_library(job);
            asm.unbox(job);
        }
        LinkTime::AfterUnboxing => {
            asm.unbox(job);
            asm.link_call(job);
            asm.check_library(job);
        }
    }
    if let Some(errno) = &job.model.errno {
        asm.give_errno(job, errno);
    }
    asm.call_target(job);
    if let Some(errno) = &job.model.errno {
        asm.keep_errno(errno);
    }
    asm.unlink_call(job);
    box_result(asm, job);
    emit_detours(asm, job)?;
    asm.emit_ways_out(job);
    Ok(())
}

/// Boxes the result and returns it.
fn box_result<M: CallSteps>(asm: &mut M, job: &mut CallJob<'_>) {
    match (job.call.ret, job.plan.ret.first()) {
        (Boxing::Bytes, _) => asm.box_bytes(job),
        (Boxing::None, _) | (_, None) => asm.box_none(job),
        (Boxing::Bool, Some(_)) => asm.box_bool(job),
        (Boxing::Int(_) | Boxing::Uint(_), Some(result)) if result.width < SLOT => {
            asm.box_narrow(job, result);
        }
        (Boxing::Int(kind), Some(_)) => box_word(asm, job, kind, true),
        (Boxing::Uint(kind), Some(_)) => box_word(asm, job, kind, false),
        (Boxing::Float, Some(result)) => {
            asm.pass_float(job, result);
            asm.leave_call(job);
            return asm.jump_to(job.model.new_float);
        }
        (Boxing::Object(kind), Some(_)) => return box_object(asm, job, kind),
    }
    asm.leave_call(job);
    asm.ret();
}

fn box_word<M: CallSteps>(asm: &mut M, job: &mut CallJob<'_>, kind: u8, is_signed: bool) {
    let large = job.detour(asm, Detour::Large { kind, is_signed }).start;
    asm.box_word(job, is_signed, large);
}

/// Returns a new object of the result.
fn box_object<M: CallSteps>(asm: &mut M, job: &CallJob<'_>, kind: u8) {
    asm.pass_kind(job, kind);
    asm.leave_call(job);
    asm.branch_to_shared(job.shared.new_object);
}

/// The code that branches off the fast path lead to.
fn emit_detours<M: CallSteps>(asm: &mut M, job: &mut CallJob<'_>) -> Result<(), OutOfMemory> {
    let detours = std::mem::replace(&mut job.detours, List::new()).finish()?;
    for (DetourLabels { start, back }, detour) in detours {
        asm.begin_detour(job);
        asm.place(start);
        match detour {
            Detour::Convert { register, with } => {
                if register != M::OBJECT {
                    asm.copy(M::OBJECT, register);
                }
                asm.call_shared(with);
                asm.branch_unless_converted(job.slow_path);
                if register != M::OBJECT {
                    asm.copy(register, M::OBJECT);
                }
                asm.branch_to(back);
            }
            Detour::Integer { register, width } => {
                asm.unbox_float_of_integer(job, register, width);
                asm.branch_to(back);
            }
            Detour::Errno(errno) => {
                asm.give_kept_errno(&errno);
                asm.branch_to(back);
            }
            Detour::Large { kind, is_signed } => {
                asm.restore_large(is_signed);
                box_object(asm, job, kind);
            }
        }
    }
    Ok(())
}
