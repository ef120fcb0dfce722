// Converts Python objects to values of C types, and back, and refuses those that do not fit. Values lie in slots as they do in memory,
// except integers and floats, which fill a slot.

#include <float.h>
#include <string.h>

#include "fficdef.h"

// The type of binary128, where the compiler has one.
#if LDBL_MANT_DIG == 113
typedef long double ffi_quad_t;
#define HAS_QUAD (1)
#elif defined(__SIZEOF_FLOAT128__)
typedef __float128 ffi_quad_t;
#define HAS_QUAD (1)
#else
#define HAS_QUAD (0)
#endif

// An int's low 64 bits, and whether it is that number with a sign or without one.
static uint64_t low_word(mp_obj_t obj, bool is_signed, bool *fits) {
    if (mp_obj_is_small_int(obj)) {
        mp_int_t value = MP_OBJ_SMALL_INT_VALUE(obj);
        *fits = is_signed || value >= 0;
        return (uint64_t)(int64_t)value;
    }
    if (mp_obj_is_bool(obj)) {
        *fits = true;
        return obj == mp_const_true;
    }
    uint64_t word = (uint64_t)mp_obj_int_get_truncated(obj);
    mp_obj_t same = is_signed ? mp_obj_new_int_from_ll((int64_t)word) : mp_obj_new_int_from_ull(word);
    *fits = mp_obj_equal(obj, same);
    return word;
}

bool ffi_get_ranged(mp_obj_t obj, size_t width, bool is_signed, uint64_t *low, uint64_t *high) {
    bool fits;
    if (width <= sizeof(uint64_t)) {
        uint64_t word = low_word(obj, is_signed, &fits);
        unsigned int spare = 64 - 8 * (unsigned int)width;
        uint64_t same = is_signed ? (uint64_t)((int64_t)(word << spare) >> spare) : word << spare >> spare;
        *low = word;
        *high = 0;
        return fits && same == word;
    }
    mp_obj_t upper = mp_binary_op(MP_BINARY_OP_RSHIFT, obj, MP_OBJ_NEW_SMALL_INT(64));
    bool any;
    *low = low_word(obj, true, &any);
    *high = low_word(upper, is_signed, &fits);
    return fits;
}

static mp_obj_t obj_from_words(uint64_t low, uint64_t high, bool is_signed) {
    mp_obj_t upper = is_signed ? mp_obj_new_int_from_ll((int64_t)high) : mp_obj_new_int_from_ull(high);
    upper = mp_binary_op(MP_BINARY_OP_LSHIFT, upper, MP_OBJ_NEW_SMALL_INT(64));
    return mp_binary_op(MP_BINARY_OP_OR, upper, mp_obj_new_int_from_ull(low));
}

static ffi_conversion_t integer_from_obj(const farcall_value *value, mp_obj_t obj, uint64_t *slots) {
    if (!mp_obj_is_integer(obj)) {
        return FFI_WRONG_KIND;
    }
    uint64_t high;
    if (!ffi_get_ranged(obj, value->width, value->is_signed, &slots[0], &high)) {
        return FFI_OUT_OF_RANGE;
    }
    if (value->width > sizeof(uint64_t)) {
        slots[1] = high;
    }
    return FFI_CONVERTED;
}

static ffi_conversion_t enum_from_obj(const farcall_value *value, const farcall_scope *scope, mp_obj_t obj, uint64_t *slots) {
    if (!mp_obj_is_str(obj)) {
        return integer_from_obj(value, obj, slots);
    }
    size_t len;
    const char *name = mp_obj_str_get_data(obj, &len);
    int64_t number;
    if (!farcall_scope_enumerator(scope, value->type, name, len, &number)) {
        return FFI_NO_CONSTANT;
    }
    slots[0] = (uint64_t)number;
    return FFI_CONVERTED;
}

static ffi_conversion_t bool_from_obj(mp_obj_t obj, uint64_t *slots) {
    if (!mp_obj_is_integer(obj)) {
        return FFI_WRONG_KIND;
    }
    uint64_t high;
    bool fits = ffi_get_ranged(obj, 1, false, &slots[0], &high);
    return fits && slots[0] <= 1 ? FFI_CONVERTED : FFI_OUT_OF_RANGE;
}

// An address is shown with a sign, and may come without one.
static bool is_address(mp_obj_t obj) {
    uint64_t low, high;
    return ffi_get_ranged(obj, sizeof(uint64_t), true, &low, &high) || ffi_get_ranged(obj, sizeof(uint64_t), false, &low, &high);
}

static ffi_conversion_t pointer_from_obj(const farcall_value *value, mp_obj_t obj, uint64_t *slots) {
    if (mp_obj_is_integer(obj) && !is_address(obj)) {
        return FFI_OUT_OF_RANGE;
    }
    if (value->kind == FARCALL_DATA) {
        return ffi_slot_from_obj(FARCALL_POINTER, obj, slots);
    }
    ffi_conversion_t why = ffi_slot_from_address(obj, slots);
    return why == FFI_WRONG_KIND && mp_obj_is_callable(obj) ? FFI_CALLABLE : why;
}

// Does the compiler have a type for a float of this many bytes?
static bool has_float(size_t width) {
    return width == sizeof(float) || width == sizeof(double) || (width == 10 && LDBL_MANT_DIG == 64) || (width == 16 && HAS_QUAD);
}

static void store_float(size_t width, double number, void *to) {
    float narrow = (float)number;
    switch (width) {
        case sizeof(float):
            memcpy(to, &narrow, sizeof(narrow));
            break;
        case sizeof(double):
            memcpy(to, &number, sizeof(number));
            break;
        #if LDBL_MANT_DIG == 64
        case 10: {
            // What is behind its ten bytes means nothing, and is the same each time.
            long double wide = number;
            memset(to, 0, 16);
            memcpy(to, &wide, 10);
            break;
        }
        #endif
        #if HAS_QUAD
        case 16: {
            ffi_quad_t wide = (ffi_quad_t)number;
            memcpy(to, &wide, sizeof(wide));
            break;
        }
        #endif
        default:
            break;
    }
}

#if MICROPY_PY_BUILTINS_FLOAT
static double load_float(size_t width, const void *from) {
    float narrow;
    double number = 0;
    switch (width) {
        case sizeof(float):
            memcpy(&narrow, from, sizeof(narrow));
            return (double)narrow;
        case sizeof(double):
            memcpy(&number, from, sizeof(number));
            return number;
        #if LDBL_MANT_DIG == 64
        case 10: {
            long double wide = 0;
            memcpy(&wide, from, 10);
            return (double)wide;
        }
        #endif
        #if HAS_QUAD
        case 16: {
            ffi_quad_t wide;
            memcpy(&wide, from, sizeof(wide));
            return (double)wide;
        }
        #endif
        default:
            return number;
    }
}
#endif

#if MICROPY_PY_BUILTINS_COMPLEX
// Bytes from one part of a complex number to the other.
static size_t part_size(const farcall_value *value) {
    return value->size / 2;
}
#endif

static ffi_conversion_t complex_from_obj(const farcall_value *value, mp_obj_t obj, uint64_t *slots) {
    #if MICROPY_PY_BUILTINS_COMPLEX
    mp_float_t real, imaginary;
    double number;
    if (mp_obj_is_type(obj, &mp_type_complex)) {
        mp_obj_get_complex(obj, &real, &imaginary);
    } else if (ffi_get_float(obj, &number)) {
        real = (mp_float_t)number;
        imaginary = 0;
    } else {
        return FFI_WRONG_KIND;
    }
    if (!has_float(value->width)) {
        return FFI_WRONG_KIND;
    }
    store_float(value->width, (double)real, slots);
    store_float(value->width, (double)imaginary, (char *)slots + part_size(value));
    return FFI_CONVERTED;
    #else
    (void)value;
    (void)obj;
    (void)slots;
    return FFI_WRONG_KIND;
    #endif
}

static mp_obj_t obj_from_complex(const farcall_value *value, const uint64_t *slots) {
    #if MICROPY_PY_BUILTINS_COMPLEX
    double real = load_float(value->width, slots);
    double imaginary = load_float(value->width, (const char *)slots + part_size(value));
    return mp_obj_new_complex((mp_float_t)real, (mp_float_t)imaginary);
    #else
    (void)value;
    (void)slots;
    mp_raise_TypeError(MP_ERROR_TEXT("this MicroPython has no complex numbers"));
    #endif
}

static ffi_conversion_t bytes_of_struct(const farcall_value *value, const farcall_scope *scope, mp_obj_t obj, const void **bytes) {
    mp_buffer_info_t buffer;
    if (scope != NULL) {
        if (!ffi_struct_bytes(scope, value->type, value->size, obj, bytes)) {
            return mp_get_buffer(obj, &buffer, MP_BUFFER_READ) ? FFI_WRONG_SIZE : FFI_WRONG_KIND;
        }
    } else if (mp_obj_is_str(obj) || !mp_get_buffer(obj, &buffer, MP_BUFFER_READ)) {
        return FFI_WRONG_KIND;
    } else if (buffer.len != value->size) {
        return FFI_WRONG_SIZE;
    } else {
        *bytes = buffer.buf;
    }
    return FFI_CONVERTED;
}

static ffi_conversion_t struct_from_obj(const farcall_value *value, const farcall_scope *scope, mp_obj_t obj, uint64_t *slots) {
    const void *bytes;
    ffi_conversion_t why = bytes_of_struct(value, scope, obj, &bytes);
    if (why == FFI_CONVERTED) {
        memcpy(slots, bytes, value->size);
    }
    return why;
}

const void *ffi_find_bytes(mp_obj_t obj, mp_obj_t func, size_t index) {
    const farcall_signature *signature = ((mp_obj_ffifunc_t *)MP_OBJ_TO_PTR(func))->signature;
    const farcall_value *value = &signature->values[index + 1];
    const farcall_scope *scope = signature->scope;
    const void *bytes = scope == NULL ? NULL : ffi_own_struct_bytes(scope, value->type, obj);
    if (bytes == NULL && bytes_of_struct(value, scope, obj, &bytes) != FFI_CONVERTED) {
        return NULL;
    }
    return bytes;
}

mp_obj_t ffi_new_of_bytes(const void *bytes, mp_obj_t func) {
    const farcall_signature *signature = ((mp_obj_ffifunc_t *)MP_OBJ_TO_PTR(func))->signature;
    return ffi_obj_from_value(&signature->values[0], signature->scope, bytes);
}

ffi_conversion_t ffi_value_from_obj(const farcall_value *value, const farcall_scope *scope, mp_obj_t obj, uint64_t *slots) {
    double number;
    switch (value->kind) {
        case FARCALL_RANGED:
        case FARCALL_WIDE_INT:
            return integer_from_obj(value, obj, slots);
        case FARCALL_ENUM:
            return enum_from_obj(value, scope, obj, slots);
        case FARCALL_BOOL:
            return bool_from_obj(obj, slots);
        case FARCALL_DATA:
        case FARCALL_CODE:
            return pointer_from_obj(value, obj, slots);
        case FARCALL_LONG_DOUBLE:
            if (!has_float(value->width) || !ffi_get_float(obj, &number)) {
                return FFI_WRONG_KIND;
            }
            store_float(value->width, number, slots);
            return FFI_CONVERTED;
        case FARCALL_COMPLEX:
            return complex_from_obj(value, obj, slots);
        case FARCALL_STRUCT:
            return struct_from_obj(value, scope, obj, slots);
        default:
            return ffi_slot_from_obj((farcall_kind)value->kind, obj, slots);
    }
}

mp_obj_t ffi_obj_from_value(const farcall_value *value, const farcall_scope *scope, const uint64_t *slots) {
    switch (value->kind) {
        case FARCALL_WIDE_INT:
            return obj_from_words(slots[0], slots[1], value->is_signed);
        case FARCALL_LONG_DOUBLE:
            #if MICROPY_PY_BUILTINS_FLOAT
            return mp_obj_new_float_from_d(load_float(value->width, slots));
            #else
            return ffi_obj_from_slot(FARCALL_DOUBLE, 0);
            #endif
        case FARCALL_COMPLEX:
            return obj_from_complex(value, slots);
        case FARCALL_STRUCT:
            if (value->has_name) {
                return ffi_new_struct(scope, value->type, slots);
            }
            return mp_obj_new_bytes((const byte *)slots, value->size);
        default:
            return ffi_obj_from_slot((farcall_kind)value->kind, slots[0]);
    }
}

// What such a value may be, in words.
static const char *wanted(const farcall_value *value) {
    switch (value->kind) {
        case FARCALL_RANGED:
        case FARCALL_WIDE_INT:
            return "an int";
        case FARCALL_ENUM:
            return "an int or the name of a constant";
        case FARCALL_BOOL:
            return "a bool, 0 or 1";
        case FARCALL_DATA:
            return "None, an int, a buffer, a str or a callback";
        case FARCALL_CODE:
            return "None, an int, a callback or a function";
        case FARCALL_LONG_DOUBLE:
            return has_float(value->width) ? "a float or an int" : "a float, which this compiler has no type for";
        case FARCALL_COMPLEX:
            return MICROPY_PY_BUILTINS_COMPLEX ? "a complex, a float or an int" : "a complex, but this MicroPython has none";
        case FARCALL_STRUCT:
            return "a uctypes.struct of it, or a buffer";
        default:
            return ffi_kind_wants((farcall_kind)value->kind);
    }
}

static const char *range(const farcall_value *value) {
    static const char *const ranges[][2] = {
        { "0 to 255", "-128 to 127" },
        { "0 to 65535", "-32768 to 32767" },
        { "0 to 4294967295", "-2147483648 to 2147483647" },
        { "0 to 18446744073709551615", "-9223372036854775808 to 9223372036854775807" },
        { "0 to 2**128 - 1", "-2**127 to 2**127 - 1" },
    };
    size_t row = 0;
    switch (value->kind) {
        case FARCALL_BOOL:
            return "0 or 1";
        case FARCALL_DATA:
        case FARCALL_CODE:
            return "64 bits";
        default:
            while ((size_t)1 << row < value->width && row + 1 < MP_ARRAY_SIZE(ranges)) {
                ++row;
            }
            return ranges[row][value->is_signed];
    }
}

// An object as repr() shows it.
static const char *repr(mp_obj_t obj) {
    vstr_t text;
    mp_print_t print;
    vstr_init_print(&text, 16, &print);
    mp_obj_print_helper(&print, obj, PRINT_REPR);
    return vstr_null_terminated_str(&text);
}

FFI_NORETURN void ffi_raise_value(ffi_conversion_t why, const char *where, const char *type, const farcall_value *value,
    mp_obj_t obj) {
    mp_buffer_info_t buffer;
    switch (why) {
        case FFI_CLOSED:
            ffi_raise_conversion(why, where, 'p', "", obj);
        case FFI_OUT_OF_RANGE:
            mp_raise_msg_varg(&mp_type_OverflowError, MP_ERROR_TEXT("%s: expected %s (%s), got %s"), where, type, range(value),
                repr(obj));
        case FFI_NO_CONSTANT:
            mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("%s: expected a constant of %s, got %s"), where, type, repr(obj));
        case FFI_WRONG_SIZE:
            mp_get_buffer_raise(obj, &buffer, MP_BUFFER_READ);
            if (buffer.len != value->size) {
                mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("%s: expected %s (%u bytes), got a buffer of %u"), where, type,
                    (unsigned int)value->size, (unsigned int)buffer.len);
            }
            break;
        default:
            break;
    }
    mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("%s: expected %s (%s), got %s"), where, type, wanted(value),
        mp_obj_get_type_str(obj));
}
