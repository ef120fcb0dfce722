# Which strings and iterables are signatures.

import ffi
from support.peer import func, peer, raises

add2 = peer.addr("add2")


def codes():
    yield "i"
    yield "i"


for args in ("ii", ["i", "i"], ("i", "i"), codes(), iter("ii"), {"i": 1}.keys()):
    f = ffi.func("i", add2, args)
    try:
        print(f(40, 2), end=" ")
    except TypeError:
        print("one argument", end=" ")
print()
with ffi.callback("i", lambda a, b: a * b, codes()) as cb:
    print(func("i", "apply", ["C", "i", "i"])(cb, 6, 7))

# Unknown codes, and where they are.
for bad in "Zx? {":
    raises("result " + repr(bad), ValueError, ("result", "'" + bad + "'"), ffi.func, bad, add2, "ii")
    raises("argument " + repr(bad), ValueError, ("argument 3", "'" + bad + "'"), ffi.func, "i", add2, "id" + bad)
    raises("of a callback", ValueError, ("argument 1", "'" + bad + "'"), ffi.callback, "i", print, bad)
    raises("its result", ValueError, ("result", "'" + bad + "'"), ffi.callback, bad, print, "")
    raises("in a list", ValueError, ("argument 2", "'" + bad + "'"), ffi.func, "i", add2, ["i", bad])
    raises("of a variable", ValueError, ("variable", "'" + bad + "'"), peer.var, bad, "var_i")
raises("not ASCII", ValueError, ("argument 2", "\u00f6"), ffi.func, "i", add2, "i\u00f6")

# Codes in places where they mean nothing.
raises("v as an argument", ValueError, ("argument 2", "v"), ffi.func, "i", add2, "iv")
raises("v as a callback's argument", ValueError, ("argument 1", "v"), ffi.callback, "i", print, "v")
raises("v as a variable", ValueError, ("v",), peer.var, "v", "var_i")
raises("C as a result", ValueError, ("result", "C"), ffi.func, "C", add2, "")
raises("C as a callback's argument", ValueError, ("argument 2", "C"), ffi.callback, "i", print, "iC")

# Results of no code, or of several.
for bad in ("", "ii", "iv"):
    raises("result " + repr(bad), ValueError, ("result",), ffi.func, bad, add2, "ii")
    raises("of a callback", ValueError, ("result",), ffi.callback, bad, print, "")
    raises("of a variable", ValueError, ("variable",), peer.var, bad, "var_i")

# Things that are no codes.
for bad in (None, 1, b"i", ["i"], 1.5, True):
    name = type(bad).__name__
    raises("result " + name, TypeError, ("result", name), ffi.func, bad, add2, "ii")
    raises("of a callback", TypeError, ("result", name), ffi.callback, bad, print, "")
    raises("of a variable", TypeError, ("variable", name), peer.var, bad, "var_i")
    raises("in a list", TypeError, ("argument 2", name), ffi.func, "i", add2, ["i", bad])
for bad in ("", "ii"):
    raises("in a list " + repr(bad), ValueError, ("argument 1",), ffi.func, "i", add2, [bad, "i"])
for bad in (None, 1, 1.5, print):
    raises("arguments " + type(bad).__name__, TypeError, (), ffi.func, "i", add2, bad)
raises("arguments bytes", TypeError, ("argument 1", "int"), ffi.func, "i", add2, b"ii")


def failing():
    yield "i"
    raise KeyError("own error")


raises("an iterator that fails", KeyError, ("own error",), ffi.func, "i", add2, failing())

# Things that are no addresses, and no functions.
for bad in (None, "add2", 1.5, [], True):
    raises("address " + type(bad).__name__, TypeError, (type(bad).__name__,), ffi.func, "i", bad, "")
raises("address 0", ValueError, ("NULL",), ffi.func, "i", 0, "")
for bad in (None, 1, "f", []):
    raises("function " + type(bad).__name__, TypeError, (type(bad).__name__,), ffi.callback, "i", bad, "")

# Long ones.
many = func("s", "mixed_13", "i" * 120)
raises("120 arguments", TypeError, ("120", "2"), many, 1, 2)
