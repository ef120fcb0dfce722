// The lock that all threads share, in a MicroPython that has one.
//
// A signal may come while its thread takes that lock or gives it back: the virtual machine does both every few jumps, a call into C once
// each. A callback that is the signal's handler must know which it was. A mutex of the C library does not tell: it has been taken
// for some instructions before it says by whom, and to take it from a handler then is an assertion that fails, or a thread that waits
// for itself. So the lock is one word of ours, which changes by one instruction and names the thread that has it. MicroPython's own mutex
// for it is not used any more: the linker leads all calls to the functions here.

#include "modffi.h"

#if MICROPY_PY_THREAD && FFI_WRAPS_MUTEX

int __real_mp_thread_mutex_lock(mp_thread_mutex_t *mutex, int wait);
int __wrap_mp_thread_mutex_lock(mp_thread_mutex_t *mutex, int wait);
void __real_mp_thread_mutex_unlock(mp_thread_mutex_t *mutex);
void __wrap_mp_thread_mutex_unlock(mp_thread_mutex_t *mutex);

#if MICROPY_PY_THREAD_GIL

#include <errno.h>
#include <unistd.h>

#if defined(__linux__)
#include <linux/futex.h>
#include <sys/syscall.h>
#endif

// What the word names a thread by is the address of a variable of the thread's own, which is even. Added to it once another thread waits.
#define WAITED_FOR ((uintptr_t)1)

// 0 while no thread has the lock.
static uintptr_t holder;

static uintptr_t this_thread(void) {
    return (uintptr_t)&ffi_innermost;
}

static bool change(uintptr_t from, uintptr_t to) {
    return __atomic_compare_exchange_n(&holder, &from, to, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

// Waits until the word may be another one than this.
static void await_change(uintptr_t from) {
    int kept = errno;
    #if defined(__linux__)
    // The kernel compares half of the word, the one with the mark in it.
    syscall(SYS_futex, &holder, FUTEX_WAIT_PRIVATE, (uint32_t)from, NULL, NULL, 0);
    #else
    (void)from;
    usleep(50);
    #endif
    errno = kept;
}

static void wake_one(void) {
    #if defined(__linux__)
    int kept = errno;
    syscall(SYS_futex, &holder, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    errno = kept;
    #endif
}

// Who has waited cannot know whether others still do, so it takes the lock as one that is waited for.
static void take_after_others(uintptr_t me) {
    for (;;) {
        uintptr_t now = __atomic_load_n(&holder, __ATOMIC_RELAXED);
        if (now == 0) {
            if (change(0, me | WAITED_FOR)) {
                return;
            }
        } else if ((now & WAITED_FOR) != 0 || change(now, now | WAITED_FOR)) {
            await_change(now | WAITED_FOR);
        }
    }
}

bool ffi_has_gil(void) {
    return (__atomic_load_n(&holder, __ATOMIC_RELAXED) & ~WAITED_FOR) == this_thread();
}

int __wrap_mp_thread_mutex_lock(mp_thread_mutex_t *mutex, int wait) {
    if (mutex != &MP_STATE_VM(gil_mutex)) {
        return __real_mp_thread_mutex_lock(mutex, wait);
    }
    uintptr_t me = this_thread();
    if (change(0, me)) {
        return 1;
    }
    if (!wait) {
        return 0;
    }
    take_after_others(me);
    return 1;
}

void __wrap_mp_thread_mutex_unlock(mp_thread_mutex_t *mutex) {
    if (mutex != &MP_STATE_VM(gil_mutex)) {
        __real_mp_thread_mutex_unlock(mutex);
    } else if ((__atomic_exchange_n(&holder, 0, __ATOMIC_RELEASE) & WAITED_FOR) != 0) {
        wake_one();
    }
}

#else

int __wrap_mp_thread_mutex_lock(mp_thread_mutex_t *mutex, int wait) {
    return __real_mp_thread_mutex_lock(mutex, wait);
}

void __wrap_mp_thread_mutex_unlock(mp_thread_mutex_t *mutex) {
    __real_mp_thread_mutex_unlock(mutex);
}

#endif

#endif
