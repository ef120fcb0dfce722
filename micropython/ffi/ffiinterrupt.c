// Ctrl-C.
//
// The unix port raises KeyboardInterrupt out of the handler of SIGINT, at any instruction, through whatever is on the stack. So a
// handler of ours comes ahead of the port's. Where a jump would leave a lock taken or a thing half made, it waits; and where it
// jumps, the calls that it jumps over are taken off the list of those in progress.

#include "modffi.h"

#if FFI_WATCHES_INTERRUPTS

#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "py/gc.h"
#include "py/mphal.h"

FFI_THREAD_LOCAL volatile sig_atomic_t ffi_interrupts_held;
FFI_THREAD_LOCAL volatile sig_atomic_t ffi_interrupt_waits;

// The handler that the port has installed, and the thread that did so, which is the main one.
static void (*volatile port_handler)(int);
static pthread_t main_thread;

// A jump out of the collector would leave it locked for good. Releases before 1.25 do not tell it from a lock of the script's.
static bool is_collecting(const mp_state_thread_t *state) {
    #ifdef GC_COLLECT_FLAG
    return (state->gc_lock_depth & GC_COLLECT_FLAG) != 0;
    #else
    return state->gc_lock_depth != 0;
    #endif
}

// Does MicroPython know this thread?
static bool is_known(const mp_state_thread_t *state) {
    #if MICROPY_PY_THREAD
    return state != NULL;
    #else
    (void)state;
    return pthread_equal(pthread_self(), main_thread);
    #endif
}

// Takes the calls off the list that a jump to `landing` leaves. They lie below it, as stacks grow downwards.
static void abandon_calls(const void *landing) {
    const ffi_frame_t *frame;
    while ((frame = ffi_innermost_frame()) != NULL && (const void *)frame < landing) {
        ffi_unlink(frame);
    }
}

static void on_interrupt(int number) {
    const mp_state_thread_t *state = ffi_state();
    if (!is_known(state)) {
        // One of C's own threads: nothing can be raised here.
        int kept = errno;
        pthread_kill(main_thread, number);
        errno = kept;
    } else if (ffi_interrupts_held > 0) {
        ffi_interrupt_waits = 1;
    } else if (is_collecting(state)) {
        mp_sched_keyboard_interrupt();
    } else {
        abandon_calls(state->nlr_top);
        port_handler(number);
    }
}

void ffi_take_interrupt(void) {
    ffi_interrupt_waits = 0;
    raise(SIGINT);
}

// The linker has the port's calls of mp_hal_set_interrupt_char() come here. See micropython.mk.
void __real_mp_hal_set_interrupt_char(char c);
void __wrap_mp_hal_set_interrupt_char(char c);

void __wrap_mp_hal_set_interrupt_char(char c) {
    __real_mp_hal_set_interrupt_char(c);
    struct sigaction action;
    if (c != CHAR_CTRL_C || sigaction(SIGINT, NULL, &action) != 0 || action.sa_handler == on_interrupt) {
        return;
    }
    main_thread = pthread_self();
    port_handler = action.sa_handler;
    action.sa_handler = on_interrupt;
    sigaction(SIGINT, &action, NULL);
}

#endif
