// What the files of the ffi module share: its objects, and the steps that more than one of them takes.
//
//   modffi.c      the module: open, func, callback, as_bytearray
//   ffimod.c      a loaded library
//   ffifunc.c     a C function: calls into C
//   fficallback.c a Python function for C: calls out of C
//   ffithread.c   callbacks on threads that MicroPython does not know
//   ffiended.c    threads of MicroPython's own that have ended
//   ffiproto.c    functions and callbacks of C types
//   ffivalue.c    objects to values of C types and back
//   ffivar.c      a C variable
//   ffierrno.c    what C left in errno
//   ffimodel.c    the layout of objects, for machine code that takes and gives them
//   convert.c     objects to slots and back; nothing else knows what a code means for an object
//   ffiraise.c    everything that went wrong, as exceptions
//   ffilock.c     the locks of MicroPython's that signals' handlers take
//   ffiinterrupt.c Ctrl-C, which the unix port raises at any instruction
//
// Nothing here lets a non-local exit cross a frame of C that is not ours, Ctrl-C apart: a callback catches everything, and
// what it caught is raised again by the call that C was in.

#ifndef FARCALL_MODFFI_H
#define FARCALL_MODFFI_H

#include <signal.h>

#include "py/mpthread.h"
#include "py/runtime.h"
#include "compat.h"
#include "farcall.h"

#if MICROPY_PY_FFI
#error "farcall replaces the port's own ffi module: build with MICROPY_PY_FFI=0"
#endif

// State of a thread is needed whether or not Python has threads: C may call us from one that Python did not make.
#ifndef FFI_THREAD_LOCAL
#define FFI_THREAD_LOCAL __thread
#endif

// A call into C in progress. It lies on the C stack, where the collector sees the exception it holds. ORDER farcall_frame
typedef struct _ffi_frame_t {
    farcall_thread prev; // the thread's variable as it was before; FARCALL_WAITS is set in it while an exception waits
    mp_obj_t pending; // that exception, which a callback ended in
} ffi_frame_t;

// Two words that each thread has of its own, and the engine's code reads and writes as well:
//
//   ffi_innermost     the address of the innermost frame plus FARCALL_FRAME_TAG; FARCALL_NO_FRAME if there is none, 0 ahead
//                     of the first
//   ffi_known_state   MicroPython's state of the thread, kept because fetching it takes a call each time; NULL ahead of the
//                     first use
typedef const mp_state_thread_t *ffi_known_state_t;
#if defined(_WIN64) && defined(__x86_64__)
// Where compilers find thread-local variables on Windows, the engine's code cannot. Slots of TlsAlloc() may lie in the
// thread's environment block, so many bytes from its start. Both are 0 if there are none.
extern size_t ffi_innermost_slot, ffi_known_state_slot;
extern FFI_THREAD_LOCAL void *ffi_own_words[5];

static inline void *ffi_thread_word(size_t slot, size_t index) {
    if (MP_UNLIKELY(slot == 0)) {
        return &ffi_own_words[index];
    }
    char *block; // the block begins with an NT_TIB, which has its own address at 0x30
    __asm__ ("mov %%gs:0x30, %0" : "=r" (block));
    return block + slot;
}

#define ffi_innermost (*(volatile farcall_thread *)ffi_thread_word(ffi_innermost_slot, 0))
#define ffi_known_state (*(ffi_known_state_t *)ffi_thread_word(ffi_known_state_slot, 1))
#else
extern FFI_THREAD_LOCAL volatile farcall_thread ffi_innermost;
extern FFI_THREAD_LOCAL ffi_known_state_t ffi_known_state;
#endif

#include "ffierrno.h"

// MicroPython's state of this thread; NULL in a thread that it did not make.
static inline const mp_state_thread_t *ffi_state(void) {
    #if MICROPY_PY_THREAD
    const mp_state_thread_t *state = ffi_known_state;
    if (MP_UNLIKELY(state == NULL)) {
        state = mp_thread_get_state();
        ffi_known_state = state;
    }
    return state;
    #else
    return &mp_state_ctx.thread;
    #endif
}

// How often this thread holds what would leave the engine's functions by anything but `return`: Ctrl-C, see ffiinterrupt.c; and the
// unix port's way to end its threads when the interpreter ends, which is to cancel them at any instruction. That unwinds the stack,
// and by an unwinder that Rust's frames do not know. What comes between ffi_hold_interrupts() and ffi_let_interrupts() happens in
// the latter. They nest.
#if MICROPY_PY_THREAD && !defined(_WIN32) && !defined(__ANDROID__)
#include <pthread.h>

static inline int ffi_hold_cancelling(void) {
    int before;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    return before;
}

static inline void ffi_let_cancelling(int before) {
    pthread_setcancelstate(before, &before);
}
#else
static inline int ffi_hold_cancelling(void) {
    return 0;
}

static inline void ffi_let_cancelling(int before) {
    (void)before;
}
#endif

extern FFI_THREAD_LOCAL volatile sig_atomic_t ffi_interrupts_held;
// Whether the thread may be cancelled when nothing holds that.
extern FFI_THREAD_LOCAL volatile int ffi_cancelling;

#if MICROPY_ASYNC_KBD_INTR && FFI_WRAPS_SET_INTERRUPT_CHAR
#define FFI_WATCHES_INTERRUPTS (1)

extern FFI_THREAD_LOCAL volatile sig_atomic_t ffi_interrupt_waits;
void ffi_take_interrupt(void);
// Ends a system call that a scheduled exception waits for.
void ffi_nudge_later(void);
#else
#define FFI_WATCHES_INTERRUPTS (0)
#define ffi_interrupt_waits (0)

static inline void ffi_take_interrupt(void) {
}

static inline void ffi_nudge_later(void) {
}
#endif

// A signal handler that does the same may come between any two of these steps.
static inline void ffi_hold_interrupts(void) {
    int cancelling = ffi_hold_cancelling();
    ffi_interrupts_held = ffi_interrupts_held + 1;
    if (ffi_interrupts_held == 1) {
        ffi_cancelling = cancelling;
    }
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static inline void ffi_let_interrupts(void) {
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    int cancelling = ffi_cancelling;
    ffi_interrupts_held = ffi_interrupts_held - 1;
    if (ffi_interrupts_held == 0) {
        ffi_let_cancelling(cancelling);
        if (MP_UNLIKELY(ffi_interrupt_waits)) {
            ffi_take_interrupt();
        }
    }
}

// How many hold it, to be set for Python code that runs in the course of one.
static inline int ffi_get_interrupts_held(void) {
    return ffi_interrupts_held;
}

static inline void ffi_set_interrupts_held(int count) {
    int cancelling = ffi_cancelling;
    if (MP_LIKELY(ffi_interrupts_held == count)) {
        return;
    }
    if (count != 0) {
        ffi_hold_cancelling();
    }
    ffi_interrupts_held = count;
    if (count == 0) {
        ffi_let_cancelling(cancelling);
    }
}

#if MICROPY_PY_THREAD
#include <signal.h>

// The unix port's collector reaches other threads by this signal. One that blocks it has the collector wait for ever.
#ifdef SIGRTMIN
#define FFI_COLLECTOR_SIGNAL (SIGRTMIN + 5)
#else
#define FFI_COLLECTOR_SIGNAL (SIGUSR1)
#endif

// musl calls what a cancelled thread has to do wherever its stack pointer is.
#if defined(__x86_64__)
#define FFI_ALIGNS_STACK __attribute__((force_align_arg_pointer))
#else
#define FFI_ALIGNS_STACK
#endif

// ffiended.c
// Has a thread of MicroPython's be one that it does not know as soon as it has ended.
void ffi_watch_thread(void);
#endif

// Tells the engine of this thread, once. Its code asks no further than whether that has happened.
static inline void ffi_register_thread(void) {
    if (MP_UNLIKELY(ffi_innermost == 0)) {
        ffi_known_state = ffi_state();
        ffi_hold_interrupts();
        ffi_errno_find();
        #if MICROPY_PY_THREAD
        ffi_watch_thread();
        #endif
        farcall_thread_register(&ffi_innermost);
        ffi_innermost = FARCALL_NO_FRAME;
        ffi_let_interrupts();
    }
}

// ffilock.c
#if MICROPY_PY_THREAD && FFI_WRAPS_LOCKS
bool ffi_is_in_atomic_section(void);
#else
#define ffi_is_in_atomic_section() (false)
#endif

// Where MicroPython has one lock for all threads, it is given up around calls into C, and callbacks take it again. Code that works
// on objects knows nothing of that, so there is none then.
#if MICROPY_PY_THREAD && MICROPY_PY_THREAD_GIL
#if FFI_WRAPS_LOCKS
bool ffi_has_gil(void);

static inline void ffi_give_up_gil(void) {
    MP_THREAD_GIL_EXIT();
}

static inline void ffi_take_gil(void) {
    MP_THREAD_GIL_ENTER();
}
#else
// Has this thread given the lock up? It may also be just about to do that, or to take it again. The virtual machine does both unseen.
enum ffi_gil_t { FFI_GIL_TAKEN, FFI_GIL_CHANGES, FFI_GIL_GIVEN_UP };
extern FFI_THREAD_LOCAL volatile enum ffi_gil_t ffi_gil;

static inline void ffi_give_up_gil(void) {
    ffi_gil = FFI_GIL_CHANGES;
    MP_THREAD_GIL_EXIT();
    ffi_gil = FFI_GIL_GIVEN_UP;
}

static inline void ffi_take_gil(void) {
    ffi_gil = FFI_GIL_CHANGES;
    MP_THREAD_GIL_ENTER();
    ffi_gil = FFI_GIL_TAKEN;
}
#endif
#else
#define ffi_give_up_gil() ((void)0)
#define ffi_take_gil() ((void)0)
#endif

static inline ffi_frame_t *ffi_innermost_frame(void) {
    return ffi_innermost <= FARCALL_NO_FRAME ? NULL : (ffi_frame_t *)(ffi_innermost - FARCALL_FRAME_TAG);
}

static inline void ffi_link(ffi_frame_t *frame) {
    frame->prev = ffi_innermost;
    // Ctrl-C may come between these two, and follows the chain.
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    ffi_innermost = (farcall_thread)frame + FARCALL_FRAME_TAG;
    #if !defined(_WIN32) && (!defined(__linux__) || defined(__ANDROID__))
    // Whoever closes a library cannot have this thread pass a fence there.
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    #endif
}

static inline void ffi_unlink(const ffi_frame_t *frame) {
    // Whoever sees that this thread is out again also sees all that it did inside.
    __atomic_store_n(&ffi_innermost, frame->prev & ~FARCALL_WAITS, __ATOMIC_RELEASE);
}

// Does an exception wait for the end of the call?
static inline bool ffi_waits(const ffi_frame_t *frame) {
    return (frame->prev & FARCALL_WAITS) != 0;
}

// Owns what the engine made for an object. It is an object of its own because finalisers are methods, and a script must
// not be able to call this one.
typedef struct _ffi_keeper_t {
    mp_obj_base_t base;
    const farcall_signature *signature;
    union {
        farcall_callback *callback;
        const farcall_scope *scope; // where there is no signature
    };
    struct _ffi_scope_t *names; // keeps the layouts of structs that are made
} ffi_keeper_t;

typedef struct _mp_obj_ffimod_t {
    mp_obj_base_t base;
    farcall_library *volatile library; // NULL once closed
    mp_obj_t path; // a str, or None for the program itself
    struct _ffi_scope_t *names; // the namespace that it was opened with, or NULL
    mp_obj_t declared; // then a dict of the functions and variables that have been asked for
} mp_obj_ffimod_t;

typedef struct _mp_obj_ffifunc_t {
    mp_obj_base_t base;
    const farcall_signature *signature;
    const void *address;
    mp_obj_t (*call)(mp_obj_t self, size_t n_args, size_t n_kw, const mp_obj_t *args);
    const mp_obj_ffimod_t *module; // &ffi_no_module if made from an address
    mp_obj_t name; // a str, or MP_OBJ_NULL if made from an address
    ffi_keeper_t *keeper;
    struct _ffi_extension_t *extension; // a variadic prototype's latest call
} mp_obj_ffifunc_t;

typedef struct _mp_obj_fficallback_t {
    mp_obj_base_t base;
    struct _mp_obj_fficallback_t *prev; // the list of all open callbacks, which keeps them alive
    struct _mp_obj_fficallback_t *next;
    void *volatile code; // NULL once closed
    const farcall_signature *signature;
    mp_obj_t function; // keeps it alive; what is called stands in ffi_entered_t
    mp_obj_t kept; // the latest result that C has a pointer to
    ffi_keeper_t *keeper;
    qstr name; // the function's own, or MP_QSTRnull
} mp_obj_fficallback_t;

// Stands for the library of a function that was made from an address. It is never closed.
extern const mp_obj_ffimod_t ffi_no_module;

extern const mp_obj_type_t ffi_keeper_type;
extern const mp_obj_type_t ffimod_type;
extern const mp_obj_type_t ffifunc_type;
extern const mp_obj_type_t fficallback_type;
extern const mp_obj_type_t ffivar_type;

// modffi.c
ffi_keeper_t *ffi_new_keeper(void);
// For a signature that it has just been given.
void ffi_keep_names(ffi_keeper_t *keeper);
// Reads the codes or C types of a result and of arguments, and has `keeper` keep the signature.
void ffi_read_signature(mp_obj_t result, mp_obj_t args, bool is_callback, ffi_keeper_t *keeper);
// The code that a str or bytes begins with: the port's own module looks no further. `what` is for the exception.
const char *ffi_get_code(mp_obj_t code, const char *what, size_t *len);
const char *ffi_get_c_string(mp_obj_t text);
bool ffi_get_address(mp_obj_t obj, uint64_t *address);
// The address of a function; raises an exception if it is none.
void *ffi_get_function_address(mp_obj_t address);
// Raises RuntimeError if the C stack is too short for a call with so many slots.
void ffi_check_stack(const mp_state_thread_t *state, size_t slots);

// ffimod.c
// The address of what has that name there. Raises an exception if there is nothing.
void *ffi_find_symbol(const mp_obj_ffimod_t *module, mp_obj_t name);
// `args` are the path, and at most a namespace and flags.
mp_obj_t ffi_new_library(size_t n_args, const mp_obj_t *args);

// ffifunc.c
mp_obj_t ffi_new_func(mp_obj_t result, mp_obj_t args, void *address, const mp_obj_ffimod_t *module, mp_obj_t name);
mp_obj_t ffifunc_call_slots(mp_obj_t self, size_t n_args, size_t n_kw, const mp_obj_t *args);
// A function object for a signature that the keeper keeps.
mp_obj_t ffi_wrap_func(ffi_keeper_t *keeper, const void *address, const mp_obj_ffimod_t *module, mp_obj_t name);
// Has the engine's own code serve this function from now on, if there is some by now.
void ffi_take_object_call(mp_obj_ffifunc_t *self);
// Calls the C function: by the function's own signature, or by a longer one. Raises what comes of it.
void ffi_call(const mp_obj_ffifunc_t *self, const farcall_signature *signature, const uint64_t *slots, uint64_t *result);

// ffiproto.c
// Of a prototype in C. `scope` NULL is the newest namespace in which it makes sense. Without an address it is the function of that name in the
// module.
mp_obj_t ffi_new_declared_func(const farcall_scope *scope, mp_obj_t text, void *address, const mp_obj_ffimod_t *module);
mp_obj_t ffi_new_declared_callback(const farcall_scope *scope, mp_obj_t text, mp_obj_t function, bool lock);
mp_obj_t ffi_call_declared(mp_obj_ffifunc_t *self, size_t n_args, size_t n_kw, const mp_obj_t *args);
// A text of C in a str or bytes.
const char *ffi_get_c_text(mp_obj_t text, size_t *len);

// ffimodel.c
// Has the engine ask how this MicroPython lays out its objects once its code is to work on them, if it can. Ahead of all calls.
void ffi_set_object_model(void);
// Tells it now. Ahead of callbacks: threads that MicroPython does not know may be the first to need code for them.
void ffi_tell_object_model(void);

// fficallback.c
extern const mp_obj_fun_builtin_var_t ffi_callback_obj;
// What C finds behind a function pointer.
typedef struct _ffi_entered_t ffi_entered_t;
// Runs a callback for a thread that cannot, on one of MicroPython's. Returns false if it has been closed.
bool ffi_run_for_foreign_thread(ffi_entered_t *entered, const uint64_t *args, uint64_t *result);
void ffi_free_callback(farcall_callback *callback);
// A callback of a signature that the keeper keeps.
mp_obj_t ffi_wrap_callback(ffi_keeper_t *keeper, mp_obj_t function, bool lock);
// As its method, but what waits is not raised.
void ffi_close_callback(mp_obj_t callback);

// ffithread.c
#if MICROPY_PY_THREAD
// Has a thread of MicroPython's run a callback, and waits for the result.
uint64_t ffi_call_on_server(ffi_entered_t *entered, const uint64_t *args);

// ffiended.c
// Has MicroPython's part of this thread come to its end, although there is a state of it?
bool ffi_thread_has_ended(const mp_state_thread_t *state);
#endif

// ffivar.c
mp_obj_t ffi_new_var(mp_obj_t code, void *address, const mp_obj_ffimod_t *module, mp_obj_t name);
// Of a declaration in C, at the address of that name in the module. `scope` NULL is as for functions.
mp_obj_t ffi_new_declared_var(const farcall_scope *scope, mp_obj_t text, const mp_obj_ffimod_t *module);

// convert.c
typedef enum {
    FFI_CONVERTED,
    FFI_WRONG_KIND,
    FFI_CLOSED, // the right kind of object, but closed
    // Of C types:
    FFI_OUT_OF_RANGE,
    FFI_WRONG_SIZE, // a buffer that is no struct
    FFI_NO_CONSTANT, // a str that is none of an enumeration's
    FFI_CALLABLE, // a Python function where C takes a pointer to one
} ffi_conversion_t;

ffi_conversion_t ffi_slot_from_obj(farcall_kind kind, mp_obj_t obj, uint64_t *slot);
// The same for a variable, which would outlive a buffer.
ffi_conversion_t ffi_stored_from_obj(farcall_kind kind, mp_obj_t obj, uint64_t *slot);
mp_obj_t ffi_obj_from_slot(farcall_kind kind, uint64_t slot);
// None, an int, of which these are the low bits, or something that is a C function.
ffi_conversion_t ffi_slot_from_address(mp_obj_t obj, uint64_t *slot);
// May C keep what it gets for the object?
bool ffi_may_stay(mp_obj_t obj);
bool ffi_get_float(mp_obj_t obj, double *value);
// What ffi_slot_from_obj() takes, in words.
const char *ffi_kind_wants(farcall_kind kind);
const char *ffi_kind_stores(farcall_kind kind);
static inline bool ffi_kind_is_integer(farcall_kind kind) {
    return kind == FARCALL_INT || kind == FARCALL_UINT;
}
// Does C get a pointer into the object?
bool ffi_kind_borrows(farcall_kind kind);

// ffivalue.c
// The same for values of C types. `slots` are the value's own.
ffi_conversion_t ffi_value_from_obj(const farcall_value *value, const farcall_scope *scope, mp_obj_t obj, uint64_t *slots);
mp_obj_t ffi_obj_from_value(const farcall_value *value, const farcall_scope *scope, const uint64_t *slots);
// For machine code, see farcall_object_model: where a struct's bytes are that is an argument, and an object of a result that is one.
const void *ffi_find_bytes(mp_obj_t obj, mp_obj_t func, size_t index);
mp_obj_t ffi_new_of_bytes(const void *bytes, mp_obj_t func);
// Is an int one of a type of `width` bytes? Its low 64 bits go to `*low`, the others to `*high`.
bool ffi_get_ranged(mp_obj_t obj, size_t width, bool is_signed, uint64_t *low, uint64_t *high);
FFI_NORETURN void ffi_raise_value(ffi_conversion_t why, const char *where, const char *type, const farcall_value *value,
    mp_obj_t obj);

// ffiraise.c
// Enough for "argument N of NAME" with any sensible name; longer ones are cut.
#define FFI_WHERE_LEN (120)

FFI_NORETURN void ffi_raise(farcall_status status, const farcall_error *error);
FFI_NORETURN void ffi_raise_count(const mp_obj_ffifunc_t *func, size_t n_args, size_t n_kw);
FFI_NORETURN void ffi_raise_closed_library(mp_obj_t user, const mp_obj_ffimod_t *module);
FFI_NORETURN void ffi_raise_conversion(ffi_conversion_t why, const char *where, char code, const char *wanted,
    mp_obj_t obj);
FFI_NORETURN void ffi_raise_argument(const mp_obj_ffifunc_t *func, size_t index, ffi_conversion_t why, mp_obj_t obj);
// The same for a function of C types.
FFI_NORETURN void ffi_raise_declared_count(const mp_obj_ffifunc_t *func, size_t n_args, size_t n_kw);
FFI_NORETURN void ffi_raise_declared_argument(const mp_obj_ffifunc_t *func, size_t index, ffi_conversion_t why, mp_obj_t obj);
const char *ffi_path(const mp_obj_ffimod_t *module);
const char *ffi_callback_name(const mp_obj_fficallback_t *callback);
// " int(const char *)>", or the codes.
void ffi_print_signature(const mp_print_t *print, const farcall_signature *signature);
void ffi_print_address(const mp_print_t *print, const void *address);

#endif // FARCALL_MODFFI_H
