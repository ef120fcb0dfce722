//! A closed library or callback goes when no thread is inside it: no earlier, no later, and on a known thread.

mod common;

use common::tell::tell;
use common::{call, own_peer};
use farcall::{Callback, Error, Function, Library, Value, Variable};
use std::ffi::c_void;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

/// Opens and closes a library again and again, each time with a thread that uses it until it is closed.
fn close_under_users<T: Send + 'static>(
    rounds: u64,
    find: fn(&Library) -> T,
    is_used: fn(&T) -> bool,
) {
    let (first, path) = own_peer();
    first.close();
    for round in 0..rounds {
        // SAFETY: it has no initialisers of its own.
        let library = unsafe { Library::open(&path) }.expect("it opens");
        let used = find(&library);
        let (began, begins) = mpsc::channel();
        let user = thread::spawn(move || {
            began.send(()).expect("somebody waits");
            while is_used(&used) {}
        });
        begins.recv().expect("it begins");
        thread::sleep(Duration::from_micros(round % 50));
        library.close();
        user.join().expect("every use is whole, or none");
    }
}

#[test]
fn call_beside_the_closing_of_its_library_is_whole_or_an_error() {
    let is_called = |negate: &Function| {
        // SAFETY: declared as it is.
        match unsafe { negate.call_slots(&[5]) } {
            Ok(result) => result as i32 == !5,
            Err(Error::Closed { .. }) => false,
            Err(other) => panic!("{other}"),
        }
    };
    let find = |library: &Library| library.func("i", "flip_i", "i").expect("a function");
    close_under_users(500, find, is_called);
}

#[test]
fn access_beside_the_closing_of_its_library_is_whole_or_an_error() {
    let is_read = |variable: &Variable| {
        // SAFETY: declared as it is, and never written.
        match unsafe { variable.get() } {
            Ok(value) => value == Value::Uint(200),
            Err(Error::Closed { .. }) => false,
            Err(other) => panic!("{other}"),
        }
    };
    let find = |library: &Library| library.var("B", "var_B").expect("a variable");
    close_under_users(500, find, is_read);
}

#[test]
fn callback_closed_as_c_enters_it_runs_whole_or_not_at_all() {
    struct Owned(u64);
    impl Drop for Owned {
        fn drop(&mut self) {
            // SAFETY: the value is this one's own.
            unsafe { std::ptr::write_volatile(&mut self.0, 0xdead) };
        }
    }
    static BAD: AtomicUsize = AtomicUsize::new(0);
    for round in 0..500 {
        let owned = Owned(42);
        // The signature is this test's alone: its thunks are called late, when another test would have them.
        let callback = Callback::with_slots("q", "q", move |_, result| {
            // SAFETY: the value is there for as long as the closure is.
            if unsafe { std::ptr::read_volatile(&owned.0) } != 42 {
                BAD.fetch_add(1, Ordering::Relaxed);
            }
            *result = 1;
        })
        .expect("a callback");
        // SAFETY: it is of this signature.
        let function = unsafe {
            std::mem::transmute::<*const c_void, extern "C" fn(i64) -> i64>(callback.code())
        };
        let (began, begins) = mpsc::channel();
        let caller = thread::spawn(move || {
            began.send(()).expect("somebody waits");
            while function(1) != 0 {}
        });
        begins.recv().expect("it begins");
        thread::sleep(Duration::from_micros(round % 50));
        drop(callback);
        caller.join().expect("C does not fail");
    }
    assert_eq!(BAD.load(Ordering::Relaxed), 0);
}

#[test]
fn what_a_closure_owns_is_dropped_with_its_callback_whatever_other_threads_do() {
    let (go_on, waits) = mpsc::channel::<()>();
    let (is_inside, inside) = mpsc::channel();
    let waits = Mutex::new(waits);
    let wait = Callback::with_codes("v", "", move |_| {
        is_inside.send(()).expect("somebody waits");
        let _ = waits.lock().expect("no panic").recv();
        Value::Void
    })
    .expect("a callback");
    thread::scope(|scope| {
        // A thread that stays in C for long.
        scope.spawn(|| call("v", "call_v", "C", &[wait.code().into()]));
        inside.recv().expect("it gets there");
        let dropped = Arc::new(AtomicUsize::new(0));
        struct Count(Arc<AtomicUsize>);
        impl Drop for Count {
            fn drop(&mut self) {
                self.0.fetch_add(1, Ordering::Relaxed);
            }
        }
        for n in 1..=10_000 {
            let count = Count(dropped.clone());
            let callback = Callback::with_slots("i", "i", move |_, result| {
                let _ = &count;
                *result = 7;
            })
            .expect("a callback");
            assert_eq!(common::answer(&callback), 7);
            drop(callback);
            assert_eq!(dropped.load(Ordering::Relaxed), n);
        }
        drop(go_on);
    });
}

#[test]
fn closure_closed_by_itself_is_dropped_on_its_thread_as_it_has_returned() {
    let (told, dropped) = tell();
    let slot: Arc<Mutex<Option<Callback>>> = Arc::default();
    let (inner, is_running) = (slot.clone(), Arc::new(AtomicBool::new(false)));
    let running = is_running.clone();
    let callback = Callback::with_codes("i", "i", move |args| {
        let _ = &told;
        drop(inner.lock().expect("no panic").take());
        running.store(true, Ordering::Relaxed);
        args[0].clone()
    })
    .expect("a callback");
    let code = callback.code();
    *slot.lock().expect("no panic") = Some(callback);
    let result = call("i", "call_i", "Ci", &[code.into(), Value::Int(5)]);
    assert_eq!(
        (result, is_running.load(Ordering::Relaxed)),
        (Value::Int(5), true)
    );
    assert_eq!(dropped.try_recv(), Ok(thread::current().id()));
}

#[test]
fn closure_closed_while_another_thread_runs_it_is_dropped_there() {
    let (told, dropped) = tell();
    let (go_on, waits) = mpsc::channel::<()>();
    let (is_inside, inside) = mpsc::channel();
    let waits = Mutex::new(waits);
    let callback = Callback::with_codes("v", "", move |_| {
        let _ = &told;
        is_inside
            .send(thread::current().id())
            .expect("somebody waits");
        let _ = waits.lock().expect("no panic").recv();
        Value::Void
    })
    .expect("a callback");
    let code = callback.code() as usize;
    let runner = thread::spawn(move || {
        call("v", "call_v", "C", &[(code as *const c_void).into()]);
    });
    let there = inside.recv().expect("it gets there");
    drop(callback);
    let outcome = dropped.recv_timeout(Duration::from_millis(20));
    assert_eq!(outcome, Err(RecvTimeoutError::Timeout));
    drop(go_on);
    assert_eq!(dropped.recv(), Ok(there));
    runner.join().expect("it ends");
}

#[test]
fn destructor_that_panics_behind_its_closure_ends_there() {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("as it is dropped");
        }
    }
    let slot: Arc<Mutex<Option<Callback>>> = Arc::default();
    let (inner, panics) = (slot.clone(), Panics);
    let callback = Callback::with_codes("i", "i", move |args| {
        let _ = &panics;
        drop(inner.lock().expect("no panic").take());
        args[0].clone()
    })
    .expect("a callback");
    let code = callback.code();
    *slot.lock().expect("no panic") = Some(callback);
    let result = call("i", "call_i", "Ci", &[code.into(), Value::Int(5)]);
    assert_eq!(result, Value::Int(5));
}

/// Calls a callback as C code does that was not called through farcall.
fn as_c_calls(callback: &Callback, value: i32) -> i32 {
    // SAFETY: it is of this signature.
    let function =
        unsafe { std::mem::transmute::<*const c_void, extern "C" fn(i32) -> i32>(callback.code()) };
    function(value)
}

#[test]
fn panic_without_a_call_around_stops_no_other_callback() {
    let panics =
        Callback::with_codes("i", "i", |_| panic!("nobody hears this")).expect("a callback");
    let outer = Callback::with_codes("i", "i", move |args| {
        assert_eq!(as_c_calls(&panics, 1), 0);
        args[0].clone()
    })
    .expect("a callback");
    for n in 1..5 {
        assert_eq!(as_c_calls(&outer, n), n);
    }
    let run = panic::catch_unwind(AssertUnwindSafe(|| {
        call("i", "flip_i", "i", &[Value::Int(1)])
    }));
    assert_eq!(run.ok(), Some(Value::Int(-2)));
}

#[test]
fn panic_goes_to_the_innermost_call_and_leaves_the_outer_one_alone() {
    static PANICS: OnceLock<Callback> = OnceLock::new();
    let panics = Callback::with_codes("i", "i", |_| panic!("inside")).expect("a callback");
    PANICS.get_or_init(|| panics);
    let catches = Callback::with_codes("i", "i", |args| {
        let panics = PANICS.get().expect("set").code();
        let run = panic::catch_unwind(AssertUnwindSafe(|| {
            call("i", "call_i", "Ci", &[panics.into(), Value::Int(1)])
        }));
        assert!(run.is_err());
        args[0].clone()
    })
    .expect("a callback");
    let args = [catches.code().into(), Value::Int(4)];
    assert_eq!(call("i", "call_times", "Ci", &args), Value::Int(6));
}

#[test]
fn call_in_a_destructor_of_a_thread_works() {
    struct Calls(Function, Sender<Value>);
    impl Drop for Calls {
        fn drop(&mut self) {
            // SAFETY: declared as it is.
            let result = unsafe { self.0.call(&[Value::Int(1)]) };
            let _ = self.1.send(result.expect("an int"));
        }
    }
    thread_local!(static CALLS: OnceLock<Calls> = const { OnceLock::new() });
    let (library, _) = own_peer();
    let flip = library.func("i", "flip_i", "i").expect("a function");
    let (sender, receiver) = mpsc::channel();
    let calls = Calls(flip, sender);
    let ends = thread::spawn(|| {
        // Set before this thread is known, so that it is dropped last.
        CALLS.with(|it| it.set(calls).ok().expect("set once"));
        call("i", "flip_i", "i", &[Value::Int(2)]);
    });
    ends.join().expect("no panic");
    assert_eq!(receiver.recv(), Ok(Value::Int(-2)));
    library.close();
}

// musl's dlclose() unloads nothing.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
mod linux {
    use super::*;
    use std::path::Path;
    use std::sync::atomic::AtomicPtr;

    fn is_mapped(path: &Path) -> bool {
        let path = path.to_str().expect("a UTF-8 path");
        let mappings = common::memory::mappings();
        mappings.iter().any(|mapping| mapping.contains(path))
    }

    #[test]
    fn library_closed_in_use_is_unloaded_by_its_last_call() {
        let (library, path) = own_peer();
        let call_times = library.func("i", "call_times", "Ci").expect("a function");
        let inner = path.clone();
        let callback = Callback::with_codes("i", "i", move |args| {
            library.close();
            assert!(is_mapped(&inner));
            args[0].clone()
        })
        .expect("a callback");
        let args = [callback.code().into(), Value::Int(4)];
        // SAFETY: declared as it is.
        let sum = unsafe { call_times.call(&args) };
        assert_eq!(sum.expect("open when it began"), Value::Int(6));
        assert!(!is_mapped(&path));
    }

    #[test]
    fn call_that_was_jumped_over_holds_nothing_back() {
        static CALLED: AtomicPtr<Function> = AtomicPtr::new(std::ptr::null_mut());
        extern "C" fn calls() {
            // SAFETY: declared as it is; nothing in the frames that it may jump over has a destructor.
            let _ = unsafe { (*CALLED.load(Ordering::Relaxed)).call_slots(&[]) };
        }
        let (library, path) = own_peer();
        let mut escape = library.func("v", "escape", "").expect("a function");
        let mut counted = super::common::func("i", "counted", "");
        let enter = common::peer().addr("with_way_out").expect("a function");
        let own_enter = library.addr("with_way_out").expect("a function");
        let [with_way_out, with_own_way_out] = [enter, own_enter].map(|enter| {
            // SAFETY: declared as it is.
            unsafe {
                std::mem::transmute::<*mut c_void, extern "C" fn(extern "C" fn()) -> i32>(enter)
            }
        });
        CALLED.store(&mut escape, Ordering::Relaxed);
        assert_eq!(with_own_way_out(calls), 1);
        library.close();
        // The thread is still in the same place, and has not returned from there.
        CALLED.store(&mut counted, Ordering::Relaxed);
        assert_eq!(with_way_out(calls), 0);
        assert!(!is_mapped(&path));
    }

    #[test]
    fn closure_is_dropped_by_the_thread_that_ran_it_whichever_other_threads_jump() {
        static ESCAPE: AtomicPtr<Function> = AtomicPtr::new(std::ptr::null_mut());
        extern "C" fn jumps() {
            // SAFETY: declared as it is; nothing in the frames that it jumps over has a destructor.
            let _ = unsafe { (*ESCAPE.load(Ordering::Relaxed)).call_slots(&[]) };
        }
        let mut escape = super::common::func("v", "escape", "");
        ESCAPE.store(&mut escape, Ordering::Relaxed);
        let enter = common::peer().addr("with_way_out").expect("a function");
        // SAFETY: declared as it is.
        let with_way_out = unsafe {
            std::mem::transmute::<*mut c_void, extern "C" fn(extern "C" fn()) -> i32>(enter)
        };
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    assert_eq!(with_way_out(jumps), 1);
                }
            });
            let here = thread::current().id();
            let all_here = (0..30_000).all(|_| {
                let (told, dropped) = tell();
                let slot: Arc<Mutex<Option<Callback>>> = Arc::default();
                let inner = slot.clone();
                let callback = Callback::with_codes("i", "i", move |args| {
                    let _ = &told;
                    drop(inner.lock().expect("no panic").take());
                    args[0].clone()
                })
                .expect("a callback");
                let code = callback.code();
                *slot.lock().expect("no panic") = Some(callback);
                call("i", "call_i", "Ci", &[code.into(), Value::Int(5)]);
                dropped.try_recv() == Ok(here)
            });
            is_over.store(true, Ordering::Relaxed);
            assert!(all_here);
        });
    }

    #[test]
    fn thread_that_ends_inside_a_call_holds_nothing_back() {
        let (library, path) = own_peer();
        let call_v = library.func("v", "call_v", "C").expect("a function");
        extern "C" fn ends() {
            // SAFETY: the frames up to the thread's start have no destructors.
            unsafe { libc::pthread_exit(std::ptr::null_mut()) }
        }
        extern "C" fn run(call_v: *mut c_void) -> *mut c_void {
            let ends: extern "C" fn() = ends;
            // SAFETY: it is the function below, which waits.
            let call_v = unsafe { &*call_v.cast::<Function>() };
            // SAFETY: declared as it is.
            let _ = unsafe { call_v.call_slots(&[ends as usize as u64]) };
            std::ptr::null_mut()
        }
        let argument = (&raw const call_v).cast_mut().cast();
        // SAFETY: the thread ends before the function goes; a thread of C's may be any bits until it is made.
        unsafe {
            let mut thread: libc::pthread_t = std::mem::zeroed();
            assert_eq!(
                libc::pthread_create(&mut thread, std::ptr::null(), run, argument),
                0
            );
            libc::pthread_join(thread, std::ptr::null_mut());
        }
        library.close();
        assert!(!is_mapped(&path));
    }

    #[test]
    fn all_passes_where_executable_memory_is_refused() {
        common::policy::all_pass_without("linux::all_passes_where_executable_memory_is_refused");
    }
}
