// Signals that come after so many instructions, for tests of what they interrupt.

#if !defined(_WIN32)

#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#define PEER __attribute__((visibility("default")))

// What happens when there is no step left: this is called as a signal's handler, or SIGINT comes if it is NULL.
static void (*volatile wanted)(int);

static void happen(void) {
    if (wanted != NULL) {
        wanted(SIGTRAP);
    } else {
        kill(getpid(), SIGINT);
    }
}

static void on_alarm(int number) {
    (void)number;
    happen();
}

static void start_timer(long microseconds) {
    struct sigaction action = { .sa_handler = on_alarm };
    // SIGINT comes where this has interrupted the process.
    sigaddset(&action.sa_mask, SIGINT);
    sigaction(SIGALRM, &action, NULL);
    struct itimerval timer = { .it_value = { microseconds / 1000000, microseconds % 1000000 } };
    setitimer(ITIMER_REAL, &timer, NULL);
}

#if defined(__linux__) && defined(__x86_64__)

// The processor's trap flag has SIGTRAP come after each instruction (Intel SDM volume 3, 18.3.1.4).
#define TRAP_FLAG (0x100)

static volatile long steps_left;

// The last step leads to these, if that is said: SIGTRAP is blocked behind the one, which would end the process, and other threads wait for
// whoever is stopped behind the other.
static volatile bool ends_at_locks, is_at_end;

// What takes the lock that all threads share, in an interpreter that has one.
static void *take_gil;

static bool is_at_lock(greg_t instruction) {
    return instruction == (greg_t)(uintptr_t)pthread_sigmask || instruction == (greg_t)(uintptr_t)sigprocmask ||
        instruction == (greg_t)(uintptr_t)pthread_mutex_lock || instruction == (greg_t)(uintptr_t)take_gil;
}

static void on_step(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)info;
    greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
    greg_t *flags = &registers[REG_EFL];
    if (ends_at_locks && is_at_lock(registers[REG_RIP])) {
        is_at_end = true;
        steps_left = 0;
    }
    if (steps_left-- > 0) {
        *flags |= TRAP_FLAG;
    } else {
        *flags &= ~TRAP_FLAG;
        happen();
    }
}

static void start(long steps) {
    struct sigaction action = { .sa_sigaction = on_step, .sa_flags = SA_SIGINFO };
    // SIGINT comes where the last step has led to.
    sigaddset(&action.sa_mask, SIGINT);
    sigaction(SIGTRAP, &action, NULL);
    steps_left = steps;
    // Past the red zone.
    __asm__ volatile (
        "lea -128(%%rsp), %%rsp\n"
        "pushfq\n"
        "orl %0, (%%rsp)\n"
        "popfq\n"
        "lea 128(%%rsp), %%rsp\n"
        : : "i" (TRAP_FLAG) : "memory", "cc");
}

static void count_steps(long steps) {
    take_gil = dlsym(RTLD_DEFAULT, "__wrap_mp_thread_mutex_lock");
    ends_at_locks = true;
    is_at_end = false;
    start(steps);
}

static void stop_counting(void) {
    steps_left = 0;
    ends_at_locks = false;
}

#else

// Elsewhere a timer has to do. A hundred instructions take a microsecond at most.
static void start(long steps) {
    start_timer(1 + steps / 100);
}

static const bool is_at_end;

// Nothing stops.
static void count_steps(long steps) {
    (void)steps;
}

static void stop_counting(void) {
}

#endif

PEER void interrupt_after(long steps) {
    wanted = NULL;
    start(steps);
}

// The same after a time, as instructions are not to be counted where the engine blocks signals.
PEER void interrupt_in(long microseconds) {
    wanted = NULL;
    start_timer(1 + microseconds);
}

PEER void call_after(void (*function)(int), long steps) {
    wanted = function;
    start(steps);
}

// Returns never.
PEER void spin(void) {
    for (;;) {
        __asm__ volatile ("");
    }
}

#include "support/late.c"

#endif
