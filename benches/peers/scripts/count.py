# Calls C, has C call back, or makes functions of new signatures, a given number of times, for a tool that counts instructions.

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


# The number of texts does not depend on the count, so making them does not count.
LETTERS = "ildpq"
texts = []


def new(count):
    address = library.addr("add2_ends")
    for i in range(count):
        ffi.func("i", address, texts[i])


if WORK == "new":
    for i in range(5000):
        texts.append("".join(LETTERS[i // 5**place % 5] for place in range(6)))

{"call": call, "callback": callback, "new": new}[WORK](COUNT)
