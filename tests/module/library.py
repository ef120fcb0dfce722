# Opening libraries and finding symbols in them.

import ffi
import os
from support.peer import func, is_windows, libc, path, raises

# The program itself, a path, a soname.
program = ffi.open(None)
print(program.func("i", "abs", "i")(-3))
lib = ffi.open(path)
print(lib.func("i", "add2", "ii")(1, 2))
c = libc()
print(c.func("i", "abs", "i")(-3), c.addr("abs") == program.addr("abs"))

# Flags: RTLD_LAZY alone is enough; on Windows they are LoadLibraryEx()'s, and none are needed.
# 0 and None are the usual ones, and one of RTLD_LAZY and RTLD_NOW goes without saying.
for flags in (0, None, 0x8, 0x1100) if is_windows else (0, None, 1, 2, 0x101, 0x100):
    with ffi.open(path, flags) as m:
        if m.func("i", "answer", "")() != 42:
            print("not opened with", flags)

# What is not there. The words are the loader's.
try:
    ffi.open("libdoesnotexist.so.9")
except OSError as e:
    print(e.errno, "libdoesnotexist.so.9" in str(e))
try:
    ffi.open("/no/such/library.so")
except OSError as e:
    print(e.errno, "/no/such/library.so" in str(e))
for missing in ("no_such_symbol", ""):
    for f, args in ((lib.func, ("i", missing, "")), (lib.var, ("i", missing)), (lib.addr, (missing,))):
        try:
            f(*args)
        except OSError as e:
            print(e.errno, missing in str(e))

# Bytes are a path as well, also those that are no text.
print(ffi.open(bytes(path, "utf-8")).func(b"i", b"answer", b"")())
try:
    ffi.open(b"/no such \xff\xfe.so")
except (OSError, ValueError) as e:
    print("not opened")

# The type of libraries opens them, too.
print(type(lib)(path).func("i", "answer", "")(), type(lib)(path, 0).func("i", "answer", "")())
raises("no path", TypeError, (), type(lib))
raises("three", TypeError, (), type(lib), path, 0, 0)
raises("keyword", TypeError, (), type(lib), path, flags=0)

# What is no name.
for bad in (1, 1.5, [], bytearray(b"bytes"), True):
    raises("open " + type(bad).__name__, TypeError, (type(bad).__name__,), ffi.open, bad)
for bad in (1, 1.5, [], None):
    raises("func " + type(bad).__name__, TypeError, (), lib.func, "i", bad, "")
    raises("var " + type(bad).__name__, TypeError, (), lib.var, "i", bad)
    raises("addr " + type(bad).__name__, TypeError, (), lib.addr, bad)
raises("flags", TypeError, (), ffi.open, path, "now")
raises("a NUL in a path", ValueError, (), ffi.open, path + "\0.so")
raises("a NUL in a name", ValueError, (), lib.addr, "add2\0x")

# Addresses are ints.
address = lib.addr("add2")
print(type(address), address > 0, ffi.func("i", address, "ii")(40, 2))

# Closing, twice, and what is left then.
add2 = lib.func("i", "add2", "ii")
var = lib.var("i", "var_i")
print(var.get())
print(lib.close(), lib.close())
raises("a call", ValueError, ("add2", path, "closed"), add2, 1, 2)
raises("get", ValueError, ("var_i", path, "closed"), var.get)
raises("set", ValueError, ("var_i", path, "closed"), var.set, 1)
raises("func", ValueError, ("answer", path, "closed"), lib.func, "i", "answer", "")
raises("var", ValueError, ("var_q", path, "closed"), lib.var, "q", "var_q")
raises("addr", ValueError, ("answer", path, "closed"), lib.addr, "answer")
raises("as an argument", ValueError, ("argument 1", "add2", "closed"), func("i", "apply", "Cii"), add2, 1, 2)

with ffi.open(path) as m:
    f = m.func("i", "answer", "")
    print(f())
raises("after with", ValueError, ("answer", path, "closed"), f)
try:
    with ffi.open(path) as m:
        f = m.func("i", "answer", "")
        raise KeyError("in with")
except KeyError as e:
    print(e)
raises("after an exception in with", ValueError, ("closed",), f)

# Another handle of the same library is not closed with it.
one, two = ffi.open(path), ffi.open(path)
f = two.func("i", "answer", "")
one.close()
print(f())

# The program too can be closed.
abs = program.func("i", "abs", "i")
program.close()
raises("the program", ValueError, ("abs", "closed"), abs, -1)

# A library that nothing refers to stays loaded: C may still be using it.
import gc

address = ffi.open(path).addr("answer")
gc.collect()
print(ffi.func("i", address, "")())
