/* A closure ends its thread, in a program that is linked with LLVM's unwinder while the C library unwinds by libgcc_s.so.1: no frame in
   between may ask one about the other's state. */

#include <ffi.h>
#include <pthread.h>
#include <stdio.h>

extern int _Unwind_Backtrace(int (*)(void *, void *), void *);

static ffi_cif cif;
static void *code;

static void handler(ffi_cif *of, void *result, void **values, void *data) {
    (void)of, (void)result, (void)values;
    pthread_exit(data);
}

static void *thread(void *unused) {
    (void)unused;
    ffi_arg result = 0;
    int one = 1;
    void *values[] = {&one};
    ffi_call(&cif, FFI_FN(code), &result, values);
    return NULL;
}

static int count(void *context, void *frames) {
    (void)context;
    ++*(int *)frames;
    return 0;
}

int main(void) {
    static int token;
    ffi_type *types[] = {&ffi_type_sint};
    int frames = 0, wrong = 0;
    _Unwind_Backtrace(count, &frames);
    ffi_closure *closure = ffi_closure_alloc(sizeof *closure, &code);
    if (closure == NULL || ffi_prep_cif(&cif, FFI_DEFAULT_ABI, 1, &ffi_type_sint, types) != FFI_OK ||
        ffi_prep_closure_loc(closure, &cif, handler, &token, code) != FFI_OK) {
        return 2;
    }
    for (int i = 0; i < 20; ++i) {
        pthread_t it;
        void *result = NULL;
        pthread_create(&it, NULL, thread, NULL);
        pthread_join(it, &result);
        wrong += result != &token;
    }
    printf("%d of 20 threads ended wrongly\n", wrong);
    return wrong != 0;
}
