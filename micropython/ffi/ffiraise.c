// Everything that can go wrong, as exceptions: which place, what was wanted, what came.

#include <stdio.h>
#include <string.h>

#include "modffi.h"

// Raises what the engine reported.
FFI_NORETURN void ffi_raise(farcall_status status, const farcall_error *error) {
    const mp_obj_type_t *type = &mp_type_ValueError;
    switch (status) {
        case FARCALL_OS: {
            mp_obj_t args[2] = {
                MP_OBJ_NEW_SMALL_INT(error->code),
                mp_obj_new_str(error->text, strlen(error->text)),
            };
            nlr_raise(mp_obj_new_exception_args(&mp_type_OSError, 2, args));
        }
        case FARCALL_TYPE:
            type = &mp_type_TypeError;
            break;
        case FARCALL_OVERFLOW:
            type = &mp_type_OverflowError;
            break;
        case FARCALL_MEMORY:
            type = &mp_type_MemoryError;
            break;
        default:
            break;
    }
    mp_raise_msg_varg(type, MP_ERROR_TEXT("%s"), error->text);
}

const char *ffi_path(const mp_obj_ffimod_t *module) {
    return module->path == mp_const_none ? "of the program" : mp_obj_str_get_str(module->path);
}

const char *ffi_callback_name(const mp_obj_fficallback_t *callback) {
    return callback->name == MP_QSTRnull ? "without a name" : qstr_str(callback->name);
}

// "0x", the digits, and the end.
#define ADDRESS_LEN (2 + 2 * sizeof(uintptr_t) + 1)

// Writes an address into the end of `text`. MicroPython's own formats have none that fits a pointer everywhere.
static const char *format_address(char text[ADDRESS_LEN], const void *address) {
    char *start = text + ADDRESS_LEN - 1;
    *start = '\0';
    uintptr_t rest = (uintptr_t)address;
    do {
        *--start = "0123456789abcdef"[rest & 0xf];
        rest >>= 4;
    } while (rest != 0);
    *--start = 'x';
    *--start = '0';
    return start;
}

void ffi_print_address(const mp_print_t *print, const void *address) {
    char text[ADDRESS_LEN];
    mp_print_str(print, format_address(text, address));
}

void ffi_print_signature(const mp_print_t *print, const farcall_signature *signature) {
    if (signature->values == NULL) {
        mp_printf(print, " %c(%s)>", signature->codes[0], signature->codes + 1);
        return;
    }
    char text[512];
    farcall_signature_show(signature, FARCALL_SHOWN_WHOLE, 0, text, sizeof(text));
    mp_printf(print, " %s>", text);
}

// A function by name, or else by address; `text` is where the address goes.
static const char *func_name(const mp_obj_ffifunc_t *func, char text[ADDRESS_LEN]) {
    return func->name != MP_OBJ_NULL ? mp_obj_str_get_str(func->name) : format_address(text, func->address);
}

FFI_NORETURN void ffi_raise_count(const mp_obj_ffifunc_t *func, size_t n_args, size_t n_kw) {
    char address[ADDRESS_LEN];
    const char *name = func_name(func, address);
    const char *codes = func->signature->codes + 1;
    unsigned int wanted = (unsigned int)func->signature->nargs;
    const char *plural = wanted == 1 ? "" : "s";
    if (n_kw != 0) {
        mp_raise_msg_varg(&mp_type_TypeError,
            MP_ERROR_TEXT("%s() takes %u argument%s (%s) and no keywords, got %u and %u by keyword"),
            name, wanted, plural, codes, (unsigned int)n_args, (unsigned int)n_kw);
    }
    mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("%s() takes %u argument%s (%s), got %u"),
        name, wanted, plural, codes, (unsigned int)n_args);
}

FFI_NORETURN void ffi_raise_closed_library(mp_obj_t user, const mp_obj_ffimod_t *module) {
    mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("%s: library %s is closed"), mp_obj_str_get_str(user),
        ffi_path(module));
}

FFI_NORETURN void ffi_raise_conversion(ffi_conversion_t why, const char *where, char code, const char *wanted,
    mp_obj_t obj) {
    if (why == FFI_CLOSED && mp_obj_is_type(obj, &ffifunc_type)) {
        const mp_obj_ffifunc_t *func = MP_OBJ_TO_PTR(obj);
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("%s: %s: library %s is closed"), where,
            mp_obj_str_get_str(func->name), ffi_path(func->module));
    }
    if (why == FFI_CLOSED) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("%s: callback %s is closed"), where,
            ffi_callback_name(MP_OBJ_TO_PTR(obj)));
    }
    mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("%s: expected '%c' (%s), got %s"), where, code, wanted,
        mp_obj_get_type_str(obj));
}

// The codes have a mark among them where a variadic function's own arguments end.
static char code_of_argument(const farcall_signature *signature, size_t index) {
    const char *mark = strchr(signature->codes, '.');
    const char *code = signature->codes + 1 + index;
    return mark != NULL && code >= mark ? code[1] : *code;
}

FFI_NORETURN void ffi_raise_argument(const mp_obj_ffifunc_t *func, size_t index, ffi_conversion_t why, mp_obj_t obj) {
    char address[ADDRESS_LEN];
    char where[FFI_WHERE_LEN];
    snprintf(where, sizeof(where), "argument %u of %s", (unsigned int)(index + 1), func_name(func, address));
    ffi_raise_conversion(why, where, code_of_argument(func->signature, index),
        ffi_kind_wants((farcall_kind)func->signature->kinds[index + 1]), obj);
}

FFI_NORETURN void ffi_raise_declared_count(const mp_obj_ffifunc_t *func, size_t n_args, size_t n_kw) {
    char address[ADDRESS_LEN];
    char parameters[256];
    const farcall_signature *signature = func->signature;
    const char *name = func_name(func, address);
    farcall_signature_show(signature, FARCALL_SHOWN_PARAMETERS, 0, parameters, sizeof(parameters));
    unsigned int wanted = (unsigned int)signature->value_count;
    const char *plural = wanted == 1 ? "" : "s";
    const char *least = signature->is_variadic ? "at least " : "";
    if (n_kw != 0) {
        mp_raise_msg_varg(&mp_type_TypeError,
            MP_ERROR_TEXT("%s() takes %s%u argument%s (%s), no keywords; got %u and %u by keyword"),
            name, least, wanted, plural, parameters, (unsigned int)n_args, (unsigned int)n_kw);
    }
    mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("%s() takes %s%u argument%s (%s), got %u"),
        name, least, wanted, plural, parameters, (unsigned int)n_args);
}

FFI_NORETURN void ffi_raise_declared_argument(const mp_obj_ffifunc_t *func, size_t index, ffi_conversion_t why, mp_obj_t obj) {
    static const farcall_value any = { .kind = FARCALL_DATA, .width = 8 };
    char address[ADDRESS_LEN];
    char where[FFI_WHERE_LEN];
    char parameter[FFI_WHERE_LEN / 2];
    char type[FFI_WHERE_LEN];
    const farcall_signature *signature = func->signature;
    bool is_named = index < signature->value_count;
    farcall_signature_show(signature, FARCALL_SHOWN_PARAMETER, index + 1, parameter, sizeof(parameter));
    farcall_signature_show(signature, FARCALL_SHOWN_TYPE, index + 1, type, sizeof(type));
    if (parameter[0] == '\0') {
        snprintf(parameter, sizeof(parameter), "%u", (unsigned int)(index + 1));
    }
    snprintf(where, sizeof(where), "argument %s of %s", parameter, func_name(func, address));
    if (!is_named && why == FFI_WRONG_KIND) {
        mp_raise_msg_varg(&mp_type_TypeError,
            MP_ERROR_TEXT("%s: expected a number, None, a str, a buffer or a callback, got %s"), where,
            mp_obj_get_type_str(obj));
    }
    ffi_raise_value(why, where, is_named ? type : "a value for '...'", is_named ? &signature->values[index + 1] : &any, obj);
}
