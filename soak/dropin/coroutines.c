/* Coroutines leave a closure and the call around it on another thread than the one on which they entered. */
#include "soak.h"
#include <ucontext.h>
static ffi_cif cif;
static void *code;
static ucontext_t self, resumer;
static char stack[256 * 1024];
static int has_ended;
static void handler(ffi_cif *of, void *result, void **values, void *data) {
    (void)of, (void)data;
    for (int i = 0; i < 3; ++i) swapcontext(&self, &resumer);
    *(ffi_arg *)result = (ffi_arg)(*(int64_t *)values[0] + 1);
}
static void body(void) {
    int64_t n = 41;
    void *values[] = {&n};
    ffi_arg result = 0;
    ffi_call(&cif, FFI_FN(code), &result, values);
    CHECK(result == 42);
    has_ended = 1;
    swapcontext(&self, &resumer);
}
static void *resume(void *unused) {
    unsigned seed = soak_seed;
    CHECK(soak_use(&seed));
    swapcontext(&resumer, &self);
    CHECK(soak_use(&seed));
    return unused;
}
int main(int argc, char **argv) {
    soak_begin(argc, argv);
    ffi_type *types[] = {&ffi_type_sint64};
    CHECK(ffi_prep_cif(&cif, FFI_DEFAULT_ABI, 1, &ffi_type_sint64, types) == FFI_OK);
    ffi_closure *closure = (ffi_closure *)ffi_closure_alloc(sizeof *closure, &code);
    CHECK(ffi_prep_closure_loc(closure, &cif, handler, NULL, code) == FFI_OK);
    unsigned seed = soak_seed;
    long rounds = 0;
    for (; soak_goes_on(); ++rounds) {
        getcontext(&self);
        self.uc_stack.ss_sp = stack;
        self.uc_stack.ss_size = sizeof stack;
        makecontext(&self, body, 0);
        has_ended = 0;
        for (int i = 0; i < 4; ++i) {
            pthread_t thread;
            if (rand_r(&seed) % 2) {
                resume(NULL);
            } else {
                CHECK(pthread_create(&thread, NULL, resume, NULL) == 0);
                pthread_join(thread, NULL);
            }
            CHECK(has_ended == (i == 3));
        }
    }
    printf("rounds %ld\n", rounds);
    return 0;
}
