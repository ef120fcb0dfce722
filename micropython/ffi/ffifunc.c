// A C function that Python calls.

#include <string.h>

#include "modffi.h"

mp_obj_t ffi_new_func(mp_obj_t result, mp_obj_t args, void *address, mp_obj_ffimod_t *module, mp_obj_t name) {
    size_t result_len, args_len;
    vstr_t scratch;
    const char *result_code = ffi_get_code(result, "result", &result_len);
    const char *arg_codes = ffi_get_codes(args, &scratch, &args_len);

    ffi_keeper_t *keeper = ffi_new_keeper();
    mp_obj_ffifunc_t *self = mp_obj_malloc(mp_obj_ffifunc_t, &ffifunc_type);
    farcall_error error;
    farcall_status status = farcall_signature_new(result_code, result_len, arg_codes, args_len, &keeper->signature,
        &error);
    if (status != FARCALL_OK) {
        keeper->signature = NULL;
        ffi_raise(status, &error);
    }
    self->signature = keeper->signature;
    self->address = address;
    self->module = module;
    self->name = name;
    self->keeper = keeper;
    self->may_raise = strchr(self->signature->codes, 'O') != NULL;
    return MP_OBJ_FROM_PTR(self);
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
    mp_printf(print, " %c(%s)>", self->signature->codes[0], self->signature->codes + 1);
}

// Runs when an exception leaves a call by jumping over it.
typedef struct _abandoned_call_t {
    nlr_jump_callback_node_t node;
    ffi_thread_t *thread;
    ffi_frame_t *outer;
    uint32_t depth;
} abandoned_call_t;

static void abandon_call(void *ctx) {
    abandoned_call_t *call = ctx;
    call->thread->top = call->outer;
    call->thread->record->depth = call->depth;
}

// A function that takes or gives objects is one of the interpreter's own, found in the program itself, and such a
// function may raise: it then jumps over this frame, which has to be unlinked all the same.
static MP_NOINLINE void call_that_may_raise(const mp_obj_ffifunc_t *self, ffi_thread_t *thread, ffi_frame_t *frame,
    const uint64_t *slots, uint64_t *result) {
    abandoned_call_t call;
    call.thread = thread;
    call.outer = frame->prev;
    call.depth = thread->record->depth - 1;
    nlr_push_jump_callback(&call.node, abandon_call);
    self->signature->call(self->address, slots, result);
    nlr_pop_jump_callback(false);
}

static mp_obj_t ffifunc_call(mp_obj_t self_in, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    mp_obj_ffifunc_t *self = MP_OBJ_TO_PTR(self_in);
    const farcall_signature *signature = self->signature;
    if (MP_UNLIKELY(n_args != signature->nargs || n_kw != 0)) {
        ffi_raise_count(self, n_args, n_kw);
    }
    ffi_thread_t *thread = ffi_thread_here();
    // A recursion that passes through C finds a call in progress here. Any other is checked by the virtual machine.
    if (MP_UNLIKELY(thread->top != NULL || n_args > 16)) {
        ffi_check_stack(ffi_state(), n_args);
    }

    uint64_t slots[n_args + 1];
    uint64_t *result = &slots[n_args];
    *result = 0;
    for (size_t i = 0; i < n_args; ++i) {
        ffi_conversion_t why = ffi_slot_from_obj((farcall_kind)signature->kinds[i + 1], args[i], &slots[i]);
        if (MP_UNLIKELY(why != FFI_CONVERTED)) {
            ffi_raise_argument(self, i, why, args[i]);
        }
    }

    ffi_frame_t frame = { thread->top, MP_OBJ_NULL };
    thread->top = &frame;
    thread->record->depth += 1;
    // Looked at only now: from here on the engine does not unload the library even if another thread closes it.
    bool closed = self->module != NULL && self->module->library == NULL;
    if (MP_LIKELY(!closed)) {
        if (MP_UNLIKELY(self->may_raise)) {
            call_that_may_raise(self, thread, &frame, slots, result);
        } else {
            signature->call(self->address, slots, result);
        }
    }
    thread->record->depth -= 1;
    thread->top = frame.prev;

    if (MP_UNLIKELY(closed)) {
        ffi_raise_closed_library(self->name, self->module);
    }
    if (MP_UNLIKELY(frame.pending != MP_OBJ_NULL)) {
        nlr_raise(frame.pending);
    }
    return ffi_obj_from_slot((farcall_kind)signature->kinds[0], *result);
}

MP_DEFINE_CONST_OBJ_TYPE(
    ffifunc_type,
    MP_QSTR_ffifunc,
    MP_TYPE_FLAG_NONE,
    print, ffifunc_print,
    call, ffifunc_call
    );
