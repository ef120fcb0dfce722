// The error number that C left in errno, and on Windows that of GetLastError().

#include "modffi.h"

#if defined(ffi_innermost)
size_t ffi_errno_slots[3];
#else
FFI_THREAD_LOCAL int *ffi_errno_address;
FFI_THREAD_LOCAL ffi_error_numbers_t ffi_error_numbers;
FFI_THREAD_LOCAL int32_t ffi_errno_given;
#endif

void ffi_errno_enter(ffi_errno_callback_t *callback, bool apart) {
    ffi_error_numbers_t of_c = ffi_errno_get();
    callback->of_c = of_c;
    callback->kept = ffi_error_numbers;
    callback->apart = apart;
    ffi_error_numbers = of_c;
}

void ffi_errno_leave(const ffi_errno_callback_t *callback) {
    ffi_error_numbers_t numbers = callback->of_c;
    if (callback->apart) {
        ffi_error_numbers = callback->kept;
    } else if (ffi_errno_given) {
        numbers = ffi_error_numbers;
    }
    ffi_errno_set(numbers);
}

// The thread's numbers, which its calls begin with from now on.
static ffi_error_numbers_t *given_numbers(void) {
    // From here on the words are where the engine's code looks for them.
    ffi_set_object_model();
    ffi_errno_given = 1;
    return &ffi_error_numbers;
}

static mp_obj_t ffi_errno(size_t n_args, const mp_obj_t *args) {
    long long number = 0;
    if (n_args > 0) {
        number = mp_obj_get_int(args[0]);
        if (number != (int32_t)number) {
            mp_raise_msg(&mp_type_OverflowError, MP_ERROR_TEXT("error number: expected 32 bits, got more"));
        }
    }
    ffi_error_numbers_t *numbers = given_numbers();
    mp_obj_t before = mp_obj_new_int(numbers->c);
    if (n_args > 0) {
        numbers->c = (int32_t)number;
    }
    return before;
}
MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(ffi_errno_obj, 0, 1, ffi_errno);

#if defined(_WIN32)
static mp_obj_t ffi_last_error(size_t n_args, const mp_obj_t *args) {
    long long number = 0;
    if (n_args > 0) {
        number = mp_obj_get_int(args[0]);
        if (number != (uint32_t)number) {
            mp_raise_msg(&mp_type_OverflowError, MP_ERROR_TEXT("error number: expected 32 bits without a sign"));
        }
    }
    ffi_error_numbers_t *numbers = given_numbers();
    mp_obj_t before = mp_obj_new_int_from_uint(numbers->system);
    if (n_args > 0) {
        numbers->system = (uint32_t)number;
    }
    return before;
}
MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(ffi_last_error_obj, 0, 1, ffi_last_error);
#endif
