# The example of the module's documentation: C's clock, and C's qsort() with a comparison written in Python.

import ffi
import uctypes


def open_first(*names):
    for name in names:
        try:
            return ffi.open(name)
        except OSError as e:
            error = e
    raise error


libc = open_first("libc.so.6", "libc.so.0", "libc.so", "libc.dylib", "libSystem.dylib", "msvcrt.dll")

# time_t time(time_t *): 64 bits, and a pointer that may be NULL.
time = libc.func("q", "time", "p")
print("seconds since 1970:", "more than" if time(None) > 1_600_000_000 else "not", 1_600_000_000)

# void qsort(void *base, size_t count, size_t size, int (*compare)(const void *, const void *))
# A size_t is as wide as a pointer, which a long need not be.
qsort = libc.func("v", "qsort", "pQQC")


# C passes addresses; bytearray_at() shows the memory there.
def compare(a, b):
    return uctypes.bytearray_at(a, 1)[0] - uctypes.bytearray_at(b, 1)[0]


letters = bytearray(b"farcall sorts")
with ffi.callback("i", compare, "PP") as c_compare:
    qsort(letters, len(letters), 1, c_compare)
print(letters)
