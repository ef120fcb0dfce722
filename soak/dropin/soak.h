/* Common code of the programs: a turn of some seconds with a seed, checks, and a call and a closure whose results are checked. */
#ifndef SOAK_H
#define SOAK_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <ffi.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHECK(e)                                                        \
    do {                                                                \
        if (!(e)) {                                                     \
            printf("%s:%d: %s\n", __FILE__, __LINE__, #e), fflush(stdout); \
            abort();                                                    \
        }                                                               \
    } while (0)

static struct timespec soak_end;
static unsigned soak_seed;
/* The rounds that are left, if the turn is given in rounds and not in seconds. */
static int soak_counts_rounds;
static long soak_rounds_left;

static inline void soak_begin(int argc, char **argv) {
    CHECK(argc == 3);
    clock_gettime(CLOCK_MONOTONIC, &soak_end);
    soak_end.tv_sec += atol(argv[1]);
    soak_seed = (unsigned)strtoull(argv[2], NULL, 10);
    const char *rounds = getenv("FARCALL_SOAK_ROUNDS");
    soak_counts_rounds = rounds != NULL;
    soak_rounds_left = rounds == NULL ? 0 : atol(rounds);
}
/* Whether there is another round. Call it once for each. */
static inline int soak_goes_on(void) {
    if (soak_counts_rounds) {
        return __atomic_fetch_sub(&soak_rounds_left, 1, __ATOMIC_RELAXED) > 0;
    }
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec < soak_end.tv_sec || (now.tv_sec == soak_end.tv_sec && now.tv_nsec < soak_end.tv_nsec);
}
static inline void soak_dawdle(unsigned *seed, unsigned steps) {
    for (volatile unsigned n = rand_r(seed) % steps; n > 0; --n) {}
}

/* Every argument is one eightbyte; the first is the expected sum. */
static inline void soak_sum(ffi_cif *cif, void *result, void **values, void *data) {
    int64_t sum = (int64_t)(intptr_t)data;
    for (unsigned i = 0; i < cif->nargs; ++i) {
        sum += cif->arg_types[i]->type == FFI_TYPE_DOUBLE ? (int64_t) * (double *)values[i] : *(int64_t *)values[i];
    }
    *(ffi_arg *)result = (ffi_arg)sum;
}

/* Prepares a random signature, makes a closure of it, and calls that a few times. Returns 0 if there is no memory. */
static inline int soak_use(unsigned *seed) {
    enum { MOST = 12 };
    ffi_type *types[MOST];
    int64_t integers[MOST], sum = 0;
    double doubles[MOST];
    void *values[MOST];
    unsigned count = 1 + rand_r(seed) % MOST, base = rand_r(seed) % 1000;
    for (unsigned i = 0; i < count; ++i) {
        integers[i] = rand_r(seed) % 1000, doubles[i] = (double)integers[i];
        sum += integers[i];
        int is_double = rand_r(seed) % 2;
        types[i] = is_double ? &ffi_type_double : &ffi_type_sint64;
        values[i] = is_double ? (void *)&doubles[i] : (void *)&integers[i];
    }
    ffi_cif cif;
    if (ffi_prep_cif(&cif, FFI_DEFAULT_ABI, count, &ffi_type_sint64, types) != FFI_OK) {
        return 0;
    }
    void *code = NULL;
    ffi_closure *closure = (ffi_closure *)ffi_closure_alloc(sizeof *closure, &code);
    if (closure == NULL) {
        return 0;
    }
    int made = ffi_prep_closure_loc(closure, &cif, soak_sum, (void *)(intptr_t)base, code) == FFI_OK;
    for (unsigned n = rand_r(seed) % 14; made && n > 0; --n) {
        ffi_arg result = 0;
        ffi_call(&cif, FFI_FN(code), &result, values);
        CHECK((int64_t)result == sum + base);
    }
    ffi_closure_free(closure);
    return made;
}
#endif
