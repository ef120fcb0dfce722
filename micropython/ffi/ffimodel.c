// How this MicroPython lays out its objects, for machine code that takes and gives them. Nothing of it is guessed: the
// compiler works it out from MicroPython's headers.

#include "modffi.h"
#include "py/objarray.h"
#include "py/objstr.h"

// Objects are words with a tag, floats are doubles in memory, and thread-local variables of the program lie at a fixed
// distance from the thread pointer. Where one of these does not hold, calls go through slots.
#if defined(__x86_64__) && defined(__linux__) && (!defined(__PIC__) || defined(__PIE__)) \
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

static const char *thread_pointer(void) {
    const char *pointer;
    __asm__ ("mov %%fs:0, %0" : "=r" (pointer));
    return pointer;
}

void ffi_set_object_model(void) {
    static bool done = false;
    if (done) {
        return;
    }
    const farcall_object_model model = {
        .none = mp_const_none,
        .float_type = &mp_type_float,
        .float_value = offsetof(float_obj_t, value),
        .buffers = buffers,
        .buffer_count = MP_ARRAY_SIZE(buffers),
        .functions = functions,
        .function_count = MP_ARRAY_SIZE(functions),
        .function_target = offsetof(mp_obj_ffifunc_t, address),
        .function_library = offsetof(mp_obj_ffifunc_t, module),
        .library_open = offsetof(mp_obj_ffimod_t, library),
        .innermost = (const char *)&ffi_innermost - thread_pointer(),
        .call = (const void *)ffifunc_call_slots,
        .raise = (const void *)nlr_jump,
        .new_float = (const void *)mp_obj_new_float,
        .new_object = (const void *)ffi_obj_from_slot,
    };
    farcall_error error;
    farcall_status status = farcall_object_model_set(&model, &error);
    if (status != FARCALL_OK) {
        ffi_raise(status, &error);
    }
    done = true;
}

#else

void ffi_set_object_model(void) {
}

#endif
