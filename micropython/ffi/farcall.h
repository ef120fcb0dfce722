// The C face of farcall's engine, as modffi.c uses it.
//
// Every function here is implemented in micropython/src/ (Rust). None of them calls into MicroPython, none of them
// leaves by anything but `return`, and none of them may be left by a non-local exit: Rust reports, C raises.
//
// Types declared twice, here and in Rust, are tagged ORDER farcall_*: grep for the tag before changing either side.

#ifndef FARCALL_H
#define FARCALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The kind of an error, for the caller to turn into an exception. ORDER farcall_status
typedef enum {
    FARCALL_OK = 0,
    FARCALL_VALUE = 1, // ValueError
    FARCALL_TYPE = 2, // TypeError
    FARCALL_OVERFLOW = 3, // OverflowError
    FARCALL_OS = 4, // OSError(code, text)
    FARCALL_MEMORY = 5, // MemoryError
} farcall_status;

// The text of an error, always NUL-terminated, and the operating system's number where the status is FARCALL_OS.
// ORDER farcall_error
typedef struct {
    int32_t code;
    char text[508];
} farcall_error;

// How an interpreter's value becomes a slot, and a slot a value. One per result and per argument of a signature. C is
// FARCALL_POINTER as a function's argument or result, and so are O in a callback, and s and C as a callback's argument.
// A slot is 8 bytes. Integers of any width are taken from the slot's low bytes when a C function is called, and arrive
// extended to all 64 bits (by the sign of their type) in a result or in a callback's argument. A float lies in the
// low four bytes. ORDER farcall_kind
typedef enum {
    FARCALL_VOID = 0, // v
    FARCALL_INT = 1, // b h i l q
    FARCALL_UINT = 2, // B H I L Q
    FARCALL_FLOAT = 3, // f
    FARCALL_DOUBLE = 4, // d
    FARCALL_POINTER = 5, // p P
    FARCALL_STR = 6, // s
    FARCALL_BYTES = 7, // S
    FARCALL_OBJECT = 8, // O
    FARCALL_CALLBACK = 9, // C
    FARCALL_WORD = 10, // a function's argument of l L q Q, where that is as wide as a pointer
    FARCALL_STRUCT = 11, // {...}, a struct or a union
    // C types alone have these. What C gives is of a kind above, unless it is wider than a slot.
    FARCALL_BOOL = 12,
    FARCALL_RANGED = 13, // an integer, of nothing that its type does not hold
    FARCALL_ENUM = 14, // the same, or the name of one of its constants
    FARCALL_DATA = 15, // a pointer
    FARCALL_CODE = 16, // a pointer to a function
    FARCALL_LONG_DOUBLE = 17,
    FARCALL_COMPLEX = 18,
    FARCALL_WIDE_INT = 19, // 16 bytes
    FARCALL_ELEMENTS = 20, // an array: a variable
} farcall_kind;

// A value of a C type, or of a code beside one. It lies in as many consecutive slots as it has words, as in memory.
// ORDER farcall_value
typedef struct {
    uint8_t kind; // farcall_kind
    bool is_signed;
    uint8_t width; // bytes of an integer, of a float, or of a part of a complex; 10 for the x87's
    bool has_name; // a struct's tag or a typedef's name
    uint32_t slot; // the index of its first slot
    uint32_t size; // bytes
    uint32_t type; // its number in the signature's namespace
} farcall_value;

// Calls `target` with `args` (one slot each) and leaves the result in `*result` (untouched for a void result; may then be NULL).
// `signature` is the one that the address is from.
struct _farcall_signature;
typedef void (*farcall_call)(const void *target, const uint64_t *args, uint64_t *result,
    const struct _farcall_signature *signature);

// What a callback's machine code calls: `args` holds one slot per argument. It returns the slot of what C receives
// (anything for a void result).
typedef uint64_t (*farcall_handler)(void *context, const uint64_t *args);

// The same on objects: what the machine code calls instead where the arguments are small integers and a call of ours is in
// progress. It returns the result's slot, and may raise. `objects` are the arguments: integers and 'p' and 'P' as mp_obj_t, the others
// as slots. They are the handler's to write to.
typedef uint64_t (*farcall_object_handler)(void *context, void **objects);

struct farcall_scope;

// Stands for the number of arguments of a function with `values`. No call has as many, so one test finds both.
#define FARCALL_BY_VALUES (SIZE_MAX)

// A signature; shared by everything that has the same one. The first calls follow its plan; code is made once there were some.
// ORDER farcall_signature
typedef struct _farcall_signature {
    farcall_call volatile call; // what serves calls at the moment
    const void *volatile object_call; // the call operation of function objects, see farcall_object_model; NULL until there is one
    const char *codes; // the result's code, then the arguments', NUL-terminated: "is.id" for int (*)(const char *, ...)
    const uint8_t *kinds; // farcall_kind of the result, then of the arguments
    size_t nargs;
    // Where a value is of a C type or a struct: the result, then the arguments. NULL otherwise; `codes` say nothing then, and a
    // function's `nargs` is FARCALL_BY_VALUES.
    const farcall_value *values;
    const struct farcall_scope *scope; // of their types, NULL if there are none
    uint32_t value_count; // of arguments
    uint32_t arg_slots;
    uint32_t ret_slots;
    bool is_variadic; // a call may have more arguments
    bool has_objects; // a value is an object as it is: the function is the interpreter's own
} farcall_signature;

// Reads and plans; no code is made yet. `ret` and `args` need not be NUL-terminated. On success `*out` must go to
// farcall_signature_release() once.
farcall_status farcall_signature_new(const char *ret, size_t ret_len, const char *args, size_t args_len,
    const farcall_signature **out, farcall_error *error);
// The same for a callback: what only a function may have is refused here (the mark of variadic arguments).
farcall_status farcall_callback_signature_new(const char *ret, size_t ret_len, const char *args, size_t args_len,
    const farcall_signature **out, farcall_error *error);
// The signature that a prototype in C says, with a name or without. Without a namespace it is the newest one where it makes sense, or else C itself.
farcall_status farcall_prototype_new(const struct farcall_scope *scope, const char *text, size_t len, bool is_callback,
    const farcall_signature **out, farcall_error *error);
// That of a namespace's function, by its number, and that of what a type's pointers point to, as a callback's.
farcall_status farcall_declared_function_new(const struct farcall_scope *scope, uint32_t index, const farcall_signature **out,
    farcall_error *error);
farcall_status farcall_pointed_function_new(const struct farcall_scope *scope, uint32_t type, const farcall_signature **out,
    farcall_error *error);
// That of a list: the result's text and those of the arguments, each a code or a C type. If `letters` is not NULL, the arguments are its codes.
// ORDER farcall_text
typedef struct {
    const char *start;
    size_t len;
} farcall_text;
farcall_status farcall_types_new(const farcall_text *texts, size_t count, const farcall_text *letters, bool is_callback,
    const farcall_signature **out, farcall_error *error);
// That of one call of a variadic function with further arguments: a code for each of them, 'd' or 'q'.
farcall_status farcall_signature_extend(const farcall_signature *signature, const char *codes, size_t len,
    const farcall_signature **out, farcall_error *error);
void farcall_signature_release(const farcall_signature *signature);
// The form of a callback's signature that stays for as long as the process, without a namespace and the numbers of types: of codes the same one,
// of C types one that converts values the same way. NULL where there is no memory.
const farcall_signature *farcall_signature_lasting(const farcall_signature *signature);

// What is to be said of a signature with values. Text that does not fit is cut; it ends in a NUL. ORDER farcall_shown
typedef enum {
    FARCALL_SHOWN_WHOLE = 0, // int(const char *, ...)
    FARCALL_SHOWN_PARAMETERS = 1, // const char *format, ...
    FARCALL_SHOWN_PARAMETER = 2, // the name of the argument of that number, from 1 on
    FARCALL_SHOWN_TYPE = 3, // its type, or the result's for 0
    FARCALL_SHOWN_NAME = 4, // the function's
    FARCALL_SHOWN_SYMBOL = 5, // the one that it has in a library
} farcall_shown;
void farcall_signature_show(const farcall_signature *signature, farcall_shown what, size_t index, char *text, size_t size);

// Whether signatures get code of their own. Where the system refuses executable memory, they are called through code that is there
// from the start, which is slower.
bool farcall_generates_code(void);

// A namespace of C declarations, shared by all that is made in it. NULL stands for one with C's own names only.
typedef struct farcall_scope farcall_scope;
// Reads a text into a new namespace. On success `*out` must go to farcall_scope_release() once, and it is the newest namespace.
farcall_status farcall_scope_new(const char *text, size_t len, const farcall_scope **out, farcall_error *error);
// Adds what a text declares; nothing if it is faulty.
farcall_status farcall_scope_read(const farcall_scope *scope, const char *text, size_t len, farcall_error *error);
// Counts one more user.
void farcall_scope_retain(const farcall_scope *scope);
void farcall_scope_release(const farcall_scope *scope);
// An object that C keeps with a namespace, NULL if there is none; and another one for it, if it is `old` still.
void *farcall_scope_object(const farcall_scope *scope);
bool farcall_scope_set_object(const farcall_scope *scope, void *old, void *object);

// What a name is in a namespace, tags and types apart. ORDER farcall_meaning, farcall_named
typedef enum {
    FARCALL_INTEGER = 1,
    FARCALL_REAL = 2,
    FARCALL_TEXT = 3,
    FARCALL_FUNCTION = 4,
    FARCALL_VARIABLE = 5,
} farcall_meaning;
typedef struct {
    farcall_meaning meaning;
    uint32_t index; // of a function or a variable in the namespace
    uint64_t low, high; // an integer of 128 bits
    double real;
    const char *text; // there as long as the namespace is
    size_t len;
} farcall_named;
bool farcall_scope_find(const farcall_scope *scope, const char *name, size_t len, farcall_named *out);
// How many functions, variables, constants and names of types there are.
void farcall_scope_counts(const farcall_scope *scope, size_t counts[4]);
// The address of a function or a variable that a namespace declares.
struct farcall_library;
farcall_status farcall_library_declared(const struct farcall_library *library, const farcall_scope *scope, farcall_meaning meaning,
    uint32_t index, void **out, farcall_error *error);

// Size and alignment of a type that a text names. Without a namespace it is the newest one where the type has a size, or else C itself.
// ORDER farcall_size
typedef struct {
    uint64_t size;
    uint64_t align;
} farcall_size;
farcall_status farcall_scope_size(const farcall_scope *scope, const char *text, size_t len, farcall_size *out,
    farcall_error *error);
// The type itself, by its number in `*owner`, which must go to farcall_scope_release() once.
farcall_status farcall_scope_type(const farcall_scope *scope, const char *text, size_t len,
    const farcall_scope **owner, uint32_t *out, farcall_error *error);

// How uctypes sees a type. ORDER farcall_sort, farcall_shape
typedef enum {
    FARCALL_BYTES_ONLY = 0, // as so many bytes
    FARCALL_SCALAR = 1,
    FARCALL_ARRAY = 2,
    FARCALL_RECORD = 3,
} farcall_sort;
typedef struct {
    uint64_t size; // bytes; 0 where there is no size, such as of an array without a length
    uint64_t count; // an array's elements, a structure's members
    uint32_t align;
    uint32_t type; // behind names
    uint32_t element; // an array's
    uint8_t sort; // farcall_sort
    uint8_t scalar; // the number that uctypes has for a scalar
    bool has_name; // a tag or a typedef's
    bool is_char; // a text consists of these
    bool is_bool;
    bool is_pointer;
    bool is_enum;
} farcall_shape;
void farcall_scope_shape(const farcall_scope *scope, uint32_t type, farcall_shape *out);

// Writes a type in C, as far as there is room.
void farcall_scope_show(const farcall_scope *scope, uint32_t type, char *text, size_t room);

// A member of a structure. Its name is written to `name` as far as there is room. ORDER farcall_member
typedef struct {
    uint64_t offset;
    size_t name_len; // 0 for an anonymous structure or union
    uint32_t type;
    uint8_t first_bit; // of a bit-field, in the byte at the offset
    uint8_t bits; // 0 if it is none
} farcall_member;
bool farcall_scope_member(const farcall_scope *scope, uint32_t type, uint64_t index, farcall_member *out, char *name,
    size_t room);
// The value of an enumeration's constant.
bool farcall_scope_enumerator(const farcall_scope *scope, uint32_t type, const char *name, size_t len, int64_t *out);

// How MicroPython lays out its objects (representation A only), for code that works on objects directly. Offsets are
// in bytes. ORDER farcall_pointer_field, farcall_object_model
typedef struct {
    const void *type;
    size_t offset; // where its objects hold a pointer
} farcall_pointer_field;

// What holds the address of a thread's own memory. ORDER farcall_thread_pointer
typedef enum {
    FARCALL_FS = 0, // the base of this segment
    FARCALL_GS = 1,
    FARCALL_TPIDR_EL0 = 2,
} farcall_thread_pointer;

typedef struct {
    const void *none; // the object
    const void *truth[2]; // False and True
    const void *float_type;
    size_t float_value;
    const farcall_pointer_field *buffers; // objects that a pointer argument takes for their memory
    size_t buffer_count;
    const farcall_pointer_field *functions; // objects that stand for a C function; NULL in one that is closed
    size_t function_count;
    size_t function_target; // in a function object: the C function
    size_t function_library; // and its library object
    size_t library_open; // in a library object: what is NULL once it is closed
    farcall_thread_pointer thread_pointer;
    ptrdiff_t innermost; // from the thread pointer to the farcall_thread that tells the innermost frame
    const void *call; // mp_obj_t (*)(mp_obj_t, size_t, size_t, const mp_obj_t *), for whatever is not straightforward
    const void *raise; // void (*)(void *exception)
    const void *new_float; // mp_obj_t (*)(double)
    const void *new_object; // mp_obj_t (*)(farcall_kind, uint64_t slot)
    // Where an argument of bytes, such as a structure, has them: const void *(*)(mp_obj_t argument, mp_obj_t function, size_t index),
    // NULL if the argument is none. It may raise; it runs no Python. And an object of a result's bytes: mp_obj_t (*)(const void *bytes,
    // mp_obj_t function). NULL for either if there is none: then such calls go through slots.
    const void *find_bytes;
    const void *new_of_bytes;
    // From the thread pointer to a thread's own words for errno, see ffierrno.h: its address, the number that is kept, and whether
    // calls begin with that; to GetLastError()'s number and the one that is kept of it, both 0 where there is none.
    ptrdiff_t errno_address;
    ptrdiff_t errno_kept;
    ptrdiff_t errno_given;
    ptrdiff_t last_error;
    ptrdiff_t last_error_kept;
    // How exceptions are caught: an nlr_buf_t, and where in it nlr_push() puts what. All of this is 0 if that is not known.
    size_t catch_size;
    ptrdiff_t catch_state; // from the thread pointer to a variable that holds the thread's state
    size_t catch_innermost; // in that state: the innermost nlr_buf_t
    size_t catch_prev;
    size_t catch_value;
    size_t catch_instruction_pointer;
    size_t catch_stack_pointer;
    size_t catch_saved[11]; // rbx, rbp, rsi and rdi on Windows, r12 to r15; or x19 to x29
    size_t catch_kept; // what raising sets back in the thread's state, 0 if there is nothing
    size_t catch_kept_state; // and where it is in that state
} farcall_object_model;
farcall_status farcall_object_model_set(const farcall_object_model *model, farcall_error *error);
// Has the model told by a function, once code is to be made for a call: on any of MicroPython's threads, with signals blocked. It says false
// if there was no memory, and is asked again. Or now, ahead of code that other threads may make.
void farcall_objects_described_by(bool (*describe)(void));
farcall_status farcall_objects_describe(farcall_error *error);

// A C function pointer that calls `handler(context, ...)`, or `object_handler(context, ...)` if that is not NULL and the
// signature and the moment allow it. The handler must be able to run on any thread.
//
// `context` is memory that belongs to the pointer for good: zero for its first callback, and then as the one before has left it. A
// thread that was on its way into a callback when that was closed comes to the handlers with it at any later time.
typedef struct farcall_callback farcall_callback;
farcall_status farcall_callback_new(const farcall_signature *signature, farcall_handler handler,
    farcall_object_handler object_handler, size_t context_size, farcall_callback **out, farcall_error *error);
void *farcall_callback_code(const farcall_callback *callback);
void *farcall_callback_context(const farcall_callback *callback);
// Frees it. Safe from inside the callback itself. A later call from C through the old pointer is reported on stderr
// and returns zero, as long as the pointer has not been given to a newer callback.
void farcall_callback_free(farcall_callback *callback);
// Later calls of closed callbacks go unreported: the interpreter ends.
void farcall_callbacks_end(void);
// What it says on stderr. Such threads that came too early for that say it by this.
void farcall_report_closed(void);

// A loaded library. `path` NULL is the program itself with all it has loaded; `flags` are dlopen's, on Windows those of
// LoadLibraryEx(), and 0 is the default (RTLD_NOW | RTLD_LOCAL; the search that a name or path asks for by itself). A linker script
// stands for what it names.
typedef struct farcall_library farcall_library;
farcall_status farcall_library_open(const char *path, int flags, farcall_library **out, farcall_error *error);
// FARCALL_OS with ENOENT and a text that names the symbol where it is missing.
farcall_status farcall_library_symbol(const farcall_library *library, const char *name, void **out,
    farcall_error *error);
void *farcall_library_handle(const farcall_library *library); // dlopen's handle, for printing
// Closes it and frees `library`. While any registered thread is inside a foreign call (farcall_thread), unloading is put off
// until none is, so that no code vanishes under a caller's feet.
void farcall_library_close(farcall_library *library);

// What a thread is doing, for the two functions above: 0 or FARCALL_NO_FRAME while it is in no foreign call and no
// callback, anything else while it is. ORDER farcall_thread
typedef uintptr_t farcall_thread;
#define FARCALL_NO_FRAME ((farcall_thread)1)
// Where the engine's code works on objects, anything else is the address of what a call in progress keeps on the C stack, plus
// FARCALL_FRAME_TAG: the variable as it was before, and a pending exception, if FARCALL_WAITS is set in the former.
// ORDER farcall_frame
#define FARCALL_FRAME_TAG ((farcall_thread)1)
#define FARCALL_WAITS ((farcall_thread)2)
// Has them look at this thread's variable from now on. It must be thread-local.
void farcall_thread_register(volatile farcall_thread *thread);

// A C variable of the scalar type `code` at `address`. Loads give a slot as a result would, and a store takes one as an argument
// does: it cuts an integer to its type.
// Its C type: what it gives and what it takes, and `*owner`, which must go to farcall_scope_release() once. `text` is a declaration, or the
// number of a variable in a namespace where it is NULL. The name is written to `name` as far as there is room.
typedef struct {
    farcall_value gives;
    farcall_value takes;
} farcall_variable; // ORDER farcall_variable
farcall_status farcall_variable_new(const struct farcall_scope *scope, const char *text, size_t len, uint32_t index,
    const struct farcall_scope **owner, farcall_variable *out, char *name, size_t room, farcall_error *error);
farcall_status farcall_variable_kind(const char *code, size_t code_len, farcall_kind *out, farcall_error *error);
uint64_t farcall_variable_load(char code, const void *address);
void farcall_variable_store(char code, void *address, uint64_t slot);

#endif // FARCALL_H
