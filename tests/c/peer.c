// The functions that the tests of tests/*.rs call, and that call back. This file knows nothing of farcall.

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// One function a type: complement or negation, so that every bit counts.
int8_t flip_b(int8_t x) { return ~x; }
uint8_t flip_B(uint8_t x) { return ~x; }
int16_t flip_h(int16_t x) { return ~x; }
uint16_t flip_H(uint16_t x) { return ~x; }
int32_t flip_i(int32_t x) { return ~x; }
uint32_t flip_I(uint32_t x) { return ~x; }
long flip_l(long x) { return ~x; }
unsigned long flip_L(unsigned long x) { return ~x; }
long long flip_q(long long x) { return ~x; }
unsigned long long flip_Q(unsigned long long x) { return ~x; }
float flip_f(float x) { return -x; }
double flip_d(double x) { return -x; }
void *flip_p(void *x) { return (void *)~(uintptr_t)x; }
const char *tail(const char *s) { return s ? s + 1 : NULL; }

/* One a thread: tests run side by side. */
static __thread int counter;
void count(void) { counter += 1; }
int counted(void) { return counter; }

// A result with dirty upper bits: the caller may rely on the low ones only.
uint64_t dirty(uint64_t bits) { return bits; }

// 48 arguments: 20 ints, 20 doubles, 8 floats, taking turns, far beyond the registers. The weight of each differs.
double weigh(int a0, double b0, int a1, double b1, int a2, double b2, int a3, double b3, int a4, double b4,
    int a5, double b5, int a6, double b6, int a7, double b7, int a8, double b8, int a9, double b9,
    int a10, double b10, int a11, double b11, int a12, double b12, int a13, double b13, int a14, double b14,
    int a15, double b15, int a16, double b16, int a17, double b17, int a18, double b18, int a19, double b19,
    float c0, float c1, float c2, float c3, float c4, float c5, float c6, float c7) {
    const double values[] = { a0, b0, a1, b1, a2, b2, a3, b3, a4, b4, a5, b5, a6, b6, a7, b7, a8, b8, a9, b9,
        a10, b10, a11, b11, a12, b12, a13, b13, a14, b14, a15, b15, a16, b16, a17, b17, a18, b18, a19, b19,
        c0, c1, c2, c3, c4, c5, c6, c7 };
    double sum = 0;
    for (int i = 0; i < 48; ++i) {
        sum += (i + 1) * values[i];
    }
    return sum;
}

typedef double (*weigher)(int, double, int, double, int, double, int, double, int, double,
    int, double, int, double, int, double, int, double, int, double,
    int, double, int, double, int, double, int, double, int, double,
    int, double, int, double, int, double, int, double, int, double,
    float, float, float, float, float, float, float, float);

double call_weigher(weigher f) {
    return f(1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29,
        30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42, 43, 44, 45, 46, 47, 48);
}

// Calls a function that takes a narrow int with the upper bits of the register full of something else.
int64_t call_dirty(int64_t (*f)(uint64_t, uint64_t), uint64_t a, uint64_t b) { return f(a, b); }
int32_t call_i(int32_t (*f)(int32_t), int32_t x) { return f(x); }
int8_t call_b(int8_t (*f)(int8_t), int8_t x) { return f(x); }
uint16_t call_H(uint16_t (*f)(uint16_t), uint16_t x) { return f(x); }
float call_f(float (*f)(float), float x) { return f(x); }
double call_d(double (*f)(double), double x) { return f(x); }
void *call_p(void *(*f)(void *), void *x) { return f(x); }
void call_v(void (*f)(void)) { f(); }
int call_times(int (*f)(int), int times) {
    int sum = 0;
    for (int i = 0; i < times; ++i) {
        sum += f(i);
    }
    return sum;
}
int fib(int n, int (*f)(int)) { return n < 2 ? n : f(n - 1) + f(n - 2); }

// Comes back early, with 1, if f calls escape().
static jmp_buf way_out;
int with_way_out(void (*f)(void)) {
    if (setjmp(way_out) != 0) {
        return 1;
    }
    f();
    return 0;
}
void escape(void) { longjmp(way_out, 1); }

struct job {
    int (*f)(int);
    int times;
    int sum;
};
static void *run(void *arg) {
    struct job *job = arg;
    job->sum = call_times(job->f, job->times);
    return NULL;
}
// The same on a thread of C's own.
int call_times_on_thread(int (*f)(int), int times) {
    struct job job = { f, times, 0 };
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, &job) != 0) {
        return -1;
    }
    pthread_join(thread, NULL);
    return job.sum;
}

int8_t var_b = -1;
uint8_t var_B = 200;
int16_t var_h = -300;
uint16_t var_H = 50000;
int32_t var_i = -100000;
uint32_t var_I = 4000000000u;
long var_l = -5;
unsigned long var_L = 6;
long long var_q = INT64_MIN;
unsigned long long var_Q = UINT64_MAX;
float var_f = 1.5f;
double var_d = -2.25;
void *var_p = &var_i;
// Neighbours that a store of the wrong width would hit.
struct {
    uint8_t before[8];
    int16_t value;
    uint8_t after[8];
} fenced = { { 1, 1, 1, 1, 1, 1, 1, 1 }, 7, { 2, 2, 2, 2, 2, 2, 2, 2 } };
int fence_intact(void) {
    for (int i = 0; i < 8; ++i) {
        if (fenced.before[i] != 1 || fenced.after[i] != 2) {
            return 0;
        }
    }
    return 1;
}
int16_t *fenced_value(void) { return &fenced.value; }

// The functions that C text declares.
#include "declared.h"

struct mixed scale_mixed(struct mixed m, int by) { return (struct mixed) { m.a * by, m.b * by }; }
struct floats reverse_floats(struct floats f) { return (struct floats) { { f.v[2], f.v[1], f.v[0] } }; }
struct odd turn_odd(struct odd o) { return (struct odd) { { o.v[1], o.v[2], o.v[0] } }; }
struct bits flip_bits(struct bits b) { return (struct bits) { ~b.a, ~b.b, ~b.c }; }
union number half_number(union number n) { return (union number) { .d = n.d / 2 }; }
struct large shift_large(double by, struct large l, struct mixed m) {
    for (int i = 0; i < 5; ++i) {
        l.v[i] += (int64_t)by + m.a;
    }
    return l;
}
struct over make_over(int64_t a) { return (struct over) { { a, -a } }; }

__int128 times(__int128 a, int64_t b) { return a * b; }
unsigned __int128 flip_wide(int a, unsigned __int128 b) { return ~b + a; }
long double third(long double a) { return a / 3; }
double _Complex times_i(double _Complex a) { return a * 1.0i; }
float _Complex conjugate(float _Complex a) { return __real__ a - 1.0if * __imag__ a; }
_Bool not(_Bool a) { return !a; }
enum colour next_colour(enum colour c) { return c == RED ? GREEN : c == GREEN ? BLUE : RED; }
double weigh_more(int count, ...) {
    double sum = 0;
    va_list list;
    va_start(list, count);
    for (int i = 0; i < count; ++i) {
        sum += i % 2 ? va_arg(list, double) : (double)va_arg(list, long long);
    }
    va_end(list);
    return sum;
}

// Each round takes one of each, a double and an integer: registers of both sorts run out between any two.
double weigh_structures(int rounds, ...) {
    double sum = 0;
    va_list list;
    va_start(list, rounds);
    for (int i = 0; i < rounds; ++i) {
        struct mixed m = va_arg(list, struct mixed);
        struct floats f = va_arg(list, struct floats);
        struct odd o = va_arg(list, struct odd);
        struct large l = va_arg(list, struct large);
        union number n = va_arg(list, union number);
        double d = va_arg(list, double);
        long long q = va_arg(list, long long);
        sum = sum * 3 + m.a + m.b + f.v[0] - f.v[1] + f.v[2] + o.v[0] + o.v[1] * 2 + o.v[2] * 3;
        sum += l.v[0] - l.v[1] + l.v[2] - l.v[3] + l.v[4] * 2 + n.d + d * 4 + (double)q;
    }
    va_end(list);
    return sum;
}

struct large call_large(struct large (*f)(struct mixed, struct large), int64_t a) {
    struct large l = f((struct mixed) { 7, 0.5 }, (struct large) { { a, 1, 2, 3, 4 } });
    l.v[0] += 1;
    return l;
}
struct mixed call_mixed(struct mixed (*f)(struct mixed, int), struct mixed m) { return f(m, 3); }
long double call_long(long double (*f)(long double, __int128), __int128 a) { return f(1.0L / 3, a); }
_Bool call_not(_Bool (*f)(_Bool), _Bool a) { return f(a); }

struct mixed kept_mixed = { 5, 2.5 };
long double kept_long = 0.25L;
int kept_numbers[3] = { 1, 2, 3 };
_Bool kept_bool = 1;
enum colour kept_colour = BLUE;
