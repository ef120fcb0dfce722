//! What differs between the platforms that a text may be for.

use super::types::Basic;
use farcall_arch::Float;

/// Whose rules say where bit-fields lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BitFields {
    /// A field starts where the one before it ends, unless it would cross a boundary of its type then (psABI 3.1.2; AAPCS64 8.1.8).
    Gnu {
        /// Whether those without a name raise the alignment of their structure (AAPCS64 8.1.8.1).
        unnamed_align: bool,
    },
    /// Fields share a unit while their types have the same size (Microsoft's `/Zp`, "C bit fields").
    Microsoft,
}

/// Whose headers say what the names of POSIX stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum System {
    /// Linux, by the headers of glibc.
    Linux,
    /// macOS and its kin.
    Macos,
    /// FreeBSD.
    FreeBsd,
    /// Windows, by the headers of MinGW.
    Windows,
}

/// Sizes and signs of C's types on a platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Platform {
    /// The system.
    pub system: System,
    /// Bytes of a `long`: 8, or 4 on Windows.
    pub long: u32,
    /// Whether `char` has a sign.
    pub char_is_signed: bool,
    /// What `wchar_t` is.
    pub wchar: Basic,
    /// What `wint_t` is.
    pub wint: Basic,
    /// The format of `long double`.
    pub long_double: Float,
    /// Where bit-fields lie.
    pub bit_fields: BitFields,
    /// Whether values are passed by what each eight bytes of them hold (psABI for x86-64, 3.2.3).
    pub eightbytes: bool,
    /// Bytes of a `va_list`.
    pub va_list: u32,
    /// Whether a `va_list` is an array, so that a parameter of it is a pointer.
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

    /// Windows on x86-64, as MinGW's compilers have it.
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

    /// Windows on x86-64 and AArch64, as Microsoft's compiler has it.
    pub const WINDOWS_MSVC: Platform = Platform {
        long_double: Float::F64,
        ..Platform::WINDOWS_X86_64_GNU
    };

    /// The platform that this is compiled for. On Windows for x86-64 that is MinGW's: it has the larger `long double`.
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

    /// Whether C is spoken as Microsoft's compiler does.
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

    /// The type of a name that is declared in nobody's text: those of the standard headers and of POSIX's `sys/types.h` that a script uses
    /// without them.
    pub(super) fn known(&self, name: &str) -> Option<Basic> {
        use Basic::*;
        // A type of 64 bits has another name in C from one system to the next.
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
