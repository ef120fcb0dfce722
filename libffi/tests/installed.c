/* The least that shows that a program was compiled with this library's headers, linked with it, and finds it. Exits with 1 if not. */

#include <ffi.h>
#include <stdio.h>
#include <string.h>

static int difference(int a, int b) {
    return a - b;
}

int main(void) {
    ffi_type *types[] = { &ffi_type_sint, &ffi_type_sint };
    int a = 44, b = 2;
    void *values[] = { &a, &b };
    ffi_cif cif;
    ffi_arg result = 0;
    if (ffi_prep_cif(&cif, FFI_DEFAULT_ABI, 2, &ffi_type_sint, types) != FFI_OK) {
        puts("no cif");
        return 1;
    }
    ffi_call(&cif, FFI_FN(difference), &result, values);
    if ((int)result != 42 || strcmp(ffi_get_version(), FFI_VERSION_STRING) != 0) {
        printf("%d, and version %s, not %s\n", (int)result, ffi_get_version(), FFI_VERSION_STRING);
        return 1;
    }
    return 0;
}
