// The unwinder, found when it is first wanted. Linked into the shared library, and into programs with MicroPython's module
// (micropython/ffi/ffiunwinder.c), which define IN_PROGRAM.
//
// Rust's standard library calls libgcc_s. Named among the libraries that this one needs, it would be loaded with it, which costs a C
// program more than all the rest of loading. A process that throws exceptions has an unwinder already; another needs none, unless the
// unwinder has to be told of generated code, which later libraries may throw through.
//
// These functions are what the object file calls instead. Outside of the shared library nobody sees them, so programs go on using their
// own. A library that finds them in a program gets what it would get without them.

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

// In libdl before glibc 2.34, and in libc since, under the old version as well. The private names are libc's own before that.
#if defined(__x86_64__)
#define OLDEST "GLIBC_2.2.5"
#elif defined(__aarch64__)
#define OLDEST "GLIBC_2.17"
#endif
extern void *dlopen(const char *name, int mode) __attribute__((weak));
extern void *dlsym(void *library, const char *name) __attribute__((weak));
#ifndef IN_PROGRAM
__asm__(".symver dlopen, dlopen@" OLDEST);
__asm__(".symver dlsym, dlsym@" OLDEST);
#endif
extern void *__libc_dlopen_mode(const char *name, int mode) __attribute__((weak));
extern void *__libc_dlsym(void *library, const char *name) __attribute__((weak));

// As dlfcn.h has them, which would declare the functions otherwise. The last is for the private one.
enum { NOW = 2, AS_DLOPEN = (int)0x80000000 };

// Where whatever the process has in reach already is looked up: everywhere (RTLD_DEFAULT), or behind the program (RTLD_NEXT).
#ifdef IN_PROGRAM
#define REACH ((void *)-1)
#else
#define REACH NULL
#endif

// Whether it is told of generated code, as on AArch64. On x86-64 the library's own tables describe it.
#ifdef __aarch64__
#define IS_TOLD
#endif

typedef uintptr_t word;
typedef word function(word, word, word);

// ORDER NUMBERS. One text, since an array of pointers would be relocated whenever the library is loaded.
static const char names[] =
    "_Unwind_Resume\0"
    "_Unwind_RaiseException\0"
    "_Unwind_DeleteException\0"
    "_Unwind_Backtrace\0"
    "_Unwind_GetLanguageSpecificData\0"
    "_Unwind_GetRegionStart\0"
    "_Unwind_GetTextRelBase\0"
    "_Unwind_GetDataRelBase\0"
    "_Unwind_GetIP\0"
    "_Unwind_GetIPInfo\0"
    "_Unwind_GetCFA\0"
    "_Unwind_SetIP\0"
    "_Unwind_SetGR\0"
    "_Unwind_FindEnclosingFunction"
#ifdef IS_TOLD
    "\0__register_frame\0"
    "__deregister_frame"
#endif
    ;

// ORDER NUMBERS: the names have the same.
enum {
    RESUME,
    RAISE,
    DELETE,
    BACKTRACE,
    LANGUAGE_DATA,
    REGION_START,
    TEXT_BASE,
    DATA_BASE,
    IP,
    IP_INFO,
    CFA,
    SET_IP,
    SET_GR,
    ENCLOSING,
#ifdef IS_TOLD
    REGISTER_FRAME,
    DEREGISTER_FRAME,
#endif
    COUNT,
};

static function *found[COUNT];
static int has_looked;

// What is called where there is no unwinder. The result says that an exception could not be raised.
static word absent(word a, word b, word c) {
    (void)a, (void)b, (void)c;
    return 3;
}

// `library` is a handle, or REACH.
static void *lookup(void *library, const char *name) {
    if (dlsym != NULL) {
        return dlsym(library, name);
    }
    return library != REACH && __libc_dlsym != NULL ? __libc_dlsym(library, name) : NULL;
}

static void *open_libgcc(void) {
    const char *name = "libgcc_s.so.1";
    if (dlopen != NULL) {
        return dlopen(name, NOW);
    }
    return __libc_dlopen_mode != NULL ? __libc_dlopen_mode(name, NOW | AS_DLOPEN) : NULL;
}

// All from one place. Several threads may do this at once, and find the same.
static void look(void) {
    int before = errno;
    void *library = REACH;
    int is_there = lookup(library, names) != NULL || (library = open_libgcc()) != NULL;
    const char *name = names;
    for (int i = 0; i < COUNT; ++i) {
        function *it = is_there ? (function *)lookup(library, name) : NULL;
        __atomic_store_n(&found[i], it != NULL ? it : absent, __ATOMIC_RELAXED);
        name += __builtin_strlen(name) + 1;
    }
    __atomic_store_n(&has_looked, 1, __ATOMIC_RELEASE);
    errno = before;
}

static inline function *find(int number) {
    if (!__atomic_load_n(&has_looked, __ATOMIC_ACQUIRE)) {
        look();
    }
    return __atomic_load_n(&found[number], __ATOMIC_RELAXED);
}

// Arguments and results are words, or fit into the registers of words. Each is a jump, so what unwinds sees no frame of theirs.
#define FORWARD(number, name) \
    word name(word a, word b, word c); \
    word name(word a, word b, word c) { \
        return find(number)(a, b, c); \
    }

FORWARD(RAISE, _Unwind_RaiseException)
FORWARD(DELETE, _Unwind_DeleteException)
FORWARD(BACKTRACE, _Unwind_Backtrace)
FORWARD(LANGUAGE_DATA, _Unwind_GetLanguageSpecificData)
FORWARD(REGION_START, _Unwind_GetRegionStart)
FORWARD(TEXT_BASE, _Unwind_GetTextRelBase)
FORWARD(DATA_BASE, _Unwind_GetDataRelBase)
FORWARD(IP, _Unwind_GetIP)
FORWARD(IP_INFO, _Unwind_GetIPInfo)
FORWARD(CFA, _Unwind_GetCFA)
FORWARD(SET_IP, _Unwind_SetIP)
FORWARD(SET_GR, _Unwind_SetGR)
FORWARD(ENCLOSING, _Unwind_FindEnclosingFunction)
#ifdef IS_TOLD
FORWARD(REGISTER_FRAME, __register_frame)
FORWARD(DEREGISTER_FRAME, __deregister_frame)
#endif

// An exception is on its way, so there is an unwinder, and this does not return.
__attribute__((noreturn)) void _Unwind_Resume(word exception);
__attribute__((noreturn)) void _Unwind_Resume(word exception) {
    find(RESUME)(exception, 0, 0);
    abort();
}
