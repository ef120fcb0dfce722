// Exceptions through calls and closures, in a program that unwinds by whatever it is linked with; and what the use of many signatures
// does to exceptions that have nothing to do with them: nothing. Built with several unwinders.

#include <ffi.h>

#include <algorithm>
#include <csetjmp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <execinfo.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

// LLVM's unwinder has a lock of its own, which fork() knows nothing of.
#ifdef _LIBCPP_VERSION
static const bool can_fork = false;
#else
static const bool can_fork = true;
#endif

static int failures;

static void expect(bool holds, const char *what) {
    if (!holds) {
        std::printf("FAIL: %s\n", what);
        failures++;
    }
}

struct Local {
    static int destroyed;
    ~Local() { destroyed++; }
};
int Local::destroyed;

static void throws(ffi_cif *, void *, void **values, void *) {
    Local local;
    throw *static_cast<int *>(values[0]);
}

static void adds(ffi_cif *, void *result, void **values, void *) {
    *static_cast<ffi_arg *>(result) = *static_cast<int *>(values[0]) + 1;
}

static std::jmp_buf out;

static void jumps(ffi_cif *, void *, void **values, void *) { std::longjmp(out, *static_cast<int *>(values[0])); }

// A closure of int (int, ...), with more arguments than are kept on the stack if there are many.
struct Closure {
    enum { MOST = 100 };
    ffi_cif cif;
    ffi_type *types[MOST];
    void *code = nullptr, *memory;
    unsigned count;

    Closure(unsigned count, void (*handler)(ffi_cif *, void *, void **, void *)) : count(count) {
        for (unsigned i = 0; i < count; ++i) {
            types[i] = &ffi_type_sint;
        }
        memory = ffi_closure_alloc(sizeof(ffi_closure), &code);
        if (memory == nullptr || ffi_prep_cif(&cif, FFI_DEFAULT_ABI, count, &ffi_type_sint, types) != FFI_OK ||
            ffi_prep_closure_loc(static_cast<ffi_closure *>(memory), &cif, handler, nullptr, code) != FFI_OK) {
            std::abort();
        }
    }
    ~Closure() { ffi_closure_free(memory); }

    void call(int first) {
        Local local;
        ffi_arg result = 0;
        void *values[MOST];
        for (unsigned i = 0; i < count; ++i) {
            values[i] = &first;
        }
        ffi_call(&cif, FFI_FN(code), &result, values);
    }

    // The same by the raw interface.
    void call_raw(int first) {
        Local local;
        ffi_arg result = 0;
        ffi_raw block[MOST];
        for (unsigned i = 0; i < count; ++i) {
            block[i].sint = first;
        }
        ffi_raw_call(&cif, FFI_FN(code), &result, block);
    }
};

// An exception crosses a closure's frames and those of the call, and destroys what lies beyond on both sides.
static void exceptions_arrive(unsigned count, void (Closure::*call)(int)) {
    enum { TIMES = 40 };
    Closure closure(count, throws);
    int arrived = 0;
    Local::destroyed = 0;
    for (int i = 1; i <= TIMES; ++i) {
        try {
            (closure.*call)(i);
        } catch (int thrown) {
            arrived += thrown == i;
        }
    }
    expect(arrived == TIMES && Local::destroyed == 2 * TIMES, "exceptions arrive");
}

static void jumps_arrive() {
    Closure closure(1, jumps);
    static int arrived;
    for (static volatile int i = 1; i <= 20; i = i + 1) {
        int value = setjmp(out);
        if (value == 0) {
            closure.call(i);
        }
        arrived += value == i;
    }
    expect(arrived == 20, "jumps arrive");
}

static int one() { return 1; }

// Calls something of a signature that has that number, often enough to get code.
static void use(unsigned number) {
    static ffi_type *const kinds[] = {&ffi_type_sint32, &ffi_type_double, &ffi_type_float,  &ffi_type_sint64,
                                      &ffi_type_uint8,  &ffi_type_sint16, &ffi_type_pointer};
    ffi_cif cif;
    ffi_type *types[16];
    void *values[16];
    double value = 0;
    unsigned count = 0;
    for (; number > 0; number /= 7, ++count) {
        types[count] = kinds[number % 7];
        values[count] = &value;
    }
    if (ffi_prep_cif(&cif, FFI_DEFAULT_ABI, count, &ffi_type_sint, types) != FFI_OK) {
        std::abort();
    }
    for (int i = 0; i < 12; ++i) {
        ffi_arg result;
        ffi_call(&cif, FFI_FN(one), &result, values);
    }
}

__attribute__((noinline)) static int deep(int frames) {
    if (frames == 0) {
        throw 1;
    }
    volatile int below = deep(frames - 1);
    return below + 1;
}

static void throw_and_catch(int frames) {
    try {
        deep(frames);
    } catch (int) {
    }
}

// The fastest of some rounds, in nanoseconds a throw.
static long cost() {
    enum { ROUNDS = 20, THROWS = 100 };
    long least = 0;
    for (int round = 0; round < ROUNDS; ++round) {
        timespec before, after;
        clock_gettime(CLOCK_MONOTONIC, &before);
        for (int i = 0; i < THROWS; ++i) {
            throw_and_catch(10);
        }
        clock_gettime(CLOCK_MONOTONIC, &after);
        long took = ((after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec) / THROWS;
        least = round == 0 || took < least ? took : least;
    }
    return least;
}

// Signatures make no exception slower.
static void exceptions_stay_fast() {
    use(100000);
    long before = cost();
    for (unsigned i = 1; i < 3000; ++i) {
        use(100000 + i);
    }
    long after = cost();
    // What else the machine does makes a round slower and never faster.
    for (int i = 0; i < 50 && after >= before * 3 / 2; ++i) {
        after = std::min(after, cost());
    }
    std::printf("a throw: %ld ns, after 3000 signatures %ld ns\n", before, after);
    expect(after < before * 3 / 2, "signatures make no exception slower");
}

// A child of a process whose other threads throw can throw, and use new signatures. One has been throwing since there was a profiler.
static void children_work() {
    int ended_badly = 0;
    for (int i = 0; i < 100; ++i) {
        usleep(std::rand() % 500);
        pid_t child = fork();
        if (child == 0) {
            alarm(300);
            throw_and_catch(3);
            use(900000 + i);
            _exit(0);
        }
        int status;
        waitpid(child, &status, 0);
        ended_badly += status != 0;
    }
    expect(ended_badly == 0, "children throw and call");
}

static volatile long samples;

static void sample(int) {
    void *frames[32];
    samples = samples + (backtrace(frames, 32) > 0);
}

// A profiler may look at the stack at any time, while another thread throws. That thread is not looked at: libgcc has moments in which its own
// frames cannot be unwound.
static void profiler_works(int seconds) {
    void *frames[4];
    backtrace(frames, 4);
    std::signal(SIGPROF, sample);
    sigset_t profiling;
    sigemptyset(&profiling);
    sigaddset(&profiling, SIGPROF);
    pthread_sigmask(SIG_BLOCK, &profiling, nullptr);
    std::thread([] {
        for (;;) {
            throw_and_catch(10);
        }
    }).detach();
    pthread_sigmask(SIG_UNBLOCK, &profiling, nullptr);
    itimerval often = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
    setitimer(ITIMER_PROF, &often, nullptr);
    Closure closure(3, adds);
    unsigned number = 200000;
    for (time_t start = time(nullptr); time(nullptr) - start < seconds;) {
        use(number++);
        closure.call(1);
    }
    setitimer(ITIMER_PROF, &never, nullptr);
    std::printf("%ld samples\n", samples);
    expect(samples > 0, "a profiler sees something");
}

int main(int count, char **arguments) {
    exceptions_arrive(1, &Closure::call);
    exceptions_arrive(Closure::MOST, &Closure::call);
    exceptions_arrive(1, &Closure::call_raw);
    exceptions_arrive(Closure::MOST, &Closure::call_raw);
    jumps_arrive();
    exceptions_stay_fast();
    profiler_works(count > 1 ? std::atoi(arguments[1]) : 2);
    if (can_fork) {
        children_work();
    }
    // A thread is still busy.
    std::fflush(stdout);
    _exit(failures != 0);
}
