/* Goes through calls and closures an instruction at a time, and at every instruction of the library, or of code that it has made, has
   the unwinder find the way back to the caller, with all registers that belong to the caller. On x86-64 Linux. */

#define _GNU_SOURCE
#include <ffi.h>
#include <link.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>
#include <unwind.h>

/* Calls `function` with four arguments, one instruction at a time, with known values in the registers that callees keep. */
long step(void *function, void *a, void *b, void *c, void *d);
extern char step_return[];
uintptr_t step_stack_pointer;

__asm__(".text\n"
        ".globl step, step_return\n"
        ".type step,@function\n"
        "step:\n"
        ".cfi_startproc\n"
        "push %rbx\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset %rbx, 0\n"
        "push %rbp\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset %rbp, 0\n"
        "push %r12\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset %r12, 0\n"
        "push %r13\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset %r13, 0\n"
        "push %r14\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset %r14, 0\n"
        "push %r15\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset %r15, 0\n"
        "sub $8, %rsp\n.cfi_adjust_cfa_offset 8\n"
        "mov %rdi, %rax\nmov %rsi, %rdi\nmov %rdx, %rsi\nmov %rcx, %rdx\nmov %r8, %rcx\n"
        "mov $0x5eed0003, %ebx\nmov $0x5eed0006, %ebp\nmov $0x5eed000c, %r12d\n"
        "mov $0x5eed000d, %r13d\nmov $0x5eed000e, %r14d\nmov $0x5eed000f, %r15d\n"
        "mov %rsp, step_stack_pointer(%rip)\n"
        "pushfq\n.cfi_adjust_cfa_offset 8\norl $0x100, (%rsp)\npopfq\n.cfi_adjust_cfa_offset -8\n"
        "call *%rax\n"
        "step_return:\n"
        "pushfq\n.cfi_adjust_cfa_offset 8\nandl $0xfffffeff, (%rsp)\npopfq\n.cfi_adjust_cfa_offset -8\n"
        "add $8, %rsp\n.cfi_adjust_cfa_offset -8\n"
        "pop %r15\n.cfi_adjust_cfa_offset -8\npop %r14\n.cfi_adjust_cfa_offset -8\n"
        "pop %r13\n.cfi_adjust_cfa_offset -8\npop %r12\n.cfi_adjust_cfa_offset -8\n"
        "pop %rbp\n.cfi_adjust_cfa_offset -8\npop %rbx\n.cfi_adjust_cfa_offset -8\n"
        "ret\n"
        ".cfi_endproc\n"
        ".size step, . - step\n");

/* LLVM's unwinder looks for the byte before an instruction behind a signal's frame as well, so it goes wrong at the first of many functions.
   In made code, which is one function to unwinders, what it finds is right wherever it looks. */
#ifdef ONLY_MADE
static const int only_made = 1;
#else
static const int only_made = 0;
#endif

/* The library in memory, and where what was not in its file begins: code that is made lies there. */
static uintptr_t library_start, library_end, made_start;
static long steps, steps_in_made, wrong;

static int find_library(struct dl_phdr_info *info, size_t size, void *data) {
    (void)size, (void)data;
    if (strstr(info->dlpi_name, "libffi.so") == NULL) {
        return 0;
    }
    for (int i = 0; i < info->dlpi_phnum; ++i) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + segment->p_vaddr;
        if (segment->p_type != PT_LOAD) {
            continue;
        }
        if (library_start == 0) {
            library_start = start;
        }
        library_end = start + segment->p_memsz;
        made_start = start + segment->p_filesz;
    }
    return 1;
}

struct Search {
    int frames, is_found;
};

static _Unwind_Reason_Code look(struct _Unwind_Context *context, void *data) {
    static const int kept[] = {3, 6, 12, 13, 14, 15};
    struct Search *search = data;
    search->frames++;
    if (_Unwind_GetIP(context) != (uintptr_t)step_return) {
        return search->frames < 100 ? _URC_NO_REASON : _URC_END_OF_STACK;
    }
    search->is_found = _Unwind_GetCFA(context) == step_stack_pointer;
    for (unsigned i = 0; i < sizeof kept / sizeof *kept; ++i) {
        search->is_found &= _Unwind_GetGR(context, kept[i]) == (uintptr_t)(0x5eed0000 + kept[i]);
    }
    return _URC_END_OF_STACK;
}

static void trap(int signal, siginfo_t *info, void *context) {
    (void)signal, (void)info;
    uintptr_t at = (uintptr_t)((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP];
    if (at < (only_made ? made_start : library_start) || at >= library_end) {
        return;
    }
    struct Search search = {0, 0};
    _Unwind_Backtrace(look, &search);
    steps++;
    steps_in_made += at >= made_start;
    if (!search.is_found && wrong++ < 20) {
        printf("at 0x%lx of the library: no way back, %d frames seen\n", at - library_start, search.frames);
    }
}

static int returns(void) { return 1; }

static int callee(void) {
    struct Search search = {0, 0};
    _Unwind_Backtrace(look, &search);
    wrong += !search.is_found;
    return 1;
}

static void handler(ffi_cif *cif, void *result, void **values, void *data) {
    (void)values, (void)data;
    memset(result, 0, cif->rtype->type == FFI_TYPE_VOID ? 0 : cif->rtype->size);
    callee();
}

static ffi_type *block_of(unsigned size, ffi_type *element, ffi_type *block, ffi_type **elements) {
    for (unsigned i = 0; i < size; ++i) {
        elements[i] = element;
    }
    elements[size] = NULL;
    *block = (ffi_type){.size = 0, .alignment = 0, .type = FFI_TYPE_STRUCT, .elements = elements};
    return block;
}

enum { NUMBERS = 260, LARGE = NUMBERS * sizeof(long double), MOST = 60, UNSEEN = 7, CALLS = 10 };

static void go(ffi_abi abi, ffi_type *result_type, unsigned count, ffi_type **types) {
    static union {
        long double aligned;
        char bytes[LARGE];
    } result, value;
    void *values[MOST];
    ffi_cif cif;
    for (unsigned i = 0; i < count; ++i) {
        values[i] = &value;
    }
    if (ffi_prep_cif(&cif, abi, count, result_type, types) != FFI_OK) {
        wrong++;
        return;
    }
    /* The first follow the plan, the last go by code, and somewhere in between that is made. */
    for (int i = 0; i < UNSEEN; ++i) {
        ffi_call(&cif, FFI_FN(returns), &result, values);
    }
    for (int i = UNSEEN; i < CALLS; ++i) {
        step((void *)ffi_call, &cif, (void *)callee, &result, values);
    }
    /* Its arguments are whatever is in registers and on the stack, and its result goes where the first points to. */
    void *code;
    ffi_closure *closure = ffi_closure_alloc(sizeof *closure, &code);
    if (closure == NULL || ffi_prep_closure_loc(closure, &cif, handler, NULL, code) != FFI_OK) {
        wrong++;
        return;
    }
    volatile char above[2 * LARGE];
    above[0] = 0;
    for (int i = 0; i < 2; ++i) {
        void *first = abi == FFI_WIN64 ? (void *)&value : (void *)&result;
        /* Microsoft's first argument is in rcx, the fourth here. */
        step(code, first, &value, &value, &result);
    }
    above[1] = above[0];
    ffi_closure_free(closure);
}

int main(void) {
    static ffi_type small, large, *small_elements[41], *large_elements[NUMBERS + 1], *types[MOST];
    struct Search search = {0, 0};
    _Unwind_Backtrace(look, &search);
    dl_iterate_phdr(find_library, NULL);
    struct sigaction action = {.sa_sigaction = trap, .sa_flags = SA_SIGINFO};
    sigaction(SIGTRAP, &action, NULL);
    block_of(40, &ffi_type_uint8, &small, small_elements);
    block_of(NUMBERS, &ffi_type_longdouble, &large, large_elements);
    ffi_abi abis[] = {FFI_DEFAULT_ABI, FFI_WIN64};
    for (int i = 0; i < 2; ++i) {
        ffi_type *ints[] = {&ffi_type_sint, &ffi_type_sint};
        ffi_type *mixed[] = {&ffi_type_double, &ffi_type_sint8, &ffi_type_float, &ffi_type_pointer, &ffi_type_sint64};
        ffi_type *blocks[] = {&small, &ffi_type_sint, &small};
        go(abis[i], &ffi_type_void, 0, ints);
        go(abis[i], &ffi_type_sint, 2, ints);
        go(abis[i], &ffi_type_double, 5, mixed);
        if (abis[i] == FFI_DEFAULT_ABI) {
            go(abis[i], &small, 3, blocks);
        }
        for (unsigned count = 0; count < MOST; ++count) {
            types[count] = count % 2 ? &ffi_type_double : &ffi_type_uint16;
        }
        go(abis[i], &ffi_type_sint64, 14, types);
        go(abis[i], &ffi_type_void, MOST, types);
        types[0] = &large;
        if (abis[i] == FFI_DEFAULT_ABI) {
            go(abis[i], &ffi_type_void, 1, types);
        }
    }
    printf("%ld instructions, %ld of them made, %ld without a way back\n", steps, steps_in_made, wrong);
    return wrong != 0;
}
