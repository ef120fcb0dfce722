/* What ffi.h says that is different from one target to another.

   SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef LIBFFI_TARGET_H
#define LIBFFI_TARGET_H

#ifndef LIBFFI_H
#error "Please include ffi.h, which includes this file."
#endif

#define FFI_CLOSURES 1
#define FFI_NATIVE_RAW_API 0
#define FFI_TARGET_HAS_INT128 1

#if defined(__x86_64__) || defined(_M_X64)

#ifdef _WIN32
#ifndef X86_WIN64
#define X86_WIN64
#endif
#else
#ifndef X86_64
#define X86_64
#endif
/* Vectors of 8 and 16 bytes. */
#define FFI_TARGET_HAS_VECTOR_TYPE
#endif
#define X86_ANY

#ifndef _MSC_VER
#define FFI_TARGET_HAS_COMPLEX_TYPE
#endif
#define FFI_TARGET_SPECIFIC_STACK_SPACE_ALLOCATION
#define FFI_GO_CLOSURES 1
#define FFI_TRAMPOLINE_SIZE 32

#elif defined(__aarch64__) && !defined(_WIN32) && !defined(__APPLE__)

#define FFI_TARGET_HAS_COMPLEX_TYPE
#define FFI_TARGET_HAS_VECTOR_TYPE
#define FFI_TARGET_SPECIFIC_VARIADIC
/* On Android the register that would lead to the closure is the system's. */
#ifndef __ANDROID__
#define FFI_GO_CLOSURES 1
#endif
#define FFI_TRAMPOLINE_SIZE 24
#define FFI_TRAMPOLINE_CLOSURE_OFFSET FFI_TRAMPOLINE_SIZE

#else
#error "farcall's libffi does not know this target."
#endif

#ifndef LIBFFI_ASM

#define FFI_SIZEOF_ARG 8
#ifdef _WIN32
typedef unsigned long long ffi_arg;
typedef long long ffi_sarg;
#else
typedef unsigned long ffi_arg;
typedef signed long ffi_sarg;
#endif

/* Calling conventions. */
typedef enum ffi_abi {
#if defined(__aarch64__)
    FFI_FIRST_ABI = 0,
    FFI_SYSV,
    FFI_WIN64,
    FFI_LAST_ABI,
    FFI_DEFAULT_ABI = FFI_SYSV
#elif defined(_WIN32)
    FFI_FIRST_ABI = 0,
    FFI_WIN64,  /* long double is double */
    FFI_GNUW64, /* long double has 80 bits, in 16 bytes */
    FFI_LAST_ABI,
#ifdef __GNUC__
    FFI_DEFAULT_ABI = FFI_GNUW64
#else
    FFI_DEFAULT_ABI = FFI_WIN64
#endif
#else
    FFI_FIRST_ABI = 1,
    FFI_UNIX64,
    FFI_WIN64,
    FFI_EFI64 = FFI_WIN64,
    FFI_GNUW64,
    FFI_LAST_ABI,
    FFI_DEFAULT_ABI = FFI_UNIX64
#endif
} ffi_abi;

#endif /* LIBFFI_ASM */

#endif /* LIBFFI_TARGET_H */
