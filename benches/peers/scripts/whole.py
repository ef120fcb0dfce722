# A script as short as it may be: opens the program, makes 1 or 20 functions, and calls them so many times, by turns.

import ffi
import sys

FUNCTIONS, COUNT = int(sys.argv[1]), int(sys.argv[2])


def one():
    call = ffi.open(None).func("i", "abs", "i")
    for i in range(COUNT):
        call(1)


def twenty():
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
    for i in range(COUNT // 20):
        for call in calls:
            call(1)
    for call in calls[: COUNT % 20]:
        call(1)


one() if FUNCTIONS == 1 else twenty()
