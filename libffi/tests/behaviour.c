/* What programs rely on that libffi's own suite does not ask for. Prints a line a failure; exits with their number.

   behaviour [mdwe|seccomp] [full]: after telling the kernel that no memory is to become executable, one way or the other; with full,
   after preparing more signatures than are remembered. */

#include <ffi.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include "../../tests/c/policy.h"
#include <sys/wait.h>
#include <unistd.h>
#endif

#include "check.h"

static int add(int a, int b) { return a + b; }
static double add_doubles(double a, double b) { return a + b; }
static signed char minus_three(void) { return -3; }
static unsigned char two_hundred(void) { return 200; }

typedef struct {
    char bytes[40];
} large;

static large make_large(int first) {
    large made = {{0}};
    made.bytes[0] = (char)first;
    made.bytes[39] = 7;
    return made;
}

static void add_handler(ffi_cif *cif, void *result, void **args, void *data) {
    (void)cif;
    *(ffi_arg *)result = (ffi_arg)(*(int *)args[0] + *(int *)args[1] + (int)(intptr_t)data);
}

static void multiply_handler(ffi_cif *cif, void *result, void **args, void *data) {
    (void)cif;
    *(double *)result = *(double *)args[0] * *(double *)args[1] + (double)(intptr_t)data;
}

static ffi_type *two_ints[] = {&ffi_type_sint, &ffi_type_sint};
static ffi_type *two_doubles[] = {&ffi_type_double, &ffi_type_double};

static int call_add(ffi_cif *cif, int a, int b) {
    void *values[] = {&a, &b};
    ffi_arg result = 0;
    ffi_call(cif, FFI_FN(add), &result, values);
    return (int)result;
}

/* Each behaviour is tried often enough for code to be made in the course of it. */
enum { OFTEN = 300 };

static void narrow_results_fill_a_word(void) {
    ffi_cif cif;
    for (int i = 0; i < OFTEN; i++) {
        ffi_arg result[2] = {0x5555555555555555, 0x5555555555555555};
        CHECK(ffi_prep_cif(&cif, FFI_DEFAULT_ABI, 0, &ffi_type_schar, NULL) == FFI_OK);
        ffi_call(&cif, FFI_FN(minus_three), &result, NULL);
        CHECK((ffi_sarg)result[0] == -3);
        CHECK(result[1] == 0x5555555555555555);
        CHECK(ffi_prep_cif(&cif, FFI_DEFAULT_ABI, 0, &ffi_type_uchar, NULL) == FFI_OK);
        ffi_call(&cif, FFI_FN(two_hundred), &result, NULL);
        CHECK(result[0] == 200);
    }
}

static void result_may_be_unwanted(void) {
    ffi_cif cif;
    ffi_type *members[41];
    for (int i = 0; i < 40; i++)
        members[i] = &ffi_type_schar;
    members[40] = NULL;
    ffi_type type = {0, 0, FFI_TYPE_STRUCT, members};
    ffi_type *one_int[] = {&ffi_type_sint};
    int first = 5;
    void *values[] = {&first};
    CHECK(ffi_prep_cif(&cif, FFI_DEFAULT_ABI, 1, &type, one_int) == FFI_OK);
    for (int i = 0; i < OFTEN; i++) {
        large result;
        ffi_call(&cif, FFI_FN(make_large), NULL, values);
        ffi_call(&cif, FFI_FN(make_large), &result, values);
        CHECK(result.bytes[0] == 5 && result.bytes[39] == 7);
    }
    int a = 1, b = 2;
    void *ints[] = {&a, &b};
    double c = 1, d = 2;
    void *doubles[] = {&c, &d};
    ffi_cif of_ints, of_doubles;
    CHECK(ffi_prep_cif(&of_ints, FFI_DEFAULT_ABI, 2, &ffi_type_sint, two_ints) == FFI_OK);
    CHECK(ffi_prep_cif(&of_doubles, FFI_DEFAULT_ABI, 2, &ffi_type_double, two_doubles) == FFI_OK);
    for (int i = 0; i < OFTEN; i++) {
        ffi_call(&of_ints, FFI_FN(add), NULL, ints);
        ffi_call(&of_doubles, FFI_FN(add_doubles), NULL, doubles);
    }
    ffi_call_plan *plan = ffi_call_plan_alloc(&of_doubles);
    ffi_call_plan_invoke(plan, FFI_FN(add_doubles), NULL, doubles);
    ffi_call_plan_free(plan);
}

static void cif_is_plain_data(void) {
    ffi_cif cif, copy;
    CHECK(ffi_prep_cif(&cif, FFI_DEFAULT_ABI, 2, &ffi_type_sint, two_ints) == FFI_OK);
    for (int i = 0; i < OFTEN; i++) {
        memcpy(&copy, &cif, sizeof(cif));
        CHECK(call_add(&copy, i, 2) == i + 2);
        /* What the library left there is not to be trusted. */
        copy.flags |= 256 | 3;
        CHECK(call_add(&copy, i, 2) == i + 2);
        copy.bytes = 12345;
        CHECK(call_add(&copy, i, 2) == i + 2);
        copy.bytes = copy.flags = 0;
        CHECK(call_add(&copy, i, 2) == i + 2);
        copy.bytes = copy.flags = ~0u;
        CHECK(call_add(&copy, i, 2) == i + 2);
    }
}

static void one_array_may_hold_types_of_many(void) {
    ffi_cif cif;
    ffi_type *types[2];
    for (int i = 0; i < OFTEN; i++) {
        types[0] = types[1] = &ffi_type_sint;
        CHECK(ffi_prep_cif(&cif, FFI_DEFAULT_ABI, 2, &ffi_type_sint, types) == FFI_OK);
        CHECK(call_add(&cif, i, 3) == i + 3);
        types[0] = types[1] = &ffi_type_double;
        CHECK(ffi_prep_cif(&cif, FFI_DEFAULT_ABI, 2, &ffi_type_double, types) == FFI_OK);
        double a = i, b = 0.5, result = 0;
        void *values[] = {&a, &b};
        ffi_call(&cif, FFI_FN(add_doubles), &result, values);
        CHECK(result == i + 0.5);
    }
}

static void values_stay_as_they_are(void) {
    ffi_cif cif;
    int a = 1, b = 2;
    void *values[] = {&a, &b};
    ffi_arg result;
    CHECK(ffi_prep_cif(&cif, FFI_DEFAULT_ABI, 2, &ffi_type_sint, two_ints) == FFI_OK);
    for (int i = 0; i < OFTEN; i++)
        ffi_call(&cif, FFI_FN(add), &result, values);
    CHECK(values[0] == &a && values[1] == &b && a == 1 && b == 2);
}

static void status_says_what_is_wrong(void) {
    ffi_cif cif;
    ffi_type *none[] = {NULL};
    ffi_type empty = {0, 0, FFI_TYPE_STRUCT, none};
    ffi_type *of_floats[] = {&ffi_type_sint, &ffi_type_float};
    ffi_type *of_shorts[] = {&ffi_type_sint, &ffi_type_sshort};
    size_t offset;
    CHECK(ffi_prep_cif(&cif, FFI_LAST_ABI, 0, &ffi_type_void, NULL) == FFI_BAD_ABI);
    CHECK(ffi_prep_cif(&cif, FFI_FIRST_ABI, 0, &ffi_type_void, NULL) == FFI_BAD_ABI);
    CHECK(ffi_prep_cif(&cif, FFI_DEFAULT_ABI, 0, &empty, NULL) == FFI_BAD_TYPEDEF);
    CHECK(ffi_prep_cif_var(&cif, FFI_DEFAULT_ABI, 1, 2, &ffi_type_sint, of_floats) == FFI_BAD_ARGTYPE);
    CHECK(ffi_prep_cif_var(&cif, FFI_DEFAULT_ABI, 1, 2, &ffi_type_sint, of_shorts) == FFI_BAD_ARGTYPE);
    CHECK(ffi_get_struct_offsets(FFI_DEFAULT_ABI, &ffi_type_sint, &offset) == FFI_BAD_TYPEDEF);
    CHECK(ffi_get_struct_offsets(FFI_LAST_ABI, &empty, &offset) == FFI_BAD_ABI);
}

static void closure_may_be_prepared_again(void) {
    ffi_cif of_ints, of_doubles;
    void *code;
    ffi_closure *closure = ffi_closure_alloc(sizeof(ffi_closure), &code);
    CHECK(closure != NULL);
    CHECK(ffi_prep_cif(&of_ints, FFI_DEFAULT_ABI, 2, &ffi_type_sint, two_ints) == FFI_OK);
    CHECK(ffi_prep_cif(&of_doubles, FFI_DEFAULT_ABI, 2, &ffi_type_double, two_doubles) == FFI_OK);
    for (int i = 0; i < OFTEN; i++) {
        CHECK(ffi_prep_closure_loc(closure, &of_ints, add_handler, (void *)(intptr_t)i, code) == FFI_OK);
        CHECK(((int (*)(int, int))code)(3, 4) == 7 + i);
        CHECK(closure->cif == &of_ints && closure->fun == add_handler);
        CHECK(closure->user_data == (void *)(intptr_t)i);
        /* What a program writes there later counts. */
        closure->user_data = (void *)(intptr_t)100;
        CHECK(((int (*)(int, int))code)(3, 4) == 107);
        CHECK(ffi_prep_closure_loc(closure, &of_doubles, multiply_handler, (void *)1, code) == FFI_OK);
        CHECK(((double (*)(double, double))code)(3, 4) == 13);
    }
    ffi_closure_free(closure);
}

/* More than the library has thunks of its own, of several sizes, and freed in another order. */
static void closures_may_be_many(void) {
    enum { MANY = 5000 };
    static ffi_closure *closures[MANY];
    static void *codes[MANY];
    ffi_cif cif;
    CHECK(ffi_prep_cif(&cif, FFI_DEFAULT_ABI, 2, &ffi_type_sint, two_ints) == FFI_OK);
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < MANY; i++) {
            size_t size = sizeof(ffi_closure) + (size_t)(i % 3) * 100;
            closures[i] = ffi_closure_alloc(size, &codes[i]);
            CHECK(closures[i] != NULL);
            if (closures[i] == NULL)
                return;
            memset(closures[i], 0x55, size);
            CHECK(ffi_prep_closure_loc(closures[i], &cif, add_handler, (void *)(intptr_t)i, codes[i]) == FFI_OK);
        }
        for (int i = 0; i < MANY; i++)
            CHECK(((int (*)(int, int))codes[i])(1, 2) == 3 + i);
        for (int i = 0; i < MANY; i++)
            ffi_closure_free(closures[i * 7 % MANY]);
    }
    ffi_closure_free(NULL);
}

/* More than are remembered. Each has three arguments that are zero and a last one that comes back. */
static int fourth_of_seven(char a, char b, char c, int d, char e, char f, char g) {
    return a + b + c + d + e + f + g;
}

static void signatures_may_be_many(void) {
    ffi_type *const kinds[] = {&ffi_type_uchar, &ffi_type_schar, &ffi_type_ushort, &ffi_type_sshort,
                               &ffi_type_uint,  &ffi_type_sint,  &ffi_type_ulong};
    long zero = 0;
    int wanted = 0;
    void *values[] = {&zero, &zero, &zero, &wanted, &zero, &zero, &zero};
    for (int number = 0; number < 16807; number++) {
        ffi_type *types[7];
        int rest = number;
        for (int i = 0; i < 7; i++) {
            types[i] = i == 3 || i == 5 ? &ffi_type_sint : kinds[rest % 7];
            if (i != 3 && i != 5)
                rest /= 7;
        }
        ffi_cif cif;
        ffi_arg result = 0;
        wanted = number;
        CHECK(ffi_prep_cif(&cif, FFI_DEFAULT_ABI, 7, &ffi_type_sint, types) == FFI_OK);
        ffi_call(&cif, FFI_FN(fourth_of_seven), &result, values);
        CHECK((int)result == number);
        ffi_call_plan *plan = ffi_call_plan_alloc(&cif);
        CHECK(plan != NULL);
        result = 0;
        ffi_call_plan_invoke(plan, FFI_FN(fourth_of_seven), &result, values);
        CHECK((int)result == number);
        ffi_call_plan_free(plan);
    }
    /* A closure of a signature that was not remembered. */
    ffi_type *types[] = {&ffi_type_sint, &ffi_type_sint, &ffi_type_sint, &ffi_type_sint, &ffi_type_sint};
    ffi_cif cif;
    void *code;
    ffi_closure *closure = ffi_closure_alloc(sizeof(ffi_closure), &code);
    CHECK(ffi_prep_cif(&cif, FFI_DEFAULT_ABI, 5, &ffi_type_sint, types) == FFI_OK);
    CHECK(ffi_prep_closure_loc(closure, &cif, add_handler, (void *)5, code) == FFI_OK);
    CHECK(((int (*)(int, int, int, int, int))code)(1, 2, 3, 4, 5) == 8);
    ffi_closure_free(closure);
}

static double sum_variadic(int count, ...) {
    va_list values;
    double sum = 0;
    va_start(values, count);
    while (count-- > 0)
        sum += va_arg(values, double);
    va_end(values);
    return sum;
}

/* Also when what the library left in the cif is gone, and when the signature was one too many to be remembered. */
static void variadic_doubles_arrive(void) {
    ffi_cif cif;
    ffi_type *types[] = {&ffi_type_sint, &ffi_type_double, &ffi_type_double, &ffi_type_double};
    int count = 3;
    double a = 1, b = 20, c = 300;
    void *values[] = {&count, &a, &b, &c};
    for (int i = 0; i < OFTEN; i++) {
        double sum = 0;
        CHECK(ffi_prep_cif_var(&cif, FFI_DEFAULT_ABI, 1, 4, &ffi_type_double, types) == FFI_OK);
        ffi_call(&cif, FFI_FN(sum_variadic), &sum, values);
        CHECK(sum == 321);
        cif.flags ^= 3;
        sum = 0;
        ffi_call(&cif, FFI_FN(sum_variadic), &sum, values);
        CHECK(sum == 321);
    }
}

static void *call_often(void *argument) {
    ffi_cif *shared = argument;
    for (int i = 0; i < 20000; i++) {
        ffi_cif own;
        if (call_add(shared, i, 1) != i + 1)
            return "wrong sum";
        if (ffi_prep_cif(&own, FFI_DEFAULT_ABI, 2, &ffi_type_sint, two_ints) != FFI_OK || call_add(&own, i, 2) != i + 2)
            return "wrong sum of an own cif";
        void *code;
        ffi_closure *closure = ffi_closure_alloc(sizeof(ffi_closure), &code);
        if (ffi_prep_closure_loc(closure, shared, add_handler, (void *)3, code) != FFI_OK)
            return "no closure";
        if (((int (*)(int, int))code)(i, 1) != i + 4)
            return "wrong sum of a closure";
        ffi_closure_free(closure);
    }
    return NULL;
}

static void cif_may_be_used_by_many_threads(void) {
    ffi_cif cif;
    pthread_t threads[4];
    CHECK(ffi_prep_cif(&cif, FFI_DEFAULT_ABI, 2, &ffi_type_sint, two_ints) == FFI_OK);
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, call_often, &cif);
    for (int i = 0; i < 4; i++) {
        void *wrong;
        pthread_join(threads[i], &wrong);
        CHECK(wrong == NULL);
    }
}

#ifdef __linux__
static int may_execute = 1;

/* The child changes its copy; the parent's is as it was. */
static void fork_leaves_each_with_closures_of_its_own(void) {
    ffi_cif cif;
    void *code;
    ffi_closure *closure = ffi_closure_alloc(sizeof(ffi_closure), &code);
    CHECK(ffi_prep_cif(&cif, FFI_DEFAULT_ABI, 2, &ffi_type_sint, two_ints) == FFI_OK);
    CHECK(ffi_prep_closure_loc(closure, &cif, add_handler, (void *)1, code) == FFI_OK);
    pid_t child = fork();
    if (child == 0) {
        ffi_prep_closure_loc(closure, &cif, add_handler, (void *)1000, code);
        int sum = ((int (*)(int, int))code)(1, 2);
        ffi_closure_free(closure);
        void *other;
        ffi_closure *another = ffi_closure_alloc(sizeof(ffi_closure), &other);
        ffi_prep_closure_loc(another, &cif, add_handler, (void *)2000, other);
        sum += ((int (*)(int, int))other)(1, 2) + call_add(&cif, 1, 2);
        _exit(sum == 1003 + 2003 + 3 ? 0 : 1);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK(((int (*)(int, int))code)(1, 2) == 4);
    ffi_closure_free(closure);
}

/* As cffi does it: memory of the program's own, prepared where it is. */
static void closure_may_be_its_own_function(void) {
    if (!may_execute)
        return;
    ffi_closure *closure =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(closure != MAP_FAILED);
    if (closure == MAP_FAILED)
        return;
    ffi_cif of_ints, of_doubles;
    CHECK(ffi_prep_cif(&of_ints, FFI_DEFAULT_ABI, 2, &ffi_type_sint, two_ints) == FFI_OK);
    CHECK(ffi_prep_cif(&of_doubles, FFI_DEFAULT_ABI, 2, &ffi_type_double, two_doubles) == FFI_OK);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
    CHECK(ffi_prep_closure(closure, &of_ints, add_handler, (void *)9) == FFI_OK);
    CHECK(((int (*)(int, int))(void *)closure)(1, 2) == 12);
    CHECK(ffi_prep_closure(closure + 1, &of_doubles, multiply_handler, (void *)9) == FFI_OK);
    CHECK(((double (*)(double, double))(void *)(closure + 1))(2, 3) == 15);
#pragma GCC diagnostic pop
    munmap(closure, 4096);
}

static void nothing_is_writable_and_executable(void) {
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];
    while (fgets(line, sizeof(line), maps))
        CHECK(strstr(line, "rwx") == NULL);
    fclose(maps);
}

static void forbid_executable_memory(const char *policy) {
    if (refuse_by(policy) != 0) {
        puts("SKIP: the kernel has no such policy");
        exit(0);
    }
    may_execute = 0;
}
#endif

int main(int argc, char **argv) {
#ifdef __linux__
    if (argc > 1 && strcmp(argv[1], "full") != 0)
        forbid_executable_memory(argv[1]);
#endif
    if (argc > 1 && strcmp(argv[argc - 1], "full") == 0)
        signatures_may_be_many();
    narrow_results_fill_a_word();
    result_may_be_unwanted();
    cif_is_plain_data();
    one_array_may_hold_types_of_many();
    values_stay_as_they_are();
    status_says_what_is_wrong();
    closure_may_be_prepared_again();
    closures_may_be_many();
    variadic_doubles_arrive();
    cif_may_be_used_by_many_threads();
#ifdef __linux__
    fork_leaves_each_with_closures_of_its_own();
    nothing_is_writable_and_executable();
    closure_may_be_its_own_function();
#endif
    signatures_may_be_many();
    return failures;
}
