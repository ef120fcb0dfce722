/* Calls C functions, and makes function pointers, whose types are known at run time only.

   This is libffi's interface, version 3.8.0, as farcall provides it: whatever compiles with that version's header compiles with
   this one, to the same binary.

   SPDX-License-Identifier: MIT OR Apache-2.0 */

#ifndef LIBFFI_H
#define LIBFFI_H

#ifdef __cplusplus
extern "C" {
#endif

/* ---- Type codes: what ffi_type.type says ---------------------------------------------------------------------------- */

#define FFI_TYPE_VOID        0
#define FFI_TYPE_INT         1
#define FFI_TYPE_FLOAT       2
#define FFI_TYPE_DOUBLE      3
#define FFI_TYPE_LONGDOUBLE  4
#define FFI_TYPE_UINT8       5
#define FFI_TYPE_SINT8       6
#define FFI_TYPE_UINT16      7
#define FFI_TYPE_SINT16      8
#define FFI_TYPE_UINT32      9
#define FFI_TYPE_SINT32     10
#define FFI_TYPE_UINT64     11
#define FFI_TYPE_SINT64     12
#define FFI_TYPE_STRUCT     13
#define FFI_TYPE_POINTER    14
#define FFI_TYPE_COMPLEX    15
#define FFI_TYPE_UINT128    16
#define FFI_TYPE_SINT128    17
#define FFI_TYPE_VECTOR     18
#define FFI_TYPE_LAST       FFI_TYPE_VECTOR

#include <ffitarget.h>

#ifndef LIBFFI_ASM

#include <limits.h>
#include <stddef.h>

#if defined(_MSC_VER) && !defined(__clang__)
#define __attribute__(attributes)
#endif

/* Programs built by Microsoft's compiler have to be told that data lies in a DLL. */
#if defined(_MSC_VER) && !defined(FFI_STATIC_BUILD)
#ifdef FFI_BUILDING_DLL
#define FFI_API __declspec(dllexport)
#else
#define FFI_API __declspec(dllimport)
#endif
#else
#define FFI_API
#endif

#ifdef LIBFFI_HIDE_BASIC_TYPES
#define FFI_EXTERN FFI_API
#else
#define FFI_EXTERN extern FFI_API
#endif

#define FFI_64_BIT_MAX 9223372036854775807
#ifdef LONG_LONG_MAX
#define FFI_LONG_LONG_MAX LONG_LONG_MAX
#elif defined(LLONG_MAX)
#define FFI_LONG_LONG_MAX LLONG_MAX
#elif defined(__GNUC__)
#define FFI_LONG_LONG_MAX __LONG_LONG_MAX__
#endif

/* A type. Of a struct (FFI_TYPE_STRUCT), a complex number or a vector, `elements` lists the parts, a null pointer last; with `size` 0
   the library computes size and alignment of a struct or vector, in place, when a signature with it is prepared. */
typedef struct _ffi_type {
    size_t size;
    unsigned short alignment;
    unsigned short type;
    struct _ffi_type **elements;
} ffi_type;

#ifndef LIBFFI_HIDE_BASIC_TYPES

#define ffi_type_uchar  ffi_type_uint8
#define ffi_type_schar  ffi_type_sint8
#define ffi_type_ushort ffi_type_uint16
#define ffi_type_sshort ffi_type_sint16
#define ffi_type_uint   ffi_type_uint32
#define ffi_type_sint   ffi_type_sint32
#if LONG_MAX == 2147483647
#define ffi_type_ulong  ffi_type_uint32
#define ffi_type_slong  ffi_type_sint32
#else
#define ffi_type_ulong  ffi_type_uint64
#define ffi_type_slong  ffi_type_sint64
#endif

FFI_EXTERN ffi_type ffi_type_void;
FFI_EXTERN ffi_type ffi_type_uint8;
FFI_EXTERN ffi_type ffi_type_sint8;
FFI_EXTERN ffi_type ffi_type_uint16;
FFI_EXTERN ffi_type ffi_type_sint16;
FFI_EXTERN ffi_type ffi_type_uint32;
FFI_EXTERN ffi_type ffi_type_sint32;
FFI_EXTERN ffi_type ffi_type_uint64;
FFI_EXTERN ffi_type ffi_type_sint64;
FFI_EXTERN ffi_type ffi_type_float;
FFI_EXTERN ffi_type ffi_type_double;
FFI_EXTERN ffi_type ffi_type_pointer;
FFI_EXTERN ffi_type ffi_type_longdouble;

#ifdef FFI_TARGET_HAS_COMPLEX_TYPE
FFI_EXTERN ffi_type ffi_type_complex_float;
FFI_EXTERN ffi_type ffi_type_complex_double;
FFI_EXTERN ffi_type ffi_type_complex_longdouble;
#endif

#ifdef FFI_TARGET_HAS_INT128
FFI_EXTERN ffi_type ffi_type_uint128;
FFI_EXTERN ffi_type ffi_type_sint128;
#endif

#endif /* LIBFFI_HIDE_BASIC_TYPES */

/* ---- Signatures ----------------------------------------------------------------------------------------------------- */

typedef enum {
    FFI_OK = 0,
    FFI_BAD_TYPEDEF, /* a type makes no sense, or has no place under the calling convention */
    FFI_BAD_ABI,     /* no such calling convention */
    FFI_BAD_ARGTYPE  /* C would have promoted this variadic argument */
} ffi_status;

/* A prepared signature: plain data, which may be copied and needs no release. `bytes` and `flags` are the library's own. */
typedef struct {
    ffi_abi abi;
    unsigned nargs;
    ffi_type **arg_types;
    ffi_type *rtype;
    unsigned bytes;
    unsigned flags;
#ifdef FFI_EXTRA_CIF_FIELDS
    FFI_EXTRA_CIF_FIELDS;
#endif
} ffi_cif;

/* Prepares the signature of a function with a prototype. The array `atypes` is kept by its address. */
FFI_API ffi_status ffi_prep_cif(ffi_cif *cif, ffi_abi abi, unsigned int nargs, ffi_type *rtype, ffi_type **atypes);

/* Prepares one call of a variadic function: `nfixedargs` of all the arguments have a name in its prototype. */
FFI_API ffi_status ffi_prep_cif_var(ffi_cif *cif, ffi_abi abi, unsigned int nfixedargs, unsigned int ntotalargs,
                                    ffi_type *rtype, ffi_type **atypes);

/* The offsets of a struct's elements, and its size and alignment in place. `offsets` may be null. */
FFI_API ffi_status ffi_get_struct_offsets(ffi_abi abi, ffi_type *struct_type, size_t *offsets);

/* ---- Calls ---------------------------------------------------------------------------------------------------------- */

/* Calls `fn` with the arguments that `avalue` points to. An integer result narrower than ffi_arg is widened to it, so `rvalue`
   has room for an ffi_arg at least; it may be null if the result does not matter. */
FFI_API void ffi_call(ffi_cif *cif, void (*fn)(void), void *rvalue, void **avalue);

/* A signature got ready to be called many times, from any thread. The signature outlives it. */
typedef struct ffi_call_plan ffi_call_plan;

FFI_API ffi_call_plan *ffi_call_plan_alloc(ffi_cif *cif);
FFI_API void ffi_call_plan_invoke(ffi_call_plan *plan, void (*fn)(void), void *rvalue, void **avalue);
FFI_API void ffi_call_plan_free(ffi_call_plan *plan);
FFI_API size_t ffi_call_plan_size(ffi_call_plan *plan);

/* ---- Calls with all arguments in one block of memory ---------------------------------------------------------------- */

#ifndef FFI_SIZEOF_ARG
#define FFI_SIZEOF_ARG 8
#endif
#ifndef FFI_SIZEOF_JAVA_RAW
#define FFI_SIZEOF_JAVA_RAW FFI_SIZEOF_ARG
#endif

/* One word of the block. A struct is there by its address. */
typedef union {
    ffi_sarg sint;
    ffi_arg uint;
    float flt;
    char data[FFI_SIZEOF_ARG];
    void *ptr;
} ffi_raw;

/* The same for a Java machine, where what has 64 bits takes two words. */
typedef ffi_raw ffi_java_raw;

FFI_API void ffi_raw_call(ffi_cif *cif, void (*fn)(void), void *rvalue, ffi_raw *avalue);
FFI_API void ffi_ptrarray_to_raw(ffi_cif *cif, void **args, ffi_raw *raw);
FFI_API void ffi_raw_to_ptrarray(ffi_cif *cif, ffi_raw *raw, void **args);
FFI_API size_t ffi_raw_size(ffi_cif *cif);

#if !FFI_NATIVE_RAW_API
FFI_API void ffi_java_raw_call(ffi_cif *cif, void (*fn)(void), void *rvalue, ffi_java_raw *avalue)
    __attribute__((deprecated));
#endif
FFI_API void ffi_java_ptrarray_to_raw(ffi_cif *cif, void **args, ffi_java_raw *raw) __attribute__((deprecated));
FFI_API void ffi_java_raw_to_ptrarray(ffi_cif *cif, ffi_java_raw *raw, void **args) __attribute__((deprecated));
FFI_API size_t ffi_java_raw_size(ffi_cif *cif) __attribute__((deprecated));

/* ---- Version -------------------------------------------------------------------------------------------------------- */

#define FFI_VERSION_STRING "3.8.0"
#define FFI_VERSION_NUMBER 30800

FFI_API const char *ffi_get_version(void);
FFI_API unsigned long ffi_get_version_number(void);

/* What this header says, as the library knows it. */
FFI_API unsigned int ffi_get_default_abi(void);
FFI_API size_t ffi_get_closure_size(void);

/* ---- Closures: function pointers with data -------------------------------------------------------------------------- */

#if FFI_CLOSURES

#ifdef _MSC_VER
__declspec(align(8))
#endif
typedef struct {
#ifdef __GNUC__
    __extension__
#endif
    union {
        char tramp[FFI_TRAMPOLINE_SIZE];
        void *ftramp;
    };
    ffi_cif *cif;
    void (*fun)(ffi_cif *, void *, void **, void *);
    void *user_data;
} ffi_closure
#ifdef __GNUC__
    __attribute__((aligned(8)))
#endif
    ;

/* Memory for a closure of `size` bytes, and in `*code` the function pointer that leads to it. */
FFI_API void *ffi_closure_alloc(size_t size, void **code);
FFI_API void ffi_closure_free(void *closure);

/* Has the function pointer `codeloc`, which ffi_closure_alloc() gave, call `fun`. */
FFI_API ffi_status ffi_prep_closure_loc(ffi_closure *closure, ffi_cif *cif,
                                        void (*fun)(ffi_cif *, void *, void **, void *), void *user_data,
                                        void *codeloc);

/* The same for a closure in memory of the caller's that can be executed: the function pointer is its own address. */
FFI_API ffi_status ffi_prep_closure(ffi_closure *closure, ffi_cif *cif,
                                    void (*fun)(ffi_cif *, void *, void **, void *), void *user_data)
#if defined(__GNUC__) && (__GNUC__ * 100 + __GNUC_MINOR__) >= 405
    __attribute__((deprecated("use ffi_prep_closure_loc instead")))
#elif defined(__GNUC__)
    __attribute__((deprecated))
#endif
    ;

typedef struct {
    char tramp[FFI_TRAMPOLINE_SIZE];
    ffi_cif *cif;
#if !FFI_NATIVE_RAW_API
    /* Where an ffi_closure has what it calls: the library's own, which calls `fun`. */
    void (*translate_args)(ffi_cif *, void *, void **, void *);
    void *this_closure;
#endif
    void (*fun)(ffi_cif *, void *, ffi_raw *, void *);
    void *user_data;
} ffi_raw_closure;

typedef struct {
    char tramp[FFI_TRAMPOLINE_SIZE];
    ffi_cif *cif;
#if !FFI_NATIVE_RAW_API
    void (*translate_args)(ffi_cif *, void *, void **, void *);
    void *this_closure;
#endif
    void (*fun)(ffi_cif *, void *, ffi_java_raw *, void *);
    void *user_data;
} ffi_java_raw_closure;

FFI_API ffi_status ffi_prep_raw_closure(ffi_raw_closure *closure, ffi_cif *cif,
                                        void (*fun)(ffi_cif *, void *, ffi_raw *, void *), void *user_data);
FFI_API ffi_status ffi_prep_raw_closure_loc(ffi_raw_closure *closure, ffi_cif *cif,
                                            void (*fun)(ffi_cif *, void *, ffi_raw *, void *), void *user_data,
                                            void *codeloc);
#if !FFI_NATIVE_RAW_API
FFI_API ffi_status ffi_prep_java_raw_closure(ffi_java_raw_closure *closure, ffi_cif *cif,
                                             void (*fun)(ffi_cif *, void *, ffi_java_raw *, void *), void *user_data)
    __attribute__((deprecated));
FFI_API ffi_status ffi_prep_java_raw_closure_loc(ffi_java_raw_closure *closure, ffi_cif *cif,
                                                 void (*fun)(ffi_cif *, void *, ffi_java_raw *, void *),
                                                 void *user_data, void *codeloc) __attribute__((deprecated));
#endif

#endif /* FFI_CLOSURES */

/* ---- Go closures: the caller passes the closure itself in the register of the static chain -------------------------- */

#ifdef FFI_GO_CLOSURES

typedef struct {
    void *tramp;
    ffi_cif *cif;
    void (*fun)(ffi_cif *, void *, void **, void *);
} ffi_go_closure;

FFI_API ffi_status ffi_prep_go_closure(ffi_go_closure *closure, ffi_cif *cif,
                                       void (*fun)(ffi_cif *, void *, void **, void *));
FFI_API void ffi_call_go(ffi_cif *cif, void (*fn)(void), void *rvalue, void **avalue, void *closure);

#endif /* FFI_GO_CLOSURES */

/* Between function pointers and others. */
#define FFI_FN(f) ((void (*)(void))f)
#define FFI_CL(f) ((void *)(f))

#endif /* LIBFFI_ASM */

#ifdef __cplusplus
}
#endif

#endif /* LIBFFI_H */
