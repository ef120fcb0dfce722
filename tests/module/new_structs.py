# Memory of a C type, with values for its members.

import ffi
import gc
import uctypes
from support.peer import func, peer, raises

t = ffi.cdef(func("s", "layouts_text", "")())

values = dict(c=ord("c"), sc=-3, uc=253, s=-30000, us=60000, i=-2000000000, u=4000000000, l=-2000000000)
values.update(ul=4000000000, q=-1234567890123456789, uq=12345678901234567890, f=0.5, d=-0.25, b=True)
values.update(p=0x123456789A, e="BLUE", z=77, w=0x263A)
s = t.new("struct scalars", **values)
print(func("i", "check_scalars", "p")(s), s.e, s.uq, len(bytes(s)) == t.sizeof("struct scalars"))
print(set(bytes(t.new("struct scalars"))) == {0})

s = t.new("struct bits", a=5, b=21, c=0x5A5A5A5A, d=0x123456789A, e=-3, f=0xFEDC, g=-9, h=1)
print(func("i", "check_bits", "p")(s))
s = t.new("struct units", a=1, b=100, c=300, x=120, y=0xABCDE)
print(func("i", "check_units", "p")(s))
s = t.new("struct three", a=300, b=0x5555)
print(func("i", "check_three", "p")(s))

# Structures take dicts, others of the same size, and buffers of it; arrays take lists, tuples and buffers.
inner = t.new("struct inner", x=5, y=(6, 7, 8))
s = t.new("struct nested", tag=116, list=[inner, {"x": -9, "y": [-10, -11, -12]}], **{"in": {"x": 1, "y": [2, 3, 4]}})
print(func("i", "check_nested", "p")(s))
s = t.new("struct grid", m=[[-250, -150, -50], [50, 150, 250]], names=["first", b"second"], p=None, x=(0, 2.5))
print(func("i", "check_grid", "p")(s))
s = t.new("struct anonymous", kind=1, low=0x1234, high=0x5678, end=-1)
print(func("i", "check_anonymous", "p")(s))
s = t.new("struct tight", c=112, i=0x12345678, d=1.5, s=-2)
print(func("i", "check_tight", "p")(s), len(bytes(s)))
s = t.new("struct pairs", first=dict(re=1, im=2), all=[t.new("pair", re=3, im=4), {"re": 5, "im": 6}])
print(func("i", "check_pairs", "p")(s))
u = t.new("union either", d=1.5)
print(u.d, bytes(u.bytes[:8]) == bytes(u)[:8])

# What is no structure is an array: of one, unless its type has more.
x = t.new("int")
x[0] = -5
print(x[0], len(bytes(x)), len(bytes(t.new("short[3]"))), len(bytes(t.new("char[20]"))), len(bytes(t.new("pair[2]"))))

# A pointer keeps what it points to, as the collector looks into the memory.
s = t.new("struct scalars", p=bytearray(b"kept\0"))
for _ in range(100):
    gc.collect()
    bytearray(b"lost\0")
print(uctypes.bytes_at(s.p, 4))
callback = ffi.callback("i", lambda a, b: a - b, "ii")
s = t.new("struct scalars", p=callback)
print(s.p == callback.cfun())

# The memory is the structure's own.
a, b = t.new("pair", re=1), t.new("pair", re=2)
print(a.re, b.re, a.im, uctypes.addressof(a) % t.alignof("pair"))

# What does not fit is an error that names the member and its type.
for member, type, bits, is_signed in (
    ("sc", "signed char", 8, True),
    ("uc", "unsigned char", 8, False),
    ("s", "short", 16, True),
    ("us", "unsigned short", 16, False),
    ("i", "int", 32, True),
    ("u", "unsigned int", 32, False),
    ("q", "long long", 64, True),
    ("uq", "unsigned long long", 64, False),
):
    low = -1 << (bits - 1) if is_signed else 0
    high = (1 << (bits - is_signed)) - 1
    for value in (low, high, 0):
        if getattr(t.new("struct scalars", **{member: value}), member) != value:
            print("WRONG", member, value)
    for value in (low - 1, high + 1, 1 << 200, -1 << 200):
        raises(member, OverflowError, (member, type), t.new, "struct scalars", **{member: value})
    raises(member, TypeError, (member, type, "str"), t.new, "struct scalars", **{member: "1"})
raises("bits", OverflowError, ("member a", "unsigned int"), t.new, "struct bits", a=8)
raises("signed bits", OverflowError, ("member e",), t.new, "struct bits", e=8)
raises("signed bits", OverflowError, ("member e",), t.new, "struct bits", e=-9)
t.cdef("struct few { enum colour e : 2; };")
raises("constant in bits", OverflowError, ("member e", "enum colour"), t.new, "struct few", e="GREEN")
raises("no bool", OverflowError, ("member b", "_Bool"), t.new, "struct scalars", b=2)
raises("no float", TypeError, ("member d", "double", "str"), t.new, "struct scalars", d="1.5")
raises("no int", TypeError, ("member i", "int", "float"), t.new, "struct scalars", i=1.5)
raises("no constant", ValueError, ("member e", "enum colour"), t.new, "struct scalars", e="PURPLE")
raises("no member", TypeError, ("struct scalars", "nothing"), t.new, "struct scalars", nothing=1)
raises("no member of an inner one", TypeError, ("struct inner", "z"), t.new, "struct nested", list=[{"z": 1}])
raises("not by position", TypeError, ("by their names",), t.new, "pair", 1.5)
raises("no members", TypeError, ("int", "x"), t.new, "int", x=1)
raises("too many", ValueError, ("member y", "int[3]"), t.new, "struct inner", y=(1, 2, 3, 4))
raises("too long", ValueError, ("member names", "char[8]"), t.new, "struct grid", names=["123456789"])
raises("wrong size", TypeError, ("member in", "struct inner", "bytes"), t.new, "struct nested", **{"in": b"123"})
raises("no pointer", TypeError, ("member p", "void *", "float"), t.new, "struct scalars", p=1.5)
raises("in an array", OverflowError, ("member y", "int"), t.new, "struct inner", y=(1, 1 << 40))
raises("aligned", ValueError, ("aligned", "64"), t.new, "struct { int x __attribute__((aligned(64))); }")
raises("incomplete", ValueError, ("size is known", "struct nowhere"), t.new, "struct nowhere")
