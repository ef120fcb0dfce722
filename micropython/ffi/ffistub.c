// Until declared functions and variables are there.

#include "fficdef.h"

mp_obj_t ffi_new_function_of(const farcall_scope *scope, uint32_t index, void *address, mp_obj_ffimod_t *module) {
    (void)scope;
    (void)index;
    (void)address;
    (void)module;
    mp_raise_msg(&mp_type_NotImplementedError, MP_ERROR_TEXT("declared function"));
}

mp_obj_t ffi_new_variable_of(const farcall_scope *scope, uint32_t index, void *address, mp_obj_ffimod_t *module) {
    return ffi_new_function_of(scope, index, address, module);
}
