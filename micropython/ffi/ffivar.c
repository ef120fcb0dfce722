// A C variable.

#include <stdio.h>

#include "modffi.h"

typedef struct _mp_obj_ffivar_t {
    mp_obj_base_t base;
    void *address;
    mp_obj_ffimod_t *module;
    mp_obj_t name;
    farcall_kind kind;
    char code;
} mp_obj_ffivar_t;

mp_obj_t ffi_new_var(mp_obj_t code_in, void *address, mp_obj_ffimod_t *module, mp_obj_t name) {
    size_t len;
    const char *code = ffi_get_code(code_in, "variable", &len);
    farcall_kind kind;
    farcall_error error;
    farcall_status status = farcall_variable_kind(code, len, &kind, &error);
    if (status != FARCALL_OK) {
        ffi_raise(status, &error);
    }
    mp_obj_ffivar_t *self = mp_obj_malloc(mp_obj_ffivar_t, &ffivar_type);
    self->address = address;
    self->module = module;
    self->name = name;
    self->kind = kind;
    self->code = code[0];
    return MP_OBJ_FROM_PTR(self);
}

static void ffivar_print(const mp_print_t *print, mp_obj_t self_in, mp_print_kind_t kind) {
    (void)kind;
    mp_obj_ffivar_t *self = MP_OBJ_TO_PTR(self_in);
    mp_printf(print, "<ffivar %s at ", mp_obj_str_get_str(self->name));
    ffi_print_address(print, self->address);
    mp_printf(print, " %c>", self->code);
}

static mp_obj_ffivar_t *get_open(mp_obj_t self_in) {
    mp_obj_ffivar_t *self = MP_OBJ_TO_PTR(self_in);
    if (self->module->library == NULL) {
        ffi_raise_closed_library(self->name, self->module);
    }
    return self;
}

static mp_obj_t ffivar_get(mp_obj_t self_in) {
    mp_obj_ffivar_t *self = get_open(self_in);
    return ffi_obj_from_slot(self->kind, farcall_variable_load(self->code, self->address));
}
static MP_DEFINE_CONST_FUN_OBJ_1(ffivar_get_obj, ffivar_get);

static mp_obj_t ffivar_set(mp_obj_t self_in, mp_obj_t value) {
    mp_obj_ffivar_t *self = get_open(self_in);
    char where[FFI_WHERE_LEN];
    uint64_t slot;
    ffi_conversion_t why = ffi_stored_from_obj(self->kind, value, &slot);
    if (why != FFI_CONVERTED) {
        snprintf(where, sizeof(where), "variable %s", mp_obj_str_get_str(self->name));
        ffi_raise_conversion(why, where, self->code, ffi_kind_stores(self->kind), value);
    }
    farcall_variable_store(self->code, self->address, slot);
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_2(ffivar_set_obj, ffivar_set);

static const mp_rom_map_elem_t ffivar_locals_dict_table[] = {
    { MP_ROM_QSTR(MP_QSTR_get), MP_ROM_PTR(&ffivar_get_obj) },
    { MP_ROM_QSTR(MP_QSTR_set), MP_ROM_PTR(&ffivar_set_obj) },
};
static MP_DEFINE_CONST_DICT(ffivar_locals_dict, ffivar_locals_dict_table);

MP_DEFINE_CONST_OBJ_TYPE(
    ffivar_type,
    MP_QSTR_ffivar,
    MP_TYPE_FLAG_NONE,
    print, ffivar_print,
    locals_dict, &ffivar_locals_dict
    );
