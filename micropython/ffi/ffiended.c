// Threads of MicroPython's own that have ended.
//
// C's destructors at a thread's end may call back when MicroPython's part of the thread is over. The thread is then like any
// other that MicroPython does not know.

#include "modffi.h"

#if MICROPY_PY_THREAD

#include <pthread.h>

static pthread_key_t ended_key;
static bool has_ended_key;
static FFI_THREAD_LOCAL bool has_ended;

FFI_ALIGNS_STACK static void thread_ends(void *unused) {
    (void)unused;
    has_ended = true;
    ffi_innermost = FARCALL_NO_FRAME; // it may have been cancelled within a call
}

static void make_ended_key(void) {
    has_ended_key = pthread_key_create(&ended_key, thread_ends) == 0;
}

void ffi_watch_thread(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    if (mp_thread_get_state() == &mp_state_ctx.thread) {
        return;
    }
    pthread_once(&once, make_ended_key);
    if (has_ended_key) {
        pthread_setspecific(ended_key, &ended_key);
    }
}

// Other destructors may run ahead of that. The state of a thread lies on its stack, in the first frame of MicroPython's;
// and while Python runs, whatever catches the next exception lies in that frame or below it.
#define FIRST_FRAME (4096)
#define LARGEST_STACK (1 << 30)

bool ffi_thread_has_ended(const mp_state_thread_t *state) {
    if (state == &mp_state_ctx.thread) {
        return false;
    }
    if (has_ended || mp_thread_get_state() != state || state->stack_top != (const char *)(state + 1)) {
        return true;
    }
    intptr_t depth = (intptr_t)((uintptr_t)state->stack_top - (uintptr_t)state->nlr_top);
    return depth < -FIRST_FRAME || depth > LARGEST_STACK;
}

#endif // MICROPY_PY_THREAD
