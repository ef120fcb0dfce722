//! The order of steps between those who use a thing and whoever closes it, apart from what the steps are done with: so it can be tried
//! in all interleavings (`tests/epoch_model.rs`).

/// What those who use a thing do the steps with.
pub(crate) trait User {
    /// Puts all stores of this thread ahead of all its later loads, as far as whoever passes [`World::heavy_fence`] can tell.
    fn light_fence(&self);
}

/// What whoever closes a thing does the steps with.
pub(crate) trait World {
    /// What is to be done once nobody is inside a thing.
    type Work;

    /// As a light fence of all threads at once. False where the system cannot do that.
    fn heavy_fence(&self) -> bool;

    /// Whether any thread has announced the thing.
    fn is_anyone_inside(&self, thing: usize) -> bool;

    /// Lends the list of what waits, under a lock.
    fn with_list<R>(&self, work: impl FnOnce(&mut Vec<Waiting<Self::Work>>) -> R) -> R;
}

/// Something that is closed, with somebody inside.
pub(crate) struct Waiting<W> {
    pub thing: usize,
    pub work: W,
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

/// Returns the work if nobody is inside the thing, which has been closed; and else puts it on the list.
pub(crate) fn retire<W: World>(world: &W, thing: usize, work: W::Work) -> Option<W::Work> {
    let is_visible = world.heavy_fence();
    if is_visible && !world.is_anyone_inside(thing) {
        return Some(work);
    }
    world.with_list(|list| {
        // Who has left in the meantime, and found nothing on the list, had the lock before.
        if is_visible && !world.is_anyone_inside(thing) {
            return Some(work);
        }
        list.push(Waiting { thing, work });
        None
    })
}

/// Takes from the list what nobody is inside any more, of what is meant. A thread that sees others inside leaves it to them: they come
/// here when they leave.
pub(crate) fn settle<W: World>(world: &W, are_meant: impl Fn(usize) -> bool) -> Vec<W::Work> {
    if !world.heavy_fence() {
        return Vec::new();
    }
    world.with_list(|list| {
        let is_over =
            |it: &mut Waiting<W::Work>| are_meant(it.thing) && !world.is_anyone_inside(it.thing);
        list.extract_if(.., is_over).map(|it| it.work).collect()
    })
}
