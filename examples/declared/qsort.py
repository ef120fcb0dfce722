"""A Python function as C's comparison: it is a callback for the time of the call.

It prints:

    bytearray(b' acfllorrsst')
    [9, 7, 5, 3, 1]
"""

import ffi
import uctypes
from array import array

libc = ffi.open("libc.so.6")
qsort = libc.func("void qsort(void *base, size_t n, size_t size, int (*compare)(const void *, const void *))")


def byte_at(address):
    return uctypes.bytearray_at(address, 1)[0]


letters = bytearray(b"torc fallsrs")
qsort(letters, len(letters), 1, lambda a, b: byte_at(a) - byte_at(b))
print(letters)

numbers = array("i", [3, 9, 1, 7, 5])


def compare(a, b):
    a, b = (uctypes.struct(p, {"value": 0 | uctypes.INT32}).value for p in (a, b))
    return (a < b) - (a > b)


qsort(numbers, len(numbers), 4, compare)
print(list(numbers))
