/* A C program whose process has no unwinder when code is made, and then opens a library that throws exceptions through that code and
   through a closure made before. The library is the argument. Prints a line a failure; exits with 1 if there was any. */

#include <dlfcn.h>
#include <ffi.h>
#include <stdlib.h>

#include "check.h"

/* Enough calls for a signature to get code of its own. */
enum { CALLS = 12 };

static ffi_cif cif;
static void (*target)(void);
static void (*thrower)(void);

static void call(void) {
    int value = 1;
    void *values[] = { &value };
    ffi_arg result;
    ffi_call(&cif, target, &result, values);
}

static int harmless(int value) { return value; }

static void handler(ffi_cif *of, void *result, void **values, void *data) {
    (void)of, (void)values, (void)data;
    *(ffi_arg *)result = 0;
    if (thrower != NULL) {
        thrower();
    }
}

int main(int argc, char **argv) {
    ffi_type *types[] = { &ffi_type_sint };
    void *code;
    ffi_closure *closure = ffi_closure_alloc(sizeof(ffi_closure), &code);
    CHECK(ffi_prep_cif(&cif, FFI_DEFAULT_ABI, 1, &ffi_type_sint, types) == FFI_OK);
    CHECK(closure != NULL && ffi_prep_closure_loc(closure, &cif, handler, NULL, code) == FFI_OK);
    for (int i = 0; i < CALLS; ++i) {
        target = i % 2 == 0 ? (void (*)(void))harmless : (void (*)(void))code;
        call();
    }
    void *library = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    if (library == NULL) {
        puts("cannot open the library");
        return 1;
    }
    int (*catches)(void (*)(void)) = (int (*)(void (*)(void)))dlsym(library, "catches");
    thrower = (void (*)(void))dlsym(library, "throws");
    for (int i = 0; i < CALLS; ++i) {
        target = i % 2 == 0 ? thrower : (void (*)(void))code;
        CHECK(catches(call));
    }
    ffi_closure_free(closure);
    return failures != 0;
}
