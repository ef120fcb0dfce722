//! The frames in which threads note what they are inside of.
//!
//! A thread's frames are a chain: its top is the innermost, `down` leads to the outer ones, and the next in memory is free. They lie in
//! blocks that are never unmapped, so a thread that closes something may read all of them at any time. None of this takes a lock, allocates from the
//! heap, or calls what a signal handler may not call.
//!
//! A signal handler may run between any two instructions here, enter, and leave again; it may also never return, but jump out. So the
//! order of the stores matters to the thread itself:
//!
//! | step | enter | leave |
//! | --- | --- | --- |
//! | 1 | the frame becomes the top | its place becomes [`NOWHERE`] |
//! | 2 | its thing is announced | its thing is taken back |
//! | 3 | its place is filled in | the frame below becomes the top |
//!
//! A handler that comes before step 1 of entering uses the frame and gives it back as it was. A frame without a place is never taken
//! for one that was jumped over.

pub(super) mod plain;

use super::protocol;
use crate::sys;
use std::ffi::c_void;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering, compiler_fence, fence};

/// A thread that enters and leaves.
struct Thread;

impl protocol::User for Thread {
    #[inline(always)]
    fn light_fence(&self) {
        light_fence();
    }
}

/// The function that settles waiting work, a [`Settle`]; null until some waits.
static SETTLE: AtomicPtr<c_void> = AtomicPtr::new(ptr::null_mut());

/// Does the work that waits for a thing, or, for 0, for all things.
pub(super) type Settle = fn(usize);

/// Sets the function that runs after frames were taken back whose owners were jumped over. It is always the same function.
pub(super) fn settle_by(settle: Settle) {
    SETTLE.store(settle as *mut c_void, Ordering::Release);
}

fn settle(thing: usize) {
    let settle = SETTLE.load(Ordering::Acquire);
    if !settle.is_null() {
        // SAFETY: nothing but functions of this type is stored there.
        unsafe { std::mem::transmute::<*mut c_void, Settle>(settle)(thing) };
    }
}

/// The things of frames that were taken back because their owners were jumped over. Only work for these may have nobody else to do it: a thread that
/// is leaving another thing does that thing's work itself.
struct Over {
    things: [usize; Over::MOST],
    count: usize,
}

impl Over {
    /// The most things that are told apart.
    const MOST: usize = 8;

    const fn none() -> Over {
        Over {
            things: [0; Over::MOST],
            count: 0,
        }
    }

    fn add(&mut self, thing: usize) {
        if self.things.contains(&thing) {
            return;
        }
        if let Some(place) = self.things.get_mut(self.count) {
            *place = thing;
        }
        self.count += 1;
    }

    /// Does the work that waits for them.
    fn settle(self) {
        match self.things.get(..self.count) {
            Some(things) => things.iter().for_each(|thing| settle(*thing)),
            None => settle(0),
        }
    }
}

/// The place of a frame that is free, or about to be filled or freed.
const NOWHERE: usize = usize::MAX;

/// One thing that a thread is inside of.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Frame {
    /// The [`super::Thing`], as its number; 0 for a free frame.
    thing: AtomicUsize,
    /// An address in the stack frame of the function that has entered. Stacks grow towards lower ones.
    place: AtomicUsize,
    down: AtomicPtr<Frame>,
    /// The note left here for the frame's owner, who takes it on leaving.
    note: AtomicPtr<c_void>,
}

impl Frame {
    const fn new(place: usize) -> Frame {
        Frame {
            thing: AtomicUsize::new(0),
            place: AtomicUsize::new(place),
            down: AtomicPtr::new(ptr::null_mut()),
            note: AtomicPtr::new(ptr::null_mut()),
        }
    }

    pub fn thing(&self) -> usize {
        self.thing.load(Ordering::Relaxed)
    }

    #[inline(always)]
    fn place(&self) -> usize {
        self.place.load(Ordering::Relaxed)
    }

    /// The frame outside this one; `None` for the chain's end, which belongs to no call.
    pub fn outer(&self) -> Option<&'static Frame> {
        // SAFETY: frames are never unmapped.
        let outer = unsafe { self.down.load(Ordering::Relaxed).as_ref()? };
        (!outer.is_end()).then_some(outer)
    }

    /// The free frame above this one, if it is in the same block.
    #[inline(always)]
    fn next(&'static self) -> Option<&'static Frame> {
        let offset = ptr::from_ref(self).addr() % BLOCK;
        // SAFETY: it is not the last of its block, so another frame follows it. It is not WALL, which is in no block: `push` checks first
        // that a place is below its frame's, and none is below 0.
        (offset != LAST).then(|| unsafe { &*ptr::from_ref(self).add(1) })
    }

    /// The block that it lies in.
    fn block(&'static self) -> &'static Block {
        let offset = ptr::from_ref(self).addr() % BLOCK;
        // SAFETY: blocks begin at multiples of their size, with frames.
        unsafe { &*ptr::from_ref(self).byte_sub(offset).cast() }
    }

    /// The frame above this one, in the next block if need be.
    fn up(&'static self) -> Option<&'static Frame> {
        // SAFETY: frames are never unmapped.
        self.next()
            .or_else(|| unsafe { self.block().above.load(Ordering::Relaxed).as_ref() })
    }

    fn is_end(&self) -> bool {
        self.down.load(Ordering::Relaxed).is_null()
    }

    /// Leaves a note; returns the one that was there, or null.
    #[cold]
    #[inline(never)]
    pub fn set_note(&self, note: *mut c_void) -> *mut c_void {
        self.note.swap(note, Ordering::Relaxed)
    }

    pub fn has_note(&self) -> bool {
        !self.note.load(Ordering::Relaxed).is_null()
    }

    /// Steps 1 to 3 of entering. The frame is the free one above the top.
    #[inline(always)]
    fn push(&'static self, own: &Own, thing: usize, place: usize) {
        own.set_top(self);
        compiler_fence(Ordering::SeqCst);
        protocol::announce(&Thread, || {
            self.thing.store(thing, Ordering::Relaxed);
            compiler_fence(Ordering::SeqCst);
            self.place.store(place, Ordering::Relaxed);
        });
    }

    /// Whether nobody will leave it: its owner has been jumped over, or has left on another thread.
    fn is_over(&self, stack: &Stack, here: usize) -> bool {
        let place = self.place();
        if place == NOWHERE {
            return false;
        }
        let is_jumped_over = place <= here && stack.has(place) && stack.has(here);
        is_jumped_over || self.thing.load(Ordering::Acquire) == 0
    }
}

/// The light fence, between a thread's stores and its loads. A closing thread makes all threads pass one by [`heavy_fence`].
#[inline(always)]
fn light_fence() {
    match sys::FENCES_ALL_THREADS {
        true => compiler_fence(Ordering::SeqCst),
        false => fence(Ordering::SeqCst),
    }
}

/// Makes the stores of other threads visible here, and this thread's stores visible to them. False where the system cannot do that.
pub(super) fn heavy_fence() -> bool {
    fence(Ordering::SeqCst);
    // A thread that registers later sees all that was done here: it passes a fence between counting itself and looking.
    let others = THREADS.load(Ordering::SeqCst) - usize::from(is_registered());
    others == 0 || sys::fence_all_threads()
}

/// Frames in a block.
const FRAMES: usize = 15;

/// Bytes of a block, and what its address is a multiple of.
const BLOCK: usize = 512;

/// Bytes from the start of a block to its last frame.
const LAST: usize = (FRAMES - 1) * size_of::<Frame>();

/// The frames that a thread takes at a time.
#[repr(C, align(512))]
struct Block {
    frames: [Frame; FRAMES],
    state: AtomicUsize,
    /// The frame that follows the last, in the block that the thread took next.
    above: AtomicPtr<Frame>,
    next: AtomicPtr<Block>,
    /// In the first block, how many threads are registered: the first of them has one page to touch.
    threads: AtomicUsize,
}

const _: () = assert!(size_of::<Block>() == BLOCK);

const FREE: usize = 0;
const TAKEN: usize = 1;
/// Its thread has ended, and a coroutine that went on on another thread is still inside something: free once that has left.
const LEFT: usize = 2;

impl Block {
    const fn new() -> Block {
        Block {
            frames: [const { Frame::new(0) }; FRAMES],
            state: AtomicUsize::new(FREE),
            above: AtomicPtr::new(ptr::null_mut()),
            next: AtomicPtr::new(ptr::null_mut()),
            threads: AtomicUsize::new(0),
        }
    }

    fn is_empty(&self) -> bool {
        let is_free = |frame: &Frame| frame.thing.load(Ordering::Acquire) == 0;
        self.frames.iter().all(is_free)
    }

    fn take(&'static self) -> bool {
        let state = self.state.load(Ordering::Relaxed);
        if state == TAKEN || (state == LEFT && !self.is_empty()) {
            return false;
        }
        let taken = self
            .state
            .compare_exchange(state, TAKEN, Ordering::Acquire, Ordering::Relaxed);
        if taken.is_err() {
            return false;
        }
        let mut down = ptr::null_mut();
        for frame in &self.frames {
            frame.place.store(NOWHERE, Ordering::Relaxed);
            frame.down.store(down, Ordering::Relaxed);
            down = address(frame);
        }
        self.above.store(ptr::null_mut(), Ordering::Relaxed);
        true
    }

    fn give_back(&self) {
        let state = if self.is_empty() { FREE } else { LEFT };
        self.state.store(state, Ordering::Release);
    }
}

fn address(frame: &Frame) -> *mut Frame {
    ptr::from_ref(frame).cast_mut()
}

/// Blocks for the first threads.
static FIRST: [Block; 4] = [const { Block::new() }; 4];

/// All other blocks, the newest first.
static MORE: AtomicPtr<Block> = AtomicPtr::new(ptr::null_mut());

/// How many threads are registered.
static THREADS: &AtomicUsize = &FIRST[0].threads;

/// The number of entries that got no frame for want of memory: nobody knows which things those threads are inside of.
static UNSEEN: AtomicUsize = AtomicUsize::new(0);

fn blocks() -> impl Iterator<Item = &'static Block> {
    // SAFETY: blocks are never unmapped.
    let following = |block: &&'static Block| unsafe { block.next.load(Ordering::Acquire).as_ref() };
    // SAFETY: as above.
    let first = unsafe { MORE.load(Ordering::Acquire).as_ref() };
    FIRST.iter().chain(std::iter::successors(first, following))
}

/// Takes a free block; `None` if the system has no memory.
fn take_block() -> Option<&'static Block> {
    if let Some(block) = blocks().find(|block| block.take()) {
        return Some(block);
    }
    let len = size_of::<Block>().next_multiple_of(sys::page_size());
    let memory = sys::fresh_memory(len)?.cast::<Block>();
    let count = len / size_of::<Block>();
    // SAFETY: `count` blocks fit in, zeroed memory is free blocks, and the memory stays.
    let fresh = unsafe { std::slice::from_raw_parts(memory.as_ptr(), count) };
    let ours = &fresh[0];
    ours.take();
    for block in fresh {
        let new = ptr::from_ref(block).cast_mut();
        let mut head = MORE.load(Ordering::Relaxed);
        loop {
            block.next.store(head, Ordering::Relaxed);
            match MORE.compare_exchange(head, new, Ordering::Release, Ordering::Relaxed) {
                Ok(_) => break,
                Err(other) => head = other,
            }
        }
    }
    Some(ours)
}

/// The top of a thread that has no frame yet: every place is above it.
static WALL: Frame = Frame::new(0);

/// The values of one thread. They have no destructor, so they are there to the end of the thread.
struct Own {
    top: AtomicPtr<Frame>,
    /// Whether a note was ever left on this thread.
    has_notes: AtomicBool,
}

impl Own {
    #[inline(always)]
    fn top(&self) -> &'static Frame {
        // SAFETY: frames are never unmapped.
        unsafe { &*self.top.load(Ordering::Relaxed) }
    }

    #[inline(always)]
    fn set_top(&self, frame: &'static Frame) {
        self.top.store(address(frame), Ordering::Relaxed);
    }
}

thread_local! {
    static OWN: Own = const {
        Own {
            top: AtomicPtr::new((&raw const WALL).cast_mut()),
            has_notes: AtomicBool::new(false),
        }
    };
}

fn is_registered() -> bool {
    OWN.with(|own| !ptr::eq(own.top(), &WALL))
}

/// Whether a note was ever left on this thread.
#[inline(always)]
pub(super) fn has_notes() -> bool {
    OWN.with(|own| own.has_notes.load(Ordering::Relaxed))
}

pub(super) fn expect_notes() {
    OWN.with(|own| own.has_notes.store(true, Ordering::Relaxed));
}

/// A frame that was pushed, and what was the top before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pushed {
    pub frame: &'static Frame,
    below: &'static Frame,
}

/// Stands for the frame of an entry that got none.
static NO_FRAME: Frame = Frame::new(0);

/// Announces `thing`. `place` is an address in the stack frame of a function that runs until [`pop`]. If there is no memory for a frame,
/// the thread counts as inside everything.
#[inline(always)]
pub(super) fn push(thing: usize, place: usize) -> Pushed {
    OWN.with(|own| {
        let below = own.top();
        if place < below.place()
            && let Some(frame) = below.next()
        {
            frame.push(own, thing, place);
            return Pushed { frame, below };
        }
        push_slowly(thing, place)
    })
}

/// [`push`] for the thread's first frame, for a frame of a new block, and for one above frames that were jumped over.
#[cold]
#[inline(never)]
fn push_slowly(thing: usize, place: usize) -> Pushed {
    let pushed = OWN.with(|own| {
        if ptr::eq(own.top(), &WALL) {
            register(own)?;
        }
        let over = sweep(own, place);
        let below = own.top();
        let frame = below.up().or_else(|| extend(below))?;
        frame.push(own, thing, place);
        fence(Ordering::SeqCst);
        Some((Pushed { frame, below }, over))
    });
    let Some((pushed, over)) = pushed else {
        UNSEEN.fetch_add(1, Ordering::SeqCst);
        return Pushed {
            frame: &NO_FRAME,
            below: &NO_FRAME,
        };
    };
    over.settle();
    pushed
}

/// Takes the frame back that [`push`] has given, and returns the note that was left there, or null.
#[inline(always)]
pub(super) fn pop(pushed: Pushed) -> *mut c_void {
    let frame = pushed.frame;
    let note = match frame.note.load(Ordering::Relaxed) {
        none if none.is_null() => none,
        _ => frame.set_note(ptr::null_mut()),
    };
    let take_back = |own: &Own| {
        if ptr::eq(own.top(), frame) {
            frame.place.store(NOWHERE, Ordering::Relaxed);
            compiler_fence(Ordering::SeqCst);
            frame.thing.store(0, Ordering::Release);
            compiler_fence(Ordering::SeqCst);
            own.set_top(pushed.below);
        } else {
            pop_slowly(own, frame);
        }
    };
    protocol::take_back(&Thread, || OWN.with(take_back));
    note
}

/// Takes back a frame that is not this thread's innermost: what is further inside was jumped over, or is a coroutine that is
/// suspended; or else the frame is another thread's, on which a coroutine began what it has ended here; or the entry got no frame.
#[cold]
#[inline(never)]
fn pop_slowly(own: &Own, frame: &'static Frame) {
    if ptr::eq(frame, &NO_FRAME) {
        UNSEEN.fetch_sub(1, Ordering::SeqCst);
        // It counted as inside everything.
        return settle(0);
    }
    let here = frame.place();
    let is_ours = std::iter::successors(Some(own.top()), |frame| frame.outer())
        .any(|ours| ptr::eq(ours, frame));
    // Its owner finds the frame empty but with a place, and so recognises it.
    frame.thing.store(0, Ordering::Release);
    if is_ours {
        sweep(own, here).settle();
    }
}

/// Takes back the frames whose owners were jumped over, as this thread is at `here` now.
fn sweep(own: &Own, here: usize) -> Over {
    let stack = Stack::of(here, own.top());
    let mut over = Over::none();
    for frame in std::iter::successors(Some(own.top()), |frame| frame.outer()) {
        if !frame.is_end() && frame.thing() != 0 && frame.is_over(&stack, here) {
            over.add(frame.thing());
            frame.thing.store(0, Ordering::Release);
        }
    }
    loop {
        let top = own.top();
        if top.is_end() || !top.is_over(&stack, here) {
            break;
        }
        top.place.store(NOWHERE, Ordering::Relaxed);
        compiler_fence(Ordering::SeqCst);
        // SAFETY: it is not the chain's end.
        own.set_top(unsafe { &*top.down.load(Ordering::Relaxed) });
    }
    over
}

/// Takes back this thread's frames whose owners were jumped over, as it is at `here` now.
#[cold]
pub(super) fn forget_jumped_over(here: usize) {
    OWN.with(|own| sweep(own, here)).settle();
}

/// The addresses of the stack that a thread is on, as far as they are needed.
struct Stack(Option<(usize, usize)>);

impl Stack {
    /// The stack with `here` on it, which this thread is on. It is asked for only if there is a frame that it decides about.
    fn of(here: usize, top: &'static Frame) -> Stack {
        let mut frames = std::iter::successors(Some(top), |frame| frame.outer());
        let is_needed = frames.any(|frame| !frame.is_end() && frame.place() <= here);
        Stack(is_needed.then(|| sys::stack_bounds(here)).flatten())
    }

    fn has(&self, place: usize) -> bool {
        self.0
            .is_some_and(|(low, high)| (low..high).contains(&place))
    }
}

/// Gives this thread its first block.
fn register(own: &Own) -> Option<()> {
    let block = take_block()?;
    let end = &block.frames[0];
    let wall = (&raw const WALL).cast_mut();
    let is_first = own
        .top
        .compare_exchange(wall, address(end), Ordering::SeqCst, Ordering::Relaxed)
        .is_ok();
    if !is_first {
        // A signal handler got in between.
        block.give_back();
        return Some(());
    }
    let end_of_chain = NonNull::from(end).cast();
    if !sys::at_thread_end(sys::ThreadEnd::Frames, forget_thread, end_of_chain) {
        own.set_top(&WALL);
        block.give_back();
        return None;
    }
    THREADS.fetch_add(1, Ordering::SeqCst);
    Some(())
}

/// Adds a block behind a chain's last frame; returns the first new one.
fn extend(last: &'static Frame) -> Option<&'static Frame> {
    let block = take_block()?;
    let first = &block.frames[0];
    first.down.store(address(last), Ordering::Relaxed);
    let linked = last.block().above.compare_exchange(
        ptr::null_mut(),
        address(first),
        Ordering::Relaxed,
        Ordering::Relaxed,
    );
    match linked {
        Ok(_) => Some(first),
        Err(faster) => {
            // A signal handler got in between.
            block.give_back();
            // SAFETY: frames are never unmapped.
            unsafe { faster.as_ref() }
        }
    }
}

/// Runs as a thread ends, with the end of its chain.
extern "C" fn forget_thread(end: *mut c_void) {
    // SAFETY: it is what register() has said.
    let end: &'static Frame = unsafe { &*end.cast() };
    let here = 0_usize;
    let stack = Stack(sys::stack_bounds((&raw const here).addr()));
    let mut over = Over::none();
    for frame in std::iter::successors(Some(end), |frame| frame.up()) {
        if frame.thing() != 0 && stack.has(frame.place()) {
            over.add(frame.thing());
            frame.thing.store(0, Ordering::Release);
        }
    }
    OWN.with(|own| own.set_top(&WALL));
    let mut next = Some(end.block());
    while let Some(block) = next {
        // SAFETY: frames are never unmapped.
        let above = unsafe { block.above.load(Ordering::Relaxed).as_ref() };
        next = above.map(|frame| frame.block());
        block.give_back();
    }
    THREADS.fetch_sub(1, Ordering::SeqCst);
    over.settle();
}

/// Whether any thread is inside `thing`, as far as this one sees; see [`heavy_fence`].
pub(super) fn is_anyone_inside(thing: usize) -> bool {
    let mut taken = blocks().filter(|block| block.state.load(Ordering::Acquire) != FREE);
    let is_it = |frame: &Frame| frame.thing.load(Ordering::Acquire) == thing;
    UNSEEN.load(Ordering::Acquire) > 0 || taken.any(|block| block.frames.iter().any(is_it))
}

/// In a child of fork(): forgets the threads that stayed with the parent.
pub(crate) fn forget_other_threads() {
    let top = OWN.with(|own| own.top());
    let is_ours = |block: &Block| {
        let range = block.frames.as_ptr_range();
        std::iter::successors(Some(top), |frame| {
            // SAFETY: frames are never unmapped.
            unsafe { frame.down.load(Ordering::Relaxed).as_ref() }
        })
        .any(|frame| range.contains(&ptr::from_ref(frame)))
    };
    for block in blocks().filter(|block| !is_ours(block)) {
        for frame in &block.frames {
            frame.thing.store(0, Ordering::Relaxed);
        }
        block.state.store(FREE, Ordering::Release);
    }
    THREADS.store(usize::from(is_registered()), Ordering::SeqCst);
    UNSEEN.store(0, Ordering::SeqCst);
}
