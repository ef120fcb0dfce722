//! The machine code for System V processes.
//!
//! The same code makes frames of both conventions. A call loads all registers that any convention uses for arguments; entries differ in
//! the registers that they preserve.

// farcall_interp_call(frame, stack_len, fill, target)
//
//   | return address |
//   | saved rbp      | <- rbp
//   | saved rbx, r12 |
//   | stack area     | <- rsp at the calls
//
// The area is entered a page at a time, as no page of a stack may be passed over.
crate::assembly!(framed "farcall_interp_call", 4, [
    "endbr64",
    "push rbp",
    ".cfi_def_cfa_offset 16",
    ".cfi_offset rbp, -16",
    "mov rbp, rsp",
    ".cfi_def_cfa_register rbp",
    "push rbx",
    ".cfi_offset rbx, -24",
    "push r12",
    ".cfi_offset r12, -32",
    "mov rbx, rdi",
    "mov r12, rcx",
    "2:",
    "cmp rsi, 4096",
    "jbe 3f",
    "sub rsp, 4096",
    "or qword ptr [rsp], 0",
    "sub rsi, 4096",
    "jmp 2b",
    "3:",
    "sub rsp, rsi",
    "mov rsi, rsp",
    "call rdx",
    "movaps xmm0, [rbx + 128]",
    "movaps xmm1, [rbx + 144]",
    "movaps xmm2, [rbx + 160]",
    "movaps xmm3, [rbx + 176]",
    "movaps xmm4, [rbx + 192]",
    "movaps xmm5, [rbx + 208]",
    "movaps xmm6, [rbx + 224]",
    "movaps xmm7, [rbx + 240]",
    "mov rax, [rbx]",
    "mov rcx, [rbx + 8]",
    "mov rdx, [rbx + 16]",
    "mov rsi, [rbx + 48]",
    "mov rdi, [rbx + 56]",
    "mov r8, [rbx + 64]",
    "mov r9, [rbx + 72]",
    "mov r10, [rbx + 80]",
    "call r12",
    "mov [rbx], rax",
    "mov [rbx + 16], rdx",
    "movaps [rbx + 128], xmm0",
    "movaps [rbx + 144], xmm1",
    "mov rax, [rbx + 288]",
    "test rax, rax",
    "jz 4f",
    "fstp tbyte ptr [rbx + 256]",
    "dec rax",
    "jz 4f",
    "fstp tbyte ptr [rbx + 272]",
    "4:",
    "lea rsp, [rbp - 16]",
    "pop r12",
    "pop rbx",
    "pop rbp",
    ".cfi_def_cfa rsp, 8",
    "ret",
]);

/// An entry of callbacks, called `$name`: registers into an image on the stack, `$enter(record, image, stack)`, and back. With
/// `chain`, the record is where the static chain leads; with `win64`, callers are Microsoft's, and what they want preserved on
/// top of the others lies above the image.
#[macro_export]
macro_rules! interp_entry {
    ($name:literal, $enter:path) => {
        $crate::interp_entry!(@ $name, $enter, "0", [], []);
    };
    ($name:literal, $enter:path, chain) => {
        $crate::interp_entry!($name, $enter);
    };
    ($name:literal, $enter:path, win64) => {
        $crate::interp_entry!(
            @
            $name,
            $enter,
            "176",
            [
                "mov [rsp + 304], rsi",
                ".cfi_offset rsi, -192",
                "mov [rsp + 312], rdi",
                ".cfi_offset rdi, -184",
                "movaps [rsp + 320], xmm6",
                "movaps [rsp + 336], xmm7",
                "movaps [rsp + 352], xmm8",
                "movaps [rsp + 368], xmm9",
                "movaps [rsp + 384], xmm10",
                "movaps [rsp + 400], xmm11",
                "movaps [rsp + 416], xmm12",
                "movaps [rsp + 432], xmm13",
                "movaps [rsp + 448], xmm14",
                "movaps [rsp + 464], xmm15"
            ],
            [
                "mov rsi, [rsp + 304]",
                "mov rdi, [rsp + 312]",
                "movaps xmm6, [rsp + 320]",
                "movaps xmm7, [rsp + 336]",
                "movaps xmm8, [rsp + 352]",
                "movaps xmm9, [rsp + 368]",
                "movaps xmm10, [rsp + 384]",
                "movaps xmm11, [rsp + 400]",
                "movaps xmm12, [rsp + 416]",
                "movaps xmm13, [rsp + 432]",
                "movaps xmm14, [rsp + 448]",
                "movaps xmm15, [rsp + 464]"
            ]
        );
    };
    (@ $name:literal, $enter:path, $saved:literal, [$($save:literal),*], [$($restore:literal),*]) => {
        $crate::assembly!(framed $name, 4, [
            "endbr64",
            concat!("sub rsp, 312 + ", $saved),
            concat!(".cfi_def_cfa_offset 320 + ", $saved),
            $($save,)*
            "mov [rsp + 8], rcx",
            "mov [rsp + 16], rdx",
            "mov [rsp + 48], rsi",
            "mov [rsp + 56], rdi",
            "mov [rsp + 64], r8",
            "mov [rsp + 72], r9",
            "movaps [rsp + 128], xmm0",
            "movaps [rsp + 144], xmm1",
            "movaps [rsp + 160], xmm2",
            "movaps [rsp + 176], xmm3",
            "movaps [rsp + 192], xmm4",
            "movaps [rsp + 208], xmm5",
            "movaps [rsp + 224], xmm6",
            "movaps [rsp + 240], xmm7",
            "mov qword ptr [rsp + 288], 0",
            "mov rdi, r10",
            "mov rsi, rsp",
            concat!("lea rdx, [rsp + 320 + ", $saved, "]"),
            "call {enter}",
            "mov rcx, [rsp + 288]",
            "test rcx, rcx",
            "jz 3f",
            "dec rcx",
            "jz 2f",
            "fld tbyte ptr [rsp + 272]",
            "2:",
            "fld tbyte ptr [rsp + 256]",
            "3:",
            $($restore,)*
            "mov rax, [rsp]",
            "mov rdx, [rsp + 16]",
            "movaps xmm0, [rsp + 128]",
            "movaps xmm1, [rsp + 144]",
            concat!("add rsp, 312 + ", $saved),
            ".cfi_def_cfa_offset 8",
            "ret",
        ] enter = sym $enter,);
    };
}
