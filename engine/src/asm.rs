//! The directives around a function in assembly: its name, its section, its start and its end.
//!
//! `assembly!` spells them out once for each format of object files. Names are known within the program or the library alone, but for `weak` ones,
//! which other parts of the program may have as well. `framed` functions describe their frames for the unwinder, by lines of
//! `unwind_line!`; `leaf` functions have none.

/// A function called `$name` that begins at a multiple of 2 to the power of `$align`, as ELF has it.
#[cfg(all(unix, not(target_vendor = "apple")))]
#[macro_export]
#[doc(hidden)]
macro_rules! assembly {
    (framed $name:expr, $align:expr, $lines:tt $($operands:tt)*) => {
        $crate::assembly!(@ [".globl ", ".hidden "], $name, $align, $lines $($operands)*);
    };
    (leaf $name:expr, $align:expr, $lines:tt $($operands:tt)*) => {
        $crate::assembly!(@ [".globl ", ".hidden "], $name, $align, $lines $($operands)*);
    };
    (weak $name:expr, $align:expr, $lines:tt $($operands:tt)*) => {
        $crate::assembly!(@ [".weak "], $name, $align, $lines $($operands)*);
    };
    (@ [$($bind:expr),*], $name:expr, $align:expr, [$($line:expr),* $(,)?] $($operands:tt)*) => {
        ::core::arch::global_asm!(
            ::core::concat!(".pushsection .text.", $name, ",\"ax\",%progbits"),
            $(::core::concat!($bind, $name),)*
            ::core::concat!(".type ", $name, ",%function"),
            ::core::concat!(".p2align ", $align),
            ::core::concat!($name, ":"),
            ".cfi_startproc",
            $($line,)*
            ".cfi_endproc",
            ::core::concat!(".size ", $name, ", . - ", $name),
            ".popsection",
            $($operands)*
        );
    };
}

/// The same, as Mach-O has it, where C's names begin with an underscore.
#[cfg(target_vendor = "apple")]
#[macro_export]
#[doc(hidden)]
macro_rules! assembly {
    (framed $name:expr, $align:expr, $lines:tt $($operands:tt)*) => {
        $crate::assembly!(@ ".private_extern _", $name, $align, $lines $($operands)*);
    };
    (leaf $name:expr, $align:expr, $lines:tt $($operands:tt)*) => {
        $crate::assembly!(@ ".private_extern _", $name, $align, $lines $($operands)*);
    };
    (weak $name:expr, $align:expr, $lines:tt $($operands:tt)*) => {
        $crate::assembly!(@ ".weak_definition _", $name, $align, $lines $($operands)*);
    };
    (@ $bind:expr, $name:expr, $align:expr, [$($line:expr),* $(,)?] $($operands:tt)*) => {
        ::core::arch::global_asm!(
            ".section __TEXT,__text,regular,pure_instructions",
            ::core::concat!(".globl _", $name),
            ::core::concat!($bind, $name),
            ::core::concat!(".p2align ", $align),
            ::core::concat!("_", $name, ":"),
            ".cfi_startproc",
            $($line,)*
            ".cfi_endproc",
            ".text",
            $($operands)*
        );
    };
}

/// The same for COFF, where only functions with a frame are described.
#[cfg(windows)]
#[macro_export]
#[doc(hidden)]
macro_rules! assembly {
    (framed $name:expr, $align:expr, $lines:tt $($operands:tt)*) => {
        $crate::assembly!(
            @ ::core::concat!(".seh_proc ", $name), ".seh_endproc", $name, $align, $lines $($operands)*
        );
    };
    (leaf $name:expr, $align:expr, $lines:tt $($operands:tt)*) => {
        $crate::assembly!(@ "", "", $name, $align, $lines $($operands)*);
    };
    (@ $begin:expr, $end:expr, $name:expr, $align:expr, [$($line:expr),* $(,)?] $($operands:tt)*) => {
        ::core::arch::global_asm!(
            ::core::concat!(".section .text$", $name, ",\"xr\""),
            ::core::concat!(".globl ", $name),
            ::core::concat!(".p2align ", $align),
            $begin,
            ::core::concat!($name, ":"),
            $($line,)*
            $end,
            ".text",
            $($operands)*
        );
    };
}

/// A line about the frame: DWARF's directive, and the one of Windows that stands in the same place. Either may be empty.
#[cfg(not(windows))]
#[macro_export]
#[doc(hidden)]
macro_rules! unwind_line {
    ($dwarf:literal, $windows:literal) => {
        $dwarf
    };
}

/// As above.
#[cfg(windows)]
#[macro_export]
#[doc(hidden)]
macro_rules! unwind_line {
    ($dwarf:literal, $windows:literal) => {
        $windows
    };
}
