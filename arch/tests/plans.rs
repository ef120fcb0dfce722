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
use farcall_arch::{Abi, Extend, PlanError, Signature, Struct, Type, plan};

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
                let plan = plan(&signature($signature), $abi).expect("every type has a place");
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

plans! {
    sysv64_small_structs_go_by_eightbytes:
        SYSV, "{qd}({qd}{2f}{3f}{bbb}{ifd})" => "rdi+xmm0 xmm1 xmm2+xmm3 rsi rdx+xmm4 -> rax+xmm0, stack 0, al 5";
    sysv64_struct_shares_its_eightbyte_with_an_integer:
        SYSV, "{fi}({fi}{if}{2fi})" => "rdi rsi xmm0+rdx -> rax, stack 0, al 1";
    sysv64_struct_of_17_bytes_goes_to_memory:
        SYSV, "{17b}(i{17b}i)" => "rsi [0:24] rdx -> *rdi, stack 32, al 0";
    sysv64_struct_without_registers_for_all_of_it_takes_none:
        SYSV, "v(5q{2q}q8d{qd})" =>
        "rdi rsi rdx rcx r8 [0:16] r9 xmm0 xmm1 xmm2 xmm3 xmm4 xmm5 xmm6 xmm7 [16:16] ->, stack 32, al 8";
    sysv64_int128_takes_two_registers_or_an_aligned_place:
        SYSV, "o(5qoqo)" => "rdi rsi rdx rcx r8 [0:16] r9 [16:16] -> rax+rdx, stack 32, al 0";
    sysv64_int128_on_the_stack_is_aligned:
        SYSV, "v(7qoq)" => "rdi rsi rdx rcx r8 r9 [0:8] [16:16] [32:8] ->, stack 48, al 0";
    sysv64_long_double_is_an_argument_in_memory_and_a_result_in_st0:
        SYSV, "e(iede)" => "rdi [0:16] xmm0 [16:16] -> st0, stack 32, al 1";
    sysv64_struct_of_long_double_is_returned_like_one:
        SYSV, "{e}({e})" => "[0:16] -> st0, stack 16, al 0";
    sysv64_complex_numbers_go_by_their_parts:
        SYSV, "D(FDE)" => "xmm0 xmm1+xmm2 [0:32] -> xmm0+xmm1, stack 32, al 3";
    sysv64_complex_long_double_is_returned_in_st0_and_st1:
        SYSV, "E(i)" => "rdi -> st0+st1, stack 0, al 0";
    sysv64_struct_of_complex_long_double_is_returned_in_memory:
        SYSV, "{E}(i)" => "rsi -> *rdi, stack 0, al 0";
    sysv64_binary128_fills_a_vector_register:
        SYSV, "g(g{g}G8d)" =>
        "xmm0 xmm1 [0:32] xmm2 xmm3 xmm4 xmm5 xmm6 xmm7 [32:8] [40:8] -> xmm0, stack 48, al 8";
    sysv64_union_in_a_union_goes_to_memory_by_itself:
        SYSV, "v(<{qb}<eD>><{qb}eD><{qb}<ei>><{qb}ei>)" => "[0:16] rdi+rsi [16:16] rdx+rcx ->, stack 32, al 0";
    sysv64_integers_take_over_both_eightbytes_of_an_x87_number:
        SYSV, "<e{ibi}>(<e{ibi}><ei>)" => "rdi+rsi [0:16] -> rax+rdx, stack 16, al 0";
    sysv64_union_merges_the_classes_of_its_members:
        SYSV, "<qd>(<fi><d2f><ed><oe>)" => "rdi xmm0 [0:16] rsi+rdx -> rax, stack 16, al 1";
    sysv64_packed_struct_with_an_unaligned_number_goes_to_memory:
        SYSV, "{bi|1,5}({bi|1,5}{bbb|1,3})" => "[0:8] rsi -> *rdi, stack 16, al 0";
    sysv64_padding_of_an_overaligned_struct_takes_no_register:
        SYSV, "{i|16,16}({i|16,16}q)" => "rdi rsi -> rax, stack 0, al 0";
    sysv64_variadic_struct_goes_where_a_named_one_goes:
        SYSV, "i(p.{qd}{17b}e)" => "rdi rsi+xmm0 [0:24] [32:16] -> rax, stack 48, al 1";
}

plans! {
    win64_structs_of_a_register_size_go_as_integers:
        WIN, "{d}({d}{4h}{bb}F{b}{f})" => "rcx rdx r8 r9 [32:8] [40:8] -> rax, stack 48";
    win64_structs_of_other_sizes_go_by_address:
        WIN, "{3b}({3b}{2q}i{5b}{6b}{7b})" =>
        "*rdx *r8 r9 *[32:8] *[40:8] *[48:8] -> *rcx, stack 64, copies 80";
    win64_address_of_the_result_takes_the_first_position:
        WIN, "{2d}(didd)" => "xmm1 r8 xmm3 [32:8] -> *rcx, stack 48";
    win64_int128_goes_by_address_and_comes_back_in_xmm0:
        WIN, "o(oO)" => "*rcx *rdx -> xmm0, stack 32, copies 32";
    win64_long_double_goes_by_address_both_ways:
        WIN, "e(ed)" => "*rdx xmm2 -> *rcx, stack 32, copies 16";
    win64_wide_complex_numbers_go_by_address:
        WIN, "F(FDE)" => "rcx *rdx *r8 -> rax, stack 32, copies 48";
    win64_variadic_structs_are_passed_no_differently:
        WIN, "i(p.{d}{2d}d)" => "rcx rdx *r8 xmm3=r9 -> rax, stack 32, copies 16";
}

plans! {
    aapcs64_homogeneous_aggregates_take_a_register_for_each_member:
        LINUX, "{4f}({4f}{2d}F)" => "s0+s1+s2+s3 d4+d5 s6+s7 -> s0+s1+s2+s3, stack 0";
    aapcs64_homogeneous_aggregate_beyond_the_registers_closes_them:
        LINUX, "v({4d}{2d}{3d}d)" => "d0+d1+d2+d3 d4+d5 [0:24] [24:8] ->, stack 32";
    aapcs64_nested_homogeneous_aggregates_are_flattened:
        LINUX, "{f{2f}}({{d}{d}}{5f}{fd})" => "d0+d1 *x0 x1+x2 -> s0+s1+s2, stack 0, copies 32";
    aapcs64_composites_up_to_16_bytes_take_integer_registers:
        LINUX, "{2q}({2q}{9b}{3b})" => "x0+x1 x2+x3 x4 -> x0+x1, stack 0";
    aapcs64_composite_beyond_the_registers_closes_them:
        LINUX, "v(7q{2q}i)" => "x0 x1 x2 x3 x4 x5 x6 [0:16] [16:8] ->, stack 32";
    aapcs64_larger_composites_go_by_address:
        LINUX, "{17b}({17b}i{3q})" => "*x0 x1 *x2 -> *x8, stack 0, copies 64";
    aapcs64_int128_begins_with_an_even_register:
        LINUX, "o(ioio)" => "x0 x2+x3 x4 x6+x7 -> x0+x1, stack 0";
    aapcs64_int128_is_aligned_on_the_stack:
        LINUX, "v(7qoq)" => "x0 x1 x2 x3 x4 x5 x6 [0:16] [16:8] ->, stack 32";
    aapcs64_binary128_takes_a_vector_register:
        LINUX, "g(ggG)" => "q0 q1 q2+q3 -> q0, stack 0";
    aapcs64_ninth_binary128_is_aligned_on_the_stack:
        LINUX, "v(8dfg)" => "d0 d1 d2 d3 d4 d5 d6 d7 [0:8] [16:16] ->, stack 32";
    aapcs64_alignment_of_a_struct_is_that_of_its_members:
        LINUX, "v(i{i|16,16}{{i|16,16}})" => "x0 x1+x2 x4+x5 ->, stack 0";
    aapcs64_variadic_aggregate_goes_where_a_named_one_goes:
        LINUX, "i(p.{2d}{17b}oD)" => "x0 d0+d1 *x1 x2+x3 d2+d3 -> x0, stack 0, copies 32";
}

plans! {
    apple_pairs_begin_with_any_register:
        APPLE, "o(ioi{i|16,16})" => "x0 x1+x2 x3 x4+x5 -> x0+x1, stack 0";
    apple_homogeneous_aggregates_are_packed_on_the_stack:
        APPLE, "v(8df{3f}d{f})" =>
        "d0 d1 d2 d3 d4 d5 d6 d7 [0:4] [4:12] [16:8] [24:4] ->, stack 32";
    apple_other_composites_take_whole_words_of_the_stack:
        APPLE, "v(8qb{3b}b{12b}bob)" =>
        "x0 x1 x2 x3 x4 x5 x6 x7 [0:1] [8:8] [16:1] [24:16] [40:1] [48:16] [64:1] ->, stack 80";
    apple_address_of_a_copy_takes_a_word_of_the_stack:
        APPLE, "v(8qb{17b}b)" => "x0 x1 x2 x3 x4 x5 x6 x7 [0:1] *[8:8] [16:1] ->, stack 32, copies 32";
    apple_variadic_aggregates_are_on_the_stack:
        APPLE, "i(p.i{2q}{3f}{17b}{3b})" =>
        "x0 [0:8] [8:16] [24:16] *[40:8] [48:8] -> x0, stack 64, copies 32";
    apple_variadic_int128_is_aligned:
        APPLE, "i(p.ioi)" => "x0 [0:8] [16:16] [32:8] -> x0, stack 48";
}

plans! {
    windows_arm64_aggregates_are_those_of_the_standard:
        WINARM, "{4d}({4d}{2q}{3q}o)" => "d0+d1+d2+d3 x0+x1 *x2 x4+x5 -> d0+d1+d2+d3, stack 0, copies 32";
    windows_arm64_variadic_function_knows_no_homogeneous_aggregates:
        WINARM, "{2d}(p{4d}.{2d}{3f}F)" =>
        "x0 *x1 x2+x3 x4+x5 x6 -> d0+d1, stack 0, copies 32";
    windows_arm64_variadic_composite_is_split_between_registers_and_stack:
        WINARM, "i(p.6i{2q}i)" => "x0 x1 x2 x3 x4 x5 x6 x7+[0:8] [8:8] -> x0, stack 16";
    windows_arm64_variadic_int128_is_aligned_and_so_never_split:
        WINARM, "i(p.6ioi)" => "x0 x1 x2 x3 x4 x5 x6 [0:16] [16:8] -> x0, stack 32";
}

#[test]
fn x87_numbers_are_refused_where_the_machine_has_none() {
    for abi in [LINUX, APPLE, WINARM] {
        let planned = |text| plan(&signature(text), abi).map(|plan| places(&plan));
        assert_eq!(
            planned("e()"),
            Err(PlanError::NoX87 { argument: None }),
            "{abi}"
        );
        let argument = Some(1);
        assert_eq!(
            planned("v(i{{e}})"),
            Err(PlanError::NoX87 { argument }),
            "{abi}"
        );
    }
}

#[test]
fn overaligned_argument_is_refused_where_it_would_be_in_memory() {
    for (abi, text) in [
        (SYSV, "v(i{5q|64,64})"),
        (WIN, "v(i{3q|32,32})"),
        (LINUX, "v(i{3q|32,32})"),
    ] {
        let planned = plan(&signature(text), abi);
        let refused = matches!(planned, Err(PlanError::OverAligned { argument: 1, .. }));
        assert!(refused, "{text} under {abi}: {planned:?}");
    }
    assert_eq!(
        places(
            &plan(&signature("{i|32,32}(i)"), SYSV).expect("a result in memory of the caller's")
        ),
        "rsi -> *rdi, stack 0, al 0"
    );
}

/// An `int`, and what a structure makes of the second argument.
fn behind_an_int(second: Struct, abi: Abi) -> String {
    let second = Type::try_from(second).expect("memory");
    let signature = Signature::new(Type::Void, vec![Type::I32, second]).expect("a signature");
    places(&plan(&signature, abi).expect("every type has a place"))
}

#[test]
fn aapcs64_struct_with_something_without_a_value_is_not_homogeneous() {
    let floats = || Struct::union(vec![Type::F32]).expect("a member");
    assert_eq!(behind_an_int(floats(), LINUX), "x0 s0 ->, stack 0");
    assert_eq!(behind_an_int(floats().mixed(), LINUX), "x0 x1 ->, stack 0");
    let mixed = Type::try_from(floats().mixed()).expect("memory");
    let nested = Struct::new(vec![mixed]).expect("a member");
    assert_eq!(behind_an_int(nested, LINUX), "x0 x1 ->, stack 0");
    // The psABI goes by what has a value.
    let sysv = behind_an_int(floats().mixed(), SYSV);
    assert_eq!(sysv, "rdi xmm0 ->, stack 0, al 1");
}

#[test]
fn aapcs64_alignment_of_members_may_be_other_than_their_types() {
    let wide = || Struct::new(vec![Type::I128]).expect("a member");
    assert_eq!(behind_an_int(wide(), LINUX), "x0 x2+x3 ->, stack 0");
    let packed = wide().with_natural_align(1).expect("an alignment");
    assert_eq!(behind_an_int(packed, LINUX), "x0 x1+x2 ->, stack 0");
    let ints = Struct::with_layout(vec![Type::I32], 16, 16).expect("a member");
    let aligned = ints.with_natural_align(16).expect("an alignment");
    assert_eq!(behind_an_int(aligned, LINUX), "x0 x2+x3 ->, stack 0");
    assert!(wide().with_natural_align(3).is_err());
}

#[test]
fn arguments_of_too_many_bytes_are_refused() {
    let mut block = Type::U8;
    for count in [4096, 4096, 16] {
        let larger = Struct::new(vec![block; count]).expect("not larger than any value");
        block = Type::try_from(larger).expect("memory");
    }
    let signature = Signature::new(Type::Void, vec![block; 3]).expect("a signature");
    for abi in Abi::ALL {
        let planned = plan(&signature, abi);
        assert!(matches!(planned, Err(PlanError::TooLarge { .. })), "{abi}");
    }
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
        let plan = plan(&signature, abi).expect("every type has a place");
        let filled = plan.args.iter().map(|mv| (mv.width, mv.extend));
        assert_eq!(filled.collect::<Vec<_>>(), wanted, "{abi}");
        let ret = &plan.ret[0];
        assert_eq!((ret.width, ret.extend), (2, Extend::Sign), "{abi}");
    }
}
