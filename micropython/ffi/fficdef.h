// Namespaces of C declarations, as the module's files share them:
//
//   fficdef.c     what scripts see of a namespace, and the functions of the module that look for names
//   ffilayout.c   C types as uctypes has them: descriptors, and structures over memory of their own
//   ffinew.c      memory of a C type, with values for its members
//   ffideclared.c functions and variables of a library by their declarations

#ifndef FARCALL_FFICDEF_H
#define FARCALL_FFICDEF_H

#include "modffi.h"

#define FFI_LAYOUT_BUCKETS (16)

// A type's descriptor. These stay as they are once they are in a list.
typedef struct _ffi_layout_t {
    struct _ffi_layout_t *next;
    mp_obj_t descriptor;
    uint64_t size;
    uint32_t type;
} ffi_layout_t;

// What goes with a namespace on the heap. It owns a reference to it, and gives that back in a finaliser, which no script can call: an
// object of this type gets into no script's hands. Whatever is made in a namespace keeps this object.
typedef struct _ffi_scope_t {
    mp_obj_base_t base;
    const farcall_scope *scope;
    ffi_layout_t *volatile layouts[FFI_LAYOUT_BUCKETS]; // by the types' numbers
} ffi_scope_t;

typedef struct _mp_obj_fficdef_t {
    mp_obj_base_t base;
    ffi_scope_t *names;
} mp_obj_fficdef_t;

extern const mp_obj_type_t ffi_scope_type;
extern const mp_obj_type_t fficdef_type;

// fficdef.c
// The object that goes with a namespace: the one there is, or a new one.
ffi_scope_t *ffi_scope_of(const farcall_scope *scope);
// The bytes of a text of C, or TypeError; `what` is for the exception.
const char *ffi_get_text(mp_obj_t text, const char *what, size_t *len);
extern const mp_obj_fun_builtin_fixed_t ffi_cdef_obj;
extern const mp_obj_fun_builtin_fixed_t ffi_sizeof_obj;
extern const mp_obj_fun_builtin_fixed_t ffi_alignof_obj;
extern const mp_obj_fun_builtin_fixed_t ffi_layout_obj;

// ffilayout.c
// A type's descriptor for uctypes, the same one each time as long as the namespace's object is there.
mp_obj_t ffi_layout_of(const farcall_scope *scope, uint32_t type);
// A uctypes.struct over fresh memory with these bytes, or with zeros for NULL; a bytes object where there is no uctypes.
mp_obj_t ffi_new_struct(const farcall_scope *scope, uint32_t type, const void *bytes);
// A uctypes.struct over memory that somebody else keeps.
mp_obj_t ffi_struct_at(const farcall_scope *scope, uint32_t type, void *memory);
// Is the object good for that type by value, and where are its bytes?
bool ffi_struct_bytes(const farcall_scope *scope, uint32_t type, size_t size, mp_obj_t obj, const void **bytes);
// The bytes of a structure that has the type's own descriptor; NULL for any other object. A descriptor says all, so nothing is reckoned.
const void *ffi_own_struct_bytes(const farcall_scope *scope, uint32_t type, mp_obj_t obj);

// ffinew.c
mp_obj_t ffi_new_memory(const farcall_scope *scope, uint32_t type, mp_map_t *members);

// ffideclared.c
// What a library's namespace declares by that name, kept with the library from now on; MP_OBJ_NULL if it is nothing or is not in the
// library.
mp_obj_t ffi_declared(mp_obj_ffimod_t *module, qstr name);

// A declared function or variable by its number in the namespace.
mp_obj_t ffi_new_function_of(const farcall_scope *scope, uint32_t index, void *address, mp_obj_ffimod_t *module);
mp_obj_t ffi_new_variable_of(const farcall_scope *scope, uint32_t index, void *address, mp_obj_ffimod_t *module);

#endif // FARCALL_FFICDEF_H
