// Signals that come after so many instructions, for tests of what they interrupt.

#if !defined(_WIN32)

#define _GNU_SOURCE
#include <signal.h>
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

static void on_step(int number, siginfo_t *info, void *context) {
    (void)number;
    (void)info;
    greg_t *flags = &((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL];
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

#else

// Elsewhere a timer has to do. A hundred instructions take a microsecond at most.
static void start(long steps) {
    start_timer(1 + steps / 100);
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

#endif
