// Functions and variables of a library by their declarations.

#include "fficdef.h"

mp_obj_t ffi_declared(mp_obj_ffimod_t *module, qstr name) {
    size_t len;
    const char *text = (const char *)qstr_data(name, &len);
    const farcall_scope *scope = module->names->scope;
    farcall_named named;
    if (!farcall_scope_find(scope, text, len, &named) || named.meaning < FARCALL_FUNCTION) {
        return MP_OBJ_NULL;
    }
    mp_obj_t name_obj = MP_OBJ_NEW_QSTR(name);
    farcall_library *library = module->library;
    if (library == NULL) {
        ffi_raise_closed_library(name_obj, module);
    }
    void *address;
    farcall_error error;
    ffi_hold_interrupts();
    farcall_status status = farcall_library_declared(library, scope, named.meaning, named.index, &address, &error);
    ffi_let_interrupts();
    if (status == FARCALL_OS) {
        return MP_OBJ_NULL;
    } else if (status != FARCALL_OK) {
        ffi_raise(status, &error);
    }
    mp_obj_t found = named.meaning == FARCALL_FUNCTION ? ffi_new_function_of(scope, named.index, address, module)
        : ffi_new_variable_of(scope, named.index, address, module);
    mp_obj_dict_store(module->declared, name_obj, found);
    return found;
}
