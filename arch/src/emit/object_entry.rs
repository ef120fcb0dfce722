//! Entries of callbacks on an interpreter's own objects: the order of their steps, once for all machines.
//!
//! An exception never passes this frame. It is caught at the landing place, with the saved registers restored, and is kept in the
//! frame of the call that C is in, which raises it when C returns. The same happens to an exception that a callback inside this one
//! kept in this frame. The interpreter's jump buffers need not hold vector registers; C needs them, so they are saved here.

use super::buffer::Label;
use super::objects::Machine;
use crate::abi::regs::Gpr;
use crate::abi::{Move, Place, Plan};
use crate::endpoint::{CatchModel, Delivery, ErrnoModel, ObjectModel};
use crate::layout::SLOT;

/// The steps of an entry on objects as one machine does them, in [`emit_entry`]'s order.
pub(super) trait EntrySteps: Machine {
    /// The thread's word, which tells the frame of the call that C is in. It carries no argument under any convention.
    const CALLER: Gpr;
    /// Whether what takes an exception over from this frame comes ahead of the landing place.
    const PENDING_FIRST: bool;

    /// Finds the call that C is in. Goes to the entry on slots if this thread is in no call, or if an exception waits in that call.
    fn find_caller(&mut self, job: &EntryJob<'_>);
    fn enter_entry(&mut self, job: &EntryJob<'_>);
    /// Says that what follows runs in that frame.
    fn note_entry(&mut self, job: &EntryJob<'_>);
    /// Says that what follows runs without it.
    fn note_left(&mut self);
    /// Takes the frame down.
    fn leave_entry(&mut self, job: &EntryJob<'_>);

    /// Puts the arguments where the handler looks for them, or goes to the entry on slots with all of them as they were.
    fn deliver(&mut self, job: &EntryJob<'_>);
    /// Makes this the thread's innermost call. A thread that closes a library then sees this thread as inside.
    fn link_entry(&mut self, job: &EntryJob<'_>);
    /// Keeps C's error numbers, and those of this call of the entry in its frame.
    fn keep_errno(&mut self, job: &EntryJob<'_>, errno: &ErrnoModel);
    /// Has exceptions go on at the landing place. The arguments are in their slots: every register that carried one is free.
    fn link_catch(&mut self, job: &EntryJob<'_>);
    fn call_object_handler(&mut self, job: &EntryJob<'_>);
    fn unlink_catch(&mut self, job: &EntryJob<'_>);
    /// Loads the thread's word as it was before the entry, and goes to where an exception is taken over if one waits.
    fn load_caller(&mut self, job: &EntryJob<'_>);
    /// Gives C its error numbers back: those that are kept if calls begin with them, else those in the frame. The result's registers are taken.
    fn give_errno(&mut self, job: &EntryJob<'_>, errno: &ErrnoModel);
    /// Moves a result from its slot, which is in a register, to where C looks for it.
    fn return_result(&mut self, result: &Move);

    /// Gives C the vector registers back, and loads the exception that was caught.
    fn load_caught(&mut self, job: &EntryJob<'_>);
    /// Loads the exception that was kept in this frame.
    fn load_kept(&mut self, job: &EntryJob<'_>);
    /// Keeps the exception in the frame of the call that C is in, and makes that the innermost one again.
    fn keep_exception(&mut self, job: &EntryJob<'_>);
    /// Makes zero of the result's slot.
    fn clear_result(&mut self);
}

/// An entry that is being emitted: what it is made from, and where it leads.
pub(super) struct EntryJob<'a> {
    pub plan: &'a Plan,
    pub model: &'a ObjectModel,
    pub catch: &'a CatchModel,
    deliveries: &'a [Delivery],
    /// The landing place, at which the thread goes on after a raise.
    pub landing: Label,
    /// Leads to where an exception is taken over that was kept in this frame.
    pub pending: Label,
    /// Leads to the entry on slots, while there is no frame.
    pub slots: Label,
    /// The same, from within the frame.
    pub slots_from_frame: Label,
    /// Leads to where an exception is kept in the frame of the call around.
    keep: Label,
}

impl<'a> EntryJob<'a> {
    pub(super) fn new(
        asm: &mut impl Machine,
        plan: &'a Plan,
        model: &'a ObjectModel,
        catch: &'a CatchModel,
        deliveries: &'a [Delivery],
    ) -> EntryJob<'a> {
        EntryJob {
            plan,
            model,
            catch,
            deliveries,
            landing: asm.new_label(),
            pending: asm.new_label(),
            slots: asm.new_label(),
            slots_from_frame: asm.new_label(),
            keep: asm.new_label(),
        }
    }

    /// How an argument gets to the handler.
    pub(super) fn delivery(&self, arg: &Move) -> Delivery {
        self.deliveries[arg.value as usize]
    }

    /// Whether an argument of all bits may overflow a small integer.
    fn may_overflow(&self) -> bool {
        let mut args = self.plan.args.iter();
        args.any(|arg| arg.width == SLOT && self.delivery(arg) != Delivery::Slot)
    }
}

/// The entry, which jumps to `slots_entry` wherever it cannot go on.
pub(super) fn emit_entry<M: EntrySteps>(asm: &mut M, job: &EntryJob<'_>, slots_entry: u64) {
    asm.find_caller(job);
    asm.enter_entry(job);
    asm.deliver(job);
    asm.link_entry(job);
    if let Some(errno) = &job.model.errno {
        asm.keep_errno(job, errno);
    }
    asm.link_catch(job);
    asm.call_object_handler(job);
    asm.unlink_catch(job);
    asm.load_caller(job);
    asm.set_innermost(job.model, M::CALLER);
    give_errno(asm, job);
    for result in &job.plan.ret {
        asm.return_result(result);
    }
    asm.leave_entry(job);
    asm.ret();

    asm.note_entry(job);
    if M::PENDING_FIRST {
        take_over(asm, job);
    }
    land(asm, job);
    if !M::PENDING_FIRST {
        asm.note_entry(job);
        take_over(asm, job);
    }

    if job.may_overflow() {
        asm.note_entry(job);
        asm.place(job.slots_from_frame);
        asm.leave_entry(job);
    } else if !M::PENDING_FIRST {
        asm.note_left();
    }
    asm.place(job.slots);
    asm.jump_to(slots_entry);
}

fn give_errno<M: EntrySteps>(asm: &mut M, job: &EntryJob<'_>) {
    if let Some(errno) = &job.model.errno {
        asm.give_errno(job, errno);
    }
}

/// Where an exception is taken over that was kept in this frame.
fn take_over<M: EntrySteps>(asm: &mut M, job: &EntryJob<'_>) {
    asm.place(job.pending);
    asm.load_kept(job);
    asm.branch_to(job.keep);
}

/// The landing place: where a raised exception is caught. C gets zero for a result.
fn land<M: EntrySteps>(asm: &mut M, job: &EntryJob<'_>) {
    asm.place(job.landing);
    asm.load_caught(job);
    asm.place(job.keep);
    asm.keep_exception(job);
    give_errno(asm, job);
    asm.clear_result();
    let is_fp = |result: &&Move| matches!(result.place, Place::Fp(_));
    for result in job.plan.ret.iter().filter(is_fp) {
        asm.return_result(result);
    }
    asm.leave_entry(job);
    asm.ret();
}
