/* Allocations fail now and then, by the allocator and by the system. A status or NULL is right then; a wrong value is a fault. */
#include "soak.h"
#include <sys/resource.h>
extern void *__libc_malloc(size_t), *__libc_calloc(size_t, size_t), *__libc_realloc(void *, size_t), *__libc_memalign(size_t, size_t);
static __thread unsigned fails_of_1024, draws = 1;
static int fails(void) {
    return fails_of_1024 != 0 && (unsigned)rand_r(&draws) % 1024 < fails_of_1024 && (errno = ENOMEM);
}
void *malloc(size_t n) { return fails() ? NULL : __libc_malloc(n); }
void *calloc(size_t n, size_t m) { return fails() ? NULL : __libc_calloc(n, m); }
void *realloc(void *p, size_t n) { return fails() ? NULL : __libc_realloc(p, n); }
void *aligned_alloc(size_t a, size_t n) { return fails() ? NULL : __libc_memalign(a, n); }
int posix_memalign(void **p, size_t a, size_t n) {
    *p = fails() ? NULL : __libc_memalign(a, n);
    return *p ? 0 : ENOMEM;
}
static long refused;
static void *thread(void *seed) {
    draws = *(unsigned *)seed;
    for (int i = 0; i < 200; ++i) {
        fails_of_1024 = rand_r((unsigned *)seed) % 400;
        int made = soak_use((unsigned *)seed);
        fails_of_1024 = 0;
        if (!made) __atomic_fetch_add(&refused, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}
int main(int argc, char **argv) {
    soak_begin(argc, argv);
    long rounds = 0;
    while (soak_goes_on()) {
        pthread_t threads[2];
        unsigned seeds[2] = {soak_seed + (unsigned)rounds, soak_seed + (unsigned)rounds + 1};
        struct rlimit limit = {rounds % 800 ? RLIM_INFINITY : 400 << 20, RLIM_INFINITY};
        setrlimit(RLIMIT_AS, &limit);
        for (int i = 0; i < 2; ++i) CHECK(pthread_create(&threads[i], NULL, thread, &seeds[i]) == 0);
        for (int i = 0; i < 2; ++i) pthread_join(threads[i], NULL);
        rounds += 400;
    }
    printf("refused %ld\nrounds %ld\n", refused, rounds);
    return 0;
}
