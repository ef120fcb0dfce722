//! The step that builds MicroPython with our module in other configurations than the usual one, and runs the module's scripts there.
//!
//! A few configurations run each time. The variable `FARCALL_CONFIGURATIONS` names others, separated by commas, or `all`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::Report;
use super::scripts;
use crate::micropython;
use crate::paths;
use crate::process::{self, Output};
use crate::setup::{self, Check, Need};

/// The variable that chooses configurations.
const CHOICE: &str = "FARCALL_CONFIGURATIONS";

/// A way to build MicroPython, and the expected outcome for the module.
struct Configuration {
    name: &'static str,
    /// Options for the C compiler.
    options: &'static str,
    /// Further words for make.
    words: &'static [&'static str],
    needs: &'static [Need],
    outcome: Outcome,
    /// Whether it runs each time.
    often: bool,
}

/// The expected outcome for the module in a configuration.
enum Outcome {
    /// It works.
    Works(Scripts),
    /// The build fails with this message, before anything is compiled or linked.
    Refused(&'static str),
}

/// The scripts that run in a configuration.
struct Scripts {
    folder: &'static str,
    /// The compiler of the library that the scripts open.
    compiler: &'static str,
    /// Scripts that are not run, and why.
    except: &'static [(&'static str, &'static str)],
    /// Scripts that skip themselves, and why.
    skips: &'static [(&'static str, &'static str)],
    /// The interpreter's environment variables.
    environment: &'static [(&'static str, &'static str)],
}

const WINDOWS_ONLY: (&str, &str) = ("dll_search", "it is about Windows");

const NO_FRAME_IN_A_LOCK: &str =
    "what a callback with lock=True calls has no memory for its frame there";

const NO_OWN_SYMBOLS: &str = "a static program shows no functions of its own";

const OTHER_C_LIBRARY: &str = "a library has a C library of its own there, whose errno and whose threads' variables are not the program's";

const BEYOND_SINGLE: &str = "it has numbers that such floats do not hold";

/// The module's own scripts, all of them.
const ALL: Scripts = Scripts {
    folder: "tests/module",
    compiler: "gcc",
    except: &[],
    skips: &[
        WINDOWS_ONLY,
        ("foreign_thread_refused", "the port has threads"),
        ("last_error", "it is about Windows"),
        ("out_of_memory", "what refuses memory is not loaded here"),
    ],
    environment: &[],
};

/// A configuration that works like the usual one.
const USUAL: Configuration = Configuration {
    name: "",
    options: "",
    words: &[],
    needs: &[],
    outcome: Outcome::Works(ALL),
    often: false,
};

/// The scripts that need only ints, strs and the C library.
const PLAIN: Scripts = Scripts {
    folder: "tests/plain",
    skips: &[],
    ..ALL
};

static CONFIGURATIONS: &[Configuration] = &[
    Configuration {
        name: "gil",
        // A script stops a thread ahead of the lock, so it must find what takes that.
        words: &[
            "MICROPY_PY_THREAD_GIL=1",
            "LDFLAGS_EXTRA=-Wl,--export-dynamic-symbol=__wrap_mp_thread_mutex_lock",
        ],
        outcome: Outcome::Works(Scripts {
            except: &[(
                "interrupts",
                "the port raises Ctrl-C out of no handler there, so it waits for the end of what C does",
            )],
            ..ALL
        }),
        often: true,
        ..USUAL
    },
    Configuration {
        name: "no-threads-no-floats",
        options: "-DMICROPY_FLOAT_IMPL=MICROPY_FLOAT_IMPL_NONE",
        words: &["MICROPY_PY_THREAD=0"],
        outcome: Outcome::Works(PLAIN),
        often: true,
        ..USUAL
    },
    Configuration {
        name: "single-floats",
        options: "-DMICROPY_FLOAT_IMPL=MICROPY_FLOAT_IMPL_FLOAT",
        outcome: Outcome::Works(Scripts {
            except: &[
                ("positions", BEYOND_SINGLE),
                ("variables", BEYOND_SINGLE),
                ("variadic", BEYOND_SINGLE),
                ("variadic_prototypes", BEYOND_SINGLE),
                ("wide_values", BEYOND_SINGLE),
            ],
            ..ALL
        }),
        often: true,
        ..USUAL
    },
    Configuration {
        name: "setjmp",
        // MicroPython's own code is not free of that warning.
        options: "-DMICROPY_NLR_SETJMP=1 -Wno-error=clobbered",
        outcome: Outcome::Works(Scripts {
            except: &[(
                "objects",
                "it wants callbacks with objects, and code cannot catch exceptions by setjmp()",
            )],
            ..ALL
        }),
        often: true,
        ..USUAL
    },
    Configuration {
        name: "nanbox",
        words: &["VARIANT=nanbox"],
        outcome: Outcome::Refused("farcall does not work with object representation D"),
        often: true,
        ..USUAL
    },
    Configuration {
        name: "32-bit",
        words: &["CC=gcc -m32"],
        outcome: Outcome::Refused("farcall works on 64-bit machines only"),
        often: true,
        ..USUAL
    },
    Configuration {
        name: "no-threads",
        words: &["MICROPY_PY_THREAD=0"],
        outcome: Outcome::Works(Scripts {
            skips: &[
                WINDOWS_ONLY,
                ("cdef_threads", "there are no threads"),
                ("callback_entered_late", "there are no threads"),
                ("errno_threads", "there are no threads"),
                ("foreign_thread", "there are no threads"),
                ("foreign_thread_exit", "there are no threads"),
                ("foreign_thread_fork", "there are no threads"),
                ("foreign_thread_load", "there are no threads"),
                ("foreign_thread_timer", "there are no threads"),
                ("last_error", "it is about Windows"),
                ("library_closed_in_use", "there are no threads"),
                ("out_of_memory", "what refuses memory is not loaded here"),
                ("threads", "there are no threads"),
            ],
            ..ALL
        }),
        ..USUAL
    },
    Configuration {
        name: "minimal",
        words: &["VARIANT=minimal", "FROZEN_MANIFEST="],
        outcome: Outcome::Works(PLAIN),
        ..USUAL
    },
    Configuration {
        name: "coverage",
        words: &["VARIANT=coverage"],
        needs: &[Need::new(Check::Program("g++"), "g++")],
        ..USUAL
    },
    Configuration {
        name: "pystack",
        options: "-DMICROPY_ENABLE_PYSTACK=1",
        outcome: Outcome::Works(Scripts {
            except: &[(
                "threads",
                "threads have a kilobyte for their Python frames there, and it wants more",
            )],
            ..ALL
        }),
        ..USUAL
    },
    Configuration {
        name: "stackless",
        options: "-DMICROPY_STACKLESS=1",
        ..USUAL
    },
    Configuration {
        name: "stackless-strict",
        options: "-DMICROPY_STACKLESS=1 -DMICROPY_STACKLESS_STRICT=1",
        outcome: Outcome::Works(Scripts {
            except: &[
                ("callback_exceptions", NO_FRAME_IN_A_LOCK),
                ("errno", NO_FRAME_IN_A_LOCK),
            ],
            ..ALL
        }),
        ..USUAL
    },
    Configuration {
        name: "settrace",
        options: "-DMICROPY_PY_SYS_SETTRACE=1",
        ..USUAL
    },
    Configuration {
        name: "debug",
        words: &["DEBUG=1"],
        ..USUAL
    },
    Configuration {
        name: "O0",
        words: &["COPT=-O0"],
        ..USUAL
    },
    Configuration {
        name: "lto",
        options: "-flto",
        words: &["LDFLAGS_EXTRA=-flto"],
        ..USUAL
    },
    Configuration {
        name: "clang",
        options: "-Wno-unknown-warning-option",
        words: &["CC=clang"],
        needs: &[Need::new(Check::Program("clang"), "clang")],
        ..USUAL
    },
    Configuration {
        name: "sanitizers",
        options: "-fsanitize=address,undefined -fno-sanitize=nonnull-attribute --param asan-use-after-return=0",
        words: &["LDFLAGS_EXTRA=-fsanitize=address,undefined"],
        outcome: Outcome::Works(Scripts {
            except: &[
                (
                    "foreign_thread_exit",
                    "AddressSanitizer does not learn of frames that are left by cancelling a thread at any instruction",
                ),
                (
                    "layouts",
                    "uctypes itself shifts into the sign of an int for bit-fields of 31 bits",
                ),
            ],
            // A library that is not closed stays loaded. Freed memory must not be kept back, as one script checks how much there is.
            environment: &[(
                "ASAN_OPTIONS",
                "detect_leaks=0:quarantine_size_mb=0:thread_local_quarantine_size_kb=0",
            )],
            ..ALL
        }),
        ..USUAL
    },
    Configuration {
        name: "static",
        words: &["LDFLAGS_EXTRA=-static"],
        outcome: Outcome::Works(Scripts {
            except: &[
                ("callables", NO_OWN_SYMBOLS),
                ("callback_entered_late", OTHER_C_LIBRARY),
                ("errno", OTHER_C_LIBRARY),
                ("errno_threads", OTHER_C_LIBRARY),
                ("foreign_thread", OTHER_C_LIBRARY),
                ("foreign_thread_exit", NO_OWN_SYMBOLS),
                ("foreign_thread_fork", NO_OWN_SYMBOLS),
                ("foreign_thread_load", OTHER_C_LIBRARY),
                ("foreign_thread_timer", NO_OWN_SYMBOLS),
                ("library", NO_OWN_SYMBOLS),
                ("linker_scripts", NO_OWN_SYMBOLS),
                ("old_scripts", NO_OWN_SYMBOLS),
            ],
            ..ALL
        }),
        ..USUAL
    },
    Configuration {
        name: "musl",
        words: &["CC=musl-gcc"],
        needs: MUSL,
        outcome: Outcome::Works(Scripts {
            compiler: "musl-gcc",
            ..ALL
        }),
        ..USUAL
    },
    Configuration {
        name: "musl-static",
        words: &["CC=musl-gcc", "LDFLAGS_EXTRA=-static"],
        needs: MUSL,
        outcome: Outcome::Works(Scripts {
            skips: &[("calls", "musl opens no library in a static program")],
            ..PLAIN
        }),
        ..USUAL
    },
];

/// The needs of compiling for musl.
const MUSL: &[Need] = &[
    Need::new(Check::Program("musl-gcc"), "musl-tools"),
    Need::new(
        Check::RustTarget("x86_64-unknown-linux-musl"),
        "x86_64-unknown-linux-musl",
    ),
];

impl Configuration {
    /// The configurations that the variable chooses.
    fn chosen() -> Result<Vec<&'static Configuration>> {
        let Ok(choice) = std::env::var(CHOICE) else {
            return Ok(CONFIGURATIONS.iter().filter(|known| known.often).collect());
        };
        if choice == "all" {
            return Ok(CONFIGURATIONS.iter().collect());
        }
        let find = |name: &str| {
            let found = CONFIGURATIONS.iter().find(|known| known.name == name);
            found.ok_or_else(|| {
                let names: Vec<_> = CONFIGURATIONS.iter().map(|known| known.name).collect();
                anyhow::anyhow!(
                    "{CHOICE}: there is no configuration {name}, only {}",
                    names.join(", ")
                )
            })
        };
        choice.split(',').map(find).collect()
    }

    fn test(&self) -> Result<Report> {
        setup::ensure(self.needs)?;
        match &self.outcome {
            Outcome::Works(scripts) => {
                let program = micropython::build_configured(self.name, self.options, self.words)?;
                // Deletes old coverage data: a program with coverage would complain that it was built anew since.
                let mut counts = Command::new("find");
                counts
                    .args(program.parent())
                    .args(["-name", "*.gcda", "-delete"]);
                process::run(&mut counts, Output::OnFailure)?;
                scripts.run(&program)
            }
            Outcome::Refused(words) => {
                let said = micropython::refusal(self.name, self.options, self.words)?;
                let failure = format!("wanted {words:?}, make said: {said}");
                Ok(Report::single(said.contains(words), failure))
            }
        }
    }
}

impl Scripts {
    fn run(&self, program: &Path) -> Result<Report> {
        let peer = self.peer()?;
        scripts::run_scripts(self.folder, self.except, self.skips, |_| {
            let mut command = Command::new(program);
            command
                .envs(self.environment.iter().copied())
                .env("FARCALL_PEER", &peer);
            Ok(command)
        })
    }

    /// The library that the scripts open.
    fn peer(&self) -> Result<PathBuf> {
        let directory = paths::made(paths::micropython()?.join("configurations"))?;
        let library = directory.join(format!("peer-{}.so", self.compiler));
        let mut cc = Command::new(self.compiler);
        cc.args(["-shared", "-fPIC", "-O2", "-pthread", "-o"])
            .arg(&library)
            .args(
                ["peer.c", "stepper.c"].map(|name| paths::root().join("tests/module").join(name)),
            );
        process::run(&mut cc, Output::OnFailure)?;
        Ok(library)
    }
}

/// Compilers, and the Rust targets that the module's makefile chooses for them; none for the one that cargo builds for anyway.
const MACHINES: &[(&str, &str)] = &[
    ("gcc", ""),
    ("clang", ""),
    ("aarch64-linux-gnu-gcc", "aarch64-unknown-linux-gnu"),
    ("x86_64-w64-mingw32-gcc", "x86_64-pc-windows-gnu"),
    ("musl-gcc", "x86_64-unknown-linux-musl"),
];

/// Checks that the makefile derives the Rust target from the C compiler. This machine counts as one of the default target.
fn machines() -> Result<Report> {
    setup::ensure(&[setup::CROSS_COMPILERS, MUSL].concat())?;
    let module = paths::root().join("micropython/ffi");
    let mut report = Report::default();
    for (compiler, target) in MACHINES {
        let mut make = Command::new("make");
        make.args(["--silent", "--file", "micropython.mk"])
            .args(["--eval", "answer: ; @echo $(FARCALL_TARGET)", "answer"])
            .arg(format!("USERMOD_DIR={}", module.display()))
            .args([&format!("CC={compiler}"), "BUILD=."])
            .env_remove("CARGO_BUILD_TARGET")
            .current_dir(&module);
        let answer = process::stdout(&mut make)?;
        let failure = format!("{compiler}: wanted {target:?}, got {answer:?}");
        report.add(answer.trim() == *target, failure);
    }
    Ok(report)
}

/// The step.
pub fn configurations() -> Result<Report> {
    let mut report = machines()?;
    for configuration in Configuration::chosen()? {
        println!("---- {}", configuration.name);
        match configuration.test() {
            Ok(found) => report.join(configuration.name, found),
            Err(error) => report.add(false, format!("{}: {error:#}", configuration.name)),
        }
    }
    Ok(report)
}
