//! The targets: what the C compilers compile for, and where the result runs. Everything that differs between targets is data.

use farcall_arch::Abi;
use farcall_arch::abi::Dialect;
use farcall_cdecl::c::Platform;
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
    pub fn long_bytes(self) -> usize {
        match self {
            Model::Lp64 => 8,
            Model::Llp64 => 4,
        }
    }
}

/// The kind of file that the compilers make, and so the way in which the run stage loads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A shared object of the platform that runs it, loaded by its loader.
    Shared,
    /// An object file of another system, for the same instructions: its code is put into memory as it is.
    Foreign,
}

/// How C code takes the arguments behind `...`: the type of the list, and the builtin that begins one.
#[derive(Clone, Copy, Debug)]
pub struct VaList {
    /// The list's type.
    pub list: &'static str,
    /// The builtin for `va_start`.
    pub start: &'static str,
}

/// The format of `long double`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LongDouble {
    /// The x87's format.
    X87,
    /// IEEE 754 binary128.
    Quad,
}

/// A C side.
#[derive(Debug)]
pub struct Target {
    /// Rust's name for the target, and a convention behind a colon where that is not the platform's own.
    pub name: &'static str,
    /// Rust's name for the target that the run stage runs on.
    pub host: &'static str,
    /// The convention that the functions follow.
    pub abi: Abi,
    /// Whether farcall itself is judged, which follows its platform's convention. Otherwise only its code for another convention is.
    pub is_native: bool,
    /// The size of a `long`.
    pub model: Model,
    /// The platform whose C a text is; none where code must refer to nothing, as functions on structures may refer to something.
    pub platform: Option<Platform>,
    /// The compilers to judge by, as commands with their first arguments.
    pub compilers: &'static [&'static str],
    /// Further arguments that make a file of this `form`.
    pub flags: &'static [&'static str],
    /// The kind of file that they make.
    pub form: Form,
    /// The extension of its name.
    pub extension: &'static str,
    /// The attribute of every function that takes part, where its convention is not the platform's own.
    pub attribute: &'static str,
    /// Whether a caller may leave dirt above narrow arguments wherever they lie.
    pub dirty_arguments: bool,
    /// How variadic functions are written; `None` where not every compiler has them.
    pub va_list: Option<VaList>,
    /// Whether every compiler passes structures behind a `...` in the way in which it reads them.
    pub has_wide_variadics: bool,
    /// The format of `long double`, where it is not that of `double`.
    pub long_double: LongDouble,
    /// The letters of [`crate::codes::WIDE`] whose types all compilers have, and pass alike.
    pub wide_letters: &'static str,
}

const VA_LIST: VaList = VaList {
    list: "__builtin_va_list",
    start: "__builtin_va_start",
};

const X86_64_LINUX_GNU: Target = Target {
    name: "x86_64-unknown-linux-gnu",
    host: "x86_64-unknown-linux-gnu",
    abi: Abi::SysV64,
    is_native: true,
    model: Model::Lp64,
    platform: Some(Platform::LINUX_X86_64),
    compilers: &["gcc", "clang"],
    flags: &["-shared", "-fPIC"],
    form: Form::Shared,
    extension: "so",
    attribute: "",
    dirty_arguments: true,
    va_list: Some(VA_LIST),
    has_wide_variadics: true,
    long_double: LongDouble::X87,
    wide_letters: "oOegFDE",
};

const AARCH64_LINUX_GNU: Target = Target {
    name: "aarch64-unknown-linux-gnu",
    host: "aarch64-unknown-linux-gnu",
    abi: Abi::Aapcs64(Dialect::Linux),
    platform: Some(Platform::LINUX_AARCH64),
    compilers: &[
        "aarch64-linux-gnu-gcc",
        "clang --target=aarch64-linux-gnu -fuse-ld=bfd",
    ],
    long_double: LongDouble::Quad,
    wide_letters: "oOeFDE",
    ..X86_64_LINUX_GNU
};

/// Win64 in a Linux process. `long` is Linux's: a convention says nothing of names.
const WIN64_ON_LINUX: Target = Target {
    name: "x86_64-unknown-linux-gnu:win64",
    abi: Abi::Win64,
    is_native: false,
    // What C text declares is passed as its platform passes it.
    platform: None,
    attribute: "__attribute__((ms_abi))",
    va_list: Some(VaList {
        list: "__builtin_ms_va_list",
        start: "__builtin_ms_va_start",
    }),
    // gcc 12 passes them by address, but reads them as values.
    has_wide_variadics: false,
    wide_letters: "oOFD",
    ..X86_64_LINUX_GNU
};

const X86_64_WINDOWS_GNU: Target = Target {
    name: "x86_64-pc-windows-gnu",
    host: "x86_64-pc-windows-gnu",
    abi: Abi::Win64,
    is_native: true,
    model: Model::Llp64,
    platform: Some(Platform::WINDOWS_X86_64_GNU),
    compilers: &[
        "x86_64-w64-mingw32-gcc",
        "clang --target=x86_64-w64-mingw32",
    ],
    flags: &["-shared", "-nostdlib", "-Wl,--entry=farcall_entry"],
    extension: "dll",
    wide_letters: "oOeFDE",
    ..X86_64_LINUX_GNU
};

/// System V in a Windows process, by GCC. GCC 12 fails inside itself at some callers (`choose_baseaddr`, where it saves `xmm6` to
/// `xmm15`) if it vectorizes, and at any that it compiles behind certain functions of System V's: so it keeps them in the order in which
/// they stand, callers first.
const SYSV64_ON_WINDOWS: Target = Target {
    name: "x86_64-pc-windows-gnu:sysv64",
    abi: Abi::SysV64,
    is_native: false,
    // What C text declares is passed as its platform passes it.
    platform: None,
    compilers: &["x86_64-w64-mingw32-gcc -fno-tree-vectorize -fno-toplevel-reorder"],
    attribute: "__attribute__((sysv_abi))",
    va_list: None,
    has_wide_variadics: false,
    ..X86_64_WINDOWS_GNU
};

/// The same by clang, which cannot read variadic arguments there, and returns x87 numbers in memory, as Windows' own convention does, where
/// the psABI wants them in `st0`.
const SYSV64_ON_WINDOWS_BY_CLANG: Target = Target {
    name: "x86_64-pc-windows-gnu:sysv64-clang",
    compilers: &["clang --target=x86_64-w64-mingw32"],
    wide_letters: "oOFD",
    ..SYSV64_ON_WINDOWS
};

/// Apple's code in a Linux process. A caller there extends narrow arguments, and packs those on the stack.
const AARCH64_APPLE_DARWIN: Target = Target {
    name: "aarch64-apple-darwin",
    abi: Abi::Aapcs64(Dialect::Apple),
    is_native: false,
    platform: None,
    compilers: &["clang --target=arm64-apple-macos11"],
    flags: FOREIGN,
    form: Form::Foreign,
    extension: "o",
    dirty_arguments: false,
    wide_letters: "oOFD",
    ..AARCH64_LINUX_GNU
};

/// Windows' code in a Linux process.
const AARCH64_WINDOWS_MSVC: Target = Target {
    name: "aarch64-pc-windows-msvc",
    abi: Abi::Aapcs64(Dialect::Windows),
    is_native: false,
    model: Model::Llp64,
    platform: None,
    compilers: &["clang --target=aarch64-pc-windows-msvc"],
    flags: FOREIGN,
    form: Form::Foreign,
    extension: "o",
    wide_letters: "oOFD",
    ..AARCH64_LINUX_GNU
};

/// The flags for functions alone, without unwind tables: nothing in them refers to anything.
const FOREIGN: &[&str] = &[
    "-c",
    "-ffreestanding",
    "-fno-asynchronous-unwind-tables",
    "-fno-stack-protector",
];

/// Every target.
pub static ALL: [&Target; 8] = [
    &X86_64_LINUX_GNU,
    &AARCH64_LINUX_GNU,
    &X86_64_WINDOWS_GNU,
    &WIN64_ON_LINUX,
    &SYSV64_ON_WINDOWS,
    &SYSV64_ON_WINDOWS_BY_CLANG,
    &AARCH64_APPLE_DARWIN,
    &AARCH64_WINDOWS_MSVC,
];

impl Target {
    /// The target of that name.
    pub fn named(name: &str) -> Option<&'static Target> {
        ALL.into_iter().find(|target| target.name == name)
    }

    /// The target that this program itself is compiled for.
    pub fn of_this_program() -> &'static Target {
        if cfg!(windows) {
            &X86_64_WINDOWS_GNU
        } else if cfg!(target_arch = "aarch64") {
            &AARCH64_LINUX_GNU
        } else {
            &X86_64_LINUX_GNU
        }
    }
}

/// The targets whose run stage this program can run.
pub fn of_this_machine() -> impl Iterator<Item = &'static Target> {
    let own = Target::of_this_program();
    ALL.into_iter().filter(|target| target.host == own.name)
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}
