//! The cases to run: programs, and the tools that watch them from within.

/// The kind of a case.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Program {
    /// A scenario of `soak/src/`.
    Crate,
    /// A file of `soak/dropin/`, with the drop-in libffi.
    DropIn,
    /// A script of `soak/scripts/`, on MicroPython with our module.
    Script,
    /// The scripts of the module's tests, interrupted from outside, on MicroPython with our module.
    Storm,
    /// The same with the port's own module, to compare with.
    StockStorm,
}

impl Program {
    /// Whether it interrupts processes of its own.
    pub fn is_storm(self) -> bool {
        [Program::Storm, Program::StockStorm].contains(&self)
    }

    /// Whether it runs MicroPython.
    pub fn runs_micropython(self) -> bool {
        match self {
            Program::Script | Program::Storm | Program::StockStorm => true,
            Program::Crate | Program::DropIn => false,
        }
    }
}

/// The tool that watches memory, or threads, while a case runs.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tool {
    /// Nothing.
    None,
    /// The compiler's ThreadSanitizer.
    Thread,
    /// The compiler's AddressSanitizer.
    Address,
    /// Valgrind's memcheck.
    Valgrind,
}

/// One case.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub program: Program,
    /// The scenario, or the file without its ending.
    pub name: &'static str,
    /// A file's ending.
    pub ending: &'static str,
    pub tool: Tool,
}

impl Case {
    const fn new(program: Program, name: &'static str, ending: &'static str, tool: Tool) -> Case {
        Case {
            program,
            name,
            ending,
            tool,
        }
    }

    /// Its name on the command line.
    pub fn title(&self) -> String {
        let face = match self.program {
            Program::Crate => "crate",
            Program::DropIn => "libffi",
            Program::Script | Program::Storm => "module",
            Program::StockStorm => "stock",
        };
        let tool = match self.tool {
            Tool::None => "",
            Tool::Thread => "@thread",
            Tool::Address => "@address",
            Tool::Valgrind => "@valgrind",
        };
        format!("{face}/{}{tool}", self.name)
    }
}

const fn of_crate(name: &'static str) -> Case {
    Case::new(Program::Crate, name, "rs", Tool::None)
}

const fn in_c(name: &'static str) -> Case {
    Case::new(Program::DropIn, name, "c", Tool::None)
}

const fn in_cplusplus(name: &'static str) -> Case {
    Case::new(Program::DropIn, name, "cc", Tool::None)
}

const fn script(name: &'static str) -> Case {
    Case::new(Program::Script, name, "py", Tool::None)
}

const fn storm(program: Program) -> Case {
    Case::new(program, "storm", "", Tool::None)
}

const PLAIN: [Case; 34] = [
    of_crate("close-call"),
    of_crate("close-call-storm"),
    of_crate("close-variable"),
    of_crate("close-variable-storm"),
    of_crate("drop-entered"),
    of_crate("drop-entered-storm"),
    of_crate("come-and-go"),
    of_crate("signatures"),
    of_crate("signatures-storm"),
    of_crate("thread-ends"),
    of_crate("jumps"),
    of_crate("coroutines"),
    of_crate("panics"),
    of_crate("forks-first-use"),
    of_crate("forks-signatures"),
    of_crate("forks-library"),
    of_crate("forks-closed"),
    of_crate("forks-panics"),
    in_c("threads"),
    in_c("signals"),
    in_c("forks"),
    in_c("first_use"),
    in_c("thread_ends"),
    in_cplusplus("thread_local"),
    in_cplusplus("exceptions"),
    in_c("coroutines"),
    in_c("low_memory"),
    script("threads"),
    script("alarms"),
    script("interrupts"),
    script("interrupted"),
    script("foreign"),
    storm(Program::Storm),
    storm(Program::StockStorm),
];

/// The tools, and the cases that each watches. Storms need an allocator of their own, which no tool understands; jumps and
/// foreign stacks are beyond the sanitizers, and so are forks of a process with several threads: a child may wait for ever for the lock
/// of their own allocator.
const WATCHED: [(Tool, &[&str]); 3] = [
    (
        Tool::Thread,
        &[
            "crate/close-call",
            "crate/close-variable",
            "crate/drop-entered",
            "crate/signatures",
            "libffi/threads",
        ],
    ),
    (
        Tool::Address,
        &[
            "crate/close-call",
            "crate/close-variable",
            "crate/drop-entered",
            "crate/signatures",
            "crate/thread-ends",
            "crate/panics",
            "libffi/threads",
            "libffi/thread_local",
        ],
    ),
    (
        Tool::Valgrind,
        &[
            "libffi/threads",
            "libffi/thread_local",
            "libffi/thread_ends",
        ],
    ),
];

/// All cases, those without a tool first.
pub fn all() -> Vec<Case> {
    let watched = WATCHED.iter().flat_map(|(tool, names)| {
        PLAIN
            .iter()
            .filter(|case| names.contains(&case.title().as_str()))
            .map(|case| Case {
                tool: *tool,
                ..*case
            })
    });
    PLAIN.iter().copied().chain(watched).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_in_the_tables_is_a_case() {
        let titles: Vec<String> = all().iter().map(Case::title).collect();
        let watched: usize = WATCHED.iter().map(|(_, names)| names.len()).sum();
        assert_eq!(titles.len(), PLAIN.len() + watched);
    }
}
