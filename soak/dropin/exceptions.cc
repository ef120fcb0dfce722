// Exceptions cross calls and closures in two threads while a profiler takes backtraces and the main thread forks; children throw, too.
#include "soak.h"
#include <execinfo.h>
#include <sys/time.h>
static ffi_cif cif;
static void *code;
static volatile bool is_over;
static volatile long samples;
static void throws(ffi_cif *, void *, void **values, void *) { throw *static_cast<int64_t *>(values[0]); }
static void sample(int) {
    void *frames[32];
    int saved = errno;
    backtrace(frames, 32);
    samples = samples + 1;
    errno = saved;
}
static void throw_once(int64_t n) {
    void *values[] = {&n};
    ffi_arg result;
    try {
        ffi_call(&cif, FFI_FN(code), &result, values);
        CHECK(false);
    } catch (int64_t caught) {
        CHECK(caught == n);
    }
}
static void *others(void *seed) {
    while (!is_over) {
        throw_once(rand_r(static_cast<unsigned *>(seed)));
        CHECK(soak_use(static_cast<unsigned *>(seed)));
    }
    return nullptr;
}
int main(int argc, char **argv) {
    soak_begin(argc, argv);
    ffi_type *types[] = {&ffi_type_sint64};
    CHECK(ffi_prep_cif(&cif, FFI_DEFAULT_ABI, 1, &ffi_type_sint64, types) == FFI_OK);
    auto *closure = static_cast<ffi_closure *>(ffi_closure_alloc(sizeof(ffi_closure), &code));
    CHECK(ffi_prep_closure_loc(closure, &cif, throws, nullptr, code) == FFI_OK);
    void *frames[4];
    backtrace(frames, 4);
    throw_once(1);
    struct sigaction action = {};
    action.sa_handler = sample;
    action.sa_flags = SA_RESTART;
    sigaction(SIGPROF, &action, nullptr);
    struct itimerval every = {{0, 1000}, {0, 1000}};
    setitimer(ITIMER_PROF, &every, nullptr);
    unsigned seed = soak_seed, seeds[2] = {soak_seed + 1, soak_seed + 2};
    pthread_t threads[2];
    for (int i = 0; i < 2; ++i) pthread_create(&threads[i], nullptr, others, &seeds[i]);
    long rounds = 0;
    for (; soak_goes_on(); ++rounds) {
        soak_dawdle(&seed, 50000);
        pid_t child = fork();
        if (child == 0) {
            alarm(20);
            for (int i = 0; i < 3; ++i) throw_once(i);
            CHECK(soak_use(&seed));
            _exit(0);
        }
        int status = -1;
        while (waitpid(child, &status, 0) != child) CHECK(errno == EINTR);
        CHECK(status == 0);
    }
    is_over = true;
    for (int i = 0; i < 2; ++i) pthread_join(threads[i], nullptr);
    printf("samples %ld\nrounds %ld\n", samples, rounds);
}
