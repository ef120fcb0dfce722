# Every code as an argument and as a result: ints are cut to their type, with the right sign, and floats are rounded.

import gc
import struct
from support.peer import fixed, func

INTS = (
    0,
    1,
    -1,
    0x7F,
    0x80,
    0xFF,
    0x1FF,
    -0x81,
    0x7FFF,
    0x8000,
    0x12345,
    0x7FFF_FFFF,
    0x8000_0000,
    0x1_2345_6789,
    0x3FFF_FFFF_FFFF_FFFF,
    0x4000_0000_0000_0000,
    -0x4000_0000_0000_0001,
    0x7FFF_FFFF_FFFF_FFFF,
    0x8000_0000_0000_0000,
    0xFFFF_FFFF_FFFF_FFFF,
    -0x8000_0000_0000_0000,
    (1 << 70) + 5,
    -(1 << 70) - 5,
    True,
    False,
)

# A long is what the type of its width is.
results = {}
for code in "bBhHiIqQlL":
    f = func(code, "pass_" + code, code)
    results[code] = [f(x) for x in INTS]
    print(code, results[code] if code == fixed(code) else results[code] == results[fixed(code)])

# The bits above the type's own in a result are not C's promise.
for code in "bBhHiIqQlL":
    f = func(code, "dirty_result", "Q")
    results[code] = f(0x8182838485868788), f(0x7172737475767778)
    print(code, results[code] if code == fixed(code) else results[code] == results[fixed(code)])

# `struct` rounds a float as C compilers do.
FLOATS = (0.0, 1.5, -2.25, 3, -7, True, False, 0.1, 1e30, 1e300, -1e300, 1 << 80, float("inf"), -float("inf"))
for code in "fd":
    f = func(code, "pass_" + code, code)
    print(code, [f(x) == struct.unpack(code, struct.pack(code, float(x)))[0] for x in FLOATS])
    nan = f(float("nan"))
    print(code, nan != nan, f(0), f(-0.0), type(f(3)))

print(func("v", "nothing", "")(), func("i", "answer", "")(), func("d", "scale", "df")(3, 0.5))



def allocated(f):
    gc.disable()
    before = gc.mem_alloc()
    f(100)
    f(100)
    after = gc.mem_alloc()
    gc.enable()
    return after - before


# Results that fit a small int make no garbage, those of 64 bits included.
allocated(abs)
for code in "bBhHiIlLqQpP":
    f = func(code, "pass_" + ("p" if code in "pP" else code), code)
    print(code, "allocates", allocated(f))
