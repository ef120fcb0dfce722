# Libraries whose declared functions and variables are attributes, and what else knows the names of a namespace.

import ffi
import gc
from support.peer import path, peer, raises

t = ffi.cdef(
    """
    typedef struct { double re; double im; } pair;
    struct inner { short x; int y[3]; };
    struct scalars;
    enum { RED, GREEN = 5, BLUE };
    typedef int number_t;
    number_t add2(number_t a, number_t b);
    double scale(double x, float y);
    const char *greeting(void);
    int renamed(int a, int b) __asm__("add2");
    int apply(int (*f)(int, int), int a, int b);
    int no_such_function(int);
    int func(int);
    int close(int);
    extern int var_i;
    extern double var_d __asm__("var_d");
    extern const char *var_s[2];
    extern int no_such_variable;
    """
)
lib = ffi.open(path, t)
print(lib.add2(30, 12), lib.scale(1.5, 2), len(lib.greeting()), lib.renamed(1, 2))

# What has been looked up is kept.
print(lib.add2 is lib.add2, lib.var_i is lib.var_i)
print(lib.var_i.get(), lib.var_i.set(5), lib.var_i.get(), peer.var("i", "var_i").get(), lib.var_d.get())
lib.var_i.set(-3)

# Methods keep their names, and what the library has not got is no attribute.
for name in ("add2", "var_i", "no_such_function", "no_such_variable", "pair", "BLUE", "func", "close", "never_declared"):
    print(name, hasattr(lib, name), end=" ")
print()
print(lib.func("i", "add2", "ii")(1, 2), callable(lib.close))
print("add2" in dir(lib), "no_such_function" in dir(lib))
try:
    lib.no_such_function
except AttributeError as e:
    print("no_such_function" in str(e))

# Names of the namespace are known to texts, of a library and of its namespace.
add = lib.func("number_t add2(number_t, number_t)")
print(add(2, 3), t.func("number_t (number_t, number_t)", lib.addr("add2"))(3, 4))
f = t.callback("number_t (number_t a, number_t b)", lambda a, b: a * b)
print(lib.apply(f, 6, 7))
print(lib.var("number_t var_i").get())
newer = ffi.cdef("typedef char number_t;")
print(lib.func("number_t add2(number_t, number_t)")(300, 3))
raises("not of this one", ValueError, ("1:1", "pair"), newer.func, "pair (void)", 1)

# More is declared, and there at once.
print(hasattr(lib, "answer"))
t.cdef("int answer(void);")
print(lib.answer())

# Values that do not fit name the function, the parameter and its type.
raises("range", OverflowError, ("add2", "number_t"), lib.add2, 1 << 40, 1)
raises("count", TypeError, ("add2",), lib.add2, 1)

# Flags come third, and a library without names has no attributes.
print(hasattr(ffi.open(path), "add2"), ffi.open(path, t, 0).add2(1, 1))
raises("no namespace", TypeError, ("ffi.cdef", "int"), ffi.open, path, 2, 2)
raises("no flags", TypeError, (), ffi.open, path, "text")


# A function keeps what it was declared in.
def one():
    names = ffi.cdef("typedef short kept_t; kept_t add2(kept_t a, kept_t b);")
    return ffi.open(path, names).add2


add = one()


def deeper(n):
    a, b, c, d = n, n + 1, n + 2, n + 3
    return deeper(n - 1) + a + b + c + d if n else 0


deeper(30)
for _ in range(3):
    gc.collect()
    bytearray(1000)
print(add(1, 2), "kept_t" in repr(add) or repr(add))
raises("short", OverflowError, ("add2", "kept_t"), add, 1 << 20, 1)

# In a closed library nothing is looked up, and nothing is called.
other = ffi.open(path, t)
kept = other.add2
other.close()
raises("kept", ValueError, ("closed",), kept, 1, 2)
raises("kept as an attribute", ValueError, ("closed",), lambda: other.add2(1, 2))
raises("looked up", ValueError, ("scale", "closed"), lambda: other.scale)
