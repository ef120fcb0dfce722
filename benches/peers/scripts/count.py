# Calls C, or has C call back, so many times, for a tool that counts instructions.

import ffi
import sys

LIBRARY, WORK, COUNT = sys.argv[1], sys.argv[2], int(sys.argv[3])

library = ffi.open(LIBRARY)


def call(count):
    add2 = library.func("i", "add2_ends", "ii")
    for i in range(count):
        add2(i, 1)


def callback(count):
    library.func("i", "call_back", "Cq")(ffi.callback("i", lambda a, b: a + b, "ii"), count)


{"call": call, "callback": callback}[WORK](COUNT)
