# What GetLastError() tells on Windows, kept as errno is.

import ffi
import gc
import os
import sys
from support.peer import func, raises

if sys.platform != "win32":
    print("SKIP", end="\n" if not hasattr(ffi, "last_error") else " WRONG\n")
    raise SystemExit

ERROR_FILE_NOT_FOUND, ERROR_INVALID_HANDLE = 2, 6

kernel = ffi.open("kernel32.dll")
get_attributes = kernel.func("I", "GetFileAttributesA", "s")
close = kernel.func("i", "CloseHandle", "P")
get = kernel.func("I", "GetLastError", "")
set_ = kernel.func("v", "SetLastError", "I")
sum_calls = func("i", "sum_calls", "Ci")


def interpreter_works():
    try:
        os.stat("/nonexistent/path")
    except OSError:
        pass
    for _ in range(100):
        bytearray(50000)
    gc.collect()
    return 0


# A script that never asks may read it by a call, as there is nothing that changes it in between.
for _ in range(300):
    set_(50)
    if get() != 50:
        print("the number was changed")

get_attributes("nonexistent file")
interpreter_works()
print("the first time:", ffi.last_error() == ERROR_FILE_NOT_FOUND)


def calls(what):
    print(what, close(0), interpreter_works(), ffi.last_error() == ERROR_INVALID_HANDLE, get() == ERROR_INVALID_HANDLE)
    print(what, ffi.last_error(5) == ERROR_INVALID_HANDLE, interpreter_works(), get(), ffi.last_error())
    print(what, set_(6), interpreter_works(), get(), ffi.last_error(), ffi.errno(3) * 0)


calls("cold")
for _ in range(300):
    close(0), get(), set_(1)
calls("warm")


def seen(i):
    numbers.append(ffi.last_error())
    interpreter_works()
    ffi.last_error(i + 100)
    return 0


numbers = []
with ffi.callback("i", seen, "i") as cb:
    ffi.last_error(9)
    sum_calls(cb, 4)
    print(numbers, ffi.last_error())
    numbers.clear()
    for _ in range(300):
        ffi.last_error(9)
        sum_calls(cb, 4)
    print(numbers == 300 * [9, 100, 101, 102], ffi.last_error())

print(ffi.last_error(0xFFFFFFFF), ffi.last_error(0) == 0xFFFFFFFF)
raises("text", TypeError, [], ffi.last_error, "1")
raises("large", OverflowError, ["32 bits"], ffi.last_error, 1 << 32)
raises("negative", OverflowError, ["32 bits"], ffi.last_error, -1)
