// A C variable.

#include <stdio.h>
#include <string.h>

#include "fficdef.h"

// Room for the name of a variable that is declared.
#define NAME_LEN (512)

// What a declaration in C says. The keeper's namespace is the types'.
typedef struct _declaration_t {
    farcall_variable types;
    ffi_keeper_t *keeper;
} declaration_t;

typedef struct _mp_obj_ffivar_t {
    mp_obj_base_t base;
    void *address;
    const mp_obj_ffimod_t *module;
    mp_obj_t name;
    farcall_kind kind;
    char code;
    const declaration_t *declaration; // NULL unless it is declared in C; kind and code mean nothing then
} mp_obj_ffivar_t;

mp_obj_t ffi_new_var(mp_obj_t code_in, void *address, const mp_obj_ffimod_t *module, mp_obj_t name) {
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
    self->declaration = NULL;
    return MP_OBJ_FROM_PTR(self);
}

static mp_obj_t new_declared(const farcall_scope *scope, const char *text, size_t len, uint32_t index, void *address,
    const mp_obj_ffimod_t *module) {
    declaration_t *declaration = m_new_obj(declaration_t);
    declaration->keeper = ffi_new_keeper();
    char name[NAME_LEN];
    farcall_error error;
    ffi_hold_interrupts();
    farcall_status status = farcall_variable_new(scope, text, len, index, &declaration->keeper->scope, &declaration->types, name,
        sizeof(name), &error);
    ffi_let_interrupts();
    if (status != FARCALL_OK) {
        declaration->keeper->scope = NULL;
        ffi_raise(status, &error);
    }
    if (name[0] == '\0') {
        mp_raise_ValueError(MP_ERROR_TEXT("expected a declaration with the variable's name, got one without"));
    }
    if (strlen(name) + sizeof(uint32_t) >= sizeof(name)) {
        mp_raise_ValueError(MP_ERROR_TEXT("expected a name of a variable, got one that is too long"));
    }
    mp_obj_ffivar_t *self = mp_obj_malloc(mp_obj_ffivar_t, &ffivar_type);
    self->name = mp_obj_new_str(name, strlen(name));
    self->address = address != NULL ? address : ffi_find_symbol(module, self->name);
    self->module = module;
    self->kind = FARCALL_VOID;
    self->code = '\0';
    declaration->keeper->names = ffi_scope_of(declaration->keeper->scope);
    self->declaration = declaration;
    return MP_OBJ_FROM_PTR(self);
}

mp_obj_t ffi_new_declared_var(const farcall_scope *scope, mp_obj_t text_in, const mp_obj_ffimod_t *module) {
    size_t len;
    const char *text = ffi_get_c_text(text_in, &len);
    return new_declared(scope, text, len, 0, NULL, module);
}

mp_obj_t ffi_new_variable_of(const farcall_scope *scope, uint32_t index, void *address, mp_obj_ffimod_t *module) {
    return new_declared(scope, NULL, 0, index, address, module);
}

// The type as C writes it.
static void show_type(const mp_obj_ffivar_t *self, char *text, size_t size) {
    farcall_scope_show(self->declaration->keeper->scope, self->declaration->types.gives.type, text, size);
}

// A view of the variable itself, for what has several values in it.
static mp_obj_t get_view(const mp_obj_ffivar_t *self, const farcall_value *value) {
    const farcall_scope *scope = self->declaration->keeper->scope;
    if (value->kind == FARCALL_ELEMENTS && value->size == 0) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("variable %s: its size is not known"),
            mp_obj_str_get_str(self->name));
    }
    return ffi_struct_at(scope, value->type, self->address);
}

static mp_obj_t get_declared(const mp_obj_ffivar_t *self) {
    const farcall_value *value = &self->declaration->types.gives;
    uint64_t slots[4] = { 0 };
    switch (value->kind) {
        case FARCALL_STRUCT:
        case FARCALL_ELEMENTS:
            return get_view(self, value);
        case FARCALL_INT:
        case FARCALL_UINT: {
            memcpy(slots, self->address, value->width);
            unsigned int spare = 64 - 8 * (unsigned int)value->width;
            slots[0] <<= spare;
            slots[0] = value->is_signed ? (uint64_t)((int64_t)slots[0] >> spare) : slots[0] >> spare;
            break;
        }
        default:
            memcpy(slots, self->address, value->size);
            break;
    }
    return ffi_obj_from_value(value, self->declaration->keeper->scope, slots);
}

// Copies the bytes of an object that is as large as the variable.
static ffi_conversion_t copy_bytes(const mp_obj_ffivar_t *self, const farcall_value *value, mp_obj_t obj) {
    mp_buffer_info_t buffer;
    const void *bytes = NULL;
    if (value->kind == FARCALL_STRUCT && ffi_struct_bytes(self->declaration->keeper->scope, value->type, value->size, obj, &bytes)) {
        memmove(self->address, bytes, value->size);
        return FFI_CONVERTED;
    }
    if (!mp_get_buffer(obj, &buffer, MP_BUFFER_READ)) {
        return FFI_WRONG_KIND;
    }
    if (value->kind == FARCALL_STRUCT || buffer.len != value->size) {
        return FFI_WRONG_SIZE;
    }
    memmove(self->address, buffer.buf, value->size);
    return FFI_CONVERTED;
}

static ffi_conversion_t store_declared(const mp_obj_ffivar_t *self, mp_obj_t obj) {
    const farcall_value *value = &self->declaration->types.takes;
    if (value->kind == FARCALL_STRUCT || value->kind == FARCALL_ELEMENTS) {
        return copy_bytes(self, value, obj);
    }
    // C would be left with the address of an object that may be gone.
    if (value->kind == FARCALL_DATA && !ffi_may_stay(obj)) {
        return FFI_WRONG_KIND;
    }
    uint64_t slots[4] = { 0 };
    ffi_conversion_t why = ffi_value_from_obj(value, self->declaration->keeper->scope, obj, slots);
    if (why == FFI_CONVERTED) {
        memcpy(self->address, slots, value->size);
    }
    return why == FFI_CALLABLE ? FFI_WRONG_KIND : why;
}

static void set_declared(const mp_obj_ffivar_t *self, mp_obj_t obj) {
    ffi_conversion_t why = store_declared(self, obj);
    if (why == FFI_CONVERTED) {
        return;
    }
    char where[FFI_WHERE_LEN];
    char type[FFI_WHERE_LEN];
    const farcall_value *value = &self->declaration->types.takes;
    snprintf(where, sizeof(where), "variable %s", mp_obj_str_get_str(self->name));
    show_type(self, type, sizeof(type));
    if (why == FFI_WRONG_KIND && (value->kind == FARCALL_DATA || value->kind == FARCALL_CODE)) {
        mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("%s: expected %s (%s), got %s"), where, type,
            ffi_kind_stores(FARCALL_POINTER), mp_obj_get_type_str(obj));
    }
    ffi_raise_value(why, where, type, value, obj);
}

static void ffivar_print(const mp_print_t *print, mp_obj_t self_in, mp_print_kind_t kind) {
    (void)kind;
    mp_obj_ffivar_t *self = MP_OBJ_TO_PTR(self_in);
    mp_printf(print, "<ffivar %s at ", mp_obj_str_get_str(self->name));
    ffi_print_address(print, self->address);
    if (self->declaration != NULL) {
        char type[FFI_WHERE_LEN];
        show_type(self, type, sizeof(type));
        mp_printf(print, " %s>", type);
        return;
    }
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
    if (self->declaration != NULL) {
        return get_declared(self);
    }
    return ffi_obj_from_slot(self->kind, farcall_variable_load(self->code, self->address));
}
static MP_DEFINE_CONST_FUN_OBJ_1(ffivar_get_obj, ffivar_get);

static mp_obj_t ffivar_set(mp_obj_t self_in, mp_obj_t value) {
    mp_obj_ffivar_t *self = get_open(self_in);
    if (self->declaration != NULL) {
        set_declared(self, value);
        return mp_const_none;
    }
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
