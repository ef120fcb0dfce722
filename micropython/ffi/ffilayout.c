// C types as uctypes has them.
//
// Descriptors say where everything lies by its offset, so they mean the same under each of uctypes' layout types. Structures are made
// as LITTLE_ENDIAN, which lets members lie anywhere. uctypes reckons the size of a structure from its members; where it would come
// to less than C has, a member with an empty name fills it up.

#include <string.h>

#include "fficdef.h"
#include "py/objtuple.h"

#if MICROPY_PY_UCTYPES

// uctypes' own encoding: the type in the topmost of 31 bits, then what the type needs.
#define VALUE_TYPE(type) ((mp_int_t)(int32_t)((uint32_t)(type) << 28) >> 1)
#define AGGREGATE_TYPE(type) ((mp_int_t)(int32_t)((uint32_t)(type) << 30) >> 1)
enum { UCTYPES_UINT8 = 0, UCTYPES_BFUINT8 = 8, UCTYPES_BFUINT16 = 10, UCTYPES_BFUINT32 = 12, UCTYPES_FLOAT32 = 14 };
enum { UCTYPES_STRUCT = 0, UCTYPES_ARRAY = 2 };
#define BIT_FIELD_POSITION (17)
#define BIT_FIELD_LENGTH (22)
#define MOST_BITS (31)
#define MOST_BIT_FIELD_OFFSET (1u << 17)
#define MOST_BYTES (1u << 27)

#define NAME_LEN (256)

extern const mp_obj_module_t mp_module_uctypes;

// How each of uctypes' structures begins.
typedef struct _uctypes_struct_t {
    mp_obj_base_t base;
    mp_obj_t descriptor;
    void *memory;
} uctypes_struct_t;

static const mp_obj_type_t *uctypes_struct(void) {
    static const mp_obj_type_t *volatile known = NULL;
    const mp_obj_type_t *type = known;
    if (MP_UNLIKELY(type == NULL)) {
        mp_map_t *globals = (mp_map_t *)&mp_module_uctypes.globals->map;
        mp_map_elem_t *element = mp_map_lookup(globals, MP_OBJ_NEW_QSTR(MP_QSTR_struct), MP_MAP_LOOKUP);
        type = MP_OBJ_TO_PTR(element->value);
        known = type;
    }
    return type;
}

static mp_obj_t small_int(mp_int_t value) {
    return MP_OBJ_NEW_SMALL_INT(value);
}

static mp_obj_t aggregate(mp_int_t type, uint64_t offset, mp_obj_t second, mp_obj_t third) {
    mp_obj_t items[3] = { small_int(AGGREGATE_TYPE(type) | (mp_int_t)offset), second, third };
    return mp_obj_new_tuple(third == MP_OBJ_NULL ? 2 : 3, items);
}

static mp_obj_t array_of_scalars(uint64_t offset, uint8_t scalar, uint64_t count) {
    return aggregate(UCTYPES_ARRAY, offset, small_int(VALUE_TYPE(scalar) | (mp_int_t)count), MP_OBJ_NULL);
}

static bool is_scalar(const farcall_shape *shape) {
    #if !MICROPY_PY_BUILTINS_FLOAT
    if (shape->scalar >= UCTYPES_FLOAT32) {
        return false;
    }
    #endif
    return shape->sort == FARCALL_SCALAR;
}

static const ffi_layout_t *get_layout(ffi_scope_t *names, uint32_t type);

// What stands for something of a type at an offset.
static mp_obj_t describe(ffi_scope_t *names, uint32_t type, uint64_t offset) {
    ffi_check_stack(ffi_state(), 0);
    farcall_shape shape;
    farcall_scope_shape(names->scope, type, &shape);
    if (is_scalar(&shape)) {
        return small_int(VALUE_TYPE(shape.scalar) | (mp_int_t)offset);
    }
    if (shape.sort == FARCALL_RECORD) {
        return aggregate(UCTYPES_STRUCT, offset, get_layout(names, shape.type)->descriptor, MP_OBJ_NULL);
    }
    if (shape.sort != FARCALL_ARRAY) {
        return array_of_scalars(offset, UCTYPES_UINT8, shape.size);
    }
    farcall_shape element;
    farcall_scope_shape(names->scope, shape.element, &element);
    if (is_scalar(&element)) {
        return array_of_scalars(offset, element.is_char ? UCTYPES_UINT8 : element.scalar, shape.count);
    }
    mp_obj_t inner = element.sort == FARCALL_RECORD ? get_layout(names, element.type)->descriptor
        : describe(names, shape.element, 0);
    return aggregate(UCTYPES_ARRAY, offset, small_int((mp_int_t)shape.count), inner);
}

// A structure's descriptor, while it is being made.
typedef struct {
    ffi_scope_t *names;
    mp_obj_t descriptor;
    uint64_t size;
    uint64_t reach; // how many bytes uctypes takes it to have
} builder_t;

static void add(builder_t *builder, const char *name, size_t len, mp_obj_t what, uint64_t end) {
    mp_obj_dict_store(builder->descriptor, MP_OBJ_NEW_QSTR(qstr_from_strn(name, len)), what);
    if (end > builder->reach) {
        builder->reach = end;
    }
}

// uctypes has bit-fields within units of 1, 2 and 4 bytes, and takes all of them for unsigned. One that is whole bytes may be a
// number like any other.
static void add_bits(builder_t *builder, const char *name, const farcall_member *member, const farcall_shape *shape,
    uint64_t offset) {
    unsigned int first = member->first_bit;
    unsigned int bits = member->bits;
    if (first == 0 && (bits == 8 || bits == 16 || bits == 32 || bits == 64) && shape->sort == FARCALL_SCALAR) {
        unsigned int scalar = (unsigned int)(__builtin_ctz(bits) - 3) << 1 | (shape->scalar & 1);
        add(builder, name, member->name_len, small_int(VALUE_TYPE(scalar) | (mp_int_t)offset), offset + bits / 8);
        return;
    }
    unsigned int type = first + bits <= 8 ? UCTYPES_BFUINT8 : first + bits <= 16 ? UCTYPES_BFUINT16 : UCTYPES_BFUINT32;
    unsigned int unit = 1u << ((type - UCTYPES_BFUINT8) / 2);
    // The unit must not reach beyond the structure.
    while (offset + unit > builder->size && offset > 0) {
        offset -= 1;
        first += 8;
    }
    if (first + bits > unit * 8 || bits > MOST_BITS || offset + unit > builder->size || offset >= MOST_BIT_FIELD_OFFSET) {
        return;
    }
    mp_int_t where = (mp_int_t)offset | (mp_int_t)first << BIT_FIELD_POSITION | (mp_int_t)bits << BIT_FIELD_LENGTH;
    add(builder, name, member->name_len, small_int(VALUE_TYPE(type) | where), offset + unit);
}

static void add_members(builder_t *builder, uint32_t type, uint64_t start) {
    ffi_check_stack(ffi_state(), 0);
    char name[NAME_LEN];
    farcall_member member;
    for (uint64_t index = 0;
         farcall_scope_member(builder->names->scope, type, index, &member, name, sizeof(name)); ++index) {
        farcall_shape shape;
        farcall_scope_shape(builder->names->scope, member.type, &shape);
        uint64_t offset = start + member.offset;
        if (member.name_len > sizeof(name)) {
            mp_raise_ValueError(MP_ERROR_TEXT("name of a member is too long"));
        } else if (member.name_len == 0) {
            add_members(builder, shape.type, offset);
        } else if (member.bits != 0) {
            add_bits(builder, name, &member, &shape, offset);
        } else {
            add(builder, name, member.name_len, describe(builder->names, member.type, offset), offset + shape.size);
        }
    }
}

static mp_obj_t describe_record(ffi_scope_t *names, const farcall_shape *shape) {
    builder_t builder = { names, mp_obj_new_dict(shape->count), shape->size, 0 };
    add_members(&builder, shape->type, 0);
    if (builder.reach < shape->size) {
        add(&builder, "", 0, array_of_scalars(0, UCTYPES_UINT8, shape->size), shape->size);
    }
    return builder.descriptor;
}

static const ffi_layout_t *find_layout(const ffi_scope_t *names, uint32_t type) {
    const ffi_layout_t *layout = __atomic_load_n(&names->layouts[type % FFI_LAYOUT_BUCKETS], __ATOMIC_ACQUIRE);
    while (layout != NULL && layout->type != type) {
        layout = layout->next;
    }
    return layout;
}

// Threads that come here at the same time may each make one. None of them is wrong.
static const ffi_layout_t *keep_layout(ffi_scope_t *names, uint32_t type, uint64_t size, mp_obj_t descriptor) {
    ffi_layout_t *layout = m_new_obj(ffi_layout_t);
    layout->descriptor = descriptor;
    layout->size = size;
    layout->type = type;
    ffi_layout_t *volatile *bucket = &names->layouts[type % FFI_LAYOUT_BUCKETS];
    layout->next = *bucket;
    __atomic_store_n(bucket, layout, __ATOMIC_RELEASE);
    return layout;
}

static const ffi_layout_t *get_layout(ffi_scope_t *names, uint32_t type) {
    const ffi_layout_t *layout = find_layout(names, type);
    if (layout != NULL) {
        return layout;
    }
    farcall_shape shape;
    farcall_scope_shape(names->scope, type, &shape);
    if (shape.size >= MOST_BYTES) {
        mp_raise_ValueError(MP_ERROR_TEXT("layout: expected a type of less than 128 MiB, got a larger one"));
    }
    // Names of a type share its descriptor.
    if (shape.type != type) {
        layout = get_layout(names, shape.type);
        return keep_layout(names, type, layout->size, layout->descriptor);
    }
    mp_obj_t descriptor = shape.sort == FARCALL_RECORD ? describe_record(names, &shape) : describe(names, type, 0);
    return keep_layout(names, type, shape.size, descriptor);
}

mp_obj_t ffi_layout_of(const farcall_scope *scope, uint32_t type) {
    return get_layout(ffi_scope_of(scope), type)->descriptor;
}

mp_obj_t ffi_struct_at(const farcall_scope *scope, uint32_t type, void *memory) {
    mp_obj_t args[3] = {
        mp_obj_new_int_from_uint((uintptr_t)memory),
        ffi_layout_of(scope, type),
        small_int(0), // LITTLE_ENDIAN
    };
    // Any other type is an array of one.
    if (mp_obj_is_small_int(args[1])) {
        args[1] = aggregate(UCTYPES_ARRAY, 0, small_int(MP_OBJ_SMALL_INT_VALUE(args[1]) | 1), MP_OBJ_NULL);
    }
    return MP_OBJ_TYPE_GET_SLOT(uctypes_struct(), make_new)(uctypes_struct(), 3, 0, args);
}

mp_obj_t ffi_new_struct(const farcall_scope *scope, uint32_t type, const void *bytes) {
    uint64_t size = get_layout(ffi_scope_of(scope), type)->size;
    byte *memory = m_new0(byte, size == 0 ? 1 : size);
    if (bytes != NULL) {
        memcpy(memory, bytes, size);
    }
    return ffi_struct_at(scope, type, memory);
}

// A structure whose descriptor is the type's own. Under the layout type NATIVE uctypes may take it for larger than C does.
static bool has_descriptor(const farcall_scope *scope, uint32_t type, mp_obj_t obj) {
    if (!mp_obj_is_type(obj, uctypes_struct())) {
        return false;
    }
    const ffi_layout_t *layout = find_layout(ffi_scope_of(scope), type);
    return layout != NULL && layout->descriptor == ((uctypes_struct_t *)MP_OBJ_TO_PTR(obj))->descriptor;
}

const void *ffi_own_struct_bytes(const farcall_scope *scope, uint32_t type, mp_obj_t obj) {
    if (!mp_obj_is_type(obj, uctypes_struct())) {
        return NULL;
    }
    const ffi_scope_t *names = farcall_scope_object(scope);
    const ffi_layout_t *layout = names == NULL ? NULL : find_layout(names, type);
    const uctypes_struct_t *self = MP_OBJ_TO_PTR(obj);
    return layout != NULL && layout->descriptor == self->descriptor ? self->memory : NULL;
}

#else // !MICROPY_PY_UCTYPES

const void *ffi_own_struct_bytes(const farcall_scope *scope, uint32_t type, mp_obj_t obj) {
    (void)scope;
    (void)type;
    (void)obj;
    return NULL;
}

mp_obj_t ffi_layout_of(const farcall_scope *scope, uint32_t type) {
    (void)scope;
    (void)type;
    mp_raise_msg(&mp_type_NotImplementedError, MP_ERROR_TEXT("this MicroPython has no uctypes"));
}

mp_obj_t ffi_struct_at(const farcall_scope *scope, uint32_t type, void *memory) {
    farcall_shape shape;
    farcall_scope_shape(scope, type, &shape);
    return mp_obj_new_bytes(memory, shape.size);
}

mp_obj_t ffi_new_struct(const farcall_scope *scope, uint32_t type, const void *bytes) {
    farcall_shape shape;
    farcall_scope_shape(scope, type, &shape);
    return ffi_struct_at(scope, type, bytes != NULL ? (void *)bytes : m_new0(byte, shape.size + 1));
}

static bool has_descriptor(const farcall_scope *scope, uint32_t type, mp_obj_t obj) {
    (void)scope;
    (void)type;
    (void)obj;
    return false;
}

#endif // MICROPY_PY_UCTYPES

bool ffi_struct_bytes(const farcall_scope *scope, uint32_t type, size_t size, mp_obj_t obj, const void **bytes) {
    mp_buffer_info_t buffer;
    if (mp_obj_is_str(obj) || !mp_get_buffer(obj, &buffer, MP_BUFFER_READ)) {
        return false;
    }
    *bytes = buffer.buf;
    return buffer.len == size || (buffer.len > size && has_descriptor(scope, type, obj));
}
