//! Uses more signatures than the cache keeps, in several threads.

use crate::storm::{Exposed, Storm};
use crate::turn::Turn;
use farcall::{Callback, Function};
use std::thread;

/// A random signature of integers, with arguments for it and their sum.
pub fn draw(turn: &mut Turn) -> (String, Vec<u64>, i32) {
    const CODES: [(char, u64); 6] = [
        ('b', 0x7f),
        ('H', 0xffff),
        ('i', 0xffff),
        ('q', 0xffff),
        ('p', 0xffff),
        ('I', 0xffff),
    ];
    let count = 4 + turn.draw(12);
    let mut codes = String::new();
    let mut slots = Vec::new();
    for _ in 0..count {
        let (code, mask) = CODES[turn.draw(6) as usize];
        codes.push(code);
        slots.push(turn.draw(1 << 20) & mask);
    }
    let sum = slots.iter().sum::<u64>() as i32;
    (codes, slots, sum)
}

/// Makes a callback and a function of a signature that is most likely new, and calls one through the other.
pub fn use_one(turn: &mut Turn) {
    let (codes, slots, sum) = draw(turn);
    let callback = Callback::with_slots("i", &codes, |slots, result| {
        *result = slots.iter().sum();
    })
    .expect("a callback");
    let function = Function::at(callback.code(), "i", &codes).expect("a function");
    for _ in 0..turn.draw(16) {
        // SAFETY: the function is the callback.
        let result = unsafe { function.call_slots(&slots) };
        assert_eq!(result.expect("it is called") as i32, sum, "{codes}");
    }
}

/// Uses new signatures in threads that come and go.
pub fn beyond_the_cache(turn: &mut Turn) -> u64 {
    turn.on_threads(3, |turn| {
        let mut inner = turn.fork();
        let some = thread::spawn(move || {
            let _exposed = Exposed::new();
            for _ in 0..100 {
                use_one(&mut inner);
            }
        });
        some.join().expect("no panic");
        100
    })
}

/// The same in a storm.
pub fn in_a_storm(turn: &mut Turn) -> u64 {
    let _storm = Storm::begin(turn);
    beyond_the_cache(turn)
}
