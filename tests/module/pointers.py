# What the pointer codes p P s S O C take and give.

import ffi
import uctypes
from array import array
from support.peer import ascii_repr, func, raises

byte_at = {code: func("i", "byte_at", code + "i") for code in "pPsS"}
pass_p = {code: func("p", "pass_p", code) for code in "pPsS"}

data = bytearray(b"bytearray")
struct = uctypes.struct(uctypes.addressof(data), {"first": uctypes.UINT8 | 0})
MEMORY = (
    bytearray(b"bytearray"),
    b"bytes",
    "str",
    "a text that is long enough not to be interned, with \u00f6 in it",
    array("h", [0x6261, 0x6463]),
    memoryview(b"memory"),
    memoryview(b"memory")[3:],
    struct,
)

for code in "pPsS":
    print(code, [chr(byte_at[code](x, 0)) + chr(byte_at[code](x, 1)) for x in MEMORY])
    print(code, [pass_p[code](x) for x in (None, 0, 1, True, False, 0x7FFF_FFFF_FFFF_FFFF, 1 << 63, -1)])
    print(code, pass_p[code](data) == uctypes.addressof(data))

# C writes into what it is given.
fill = func("v", "fill", "pii")
fill(data, ord("x"), 4)
print(data)
fill(memoryview(data)[5:], ord("y"), 2)
print(data)

# Callbacks and C functions are pointers too.
add2 = func("i", "add2", "ii")
sub = ffi.callback("i", lambda a, b: a - b, "ii")
for code in "pPsSC":
    apply = func("i", "apply", code + "ii")
    print(code, [apply(f, 30, 12) for f in (add2, sub, sub.cfun(), None, 0)])

# Results.
print(ascii_repr([func(code, "greeting", "")() for code in "sS"]))
print([func(code, "null_string", "")() for code in "pPsSO"])
print(func("S", "not_utf8", "")())
raises("text that is none", UnicodeError, (), func("s", "not_utf8", ""))
counted = func("s", "counted", "")
print([counted(), counted(), counted()], [func("S", "counted", "")()])
print([func(code, "pass_p", "p")(1 << 63) for code in "pP"])

# Objects.
class Thing:
    pass


same = func("O", "pass_p", "O")
print([same(x) is x for x in (1, -1, "x", b"x", None, True, 1.5, Thing, Thing(), [], print, same)])

# What they do not take.
for code in "pPsS":
    for x in (1.5, [], (), {}, Thing(), Thing, print, object()):
        raises(code, TypeError, ("argument 1", "byte_at", "'" + code + "'", type(x).__name__), byte_at[code], x, 0)
apply = func("i", "apply", "Cii")
for x in (1.5, [], "str", b"bytes", bytearray(1), lambda: 0, print):
    raises("C", TypeError, ("argument 1", "apply", "'C'", type(x).__name__), apply, x, 0, 0)
