//! The machine code for Windows processes.

// farcall_interp_call(frame, stack_len, fill, target)
//
//   | return address      |
//   | saved rbp, rbx, r12 | <- rbp
//   | stack area          | <- rsp at the call of the target
//   | shadow space        | <- rsp at the call of fill
//
// The area is entered a page at a time, as the system wants it.
crate::assembly!(framed "farcall_interp_call", 4, [
    "push rbp",
    ".seh_pushreg rbp",
    "push rbx",
    ".seh_pushreg rbx",
    "push r12",
    ".seh_pushreg r12",
    "mov rbp, rsp",
    ".seh_setframe rbp, 0",
    ".seh_endprologue",
    "mov rbx, rcx",
    "mov r12, r9",
    "2:",
    "cmp rdx, 4096",
    "jbe 3f",
    "sub rsp, 4096",
    "or qword ptr [rsp], 0",
    "sub rdx, 4096",
    "jmp 2b",
    "3:",
    "sub rsp, rdx",
    "mov rdx, rsp",
    "sub rsp, 32",
    "call r8",
    "add rsp, 32",
    "movaps xmm0, [rbx + 128]",
    "movaps xmm1, [rbx + 144]",
    "movaps xmm2, [rbx + 160]",
    "movaps xmm3, [rbx + 176]",
    "mov rax, [rbx]",
    "mov rcx, [rbx + 8]",
    "mov rdx, [rbx + 16]",
    "mov r8, [rbx + 64]",
    "mov r9, [rbx + 72]",
    "mov r10, [rbx + 80]",
    "call r12",
    "mov [rbx], rax",
    "movaps [rbx + 128], xmm0",
    "lea rsp, [rbp]",
    "pop r12",
    "pop rbx",
    "pop rbp",
    "ret",
]);

/// An entry of callbacks, called `$name`: registers into an image on the stack, `$enter(record, image, stack)`, and back. With
/// `chain`, the record is where the static chain leads.
#[macro_export]
macro_rules! interp_entry {
    ($name:literal, $enter:path, chain) => {
        $crate::interp_entry!($name, $enter);
    };
    ($name:literal, $enter:path) => {
        $crate::assembly!(framed $name, 4, [
            "sub rsp, 344",
            ".seh_stackalloc 344",
            ".seh_endprologue",
            "mov [rsp + 40], rcx",
            "mov [rsp + 48], rdx",
            "mov [rsp + 96], r8",
            "mov [rsp + 104], r9",
            "movaps [rsp + 160], xmm0",
            "movaps [rsp + 176], xmm1",
            "movaps [rsp + 192], xmm2",
            "movaps [rsp + 208], xmm3",
            "mov rcx, r10",
            "lea rdx, [rsp + 32]",
            "lea r8, [rsp + 352]",
            "call {enter}",
            "mov rax, [rsp + 32]",
            "movaps xmm0, [rsp + 160]",
            "add rsp, 344",
            "ret",
        ] enter = sym $enter,);
    };
}
