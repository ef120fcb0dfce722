// Functions and callbacks that are declared in C, or that have structs among their codes.

#include <string.h>

#include "fficdef.h"
#include "py/objstr.h"

// The latest call of a variadic prototype with arguments behind the named ones. It is never changed: calls in progress use it.
typedef struct _ffi_extension_t {
    ffi_keeper_t *keeper;
    size_t count;
    char codes[]; // 'd' or 'q' for each of these arguments
} ffi_extension_t;

const char *ffi_get_c_text(mp_obj_t text, size_t *len) {
    if (!mp_obj_is_str_or_bytes(text)) {
        mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("expected a declaration in C (a str), got %s"), mp_obj_get_type_str(text));
    }
    const char *c_text = mp_obj_str_get_data(text, len);
    if (*len <= 1) {
        mp_raise_TypeError(MP_ERROR_TEXT("expected a declaration in C such as 'int abs(int)', got a code"));
    }
    return c_text;
}

// Raises what went wrong, and has the keeper keep nothing then.
static void check(farcall_status status, const farcall_error *error, ffi_keeper_t *keeper) {
    ffi_let_interrupts();
    if (status != FARCALL_OK) {
        keeper->signature = NULL;
        ffi_raise(status, error);
    }
}

static ffi_keeper_t *read_prototype(const farcall_scope *scope, mp_obj_t text_in, bool is_callback) {
    size_t len;
    const char *text = ffi_get_c_text(text_in, &len);
    ffi_set_object_model();
    ffi_keeper_t *keeper = ffi_new_keeper();
    farcall_error error;
    ffi_hold_interrupts();
    check(farcall_prototype_new(scope, text, len, is_callback, &keeper->signature, &error), &error, keeper);
    return keeper;
}

// A name of the signature's as a str, MP_OBJ_NULL if it has none.
static mp_obj_t name_of(const farcall_signature *signature, farcall_shown what) {
    char most[128];
    char *name = most;
    // A name that is cut may end in a character that is not there.
    for (size_t size = sizeof(most);; size *= 2, name = m_new(char, size)) {
        farcall_signature_show(signature, what, 0, name, size);
        size_t len = strlen(name);
        if (len == 0) {
            return MP_OBJ_NULL;
        }
        if (len + sizeof(uint32_t) < size) {
            return mp_obj_new_str(name, len);
        }
    }
}

mp_obj_t ffi_new_declared_func(const farcall_scope *scope, mp_obj_t text, void *address, const mp_obj_ffimod_t *module) {
    ffi_keeper_t *keeper = read_prototype(scope, text, false);
    mp_obj_t name = name_of(keeper->signature, FARCALL_SHOWN_NAME);
    if (address == NULL) {
        if (name == MP_OBJ_NULL) {
            mp_raise_ValueError(MP_ERROR_TEXT("expected a prototype with the function's name, got one without"));
        }
        address = ffi_find_symbol(module, name_of(keeper->signature, FARCALL_SHOWN_SYMBOL));
    }
    return ffi_wrap_func(keeper, address, module, name);
}

mp_obj_t ffi_new_function_of(const farcall_scope *scope, uint32_t index, void *address, mp_obj_ffimod_t *module) {
    ffi_set_object_model();
    ffi_keeper_t *keeper = ffi_new_keeper();
    farcall_error error;
    ffi_hold_interrupts();
    check(farcall_declared_function_new(scope, index, &keeper->signature, &error), &error, keeper);
    return ffi_wrap_func(keeper, address, module, name_of(keeper->signature, FARCALL_SHOWN_NAME));
}

mp_obj_t ffi_new_declared_callback(const farcall_scope *scope, mp_obj_t text, mp_obj_t function, bool lock) {
    return ffi_wrap_callback(read_prototype(scope, text, true), function, lock);
}

// A callback for what a type's pointers point to.
static mp_obj_t new_pointed_callback(const farcall_scope *scope, uint32_t type, mp_obj_t function) {
    ffi_keeper_t *keeper = ffi_new_keeper();
    farcall_error error;
    ffi_hold_interrupts();
    check(farcall_pointed_function_new(scope, type, &keeper->signature, &error), &error, keeper);
    return ffi_wrap_callback(keeper, function, false);
}

// The code of an argument that no parameter is there for, 0 if there is none.
static char code_of(mp_obj_t obj) {
    uint64_t low;
    if (mp_obj_is_float(obj)) {
        return 'd';
    }
    return ffi_slot_from_obj(FARCALL_POINTER, obj, &low) == FFI_WRONG_KIND ? '\0' : 'q';
}

static const ffi_extension_t *extend(mp_obj_ffifunc_t *self, size_t count, const mp_obj_t *objs) {
    size_t named = self->signature->value_count;
    ffi_extension_t *extension = self->extension;
    bool is_same = extension != NULL && extension->count == count;
    for (size_t i = 0; i < count; ++i) {
        char code = code_of(objs[i]);
        if (code == '\0') {
            ffi_raise_declared_argument(self, named + i, FFI_WRONG_KIND, objs[i]);
        }
        is_same = is_same && extension->codes[i] == code;
    }
    if (is_same) {
        return extension;
    }
    extension = m_malloc(sizeof(ffi_extension_t) + count);
    extension->count = count;
    for (size_t i = 0; i < count; ++i) {
        extension->codes[i] = code_of(objs[i]);
    }
    ffi_keeper_t *keeper = ffi_new_keeper();
    extension->keeper = keeper;
    farcall_error error;
    ffi_hold_interrupts();
    check(farcall_signature_extend(self->signature, extension->codes, count, &keeper->signature, &error), &error, keeper);
    self->extension = extension;
    return extension;
}

// A word of an argument that no parameter is there for.
static ffi_conversion_t extra_from_obj(mp_obj_t obj, uint64_t *slot) {
    static const farcall_value pointer = { .kind = FARCALL_DATA, .width = 8 };
    static const farcall_value real = { .kind = FARCALL_DOUBLE, .width = 8 };
    return ffi_value_from_obj(mp_obj_is_float(obj) ? &real : &pointer, NULL, obj, slot);
}

// The callbacks that stand for Python functions in the course of one call.
typedef struct _lent_t {
    nlr_jump_callback_node_t node;
    mp_obj_t *callbacks;
    size_t count;
} lent_t;

static void take_back(void *ctx) {
    lent_t *lent = ctx;
    while (lent->count > 0) {
        --lent->count;
        ffi_close_callback(lent->callbacks[lent->count]);
    }
}

// Python functions among the arguments become callbacks, which are closed when the call is over, however that ends.
static MP_NOINLINE void call_with_functions(mp_obj_ffifunc_t *self, const farcall_signature *signature, const mp_obj_t *args,
    uint64_t *slots, uint64_t *result) {
    const farcall_signature *own = self->signature;
    mp_obj_t callbacks[own->value_count];
    lent_t lent = { .callbacks = callbacks, .count = 0 };
    nlr_push_jump_callback(&lent.node, take_back);
    for (size_t i = 0; i < own->value_count; ++i) {
        const farcall_value *value = &own->values[i + 1];
        uint64_t *slot = &slots[value->slot];
        if (value->kind == FARCALL_CODE && ffi_value_from_obj(value, own->scope, args[i], slot) == FFI_CALLABLE) {
            callbacks[lent.count] = new_pointed_callback(own->scope, value->type, args[i]);
            ++lent.count;
            ffi_slot_from_address(callbacks[lent.count - 1], slot);
        }
    }
    ffi_call(self, signature, slots, result);
    nlr_pop_jump_callback(true);
    // What came while they were closed is raised now.
    ffi_hold_interrupts();
    ffi_let_interrupts();
}

// A call of a function whose signature has values.
mp_obj_t ffi_call_declared(mp_obj_ffifunc_t *self, size_t n_args, size_t n_kw, const mp_obj_t *args) {
    const farcall_signature *signature = self->signature;
    size_t named = signature->value_count;
    if (n_kw != 0 || n_args < named || (n_args > named && !signature->is_variadic)) {
        ffi_raise_declared_count(self, n_args, n_kw);
    }
    ffi_register_thread();
    ffi_take_object_call(self);
    const farcall_signature *called = signature;
    if (n_args > named) {
        called = extend(self, n_args - named, args + named)->keeper->signature;
    }
    size_t n_slots = (size_t)called->arg_slots + called->ret_slots + 1;
    if (ffi_innermost != FARCALL_NO_FRAME || n_slots > 16) {
        ffi_check_stack(ffi_state(), n_slots);
    }
    uint64_t slots[n_slots];
    uint64_t *result = &slots[called->arg_slots];
    memset(slots, 0, sizeof(slots));
    bool has_functions = false;
    for (size_t i = 0; i < n_args; ++i) {
        const farcall_value *value = &called->values[i + 1];
        uint64_t *own = &slots[value->slot];
        ffi_conversion_t why = i < named ? ffi_value_from_obj(value, signature->scope, args[i], own) : extra_from_obj(args[i], own);
        if (why == FFI_CALLABLE) {
            has_functions = true;
        } else if (why != FFI_CONVERTED) {
            ffi_raise_declared_argument(self, i, why, args[i]);
        }
    }
    if (has_functions) {
        call_with_functions(self, called, args, slots, result);
    } else {
        ffi_call(self, called, slots, result);
    }
    return ffi_obj_from_value(&signature->values[0], signature->scope, result);
}
