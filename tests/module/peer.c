// What the module's tests call: C functions, callers of callbacks, and variables, of every type.
//
// A compiler decides here how values travel, so what the tests compare with does not come from farcall itself.

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#if defined(_WIN32)
#define PEER __declspec(dllexport)
#else
#define PEER __attribute__((visibility("default")))
#endif

// Every scalar type under its code. All pointers are 'p'.
#define EACH_TYPE(X) \
    EACH_INTEGER(X) \
    X(f, float) \
    X(d, double) \
    X(p, void *)

#define EACH_INTEGER(X) \
    X(b, int8_t) \
    X(B, uint8_t) \
    X(h, int16_t) \
    X(H, uint16_t) \
    X(i, int) \
    X(I, unsigned int) \
    X(l, long) \
    X(L, unsigned long) \
    X(q, int64_t) \
    X(Q, uint64_t)

// pass_*: an argument, back as the result.
#define PASS(code, type) \
    PEER type pass_##code(type x) { return x; }
EACH_TYPE(PASS)

// pick_*: the n-th of twelve arguments, which fill the registers and go on in memory.
#define PICK(code, type) \
    PEER type pick_##code(int n, type a, type b, type c, type d, type e, type f, type g, type h, type i, type j, \
        type k, type l) { \
        type all[] = { a, b, c, d, e, f, g, h, i, j, k, l }; \
        return all[n]; \
    }
EACH_TYPE(PICK)

// call_*: an argument through a callback, back as the result.
#define CALL(code, type) \
    PEER type call_##code(type (*f)(type), type x) { return f(x); }
EACH_TYPE(CALL)

// spread_*: twelve arguments to a callback, `first` and those that follow it in memory.
#define SPREAD(code, type) \
    PEER void spread_##code(void (*f)(type, type, type, type, type, type, type, type, type, type, type, type), \
        type *x) { \
        f(x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7], x[8], x[9], x[10], x[11]); \
    }
EACH_TYPE(SPREAD)

// call_dirty_*: eight arguments to a callback, in registers and in memory, none of them extended: the bits above the
// type's own are those of `pattern`. A caller may do that.
#define CALL_DIRTY(code, type) \
    PEER type call_dirty_##code(type (*f)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, \
        uint64_t), uint64_t pattern) { \
        return f(pattern, pattern, pattern, pattern, pattern, pattern, pattern, pattern); \
    }
EACH_INTEGER(CALL_DIRTY)

// Called as if its result were narrower: the bits above it are dirty then. A callee may do that.
PEER uint64_t dirty_result(uint64_t pattern) {
    return pattern;
}

// Thirteen arguments of thirteen types, several times over.
#define TYPES \
    int8_t, uint8_t, int16_t, uint16_t, int, unsigned int, long, unsigned long, int64_t, uint64_t, float, double, void *
#define PARAMETERS(n) \
    int8_t b##n, uint8_t B##n, int16_t h##n, uint16_t H##n, int i##n, unsigned int I##n, long l##n, \
    unsigned long L##n, int64_t q##n, uint64_t Q##n, float f##n, double d##n, void *p##n
#define FORMAT "%d %d %d %d %d %u %ld %lu %lld %llu %g %g %llx\n"
#define PRINTED(n) \
    b##n, B##n, h##n, H##n, i##n, I##n, l##n, L##n, (long long)q##n, (unsigned long long)Q##n, (double)f##n, d##n, \
    (unsigned long long)(uintptr_t)p##n
#define VALUES(n) \
    (int8_t)(-100 - n), (uint8_t)(200 + n), (int16_t)(-30000 - n), (uint16_t)(60000 + n), -2000000000 - n, \
    4000000000u + n, -2100000000L - n, 4100000000UL + n, -9000000000000000000LL - n, 18000000000000000000ULL + n, \
    0.5f + n, -1.25 - n, (void *)(uintptr_t)(0x7ffffffffff0u + n)

// Not snprintf(): that would be MicroPython's own, which knows fewer formats.
static char text[4096];

// What is behind the format, as many as it says.
PEER const char *printed(const char *format, ...) {
    va_list values;
    va_start(values, format);
    vsprintf(text, format, values);
    va_end(values);
    return text;
}

PEER const char *mixed_13(PARAMETERS(1)) {
    sprintf(text, FORMAT, PRINTED(1));
    return text;
}

PEER const char *mixed_52(PARAMETERS(1), PARAMETERS(2), PARAMETERS(3), PARAMETERS(4)) {
    sprintf(text, FORMAT FORMAT FORMAT FORMAT, PRINTED(1), PRINTED(2), PRINTED(3), PRINTED(4));
    return text;
}

PEER void call_mixed_52(void (*f)(TYPES, TYPES, TYPES, TYPES)) {
    f(VALUES(1), VALUES(2), VALUES(3), VALUES(4));
}

// Results of callbacks that other arguments depend on.
PEER double call_weave(double (*f)(int, double, float, int64_t, float, int8_t, double), int x) {
    return f(x, 0.5, 0.25f, -1, 8.0f, -3, 0x1p996);
}

// Plain functions.
PEER void nothing(void) {
}

PEER int answer(void) {
    return 42;
}

PEER int add2(int a, int b) {
    return a + b;
}

PEER double scale(double x, float y) {
    return x * y;
}

// Strings and memory.
PEER const char *greeting(void) {
    return "hello, w\xc3\xb6rld";
}

PEER const char *null_string(void) {
    return NULL;
}

PEER const char *not_utf8(void) {
    return "\xff\xfe\x80";
}

// The same memory each time: whoever wants to keep it must copy it.
PEER const char *counted(void) {
    static int count;
    sprintf(text, "call %d", ++count);
    return text;
}

PEER int byte_at(const unsigned char *memory, int index) {
    return memory[index];
}

PEER void fill(char *memory, int value, int size) {
    memset(memory, value, (size_t)size);
}

PEER int apply(int (*f)(int, int), int a, int b) {
    return f == NULL ? -1 : f(a, b);
}

// What a callback that returns a string gave, copied while C has it.
PEER const char *copy_of(const char *(*f)(void)) {
    const char *given = f();
    sprintf(text, "<%s>", given == NULL ? "NULL" : given);
    return text;
}

// Uses the string after calling another function of Python.
PEER const char *copy_after(const char *(*f)(void), void (*g)(void)) {
    const char *given = f();
    g();
    sprintf(text, "<%s>", given);
    return text;
}

// Callbacks, several times.
PEER int sum_calls(int (*f)(int), int times) {
    int sum = 0;
    for (int i = 0; i < times; ++i) {
        sum += f(i);
    }
    return sum;
}

PEER int call_both(int (*f)(int), int (*g)(int)) {
    return f(1) + g(2);
}

static int (*kept)(int);

PEER void keep(int (*f)(int)) {
    kept = f;
}

PEER int call_kept(int x) {
    return kept(x);
}

// A thread of C's that works with what lies on the stack of the function which makes it. So that one is not to be left by an interrupt
// before the thread has ended.
typedef struct {
    pthread_t id;
    #if !defined(_WIN32)
    sigset_t signals;
    #endif
} thread_t;

static void let_interrupts(const thread_t *thread) {
    #if !defined(_WIN32)
    pthread_sigmask(SIG_SETMASK, &thread->signals, NULL);
    #else
    (void)thread;
    #endif
}

static bool begin_thread(thread_t *thread, void *(*run)(void *), void *argument) {
    #if !defined(_WIN32)
    sigset_t interrupts;
    sigemptyset(&interrupts);
    sigaddset(&interrupts, SIGINT);
    #if defined(__linux__)
    sigaddset(&interrupts, SIGRTMIN + 6); // the module's own
    #endif
    pthread_sigmask(SIG_BLOCK, &interrupts, &thread->signals);
    #endif
    bool begins = pthread_create(&thread->id, NULL, run, argument) == 0;
    if (!begins) {
        let_interrupts(thread);
    }
    return begins;
}

static int end_thread(const thread_t *thread) {
    int status = pthread_join(thread->id, NULL);
    let_interrupts(thread);
    return status;
}

// Callbacks from a thread that only C knows.
typedef struct {
    int (*f)(int);
    int x;
    int result;
    int times;
} job_t;

static void *run_job(void *argument) {
    job_t *job = argument;
    for (int i = 0; i < job->times; ++i) {
        job->result = job->f(job->x);
    }
    return NULL;
}

PEER int call_on_thread(int (*f)(int), int x) {
    job_t job = { f, x, -1, 1 };
    thread_t thread;
    if (!begin_thread(&thread, run_job, &job)) {
        return -2;
    }
    end_thread(&thread);
    return job.result;
}

// Calls `f` on this thread while a foreign one calls `g`; the sum of g's results.
PEER int call_beside_thread(int (*f)(int), int (*g)(int), int times) {
    job_t job = { g, 1, -1, times };
    thread_t thread;
    if (!begin_thread(&thread, run_job, &job)) {
        return -2;
    }
    for (int i = 0; i < times; ++i) {
        f(i);
    }
    end_thread(&thread);
    return job.result;
}

// Needs a number again after the call, whatever became of that. Compilers keep it in a register that callees give back where the
// machine has such.
PEER void keep_double(void (*callback)(int, double), double value, double *kept) {
    callback(1, value);
    *kept = value;
}

// Variables, each with neighbours that a store must leave alone.
PEER int8_t var_b[8] = { -1, 1, 2, 3, 4, 5, 6, 7 };
PEER uint8_t var_B[8] = { 255, 1, 2, 3, 4, 5, 6, 7 };
PEER int16_t var_h[4] = { -2, 1, 2, 3 };
PEER uint16_t var_H[4] = { 65534, 1, 2, 3 };
PEER int var_i[2] = { -3, 1 };
PEER unsigned int var_I[2] = { 4294967293u, 1 };
PEER long var_l[2] = { -4, 1 };
PEER unsigned long var_L[2] = { 4, 1 };
PEER int64_t var_q[2] = { -5, 1 };
PEER uint64_t var_Q[2] = { 18446744073709551611u, 1 };
PEER float var_f[2] = { 0.5f, 1 };
PEER double var_d[2] = { 0.25, 1 };
PEER void *var_p[2] = { NULL, (void *)1 };
PEER const char *var_s[2] = { "text", "more" };
PEER int (*var_C)(int, int) = add2;

PEER int call_var(int a, int b) {
    return var_C == NULL ? -1 : var_C(a, b);
}

// errno: what C finds in it, and what C leaves there.
PEER int get_errno(void) {
    return errno;
}

PEER int set_errno(int number) {
    int before = errno;
    errno = number;
    return before;
}

PEER double get_errno_as_double(double x, const char *text, int y) {
    return x + y + (text == NULL ? 0 : 1) + errno;
}

// Leaves one number, calls back, and says which one it found after that.
PEER int errno_around(int number, int (*f)(int)) {
    errno = number;
    f(number);
    return errno;
}

PEER int errno_around_floats(int number, double (*f)(double, const char *)) {
    errno = number;
    f(number, "text");
    return errno;
}

// The same on a thread that only C knows.
static void *run_errno_job(void *argument) {
    job_t *job = argument;
    job->result = errno_around(job->x, job->f);
    return NULL;
}

PEER int errno_around_on_thread(int number, int (*f)(int)) {
    job_t job = { f, number, -1, 1 };
    thread_t thread;
    if (!begin_thread(&thread, run_errno_job, &job)) {
        return -2;
    }
    end_thread(&thread);
    return job.result;
}
#include "support/threads.c"
#include "support/layouts.c"
#include "support/declared.c"
#include "support/by_value.c"
