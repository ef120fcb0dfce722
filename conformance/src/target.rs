//! What the C compilers compile for: everything that differs between targets on the emit side, as data.

use std::fmt;

/// The size of a `long`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    /// 64 bits: Unix.
    Lp64,
    /// 32 bits: Windows.
    Llp64,
}

impl Model {
    /// Bytes of a `long`.
    pub fn long_bytes(self) -> u32 {
        match self {
            Model::Lp64 => 8,
            Model::Llp64 => 4,
        }
    }
}

/// A platform's C side.
#[derive(Debug)]
pub struct Target {
    /// Rust's name for it.
    pub name: &'static str,
    /// How long a `long` is.
    pub model: Model,
    /// The compilers to judge by, as commands with their first arguments.
    pub compilers: &'static [&'static str],
    /// Further arguments that make a shared object.
    pub flags: &'static [&'static str],
    /// What a shared object's name ends in.
    pub extension: &'static str,
    /// The attribute of every function that takes part, where its convention is not the platform's own.
    pub attribute: &'static str,
    /// Whether a caller may leave dirt above narrow arguments wherever they lie.
    pub dirty_arguments: bool,
}

static X86_64_LINUX_GNU: Target = Target {
    name: "x86_64-unknown-linux-gnu",
    model: Model::Lp64,
    compilers: &["gcc", "clang"],
    flags: &["-shared", "-fPIC"],
    extension: "so",
    attribute: "",
    dirty_arguments: true,
};

/// Every target.
pub static ALL: [&Target; 1] = [&X86_64_LINUX_GNU];

impl Target {
    /// The target of that name.
    pub fn named(name: &str) -> Option<&'static Target> {
        ALL.into_iter().find(|target| target.name == name)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
