//! Sends Ctrl-C from outside, at random times, to MicroPython while it runs the scripts of the module's tests.
//!
//! An interrupted script's output does not matter. But the script must end, within some time, and not by a crash.
//! `FARCALL_SOAK_MICROPYTHON` names the interpreter, so that one with the port's own module can be tested in the same way.

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

/// The time beyond that of an undisturbed run after which a script counts as hanging.
const PATIENCE: Duration = Duration::from_secs(300);

/// The most time of an undisturbed run; a script that takes longer counts as hanging, too.
const LONGEST: Duration = Duration::from_secs(300);

/// The multiple of its undisturbed time that a script may take, as other processes use the processor, too.
const TIMES: u32 = 4;

/// Processes at a time. Scripts mostly wait.
const PROCESSES: usize = 6;

/// The most interrupts for a process. A later one may hit the state that the first one left.
const INTERRUPTS: u64 = 4;

/// The signals that must not end one of our processes. Ctrl-C ends a process that has not installed its handler yet, or has removed it.
const CRASHES: [i32; 7] = [
    libc::SIGSEGV,
    libc::SIGBUS,
    libc::SIGILL,
    libc::SIGFPE,
    libc::SIGABRT,
    libc::SIGTRAP,
    libc::SIGSYS,
];

/// The exit code of sanitizers that the command sets, and their default.
const REPORTED: i32 = 99;

/// The data that all threads of the storm share.
struct Storm {
    interpreter: OsString,
    folder: PathBuf,
    scripts: Vec<String>,
    /// The time of each script's undisturbed run; `None` where the interpreter cannot run the script.
    durations: Mutex<HashMap<String, Option<Duration>>>,
    /// Whether the interpreter must be able to run all scripts.
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

/// Interrupts as many scripts as there is time for. A crash or a hang ends the storm if `is_ours`, and is counted otherwise. A round is a process.
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

/// Interrupts our interpreter, which must not crash or hang.
pub fn ours(turn: &mut Turn) -> u64 {
    storm(turn, true)
}

/// Interrupts the stock interpreter, and counts its crashes and hangs.
pub fn stock(turn: &mut Turn) -> u64 {
    storm(turn, false)
}

fn variable(name: &str) -> OsString {
    std::env::var_os(name).unwrap_or_else(|| panic!("{name} is not set"))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The scripts of the storm: all of them, or those that `FARCALL_SOAK_SCRIPT` names.
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
    // Sorted, so that the seed alone decides which one is drawn.
    scripts.sort();
    Ok(scripts)
}

impl Storm {
    /// Runs a script once and interrupts it. Returns the fault, if there is one.
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

/// The times of the interrupts: the first at any moment of the script or, in a third of the cases, soon after its beginning; others soon after that.
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

/// Sends SIGINT after each delay, while the process is there. Returns the number sent.
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
    // Ends processes that the script has left behind, such as children.
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

/// Writes a backtrace of a hanging process.
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
