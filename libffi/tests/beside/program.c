/* A program with two static libraries in Rust: libffi, and library.rs. Each has a standard library of its own. */

#include <ffi.h>
#include <stdio.h>

int beside_sum(int a, int b);

static void sum_handler(ffi_cif *cif, void *result, void **args, void *data) {
    (void)cif;
    *(ffi_arg *)result = (ffi_arg)beside_sum(*(int *)args[0], *(int *)args[1] + *(int *)data);
}

int main(void) {
    ffi_type *types[] = {&ffi_type_sint, &ffi_type_sint};
    ffi_cif cif;
    int a = 3, b = 4, data = 100;
    void *values[] = {&a, &b}, *code;
    ffi_closure *closure = ffi_closure_alloc(sizeof(ffi_closure), &code);
    if (closure == NULL || ffi_prep_cif(&cif, FFI_DEFAULT_ABI, 2, &ffi_type_sint, types) != FFI_OK ||
        ffi_prep_closure_loc(closure, &cif, sum_handler, &data, code) != FFI_OK)
        return 1;
    for (int i = 0; i < 20; i++) {
        ffi_arg called = 0, closed = 0;
        ffi_call(&cif, FFI_FN(beside_sum), &called, values);
        ffi_call(&cif, FFI_FN(code), &closed, values);
        if ((int)called != 7 || (int)closed != 107) {
            printf("sums are %d and %d\n", (int)called, (int)closed);
            return 1;
        }
    }
    ffi_closure_free(closure);
    return 0;
}
