//! Measures interpreters: MicroPython with our module and with its own, and others that can call C.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::harness::Effort;
use super::samples::Samples;
use super::{cases, harness};
use crate::libffi::{self, Libffi};
use crate::micropython::{self, Module};
use crate::paths;
use crate::pins;
use crate::process::{self, Output};
use crate::setup;
use crate::source;
use crate::target::Target;

/// The name of MicroPython with its own module.
pub const STOCK: &str = "stock";

/// The name of ours where the crate has a row, too.
pub const IN_MICROPYTHON: &str = "farcall in MicroPython";

/// The names of the other interpreters.
pub const OTHERS: [&str; 4] = [
    "LuaJIT, compiled",
    "LuaJIT, interpreted",
    "CPython, ctypes",
    "CPython, cffi",
];

/// The names of CPython's ctypes on farcall in libffi's place, and on the newest libffi.
pub const CTYPES_ON: [&str; 2] = ["CPython, ctypes on farcall", "CPython, ctypes on libffi"];

/// An interpreter, with the script that it runs.
struct Interpreter {
    peer: &'static str,
    /// The libffi that it is to load, if not the system's.
    libffi: Option<PathBuf>,
    program: PathBuf,
    options: &'static [&'static str],
    script: &'static str,
}

/// Runs each by turns, a process each.
fn measure(interpreters: &[Interpreter], effort: Effort, samples: &mut Samples) -> Result<()> {
    let library = harness::cases_library()?;
    for _ in 0..effort.processes {
        for interpreter in interpreters {
            let scripts = paths::root().join("benches/peers/scripts");
            let mut command = Command::new(&interpreter.program);
            command
                .args(interpreter.options)
                .arg(scripts.join(interpreter.script))
                .arg(interpreter.peer)
                .args([&library, &cases::table()])
                .arg(effort.rounds.to_string())
                .arg(effort.turn.to_string());
            if let Some(directory) = interpreter.libffi.as_deref().and_then(Path::parent) {
                command.env("LD_LIBRARY_PATH", directory);
            }
            samples.read(&process::stdout(&mut command)?)?;
        }
    }
    Ok(())
}

/// MicroPython: ours and stock.
pub fn micropython(effort: Effort, samples: &mut Samples) -> Result<()> {
    let mut interpreters = Vec::new();
    for (peer, module) in [("farcall", Module::Ours), (STOCK, Module::StockNewest)] {
        interpreters.push(Interpreter {
            peer,
            libffi: None,
            program: micropython::build_with(Target::default(), module, Output::OnFailure)?,
            options: &[],
            script: "micropython.py",
        });
    }
    let version = if source::place(&pins::MICROPYTHON)?.pinned {
        pins::MICROPYTHON.version
    } else {
        "of MICROPYTHON_SRC"
    };
    let known = &mut samples.versions;
    known.insert("MicroPython".into(), version.into());
    measure(&interpreters, effort, samples)?;
    let memory = Interpreter {
        peer: IN_MICROPYTHON,
        libffi: None,
        program: interpreters.swap_remove(0).program,
        options: &[],
        script: "memory.py",
    };
    measure(
        &[memory],
        Effort {
            processes: 1,
            ..effort
        },
        samples,
    )
}

/// LuaJIT and CPython, each in two ways.
pub fn others(effort: Effort, samples: &mut Samples) -> Result<()> {
    setup::ensure(setup::INTERPRETERS)?;
    let python = python_with_cffi()?;
    let luajit = Path::new("luajit");
    let interpreter = |peer, program: &Path, options, script| Interpreter {
        peer,
        libffi: None,
        program: program.to_owned(),
        options,
        script,
    };
    let on = |peer, libffi: Libffi| Interpreter {
        libffi: Some(libffi.library),
        ..interpreter(peer, &python, &[], "cpython.py")
    };
    let interpreters = [
        interpreter(OTHERS[0], luajit, &["-jon"], "luajit.lua"),
        interpreter(OTHERS[1], luajit, &["-joff"], "luajit.lua"),
        interpreter(OTHERS[2], &python, &[], "cpython.py"),
        interpreter(OTHERS[3], &python, &[], "cpython.py"),
        on(CTYPES_ON[0], harness::drop_in()?),
        on(CTYPES_ON[1], libffi::newest()?),
    ];
    measure(&interpreters, effort, samples)
}

/// A Python of our own with cffi in it, below `target/`.
fn python_with_cffi() -> Result<PathBuf> {
    let venv = paths::bench()?.join("python");
    let python = venv.join("bin/python");
    if !process::succeeds(Command::new(&python).args(["-c", "import cffi"])) {
        let venv = paths::emptied(venv)?;
        let mut make = Command::new("python3");
        make.args(["-m", "venv"]).arg(&venv);
        process::run(&mut make, Output::Shown)?;
        let mut install = Command::new(&python);
        install.args(["-m", "pip", "install", "--quiet", "cffi"]);
        process::run(&mut install, Output::Shown)?;
    }
    Ok(python)
}
