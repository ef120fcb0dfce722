"""Structs by value as results: div() and ldiv(), whose types the script declares as the C library's headers do.

It prints:

    17 = 3 * 5 + 2
    -17 = -3 * 5 + -2
    10000000000 = 1428571428 * 7 + 4
    8 16
"""

import ffi

c = ffi.cdef("""
    typedef struct { int quot; int rem; } div_t;
    typedef struct { long quot; long rem; } ldiv_t;
    div_t div(int numerator, int denominator);
    ldiv_t ldiv(long numerator, long denominator);
""")
libc = ffi.open("libc.so.6", c)

for n in (17, -17):
    result = libc.div(n, 5)
    print(n, "=", result.quot, "* 5 +", result.rem)

n = 10**10
result = libc.ldiv(n, 7)
print(n, "=", result.quot, "* 7 +", result.rem)
print(c.sizeof("div_t"), c.sizeof("ldiv_t"))
