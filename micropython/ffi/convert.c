// Python objects to slots, and slots to Python objects. Which object a code takes and gives is decided here alone.

#include <string.h>

#include "modffi.h"

typedef union _float_slot_t {
    float value;
    uint32_t bits;
} float_slot_t;

typedef union _double_slot_t {
    double value;
    uint64_t bits;
} double_slot_t;

// The low 64 bits of an int or bool.
static uint64_t truncate_int(mp_obj_t obj) {
    if (mp_obj_is_small_int(obj)) {
        return (uint64_t)(int64_t)MP_OBJ_SMALL_INT_VALUE(obj);
    }
    if (mp_obj_is_bool(obj)) {
        return obj == mp_const_true;
    }
    #if MICROPY_LONGINT_IMPL == MICROPY_LONGINT_IMPL_NONE
    return 0;
    #else
    MP_STATIC_ASSERT(sizeof(mp_int_t) == sizeof(uint64_t));
    return (uint64_t)mp_obj_int_get_truncated(obj);
    #endif
}

#if MICROPY_PY_BUILTINS_FLOAT
static bool is_number(mp_obj_t obj) {
    return mp_obj_is_float(obj) || mp_obj_is_integer(obj);
}
#endif

// An object's own representation: a pointer, or the 64 bits of a boxed value.
static uint64_t slot_from_representation(mp_obj_t obj) {
    #if MICROPY_OBJ_REPR == MICROPY_OBJ_REPR_D
    return (uint64_t)obj;
    #else
    return (uintptr_t)obj;
    #endif
}

static mp_obj_t obj_from_representation(uint64_t slot) {
    #if MICROPY_OBJ_REPR == MICROPY_OBJ_REPR_D
    mp_obj_t obj = (mp_obj_t)slot;
    #else
    mp_obj_t obj = (mp_obj_t)(uintptr_t)slot;
    #endif
    return obj == MP_OBJ_NULL ? mp_const_none : obj;
}

// None, an int, or something that is a C function: what both a pointer to code and a pointer to anything may be.
static ffi_conversion_t slot_from_address(mp_obj_t obj, uint64_t *slot) {
    if (obj == mp_const_none) {
        *slot = 0;
        return FFI_CONVERTED;
    }
    if (mp_obj_is_integer(obj)) {
        *slot = truncate_int(obj);
        return FFI_CONVERTED;
    }
    if (mp_obj_is_type(obj, &fficallback_type)) {
        mp_obj_fficallback_t *callback = MP_OBJ_TO_PTR(obj);
        *slot = (uintptr_t)callback->code;
        return *slot == 0 ? FFI_CLOSED : FFI_CONVERTED;
    }
    if (mp_obj_is_type(obj, &ffifunc_type)) {
        mp_obj_ffifunc_t *func = MP_OBJ_TO_PTR(obj);
        *slot = (uintptr_t)func->address;
        return func->module->library == NULL ? FFI_CLOSED : FFI_CONVERTED;
    }
    return FFI_WRONG_KIND;
}

static ffi_conversion_t slot_from_pointer(mp_obj_t obj, uint64_t *slot) {
    ffi_conversion_t why = slot_from_address(obj, slot);
    mp_buffer_info_t buffer;
    if (why == FFI_WRONG_KIND && mp_get_buffer(obj, &buffer, MP_BUFFER_READ)) {
        *slot = (uintptr_t)buffer.buf;
        return FFI_CONVERTED;
    }
    return why;
}

ffi_conversion_t ffi_slot_from_obj(farcall_kind kind, mp_obj_t obj, uint64_t *slot) {
    switch (kind) {
        case FARCALL_INT:
        case FARCALL_UINT:
            if (!mp_obj_is_integer(obj)) {
                return FFI_WRONG_KIND;
            }
            *slot = truncate_int(obj);
            return FFI_CONVERTED;
        #if MICROPY_PY_BUILTINS_FLOAT
        case FARCALL_FLOAT: {
            if (!is_number(obj)) {
                return FFI_WRONG_KIND;
            }
            float_slot_t number = { mp_obj_get_float_to_f(obj) };
            *slot = number.bits;
            return FFI_CONVERTED;
        }
        case FARCALL_DOUBLE: {
            if (!is_number(obj)) {
                return FFI_WRONG_KIND;
            }
            double_slot_t number = { mp_obj_get_float_to_d(obj) };
            *slot = number.bits;
            return FFI_CONVERTED;
        }
        #endif
        case FARCALL_POINTER:
        case FARCALL_STR:
        case FARCALL_BYTES:
            return slot_from_pointer(obj, slot);
        case FARCALL_OBJECT:
            *slot = slot_from_representation(obj);
            return FFI_CONVERTED;
        case FARCALL_CALLBACK:
            return slot_from_address(obj, slot);
        default:
            return FFI_WRONG_KIND;
    }
}

ffi_conversion_t ffi_stored_from_obj(farcall_kind kind, mp_obj_t obj, uint64_t *slot) {
    switch (kind) {
        case FARCALL_FLOAT:
            return ffi_slot_from_obj(FARCALL_DOUBLE, obj, slot);
        case FARCALL_POINTER:
        case FARCALL_STR:
        case FARCALL_BYTES:
        case FARCALL_CALLBACK:
            kind = FARCALL_CALLBACK;
            break;
        default:
            break;
    }
    ffi_conversion_t why = ffi_slot_from_obj(kind, obj, slot);
    if (why != FFI_CONVERTED || !mp_obj_is_int(obj) || kind == FARCALL_OBJECT || kind == FARCALL_DOUBLE) {
        return why;
    }
    // An int that comes back as it was has lost nothing. Addresses may be written with or without a sign.
    bool same = (kind != FARCALL_INT && mp_obj_equal(ffi_obj_from_slot(FARCALL_UINT, *slot), obj))
        || (kind != FARCALL_UINT && mp_obj_equal(ffi_obj_from_slot(FARCALL_INT, *slot), obj));
    return same ? FFI_CONVERTED : FFI_OUT_OF_RANGE;
}

mp_obj_t ffi_obj_from_slot(farcall_kind kind, uint64_t slot) {
    switch (kind) {
        case FARCALL_INT: {
            mp_int_t value = (mp_int_t)slot;
            return (int64_t)value == (int64_t)slot ? mp_obj_new_int(value) : mp_obj_new_int_from_ll((int64_t)slot);
        }
        case FARCALL_UINT:
        case FARCALL_POINTER:
        case FARCALL_CALLBACK: {
            mp_uint_t value = (mp_uint_t)slot;
            return (uint64_t)value == slot ? mp_obj_new_int_from_uint(value) : mp_obj_new_int_from_ull(slot);
        }
        #if MICROPY_PY_BUILTINS_FLOAT
        case FARCALL_FLOAT: {
            float_slot_t number = { .bits = (uint32_t)slot };
            return mp_obj_new_float_from_f(number.value);
        }
        case FARCALL_DOUBLE: {
            double_slot_t number = { .bits = slot };
            return mp_obj_new_float_from_d(number.value);
        }
        #else
        case FARCALL_FLOAT:
        case FARCALL_DOUBLE:
            mp_raise_TypeError(MP_ERROR_TEXT("this MicroPython has no floats"));
        #endif
        case FARCALL_STR: {
            const char *str = (const char *)(uintptr_t)slot;
            return str == NULL ? mp_const_none : mp_obj_new_str(str, strlen(str));
        }
        case FARCALL_BYTES: {
            const char *str = (const char *)(uintptr_t)slot;
            return str == NULL ? mp_const_none : mp_obj_new_bytes((const byte *)str, strlen(str));
        }
        case FARCALL_OBJECT:
            return obj_from_representation(slot);
        default:
            return mp_const_none;
    }
}

bool ffi_kind_borrows(farcall_kind kind) {
    switch (kind) {
        case FARCALL_POINTER:
        case FARCALL_STR:
        case FARCALL_BYTES:
        case FARCALL_OBJECT:
        case FARCALL_CALLBACK:
            return true;
        default:
            return false;
    }
}

const char *ffi_kind_wants(farcall_kind kind) {
    switch (kind) {
        case FARCALL_INT:
        case FARCALL_UINT:
            return "an int";
        case FARCALL_FLOAT:
        case FARCALL_DOUBLE:
            return MICROPY_PY_BUILTINS_FLOAT ? "a float or an int" : "a float, but this MicroPython has no floats";
        case FARCALL_POINTER:
        case FARCALL_STR:
        case FARCALL_BYTES:
            return "None, an int, a buffer, a str or a callback";
        case FARCALL_CALLBACK:
            return "a callback, an int or None";
        default:
            return "an object";
    }
}

const char *ffi_kind_stores(farcall_kind kind) {
    switch (kind) {
        case FARCALL_POINTER:
        case FARCALL_STR:
        case FARCALL_BYTES:
            return "None, an int or a callback, since the variable would outlive any other object";
        default:
            return ffi_kind_wants(kind);
    }
}
