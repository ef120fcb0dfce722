//! Tests of the whole process on Linux: forks, policies, bounded memory.

#![cfg(target_os = "linux")]

mod common;

use common::memory::mappings;
use common::{answer, in_child, signature};
use farcall::{Callback, Function, Value};
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

/// Bytes of executable memory that belong to no file.
fn executable() -> usize {
    let anonymous = mappings()
        .into_iter()
        .filter(|m| m.contains(" r-xp ") && !m.contains(['/', '[']));
    let sizes = anonymous.map(|mapping| {
        let (from, to) = mapping
            .split(' ')
            .next()
            .and_then(|r| r.split_once('-'))
            .expect("a range");
        let parse = |end| usize::from_str_radix(end, 16).expect("an address");
        parse(to) - parse(from)
    });
    sizes.sum()
}

/// Pages of memory: of addresses (0), resident (1).
fn statm(field: usize) -> usize {
    let statm = fs::read_to_string("/proc/self/statm").expect("Linux has it");
    statm
        .split(' ')
        .nth(field)
        .and_then(|pages| pages.parse().ok())
        .expect("a number")
}

#[test]
fn fork_leaves_each_process_with_callbacks_and_code_of_its_own() {
    let callback = Callback::with_codes("i", "i", |_| Value::Int(42)).expect("a callback");
    let mut callback = Some(callback);
    let ours = callback.as_ref().map(answer);
    // The child frees the callback, makes others, and compiles what the parent never saw.
    let fine = in_child(|| {
        let inherited = callback.take().expect("inherited");
        assert_eq!(answer(&inherited), 42);
        drop(inherited);
        let others: Vec<_> = (0..2000)
            .map(|n| Callback::with_codes("i", "i", move |_| Value::Int(n)).expect("a callback"))
            .collect();
        for n in 0..200 {
            let codes = format!("hb{}", signature(n));
            Callback::with_codes("i", &codes, |_| Value::Int(0)).expect("a callback");
        }
        others
            .iter()
            .enumerate()
            .all(|(n, other)| answer(other) == n as i64)
    });
    assert!(fine, "the child went wrong");
    assert_eq!((ours, callback.as_ref().map(answer)), (Some(42), Some(42)));
}

#[test]
fn fork_while_other_threads_compile_leaves_the_child_able_to() {
    let done = AtomicBool::new(false);
    let counted = common::func("i", "counted", "");
    thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0.. {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                Function::at(
                    counted.address(),
                    "v",
                    &format!("HH{}", signature(n % 1024)),
                )
                .expect("a function");
                drop(Callback::with_codes("v", "i", |_| Value::Void).expect("a callback"));
            }
        });
        for n in 0..20 {
            assert!(in_child(|| Function::at(
                counted.address(),
                "v",
                &format!("BB{}", signature(n))
            )
            .is_ok()));
        }
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn thousand_signatures_take_little_executable_memory() {
    let fine = in_child(|| {
        let address = common::func("i", "counted", "").address();
        let before = executable();
        let kept: Vec<_> = (0..1000)
            .map(|n| Function::at(address, "i", &format!("{}p", signature(n))).expect("a function"))
            .collect();
        let taken = executable() - before;
        println!("{} signatures: {taken} bytes", kept.len());
        taken <= 256 * 1024
    });
    assert!(fine);
}

#[test]
fn signatures_without_end_do_not_take_memory_without_end() {
    let fine = in_child(|| {
        let address = common::func("i", "counted", "").address();
        // All have the same length, and so has their code: memory that has grown was not given back.
        let letter = |digit: usize| ["b", "B", "h", "H"][digit % 4];
        let make = |n: usize| {
            let (high, low) = (letter(n / 4096), letter(n / 1024));
            let codes = format!("{}{high}{low}", signature(n));
            Function::at(address, "v", &codes).expect("a function");
        };
        (0..4000).for_each(make);
        let after_4000 = executable();
        (4000..12000).for_each(make);
        println!(
            "{after_4000} bytes after 4000 signatures, {} after 12000",
            executable()
        );
        executable() <= after_4000 * 3 / 2
    });
    assert!(fine);
}

#[test]
fn million_callbacks_made_and_freed_leave_memory_flat() {
    let fine = in_child(|| {
        let resident = || statm(1);
        let cycle = |times: usize| {
            for n in 0..times {
                let callback = Callback::with_slots("i", "i", move |_, result| *result = n as u64);
                drop(callback.expect("a callback"));
            }
        };
        cycle(10_000);
        let before = resident();
        cycle(1_000_000);
        println!("resident pages: {before}, then {}", resident());
        resident() < before + 256
    });
    assert!(fine);
}

/// The error number of the C library, as a function of C sees it.
fn errno() -> i32 {
    std::io::Error::last_os_error().raw_os_error().unwrap_or(0)
}

fn set_errno(number: i32) {
    // SAFETY: errno is the thread's own.
    unsafe { *libc::__errno_location() = number };
}

/// Code is made during some call, and a system that refuses memory for it sets errno. The call must leave errno as it was.
#[test]
fn errno_is_the_callers_own_while_code_is_made() {
    extern "C" fn errno_plus(n: i16, x: f32) -> i32 {
        errno() + i32::from(n) + x as i32
    }
    let function = Function::at(errno_plus as *const _, "i", "hf").expect("a function");
    for number in 0..600 {
        set_errno(number);
        let values = [Value::Int(1000), Value::Float(2000.0)];
        // SAFETY: the function is as declared.
        let result = unsafe { function.call(&values) }.expect("a call that fits");
        assert_eq!(result, Value::Int(i64::from(number) + 3000));
        assert_eq!(errno(), number);
    }

    let callback =
        Callback::with_codes("i", "hff", |_| Value::Int(errno().into())).expect("a callback");
    // SAFETY: the pointer is of that type.
    let code: extern "C" fn(i16, f32, f32) -> i32 = unsafe { std::mem::transmute(callback.code()) };
    for number in 0..600 {
        set_errno(number);
        assert_eq!(code(1, 2.0, 3.0), number);
        assert_eq!(errno(), number);
    }
}

#[test]
fn all_passes_where_executable_memory_is_refused() {
    common::policy::all_pass_without("all_passes_where_executable_memory_is_refused");
}

/// The program's own thunks are soon used up, and further ones need addresses.
#[test]
fn callbacks_beyond_the_memory_for_thunks_are_an_error() {
    if !common::policy::is_set() {
        let this = "callbacks_beyond_the_memory_for_thunks_are_an_error";
        return common::policy::pass_under("mdwe", &["--exact", this]);
    }
    let fine = in_child(|| {
        // More than there are addresses for.
        let mut kept = Vec::with_capacity(1 << 16);
        let limit = libc::rlimit {
            rlim_cur: (statm(0) * 4096 + (1 << 20)) as u64,
            rlim_max: libc::RLIM_INFINITY,
        };
        // SAFETY: the child alone is bound by it.
        assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &limit) }, 0);
        let error = loop {
            match Callback::with_slots("i", "i", |_, _| {}) {
                Ok(callback) if kept.len() < kept.capacity() => kept.push(callback),
                Ok(_) => return false,
                Err(error) => break error.to_string(),
            }
        };
        let why = match std::env::var("FARCALL_CODE").as_deref() {
            Ok("never") => "FARCALL_CODE=never",
            _ => "PR_SET_MDWE",
        };
        error.starts_with("no executable memory: ") && error.contains(why)
    });
    assert!(fine);
}

/// Forks again and again while another thread does `work`, which each child then does, too. False if one hangs.
fn works_beside_forks(forks: usize, work: impl Fn() + Send + Sync) -> bool {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                work();
            }
        });
        let fine = (0..forks).all(|_| {
            in_child(|| {
                // SAFETY: this has no preconditions.
                unsafe { libc::alarm(300) };
                work();
                true
            })
        });
        is_over.store(true, Ordering::Relaxed);
        fine
    })
}

#[test]
fn functions_are_found_in_a_child_that_was_forked_while_another_thread_looked_for_one() {
    let library = common::peer();
    assert!(works_beside_forks(1000, || {
        library.func("i", "flip_i", "i").expect("a function");
    }));
}

#[test]
fn closed_callback_is_reported_in_a_child_that_was_forked_during_a_report() {
    let fine = in_child(|| {
        let null = std::fs::File::create("/dev/null").expect("Linux has it");
        let null = std::os::fd::AsRawFd::as_raw_fd(&null);
        // SAFETY: the child's standard error is its own.
        let silenced = unsafe { libc::dup2(null, 2) };
        assert_eq!(silenced, 2);
        let callback = Callback::with_codes("i", "i", |args| args[0].clone()).expect("a callback");
        let closed = Function::at(callback.code(), "i", "i").expect("a function");
        drop(callback);
        works_beside_forks(1000, || {
            // SAFETY: the function is of this signature.
            let result = unsafe { closed.call(&[Value::Int(5)]) };
            assert_eq!(result.ok(), Some(Value::Int(0)));
        })
    });
    assert!(fine);
}

/// Thunks come in blocks, which threads ask for at the same time here. If two threads got the same block, it would have the callbacks of both.
#[test]
fn threads_that_make_their_first_callbacks_at_once_get_thunks_of_their_own() {
    const THREADS: i64 = 4;
    const EACH: i64 = 600;
    for _ in 0..100 {
        let fine = in_child(|| {
            let begin = std::sync::Barrier::new(THREADS as usize);
            let make = |thread: i64| {
                begin.wait();
                let numbers = (0..EACH).map(|number| thread * EACH + number);
                let made: Vec<_> = numbers
                    .map(|number| {
                        (
                            number,
                            Callback::with_slots("i", "i", move |_, result| {
                                *result = number as u64
                            }),
                        )
                    })
                    .collect();
                made.iter().all(|(number, callback)| {
                    let callback = callback.as_ref().expect("a callback");
                    answer(callback) == *number
                })
            };
            thread::scope(|scope| {
                let threads: Vec<_> = (0..THREADS)
                    .map(|n| {
                        scope.spawn({
                            let make = &make;
                            move || make(n)
                        })
                    })
                    .collect();
                threads
                    .into_iter()
                    .all(|thread| thread.join().is_ok_and(|fine| fine))
            })
        });
        assert!(fine);
    }
}
