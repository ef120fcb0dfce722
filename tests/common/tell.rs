//! A value that reports the thread on which it is dropped.

use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, ThreadId};

/// A value that reports the thread on which it is dropped.
pub struct Tell(pub Sender<ThreadId>);

impl Drop for Tell {
    fn drop(&mut self) {
        let _ = self.0.send(thread::current().id());
    }
}

/// Such a value, and what receives its report.
pub fn tell() -> (Tell, Receiver<ThreadId>) {
    let (sender, receiver) = mpsc::channel();
    (Tell(sender), receiver)
}
