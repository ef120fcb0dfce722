# A short script: it calls a function a given number of times.
import ffi
import sys


def run(call, count):
    for i in range(count):
        call(1)


run(ffi.open(None).func("i", "abs", "i"), int(sys.argv[1]))
