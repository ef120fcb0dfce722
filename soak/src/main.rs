//! Uses the crate in ways that only fail now and then, for as long as one likes: `cargo xtask soak` runs it.
//!
//! `farcall-soak NAME SECONDS SEED` runs one scenario and prints the number of its rounds; `FARCALL_SOAK_ROUNDS` sets that number, and the
//! time does not matter then. A wrong value is a panic; the caller watches for hangs.

#[cfg(target_os = "linux")]
mod allocator;
#[cfg(target_os = "linux")]
mod closing;
#[cfg(target_os = "linux")]
mod forks;
#[cfg(target_os = "linux")]
mod leaving;
#[cfg(target_os = "linux")]
mod peer;
#[cfg(target_os = "linux")]
mod scripts;
#[cfg(target_os = "linux")]
mod signatures;
#[cfg(target_os = "linux")]
mod storm;
#[cfg(target_os = "linux")]
mod turn;

#[cfg(target_os = "linux")]
mod scenarios {
    use crate::turn::Turn;
    use crate::{closing, forks, leaving, scripts, signatures};
    use std::process::ExitCode;

    /// A scenario returns its rounds.
    type Scenario = fn(&mut Turn) -> u64;

    const ALL: [(&str, Scenario); 20] = [
        ("close-call", closing::calls),
        ("close-call-storm", closing::calls_in_a_storm),
        ("close-variable", closing::variables),
        ("close-variable-storm", closing::variables_in_a_storm),
        ("drop-entered", closing::callbacks),
        ("drop-entered-storm", closing::callbacks_in_a_storm),
        ("come-and-go", closing::come_and_go),
        ("signatures", signatures::beyond_the_cache),
        ("signatures-storm", signatures::in_a_storm),
        ("thread-ends", leaving::thread_ends),
        ("jumps", leaving::jumps),
        ("coroutines", leaving::coroutines),
        ("panics", leaving::panics),
        ("forks-first-use", forks::first_use),
        ("forks-signatures", forks::signatures),
        ("forks-library", forks::library),
        ("forks-closed", forks::closed),
        ("forks-panics", forks::panics),
        ("scripts-ours", scripts::ours),
        ("scripts-stock", scripts::stock),
    ];

    /// Runs the scenario that the command line names.
    pub fn run() -> ExitCode {
        let mut args = std::env::args().skip(1);
        let name = args.next().unwrap_or_default();
        let number = |text: Option<String>| text.and_then(|text| text.parse().ok());
        let (seconds, seed) = (number(args.next()), number(args.next()));
        let scenario = ALL.iter().find(|(known, _)| *known == name);
        let (Some((_, scenario)), Some(seconds), Some(seed)) = (scenario, seconds, seed) else {
            let names: Vec<&str> = ALL.iter().map(|(name, _)| *name).collect();
            eprintln!(
                "farcall-soak NAME SECONDS SEED, NAME being one of {}",
                names.join(" ")
            );
            return ExitCode::FAILURE;
        };
        // A panic of any thread is a failure, even if another thread handles it.
        let tell = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if !leaving::is_meant(info) {
                tell(info);
                // SAFETY: this has no preconditions.
                unsafe { libc::_exit(101) };
            }
        }));
        let wanted = number(std::env::var("FARCALL_SOAK_ROUNDS").ok());
        let rounds = scenario(&mut Turn::new(seconds, seed, wanted));
        println!("rounds {rounds}");
        ExitCode::SUCCESS
    }
}

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    scenarios::run()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("this is for Linux");
}
