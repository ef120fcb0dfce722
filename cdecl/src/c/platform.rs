//! The differences between the platforms that a text may be for.

use super::types::Basic;
use farcall_arch::Float;

/// The rules for the layout of bit-fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BitFields {
    /// A field starts where the previous one ends, unless it would then cross a boundary of its type (psABI 3.1.2; AAPCS64 8.1.8).
    Gnu {
        /// Whether unnamed bit-fields raise the alignment of their structure (AAPCS64 8.1.8.1).
        unnamed_align: bool,
    },
    /// Fields share a unit while their types have the same size (Microsoft's `/Zp`, "C bit fields").
    Microsoft,
}

/// The system whose headers define the types of POSIX.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum System {
    /// Linux, with the headers of glibc.
    Linux,
    /// macOS and related systems.
    Macos,
    /// FreeBSD.
    FreeBsd,
    /// Windows, with the headers of MinGW.
    Windows,
}

/// The sizes and signs of C's types on a platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Platform {
    /// The system.
    pub system: System,
    /// The size of `long` in bytes: 8, or 4 on Windows.
    pub long: u32,
    /// Whether `char` is signed.
    pub char_is_signed: bool,
    /// The type of `wchar_t`.
    pub wchar: Basic,
    /// The type of `wint_t`.
    pub wint: Basic,
    /// The format of `long double`.
    pub long_double: Float,
    /// The layout of bit-fields.
    pub bit_fields: BitFields,
    /// Whether structures are passed by the class of each eightbyte (psABI for x86-64, 3.2.3).
    pub eightbytes: bool,
    /// The size of a `va_list` in bytes.
    pub va_list: u32,
    /// Whether a `va_list` is an array, so that a parameter of this type is a pointer.
    pub va_list_is_array: bool,
}

impl Platform {
    /// Linux on x86-64.
    pub const LINUX_X86_64: Platform = Platform {
        system: System::Linux,
        long: 8,
        char_is_signed: true,
        wchar: Basic::Int,
        wint: Basic::UInt,
        long_double: Float::F80,
        bit_fields: BitFields::Gnu {
            unnamed_align: false,
        },
        eightbytes: true,
        va_list: 24,
        va_list_is_array: true,
    };

    /// Linux on AArch64.
    pub const LINUX_AARCH64: Platform = Platform {
        char_is_signed: false,
        wchar: Basic::UInt,
        long_double: Float::F128,
        bit_fields: BitFields::Gnu {
            unnamed_align: true,
        },
        eightbytes: false,
        va_list: 32,
        va_list_is_array: false,
        ..Platform::LINUX_X86_64
    };

    /// macOS on x86-64.
    pub const MACOS_X86_64: Platform = Platform {
        system: System::Macos,
        wint: Basic::Int,
        ..Platform::LINUX_X86_64
    };

    /// macOS on AArch64.
    pub const MACOS_AARCH64: Platform = Platform {
        system: System::Macos,
        wint: Basic::Int,
        long_double: Float::F64,
        eightbytes: false,
        va_list: 8,
        va_list_is_array: false,
        ..Platform::LINUX_X86_64
    };

    /// Windows on x86-64, with MinGW's compilers.
    pub const WINDOWS_X86_64_GNU: Platform = Platform {
        system: System::Windows,
        long: 4,
        wchar: Basic::UShort,
        wint: Basic::UShort,
        bit_fields: BitFields::Microsoft,
        eightbytes: false,
        va_list: 8,
        va_list_is_array: false,
        ..Platform::LINUX_X86_64
    };

    /// Windows on x86-64 and AArch64, with Microsoft's compiler.
    pub const WINDOWS_MSVC: Platform = Platform {
        long_double: Float::F64,
        ..Platform::WINDOWS_X86_64_GNU
    };

    /// The platform that this crate is compiled for. On Windows for x86-64 that is MinGW's: it has the larger `long double`.
    pub fn host() -> Platform {
        use std::env::consts::{ARCH, OS};
        match (OS, ARCH) {
            ("windows", "x86_64") => Platform::WINDOWS_X86_64_GNU,
            ("windows", _) => Platform::WINDOWS_MSVC,
            ("macos" | "ios", "x86_64") => Platform::MACOS_X86_64,
            ("macos" | "ios", _) => Platform::MACOS_AARCH64,
            (_, "aarch64") => Platform::LINUX_AARCH64,
            ("freebsd", _) => Platform {
                system: System::FreeBsd,
                wint: Basic::Int,
                ..Platform::LINUX_X86_64
            },
            _ => Platform::LINUX_X86_64,
        }
    }

    /// Whether the platform follows Microsoft's compiler.
    pub(super) fn is_microsoft(&self) -> bool {
        self.bit_fields == BitFields::Microsoft
    }

    /// The type of `size_t`.
    pub(super) fn size(&self) -> Basic {
        match self.long {
            8 => Basic::ULong,
            _ => Basic::ULongLong,
        }
    }

    /// The type of `ptrdiff_t`.
    pub(super) fn difference(&self) -> Basic {
        match self.long {
            8 => Basic::Long,
            _ => Basic::LongLong,
        }
    }

    /// The type of a name that is known without a declaration: names from the standard headers and from POSIX's `sys/types.h` that scripts use
    /// without including them.
    pub(super) fn known(&self, name: &str) -> Option<Basic> {
        use Basic::*;
        // The C type for 64 bits differs between systems.
        let (wide, wide_unsigned) = match self.system {
            System::Linux | System::FreeBsd => (Long, ULong),
            System::Macos | System::Windows => (LongLong, ULongLong),
        };
        Some(match name {
            "int8_t" | "int_least8_t" | "int_fast8_t" => SChar,
            "uint8_t" | "uint_least8_t" | "uint_fast8_t" => UChar,
            "int16_t" | "int_least16_t" => Short,
            "uint16_t" | "uint_least16_t" | "char16_t" => UShort,
            "int32_t" | "int_least32_t" | "sig_atomic_t" => Int,
            "uint32_t" | "uint_least32_t" | "char32_t" => UInt,
            "int64_t" | "int_least64_t" => wide,
            "uint64_t" | "uint_least64_t" => wide_unsigned,
            "intptr_t" | "ptrdiff_t" | "ssize_t" | "intmax_t" => self.difference(),
            "uintptr_t" | "size_t" | "uintmax_t" => self.size(),
            "wchar_t" => self.wchar,
            "wint_t" => self.wint,
            "bool" => Bool,
            "va_list" | "__gnuc_va_list" => VaList,
            _ => return self.known_to_posix(name),
        })
    }

    fn known_to_posix(&self, name: &str) -> Option<Basic> {
        use Basic::*;
        let of = |linux, macos, freebsd, windows: Option<Basic>| match self.system {
            System::Linux => Some(linux),
            System::Macos => Some(macos),
            System::FreeBsd => Some(freebsd),
            System::Windows => windows,
        };
        match name {
            "time_t" => of(Long, Long, Long, Some(LongLong)),
            "clock_t" => of(Long, ULong, Int, Some(Long)),
            "off_t" => of(Long, LongLong, Long, Some(Long)),
            "off64_t" => of(Long, LongLong, Long, Some(LongLong)),
            "pid_t" => of(Int, Int, Int, Some(LongLong)),
            "mode_t" => of(UInt, UShort, UShort, Some(UShort)),
            "dev_t" => of(ULong, Int, ULong, Some(UInt)),
            "ino_t" => of(ULong, ULongLong, ULong, Some(UShort)),
            "useconds_t" => of(UInt, UInt, UInt, Some(UInt)),
            "uid_t" | "gid_t" | "socklen_t" | "in_addr_t" => of(UInt, UInt, UInt, None),
            "id_t" => of(UInt, UInt, Long, None),
            "key_t" => of(Int, Int, Long, None),
            "in_port_t" => of(UShort, UShort, UShort, None),
            "sa_family_t" => of(UShort, UChar, UChar, None),
            "nfds_t" => of(ULong, UInt, UInt, None),
            "rlim_t" => of(ULong, ULongLong, Long, None),
            "suseconds_t" => of(Long, Int, Long, None),
            "blkcnt_t" => of(Long, LongLong, Long, None),
            "fsblkcnt_t" | "fsfilcnt_t" => of(ULong, UInt, ULong, None),
            _ => None,
        }
    }
}
