# How Windows finds a DLL: by a name, with or without its extension, and by a path with slashes of either kind.

import ffi
import os
import sys
from support.peer import path

if sys.platform != "win32":
    print("SKIP")
    raise SystemExit


def answer(name):
    return ffi.open(name).func("i", "answer", "")()


for name in ("msvcrt", "msvcrt.dll", "MSVCRT.DLL"):
    print(name, ffi.open(name).func("i", "abs", "i")(-3))

# Any extension will do, and a path is taken as it is.
folder, file = path.rsplit("/", 1)
print(answer(path), answer(path.replace("/", "\\")), answer("Z:" + path))
os.chdir(folder)
print(answer("./" + file), answer(".\\" + file))

# A bare name is also looked for in the current folder; one that is there has no priority over the system's.
print(answer(file), answer(file.rsplit(".", 1)[0]))

# The program is all that is loaded: its own functions are not exported, C's and the system's are there.
program = ffi.open(None)
print(program.func("I", "GetCurrentProcessId", "")() == ffi.open("kernel32").func("I", "GetCurrentProcessId", "")())
print(program.addr("qsort") == ffi.open("msvcrt").addr("qsort"))

# The system's words, and C's number.
for name in ("no-such", "./no/such.dll"):
    try:
        ffi.open(name)
    except OSError as e:
        print(e.errno, name in str(e), "not found" in str(e))
