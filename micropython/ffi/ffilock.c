// Two locks of MicroPython's that a signal's handler may take: the one that all threads share, where there is one (GIL), and the
// port's for atomic sections.
//
// A callback that is a signal's handler may have interrupted what takes such a lock or gives it back: the virtual machine does both
// with the first every few jumps, and the collector with the second. The handler must know which it was. A mutex of the C library
// does not tell: it is taken some instructions before it says by whom. To take it from a handler then is an assertion that fails, or a
// thread that waits for itself. So each of these locks is one word here, which changes by one instruction and names the thread
// that has it. The linker leads all calls of the functions here to these.
//
// The port's own file goes on using its mutex for the list of threads, which none of the others touches.

#include "modffi.h"

#if MICROPY_PY_THREAD && FFI_WRAPS_LOCKS

#include <errno.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/syscall.h>

// musl's compiler does not find the kernel's headers.
#define FUTEX_WAIT_PRIVATE (0 | 128)
#define FUTEX_WAKE_PRIVATE (1 | 128)
#endif

// 0, or the thread that has it: the address of a variable of the thread's own, which is even.
typedef uintptr_t word_lock_t;

// Added to it once another thread waits.
#define WAITED_FOR ((uintptr_t)1)

static uintptr_t this_thread(void) {
    return (uintptr_t)&ffi_innermost;
}

static bool is_mine(const word_lock_t *lock) {
    return (__atomic_load_n(lock, __ATOMIC_RELAXED) & ~WAITED_FOR) == this_thread();
}

static bool change(word_lock_t *lock, uintptr_t from, uintptr_t to) {
    return __atomic_compare_exchange_n(lock, &from, to, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

// Waits until the word may be another one than this.
static void await_change(word_lock_t *lock, uintptr_t from) {
    int kept = errno;
    #if defined(__linux__)
    // The kernel compares half of the word, the one with the mark in it.
    syscall(SYS_futex, lock, FUTEX_WAIT_PRIVATE, (uint32_t)from, NULL, NULL, 0);
    #else
    (void)lock;
    (void)from;
    usleep(50);
    #endif
    errno = kept;
}

static void wake_one(word_lock_t *lock) {
    #if defined(__linux__)
    int kept = errno;
    syscall(SYS_futex, lock, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
    errno = kept;
    #else
    (void)lock;
    #endif
}

// Who has waited cannot know whether others still do, so it takes the lock as one that is waited for.
static void take_after_others(word_lock_t *lock) {
    for (;;) {
        uintptr_t now = __atomic_load_n(lock, __ATOMIC_RELAXED);
        if (now == 0) {
            if (change(lock, 0, this_thread() | WAITED_FOR)) {
                return;
            }
        } else if ((now & WAITED_FOR) != 0 || change(lock, now, now | WAITED_FOR)) {
            await_change(lock, now | WAITED_FOR);
        }
    }
}

static bool try_to_take(word_lock_t *lock) {
    return change(lock, 0, this_thread());
}

static void take(word_lock_t *lock) {
    if (!try_to_take(lock)) {
        take_after_others(lock);
    }
}

static void give_back(word_lock_t *lock) {
    if ((__atomic_exchange_n(lock, 0, __ATOMIC_RELEASE) & WAITED_FOR) != 0) {
        wake_one(lock);
    }
}

// Atomic sections, which may lie in each other.

void __wrap_mp_thread_unix_begin_atomic_section(void);
void __wrap_mp_thread_unix_end_atomic_section(void);

static word_lock_t section;

// Of the thread that has the lock: how many more sections it is in.
static volatile unsigned int more_sections;

bool ffi_is_in_atomic_section(void) {
    return is_mine(&section);
}

void __wrap_mp_thread_unix_begin_atomic_section(void) {
    if (is_mine(&section)) {
        more_sections = more_sections + 1;
    } else {
        take(&section);
    }
}

void __wrap_mp_thread_unix_end_atomic_section(void) {
    if (more_sections > 0) {
        more_sections = more_sections - 1;
    } else {
        give_back(&section);
    }
}

// The lock that all threads share. Other mutexes stay what they are.

int __real_mp_thread_mutex_lock(mp_thread_mutex_t *mutex, int wait);
int __wrap_mp_thread_mutex_lock(mp_thread_mutex_t *mutex, int wait);
void __real_mp_thread_mutex_unlock(mp_thread_mutex_t *mutex);
void __wrap_mp_thread_mutex_unlock(mp_thread_mutex_t *mutex);

#if MICROPY_PY_THREAD_GIL

static word_lock_t gil;

bool ffi_has_gil(void) {
    return is_mine(&gil);
}

int __wrap_mp_thread_mutex_lock(mp_thread_mutex_t *mutex, int wait) {
    if (mutex != &MP_STATE_VM(gil_mutex)) {
        return __real_mp_thread_mutex_lock(mutex, wait);
    }
    if (!wait) {
        return try_to_take(&gil);
    }
    take(&gil);
    return 1;
}

void __wrap_mp_thread_mutex_unlock(mp_thread_mutex_t *mutex) {
    if (mutex != &MP_STATE_VM(gil_mutex)) {
        __real_mp_thread_mutex_unlock(mutex);
    } else {
        give_back(&gil);
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
