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
    raises("result " + repr(bad), TypeError, ("result", "'" + bad + "'"), ffi.func, bad, add2, "ii")
    raises("argument " + repr(bad), TypeError, ("argument 3", "'" + bad + "'"), ffi.func, "i", add2, "id" + bad)
    raises("of a callback", TypeError, ("argument 1", "'" + bad + "'"), ffi.callback, "i", print, bad)
    raises("its result", TypeError, ("result", "'" + bad + "'"), ffi.callback, bad, print, "")
    raises("in a list", TypeError, ("argument 2", "'" + bad + "'"), ffi.func, "i", add2, ["i", bad])
    raises("of a variable", TypeError, ("variable", "'" + bad + "'"), peer.var, bad, "var_i")
raises("not ASCII", TypeError, ("argument 2", "\u00f6"), ffi.func, "i", add2, "i\u00f6")
raises("a result that is not", TypeError, ("result", "\u00f6"), ffi.func, "\u00f6", add2, "ii")
raises("not UTF-8", TypeError, (), ffi.func, "i", add2, b"i\xff")
raises("a result that is not", TypeError, (), ffi.func, b"\xff", add2, "ii")

# Codes in places where they mean nothing.
raises("v as an argument", ValueError, ("argument 2", "v"), ffi.func, "i", add2, "iv")
raises("v as a callback's argument", ValueError, ("argument 1", "v"), ffi.callback, "i", print, "vi")
raises("v as a variable", ValueError, ("v",), peer.var, "v", "var_i")

# Alone it is what C writes for no arguments.
for none in ("v", b"v", ["v"], "", []):
    print(func("i", "answer", none)(), ffi.func("i", ffi.callback("i", lambda: 7, none).cfun(), "")(), end=" ")
print()
raises("v for a value", TypeError, ("takes 0 arguments",), func("i", "answer", "v"), None)

# C as a result, and as a callback's argument, is an address.
print(func("C", "pass_p", "p")(add2) == add2, func("C", "pass_p", "p")(-1), func("C", "pass_p", "C")(None))
print(func("p", "call_p", "Cp")(ffi.callback("C", lambda x: x, "C"), add2) == add2)

# Results of no code, and of a word that begins with one.
for bad in ("", b""):
    raises("result " + repr(bad), TypeError, ("result",), ffi.func, bad, add2, "ii")
    raises("of a callback", TypeError, ("result",), ffi.callback, bad, print, "")
    raises("of a variable", TypeError, ("variable",), peer.var, bad, "var_i")
for word in ("int", "ii", "iv", b"int", "i\u00f6"):
    print(ffi.func(word, add2, "ii")(40, 2), ffi.func("i", ffi.callback(word, lambda: 7, "").cfun(), "")(), end=" ")
    print(type(peer.var(word, "var_i").get()), end=" ")
print()

# Codes may be bytes.
print(ffi.func(b"i", add2, b"ii")(40, 2), ffi.func("i", add2, [b"i", "i"])(40, 2), peer.var(b"i", "var_i").get() == peer.var("i", "var_i").get())
with ffi.callback(b"i", lambda a, b: a * b, b"ii") as cb:
    print(func("i", "apply", b"Cii")(cb, 6, 7))

# Things that are no codes.
for bad in (None, 1, ["i"], 1.5, True):
    name = type(bad).__name__
    raises("result " + name, TypeError, ("result", name), ffi.func, bad, add2, "ii")
    raises("of a callback", TypeError, ("result", name), ffi.callback, bad, print, "")
    raises("of a variable", TypeError, ("variable", name), peer.var, bad, "var_i")
    raises("in a list", TypeError, ("argument 2", name), ffi.func, "i", add2, ["i", bad])
for bad in ("", "ii"):
    raises("in a list " + repr(bad), ValueError, ("argument 1",), ffi.func, "i", add2, [bad, "i"])
for bad in (None, 1, 1.5, print):
    raises("arguments " + type(bad).__name__, TypeError, (), ffi.func, "i", add2, bad)


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
