// The functions that the crate's scenarios and the scripts call.

#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <ucontext.h>

int soak_number = 11;
int soak_seven(void) { return 7; }

// Calls f(), which calls soak_jump(), and returns that function's argument.
static __thread jmp_buf target;
int soak_catch(void (*f)(void)) {
    int jumped = setjmp(target);
    if (jumped == 0) {
        f();
    }
    return jumped;
}
void soak_jump(int value) { longjmp(target, value); }

// Coroutines with a stack each, which any thread may resume.
enum { STACK = 256 * 1024 };
struct coroutine {
    ucontext_t self, resumer;
    void (*body)(void);
    int has_ended;
    char stack[STACK];
};
static __thread struct coroutine *current;

// The compiler must not keep the address of a thread's variable across a switch.
static __attribute__((noinline)) struct coroutine **here(void) {
    __asm__ volatile("");
    return &current;
}

static void run(unsigned high, unsigned low) {
    struct coroutine *it = (struct coroutine *)((uintptr_t)high << 32 | low);
    it->body();
    it->has_ended = 1;
    swapcontext(&it->self, &it->resumer);
}

struct coroutine *soak_coroutine(void (*body)(void)) {
    struct coroutine *it = calloc(1, sizeof *it);
    getcontext(&it->self);
    it->self.uc_stack.ss_sp = it->stack;
    it->self.uc_stack.ss_size = sizeof it->stack;
    it->body = body;
    makecontext(&it->self, (void (*)(void))run, 2, (unsigned)((uintptr_t)it >> 32), (unsigned)(uintptr_t)it);
    return it;
}

int soak_resume(struct coroutine *it) {
    *here() = it;
    swapcontext(&it->resumer, &it->self);
    return it->has_ended;
}

void soak_suspend(void) {
    struct coroutine *it = *here();
    swapcontext(&it->self, &it->resumer);
}

void soak_coroutine_free(struct coroutine *it) { free(it); }

// Sends SIGINT to the process, as Ctrl-C does, or calls a function as a signal's handler, after some microseconds. A negative number cancels this.
#if defined(__linux__)
static void (*volatile alarm_handler)(int);

static void on_alarm(int number) {
    alarm_handler(number);
}

static void start_timer(int number, long microseconds) {
    static timer_t timers[2];
    static bool are_made[2];
    timer_t *timer = &timers[number == SIGINT];
    struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = number };
    if (!are_made[number == SIGINT]) {
        are_made[number == SIGINT] = timer_create(CLOCK_MONOTONIC, &event, timer) == 0;
    }
    struct itimerspec once = { 0 };
    if (microseconds >= 0) {
        once.it_value = (struct timespec) { microseconds / 1000000, microseconds % 1000000 * 1000 + 1 };
    }
    timer_settime(*timer, 0, &once, NULL);
}

void interrupt_in(long microseconds) {
    start_timer(SIGINT, microseconds);
}

void call_in(void (*function)(int), long microseconds) {
    alarm_handler = function;
    signal(SIGVTALRM, on_alarm);
    start_timer(SIGVTALRM, microseconds);
}
#endif
