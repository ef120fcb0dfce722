// One libffi, opened by its path. This file is compiled once for each, with its own headers: two of them have the same
// name for the dynamic linker and could not both be linked with.

#include <dlfcn.h>
#include <stdlib.h>

#include <ffi.h>

#include "bench.h"

static struct {
    __typeof__(&ffi_prep_cif) prep_cif;
    __typeof__(&ffi_call) call;
    __typeof__(&ffi_closure_alloc) closure_alloc;
    __typeof__(&ffi_closure_free) closure_free;
    __typeof__(&ffi_prep_closure_loc) prep_closure_loc;
    void *(*plan_alloc)(ffi_cif *cif);
    void (*plan_invoke)(void);
} api;

static struct {
    char code;
    const char *name;
    ffi_type *type;
} types[] = {
    { 'v', "ffi_type_void" }, { 'b', "ffi_type_sint8" }, { 'B', "ffi_type_uint8" }, { 'h', "ffi_type_sint16" },
    { 'H', "ffi_type_uint16" }, { 'i', "ffi_type_sint32" }, { 'I', "ffi_type_uint32" }, { 'q', "ffi_type_sint64" },
    { 'L', "ffi_type_uint64" }, { 'P', "ffi_type_pointer" }, { 'f', "ffi_type_float" }, { 'd', "ffi_type_double" },
};

static struct bench_libffi self;

// Returns NULL if the library cannot be used.
const struct bench_libffi *libffi_open(const char *path, const char *version) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        return NULL;
    }
    api.prep_cif = dlsym(library, "ffi_prep_cif");
    api.call = dlsym(library, "ffi_call");
    api.closure_alloc = dlsym(library, "ffi_closure_alloc");
    api.closure_free = dlsym(library, "ffi_closure_free");
    api.prep_closure_loc = dlsym(library, "ffi_prep_closure_loc");
    api.plan_alloc = dlsym(library, "ffi_call_plan_alloc");
    api.plan_invoke = dlsym(library, "ffi_call_plan_invoke");
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); ++i) {
        types[i].type = dlsym(library, types[i].name);
        if (types[i].type == NULL) {
            return NULL;
        }
    }
    if (!api.prep_cif || !api.call || !api.closure_alloc || !api.closure_free || !api.prep_closure_loc) {
        return NULL;
    }
    self.version = version;
    self.closure_size = sizeof(ffi_closure);
    self.call = (void (*)(void))api.call;
    self.plan_invoke = api.plan_invoke;
    return &self;
}

static ffi_type *type_of(char code) {
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); ++i) {
        if (types[i].code == code) {
            return types[i].type;
        }
    }
    return NULL;
}

// A cif with its types, still to be prepared. It lives as long as the process.
ffi_cif *libffi_declare(char result, const char *codes, unsigned count) {
    ffi_cif *cif = calloc(1, sizeof(*cif));
    ffi_type **args = calloc(count + 1, sizeof(*args));
    for (unsigned i = 0; i < count; ++i) {
        if ((args[i] = type_of(codes[i])) == NULL) {
            return NULL;
        }
    }
    cif->abi = FFI_DEFAULT_ABI;
    cif->nargs = count;
    cif->rtype = type_of(result);
    cif->arg_types = args;
    return cif;
}

static void prepare(ffi_cif *cif) {
    if (api.prep_cif(cif, cif->abi, cif->nargs, cif->rtype, cif->arg_types) != FFI_OK) {
        abort();
    }
}

// The same, prepared.
ffi_cif *libffi_prepare(char result, const char *codes, unsigned count) {
    ffi_cif *cif = libffi_declare(result, codes, count);
    if (cif != NULL) {
        prepare(cif);
    }
    return cif;
}

// Prepares cifs that were declared, and calls with each a given number of times.
void libffi_prepare_each(ffi_cif **cifs, uint64_t count, void (*target)(void), void *result, void **values,
    uint64_t calls) {
    for (uint64_t i = 0; i < count; ++i) {
        prepare(cifs[i]);
        for (uint64_t n = 0; n < calls; ++n) {
            api.call(cifs[i], target, result, values);
        }
    }
}

// Prepares cifs that were declared, and a closure of each, and stores it in `closures`.
void libffi_prepare_closures(ffi_cif **cifs, uint64_t count, bench_closure_handler handler, void **closures) {
    void (*function)(ffi_cif *, void *, void **, void *) = (void *)handler;
    for (uint64_t i = 0; i < count; ++i) {
        void *code;
        prepare(cifs[i]);
        closures[i] = api.closure_alloc(sizeof(ffi_closure), &code);
        if (closures[i] == NULL || api.prep_closure_loc(closures[i], cifs[i], function, NULL, code) != FFI_OK) {
            abort();
        }
    }
}

void *libffi_plan(ffi_cif *cif) {
    return api.plan_alloc == NULL ? NULL : api.plan_alloc(cif);
}

// A function pointer that leads to the handler; the closure to free goes to *closure.
void *libffi_closure_new(ffi_cif *cif, bench_closure_handler handler, void *context, void **closure) {
    void *code;
    *closure = api.closure_alloc(sizeof(ffi_closure), &code);
    void (*function)(ffi_cif *, void *, void **, void *) = (void *)handler;
    if (*closure == NULL || api.prep_closure_loc(*closure, cif, function, context, code) != FFI_OK) {
        return NULL;
    }
    return code;
}

void libffi_closure_free(void *closure) {
    api.closure_free(closure);
}

// Makes a closure and frees it, a given number of times.
void libffi_churn(ffi_cif *cif, bench_closure_handler handler, uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) {
        void *closure;
        if (libffi_closure_new(cif, handler, NULL, &closure) == NULL) {
            abort();
        }
        libffi_closure_free(closure);
    }
}

// Prepares a cif like this one, a given number of times.
void libffi_prepare_often(ffi_cif *like, uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) {
        ffi_cif cif;
        if (api.prep_cif(&cif, like->abi, like->nargs, like->rtype, like->arg_types) != FFI_OK) {
            abort();
        }
    }
}

// The same with a call each time, as programs do that keep no cifs.
void libffi_prepare_and_call(ffi_cif *like, void (*target)(void), void *result, void **values, uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) {
        ffi_cif cif;
        if (api.prep_cif(&cif, like->abi, like->nargs, like->rtype, like->arg_types) != FFI_OK) {
            abort();
        }
        api.call(&cif, target, result, values);
    }
}
