//! Work that waits until all threads have left a thing.

use super::protocol::{Link, Linked};

/// The work to do when all threads have left a thing. It is made with the thing, so that closing needs no memory.
pub trait Work: Send {
    /// Its list link, for the time that it waits.
    fn waiting(&mut self) -> &mut Waiting;

    /// Does it.
    fn run(self: Box<Self>);
}

/// Part of each [`Work`].
pub struct Waiting {
    link: Link<Box<dyn Work>>,
    pub(super) before: Option<&'static dyn Left>,
}

impl Waiting {
    /// The link of work that does not wait yet.
    pub const fn new() -> Waiting {
        Waiting {
            link: Link::new(),
            before: None,
        }
    }
}

impl Default for Waiting {
    fn default() -> Waiting {
        Waiting::new()
    }
}

impl std::fmt::Debug for Waiting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Waiting(..)")
    }
}

/// A thing that is told when all threads have left it, before its work is done.
pub(crate) trait Left: Sync {
    fn left(&'static self);
}

impl Linked for Box<dyn Work> {
    fn link(&mut self) -> &mut Link<Box<dyn Work>> {
        &mut self.waiting().link
    }
}
