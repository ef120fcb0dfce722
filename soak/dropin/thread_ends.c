/* Threads end inside calls and closures, by pthread_exit() and by being cancelled; destructors of their keys make calls. */
#include "soak.h"
static ffi_cif cif;
static void *exit_code, *wait_code;
static pthread_key_t key;
static volatile long ended;
static void exits(ffi_cif *of, void *result, void **values, void *data) {
    (void)of, (void)result, (void)values, (void)data;
    pthread_exit((void *)7);
}
static void waits(ffi_cif *of, void *result, void **values, void *data) {
    (void)of, (void)result, (void)values, (void)data;
    for (;;) pause();
}
static void at_end(void *value) {
    unsigned seed = (unsigned)(uintptr_t)value;
    CHECK(soak_use(&seed));
    __atomic_fetch_add(&ended, 1, __ATOMIC_RELAXED);
}
static void *thread(void *code) {
    pthread_setspecific(key, (void *)(uintptr_t)(soak_seed | 1));
    int64_t one = 1;
    void *values[] = {&one};
    ffi_arg result;
    ffi_call(&cif, FFI_FN(code), &result, values);
    return NULL;
}
int main(int argc, char **argv) {
    soak_begin(argc, argv);
    ffi_type *types[] = {&ffi_type_sint64};
    CHECK(ffi_prep_cif(&cif, FFI_DEFAULT_ABI, 1, &ffi_type_sint64, types) == FFI_OK);
    ffi_closure *a = (ffi_closure *)ffi_closure_alloc(sizeof *a, &exit_code);
    ffi_closure *b = (ffi_closure *)ffi_closure_alloc(sizeof *b, &wait_code);
    CHECK(ffi_prep_closure_loc(a, &cif, exits, NULL, exit_code) == FFI_OK);
    CHECK(ffi_prep_closure_loc(b, &cif, waits, NULL, wait_code) == FFI_OK);
    pthread_key_create(&key, at_end);
    unsigned seed = soak_seed;
    long rounds = 0;
    for (; soak_goes_on(); rounds += 2) {
        pthread_t one, two;
        void *of_one = NULL, *of_two = NULL;
        CHECK(pthread_create(&one, NULL, thread, exit_code) == 0);
        CHECK(pthread_create(&two, NULL, thread, wait_code) == 0);
        soak_dawdle(&seed, 100000);
        pthread_cancel(two);
        pthread_join(one, &of_one);
        pthread_join(two, &of_two);
        CHECK(of_one == (void *)7);
        CHECK(of_two == PTHREAD_CANCELED);
    }
    printf("destructors %ld\nrounds %ld\n", ended, rounds);
    return 0;
}
