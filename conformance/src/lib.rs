//! A differential test of farcall against real C compilers.
//!
//! Signatures and values are made at random (or, for the small signatures, exhaustively); C compilers compile the
//! other side of each; and both sides note what they received. Nothing here knows where an argument goes; only the compilers do.
//!
//! ```text
//! seed ──generate──► cases ──source──► C ──compile──► shared objects        the emit stage: on the host
//!                      └─────────────cases file────────────┐│
//!                                                          ▼▼
//!             report ◄──supervise◄── run (call, callback; engine, machine)  the run stage: on the target
//! ```
//!
//! The stages meet in a directory, and the run stage may be another machine's: `--emit DIR` on the host, then
//! `--run DIR --runner "qemu-aarch64 … farcall-conformance"`.
//!
//! A case is a signature of types ([`types`]): those of the type codes, which fill words, or any that C has. Or it is C text
//! ([`declare`] writes it), which the compiler compiles and farcall reads ([`declared`]); its values are handed over member by member, bit-fields by
//! their bits. Files import along this line only: cases and their types, generate, source, compile, run, supervise; [`report`] has the words
//! for all.
//!
//! What each direction checks:
//! * **Call.** A C function records its arguments, each widened from its declared type to 64 bits, which shows what the compiler assumes
//!   about the bits that the caller must fill. It returns a preset value, half of the time through a wider type than farcall is told of, so
//!   with dirt above the value. The slots that farcall is given are dirty above narrow values too. Values wider than a word are handed over
//!   by their bytes. Each is called with values in slots, and with pointers to values that end where readable memory does.
//! * **Callback.** A C function calls a function pointer of farcall's, half of the time through a type with wider
//!   arguments, so with dirt above narrow ones; the handler, on slots or on pointers, records its arguments and leaves a preset result, with dirt
//!   above it; C records what it got, widened from the declared type.
//! * **Both** go through two pieces of assembly ([`machine`]): a guard around farcall's code, which loads patterns
//!   into all registers and control words that must come back and compares them and the caller's frame afterwards;
//!   and a probe in front of whatever farcall's code calls, which records the stack pointer and the control words
//!   there and, on the way back, overwrites all registers that a callee may use up. Guard words surround slots and
//!   results. A callback with a wide result has no guard, which would take a result in the caller's frame for damage.

pub mod cases;
mod cells;
pub mod codes;
pub mod compile;
pub mod declare;
pub mod declared;
pub mod divergence;
pub mod exhaustive;
#[cfg(all(target_arch = "x86_64", unix))]
pub mod fuzz;
pub mod generate;
mod layout;
pub mod machine;
mod planner;
pub mod record;
pub mod report;
pub mod rng;
pub mod run;
pub mod source;
pub mod supervise;
pub mod target;
pub mod types;
pub mod values;
