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
// Objects that are asked for a float have a method for that. MicroPython would ask the int in an object of a class over int, which an
// assertion of its own forbids.
static bool may_have_float(mp_obj_t obj) {
    if (mp_obj_is_float(obj) || mp_obj_is_integer(obj)
        || mp_obj_cast_to_native_base(obj, MP_OBJ_FROM_PTR(&mp_type_int)) == MP_OBJ_NULL) {
        return true;
    }
    mp_obj_t dest[2];
    mp_load_method_maybe(obj, MP_QSTR___float__, dest);
    return dest[0] != MP_OBJ_NULL;
}
#endif

bool ffi_get_float(mp_obj_t obj, double *value) {
    #if MICROPY_PY_BUILTINS_FLOAT
    mp_float_t number;
    if (may_have_float(obj) && mp_obj_get_float_maybe(obj, &number)) {
        *value = (double)number;
        return true;
    }
    #else
    (void)obj;
    (void)value;
    #endif
    return false;
}

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

// None, an int, or something that is a C function: what a variable may hold as well as an argument.
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

bool ffi_may_stay(mp_obj_t obj) {
    uint64_t slot;
    return slot_from_address(obj, &slot) != FFI_WRONG_KIND;
}

ffi_conversion_t ffi_slot_from_address(mp_obj_t obj, uint64_t *slot) {
    return slot_from_address(obj, slot);
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
            if (obj == mp_const_none) {
                *slot = 0;
                return FFI_CONVERTED;
            }
            if (!mp_obj_is_integer(obj)) {
                return FFI_WRONG_KIND;
            }
            *slot = truncate_int(obj);
            return FFI_CONVERTED;
        #if MICROPY_PY_BUILTINS_FLOAT
        case FARCALL_FLOAT:
        case FARCALL_DOUBLE: {
            mp_float_t value;
            if (!may_have_float(obj) || !mp_obj_get_float_maybe(obj, &value)) {
                return FFI_WRONG_KIND;
            }
            float_slot_t narrow = { (float)value };
            double_slot_t wide = { (double)value };
            *slot = kind == FARCALL_FLOAT ? narrow.bits : wide.bits;
            return FFI_CONVERTED;
        }
        #endif
        case FARCALL_POINTER:
        case FARCALL_STR:
        case FARCALL_BYTES:
        case FARCALL_WORD:
            return slot_from_pointer(obj, slot);
        case FARCALL_CALLBACK:
            return slot_from_address(obj, slot);
        case FARCALL_OBJECT:
            *slot = slot_from_representation(obj);
            return FFI_CONVERTED;
        default:
            return FFI_WRONG_KIND;
    }
}

// An object that has a value as an int of its own.
static ffi_conversion_t slot_from_int_of_obj(mp_obj_t obj, uint64_t *slot) {
    mp_int_t value;
    if (!mp_obj_get_int_maybe(obj, &value)) {
        return FFI_WRONG_KIND;
    }
    *slot = (uint64_t)(int64_t)value;
    return FFI_CONVERTED;
}

ffi_conversion_t ffi_stored_from_obj(farcall_kind kind, mp_obj_t obj, uint64_t *slot) {
    ffi_conversion_t why;
    switch (kind) {
        case FARCALL_INT:
        case FARCALL_UINT:
            why = obj == mp_const_none ? FFI_WRONG_KIND : ffi_slot_from_obj(kind, obj, slot);
            break;
        case FARCALL_POINTER:
        case FARCALL_STR:
        case FARCALL_BYTES:
        case FARCALL_CALLBACK:
            why = slot_from_address(obj, slot);
            break;
        default:
            return ffi_slot_from_obj(kind, obj, slot);
    }
    return why == FFI_WRONG_KIND ? slot_from_int_of_obj(obj, slot) : why;
}

mp_obj_t ffi_obj_from_slot(farcall_kind kind, uint64_t slot) {
    switch (kind) {
        case FARCALL_INT:
        case FARCALL_POINTER:
        case FARCALL_CALLBACK: {
            mp_int_t value = (mp_int_t)slot;
            return (int64_t)value == (int64_t)slot ? mp_obj_new_int(value) : mp_obj_new_int_from_ll((int64_t)slot);
        }
        case FARCALL_UINT: {
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
        case FARCALL_BOOL:
            return mp_obj_new_bool((uint8_t)slot != 0);
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
        case FARCALL_DATA:
        case FARCALL_CODE:
            return true;
        default:
            return false;
    }
}

const char *ffi_kind_wants(farcall_kind kind) {
    switch (kind) {
        case FARCALL_INT:
        case FARCALL_UINT:
            return "an int or None";
        case FARCALL_FLOAT:
        case FARCALL_DOUBLE:
            return MICROPY_PY_BUILTINS_FLOAT ? "a float or an int" : "a float, but this MicroPython has no floats";
        case FARCALL_POINTER:
        case FARCALL_STR:
        case FARCALL_BYTES:
        case FARCALL_WORD:
            return "None, an int, a buffer, a str or a callback";
        case FARCALL_CALLBACK:
            return "a callback, an int or None";
        default:
            return "an object";
    }
}

const char *ffi_kind_stores(farcall_kind kind) {
    switch (kind) {
        case FARCALL_INT:
        case FARCALL_UINT:
            return "an int";
        case FARCALL_POINTER:
        case FARCALL_STR:
        case FARCALL_BYTES:
        case FARCALL_CALLBACK:
            return "None, an int or a callback, since the variable would outlive any other object";
        default:
            return ffi_kind_wants(kind);
    }
}
