//! The targets whose conventions there are: a machine, a system, and its compiler's types.

use clap::ValueEnum;
use farcall_arch::Abi;
use farcall_arch::abi::Dialect;
use farcall_cdecl::c::Platform;

/// A machine with a system.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Target {
    /// System V, as Linux has it
    #[value(name = "x86_64-linux", alias = "x86_64-unknown-linux-gnu")]
    X64Linux,
    /// System V, as macOS has it
    #[value(name = "x86_64-macos", alias = "x86_64-apple-darwin")]
    X64Macos,
    /// Microsoft's, with MinGW's types: long double has 16 bytes
    #[value(name = "x86_64-windows", alias = "x86_64-pc-windows-gnu")]
    X64Windows,
    /// Microsoft's, with MSVC's types: long double is double
    #[value(name = "x86_64-windows-msvc", alias = "x86_64-pc-windows-msvc")]
    X64Msvc,
    /// Arm's, as Linux has it
    #[value(name = "aarch64-linux", alias = "aarch64-unknown-linux-gnu")]
    A64Linux,
    /// Arm's, as Apple has it
    #[value(name = "aarch64-macos", alias = "aarch64-apple-darwin")]
    A64Macos,
    /// Arm's, as Microsoft has it
    #[value(name = "aarch64-windows", alias = "aarch64-pc-windows-msvc")]
    A64Windows,
}

impl Target {
    /// The target that this program runs on.
    pub fn host() -> Target {
        let is_arm = cfg!(target_arch = "aarch64");
        if cfg!(windows) {
            if is_arm {
                Target::A64Windows
            } else {
                Target::X64Windows
            }
        } else if cfg!(target_vendor = "apple") {
            if is_arm {
                Target::A64Macos
            } else {
                Target::X64Macos
            }
        } else if is_arm {
            Target::A64Linux
        } else {
            Target::X64Linux
        }
    }

    pub fn abi(self) -> Abi {
        match self {
            Target::X64Linux | Target::X64Macos => Abi::SysV64,
            Target::X64Windows | Target::X64Msvc => Abi::Win64,
            Target::A64Linux => Abi::Aapcs64(Dialect::Linux),
            Target::A64Macos => Abi::Aapcs64(Dialect::Apple),
            Target::A64Windows => Abi::Aapcs64(Dialect::Windows),
        }
    }

    pub fn platform(self) -> Platform {
        match self {
            Target::X64Linux => Platform::LINUX_X86_64,
            Target::X64Macos => Platform::MACOS_X86_64,
            Target::X64Windows => Platform::WINDOWS_X86_64_GNU,
            Target::X64Msvc | Target::A64Windows => Platform::WINDOWS_MSVC,
            Target::A64Linux => Platform::LINUX_AARCH64,
            Target::A64Macos => Platform::MACOS_AARCH64,
        }
    }

    /// The target's name on the command line.
    pub fn name(self) -> String {
        let value = self.to_possible_value();
        value.map_or_else(String::new, |value| value.get_name().to_owned())
    }
}
