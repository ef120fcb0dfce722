// The declarations of the benchmarks' C side. `cargo xtask bench` generates the cases from signatures.txt.

#include <stddef.h>
#include <stdint.h>

// farcall's trampolines, and the typed calls written in C that they are measured against.
typedef void (*bench_trampoline)(const void *target, const uint64_t *slots, uint64_t *result);

// The handlers that farcall's callbacks call.
typedef uint64_t (*bench_slots_handler)(void *context, const uint64_t *slots);

// The handlers that libffi's closures call.
typedef void (*bench_closure_handler)(void *cif, void *result, void **values, void *context);

// Calls a function pointer with the values in the slots, which are read once, and leaves the last result.
typedef void (*bench_caller)(const void *function, const uint64_t *slots, uint64_t *result, uint64_t count);

// ffi_call with a cif, ffi_call_plan_invoke with a plan.
typedef void (*bench_libffi_call)(void *prepared, const void *target, void *result, void **values);

// The loops that are timed. Every peer has copies of its own: a processor predicts an indirect call's target by the call's address, and
// does worse if one call has had several targets. With shared loops, times would depend on the peers before.
#define BENCH_PEERS 12

typedef void (*bench_slots_loop)(bench_trampoline call, const void *target, const uint64_t *slots, uint64_t *result,
    uint64_t count);
typedef void (*bench_libffi_loop)(bench_libffi_call call, void *prepared, const void *target, void *result,
    void **values, uint64_t count);

#define BENCH_SLOTS_LOOP(name) \
    static void name(bench_trampoline call, const void *target, const uint64_t *slots, uint64_t *result, \
        uint64_t count) { \
        for (uint64_t i = 0; i < count; ++i) { \
            call(target, slots, result); \
        } \
    }

#define BENCH_LIBFFI_LOOP(name) \
    static void name(bench_libffi_call call, void *prepared, const void *target, void *result, void **values, \
        uint64_t count) { \
        for (uint64_t i = 0; i < count; ++i) { \
            call(prepared, target, result, values); \
        } \
    }

// ORDER bench_case: library.rs has the same.
struct bench_case {
    const char *name;
    // Its first argument plus its last.
    const void *ends;
    // Every argument times its position, added up.
    const void *weighed;
    // The first, by way of slots and a handler, as a callback does it.
    const void *entry;
    bench_trampoline typed_call;
    bench_slots_loop slots_loops[BENCH_PEERS];
    bench_libffi_loop libffi_loops[BENCH_PEERS];
    bench_caller callers[BENCH_PEERS];
    // Handlers that return the first argument plus the last, and the weighed sum.
    bench_slots_handler slots_ends, slots_weighed;
    bench_closure_handler closure_ends, closure_weighed;
};

// ORDER bench_libffi: library.rs has the same.
struct bench_libffi {
    const char *version;
    size_t closure_size;
    void (*call)(void);
    // NULL where there are no plans.
    void (*plan_invoke)(void);
};
