//! The order of steps between threads that use a thing and the thread that closes it. It is apart from what the steps work on, so a test
//! can try all interleavings (`tests/epoch_model.rs`).

/// The means of a thread that uses a thing for its steps.
pub(crate) trait User {
    /// Orders all stores of this thread ahead of all its later loads, as seen by a thread that passes [`World::heavy_fence`].
    fn light_fence(&self);
}

/// The closing side's view of the world: the means for its steps.
pub(crate) trait World {
    /// The work to do once nobody is inside a thing.
    type Work: Linked;

    /// As a light fence of all threads at once. False where the system cannot do that.
    fn heavy_fence(&self) -> bool;

    /// Whether any thread has announced the thing.
    fn is_anyone_inside(&self, thing: usize) -> bool;

    /// Lends the list of waiting work, under a lock.
    fn with_list<R>(&self, work: impl FnOnce(&mut List<Self::Work>) -> R) -> R;
}

/// Work that contains its own list link, so waiting needs no memory.
pub(crate) trait Linked: Sized {
    /// The link.
    fn link(&mut self) -> &mut Link<Self>;
}

/// The list link of waiting work.
#[derive(Debug)]
pub(crate) struct Link<W> {
    /// The thing that is closed, with somebody inside.
    thing: usize,
    next: Option<W>,
}

impl<W> Link<W> {
    pub const fn new() -> Link<W> {
        Link {
            thing: 0,
            next: None,
        }
    }
}

/// Work that waits, the last first.
pub(crate) struct List<W>(Option<W>);

impl<W: Linked> List<W> {
    pub const fn new() -> List<W> {
        List(None)
    }

    pub fn push(&mut self, mut work: W) {
        work.link().next = self.0.take();
        self.0 = Some(work);
    }

    pub fn pop(&mut self) -> Option<W> {
        let mut work = self.0.take()?;
        self.0 = work.link().next.take();
        Some(work)
    }
}

/// Announces a thing. Whether it is closed is looked at after this.
#[inline(always)]
pub(crate) fn announce<U: User>(user: &U, announce: impl FnOnce()) {
    announce();
    user.light_fence();
}

/// Takes that back. Whether the thing is closed is looked at after this, and if it is, [`settle`] follows.
#[inline(always)]
pub(crate) fn take_back<U: User>(user: &U, take_back: impl FnOnce()) {
    take_back();
    user.light_fence();
}

/// Returns the work if nobody is inside the thing, which has been closed. Otherwise puts it on the list.
pub(crate) fn retire<W: World>(world: &W, thing: usize, mut work: W::Work) -> Option<W::Work> {
    let is_visible = world.heavy_fence();
    if is_visible && !world.is_anyone_inside(thing) {
        return Some(work);
    }
    world.with_list(|list| {
        // A thread that has left in the meantime, and found nothing on the list, had the lock before this one.
        if is_visible && !world.is_anyone_inside(thing) {
            return Some(work);
        }
        work.link().thing = thing;
        list.push(work);
        None
    })
}

/// Takes from the list the work of things that no thread is inside of, as far as `are_meant` selects them. A thread that sees others inside
/// leaves the work to them: they come here when they leave.
pub(crate) fn settle<W: World>(world: &W, are_meant: impl Fn(usize) -> bool) -> List<W::Work> {
    let mut over = List::new();
    if !world.heavy_fence() {
        return over;
    }
    world.with_list(|list| {
        let mut kept = List::new();
        while let Some(mut work) = list.pop() {
            let thing = work.link().thing;
            match are_meant(thing) && !world.is_anyone_inside(thing) {
                true => over.push(work),
                false => kept.push(work),
            }
        }
        *list = kept;
    });
    over
}
