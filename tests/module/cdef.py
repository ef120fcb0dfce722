# Namespaces of C declarations: what a text declares, and what it says where the text is wrong.

import ffi
import gc
from support.peer import raises

t = ffi.cdef(
    """
    /* What headers have after the preprocessor, and constants. */
    #define LIMIT 0x10
    #define HALF (LIMIT / 2)
    #define RATIO 0.25
    #define NAME "farcall " "text"
    #define BIG 18446744073709551615u
    #define MACRO(x) x
    #pragma pack(push, 1)
    struct packed { char c; int i; };
    #pragma pack(pop)
    enum colour { RED, GREEN = 5, BLUE, };
    typedef struct point { int x, y; } point_t;
    typedef unsigned long long big_t;
    extern int optind;
    double hypot(double x, double y);
    int printf(const char *format, ...) __attribute__((format(printf, 1, 2)));
    static inline int twice(int x) { return 2 * x; }
    """
)
print(t.LIMIT, t.HALF, t.RATIO, t.NAME, t.BIG, t.RED, t.GREEN, t.BLUE)
print(t.sizeof("struct packed"), t.sizeof("point_t"), t.alignof("point_t"), t.sizeof("point_t[HALF]"))
print(t.sizeof("enum colour"), t.sizeof("big_t"), t.sizeof("char *"), t.sizeof("struct { char a; big_t b; }"))
print(t)

# Names that are nothing, types, functions and macros with parameters are no attributes.
for name in ("NOTHING", "point_t", "hypot", "MACRO", "optind"):
    print(name, hasattr(t, name), end=" ")
print()
try:
    t.LIMIT = 5
except AttributeError:
    print("no attribute is set")
print("BLUE" in dir(t), "sizeof" in dir(t), "LIMIT" in dir(t))

# More may be added, and see what is there.
t.cdef("struct line { struct point from, to; }; enum { TWICE = 2 * LIMIT };")
print(t.sizeof("struct line"), t.TWICE)


# All of a text counts, or nothing.
def wrong(what, text, *parts):
    before = repr(t)
    raises(what, ValueError, parts, t.cdef, text)
    if repr(t) != before:
        print("changed:", before, t)


wrong("syntax", "enum { LOST };\nint f(int;\n", "2:10", "int f(int;", "^")
wrong("unknown type", "struct lost { int a; };\nvoid f(struct lost *, nothing_t x);", "2:23", "nothing_t")
wrong("conflict", "int point_t;", "1:5", "point_t")
wrong("another type", "double hypot(double x,\n float y);", "1:8", "hypot", "double(double, double)", "double(double, float)")
wrong("another type", "extern long optind;", "1:13", "optind", "int", "long")
wrong("another value", "\n#define LIMIT 17\n", "2:2", "LIMIT", "16", "17")
wrong("defined again", "struct point { int x, y, z; };", "1:8", "point")
wrong("constant again", "\n\nenum { LIMIT };", "3:8", "LIMIT")
wrong("never closed", "struct s { int a;", "1:18")
wrong("directive", "int a;\n#include <stdio.h>\n", "2:1", "#include")
print(hasattr(t, "LOST"))
raises("its tag is gone", ValueError, ("size is known",), t.sizeof, "struct lost")
t.cdef("struct lost { char now; };")
print(t.sizeof("struct lost"))

# What is declared again as it was is no error.
t.cdef("typedef struct point point_t; double hypot(double x, double y); extern int optind; struct point;")
print(t.sizeof("point_t"))

raises("no text", TypeError, ("declarations", "int"), ffi.cdef, 5)
raises("no text", TypeError, ("declarations", "NoneType"), t.cdef, None)
raises("faulty", ValueError, ("1:1", "oops"), ffi.cdef, "oops")
print(ffi.cdef(""), ffi.cdef(b"int x;"))

# A size is looked for in passing: nothing stays.
for _ in range(3):
    print(t.sizeof("struct unheard_of { int a[3]; }"), end=" ")
print()
raises("incomplete", ValueError, ("size is known", "unheard_of"), t.sizeof, "struct unheard_of")
raises("void", ValueError, ("size is known", "void"), t.alignof, "void")
raises("no type", ValueError, ("1:1", "nonsense", "^"), t.sizeof, "nonsense")
raises("more than a type", ValueError, ("1:5",), t.sizeof, "int x")


# The newest namespace counts first, those that are gone do not.
def nested():
    inner = ffi.cdef("typedef char word_t; struct shared { char c[100]; };")
    print(ffi.sizeof("word_t"), ffi.sizeof("struct shared"), ffi.sizeof("point_t"))
    return inner.layout("word_t")


u = ffi.cdef("typedef short word_t; struct shared { char c[50]; };")
print(ffi.sizeof("word_t"), ffi.sizeof("struct shared"))
nested()


# Overwrites what the stack still has of it.
def deeper(n):
    a, b, c, d = n, n + 1, n + 2, n + 3
    return deeper(n - 1) + a + b + c + d if n else 0


deeper(30)
gc.collect()
gc.collect()
print(ffi.sizeof("word_t"), ffi.sizeof("struct shared"))
raises("known nowhere", ValueError, ("1:1", "never_declared"), ffi.sizeof, "never_declared")
print(ffi.sizeof("int"), ffi.alignof("double"), ffi.sizeof("long long[3]"))

# Thousands of declarations, and of namespaces.
many = ffi.cdef("".join("typedef struct s%d { int a[%d]; } t%d; t%d *f%d(t%d x);" % ((n,) * 6) for n in range(1, 1001)))
print(many.sizeof("t1000"), many)
for n in range(500):
    v = ffi.cdef("enum { N = %d };" % n)
    if v.N != n:
        print("WRONG", n, v.N)
