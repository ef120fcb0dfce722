//! Ctrl-C that comes from outside, at random times, to MicroPython running the scripts of the module's tests.
//!
//! What a script prints does not matter here: it was left in the middle. But it ends, within some time, and not by a crash. The interpreter
//! is `FARCALL_SOAK_MICROPYTHON`, so that the same can be done to one with the port's own module.

use crate::turn::Turn;
use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// What takes longer by so much than it does when it is left alone hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// What takes longer when it is left alone does, too.
const LONGEST: Duration = Duration::from_secs(300);

/// How many times as long a script may take, as other processes have the processor, too.
const TIMES: u32 = 4;

/// Processes at a time. Scripts mostly wait.
const PROCESSES: usize = 6;

/// Interrupts that a process gets at most: what the first one leaves, the next may come into.
const INTERRUPTS: u64 = 4;

/// Signals that a process of ours may not end by. Ctrl-C ends one that has not installed its handler yet, or has given it up.
const CRASHES: [i32; 7] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGILL,
    libc::SIGFPE,
    libc::SIGABRT,
    libc::SIGTRAP,
    libc::SIGSYS,
];

/// What sanitizers end a process with: by what the command sets, and by themselves.
const REPORTED: i32 = 99;

/// What all threads of the storm share.
struct Storm {
    interpreter: OsString,
    folder: PathBuf,
    scripts: Vec<String>,
    /// How long a script takes that is left alone; `None` where the interpreter cannot run it.
    durations: Mutex<HashMap<String, Option<Duration>>>,
    /// Whether it is to be able to run all.
    is_ours: bool,
    interrupts: AtomicU64,
    ended_by_it: AtomicU64,
    number: AtomicU64,
}

/// How a process ended.
enum Ending {
    Well(ExitStatus),
    Crash(String),
    Hang,
}

/// Interrupts scripts, as many as there is time for. What crashes or hangs ends it all, if `is_ours`, and is counted otherwise. A round is a
/// process.
fn storm(turn: &mut Turn, is_ours: bool) -> u64 {
    let folder = PathBuf::from(variable("FARCALL_SOAK_SCRIPTS"));
    let storm = Arc::new(Storm {
        interpreter: variable("FARCALL_SOAK_MICROPYTHON"),
        scripts: scripts_of(&folder).expect("scripts"),
        folder,
        durations: Mutex::default(),
        is_ours,
        interrupts: AtomicU64::new(0),
        ended_by_it: AtomicU64::new(0),
        number: AtomicU64::new(0),
    });
    let failures = Arc::new(Mutex::new(Vec::new()));
    let (shared, failed) = (storm.clone(), failures.clone());
    let rounds = turn.on_threads(PROCESSES, move |turn| {
        let script = &shared.scripts[turn.draw(shared.scripts.len() as u64) as usize];
        if let Some(failure) = shared.one(turn, script) {
            assert!(!is_ours, "{failure}");
            println!("{failure}");
            lock(&failed).push(failure);
        }
        1
    });
    let failures = lock(&failures);
    let hangs = failures
        .iter()
        .filter(|failure| failure.contains("hung"))
        .count();
    for (script, duration) in &*lock(&storm.durations) {
        if duration.is_none() {
            println!("left out {script}");
        }
    }
    println!("interrupts {}", storm.interrupts.load(Ordering::Relaxed));
    println!("left early {}", storm.ended_by_it.load(Ordering::Relaxed));
    println!("crashes {}", failures.len() - hangs);
    println!("hangs {hangs}");
    rounds
}

/// Has none of ours crash or hang.
pub fn ours(turn: &mut Turn) -> u64 {
    storm(turn, true)
}

/// Counts what crashes or hangs.
pub fn stock(turn: &mut Turn) -> u64 {
    storm(turn, false)
}

fn variable(name: &str) -> OsString {
    std::env::var_os(name).unwrap_or_else(|| panic!("{name} is not set"))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The scripts that the storm comes to: all of them, or those that `FARCALL_SOAK_SCRIPT` names.
fn scripts_of(folder: &Path) -> io::Result<Vec<String>> {
    let wanted = std::env::var("FARCALL_SOAK_SCRIPT").ok();
    let mut scripts = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        let is_wanted = wanted
            .as_ref()
            .is_none_or(|names| names.split(',').any(|wanted| wanted == name));
        if name.ends_with(".py") && is_wanted {
            scripts.push(name);
        }
    }
    // The seed decides which one is drawn.
    scripts.sort();
    Ok(scripts)
}

impl Storm {
    /// Runs a script once and interrupts it. What went wrong, if anything did.
    fn one(&self, turn: &mut Turn, script: &str) -> Option<String> {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let place = std::env::current_dir()
            .expect("a directory")
            .join(number.to_string());
        fs::create_dir_all(&place).expect("a directory to write to");
        let known = lock(&self.durations).get(script).copied();
        let duration = match known {
            Some(duration) => duration,
            None => match self.measure(script, &place) {
                Err(failure) if self.is_ours => return Some(failure),
                measured => {
                    let duration = measured.ok();
                    lock(&self.durations).insert(script.into(), duration);
                    duration
                }
            },
        };
        let Some(duration) = duration else {
            let _ = fs::remove_dir_all(&place);
            return None;
        };
        let delays = delays(turn, duration);
        let mut child = self.start(script, &place).expect("the interpreter runs");
        let sent = interrupt(&mut child, &delays);
        let ending = await_end(&mut child, &place, PATIENCE + TIMES * duration);
        self.interrupts.fetch_add(sent, Ordering::Relaxed);
        let what = match ending {
            Ending::Well(status) => {
                let is_left = !status.success();
                self.ended_by_it
                    .fetch_add(is_left.into(), Ordering::Relaxed);
                let _ = fs::remove_dir_all(&place);
                return None;
            }
            Ending::Crash(what) => what,
            Ending::Hang => "hung".into(),
        };
        let moments: Vec<String> = delays
            .iter()
            .map(|delay| delay.as_micros().to_string())
            .collect();
        Some(format!(
            "{script} {what}: {sent} of the interrupts after {} microseconds; kept: {}",
            moments.join(" and "),
            place.display()
        ))
    }

    /// Runs it without an interrupt.
    fn measure(&self, script: &str, place: &Path) -> Result<Duration, String> {
        let begin = Instant::now();
        let mut child = self.start(script, place).expect("the interpreter runs");
        match await_end(&mut child, place, LONGEST) {
            Ending::Well(_) => {}
            Ending::Crash(what) => return Err(format!("{script} {what}, without an interrupt")),
            Ending::Hang => return Err(format!("{script} hung, without an interrupt")),
        }
        Ok(begin.elapsed())
    }

    fn start(&self, script: &str, place: &Path) -> io::Result<Child> {
        let output = File::create(place.join("output.txt"))?;
        let mut path = OsString::from(".frozen:");
        path.push(&self.folder);
        Command::new(&self.interpreter)
            .arg(self.folder.join(script))
            .current_dir(place)
            .env("MICROPYPATH", path)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .process_group(0)
            .spawn()
    }
}

/// When interrupts come: the first at any moment of the script, and as often soon after its beginning; others soon after that.
fn delays(turn: &mut Turn, duration: Duration) -> Vec<Duration> {
    let soon = |turn: &mut Turn| {
        let bits = 1 + turn.draw(17);
        Duration::from_micros(turn.draw(1 << bits))
    };
    let whole = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    let first = match turn.draw(3) {
        0 => soon(turn),
        _ => Duration::from_micros(turn.draw(whole.max(1))),
    };
    let more = turn.draw(INTERRUPTS);
    std::iter::once(first)
        .chain((0..more).map(|_| soon(turn)))
        .collect()
}

/// Sends SIGINT after each delay, while the process is there. How many there were.
fn interrupt(child: &mut Child, delays: &[Duration]) -> u64 {
    let mut sent = 0;
    for delay in delays {
        thread::sleep(*delay);
        if !matches!(child.try_wait(), Ok(None)) {
            break;
        }
        // SAFETY: the process has not been waited for, so the number is still its own.
        unsafe { libc::kill(child.id() as i32, libc::SIGINT) };
        sent += 1;
    }
    sent
}

fn await_end(child: &mut Child, place: &Path, patience: Duration) -> Ending {
    let end = Instant::now() + patience;
    let ended = loop {
        match child.try_wait().expect("a child of ours") {
            Some(status) => break Some(status),
            None if Instant::now() > end => break None,
            None => thread::sleep(Duration::from_millis(1)),
        }
    };
    if ended.is_none() {
        look_at(child.id(), place);
    }
    // What the script has left behind, such as children.
    // SAFETY: the group is the child's own.
    unsafe { libc::kill(-(child.id() as i32), libc::SIGKILL) };
    let Some(status) = ended else {
        let _ = child.wait();
        return Ending::Hang;
    };
    let signal = status.signal().filter(|signal| CRASHES.contains(signal));
    match signal {
        Some(signal) => Ending::Crash(format!("crashed by signal {signal}")),
        None if status.code() == Some(REPORTED) => Ending::Crash("was reported".into()),
        None => Ending::Well(status),
    }
}

/// Writes down where a process hangs.
fn look_at(process: u32, place: &Path) {
    let Ok(file) = File::create(place.join("backtrace.txt")) else {
        return;
    };
    let _ = Command::new("timeout")
        .args(["60", "gdb", "--batch", "--nx", "-p", &process.to_string()])
        .args(["-ex", "thread apply all backtrace 30"])
        .stdin(Stdio::null())
        .stdout(file)
        .stderr(Stdio::null())
        .status();
}
