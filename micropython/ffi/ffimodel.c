// How this MicroPython lays out its objects, for machine code that takes and gives them. Nothing of it is guessed: the
// compiler works it out from MicroPython's headers.

#include "modffi.h"
#include "py/objarray.h"
#include "py/objstr.h"

// Thread-local variables of a program lie at a fixed distance from the thread pointer on Linux. On Windows other words do.
#if defined(__linux__) && (defined(__x86_64__) || defined(__aarch64__)) && (!defined(__PIC__) || defined(__PIE__))
#define HAS_THREAD_POINTER (1)
#elif defined(_WIN64) && defined(__x86_64__)
#define HAS_THREAD_POINTER (1)
#include <windows.h>
#include <winternl.h>
#else
#define HAS_THREAD_POINTER (0)
#endif

// Objects are words with a tag, floats are doubles in memory, the thread pointer leads to a thread's own words, and there is
// no lock to give up around a call. Where one of these does not hold, calls go through slots.
#if HAS_THREAD_POINTER && !(MICROPY_PY_THREAD && MICROPY_PY_THREAD_GIL) \
    && MICROPY_OBJ_REPR == MICROPY_OBJ_REPR_A && MICROPY_OBJ_IMMEDIATE_OBJS \
    && MICROPY_FLOAT_IMPL == MICROPY_FLOAT_IMPL_DOUBLE

typedef struct _float_obj_t {
    mp_obj_base_t base;
    mp_float_t value;
} float_obj_t;

static const farcall_pointer_field buffers[] = {
    { &mp_type_str, offsetof(mp_obj_str_t, data) },
    { &mp_type_bytes, offsetof(mp_obj_str_t, data) },
    #if MICROPY_PY_BUILTINS_BYTEARRAY
    { &mp_type_bytearray, offsetof(mp_obj_array_t, items) },
    #endif
    #if MICROPY_PY_ARRAY
    { &mp_type_array, offsetof(mp_obj_array_t, items) },
    #endif
};

static const farcall_pointer_field functions[] = {
    { &fficallback_type, offsetof(mp_obj_fficallback_t, code) },
};

#if defined(_WIN64)

// The thread pointer leads to the thread's environment block, and the first slots of TlsAlloc() lie in there. 0 for others.
static size_t new_slot(void) {
    DWORD index = TlsAlloc();
    if (index < MP_ARRAY_SIZE(((TEB *)NULL)->TlsSlots)) {
        return offsetof(TEB, TlsSlots) + index * sizeof(PVOID);
    }
    if (index != TLS_OUT_OF_INDEXES) {
        TlsFree(index);
    }
    return 0;
}

// Where in that block GetLastError() finds its number. No header says so.
#define LAST_ERROR (0x68)

static bool last_error_is_there(void) {
    const DWORD number = 0x5eed;
    DWORD before = GetLastError();
    SetLastError(number);
    DWORD there;
    __asm__ volatile ("movl %%gs:0x68, %0" : "=r" (there));
    SetLastError(before);
    return there == number;
}

// Whether a thread's own words are where code finds them. Calls use these words, so they are there ahead of the first.
static bool prepare_threads(void) {
    if (!last_error_is_there()) {
        return false;
    }
    size_t innermost = new_slot();
    size_t state = new_slot();
    size_t errno_words[3] = { new_slot(), new_slot(), new_slot() };
    if (innermost == 0 || state == 0 || errno_words[0] == 0 || errno_words[1] == 0 || errno_words[2] == 0) {
        return false;
    }
    ffi_innermost_slot = innermost;
    ffi_known_state_slot = state;
    for (size_t i = 0; i < MP_ARRAY_SIZE(errno_words); ++i) {
        ffi_errno_slots[i] = errno_words[i];
    }
    return true;
}

static void describe_thread(farcall_object_model *model) {
    model->thread_pointer = FARCALL_GS;
    model->innermost = (ptrdiff_t)ffi_innermost_slot;
    model->catch_state = (ptrdiff_t)ffi_known_state_slot;
    model->errno_address = (ptrdiff_t)ffi_errno_slots[0];
    model->errno_kept = (ptrdiff_t)(ffi_errno_slots[1] + offsetof(ffi_error_numbers_t, c));
    model->errno_given = (ptrdiff_t)ffi_errno_slots[2];
    model->last_error = LAST_ERROR;
    model->last_error_kept = (ptrdiff_t)(ffi_errno_slots[1] + offsetof(ffi_error_numbers_t, system));
}

#else

static bool prepare_threads(void) {
    return true;
}

static const char *thread_pointer(void) {
    const char *pointer;
    #if defined(__x86_64__)
    __asm__ ("mov %%fs:0, %0" : "=r" (pointer));
    #else
    __asm__ ("mrs %0, tpidr_el0" : "=r" (pointer));
    #endif
    return pointer;
}

static void describe_thread(farcall_object_model *model) {
    #if defined(__x86_64__)
    model->thread_pointer = FARCALL_FS;
    #else
    model->thread_pointer = FARCALL_TPIDR_EL0;
    #endif
    model->innermost = (const char *)&ffi_innermost - thread_pointer();
    model->catch_state = (const char *)&ffi_known_state - thread_pointer();
    model->errno_address = (const char *)&ffi_errno_address - thread_pointer();
    model->errno_kept = (const char *)&ffi_error_numbers.c - thread_pointer();
    model->errno_given = (const char *)&ffi_errno_given - thread_pointer();
}

#endif

#if MICROPY_NLR_X64 || MICROPY_NLR_AARCH64

// Calls nlr_push() with known values in the callee-saved registers, as many as there are, and writes down where it will
// return to, and with which stack pointer. It is global because link-time optimization may tear this file apart.
void ffi_watch_nlr_push(nlr_buf_t *nlr, const uintptr_t *values, uintptr_t where[2]);

#if MICROPY_NLR_X64 && defined(_WIN64)

#define FFI_SAVED_REGISTERS (8)

__asm__ (
    ".text\n"
    ".globl ffi_watch_nlr_push\n"
    "ffi_watch_nlr_push:\n"
    "    push %rbx\n"
    "    push %rbp\n"
    "    push %rsi\n"
    "    push %rdi\n"
    "    push %r12\n"
    "    push %r13\n"
    "    push %r14\n"
    "    push %r15\n"
    "    sub $40, %rsp\n"
    "    mov (%rdx), %rbx\n"
    "    mov 8(%rdx), %rbp\n"
    "    mov 16(%rdx), %rsi\n"
    "    mov 24(%rdx), %rdi\n"
    "    mov 32(%rdx), %r12\n"
    "    mov 40(%rdx), %r13\n"
    "    mov 48(%rdx), %r14\n"
    "    mov 56(%rdx), %r15\n"
    "    lea 1f(%rip), %rax\n"
    "    mov %rax, (%r8)\n"
    "    lea -8(%rsp), %rax\n"
    "    mov %rax, 8(%r8)\n"
    "    call nlr_push\n"
    "1:  add $40, %rsp\n"
    "    pop %r15\n"
    "    pop %r14\n"
    "    pop %r13\n"
    "    pop %r12\n"
    "    pop %rdi\n"
    "    pop %rsi\n"
    "    pop %rbp\n"
    "    pop %rbx\n"
    "    ret\n"
    );

#elif MICROPY_NLR_X64

#define FFI_SAVED_REGISTERS (6)

__asm__ (
    ".pushsection .text\n"
    ".globl ffi_watch_nlr_push\n"
    ".hidden ffi_watch_nlr_push\n"
    ".type ffi_watch_nlr_push, @function\n"
    "ffi_watch_nlr_push:\n"
    "    push %rbx\n"
    "    push %rbp\n"
    "    push %r12\n"
    "    push %r13\n"
    "    push %r14\n"
    "    push %r15\n"
    "    sub $8, %rsp\n"
    "    mov (%rsi), %rbx\n"
    "    mov 8(%rsi), %rbp\n"
    "    mov 16(%rsi), %r12\n"
    "    mov 24(%rsi), %r13\n"
    "    mov 32(%rsi), %r14\n"
    "    mov 40(%rsi), %r15\n"
    "    lea 1f(%rip), %rax\n"
    "    mov %rax, (%rdx)\n"
    "    lea -8(%rsp), %rax\n"
    "    mov %rax, 8(%rdx)\n"
    "    call nlr_push\n"
    "1:  add $8, %rsp\n"
    "    pop %r15\n"
    "    pop %r14\n"
    "    pop %r13\n"
    "    pop %r12\n"
    "    pop %rbp\n"
    "    pop %rbx\n"
    "    ret\n"
    ".size ffi_watch_nlr_push, . - ffi_watch_nlr_push\n"
    ".popsection\n"
    );

#else

#define FFI_SAVED_REGISTERS (11)

__asm__ (
    ".pushsection .text\n"
    ".globl ffi_watch_nlr_push\n"
    ".hidden ffi_watch_nlr_push\n"
    ".type ffi_watch_nlr_push, %function\n"
    "ffi_watch_nlr_push:\n"
    "    stp x29, x30, [sp, #-96]!\n"
    "    stp x19, x20, [sp, #16]\n"
    "    stp x21, x22, [sp, #32]\n"
    "    stp x23, x24, [sp, #48]\n"
    "    stp x25, x26, [sp, #64]\n"
    "    stp x27, x28, [sp, #80]\n"
    "    adr x9, 1f\n"
    "    mov x10, sp\n"
    "    stp x9, x10, [x2]\n"
    "    ldp x19, x20, [x1]\n"
    "    ldp x21, x22, [x1, #16]\n"
    "    ldp x23, x24, [x1, #32]\n"
    "    ldp x25, x26, [x1, #48]\n"
    "    ldp x27, x28, [x1, #64]\n"
    "    ldr x29, [x1, #80]\n"
    "    bl nlr_push\n"
    "1:  ldp x19, x20, [sp, #16]\n"
    "    ldp x21, x22, [sp, #32]\n"
    "    ldp x23, x24, [sp, #48]\n"
    "    ldp x25, x26, [sp, #64]\n"
    "    ldp x27, x28, [sp, #80]\n"
    "    ldp x29, x30, [sp], #96\n"
    "    ret\n"
    ".size ffi_watch_nlr_push, . - ffi_watch_nlr_push\n"
    ".popsection\n"
    );

#endif

// The offset of the one register in an nlr_buf_t that holds a value.
static bool find_register(const nlr_buf_t *nlr, uintptr_t value, size_t *offset) {
    size_t found = 0;
    for (size_t i = 0; i < MP_ARRAY_SIZE(nlr->regs); ++i) {
        if ((uintptr_t)nlr->regs[i] == value) {
            *offset = offsetof(nlr_buf_t, regs) + i * sizeof(nlr->regs[0]);
            ++found;
        }
    }
    return found == 1;
}

// No header says which register nlr_push() saves where, so it is watched. Where it does not do what is expected, callbacks use
// it as it is.
static void describe_catching(farcall_object_model *model) {
    uintptr_t values[FFI_SAVED_REGISTERS];
    for (size_t i = 0; i < MP_ARRAY_SIZE(values); ++i) {
        values[i] = 0x5eed00 + i;
    }
    nlr_buf_t nlr = { 0 };
    uintptr_t where[2];
    ffi_watch_nlr_push(&nlr, values, where);
    nlr_pop();
    bool known = find_register(&nlr, where[0], &model->catch_instruction_pointer)
        && find_register(&nlr, where[1], &model->catch_stack_pointer);
    for (size_t i = 0; i < MP_ARRAY_SIZE(values); ++i) {
        known = known && find_register(&nlr, values[i], &model->catch_saved[i]);
    }
    model->catch_innermost = offsetof(mp_state_thread_t, nlr_top);
    model->catch_prev = offsetof(nlr_buf_t, prev);
    model->catch_value = offsetof(nlr_buf_t, ret_val);
    #if MICROPY_ENABLE_PYSTACK
    model->catch_kept = offsetof(nlr_buf_t, pystack);
    model->catch_kept_state = offsetof(mp_state_thread_t, pystack_cur);
    #endif
    model->catch_size = known ? sizeof(nlr_buf_t) : 0;
}

#else

static void describe_catching(farcall_object_model *model) {
    model->catch_size = 0;
}

#endif

static bool describe(void) {
    farcall_object_model model = {
        .none = mp_const_none,
        .truth = { mp_const_false, mp_const_true },
        .float_type = &mp_type_float,
        .float_value = offsetof(float_obj_t, value),
        .buffers = buffers,
        .buffer_count = MP_ARRAY_SIZE(buffers),
        .functions = functions,
        .function_count = MP_ARRAY_SIZE(functions),
        .function_target = offsetof(mp_obj_ffifunc_t, address),
        .function_library = offsetof(mp_obj_ffifunc_t, module),
        .library_open = offsetof(mp_obj_ffimod_t, library),
        .call = (const void *)ffifunc_call_slots,
        .raise = (const void *)nlr_jump,
        .new_float = (const void *)mp_obj_new_float,
        .new_object = (const void *)ffi_obj_from_slot,
        .find_bytes = (const void *)ffi_find_bytes,
        .new_of_bytes = (const void *)ffi_new_of_bytes,
    };
    describe_thread(&model);
    describe_catching(&model);
    farcall_error error;
    return farcall_object_model_set(&model, &error) != FARCALL_MEMORY;
}

void ffi_set_object_model(void) {
    static bool done = false;
    if (MP_LIKELY(done)) {
        return;
    }
    done = true;
    if (prepare_threads()) {
        farcall_objects_described_by(describe);
    }
}

void ffi_tell_object_model(void) {
    static bool told = false;
    if (MP_LIKELY(told)) {
        return;
    }
    ffi_set_object_model();
    ffi_hold_interrupts();
    farcall_error error;
    farcall_status status = farcall_objects_describe(&error);
    told = status == FARCALL_OK;
    ffi_let_interrupts();
    if (status != FARCALL_OK) {
        ffi_raise(status, &error);
    }
}

#else

void ffi_set_object_model(void) {
}

void ffi_tell_object_model(void) {
}

#endif
