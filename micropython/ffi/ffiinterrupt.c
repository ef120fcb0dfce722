// Ctrl-C.
//
// The unix port raises KeyboardInterrupt out of the handler of SIGINT, at any instruction, through whatever is on the stack. So a
// handler of ours comes ahead of the port's:
//
//   in a C function that was called      the port's handler jumps out of it, and the call is taken off the list of those in progress
//   where the engine's functions run     it waits for their end
//   elsewhere                            the virtual machine raises it when it looks for such next, which is soon
//
// That may take long: Python may call C right after, or wait in a system call that the kernel restarts. A timer's signal ends both.

#include "modffi.h"

// The linker leads all calls of these functions to those that wrap them. See micropython.mk.
#if FFI_WRAPS_SET_INTERRUPT_CHAR
void __real_mp_hal_set_interrupt_char(char c);
void __wrap_mp_hal_set_interrupt_char(char c);
#if defined(__linux__)
FFI_NORETURN void __real_nlr_jump(void *value);
FFI_NORETURN void __wrap_nlr_jump(void *value);
#endif
#endif

// The port's collector waits by sem_wait() until another thread has looked at its stack, and takes every return for that. A signal with
// a handler, ours or another, makes it return too. The collector would then free what that thread alone refers to, and each later
// collection would be one thread ahead as well.
#if FFI_WRAPS_SEM_WAIT
#include <errno.h>
#include <semaphore.h>

int __real_sem_wait(sem_t *semaphore);
int __wrap_sem_wait(sem_t *semaphore);

int __wrap_sem_wait(sem_t *semaphore) {
    int result;
    do {
        result = __real_sem_wait(semaphore);
    } while (result != 0 && errno == EINTR);
    return result;
}
#endif

FFI_THREAD_LOCAL volatile sig_atomic_t ffi_interrupts_held;
FFI_THREAD_LOCAL volatile int ffi_cancelling;

#if FFI_WATCHES_INTERRUPTS

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "py/gc.h"
#include "py/mphal.h"

FFI_THREAD_LOCAL volatile sig_atomic_t ffi_interrupt_waits;

// The handler that the port has installed, and the thread that did so, which is the main one.
static void (*volatile port_handler)(int);
static pthread_t main_thread;

// Has this thread a mutex of MicroPython's, or is it about to take or give it? The C library can tell; other threads do not matter.
#if MICROPY_PY_THREAD && !MICROPY_PY_THREAD_GIL
static bool is_in_mutex(pthread_mutex_t *mutex) {
    #if defined(__GLIBC__)
    int owner = mutex->__data.__owner;
    return mutex->__data.__lock != 0 && (owner == 0 || owner == (int)syscall(SYS_gettid));
    #else
    // One that this thread has already can be had again.
    bool is_free = pthread_mutex_trylock(mutex) == 0;
    if (is_free) {
        pthread_mutex_unlock(mutex);
    }
    return !is_free;
    #endif
}
#endif

// Is another thread's collection looking at this thread's stack? That happens in a handler of the port's, whose signal is blocked
// meanwhile, and the collector waits for its end.
#if MICROPY_PY_THREAD && !MICROPY_PY_THREAD_GIL
static bool is_being_scanned(void) {
    sigset_t blocked;
    return pthread_sigmask(SIG_BLOCK, NULL, &blocked) == 0 && sigismember(&blocked, FFI_COLLECTOR_SIGNAL) == 1;
}
#else
static bool is_being_scanned(void) {
    return false;
}
#endif

// A jump out of the allocator, the collector or an atomic section would leave them locked for good. Releases before 1.25 do not tell a collection from a
// lock of the script's.
static bool is_allocating(void) {
    #ifdef GC_COLLECT_FLAG
    bool is_collecting = (MP_STATE_MAIN_THREAD(gc_lock_depth) & GC_COLLECT_FLAG) != 0;
    #else
    bool is_collecting = MP_STATE_MAIN_THREAD(gc_lock_depth) != 0;
    #endif
    is_collecting = is_collecting || is_being_scanned() || ffi_is_in_atomic_section();
    #if MICROPY_PY_THREAD && !MICROPY_PY_THREAD_GIL
    return is_collecting || is_in_mutex(&MP_STATE_MEM(gc_mutex)) || is_in_mutex(&MP_STATE_VM(qstr_mutex));
    #else
    return is_collecting;
    #endif
}

// The innermost call that a jump would leave: stacks grow downwards, and raising jumps to `nlr_top`. NULL where Python code runs, or
// the interpreter itself.
static const ffi_frame_t *call_to_leave(void) {
    const ffi_frame_t *frame = ffi_innermost_frame();
    return (const void *)frame < (const void *)MP_STATE_MAIN_THREAD(nlr_top) ? frame : NULL;
}

// Is KeyboardInterrupt scheduled?
static bool is_scheduled(void) {
    return MP_STATE_MAIN_THREAD(mp_pending_exception) == MP_OBJ_FROM_PTR(&MP_STATE_VM(mp_kbd_exception));
}

static void jump(void) {
    const ffi_frame_t *frame;
    while ((frame = call_to_leave()) != NULL) {
        ffi_unlink(frame);
    }
    if (is_scheduled()) {
        MP_STATE_MAIN_THREAD(mp_pending_exception) = MP_OBJ_NULL;
    }
    port_handler(SIGINT);
}

#if defined(__linux__)

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

// The signal of the timer: the one after the port's own. It comes to the main thread.
#define NUDGE (SIGRTMIN + 6)
#define NUDGE_NANOSECONDS (10000000)

// So often it comes before an interrupt leaves whatever it is that keeps the virtual machine from looking.
#define MOST_NUDGES (25)

static volatile sig_atomic_t is_nudge_set, nudges;
static volatile int timer = -1;

static void on_nudge(int number);

// No time at all takes it back.
static bool set_nudge(long nanoseconds) {
    const struct itimerspec once = { .it_value = { .tv_nsec = nanoseconds } };
    return syscall(SYS_timer_settime, timer, 0, &once, NULL) == 0;
}

// Runs in signal handlers, so it calls nothing but the system.
void ffi_nudge_later(void) {
    if (is_nudge_set) {
        return;
    }
    int kept = errno;
    is_nudge_set = 1;
    // A child of fork() has no timer yet.
    if (timer == -1 || !set_nudge(NUDGE_NANOSECONDS)) {
        struct sigaction action = { .sa_handler = on_nudge };
        struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = NUDGE };
        event.sigev_notify_thread_id = (int)syscall(SYS_gettid);
        int created = -1;
        bool is_created = sigaction(NUDGE, &action, NULL) == 0
            && syscall(SYS_timer_create, CLOCK_MONOTONIC, &event, &created) == 0;
        timer = created;
        is_nudge_set = is_created && set_nudge(NUDGE_NANOSECONDS);
    }
    errno = kept;
}

static bool is_patience_over(void) {
    return is_scheduled() && nudges >= MOST_NUDGES;
}

// Whatever is raised passes here. Once what was scheduled is raised, the timer has nothing to end, and shall not end the system calls
// that follow.
FFI_NORETURN void __wrap_nlr_jump(void *value) {
    if (MP_UNLIKELY(is_nudge_set) && MP_STATE_MAIN_THREAD(mp_pending_exception) == MP_OBJ_NULL) {
        nudges = 0;
        is_nudge_set = 0;
        set_nudge(0);
    }
    __real_nlr_jump(value);
}

// A system call that this comes into ends: the handler is installed without SA_RESTART.
static void on_nudge(int number) {
    (void)number;
    is_nudge_set = 0;
    if (MP_STATE_MAIN_THREAD(mp_pending_exception) == MP_OBJ_NULL) {
        nudges = 0;
        return;
    }
    nudges = nudges + 1;
    bool may_jump = is_scheduled() && ffi_interrupts_held == 0 && !is_allocating();
    if (may_jump && (call_to_leave() != NULL || is_patience_over())) {
        jump();
    }
    ffi_nudge_later();
}

#else

void ffi_nudge_later(void) {
}

// The second Ctrl-C leaves what the first did not end.
static bool is_patience_over(void) {
    return is_scheduled();
}

#endif

static void on_interrupt(int number) {
    if (!pthread_equal(pthread_self(), main_thread)) {
        // Perhaps one of C's own threads, where nothing can be raised.
        int kept = errno;
        pthread_kill(main_thread, number);
        errno = kept;
    } else if (ffi_interrupts_held > 0) {
        ffi_interrupt_waits = 1;
    } else if (!is_allocating() && (call_to_leave() != NULL || is_patience_over())) {
        jump();
    } else {
        mp_sched_keyboard_interrupt();
        ffi_nudge_later();
    }
}

void ffi_take_interrupt(void) {
    ffi_interrupt_waits = 0;
    raise(SIGINT);
}

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

#elif FFI_WRAPS_SET_INTERRUPT_CHAR

// A port that only schedules KeyboardInterrupt has no need of this.
void __wrap_mp_hal_set_interrupt_char(char c) {
    __real_mp_hal_set_interrupt_char(c);
}

#if defined(__linux__)
void __wrap_nlr_jump(void *value) {
    __real_nlr_jump(value);
}
#endif

#endif
