// errno as C left it. Whatever the interpreter does between two calls may change the C library's own: so each thread keeps the number
// aside, from the end of a call on.
//
//   ffi_errno_address   where the thread's errno is, for the engine's code; it does not move as long as the thread lives
//   ffi_error_numbers   the numbers as the last call left them, or as a script has set them
//   ffi_errno_given     whether calls begin with these numbers: since the thread first asked for one. A script that never does may set
//                       errno itself, as os.errno() does
//
// The engine's code and the functions here do the same. A callback is a piece of what the call around it does: it sees the numbers
// that C has when it calls back, and what it leaves is what C goes on with, if they are given. Otherwise C goes on with its own.
// modffi.h includes this file.

#ifndef FARCALL_FFIERRNO_H
#define FARCALL_FFIERRNO_H

#include <errno.h>

#if defined(_WIN32)
#include <windows.h>
#endif

// Eight bytes, so that they fit a slot on Windows.
typedef struct {
    int32_t c; // errno
    uint32_t system; // GetLastError() on Windows
} ffi_error_numbers_t;

#if defined(ffi_innermost)
extern size_t ffi_errno_slots[3];
#define ffi_errno_address (*(int **)ffi_thread_word(ffi_errno_slots[0], 2))
#define ffi_error_numbers (*(ffi_error_numbers_t *)ffi_thread_word(ffi_errno_slots[1], 3))
#define ffi_errno_given (*(int32_t *)ffi_thread_word(ffi_errno_slots[2], 4))
#else
extern FFI_THREAD_LOCAL int *ffi_errno_address;
extern FFI_THREAD_LOCAL ffi_error_numbers_t ffi_error_numbers;
extern FFI_THREAD_LOCAL int32_t ffi_errno_given;
#endif

// The system's number is read first and written last: finding the other one may change it.
static inline ffi_error_numbers_t ffi_errno_get(void) {
    ffi_error_numbers_t now;
    #if defined(_WIN32)
    now.system = GetLastError();
    #else
    now.system = 0;
    #endif
    now.c = errno;
    return now;
}

static inline void ffi_errno_set(ffi_error_numbers_t numbers) {
    errno = numbers.c;
    #if defined(_WIN32)
    SetLastError(numbers.system);
    #endif
}

static inline void ffi_errno_find(void) {
    ffi_errno_address = &errno;
}

// Just ahead of a call of a C function, and right behind it.
static inline void ffi_errno_give(void) {
    if (MP_UNLIKELY(ffi_errno_given)) {
        ffi_errno_set(ffi_error_numbers);
    }
}

static inline void ffi_errno_keep(void) {
    ffi_error_numbers_t now = ffi_errno_get();
    ffi_error_numbers = now;
}

// A callback's handler, from beginning to end.
typedef struct {
    ffi_error_numbers_t of_c; // as C had them when it called back
    ffi_error_numbers_t kept; // as they were kept before
    bool apart; // see ffi_errno_enter()
} ffi_errno_callback_t;

// `apart` says that no call of ours has led here: a signal has come, for instance, whose handler must leave everything as it was.
void ffi_errno_enter(ffi_errno_callback_t *callback, bool apart);
void ffi_errno_leave(const ffi_errno_callback_t *callback);

extern const mp_obj_fun_builtin_var_t ffi_errno_obj;
#if defined(_WIN32)
extern const mp_obj_fun_builtin_var_t ffi_last_error_obj;
#endif

#endif // FARCALL_FFIERRNO_H
