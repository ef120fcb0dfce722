/* A signal handler prepares cifs, calls functions, and uses a closure made before, while the program does all of that. */
#include "soak.h"
#include <sys/time.h>
static ffi_cif known;
static void *known_code;
static volatile long handled;
static void handle(int number) {
    int saved = errno;
    ffi_type *types[] = {&ffi_type_sint64, &ffi_type_double};
    ffi_cif cif;
    CHECK(ffi_prep_cif(&cif, FFI_DEFAULT_ABI, 1 + (unsigned)handled % 2, &ffi_type_sint64, types) == FFI_OK);
    int64_t a = number;
    double b = 2;
    void *values[] = {&a, &b};
    ffi_arg result = 0;
    ffi_call(&known, FFI_FN(known_code), &result, values);
    CHECK((int64_t)result == number + 5);
    ++handled;
    errno = saved;
}
int main(int argc, char **argv) {
    soak_begin(argc, argv);
    ffi_type *types[] = {&ffi_type_sint64};
    CHECK(ffi_prep_cif(&known, FFI_DEFAULT_ABI, 1, &ffi_type_sint64, types) == FFI_OK);
    ffi_closure *closure = (ffi_closure *)ffi_closure_alloc(sizeof *closure, &known_code);
    CHECK(closure && ffi_prep_closure_loc(closure, &known, soak_sum, (void *)5, known_code) == FFI_OK);
    signal(SIGPROF, handle);
    struct itimerval every = {{0, 300}, {0, 300}};
    setitimer(ITIMER_PROF, &every, NULL);
    long rounds = 0;
    unsigned seed = soak_seed;
    while (soak_goes_on()) {
        CHECK(soak_use(&seed));
        ++rounds;
    }
    printf("signals %ld\nrounds %ld\n", handled, rounds);
    return 0;
}
