// What differs between the versions of MicroPython, and which builds of it there is no module for. All of that stands here.

#ifndef FARCALL_COMPAT_H
#define FARCALL_COMPAT_H

#include "py/obj.h"

#if !defined(MICROPY_VERSION_MAJOR) || (MICROPY_VERSION_MAJOR == 1 && MICROPY_VERSION_MINOR < 22)
#error "farcall needs MicroPython 1.22 or later"
#endif

#if MICROPY_OBJ_REPR == MICROPY_OBJ_REPR_D
#error "farcall does not work with object representation D (the nanbox variant)"
#endif

#if UINTPTR_MAX != UINT64_MAX
#error "farcall works on 64-bit machines only"
#endif

// Before 1.25 it was NORETURN.
#ifdef MP_NORETURN
#define FFI_NORETURN MP_NORETURN
#else
#define FFI_NORETURN NORETURN
#endif

// Since 1.23. Until it has a type, the collector leaves such an object's finaliser alone.
#ifndef mp_obj_malloc_with_finaliser
static inline void *ffi_typed(mp_obj_base_t *base, const mp_obj_type_t *type) {
    base->type = type;
    return base;
}
#define mp_obj_malloc_with_finaliser(struct_type, obj_type) \
    ((struct_type *)ffi_typed((mp_obj_base_t *)m_new_obj_with_finaliser(struct_type), obj_type))
#endif

#endif // FARCALL_COMPAT_H
