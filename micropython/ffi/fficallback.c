// A Python function that C calls.
//
// A callback lives until it is closed, because C may keep its address for as long as it likes. A list that the
// collector starts from holds all open callbacks. A thread of C's may be on its way in when a callback is closed, so the function
// pointer leads to no object on the heap, but to an ffi_entered_t. An exception never leaves the handler. It waits in the frame of the
// call that C is in, and is raised when that call returns. If there is no such call, the main thread raises it as soon as it is back
// in Python.

#include <stdio.h>
#include <string.h>

#include "modffi.h"
#include "py/gc.h"
#include "py/mphal.h"

#if MICROPY_PY_THREAD_GIL && !FFI_WRAPS_LOCKS
#include <unistd.h>
#endif

// The memory behind a function pointer, which belongs to that pointer for good. All callbacks of one pointer have signatures that are
// the same to C, and the same `lock`. The signature stays for as long as the process, so it has no namespace: the callback looks up types in
// its own.
struct _ffi_entered_t {
    const farcall_signature *volatile signature;
    volatile mp_obj_t function; // `closed_obj` while there is no callback
    mp_obj_fficallback_t *volatile object; // NULL while there is none
    bool lock;
    bool is_wide; // a value takes more than one slot: what handlers are given is an ffi_passed_t
    bool checks_stack; // the virtual machine looks whether there is stack left when it calls the function
    #if !MICROPY_PY_THREAD
    const void *volatile home; // which thread made it
    #endif
};

MP_REGISTER_ROOT_POINTER(struct _mp_obj_fficallback_t *ffi_open_callbacks);

// Closing leaves `next` as it is: a collection that is following the list in another thread still gets to its end.
static void link_callback(mp_obj_fficallback_t *self) {
    mp_uint_t state = MICROPY_BEGIN_ATOMIC_SECTION();
    self->prev = NULL;
    self->next = MP_STATE_VM(ffi_open_callbacks);
    if (self->next != NULL) {
        self->next->prev = self;
    }
    MP_STATE_VM(ffi_open_callbacks) = self;
    MICROPY_END_ATOMIC_SECTION(state);
}

// Returns what there is to free, once.
static farcall_callback *unlink_callback(mp_obj_fficallback_t *self) {
    mp_uint_t state = MICROPY_BEGIN_ATOMIC_SECTION();
    farcall_callback *callback = self->keeper->callback;
    if (callback != NULL) {
        self->keeper->callback = NULL;
        self->code = NULL;
        if (self->prev != NULL) {
            self->prev->next = self->next;
        } else {
            MP_STATE_VM(ffi_open_callbacks) = self->next;
        }
        if (self->next != NULL) {
            self->next->prev = self->prev;
        }
        self->prev = NULL;
    }
    MICROPY_END_ATOMIC_SECTION(state);
    return callback;
}

// Takes the place of the function of a callback that is closed: a thread that comes late calls it. It gives itself, which is zero to C.
static mp_obj_t call_closed(size_t n_args, const mp_obj_t *args);
static MP_DEFINE_CONST_FUN_OBJ_VAR(closed_obj, 0, call_closed);

static mp_obj_t call_closed(size_t n_args, const mp_obj_t *args) {
    (void)n_args;
    (void)args;
    farcall_report_closed();
    return MP_OBJ_FROM_PTR(&closed_obj);
}

void ffi_free_callback(farcall_callback *callback) {
    ffi_entered_t *entered = farcall_callback_context(callback);
    entered->function = MP_OBJ_FROM_PTR(&closed_obj);
    entered->object = NULL;
    // From here on the pointer may become another callback's.
    farcall_callback_free(callback);
}

// May Python run here? Not in a thread that MicroPython did not make: it has no state, and the collector does not
// know its stack. Nor in one that it made, once that has ended.
static bool is_foreign_thread(const ffi_entered_t *self, const mp_state_thread_t *state) {
    #if MICROPY_PY_THREAD
    (void)self;
    return state == NULL || (ffi_innermost <= FARCALL_NO_FRAME && ffi_thread_has_ended(state));
    #else
    (void)state;
    return self->home != (const void *)&ffi_innermost;
    #endif
}

static const char *name_of_entered(const mp_obj_fficallback_t *object) {
    return object == NULL ? "that is closed" : ffi_callback_name(object);
}

// The signature with the types of a callback of C types, or what stays of it where that is closed. Whoever looks into the namespace got the
// object before Python ran, which may close it.
static const farcall_signature *typed_signature(const ffi_entered_t *self, const mp_obj_fficallback_t *object) {
    bool has_types = object != NULL && object->signature->values != NULL;
    return has_types ? object->signature : self->signature;
}

// `signature` is what the answer was converted by; a text of its type takes one with a namespace.
static FFI_NORETURN void raise_answer(const ffi_entered_t *self, const farcall_signature *signature, ffi_conversion_t why, mp_obj_t value) {
    const mp_obj_fficallback_t *object = self->object;
    if (signature->scope == NULL) {
        signature = typed_signature(self, object);
    }
    char where[FFI_WHERE_LEN];
    char type[FFI_WHERE_LEN];
    snprintf(where, sizeof(where), "result of callback %s", name_of_entered(object));
    farcall_signature_show(signature, FARCALL_SHOWN_TYPE, 0, type, sizeof(type));
    // A Python function would be a callback for no longer than until C looks at it.
    ffi_raise_value(why == FFI_CALLABLE ? FFI_WRONG_KIND : why, where, type, &signature->values[0], value);
}

// Has the object live that C gets a pointer into.
static void keep_answer(const ffi_entered_t *self, farcall_kind kind, mp_obj_t value) {
    mp_obj_fficallback_t *object = self->object;
    if (ffi_kind_borrows(kind) && object != NULL) {
        object->kept = value;
    }
}

// The result of a callback that is declared in C, or whose result is a struct, in slots of its own, which are zero.
static void unbox_answer(const ffi_entered_t *self, const farcall_signature *signature, mp_obj_t value, uint64_t *slots) {
    const farcall_value *answer = &signature->values[0];
    if (answer->kind == FARCALL_VOID || value == MP_OBJ_FROM_PTR(&closed_obj)) {
        return;
    }
    ffi_conversion_t why = ffi_value_from_obj(answer, signature->scope, value, slots);
    if (why != FFI_CONVERTED) {
        raise_answer(self, signature, why, value);
    }
    keep_answer(self, (farcall_kind)answer->kind, value);
}

// What handlers of callbacks with wide values are given in the arguments' place.
typedef struct _ffi_passed_t {
    const uint64_t *args;
    uint64_t *result;
} ffi_passed_t;

// The slot of what the function returned. Raises what goes wrong.
static MP_NOINLINE uint64_t unbox_result(ffi_entered_t *self, mp_obj_t value) {
    const farcall_signature *signature = self->signature;
    farcall_kind kind = (farcall_kind)signature->kinds[0];
    if (kind >= FARCALL_STRUCT) {
        uint64_t answer = 0;
        // No structure, and no enumeration: nothing is looked up for it.
        unbox_answer(self, signature, value, &answer);
        return answer;
    }
    bool is_zero = value == mp_const_none && ffi_kind_is_integer(kind);
    if (kind == FARCALL_VOID || is_zero || value == MP_OBJ_FROM_PTR(&closed_obj)) {
        return 0;
    }
    uint64_t slot;
    ffi_conversion_t why = ffi_slot_from_obj(kind, value, &slot);
    if (why != FFI_CONVERTED) {
        char where[FFI_WHERE_LEN];
        if (signature->values != NULL) {
            raise_answer(self, signature, why, value);
        }
        snprintf(where, sizeof(where), "result of callback %s", name_of_entered(self->object));
        ffi_raise_conversion(why, where, signature->codes[0], ffi_kind_wants(kind), value);
    }
    keep_answer(self, kind, value);
    return slot;
}

// Calls the function with objects. Raises what goes wrong.
static inline uint64_t run_with_objects(ffi_entered_t *self, const mp_obj_t *objs) {
    size_t n_args = self->signature->nargs;
    if (MP_UNLIKELY(!self->checks_stack)) {
        ffi_check_stack(ffi_state(), n_args);
    }
    mp_obj_t value = mp_call_function_n_kw(self->function, n_args, 0, objs);
    if (mp_obj_is_small_int(value) && ffi_kind_is_integer((farcall_kind)self->signature->kinds[0])) {
        return (uint64_t)(int64_t)MP_OBJ_SMALL_INT_VALUE(value);
    }
    return unbox_result(self, value);
}

// The same where the answer may be the name of a constant.
static MP_NOINLINE uint64_t run_for_enum(ffi_entered_t *self, const mp_obj_t *objs) {
    const mp_obj_fficallback_t *object = self->object;
    size_t n_args = self->signature->nargs;
    ffi_check_stack(ffi_state(), n_args);
    mp_obj_t value = mp_call_function_n_kw(self->function, n_args, 0, objs);
    // The collector finds the object on the stack up to here.
    uint64_t answer = 0;
    unbox_answer(self, typed_signature(self, object), value, &answer);
    return answer;
}

// What C reaches through the engine's machine code when a call of ours is in progress and all integers are small. The code
// catches what is raised.
static uint64_t handle_objects(void *context, void **objects) {
    return run_with_objects(context, (const mp_obj_t *)objects);
}

// Does the engine's machine code make objects of this kind? ORDER farcall_delivery
static bool is_boxed(farcall_kind kind) {
    return ffi_kind_is_integer(kind) || kind == FARCALL_POINTER;
}

static void box_slots(const farcall_signature *signature, void **objects) {
    for (size_t i = 0; i < signature->nargs; ++i) {
        farcall_kind kind = (farcall_kind)signature->kinds[i + 1];
        if (!is_boxed(kind)) {
            objects[i] = ffi_obj_from_slot(kind, (uintptr_t)objects[i]);
        }
    }
}

// The same where some arguments come as slots, because an object of them takes memory.
static uint64_t handle_some_slots(void *context, void **objects) {
    ffi_entered_t *self = context;
    box_slots(self->signature, objects);
    return run_with_objects(self, (const mp_obj_t *)objects);
}

// The same where the answer may be the name of a constant.
static uint64_t handle_enum(void *context, void **objects) {
    ffi_entered_t *self = context;
    box_slots(self->signature, objects);
    return run_for_enum(self, (const mp_obj_t *)objects);
}

static farcall_object_handler object_handler_for(const farcall_signature *signature) {
    if (signature->kinds[0] == FARCALL_ENUM) {
        return handle_enum;
    }
    for (size_t i = 0; i < signature->nargs; ++i) {
        if (!is_boxed((farcall_kind)signature->kinds[i + 1])) {
            return handle_some_slots;
        }
    }
    return handle_objects;
}

// Calls the function with values of any width.
static MP_NOINLINE uint64_t run_with_values(ffi_entered_t *self, const ffi_passed_t *passed) {
    const mp_obj_fficallback_t *object = self->object;
    if (object == NULL) {
        farcall_report_closed();
        return 0;
    }
    const farcall_signature *signature = typed_signature(self, object);
    size_t n_args = signature->nargs;
    ffi_check_stack(ffi_state(), n_args + signature->arg_slots);

    mp_obj_t objs[n_args + 1];
    for (size_t i = 0; i < n_args; ++i) {
        const farcall_value *value = &signature->values[i + 1];
        objs[i] = ffi_obj_from_value(value, signature->scope, &passed->args[value->slot]);
    }
    mp_obj_t value = mp_call_function_n_kw(self->function, n_args, 0, objs);
    // As in run_for_enum().
    unbox_answer(self, typed_signature(self, object), value, passed->result);
    return *passed->result;
}

// Boxes the arguments, calls the function, unboxes its result. Raises what goes wrong. It is a function of its own so
// that none of its variables is alive across the handler's nlr_push().
static MP_NOINLINE uint64_t run_function(ffi_entered_t *self, const uint64_t *args) {
    if (MP_UNLIKELY(self->is_wide)) {
        return run_with_values(self, (const ffi_passed_t *)args);
    }
    const farcall_signature *signature = self->signature;
    size_t n_args = signature->nargs;

    mp_obj_t objs[n_args + 1];
    for (size_t i = 0; i < n_args; ++i) {
        objs[i] = ffi_obj_from_slot((farcall_kind)signature->kinds[i + 1], args[i]);
    }
    return signature->kinds[0] == FARCALL_ENUM ? run_for_enum(self, objs) : run_with_objects(self, objs);
}

// Printing runs the exception's own code, which may raise again.
static void print_exception(mp_obj_t exception) {
    nlr_buf_t nlr;
    if (nlr_push(&nlr) == 0) {
        mp_print_str(MICROPY_ERROR_PRINTER, "Uncaught exception in FFI callback\n");
        mp_obj_print_exception(MICROPY_ERROR_PRINTER, exception);
        nlr_pop();
    } else {
        mp_print_str(MICROPY_ERROR_PRINTER, "(it cannot be printed)\n");
    }
}

// Has the main thread raise an exception that no call is there for, such as a signal's handler ends in. The virtual machine looks for
// one at every jump, and waiting ends with a signal. False where no Python code goes on, or it has one to raise already.
static bool raise_later(mp_obj_t exception) {
    const mp_state_thread_t *state = ffi_state();
    if (state != &mp_state_ctx.thread || state->nlr_top == NULL || state->mp_pending_exception != MP_OBJ_NULL) {
        return false;
    }
    mp_sched_exception(exception);
    ffi_nudge_later();
    return true;
}

// Keeps an exception for the call that C is in. Where there is none, it is raised later, or else printed.
static void keep_exception(ffi_entered_t *self, ffi_frame_t *frame, mp_obj_t exception) {
    if (self->lock) {
        print_exception(exception);
    } else if (frame == NULL) {
        if (!raise_later(exception)) {
            print_exception(exception);
        }
    } else if (!ffi_waits(frame)) {
        frame->pending = exception;
        frame->prev |= FARCALL_WAITS;
    }
}

// The vector registers that a callee gives back. nlr_push() does not keep them, as MicroPython looks at none after it caught
// something; but C, which called us, does. Whoever catches here has no number in them of its own.
#if defined(__aarch64__)
typedef struct {
    double low[8];
} vectors_t;

static inline void keep_vectors(vectors_t *kept) {
    __asm__ volatile (
        "stp d8, d9, [%0]\n"
        "stp d10, d11, [%0, #16]\n"
        "stp d12, d13, [%0, #32]\n"
        "stp d14, d15, [%0, #48]\n"
        : : "r" (kept) : "memory");
}

static inline void give_back_vectors(const vectors_t *kept) {
    __asm__ volatile (
        "ldp d8, d9, [%0]\n"
        "ldp d10, d11, [%0, #16]\n"
        "ldp d12, d13, [%0, #32]\n"
        "ldp d14, d15, [%0, #48]\n"
        : : "r" (kept) : "memory");
}
#elif defined(_WIN64) && defined(__x86_64__)
typedef struct {
    char whole[10][16];
} vectors_t;

static inline void keep_vectors(vectors_t *kept) {
    __asm__ volatile (
        "movups %%xmm6, (%0)\n"
        "movups %%xmm7, 16(%0)\n"
        "movups %%xmm8, 32(%0)\n"
        "movups %%xmm9, 48(%0)\n"
        "movups %%xmm10, 64(%0)\n"
        "movups %%xmm11, 80(%0)\n"
        "movups %%xmm12, 96(%0)\n"
        "movups %%xmm13, 112(%0)\n"
        "movups %%xmm14, 128(%0)\n"
        "movups %%xmm15, 144(%0)\n"
        : : "r" (kept) : "memory");
}

static inline void give_back_vectors(const vectors_t *kept) {
    __asm__ volatile (
        "movups (%0), %%xmm6\n"
        "movups 16(%0), %%xmm7\n"
        "movups 32(%0), %%xmm8\n"
        "movups 48(%0), %%xmm9\n"
        "movups 64(%0), %%xmm10\n"
        "movups 80(%0), %%xmm11\n"
        "movups 96(%0), %%xmm12\n"
        "movups 112(%0), %%xmm13\n"
        "movups 128(%0), %%xmm14\n"
        "movups 144(%0), %%xmm15\n"
        : : "r" (kept) : "memory");
}
#else
typedef struct {
    char none;
} vectors_t;

static inline void keep_vectors(vectors_t *kept) {
    (void)kept;
}

static inline void give_back_vectors(const vectors_t *kept) {
    (void)kept;
}
#endif

// Zero where an exception was raised.
static uint64_t run_and_catch(ffi_entered_t *self, ffi_frame_t *frame, const uint64_t *args) {
    nlr_buf_t nlr;
    vectors_t kept;
    keep_vectors(&kept);
    int held = ffi_get_interrupts_held();
    if (nlr_push(&nlr) == 0) {
        // What is raised from here on does not leave this function.
        ffi_set_interrupts_held(0);
        uint64_t result = run_function(self, args);
        ffi_set_interrupts_held(held);
        nlr_pop();
        return result;
    }
    ffi_set_interrupts_held(held);
    give_back_vectors(&kept);
    keep_exception(self, frame, MP_OBJ_FROM_PTR(nlr.ret_val));
    return 0;
}

// For a signal's handler: it may interrupt the collector and the scheduler, so both stay out of it, and the call into C
// that it happens to interrupt has nothing to do with it.
static uint64_t run_locked(ffi_entered_t *self, const uint64_t *args) {
    ffi_hold_interrupts();
    #if MICROPY_ENABLE_SCHEDULER
    mp_sched_lock();
    #endif
    gc_lock();
    uint64_t result = run_and_catch(self, NULL, args);
    gc_unlock();
    #if MICROPY_ENABLE_SCHEDULER
    mp_sched_unlock();
    #endif
    ffi_let_interrupts();
    return result;
}

// On a thread of MicroPython's.
static inline uint64_t run(ffi_entered_t *self, const uint64_t *args) {
    ffi_register_thread();
    ffi_frame_t *caller = ffi_innermost_frame();
    if (!self->lock && caller != NULL && ffi_waits(caller)) {
        return 0;
    }
    // A frame of its own: C is in no call of ours perhaps, but this is one of its.
    ffi_frame_t frame;
    ffi_link(&frame);
    uint64_t result = self->lock ? run_locked(self, args) : run_and_catch(self, caller, args);
    // Whatever was jumped over is over.
    ffi_unlink(&frame);
    if (MP_UNLIKELY(ffi_waits(&frame))) {
        // C called back once more without a call of ours: from one of MicroPython's own functions, or as a signal came.
        keep_exception(self, caller, frame.pending);
        return 0;
    }
    return result;
}

#if MICROPY_PY_THREAD && MICROPY_PY_THREAD_GIL && FFI_WRAPS_LOCKS

// With the lock, which goes back to where it was.
static uint64_t run_with_gil(ffi_entered_t *self, const uint64_t *args) {
    if (ffi_has_gil()) {
        return run(self, args);
    }
    ffi_take_gil();
    uint64_t result = run(self, args);
    ffi_give_up_gil();
    return result;
}

#elif MICROPY_PY_THREAD && MICROPY_PY_THREAD_GIL

FFI_THREAD_LOCAL volatile enum ffi_gil_t ffi_gil;

// For a signal's handler, where it cannot be told whether its thread has the lock.
static bool try_to_take_gil(void) {
    for (int tries = 0; tries < 1000; ++tries) {
        if (mp_thread_mutex_lock(&MP_STATE_VM(gil_mutex), 0) == 1) {
            return true;
        }
        usleep(1000);
    }
    return false;
}

// With the lock, which goes back to where it was.
static uint64_t run_with_gil(ffi_entered_t *self, const uint64_t *args) {
    enum ffi_gil_t before = ffi_gil;
    if (before == FFI_GIL_TAKEN) {
        return run(self, args);
    }
    if (before == FFI_GIL_GIVEN_UP) {
        ffi_take_gil();
    } else if (!try_to_take_gil()) {
        static const char text[] = "farcall: a signal came while its thread was taking MicroPython's lock; its callback is not run\n";
        ssize_t written = write(STDERR_FILENO, text, sizeof(text) - 1);
        (void)written;
        return 0;
    }
    ffi_gil = FFI_GIL_TAKEN;
    uint64_t result = run(self, args);
    ffi_gil = FFI_GIL_CHANGES;
    MP_THREAD_GIL_EXIT();
    ffi_gil = before;
    return result;
}

#else
#define run_with_gil run
#endif

// On a thread that MicroPython does not know.
static uint64_t run_for_foreign_thread(ffi_entered_t *self, const uint64_t *args) {
    #if MICROPY_PY_THREAD
    return ffi_call_on_server(self, args);
    #else
    (void)args;
    fprintf(stderr, "farcall: callback %s called from a thread that MicroPython does not know, returning zero\n",
        name_of_entered(self->object));
    return 0;
    #endif
}

// What C reaches through the engine's machine code. It finds errno as ffierrno.h says.
static uint64_t handle_call(void *context, const uint64_t *args) {
    ffi_entered_t *self = context;
    bool is_foreign = is_foreign_thread(self, ffi_state());
    ffi_errno_callback_t callback;
    ffi_errno_enter(&callback, is_foreign || self->lock || ffi_innermost_frame() == NULL);
    uint64_t result = MP_UNLIKELY(is_foreign) ? run_for_foreign_thread(self, args) : run_with_gil(self, args);
    ffi_errno_leave(&callback);
    return result;
}

// The same where a value takes more than one slot. Only then is there a third argument, and it is not meant if the result takes one.
static uint64_t handle_wide_call(void *context, const uint64_t *args, uint64_t *result) {
    const ffi_entered_t *self = context;
    uint64_t narrow[2] = { 0, 0 };
    size_t n_slots = self->signature->ret_slots;
    ffi_passed_t passed = { args, n_slots > 1 ? result : narrow };
    // What C gets where an exception is raised.
    memset(passed.result, 0, n_slots * sizeof(uint64_t));
    return handle_call(context, (const uint64_t *)&passed);
}

static bool is_wide(const farcall_signature *signature) {
    for (size_t i = 0; signature->values != NULL && i <= signature->nargs; ++i) {
        switch (signature->values[i].kind) {
            case FARCALL_STRUCT:
            case FARCALL_LONG_DOUBLE:
            case FARCALL_COMPLEX:
            case FARCALL_WIDE_INT:
                return true;
            default:
                break;
        }
    }
    return false;
}

bool ffi_run_for_foreign_thread(ffi_entered_t *entered, const uint64_t *args, uint64_t *result) {
    if (entered->object == NULL) {
        return false;
    }
    *result = run(entered, args);
    return true;
}

// The function's own name, if it has one: bound methods and closures have their function's.
static qstr name_of(mp_obj_t function) {
    mp_obj_t dest[2] = { MP_OBJ_NULL, MP_OBJ_NULL };
    mp_load_method_protected(function, MP_QSTR___name__, dest, true);
    if (dest[0] != MP_OBJ_NULL && dest[1] == MP_OBJ_NULL && mp_obj_is_str(dest[0])) {
        return mp_obj_str_get_qstr(dest[0]);
    }
    return MP_QSTRnull;
}

// Has the function pointer lead to a callback. A thread that is late reads this at the same time, and finds the one or the other of
// each word: any of them will do. False where there is no memory.
static bool enter_by(mp_obj_fficallback_t *self, bool lock) {
    ffi_entered_t *entered = farcall_callback_context(self->keeper->callback);
    const farcall_signature *lasting = farcall_signature_lasting(self->signature);
    if (lasting == NULL) {
        return false;
    }
    entered->signature = lasting;
    entered->is_wide = is_wide(self->signature);
    entered->lock = lock;
    entered->checks_stack = mp_obj_is_type(self->function, &mp_type_fun_bc);
    #if !MICROPY_PY_THREAD
    entered->home = (const void *)&ffi_innermost;
    #endif
    entered->function = self->function;
    entered->object = self;
    return true;
}

mp_obj_t ffi_wrap_callback(ffi_keeper_t *keeper, mp_obj_t function, bool lock) {
    if (!mp_obj_is_callable(function)) {
        mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("callback: expected a function, got %s"),
            mp_obj_get_type_str(function));
    }
    ffi_tell_object_model();
    ffi_keep_names(keeper);
    mp_obj_fficallback_t *self = mp_obj_malloc(mp_obj_fficallback_t, &fficallback_type);
    self->prev = self->next = NULL;
    self->code = NULL;
    self->function = function;
    self->kept = mp_const_none;
    self->keeper = keeper;
    self->name = name_of(function);
    self->signature = keeper->signature;

    farcall_handler handler = handle_call;
    farcall_object_handler object_handler = NULL;
    if (is_wide(self->signature)) {
        handler = (farcall_handler)(void (*)(void))handle_wide_call;
    } else if (!lock) {
        object_handler = object_handler_for(self->signature);
    }
    farcall_error error;
    ffi_hold_interrupts();
    farcall_status status = farcall_callback_new(self->signature, handler, object_handler, sizeof(ffi_entered_t),
        &keeper->callback, &error);
    if (status == FARCALL_OK) {
        if (enter_by(self, lock)) {
            self->code = farcall_callback_code(keeper->callback);
            link_callback(self);
        } else {
            ffi_free_callback(keeper->callback);
            status = FARCALL_MEMORY;
            snprintf(error.text, sizeof(error.text), "no memory for a callback");
        }
    }
    ffi_let_interrupts();
    if (status != FARCALL_OK) {
        keeper->callback = NULL;
        ffi_raise(status, &error);
    }
    return MP_OBJ_FROM_PTR(self);
}

static mp_obj_t ffi_callback(size_t n_args, const mp_obj_t *pos_args, mp_map_t *kw_args) {
    enum { ARG_lock };
    static const mp_arg_t allowed_args[] = {
        { MP_QSTR_lock, MP_ARG_KW_ONLY | MP_ARG_BOOL, { .u_bool = false } },
    };
    mp_arg_val_t args[MP_ARRAY_SIZE(allowed_args)];
    // A prototype and a function, or a result, a function and arguments.
    size_t n_own = n_args < 3 ? n_args : 3;
    mp_arg_parse_all(n_args - n_own, pos_args + n_own, kw_args, MP_ARRAY_SIZE(allowed_args), allowed_args, args);
    bool lock = args[ARG_lock].u_bool;
    if (n_own == 2) {
        return ffi_new_declared_callback(NULL, pos_args[0], pos_args[1], lock);
    }
    if (!mp_obj_is_callable(pos_args[1])) {
        mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("callback: expected a function, got %s"),
            mp_obj_get_type_str(pos_args[1]));
    }
    ffi_keeper_t *keeper = ffi_new_keeper();
    ffi_read_signature(pos_args[0], pos_args[2], true, keeper);
    return ffi_wrap_callback(keeper, pos_args[1], lock);
}
MP_DEFINE_CONST_FUN_OBJ_KW(ffi_callback_obj, 2, ffi_callback);

static void fficallback_print(const mp_print_t *print, mp_obj_t self_in, mp_print_kind_t kind) {
    (void)kind;
    mp_obj_fficallback_t *self = MP_OBJ_TO_PTR(self_in);
    mp_print_str(print, "<fficallback ");
    if (self->name != MP_QSTRnull) {
        mp_printf(print, "%s ", qstr_str(self->name));
    }
    const void *code = self->code;
    if (code == NULL) {
        mp_print_str(print, "closed");
    } else {
        mp_print_str(print, "at ");
        ffi_print_address(print, code);
    }
    ffi_print_signature(print, self->signature);
}

static mp_obj_t fficallback_cfun(mp_obj_t self_in) {
    mp_obj_fficallback_t *self = MP_OBJ_TO_PTR(self_in);
    uintptr_t code = (uintptr_t)self->code;
    if (code == 0) {
        mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("callback %s is closed"), ffi_callback_name(self));
    }
    return ffi_obj_from_slot(FARCALL_POINTER, code);
}
static MP_DEFINE_CONST_FUN_OBJ_1(fficallback_cfun_obj, fficallback_cfun);

// The Python function may be dropped at once: one that is running is held by the virtual machine.
void ffi_close_callback(mp_obj_t self_in) {
    mp_obj_fficallback_t *self = MP_OBJ_TO_PTR(self_in);
    int held = ffi_get_interrupts_held();
    ffi_hold_interrupts();
    farcall_callback *callback = unlink_callback(self);
    if (callback != NULL) {
        ffi_free_callback(callback);
        self->function = mp_const_none;
        self->kept = mp_const_none;
    }
    ffi_set_interrupts_held(held);
}

static mp_obj_t fficallback_close(mp_obj_t self_in) {
    ffi_hold_interrupts();
    ffi_close_callback(self_in);
    ffi_let_interrupts();
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(fficallback_close_obj, fficallback_close);

static mp_obj_t fficallback_exit(size_t n_args, const mp_obj_t *args) {
    (void)n_args;
    return fficallback_close(args[0]);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(fficallback_exit_obj, 4, 4, fficallback_exit);

static const mp_rom_map_elem_t fficallback_locals_dict_table[] = {
    { MP_ROM_QSTR(MP_QSTR_cfun), MP_ROM_PTR(&fficallback_cfun_obj) },
    { MP_ROM_QSTR(MP_QSTR_close), MP_ROM_PTR(&fficallback_close_obj) },
    { MP_ROM_QSTR(MP_QSTR___enter__), MP_ROM_PTR(&mp_identity_obj) },
    { MP_ROM_QSTR(MP_QSTR___exit__), MP_ROM_PTR(&fficallback_exit_obj) },
};
static MP_DEFINE_CONST_DICT(fficallback_locals_dict, fficallback_locals_dict_table);

MP_DEFINE_CONST_OBJ_TYPE(
    fficallback_type,
    MP_QSTR_fficallback,
    MP_TYPE_FLAG_NONE,
    print, fficallback_print,
    locals_dict, &fficallback_locals_dict
    );
