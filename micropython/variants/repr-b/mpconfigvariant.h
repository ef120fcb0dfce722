// MicroPython's standard variant with another representation of objects. Machine code on objects is made for
// representation A alone: here every call goes through slots, and the tests see that it does so correctly.

#define MICROPY_OBJ_REPR (MICROPY_OBJ_REPR_B)

// What the port leaves to a variant that chooses the representation.
typedef long mp_int_t;
typedef unsigned long mp_uint_t;

#include "variants/standard/mpconfigvariant.h"
