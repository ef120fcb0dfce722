# C variables of every code.

import ffi
import uctypes
from support.peer import func, peer, raises

RANGES = {
    "b": (8, True),
    "B": (8, False),
    "h": (16, True),
    "H": (16, False),
    "i": (32, True),
    "I": (32, False),
    "q": (64, True),
    "Q": (64, False),
}

for code, (bits, signed) in sorted(RANGES.items()):
    name = "var_" + code
    var = peer.var(code, name)
    neighbours = ffi.as_bytearray(peer.addr(name) + bits // 8, bits // 8)
    before = bytes(neighbours)
    low = -1 << (bits - 1) if signed else 0
    high = (1 << (bits - signed)) - 1
    print(code, var.get(), end=" ")
    for value in (low, high, 0, 1, True, False):
        print(var.set(value), var.get() == value, end=" ")
    print(before == neighbours)
    # What is out of range is cut to the type, as an argument is.
    whole = func(code, "pass_" + code, code)
    for value in (low - 1, high + 1, (1 << 70) + 5, -(1 << 70) - 5):
        var.set(value)
        print(var.get() == whole(value), before == neighbours, end=" ")
    print()
    var.set(77)
    for value in (None, "1", 1.0, b"1", [], print):
        raises("wrong kind", TypeError, (name, "'" + code + "'", type(value).__name__), var.set, value)
    print(code, var.get(), before == neighbours)

for code in "lL":
    var = peer.var(code, "var_" + code)
    print(code, var.get(), end=" ")
    var.set(2147483647)
    print(var.get(), end=" ")
    for value in (-1, 1 << 40, (1 << 70) + 5):
        var.set(value)
        print(var.get() == func(code, "pass_" + code, code)(value), end=" ")
    print()

for code in "fd":
    name = "var_" + code
    var = peer.var(code, name)
    print(code, var.get(), end=" ")
    for value in (1.5, -0.25, 3, True, float("inf")):
        var.set(value)
        print(var.get() == value, end=" ")
    print()
    for value in (None, "1", b"1", [], print):
        raises("wrong kind", TypeError, (name, "'" + code + "'", type(value).__name__), var.set, value)

var = peer.var("f", "var_f")
for value in (3e38, 1e300, -1e300, 1 << 200):
    var.set(value)
    print(var.get() == func("f", "pass_f", "f")(value), end=" ")
print()


# So is what has a value of its own as a number.
class Half:
    def __float__(self):
        return 0.5

    def __int__(self):
        return 7


for code in "fd":
    peer.var(code, "var_" + code).set(Half())
    print(peer.var(code, "var_" + code).get(), func(code, "pass_" + code, code)(Half()))
for code in "bHiLq":
    peer.var(code, "var_" + code).set(Half())
    print(peer.var(code, "var_" + code).get(), end=" ")
    raises("not as an argument", TypeError, ("'" + code + "'", "Half"), func(code, "pass_" + code, code), Half())

# Pointers are ints with a sign; what is set must live as long as the variable.
add2 = func("i", "add2", "ii")
sub = ffi.callback("i", lambda a, b: a - b, "ii")
for code in "pP":
    var = peer.var(code, "var_p")
    print(code, var.get(), end=" ")
    for value in (1, (1 << 64) - 1, -1, 1 << 64, 0, None, True):
        var.set(value)
        print(var.get(), end=" ")
    var.set(sub)
    print(var.get() == sub.cfun(), end=" ")
    var.set(add2)
    print(var.get() == peer.addr("add2"))
    for value in (bytearray(4), b"bytes", "str", memoryview(b"x"), 1.5, []):
        raises("would not live", TypeError, ("var_p", "'" + code + "'", type(value).__name__), var.set, value)
    var.set(None)

# Strings.
text = peer.var("s", "var_s")
data = peer.var("S", "var_s")
print(text.get(), data.get())
buffer = bytearray(b"from a buffer\0")
text.set(uctypes.addressof(buffer))
print(text.get(), data.get())
raises("a str would not live", TypeError, ("var_s", "outlive", "str"), text.set, "str")
raises("nor would bytes", TypeError, ("var_s", "outlive", "bytes"), data.set, b"bytes")
data.set(None)
print(text.get(), data.get(), peer.var("p", "var_s").get())

# Functions.
call_var = func("i", "call_var", "ii")
for code in "pC":
    var = peer.var(code, "var_C")
    for f in (sub, add2, sub.cfun(), None):
        var.set(f)
        print(call_var(30, 12), end=" ")
    raises("no function", TypeError, ("var_C",), var.set, lambda: 0)
sub.close()
raises("closed", ValueError, ("var_C", "closed"), var.set, sub)
peer.var("C", "var_C").set(peer.addr("add2"))
print(call_var(30, 12), peer.var("C", "var_C").get() == peer.addr("add2"))

# Objects. The variable does not keep them alive.
thing = [1, 2]
var = peer.var("O", "var_p")
print(var.get())
for x in (thing, 5, "text", None, True):
    var.set(x)
    print(var.get() is x, end=" ")
print()

# The address is the symbol's, and the code decides what is read there.
print(peer.var("B", "var_b").get() in range(256), peer.var("h", "var_h").set(-5), peer.var("H", "var_h").get())
