/* main() calls call_closure() through ffi_call(), that calls a closure, whose handler calls innermost(): a debugger that stops there
   shall find its way back. */

#include <ffi.h>

static volatile int depth;

__attribute__((noinline)) void innermost(void) { depth++; }

__attribute__((noinline)) static void handler(ffi_cif *cif, void *result, void **args, void *data) {
    (void)cif;
    (void)data;
    innermost();
    *(ffi_arg *)result = (ffi_arg)(*(int *)args[0] + 1);
}

__attribute__((noinline)) static int call_closure(int (*closure)(int)) { return closure(41) + depth - 1; }

int main(void) {
    ffi_cif of_closure, of_caller;
    ffi_type *one_int[] = {&ffi_type_sint}, *one_pointer[] = {&ffi_type_pointer};
    void *code;
    ffi_closure *closure = ffi_closure_alloc(sizeof(ffi_closure), &code);
    if (ffi_prep_cif(&of_closure, FFI_DEFAULT_ABI, 1, &ffi_type_sint, one_int) != FFI_OK ||
        ffi_prep_cif(&of_caller, FFI_DEFAULT_ABI, 1, &ffi_type_sint, one_pointer) != FFI_OK ||
        ffi_prep_closure_loc(closure, &of_closure, handler, 0, code) != FFI_OK)
        return 1;
    ffi_arg result;
    void *values[] = {&code};
    ffi_call(&of_caller, FFI_FN(call_closure), &result, values);
    return result == 42 ? 0 : 1;
}
