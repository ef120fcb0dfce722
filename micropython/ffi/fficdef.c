// Namespaces of C declarations: ffi.cdef(), and what the module's functions find in them.

#include "fficdef.h"
#include "py/objstr.h"

static mp_obj_t scope_del(mp_obj_t self_in) {
    ffi_scope_t *self = MP_OBJ_TO_PTR(self_in);
    const farcall_scope *scope = self->scope;
    if (scope != NULL) {
        self->scope = NULL;
        ffi_hold_interrupts();
        farcall_scope_set_object(scope, self, NULL);
        farcall_scope_release(scope);
        ffi_let_interrupts();
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(scope_del_obj, scope_del);

static const mp_rom_map_elem_t scope_locals_dict_table[] = {
    { MP_ROM_QSTR(MP_QSTR___del__), MP_ROM_PTR(&scope_del_obj) },
};
static MP_DEFINE_CONST_DICT(scope_locals_dict, scope_locals_dict_table);

MP_DEFINE_CONST_OBJ_TYPE(
    ffi_scope_type,
    MP_QSTR_ffiscope,
    MP_TYPE_FLAG_NONE,
    locals_dict, &scope_locals_dict
    );

// Made before the namespace is, so that running out of memory loses nothing.
static ffi_scope_t *new_scope(void) {
    ffi_scope_t *self = mp_obj_malloc_with_finaliser(ffi_scope_t, &ffi_scope_type);
    self->scope = NULL;
    for (size_t i = 0; i < FFI_LAYOUT_BUCKETS; ++i) {
        self->layouts[i] = NULL;
    }
    return self;
}

ffi_scope_t *ffi_scope_of(const farcall_scope *scope) {
    ffi_scope_t *object = farcall_scope_object(scope);
    if (object == NULL) {
        object = new_scope();
        ffi_hold_interrupts();
        farcall_scope_retain(scope);
        object->scope = scope;
        farcall_scope_set_object(scope, NULL, object);
        ffi_let_interrupts();
    }
    return object;
}

const char *ffi_get_text(mp_obj_t text, const char *what, size_t *len) {
    if (!mp_obj_is_str_or_bytes(text)) {
        mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("%s: expected a str, got %s"), what, mp_obj_get_type_str(text));
    }
    return mp_obj_str_get_data(text, len);
}

static mp_obj_t ffi_cdef(mp_obj_t text_in) {
    size_t len;
    const char *text = ffi_get_text(text_in, "declarations", &len);
    ffi_scope_t *names = new_scope();
    mp_obj_fficdef_t *self = mp_obj_malloc(mp_obj_fficdef_t, &fficdef_type);
    self->names = names;
    const farcall_scope *scope;
    farcall_error error;
    ffi_hold_interrupts();
    farcall_status status = farcall_scope_new(text, len, &scope, &error);
    if (status == FARCALL_OK) {
        names->scope = scope;
        farcall_scope_set_object(scope, NULL, names);
    }
    ffi_let_interrupts();
    if (status != FARCALL_OK) {
        ffi_raise(status, &error);
    }
    return MP_OBJ_FROM_PTR(self);
}
MP_DEFINE_CONST_FUN_OBJ_1(ffi_cdef_obj, ffi_cdef);

static mp_obj_t cdef_cdef(mp_obj_t self_in, mp_obj_t text_in) {
    mp_obj_fficdef_t *self = MP_OBJ_TO_PTR(self_in);
    size_t len;
    const char *text = ffi_get_text(text_in, "declarations", &len);
    farcall_error error;
    ffi_hold_interrupts();
    farcall_status status = farcall_scope_read(self->names->scope, text, len, &error);
    ffi_let_interrupts();
    if (status != FARCALL_OK) {
        ffi_raise(status, &error);
    }
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(cdef_cdef_obj, cdef_cdef);

// Without a namespace, the newest that knows the type.
static farcall_size size_of(const farcall_scope *scope, mp_obj_t text_in) {
    size_t len;
    const char *text = ffi_get_text(text_in, "type", &len);
    farcall_size size;
    farcall_error error;
    ffi_hold_interrupts();
    farcall_status status = farcall_scope_size(scope, text, len, &size, &error);
    ffi_let_interrupts();
    if (status != FARCALL_OK) {
        ffi_raise(status, &error);
    }
    return size;
}

static const farcall_scope *scope_of_self(mp_obj_t self_in) {
    return ((mp_obj_fficdef_t *)MP_OBJ_TO_PTR(self_in))->names->scope;
}

static mp_obj_t cdef_sizeof(mp_obj_t self_in, mp_obj_t text) {
    return mp_obj_new_int_from_ull(size_of(scope_of_self(self_in), text).size);
}
static MP_DEFINE_CONST_FUN_OBJ_2(cdef_sizeof_obj, cdef_sizeof);

static mp_obj_t cdef_alignof(mp_obj_t self_in, mp_obj_t text) {
    return mp_obj_new_int_from_ull(size_of(scope_of_self(self_in), text).align);
}
static MP_DEFINE_CONST_FUN_OBJ_2(cdef_alignof_obj, cdef_alignof);

static mp_obj_t ffi_sizeof(mp_obj_t text) {
    return mp_obj_new_int_from_ull(size_of(NULL, text).size);
}
MP_DEFINE_CONST_FUN_OBJ_1(ffi_sizeof_obj, ffi_sizeof);

static mp_obj_t ffi_alignof(mp_obj_t text) {
    return mp_obj_new_int_from_ull(size_of(NULL, text).align);
}
MP_DEFINE_CONST_FUN_OBJ_1(ffi_alignof_obj, ffi_alignof);

// A type by its text, and the namespace that it is of, whose object keeps the reference.
static ffi_scope_t *find_type(const farcall_scope *scope, mp_obj_t text_in, uint32_t *type) {
    size_t len;
    const char *text = ffi_get_text(text_in, "type", &len);
    const farcall_scope *owner;
    farcall_error error;
    ffi_scope_t *names = scope != NULL ? ffi_scope_of(scope) : new_scope();
    ffi_hold_interrupts();
    farcall_status status = farcall_scope_type(scope, text, len, &owner, type, &error);
    if (status == FARCALL_OK && scope != NULL) {
        farcall_scope_release(owner);
    } else if (status == FARCALL_OK) {
        names->scope = owner;
        farcall_scope_set_object(owner, NULL, names);
    }
    ffi_let_interrupts();
    if (status != FARCALL_OK) {
        ffi_raise(status, &error);
    }
    return names;
}

static mp_obj_t cdef_layout(mp_obj_t self_in, mp_obj_t text) {
    uint32_t type;
    ffi_scope_t *names = find_type(scope_of_self(self_in), text, &type);
    return ffi_layout_of(names->scope, type);
}
static MP_DEFINE_CONST_FUN_OBJ_2(cdef_layout_obj, cdef_layout);

static mp_obj_t ffi_layout(mp_obj_t text) {
    uint32_t type;
    ffi_scope_t *names = find_type(NULL, text, &type);
    return ffi_layout_of(names->scope, type);
}
MP_DEFINE_CONST_FUN_OBJ_1(ffi_layout_obj, ffi_layout);

static mp_obj_t cdef_new(size_t n_args, const mp_obj_t *args, mp_map_t *members) {
    if (n_args > 2) {
        mp_raise_TypeError(MP_ERROR_TEXT("new() takes a type, and members by their names"));
    }
    uint32_t type;
    ffi_scope_t *names = find_type(scope_of_self(args[0]), args[1], &type);
    return ffi_new_memory(names->scope, type, members);
}
static MP_DEFINE_CONST_FUN_OBJ_KW(cdef_new_obj, 2, cdef_new);

static mp_obj_t cdef_func(mp_obj_t self_in, mp_obj_t text, mp_obj_t address) {
    return ffi_new_declared_func(scope_of_self(self_in), text, ffi_get_function_address(address), &ffi_no_module);
}
static MP_DEFINE_CONST_FUN_OBJ_3(cdef_func_obj, cdef_func);

static mp_obj_t cdef_callback(size_t n_args, const mp_obj_t *pos_args, mp_map_t *kw_args) {
    enum { ARG_lock };
    static const mp_arg_t allowed_args[] = {
        { MP_QSTR_lock, MP_ARG_KW_ONLY | MP_ARG_BOOL, { .u_bool = false } },
    };
    mp_arg_val_t args[MP_ARRAY_SIZE(allowed_args)];
    mp_arg_parse_all(n_args - 3, pos_args + 3, kw_args, MP_ARRAY_SIZE(allowed_args), allowed_args, args);
    return ffi_new_declared_callback(scope_of_self(pos_args[0]), pos_args[1], pos_args[2], args[ARG_lock].u_bool);
}
static MP_DEFINE_CONST_FUN_OBJ_KW(cdef_callback_obj, 3, cdef_callback);

static mp_obj_t integer(const farcall_named *named) {
    if ((int64_t)named->high == (int64_t)named->low >> 63) {
        return mp_obj_new_int_from_ll((int64_t)named->low);
    }
    mp_obj_t low = mp_obj_new_int_from_ull(named->low);
    if (named->high == 0) {
        return low;
    }
    mp_obj_t high = mp_binary_op(MP_BINARY_OP_LSHIFT, mp_obj_new_int_from_ll((int64_t)named->high), MP_OBJ_NEW_SMALL_INT(64));
    return mp_binary_op(MP_BINARY_OP_OR, high, low);
}

// Constants. A name that is a method's as well stays the method's.
static void cdef_attr(mp_obj_t self_in, qstr name, mp_obj_t *dest) {
    if (dest[0] != MP_OBJ_NULL) {
        return;
    }
    const mp_map_t *methods = &MP_OBJ_TYPE_GET_SLOT(&fficdef_type, locals_dict)->map;
    dest[1] = MP_OBJ_SENTINEL;
    if (mp_map_lookup((mp_map_t *)methods, MP_OBJ_NEW_QSTR(name), MP_MAP_LOOKUP) != NULL) {
        return;
    }
    size_t len;
    const char *text = (const char *)qstr_data(name, &len);
    farcall_named named;
    if (!farcall_scope_find(scope_of_self(self_in), text, len, &named)) {
        return;
    }
    switch (named.meaning) {
        case FARCALL_INTEGER:
            dest[0] = integer(&named);
            break;
        case FARCALL_REAL:
            #if MICROPY_PY_BUILTINS_FLOAT
            dest[0] = mp_obj_new_float_from_d(named.real);
            #endif
            break;
        case FARCALL_TEXT:
            dest[0] = mp_obj_new_bytes((const byte *)named.text, named.len);
            break;
        default:
            break;
    }
    if (dest[0] != MP_OBJ_NULL) {
        dest[1] = MP_OBJ_NULL;
    }
}

static void cdef_print(const mp_print_t *print, mp_obj_t self_in, mp_print_kind_t kind) {
    (void)kind;
    size_t counts[4];
    farcall_scope_counts(scope_of_self(self_in), counts);
    mp_printf(print, "<fficdef functions: %u, variables: %u, constants: %u, types: %u>", (unsigned int)counts[0],
        (unsigned int)counts[1], (unsigned int)counts[2], (unsigned int)counts[3]);
}

static const mp_rom_map_elem_t cdef_locals_dict_table[] = {
    { MP_ROM_QSTR(MP_QSTR_cdef), MP_ROM_PTR(&cdef_cdef_obj) },
    { MP_ROM_QSTR(MP_QSTR_func), MP_ROM_PTR(&cdef_func_obj) },
    { MP_ROM_QSTR(MP_QSTR_callback), MP_ROM_PTR(&cdef_callback_obj) },
    { MP_ROM_QSTR(MP_QSTR_sizeof), MP_ROM_PTR(&cdef_sizeof_obj) },
    { MP_ROM_QSTR(MP_QSTR_alignof), MP_ROM_PTR(&cdef_alignof_obj) },
    { MP_ROM_QSTR(MP_QSTR_layout), MP_ROM_PTR(&cdef_layout_obj) },
    { MP_ROM_QSTR(MP_QSTR_new), MP_ROM_PTR(&cdef_new_obj) },
};
static MP_DEFINE_CONST_DICT(cdef_locals_dict, cdef_locals_dict_table);

MP_DEFINE_CONST_OBJ_TYPE(
    fficdef_type,
    MP_QSTR_fficdef,
    MP_TYPE_FLAG_NONE,
    print, cdef_print,
    attr, cdef_attr,
    locals_dict, &cdef_locals_dict
    );
