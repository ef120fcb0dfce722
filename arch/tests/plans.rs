//! Where arguments and results go, as data.
//!
//! The expected places are those of C compilers, read from the code that `gcc -O2` and `clang -O2` make of calls of these
//! signatures: gcc 12.2 for SysV, Win64 (mingw-w64) and AAPCS64 on Linux; clang 19.1 for `x86_64-pc-windows-msvc`,
//! `arm64-apple-macos` and `aarch64-pc-windows-msvc`. Two places where compilers differ:
//!
//! * clang 14 lays narrow named stack arguments of a *variadic* Apple function out in four bytes each when it calls one, but
//!   expects them packed as its own callee; clang 19 packs them on both sides, as Apple's page says.
//! * Of a Win64 variadic call's named `float`s and `double`s clang makes second copies, as Microsoft's compiler does; gcc does
//!   not. A callee of neither minds.

mod common;

use common::{places, signature};
use farcall_arch::abi::Dialect;
use farcall_arch::{Abi, Extend, plan};

const SYSV: Abi = Abi::SysV64;
const WIN: Abi = Abi::Win64;
const LINUX: Abi = Abi::Aapcs64(Dialect::Linux);
const APPLE: Abi = Abi::Aapcs64(Dialect::Apple);
const WINARM: Abi = Abi::Aapcs64(Dialect::Windows);

macro_rules! plans {
    ($($name:ident: $abi:expr, $signature:literal => $places:literal;)+) => {
        $(
            #[test]
            fn $name() {
                let plan = plan(&signature($signature), $abi).expect("every scalar has a place");
                assert_eq!(places(&plan), $places, "{} under {}", $signature, $abi);
            }
        )+
    };
}

plans! {
    sysv64_no_arguments_and_void_need_nothing:
        SYSV, "v()" => "->, stack 0, al 0";
    sysv64_ints_and_floats_are_counted_apart:
        SYSV, "i(iqfdbp)" => "rdi rsi xmm0 xmm1 rdx rcx -> rax, stack 0, al 2";
    sysv64_seventh_int_goes_to_the_stack:
        SYSV, "q(7q)" => "rdi rsi rdx rcx r8 r9 [0:8] -> rax, stack 16, al 0";
    sysv64_ninth_double_goes_to_the_stack:
        SYSV, "d(8dfd)" =>
        "xmm0 xmm1 xmm2 xmm3 xmm4 xmm5 xmm6 xmm7 [0:8] [8:8] -> xmm0, stack 16, al 8";
    sysv64_float_behind_stacked_ints_still_finds_a_register:
        SYSV, "v(8qbhifqdBf)" =>
        "rdi rsi rdx rcx r8 r9 [0:8] [8:8] [16:8] [24:8] [32:8] xmm0 [40:8] xmm1 [48:8] xmm2 ->, stack 64, al 3";
    sysv64_int_behind_stacked_floats_still_finds_a_register:
        SYSV, "v(8dffid)" =>
        "xmm0 xmm1 xmm2 xmm3 xmm4 xmm5 xmm6 xmm7 [0:8] [8:8] rdi [16:8] ->, stack 32, al 8";
    sysv64_variadic_arguments_go_where_named_ones_go:
        SYSV, "i(p.idqd)" => "rdi rsi xmm0 rdx xmm1 -> rax, stack 0, al 2";
    sysv64_variadic_with_stacked_name_goes_on_behind_it:
        SYSV, "i(8qh.id)" =>
        "rdi rsi rdx rcx r8 r9 [0:8] [8:8] [16:8] [24:8] xmm0 -> rax, stack 32, al 1";
}

plans! {
    win64_no_arguments_still_get_shadow_space:
        WIN, "v()" => "->, stack 32";
    win64_register_goes_by_position_in_either_file:
        WIN, "i(iqfdbp)" => "rcx rdx xmm2 xmm3 [32:8] [40:8] -> rax, stack 48";
    win64_fifth_argument_lies_above_the_shadow_space:
        WIN, "q(7q)" => "rcx rdx r8 r9 [32:8] [40:8] [48:8] -> rax, stack 64";
    win64_fifth_double_is_on_the_stack_though_xmm4_is_free:
        WIN, "d(8dfd)" =>
        "xmm0 xmm1 xmm2 xmm3 [32:8] [40:8] [48:8] [56:8] [64:8] [72:8] -> xmm0, stack 80";
    win64_narrow_stack_arguments_take_whole_words:
        WIN, "v(8qBHBIB)" =>
        "rcx rdx r8 r9 [32:8] [40:8] [48:8] [56:8] [64:8] [72:8] [80:8] [88:8] [96:8] ->, stack 112";
    win64_variadic_double_is_in_both_files:
        WIN, "i(p.idqd)" => "rcx rdx xmm2=r8 r9 [32:8] -> rax, stack 48";
    win64_named_float_of_a_variadic_function_is_in_both_files:
        WIN, "i(df.idqd)" => "xmm0=rcx xmm1=rdx r8 xmm3=r9 [32:8] [40:8] -> rax, stack 48";
    win64_double_of_a_function_with_prototype_is_in_one_file:
        WIN, "f(dfid)" => "xmm0 xmm1 r8 xmm3 -> xmm0, stack 32";
}

plans! {
    aapcs64_no_arguments_and_void_need_nothing:
        LINUX, "v()" => "->, stack 0";
    aapcs64_ints_and_floats_are_counted_apart:
        LINUX, "i(iqfdbp)" => "x0 x1 s0 d1 x2 x3 -> x0, stack 0";
    aapcs64_ninth_double_goes_to_the_stack:
        LINUX, "d(8dfd)" => "d0 d1 d2 d3 d4 d5 d6 d7 [0:8] [8:8] -> d0, stack 16";
    aapcs64_float_behind_stacked_ints_still_finds_a_register:
        LINUX, "v(8qbhifqdBf)" =>
        "x0 x1 x2 x3 x4 x5 x6 x7 [0:8] [8:8] [16:8] s0 [24:8] d1 [32:8] s2 ->, stack 48";
    aapcs64_int_behind_stacked_floats_still_finds_a_register:
        LINUX, "v(8dffid)" => "d0 d1 d2 d3 d4 d5 d6 d7 [0:8] [8:8] x0 [16:8] ->, stack 32";
    aapcs64_narrow_stack_arguments_take_whole_words:
        LINUX, "v(8qBHBIB)" =>
        "x0 x1 x2 x3 x4 x5 x6 x7 [0:8] [8:8] [16:8] [24:8] [32:8] ->, stack 48";
    aapcs64_variadic_arguments_go_where_named_ones_go:
        LINUX, "i(df.idqd)" => "d0 s1 x0 d2 x1 d3 -> x0, stack 0";
    aapcs64_variadic_with_stacked_name_goes_on_behind_it:
        LINUX, "i(8qh.id)" => "x0 x1 x2 x3 x4 x5 x6 x7 [0:8] [8:8] d0 -> x0, stack 16";
}

plans! {
    apple_registers_are_those_of_the_standard:
        APPLE, "i(iqfdbp)" => "x0 x1 s0 d1 x2 x3 -> x0, stack 0";
    apple_stack_arguments_are_packed_at_their_own_alignment:
        APPLE, "v(8qbhifqdBf)" =>
        "x0 x1 x2 x3 x4 x5 x6 x7 [0:1] [2:2] [4:4] s0 [8:8] d1 [16:1] s2 ->, stack 32";
    apple_narrow_unsigned_stack_arguments_are_packed_too:
        APPLE, "v(8qBHBIB)" =>
        "x0 x1 x2 x3 x4 x5 x6 x7 [0:1] [2:2] [4:1] [8:4] [12:1] ->, stack 16";
    apple_stacked_floats_take_four_bytes_each:
        APPLE, "v(8dffid)" => "d0 d1 d2 d3 d4 d5 d6 d7 [0:4] [4:4] x0 [8:8] ->, stack 16";
    apple_double_behind_stacked_float_is_aligned:
        APPLE, "d(8dfd)" => "d0 d1 d2 d3 d4 d5 d6 d7 [0:4] [8:8] -> d0, stack 16";
    apple_variadic_arguments_are_all_on_the_stack:
        APPLE, "i(p.idqd)" => "x0 [0:8] [8:8] [16:8] [24:8] -> x0, stack 32";
    apple_variadic_function_keeps_its_named_arguments_in_registers:
        APPLE, "i(df.idqd)" => "d0 s1 [0:8] [8:8] [16:8] [24:8] -> x0, stack 32";
    apple_variadic_words_start_aligned_behind_packed_names:
        APPLE, "i(8qbh.id)" => "x0 x1 x2 x3 x4 x5 x6 x7 [0:1] [2:2] [8:8] [16:8] -> x0, stack 32";
}

plans! {
    windows_arm64_registers_are_those_of_the_standard:
        WINARM, "i(iqfdbp)" => "x0 x1 s0 d1 x2 x3 -> x0, stack 0";
    windows_arm64_stack_arguments_take_whole_words:
        WINARM, "v(8qbhifqdBf)" =>
        "x0 x1 x2 x3 x4 x5 x6 x7 [0:8] [8:8] [16:8] s0 [24:8] d1 [32:8] s2 ->, stack 48";
    windows_arm64_variadic_doubles_are_in_integer_registers:
        WINARM, "i(p.idqd)" => "x0 x1 x2 x3 x4 -> x0, stack 0";
    windows_arm64_named_floats_of_a_variadic_function_are_in_integer_registers:
        WINARM, "i(df.idqd)" => "x0 x1 x2 x3 x4 x5 -> x0, stack 0";
    windows_arm64_variadic_double_behind_eight_words_is_on_the_stack:
        WINARM, "i(8qh.id)" =>
        "x0 x1 x2 x3 x4 x5 x6 x7 [0:8] [8:8] [16:8] -> x0, stack 32";
    windows_arm64_variadic_function_returns_floats_in_float_registers:
        WINARM, "d(d.d)" => "x0 x1 -> d0, stack 0";
}

#[test]
fn narrow_integers_are_filled_by_their_type_in_every_convention() {
    let signature = signature("h(bBhHiIqQ)");
    let wanted = [
        (1, Extend::Sign),
        (1, Extend::Zero),
        (2, Extend::Sign),
        (2, Extend::Zero),
        (4, Extend::Sign),
        (4, Extend::Zero),
        (8, Extend::None),
        (8, Extend::None),
    ];
    for abi in Abi::ALL {
        let plan = plan(&signature, abi).expect("every scalar has a place");
        let filled = plan.args.iter().map(|piece| (piece.width, piece.extend));
        assert_eq!(filled.collect::<Vec<_>>(), wanted, "{abi}");
        let ret = &plan.ret[0];
        assert_eq!((ret.width, ret.extend), (2, Extend::Sign), "{abi}");
    }
}
