# Strings and a variable: the environment, by getenv() and by walking `environ`.

import ffi
import sys
import uctypes


def open_first(*names):
    for name in names:
        try:
            return ffi.open(name)
        except OSError as e:
            error = e
    raise error


libc = open_first("libc.so.6", "libc.so.0", "libc.so", "libc.dylib", "libSystem.dylib", "msvcrt.dll")
getenv = libc.func("s", "getenv", "s")
strlen = libc.func("Q", "strlen", "p")

# POSIX and Windows do not agree on the functions that C lacks.
if sys.platform == "win32":
    setenv = libc.func("i", "_putenv_s", "ss")
    environ = libc.var("p", "_environ")
else:
    posix_setenv = libc.func("i", "setenv", "ssi")
    setenv = lambda name, value: posix_setenv(name, value, 1)
    environ = libc.var("p", "environ")

print(setenv("FARCALL", "a call from afar"), getenv("FARCALL"))
print(getenv("FARCALL_IS_NOT_SET"))



# char **environ: an array of strings, with NULL at its end.
def strings(address):
    while True:
        start = int.from_bytes(uctypes.bytearray_at(address, 8), "little")
        if start == 0:
            return
        yield bytes(uctypes.bytearray_at(start, strlen(start)))
        address += 8


for entry in strings(environ.get()):
    if entry.startswith(b"FARCALL="):
        print(entry.decode())
