# Measures the executable memory, belonging to no file, of 1,000 functions of as many signatures.

import ffi
import sys

PEER, LIBRARY = sys.argv[1], sys.argv[2]
LETTERS = "iqdfBh"


def code():
    size = 0
    for line in open("/proc/self/maps"):
        words = line.split()
        if "x" in words[1] and len(words) == 5:
            start, end = words[0].split("-")
            size += int(end, 16) - int(start, 16)
    return size


def signature(number):
    return "".join([LETTERS[number // 6 ** place % 6] for place in range(4 + number % 3)])


address = ffi.open(LIBRARY).addr("none_ends")
before = code()
functions = [ffi.func("v", address, signature(number)) for number in range(1000)]
print("count\tmemory/signatures/code\t%s\t%d" % (PEER, code() - before))
