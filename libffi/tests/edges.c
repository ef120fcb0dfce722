/* Where values end: structs of every size from 1 to 33 bytes, and arguments and results right before a page that may be neither read nor
   written. And many closures: of every size, a hundred thousand at once, on many threads beside forks. Prints a line a failure;
   exits with 1 if there was any. */

#define _GNU_SOURCE
#include <ffi.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

/* Enough calls for a signature to get code of its own. */
enum { CALLS = 300, LARGEST = 33, GUARD = 0xee };

/* The end of memory that may be touched. */
static unsigned char *edge;

static void make_edge(void) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    unsigned char *pages = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED || mprotect(pages + page, page, PROT_NONE) != 0) {
        perror("edge");
        exit(2);
    }
    edge = pages + page;
}

/* For each size: a function under this process's convention, one under Microsoft's where there is that too, and what calls either
   through a pointer. All of them add, byte by byte, the first argument, the second, and the third backwards. */
#ifdef __x86_64__
#define MICROSOFT __attribute__((ms_abi))
#else
#define MICROSOFT
#endif

#define FUNCTION(n, convention, name)                                                       \
    static convention bytes##n name##n(bytes##n a, int k, bytes##n c) {                     \
        bytes##n sum;                                                                       \
        for (int i = 0; i < n; ++i) {                                                       \
            sum.at[i] = (unsigned char)(a.at[i] + k + c.at[n - 1 - i]);                     \
        }                                                                                   \
        return sum;                                                                         \
    }                                                                                       \
    static void name##_call##n(void *code, const void *a, int k, const void *c, void *sum) { \
        bytes##n first, third;                                                              \
        memcpy(&first, a, n);                                                               \
        memcpy(&third, c, n);                                                               \
        bytes##n got = ((convention bytes##n (*)(bytes##n, int, bytes##n))code)(first, k, third); \
        memcpy(sum, &got, n);                                                               \
    }

#define SIZE(n)                                     \
    typedef struct {                                \
        unsigned char at[n];                        \
    } bytes##n;                                     \
    FUNCTION(n, , own)                              \
    FUNCTION(n, MICROSOFT, microsoft)

#define EACH_SIZE(X)                                                                                        \
    X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16) X(17) X(18)      \
    X(19) X(20) X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31) X(32) X(33)

EACH_SIZE(SIZE)

typedef void caller(void *code, const void *a, int k, const void *c, void *sum);

typedef struct {
    void *function;
    caller *call;
} of_size;

#define OWN(n) {(void *)own##n, own_call##n},
#define THEIRS(n) {(void *)microsoft##n, microsoft_call##n},
static const of_size own[] = {{NULL, NULL}, EACH_SIZE(OWN)};
static const of_size microsoft[] = {{NULL, NULL}, EACH_SIZE(THEIRS)};

static void add_bytes(ffi_cif *cif, void *result, void **args, void *data) {
    (void)cif;
    int size = (int)(intptr_t)data;
    const unsigned char *a = args[0], *c = args[2];
    for (int i = 0; i < size; ++i) {
        ((unsigned char *)result)[i] = (unsigned char)(a[i] + *(int *)args[1] + c[size - 1 - i]);
    }
}

static int is_sum(const unsigned char *sum, int size) {
    for (int i = 0; i < size; ++i) {
        if (sum[i] != (unsigned char)(i + 1 + 7 + 100 + size - 1 - i)) {
            return 0;
        }
    }
    return 1;
}

static int is_guard(const unsigned char *from, const unsigned char *end) {
    while (from < end && *from == GUARD) {
        ++from;
    }
    return from == end;
}

static void structs(ffi_abi abi, const of_size *functions) {
    for (int size = 1; size <= LARGEST; ++size) {
        ffi_type *elements[LARGEST + 1] = {NULL};
        for (int i = 0; i < size; ++i) {
            elements[i] = &ffi_type_uchar;
        }
        ffi_type type = {0, 0, FFI_TYPE_STRUCT, elements};
        ffi_type *types[] = {&type, &ffi_type_sint, &type};
        ffi_cif cif;
        CHECK(ffi_prep_cif(&cif, abi, 3, &type, types) == FFI_OK);
        unsigned char a[LARGEST], c[LARGEST];
        int k = 7;
        for (int i = 0; i < size; ++i) {
            a[i] = (unsigned char)(i + 1);
            c[i] = (unsigned char)(100 + i);
        }
        for (int n = 0; n < CALLS; ++n) {
            /* An argument at the edge, and a result among guard bytes, aligned to nothing. */
            unsigned char area[3 * LARGEST];
            memset(area, GUARD, sizeof(area));
            memcpy(edge - size, a, (size_t)size);
            void *values[] = {edge - size, &k, c};
            ffi_call(&cif, FFI_FN(functions[size].function), area + LARGEST, values);
            CHECK(is_sum(area + LARGEST, size));
            CHECK(is_guard(area, area + LARGEST));
            CHECK(is_guard(area + LARGEST + size, area + sizeof(area)));
            /* And the result at the edge. */
            values[0] = a;
            ffi_call(&cif, FFI_FN(functions[size].function), edge - size, values);
            CHECK(is_sum(edge - size, size));
        }
        void *code;
        ffi_closure *closure = ffi_closure_alloc(sizeof(*closure), &code);
        CHECK(ffi_prep_closure_loc(closure, &cif, add_bytes, (void *)(intptr_t)size, code) == FFI_OK);
        unsigned char sum[LARGEST];
        functions[size].call(code, a, k, c, sum);
        CHECK(is_sum(sum, size));
        ffi_closure_free(closure);
    }
}

#define ADD_ALL(convention, name)                                                                           \
    static convention int name(unsigned char a, signed char b, unsigned short c, short d, unsigned e, int f, \
        int64_t g, float h, double i) {                                                                     \
        return (int)(a + b + c + d + (int)e + f + g + h + i);                                               \
    }
ADD_ALL(, add_all)
ADD_ALL(MICROSOFT, microsoft_add_all)

/* No byte of an argument is read but its own. */
static void scalars(ffi_abi abi, void *function) {
    unsigned char a = 200;
    signed char b = -3;
    unsigned short c = 65000;
    short d = -300;
    unsigned e = 9;
    int f = -9;
    int64_t g = 11;
    float h = 2;
    double i = 4;
    void *values[] = {&a, &b, &c, &d, &e, &f, &g, &h, &i};
    ffi_type *types[] = {&ffi_type_uchar, &ffi_type_schar, &ffi_type_ushort, &ffi_type_sshort, &ffi_type_uint,
        &ffi_type_sint, &ffi_type_sint64, &ffi_type_float, &ffi_type_double};
    enum { COUNT = sizeof(values) / sizeof(values[0]) };
    ffi_cif cif;
    CHECK(ffi_prep_cif(&cif, abi, COUNT, &ffi_type_sint, types) == FFI_OK);
    for (int n = 0; n < CALLS; ++n) {
        for (int at = 0; at < COUNT; ++at) {
            void *kept = values[at];
            values[at] = memcpy(edge - types[at]->size, kept, types[at]->size);
            ffi_arg sum = 0;
            ffi_call(&cif, FFI_FN(function), &sum, values);
            CHECK((int)sum == 200 - 3 + 65000 - 300 + 9 - 9 + 11 + 2 + 4);
            values[at] = kept;
        }
    }
}

static ffi_type *two_ints[] = {&ffi_type_sint, &ffi_type_sint};

static void add_ints(ffi_cif *cif, void *result, void **args, void *data) {
    (void)cif;
    *(ffi_arg *)result = (ffi_arg)(*(int *)args[0] + *(int *)args[1] + (int)(intptr_t)data);
}

/* A closure of so many bytes; NULL if there is none. */
static void *new_closure(ffi_cif *cif, size_t size, int data, void **code) {
    void *closure = ffi_closure_alloc(size, code);
    if (closure != NULL) {
        CHECK(ffi_prep_closure_loc(closure, cif, add_ints, (void *)(intptr_t)data, *code) == FFI_OK);
    }
    return closure;
}

static int called(void *code, int a, int b) {
    return ((int (*)(int, int))code)(a, b);
}

/* What a program keeps behind a closure is its own. */
static void closures_of_every_size(ffi_cif *cif) {
    static const size_t beyond[] = {0, 1, 8, 16, 100, 4096, 100000};
    for (size_t n = 0; n < sizeof(beyond) / sizeof(beyond[0]); ++n) {
        void *code;
        size_t size = sizeof(ffi_closure) + beyond[n];
        unsigned char *closure = ffi_closure_alloc(size, &code);
        CHECK(closure != NULL && (uintptr_t)closure % _Alignof(ffi_closure) == 0);
        memset(closure, GUARD, size);
        CHECK(ffi_prep_closure_loc((ffi_closure *)closure, cif, add_ints, (void *)5, code) == FFI_OK);
        CHECK(called(code, 1, 2) == 8);
        CHECK(is_guard(closure + sizeof(ffi_closure), closure + size));
        ffi_closure_free(closure);
    }
}

static void many_closures(ffi_cif *cif) {
    enum { COUNT = 100000 };
    static void *closures[COUNT], *codes[COUNT];
    for (int round = 0; round < 2; ++round) {
        for (int i = 0; i < COUNT; ++i) {
            closures[i] = new_closure(cif, sizeof(ffi_closure), i, &codes[i]);
        }
        int right = 0;
        for (int i = 0; i < COUNT; ++i) {
            right += closures[i] != NULL && called(codes[i], 1, 2) == 3 + i;
        }
        CHECK(right == COUNT);
        /* In an order of their own: the step has no divisor in common with the count. */
        for (int i = 0; i < COUNT; ++i) {
            ffi_closure_free(closures[(int64_t)i * 7919 % COUNT]);
        }
    }
}

/* Makes, calls and frees closures in any order; NULL if all went well. */
static void *churn(void *seed) {
    enum { KEPT = 50, STEPS = 20000 };
    void *closures[KEPT] = {NULL}, *codes[KEPT];
    unsigned state = (unsigned)(intptr_t)seed;
    void *wrong = NULL;
    ffi_cif cif;
    ffi_prep_cif(&cif, FFI_DEFAULT_ABI, 2, &ffi_type_sint, two_ints);
    for (int step = 0; step < STEPS; ++step) {
        int at = rand_r(&state) % KEPT;
        if (closures[at] == NULL) {
            closures[at] = new_closure(&cif, sizeof(ffi_closure), at, &codes[at]);
            continue;
        }
        if (called(codes[at], 1, at) != 1 + 2 * at) {
            wrong = seed;
        }
        ffi_closure_free(closures[at]);
        closures[at] = NULL;
    }
    for (int at = 0; at < KEPT; ++at) {
        if (closures[at] != NULL) {
            ffi_closure_free(closures[at]);
        }
    }
    return wrong;
}

static void threads_and_forks(void) {
    enum { THREADS = 4, FORKS = 10 };
    pthread_t threads[THREADS];
    for (intptr_t i = 0; i < THREADS; ++i) {
        CHECK(pthread_create(&threads[i], NULL, churn, (void *)(i + 1)) == 0);
    }
    for (int i = 0; i < FORKS; ++i) {
        pid_t child = fork();
        if (child == 0) {
            /* One that waits for what nobody gives back ends by a signal. */
            alarm(300);
            _exit(churn((void *)99) != NULL);
        }
        int status = -1;
        waitpid(child, &status, 0);
        CHECK(status == 0);
    }
    for (int i = 0; i < THREADS; ++i) {
        void *wrong = NULL;
        pthread_join(threads[i], &wrong);
        CHECK(wrong == NULL);
    }
}

int main(void) {
    make_edge();
    structs(FFI_DEFAULT_ABI, own);
    scalars(FFI_DEFAULT_ABI, (void *)add_all);
#ifdef __x86_64__
    static const ffi_abi theirs[] = {FFI_WIN64, FFI_GNUW64, FFI_EFI64};
    for (size_t i = 0; i < sizeof(theirs) / sizeof(theirs[0]); ++i) {
        structs(theirs[i], microsoft);
        scalars(theirs[i], (void *)microsoft_add_all);
    }
#else
    (void)microsoft;
    (void)microsoft_add_all;
#endif
    ffi_cif cif;
    CHECK(ffi_prep_cif(&cif, FFI_DEFAULT_ABI, 2, &ffi_type_sint, two_ints) == FFI_OK);
    closures_of_every_size(&cif);
    many_closures(&cif);
    threads_and_forks();
    return failures != 0;
}
