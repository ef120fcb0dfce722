# A short script: it calls 20 functions by turns, a given number of times.
import ffi
import sys


def run(calls, count):
    for i in range(count // 20):
        for call in calls:
            call(1)
    for call in calls[: count % 20]:
        call(1)


find = ffi.open(None).func
calls = (
    find("i", "abs", "i"),
    find("l", "labs", "l"),
    find("q", "llabs", "q"),
    find("i", "ffs", "i"),
    find("i", "ffsl", "l"),
    find("i", "ffsll", "q"),
    find("d", "fabs", "d"),
    find("f", "fabsf", "f"),
    find("l", "lrint", "d"),
    find("q", "llrint", "d"),
    find("l", "lrintf", "f"),
    find("q", "llrintf", "f"),
    find("i", "ilogb", "d"),
    find("i", "ilogbf", "f"),
    find("H", "htons", "H"),
    find("I", "htonl", "I"),
    find("i", "toupper", "i"),
    find("i", "isdigit", "i"),
    find("d", "floor", "d"),
    find("f", "sqrtf", "f"),
)
run(calls, int(sys.argv[1]))
