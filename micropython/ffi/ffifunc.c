// A C function that Python calls.

#include <string.h>

#include "modffi.h"

// Has the engine's own code serve this function from now on, if there is some by now.
static inline void take_object_call(mp_obj_ffifunc_t *self) {
    const void *object_call = self->signature->object_call;
    if (MP_UNLIKELY(object_call != NULL)) {
        memcpy(&self->call, &object_call, sizeof(self->call));
    }
}

void ffi_take_object_call(mp_obj_ffifunc_t *self) {
    take_object_call(self);
}

mp_obj_t ffi_wrap_func(ffi_keeper_t *keeper, const void *address, const mp_obj_ffimod_t *module, mp_obj_t name) {
    ffi_keep_names(keeper);
    mp_obj_ffifunc_t *self = mp_obj_malloc(mp_obj_ffifunc_t, &ffifunc_type);
    self->signature = keeper->signature;
    self->address = address;
    self->module = module;
    self->name = name;
    self->keeper = keeper;
    self->call = ffifunc_call_slots;
    take_object_call(self);
    self->extension = NULL;
    return MP_OBJ_FROM_PTR(self);
}

mp_obj_t ffi_new_func(mp_obj_t result, mp_obj_t args, void *address, const mp_obj_ffimod_t *module, mp_obj_t name) {
    ffi_set_object_model();
    ffi_keeper_t *keeper = ffi_new_keeper();
    ffi_read_signature(result, args, false, keeper);
    return ffi_wrap_func(keeper, address, module, name);
}

static void ffifunc_print(const mp_print_t *print, mp_obj_t self_in, mp_print_kind_t kind) {
    (void)kind;
    mp_obj_ffifunc_t *self = MP_OBJ_TO_PTR(self_in);
    mp_print_str(print, "<ffifunc ");
    if (self->name != MP_OBJ_NULL) {
        mp_printf(print, "%s ", mp_obj_str_get_str(self->name));
    }
    mp_print_str(print, "at ");
    ffi_print_address(print, self->address);
    ffi_print_signature(print, self->signature);
}

// Nothing comes between the call itself and what is done about errno.
static inline void call_c(const mp_obj_ffifunc_t *self, const farcall_signature *signature, const uint64_t *slots,
    uint64_t *result) {
    ffi_errno_give();
    signature->call(self->address, slots, result, signature);
    ffi_errno_keep();
}

// Runs when an exception leaves a call by jumping over it.
typedef struct _abandoned_call_t {
    nlr_jump_callback_node_t node;
    const ffi_frame_t *frame;
} abandoned_call_t;

static void abandon_call(void *ctx) {
    ffi_unlink(((abandoned_call_t *)ctx)->frame);
}

// A function that takes or gives objects is one of the interpreter's own, found in the program itself, and such a
// function may raise: it then jumps over this frame, which has to be unlinked all the same.
static MP_NOINLINE void call_that_may_raise(const mp_obj_ffifunc_t *self, const farcall_signature *signature,
    const ffi_frame_t *frame, const uint64_t *slots, uint64_t *result) {
    abandoned_call_t call;
    call.frame = frame;
    nlr_push_jump_callback(&call.node, abandon_call);
    call_c(self, signature, slots, result);
    nlr_pop_jump_callback(false);
}

// The call itself, for slots that are ready.
static inline void run_call(const mp_obj_ffifunc_t *self, const farcall_signature *signature, const uint64_t *slots,
    uint64_t *result) {
    ffi_frame_t frame;
    ffi_link(&frame);
    // Looked at only now: from here on the engine does not unload the library even if another thread closes it.
    bool closed = self->module->library == NULL;
    if (MP_LIKELY(!closed)) {
        if (MP_UNLIKELY(signature->has_objects)) {
            call_that_may_raise(self, signature, &frame, slots, result);
        } else {
            ffi_give_up_gil();
            call_c(self, signature, slots, result);
            ffi_take_gil();
        }
    }
    ffi_unlink(&frame);

    if (MP_UNLIKELY(closed)) {
        ffi_raise_closed_library(self->name, self->module);
    }
    if (MP_UNLIKELY(ffi_waits(&frame))) {
        nlr_raise(frame.pending);
    }
}

void ffi_call(const mp_obj_ffifunc_t *self, const farcall_signature *signature, const uint64_t *slots, uint64_t *result) {
    run_call(self, signature, slots, result);
}

// A call of any kind. The engine's own code for calls leaves for this one whenever something is out of the ordinary.
mp_obj_t ffifunc_call_slots(mp_obj_t self_in, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    mp_obj_ffifunc_t *self = MP_OBJ_TO_PTR(self_in);
    const farcall_signature *signature = self->signature;
    if (MP_UNLIKELY(n_args != signature->nargs || n_kw != 0)) {
        if (signature->values != NULL) {
            return ffi_call_declared(self, n_args, n_kw, args);
        }
        ffi_raise_count(self, n_args, n_kw);
    }
    ffi_register_thread();
    // A recursion that passes through C finds a call in progress here. Any other is checked by the virtual machine.
    if (MP_UNLIKELY(ffi_innermost != FARCALL_NO_FRAME || n_args > 16)) {
        ffi_check_stack(ffi_state(), n_args);
    }
    take_object_call(self);

    uint64_t slots[n_args + 1];
    uint64_t *result = &slots[n_args];
    *result = 0;
    for (size_t i = 0; i < n_args; ++i) {
        ffi_conversion_t why = ffi_slot_from_obj((farcall_kind)signature->kinds[i + 1], args[i], &slots[i]);
        if (MP_UNLIKELY(why != FFI_CONVERTED)) {
            ffi_raise_argument(self, i, why, args[i]);
        }
    }

    run_call(self, signature, slots, result);
    return ffi_obj_from_slot((farcall_kind)signature->kinds[0], *result);
}

// Straight on to the engine's code, whose address lies in the object.
static mp_obj_t ffifunc_call(mp_obj_t self_in, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    mp_obj_ffifunc_t *self = MP_OBJ_TO_PTR(self_in);
    return self->call(self_in, n_args, n_kw, args);
}

MP_DEFINE_CONST_OBJ_TYPE(
    ffifunc_type,
    MP_QSTR_ffifunc,
    MP_TYPE_FLAG_NONE,
    print, ffifunc_print,
    call, ffifunc_call
    );
