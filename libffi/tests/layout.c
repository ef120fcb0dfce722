// What a program takes from ffi.h when it is compiled: sizes, offsets, numbers, and what the types' variables hold. It is
// compiled with each header and linked with each library; all must print the same.

#include <ffi.h>
#include <stddef.h>
#include <stdio.h>

#define SIZE(type) printf("%s: %zu bytes, aligned to %zu\n", #type, sizeof(type), _Alignof(type));
#define MEMBER(type, member) \
    printf("%s.%s: %zu bytes at %zu\n", #type, #member, sizeof(((type *)0)->member), offsetof(type, member));
#define NUMBER(name) printf("%s: %ld\n", #name, (long)(name));
#define TYPE(name) \
    printf("%s: size %zu, alignment %u, type %u, %s\n", #name, name.size, name.alignment, name.type, \
        name.elements == NULL ? "no elements" : "elements");

int main(void) {
    SIZE(ffi_type)
    MEMBER(ffi_type, size)
    MEMBER(ffi_type, alignment)
    MEMBER(ffi_type, type)
    MEMBER(ffi_type, elements)

    SIZE(ffi_cif)
    MEMBER(ffi_cif, abi)
    MEMBER(ffi_cif, nargs)
    MEMBER(ffi_cif, arg_types)
    MEMBER(ffi_cif, rtype)
    MEMBER(ffi_cif, bytes)
    MEMBER(ffi_cif, flags)

    SIZE(ffi_closure)
    MEMBER(ffi_closure, tramp)
    MEMBER(ffi_closure, cif)
    MEMBER(ffi_closure, fun)
    MEMBER(ffi_closure, user_data)

    SIZE(ffi_raw_closure)
    MEMBER(ffi_raw_closure, tramp)
    MEMBER(ffi_raw_closure, cif)
    MEMBER(ffi_raw_closure, translate_args)
    MEMBER(ffi_raw_closure, this_closure)
    MEMBER(ffi_raw_closure, fun)
    MEMBER(ffi_raw_closure, user_data)

    SIZE(ffi_java_raw_closure)
    MEMBER(ffi_java_raw_closure, tramp)
    MEMBER(ffi_java_raw_closure, cif)
    MEMBER(ffi_java_raw_closure, translate_args)
    MEMBER(ffi_java_raw_closure, this_closure)
    MEMBER(ffi_java_raw_closure, fun)
    MEMBER(ffi_java_raw_closure, user_data)

    SIZE(ffi_go_closure)
    MEMBER(ffi_go_closure, tramp)
    MEMBER(ffi_go_closure, cif)
    MEMBER(ffi_go_closure, fun)

    SIZE(ffi_raw)
    SIZE(ffi_java_raw)
    SIZE(ffi_arg)
    SIZE(ffi_sarg)
    SIZE(ffi_abi)
    SIZE(ffi_status)
    printf("ffi_arg %s a sign, ffi_sarg %s\n", (ffi_arg)-1 < 0 ? "has" : "has not", (ffi_sarg)-1 < 0 ? "has" : "has not");

    NUMBER(FFI_FIRST_ABI)
    NUMBER(FFI_LAST_ABI)
    NUMBER(FFI_DEFAULT_ABI)
#if defined(__x86_64__)
    NUMBER(FFI_WIN64)
    NUMBER(FFI_GNUW64)
#ifndef _WIN32
    NUMBER(FFI_UNIX64)
    NUMBER(FFI_EFI64)
#endif
#elif defined(__aarch64__)
    NUMBER(FFI_SYSV)
#endif
    NUMBER(FFI_OK)
    NUMBER(FFI_BAD_TYPEDEF)
    NUMBER(FFI_BAD_ABI)
    NUMBER(FFI_BAD_ARGTYPE)
    NUMBER(FFI_TRAMPOLINE_SIZE)
    NUMBER(FFI_CLOSURES)
    NUMBER(FFI_NATIVE_RAW_API)
    NUMBER(FFI_SIZEOF_ARG)
    NUMBER(FFI_SIZEOF_JAVA_RAW)
    NUMBER(FFI_TYPE_VOID)
    NUMBER(FFI_TYPE_INT)
    NUMBER(FFI_TYPE_FLOAT)
    NUMBER(FFI_TYPE_DOUBLE)
    NUMBER(FFI_TYPE_LONGDOUBLE)
    NUMBER(FFI_TYPE_UINT8)
    NUMBER(FFI_TYPE_SINT8)
    NUMBER(FFI_TYPE_UINT16)
    NUMBER(FFI_TYPE_SINT16)
    NUMBER(FFI_TYPE_UINT32)
    NUMBER(FFI_TYPE_SINT32)
    NUMBER(FFI_TYPE_UINT64)
    NUMBER(FFI_TYPE_SINT64)
    NUMBER(FFI_TYPE_STRUCT)
    NUMBER(FFI_TYPE_POINTER)
    NUMBER(FFI_TYPE_COMPLEX)

    TYPE(ffi_type_void)
    TYPE(ffi_type_uint8)
    TYPE(ffi_type_sint8)
    TYPE(ffi_type_uint16)
    TYPE(ffi_type_sint16)
    TYPE(ffi_type_uint32)
    TYPE(ffi_type_sint32)
    TYPE(ffi_type_uint64)
    TYPE(ffi_type_sint64)
    TYPE(ffi_type_float)
    TYPE(ffi_type_double)
    TYPE(ffi_type_longdouble)
    TYPE(ffi_type_pointer)
    TYPE(ffi_type_complex_float)
    TYPE(ffi_type_complex_double)
    TYPE(ffi_type_complex_longdouble)
    TYPE(ffi_type_uchar)
    TYPE(ffi_type_slong)

#ifdef NEWEST
    NUMBER(FFI_TYPE_UINT128)
    NUMBER(FFI_TYPE_SINT128)
    NUMBER(FFI_TYPE_VECTOR)
    NUMBER(FFI_TYPE_LAST)
    NUMBER(FFI_VERSION_NUMBER)
    TYPE(ffi_type_uint128)
    TYPE(ffi_type_sint128)
    printf("%s %s %lu %u %zu\n", FFI_VERSION_STRING, ffi_get_version(), ffi_get_version_number(),
        ffi_get_default_abi(), ffi_get_closure_size());
#endif
    return 0;
}
