// A loaded library.
//
// It stays loaded until it is closed, even when nothing in Python refers to it any more: C may still hold pointers
// into it. That is why there is no finaliser.

#include "fficdef.h"
#include "py/mphal.h"
#include "py/objstr.h"

const mp_obj_ffimod_t ffi_no_module = {
    .base = { &ffimod_type },
    .library = (farcall_library *)&ffi_no_module,
    .path = MP_ROM_NONE,
};

// The port's own module ignores the flags, so 0 and None are the usual ones.
mp_obj_t ffi_new_library(size_t n_args, const mp_obj_t *args) {
    mp_obj_t path = args[0];
    bool has_names = n_args > 1 && mp_obj_is_type(args[1], &fficdef_type);
    if (n_args == 3 && !has_names) {
        mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("names of a library: expected what ffi.cdef() gives, got %s"),
            mp_obj_get_type_str(args[1]));
    }
    mp_obj_t flags_in = n_args > 1u + has_names ? args[1 + has_names] : mp_const_none;
    const char *c_path = NULL;
    if (mp_obj_is_str_or_bytes(path)) {
        c_path = ffi_get_c_string(path);
    } else if (path != mp_const_none) {
        mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("library: expected a str, bytes or None, got %s"),
            mp_obj_get_type_str(path));
    }
    int flags = flags_in == mp_const_none ? 0 : (int)mp_obj_get_int(flags_in);

    mp_obj_ffimod_t *module = mp_obj_malloc(mp_obj_ffimod_t, &ffimod_type);
    module->library = NULL;
    module->path = path;
    module->names = NULL;
    module->declared = MP_OBJ_NULL;
    if (has_names) {
        module->names = ((mp_obj_fficdef_t *)MP_OBJ_TO_PTR(args[1]))->names;
        module->declared = mp_obj_new_dict(0);
    }
    farcall_library *library;
    farcall_error error;
    ffi_hold_interrupts();
    farcall_status status = farcall_library_open(c_path, flags, &library, &error);
    if (status == FARCALL_OK) {
        module->library = library;
    }
    ffi_let_interrupts();
    if (status != FARCALL_OK) {
        ffi_raise(status, &error);
    }
    return MP_OBJ_FROM_PTR(module);
}

static mp_obj_t ffimod_make_new(const mp_obj_type_t *type, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    (void)type;
    mp_arg_check_num(n_args, n_kw, 1, 3, false);
    return ffi_new_library(n_args, args);
}

void *ffi_find_symbol(const mp_obj_ffimod_t *self, mp_obj_t name) {
    const char *c_name = ffi_get_c_string(name);
    farcall_library *library = self->library;
    if (library == NULL) {
        ffi_raise_closed_library(name, self);
    }
    void *address;
    farcall_error error;
    ffi_hold_interrupts();
    farcall_status status = farcall_library_symbol(library, c_name, &address, &error);
    ffi_let_interrupts();
    if (status != FARCALL_OK) {
        ffi_raise(status, &error);
    }
    return address;
}

static void ffimod_print(const mp_print_t *print, mp_obj_t self_in, mp_print_kind_t kind) {
    (void)kind;
    mp_obj_ffimod_t *self = MP_OBJ_TO_PTR(self_in);
    if (self->path == mp_const_none) {
        mp_print_str(print, "<ffimod None");
    } else {
        mp_printf(print, "<ffimod \"%s\"", ffi_path(self));
    }
    farcall_library *library = self->library;
    if (library == NULL) {
        mp_print_str(print, " closed>");
        return;
    }
    mp_print_str(print, " at ");
    ffi_print_address(print, farcall_library_handle(library));
    mp_print_str(print, ">");
}

// The namespace that texts of C are read in; NULL is the newest one in which they make sense.
static const farcall_scope *scope_of(const mp_obj_ffimod_t *self) {
    return self->names == NULL ? NULL : self->names->scope;
}

static mp_obj_t ffimod_func(size_t n_args, const mp_obj_t *args) {
    mp_obj_ffimod_t *self = MP_OBJ_TO_PTR(args[0]);
    if (n_args == 2) {
        return ffi_new_declared_func(scope_of(self), args[1], NULL, self);
    }
    if (n_args == 3) {
        mp_raise_TypeError(MP_ERROR_TEXT("func() takes a prototype, or a result, a name and arguments"));
    }
    return ffi_new_func(args[1], args[3], ffi_find_symbol(self, args[2]), self, args[2]);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(ffimod_func_obj, 2, 4, ffimod_func);

static mp_obj_t ffimod_var(size_t n_args, const mp_obj_t *args) {
    mp_obj_ffimod_t *self = MP_OBJ_TO_PTR(args[0]);
    if (n_args == 2) {
        return ffi_new_declared_var(scope_of(self), args[1], self);
    }
    return ffi_new_var(args[1], ffi_find_symbol(self, args[2]), self, args[2]);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(ffimod_var_obj, 2, 3, ffimod_var);

static mp_obj_t ffimod_addr(mp_obj_t self_in, mp_obj_t name) {
    mp_obj_ffimod_t *self = MP_OBJ_TO_PTR(self_in);
    return ffi_obj_from_slot(FARCALL_POINTER, (uintptr_t)ffi_find_symbol(self, name));
}
static MP_DEFINE_CONST_FUN_OBJ_2(ffimod_addr_obj, ffimod_addr);

static const mp_obj_dict_t ffimod_locals_dict;

// Functions and variables that the library's namespace declares, each looked for once. A name that is a method's as well stays the
// method's, and one that the library does not have is no attribute.
static void ffimod_attr(mp_obj_t self_in, qstr name, mp_obj_t *dest) {
    mp_obj_ffimod_t *self = MP_OBJ_TO_PTR(self_in);
    if (dest[0] != MP_OBJ_NULL) {
        return;
    }
    dest[1] = MP_OBJ_SENTINEL;
    if (self->names == NULL) {
        return;
    }
    mp_obj_t key = MP_OBJ_NEW_QSTR(name);
    mp_map_elem_t *known = mp_map_lookup(mp_obj_dict_get_map(self->declared), key, MP_MAP_LOOKUP);
    if (known == NULL && mp_map_lookup((mp_map_t *)&ffimod_locals_dict.map, key, MP_MAP_LOOKUP) != NULL) {
        return;
    }
    mp_obj_t found = known != NULL ? known->value : ffi_declared(self, name);
    if (found != MP_OBJ_NULL) {
        dest[0] = found;
        dest[1] = MP_OBJ_NULL;
    }
}

static mp_obj_t ffimod_close(mp_obj_t self_in) {
    mp_obj_ffimod_t *self = MP_OBJ_TO_PTR(self_in);
    ffi_hold_interrupts();
    mp_uint_t state = MICROPY_BEGIN_ATOMIC_SECTION();
    farcall_library *library = self->library;
    self->library = NULL;
    MICROPY_END_ATOMIC_SECTION(state);
    if (library != NULL) {
        farcall_library_close(library);
    }
    ffi_let_interrupts();
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(ffimod_close_obj, ffimod_close);

static mp_obj_t ffimod_exit(size_t n_args, const mp_obj_t *args) {
    (void)n_args;
    return ffimod_close(args[0]);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(ffimod_exit_obj, 4, 4, ffimod_exit);

static const mp_rom_map_elem_t ffimod_locals_dict_table[] = {
    { MP_ROM_QSTR(MP_QSTR_func), MP_ROM_PTR(&ffimod_func_obj) },
    { MP_ROM_QSTR(MP_QSTR_var), MP_ROM_PTR(&ffimod_var_obj) },
    { MP_ROM_QSTR(MP_QSTR_addr), MP_ROM_PTR(&ffimod_addr_obj) },
    { MP_ROM_QSTR(MP_QSTR_close), MP_ROM_PTR(&ffimod_close_obj) },
    { MP_ROM_QSTR(MP_QSTR___enter__), MP_ROM_PTR(&mp_identity_obj) },
    { MP_ROM_QSTR(MP_QSTR___exit__), MP_ROM_PTR(&ffimod_exit_obj) },
};
static MP_DEFINE_CONST_DICT(ffimod_locals_dict, ffimod_locals_dict_table);

MP_DEFINE_CONST_OBJ_TYPE(
    ffimod_type,
    MP_QSTR_ffimod,
    MP_TYPE_FLAG_NONE,
    make_new, ffimod_make_new,
    print, ffimod_print,
    attr, ffimod_attr,
    locals_dict, &ffimod_locals_dict
    );
