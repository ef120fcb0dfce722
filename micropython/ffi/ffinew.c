// Memory of a C type, with values for its members: t.new().
//
// The memory is the heap's, and the collector looks into it: what a pointer in it points to on the heap stays as long as the memory.

#include <stdio.h>
#include <string.h>

#include "fficdef.h"
#include "py/objstr.h"

// The collector's blocks begin at multiples of this.
#define BLOCK_ALIGNMENT (4 * sizeof(void *))
#define NAME_LEN (256)
#define TYPE_LEN (120)

// What is being filled: for messages.
typedef struct {
    const farcall_scope *scope;
    const char *member; // the outermost member's name; NULL ahead of it
} place_t;

static FFI_NORETURN void raise_value(const place_t *place, const mp_obj_type_t *exception, uint32_t type, const char *got) {
    char shown[TYPE_LEN];
    farcall_scope_show(place->scope, type, shown, sizeof(shown));
    mp_raise_msg_varg(exception, MP_ERROR_TEXT("member %s: expected '%s', got %s"), place->member, shown, got);
}

static FFI_NORETURN void raise_type(const place_t *place, uint32_t type, mp_obj_t value) {
    raise_value(place, &mp_type_TypeError, type, mp_obj_get_type_str(value));
}

static FFI_NORETURN void raise_range(const place_t *place, uint32_t type) {
    raise_value(place, &mp_type_OverflowError, type, "an int out of its range");
}

static bool fits(uint64_t word, unsigned int bits, bool is_signed) {
    unsigned int spare = 64 - bits;
    return (is_signed ? (uint64_t)((int64_t)(word << spare) >> spare) : word << spare >> spare) == word;
}

// An integer's 64 bits. Which of them it may have depends on how many bits there are, and whether one of them is a sign.
static uint64_t get_integer(const place_t *place, uint32_t type, const farcall_shape *shape, unsigned int bits, mp_obj_t value) {
    bool is_signed = (shape->scalar & 1) != 0;
    uint64_t word, high;
    if (shape->is_enum && mp_obj_is_str(value)) {
        size_t len;
        const char *name = mp_obj_str_get_data(value, &len);
        int64_t number;
        if (!farcall_scope_enumerator(place->scope, type, name, len, &number)) {
            raise_value(place, &mp_type_ValueError, type, "a name that is none of its constants");
        }
        word = (uint64_t)number;
    } else if (shape->is_pointer) {
        if (ffi_slot_from_obj(FARCALL_POINTER, value, &word) != FFI_CONVERTED) {
            raise_type(place, type, value);
        }
    } else if (!mp_obj_is_integer(value)) {
        raise_type(place, type, value);
    } else if (!ffi_get_ranged(value, shape->size, is_signed, &word, &high)) {
        raise_range(place, type);
    }
    if (!fits(word, bits, is_signed)) {
        raise_range(place, type);
    }
    return word;
}

static void store_bits(byte *memory, unsigned int first, unsigned int bits, uint64_t value) {
    for (unsigned int bit = 0; bit < bits; ++bit) {
        byte mask = (byte)(1u << (first + bit) % 8);
        byte *where = &memory[(first + bit) / 8];
        *where = (byte)((value >> bit & 1) != 0 ? *where | mask : *where & ~mask);
    }
}

static void store_scalar(const place_t *place, uint32_t type, const farcall_shape *shape, byte *memory, mp_obj_t value) {
    if (shape->scalar >= 14) { // FLOAT32, FLOAT64
        #if MICROPY_PY_BUILTINS_FLOAT
        mp_float_t number;
        if (!mp_obj_get_float_maybe(value, &number)) {
            raise_type(place, type, value);
        }
        float single = (float)number;
        double both = (double)number;
        memcpy(memory, shape->size == sizeof(float) ? (const void *)&single : (const void *)&both, shape->size);
        #else
        raise_type(place, type, value);
        #endif
        return;
    }
    unsigned int bits = shape->is_bool ? 1 : (unsigned int)shape->size * 8;
    uint64_t slot = get_integer(place, type, shape, bits, value);
    memcpy(memory, &slot, shape->size); // both are little-endian
}

static void store(const place_t *place, uint32_t type, byte *memory, mp_obj_t value);

static void store_array(const place_t *place, uint32_t type, const farcall_shape *shape, byte *memory, mp_obj_t value) {
    mp_buffer_info_t buffer;
    if (mp_get_buffer(value, &buffer, MP_BUFFER_READ)) {
        if (buffer.len > shape->size) {
            raise_value(place, &mp_type_ValueError, type, "more bytes");
        }
        memcpy(memory, buffer.buf, buffer.len);
        return;
    }
    if (!mp_obj_is_type(value, &mp_type_tuple) && !mp_obj_is_type(value, &mp_type_list)) {
        raise_type(place, type, value);
    }
    size_t len;
    mp_obj_t *items;
    mp_obj_get_array(value, &len, &items);
    if (len > shape->count) {
        raise_value(place, &mp_type_ValueError, type, "more elements");
    }
    for (size_t i = 0; i < len; ++i) {
        store(place, shape->element, memory + i * (shape->size / shape->count), items[i]);
    }
}

static void store_members(const place_t *place, uint32_t type, byte *memory, mp_map_t *members);

static void store(const place_t *place, uint32_t type, byte *memory, mp_obj_t value) {
    farcall_shape shape;
    farcall_scope_shape(place->scope, type, &shape);
    if (shape.sort == FARCALL_SCALAR) {
        store_scalar(place, type, &shape, memory, value);
    } else if (shape.sort == FARCALL_ARRAY) {
        store_array(place, type, &shape, memory, value);
    } else if (shape.sort == FARCALL_RECORD && mp_obj_is_type(value, &mp_type_dict)) {
        store_members(place, shape.type, memory, mp_obj_dict_get_map(value));
    } else {
        const void *bytes;
        if (!ffi_struct_bytes(place->scope, type, shape.size, value, &bytes)) {
            raise_type(place, type, value);
        }
        memcpy(memory, bytes, shape.size);
    }
}

// The member of that name, be it an anonymous structure's.
static bool find_member(const farcall_scope *scope, uint32_t type, const char *name, size_t len, farcall_member *found) {
    ffi_check_stack(ffi_state(), 0);
    char other[NAME_LEN];
    for (uint64_t index = 0; farcall_scope_member(scope, type, index, found, other, sizeof(other)); ++index) {
        if (found->name_len == len && len <= sizeof(other) && memcmp(other, name, len) == 0) {
            return true;
        }
        uint64_t start = found->offset;
        if (found->name_len == 0 && find_member(scope, found->type, name, len, found)) {
            found->offset += start;
            return true;
        }
    }
    return false;
}

static void store_members(const place_t *place, uint32_t type, byte *memory, mp_map_t *members) {
    ffi_check_stack(ffi_state(), 0);
    for (size_t i = 0; i < members->alloc; ++i) {
        if (!mp_map_slot_is_filled(members, i)) {
            continue;
        }
        size_t len;
        const char *name = mp_obj_str_get_data(members->table[i].key, &len);
        place_t inner = { place->scope, place->member != NULL ? place->member : name };
        farcall_member member;
        if (len == 0 || !find_member(place->scope, type, name, len, &member)) {
            char shown[TYPE_LEN];
            farcall_scope_show(place->scope, type, shown, sizeof(shown));
            mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("%s has no member '%s'"), shown, name);
        }
        byte *where = memory + member.offset;
        if (member.bits == 0) {
            store(&inner, member.type, where, members->table[i].value);
        } else {
            farcall_shape shape;
            farcall_scope_shape(place->scope, member.type, &shape);
            uint64_t value = get_integer(&inner, member.type, &shape, member.bits, members->table[i].value);
            store_bits(where, member.first_bit, member.bits, value);
        }
    }
}

mp_obj_t ffi_new_memory(const farcall_scope *scope, uint32_t type, mp_map_t *members) {
    farcall_shape shape;
    farcall_scope_shape(scope, type, &shape);
    if (shape.align > BLOCK_ALIGNMENT) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("new: expected a type aligned to at most %u bytes, got one aligned to %u"),
            (unsigned int)BLOCK_ALIGNMENT, (unsigned int)shape.align);
    }
    // A byte more is cheap, and has an array without elements be at an address of its own.
    byte *memory = m_new0(byte, shape.size + 1);
    place_t place = { scope, NULL };
    if (members->used > 0) {
        store_members(&place, shape.type, memory, members);
    }
    return ffi_struct_at(scope, type, memory);
}
