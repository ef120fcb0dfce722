# What scripts for the port's own module do, and that module defines: each line is the same on that one.

import array
import ffi
import uctypes
from support.peer import func, libc, path, peer

call_p = func("p", "call_p", "pp")

# A sentinel of a pointer type: (void *)-1, as of mmap(), shmat(), signal() and dlsym().
print(func("p", "pass_p", "p")(-1) == -1, func("P", "pass_q", "q")(-1), func("P", "pass_Q", "Q")((1 << 64) - 2))
print(call_p(ffi.callback("p", lambda x: x if x == -3 else 0, "P"), -3), peer.var("P", "var_p").set(-1), peer.var("P", "var_p").get())
peer.var("P", "var_p").set(0)

# None is zero.
print([func(code, "pass_" + code, code)(None) for code in "bBhHiIlLqQ"], func("p", "pass_p", "p")(None))

# A pointer may be declared as an integer of its width.
byte_at = func("i", "byte_at", "Qi")
memory = bytearray(b"memory")
view = uctypes.struct(uctypes.addressof(memory), {"first": uctypes.UINT8 | 0})
print([chr(byte_at(x, 0)) for x in (memory, b"bytes", "str", memoryview(memory)[1:], array.array("B", b"array"), view)])
print(func("i", "apply", "qii")(ffi.callback("i", lambda a, b: a - b, "ii"), 30, 12))
print(func("i", "byte_at", "Ci")(b"C takes what a pointer takes", 0))

# Codes: void alone, words that begin with one, bytes.
print(func("i", "answer", "v")(), func("int", "answer", "")(), func(b"i", b"answer", b"")(), peer.var(b"int", b"var_i").get())
print(ffi.func("i", ffi.callback("i", lambda *args: 7, "v").cfun(), "")())
print(ffi.func("void", peer.addr(b"nothing"), "")())

# Every pointer that a callback gets is an address.
for code in "pPsOC":
    print(call_p(ffi.callback("p", lambda x: x + 1, code), 41), end=" ")
print(uctypes.bytes_at(func("C", "pass_p", "s")("text"), 4))
print(call_p(ffi.callback("O", lambda x: x - 1, "p"), 43))

# Variables cut what they are set to.
for code, value in (("i", (1 << 32) + 5), ("I", -1), ("b", 300), ("H", (1 << 70) + 3), ("q", (1 << 64) - 2), ("P", (1 << 64) - 2)):
    var = peer.var(code, "var_" + ("p" if code == "P" else code))
    var.set(value)
    print(var.get(), end=" ")
peer.var("P", "var_p").set(0)
peer.var("f", "var_f").set(1e300)
print(peer.var("f", "var_f").get())


# An object may say what number it is, where a number is stored, and where a float is wanted.
class Number:
    def __float__(self):
        return 2.5

    def __int__(self):
        return 9


class OwnInt(int):
    pass


class OwnIntWithFloat(int):
    def __float__(self):
        return 0.5


peer.var("i", "var_i").set(OwnInt(-5))
print(peer.var("i", "var_i").get(), func("d", "pass_d", "d")(OwnIntWithFloat(1)))
peer.var("i", "var_i").set(Number())
print(peer.var("i", "var_i").get(), func("d", "pass_d", "d")(Number()), func("f", "pass_f", "f")(Number()))

# Opening: bytes, any of the usual flags, the type itself, a class of one's own.
print([ffi.open(path, *flags).func("i", "answer", "")() for flags in ((), (0,), (None,), (False,))])


class Library(type(peer)):
    def answer(self):
        return self.func("i", "answer", "")()


print(ffi.open(bytes(path, "utf-8")).func("i", "answer", "")(), type(peer)(path).func("i", "answer", "")(), Library(path).answer())
print(type(peer)(None).func("i", "abs", "i")(-3), libc().func("i", "abs", "i")(-3))

# What is no code, no library and no symbol raises what it does there.
for f, args in (
    (func, ("i", "answer", "z")),
    (func, ("i", "answer", "i i")),
    (func, (1, "answer", "")),
    (func, ("i", "answer", None)),
    (ffi.callback, ("i", print, "i,i")),
    (peer.var, (None, "var_i")),
    (ffi.open, (1,)),
    (ffi.open, ("/no/such/library.so",)),
    (func, ("i", "no_such_symbol", "")),
    (func("i", "pass_i", "i"), (1.5,)),
    (func("d", "pass_d", "d"), ("1",)),
    (func("d", "pass_d", "d"), (OwnInt(1),)),
    (func("i", "pass_i", "i"), (OwnInt(1),)),
    (func("p", "pass_p", "p"), ([],)),
    (peer.var("i", "var_i").set, (None,)),
    (peer.var("i", "var_i").set, (1.5,)),
):
    try:
        print("NOTHING RAISED, got", f(*args))
    except Exception as e:
        print(type(e).__name__, e.errno if isinstance(e, OSError) else "")
