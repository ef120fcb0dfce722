// The ffi module itself, and how its functions read what they are given.

#include <string.h>

#include "fficdef.h"
#include "py/objstr.h"

#if defined(ffi_innermost)
size_t ffi_innermost_slot, ffi_known_state_slot;
FFI_THREAD_LOCAL void *ffi_own_words[5];
#else
FFI_THREAD_LOCAL volatile farcall_thread ffi_innermost;
FFI_THREAD_LOCAL ffi_known_state_t ffi_known_state;
#endif

static mp_obj_t keeper_del(mp_obj_t self_in) {
    ffi_keeper_t *self = MP_OBJ_TO_PTR(self_in);
    ffi_hold_interrupts();
    if (self->signature == NULL) {
        if (self->scope != NULL) {
            farcall_scope_release(self->scope);
            self->scope = NULL;
        }
    } else {
        if (self->callback != NULL) {
            ffi_free_callback(self->callback);
            self->callback = NULL;
        }
        farcall_signature_release(self->signature);
        self->signature = NULL;
    }
    ffi_let_interrupts();
    return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(keeper_del_obj, keeper_del);

static const mp_rom_map_elem_t keeper_locals_dict_table[] = {
    { MP_ROM_QSTR(MP_QSTR___del__), MP_ROM_PTR(&keeper_del_obj) },
};
static MP_DEFINE_CONST_DICT(keeper_locals_dict, keeper_locals_dict_table);

MP_DEFINE_CONST_OBJ_TYPE(
    ffi_keeper_type,
    MP_QSTR_ffikeeper,
    MP_TYPE_FLAG_NONE,
    locals_dict, &keeper_locals_dict
    );

// Made before what it is to own, so that running out of memory loses nothing.
ffi_keeper_t *ffi_new_keeper(void) {
    // The collector looks for room from where the latest object of one block went. Were none made, each search would be longer than the one
    // before.
    MP_STATIC_ASSERT(sizeof(ffi_keeper_t) <= MICROPY_BYTES_PER_GC_BLOCK);
    ffi_keeper_t *keeper = mp_obj_malloc_with_finaliser(ffi_keeper_t, &ffi_keeper_type);
    keeper->signature = NULL;
    keeper->callback = NULL;
    keeper->names = NULL;
    return keeper;
}

void ffi_keep_names(ffi_keeper_t *keeper) {
    const farcall_signature *signature = keeper->signature;
    for (size_t i = 0; signature->scope != NULL && i <= signature->value_count; ++i) {
        if (signature->values[i].kind == FARCALL_STRUCT && signature->values[i].has_name) {
            keeper->names = ffi_scope_of(signature->scope);
            return;
        }
    }
}

const char *ffi_get_code(mp_obj_t code, const char *what, size_t *len) {
    if (!mp_obj_is_str_or_bytes(code)) {
        mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("%s: expected a type code (a str), got %s"), what,
            mp_obj_get_type_str(code));
    }
    const char *text = mp_obj_str_get_data(code, len);
    if (*len > 1 && (byte)text[0] < 0x80) {
        *len = 1;
    }
    return text;
}

// Is it a code, rather than the name of a type? What is neither is said by whoever reads it.
static bool is_code(const char *text, size_t len) {
    return len <= 1 || text[0] == '{' || (byte)text[0] >= 0x80;
}

// The texts of several arguments.
static farcall_text *get_texts(size_t count, const mp_obj_t *items, bool *all_codes) {
    farcall_text *texts = m_new(farcall_text, count + 1);
    for (size_t i = 0; i < count; ++i) {
        if (!mp_obj_is_str_or_bytes(items[i])) {
            mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("argument %u: expected a type code (a str), got %s"),
                (unsigned int)(i + 1), mp_obj_get_type_str(items[i]));
        }
        farcall_text *text = &texts[i + 1];
        text->start = mp_obj_str_get_data(items[i], &text->len);
        if (text->len == 0) {
            mp_raise_msg_varg(&mp_type_ValueError, MP_ERROR_TEXT("argument %u: expected one type code, got ''"), (unsigned int)(i + 1));
        }
        *all_codes = *all_codes && is_code(text->start, text->len);
    }
    return texts;
}

// The codes of several arguments, one after the other.
static const char *join(const farcall_text *texts, size_t count, vstr_t *scratch, size_t *len) {
    vstr_init(scratch, 16);
    for (size_t i = 0; i < count; ++i) {
        vstr_add_strn(scratch, texts[i + 1].start, texts[i + 1].len);
    }
    *len = scratch->len;
    return scratch->buf;
}

void ffi_read_signature(mp_obj_t result, mp_obj_t args, bool is_callback, ffi_keeper_t *keeper) {
    farcall_text own[2];
    farcall_text *texts = own;
    size_t count = 0;
    farcall_text codes = { NULL, 0 };
    vstr_t scratch;
    if (!mp_obj_is_str_or_bytes(result)) {
        mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("result: expected a type code (a str), got %s"),
            mp_obj_get_type_str(result));
    }
    farcall_text first;
    first.start = mp_obj_str_get_data(result, &first.len);
    bool all_codes = is_code(first.start, first.len);
    if (mp_obj_is_str_or_bytes(args)) {
        codes.start = mp_obj_str_get_data(args, &codes.len);
    } else {
        mp_obj_t *items;
        mp_obj_get_array(mp_call_function_1(MP_OBJ_FROM_PTR(&mp_type_tuple), args), &count, &items);
        texts = get_texts(count, items, &all_codes);
    }
    if (all_codes && codes.start == NULL) {
        codes.start = join(texts, count, &scratch, &codes.len);
    }
    texts[0] = first;
    farcall_error error;
    farcall_status status;
    ffi_hold_interrupts();
    if (!all_codes) {
        status = farcall_types_new(texts, count + 1, codes.start == NULL ? NULL : &codes, is_callback, &keeper->signature, &error);
    } else if (is_callback) {
        status = farcall_callback_signature_new(first.start, first.len, codes.start, codes.len, &keeper->signature, &error);
    } else {
        status = farcall_signature_new(first.start, first.len, codes.start, codes.len, &keeper->signature, &error);
    }
    ffi_let_interrupts();
    if (status != FARCALL_OK) {
        keeper->signature = NULL;
        ffi_raise(status, &error);
    }
}

// A name or path as C takes it: one that C would cut short is none.
const char *ffi_get_c_string(mp_obj_t text) {
    size_t len;
    const char *str = mp_obj_str_get_data(text, &len);
    if (strlen(str) != len) {
        mp_raise_ValueError(MP_ERROR_TEXT("null byte in name"));
    }
    return str;
}

// An address may be any int: the port's own module shows those of the upper half as negative numbers.
bool ffi_get_address(mp_obj_t obj, uint64_t *address) {
    return mp_obj_is_int(obj) && ffi_slot_from_obj(FARCALL_POINTER, obj, address) == FFI_CONVERTED;
}

// What mp_cstack_check() does, for a thread whose state is at hand, and with room for the slots, for the engine's copy
// of them, and for what C does then.
void ffi_check_stack(const mp_state_thread_t *state, size_t slots) {
    #if MICROPY_STACK_CHECK
    char here;
    mp_uint_t used = (mp_uint_t)(state->stack_top - &here);
    if (used + 2 * slots * sizeof(uint64_t) >= state->stack_limit) {
        mp_raise_recursion_depth();
    }
    #else
    (void)state;
    (void)slots;
    #endif
}

static mp_obj_t ffi_open(size_t n_args, const mp_obj_t *args) {
    return ffi_new_library(n_args, args);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(ffi_open_obj, 1, 3, ffi_open);

void *ffi_get_function_address(mp_obj_t address_in) {
    uint64_t address;
    if (!ffi_get_address(address_in, &address)) {
        mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("address of a function: expected an int, got %s"),
            mp_obj_get_type_str(address_in));
    }
    if (address == 0) {
        mp_raise_ValueError(MP_ERROR_TEXT("address of a function: expected a function, got NULL"));
    }
    return (void *)(uintptr_t)address;
}

static mp_obj_t ffi_func(size_t n_args, const mp_obj_t *args) {
    void *address = ffi_get_function_address(args[1]);
    if (n_args == 2) {
        return ffi_new_declared_func(NULL, args[0], address, &ffi_no_module);
    }
    return ffi_new_func(args[0], args[2], address, &ffi_no_module, MP_OBJ_NULL);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(ffi_func_obj, 2, 3, ffi_func);

static mp_obj_t ffi_generates_code(void) {
    ffi_hold_interrupts();
    bool generates_code = farcall_generates_code();
    ffi_let_interrupts();
    return mp_obj_new_bool(generates_code);
}
static MP_DEFINE_CONST_FUN_OBJ_0(ffi_generates_code_obj, ffi_generates_code);

#if MICROPY_PY_BUILTINS_BYTEARRAY
static mp_obj_t ffi_as_bytearray(mp_obj_t address_in, mp_obj_t size_in) {
    uint64_t address;
    if (!ffi_get_address(address_in, &address)) {
        mp_raise_msg_varg(&mp_type_TypeError, MP_ERROR_TEXT("address of a bytearray: expected an int, got %s"),
            mp_obj_get_type_str(address_in));
    }
    mp_int_t size = mp_obj_get_int(size_in);
    if (size < 0) {
        mp_raise_ValueError(MP_ERROR_TEXT("size of a bytearray: expected at least 0, got less"));
    }
    if (address == 0 && size > 0) {
        mp_raise_ValueError(MP_ERROR_TEXT("address of a bytearray: expected memory, got NULL"));
    }
    return mp_obj_new_bytearray_by_ref((size_t)size, (void *)(uintptr_t)address);
}
static MP_DEFINE_CONST_FUN_OBJ_2(ffi_as_bytearray_obj, ffi_as_bytearray);
#endif

static const mp_rom_map_elem_t ffi_globals_table[] = {
    { MP_ROM_QSTR(MP_QSTR___name__), MP_ROM_QSTR(MP_QSTR_ffi) },
    { MP_ROM_QSTR(MP_QSTR_open), MP_ROM_PTR(&ffi_open_obj) },
    { MP_ROM_QSTR(MP_QSTR_func), MP_ROM_PTR(&ffi_func_obj) },
    { MP_ROM_QSTR(MP_QSTR_callback), MP_ROM_PTR(&ffi_callback_obj) },
    { MP_ROM_QSTR(MP_QSTR_cdef), MP_ROM_PTR(&ffi_cdef_obj) },
    { MP_ROM_QSTR(MP_QSTR_sizeof), MP_ROM_PTR(&ffi_sizeof_obj) },
    { MP_ROM_QSTR(MP_QSTR_alignof), MP_ROM_PTR(&ffi_alignof_obj) },
    { MP_ROM_QSTR(MP_QSTR_layout), MP_ROM_PTR(&ffi_layout_obj) },
    { MP_ROM_QSTR(MP_QSTR_errno), MP_ROM_PTR(&ffi_errno_obj) },
    #if defined(_WIN32)
    { MP_ROM_QSTR(MP_QSTR_last_error), MP_ROM_PTR(&ffi_last_error_obj) },
    #endif
    { MP_ROM_QSTR(MP_QSTR_generates_code), MP_ROM_PTR(&ffi_generates_code_obj) },
    #if MICROPY_PY_BUILTINS_BYTEARRAY
    { MP_ROM_QSTR(MP_QSTR_as_bytearray), MP_ROM_PTR(&ffi_as_bytearray_obj) },
    #endif
};
static MP_DEFINE_CONST_DICT(ffi_globals, ffi_globals_table);

const mp_obj_module_t ffi_module = {
    .base = { &mp_type_module },
    .globals = (mp_obj_dict_t *)&ffi_globals,
};

MP_REGISTER_MODULE(MP_QSTR_ffi, ffi_module);
