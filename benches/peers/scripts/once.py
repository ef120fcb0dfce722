# Times the first of everything in a process of MicroPython's, each once: prints a line for each row. The clock's microseconds are
# nanoseconds (c/clock.c). The time for reading the clock is subtracted.

import ffi
import sys
import time

now = time.ticks_us


def handler(a):
    return a


now()
a = now()
b = now()
library = ffi.open(None)
c = now()
first = library.func("i", "abs", "i")
d = now()
first(-1)
e = now()
address = library.addr("labs")
f = now()
fresh = ffi.func("l", address, "l")
g = now()
fresh(-1)
h = now()
callback = ffi.callback("i", handler, "i")
i = now()

empty = b - a
rows = (
    ("open(None)", c - b),
    ("first func()", d - c),
    ("first call", e - d),
    ("new signature", g - f),
    ("its first call", h - g),
    ("first callback", i - h),
)
for row, taken in rows:
    print("sample\tonce/%s\t%s\t%d" % (row, sys.argv[1], taken - empty))
