# Layouts of C types: what uctypes reads and writes by them is what the compiler reads and writes.

import ffi
import uctypes
from support.peer import func, is_windows, raises

text = func("s", "layouts_text", "")()
t = ffi.cdef(text)

# Sizes, alignments and offsets, against the compiler's.
AGGREGATE = (1 << 29) - 1
SCALAR = (1 << 27) - 1
wrong = []
rows = func("s", "layouts_table", "")().split("\n")
for row in rows[:-1]:
    name, first, second = row.split(",")
    first, second = int(first), int(second)
    if not name.startswith("."):
        layout = t.layout(name)
        ours = (t.sizeof(name), t.alignof(name))
        if name != "struct flexible":
            ours += (uctypes.sizeof(layout, uctypes.LITTLE_ENDIAN),)
        if set(ours) != {first, second} or ours[0] != first or ours[1] != second:
            wrong.append((row, ours))
        continue
    entry = layout[name[1:]]
    offset = entry & SCALAR if isinstance(entry, int) else entry[0] & AGGREGATE
    if offset != first:
        wrong.append((row, offset))
print("checked", len(rows) > 60, "wrong:", wrong)


# A structure that C has filled.
def filled(name, type=None):
    type = type or "struct " + name
    memory = bytearray(t.sizeof(type))
    func("v", "fill_" + name, "p")(memory)
    return memory, uctypes.struct(uctypes.addressof(memory), t.layout(type), uctypes.LITTLE_ENDIAN)


# And one that a script fills.
def checked(name, fill, type=None):
    type = type or "struct " + name
    memory = bytearray(t.sizeof(type))
    fill(uctypes.struct(uctypes.addressof(memory), t.layout(type), uctypes.LITTLE_ENDIAN))
    print(name, "is", func("i", "check_" + name, "p")(memory))


memory, s = filled("scalars")
print(s.c, s.sc, s.uc, s.s, s.us, s.i, s.u, s.l, s.ul, s.q, s.uq, s.f, s.d, s.b, hex(s.p), s.e == t.BLUE, s.z, hex(s.w))
values = {name: getattr(s, name) for name in "c sc uc s us i u l ul q uq f d b p e z w".split()}


def fill(s):
    for name, value in values.items():
        setattr(s, name, value)


checked("scalars", fill)

# Bit-fields. Those of more than 31 bits are left out unless they are whole bytes, and none has a sign unless it is.
memory, s = filled("bits")
print(s.a, s.b, hex(s.c), s.e, hex(s.f), s.g, s.h, "d" in t.layout("struct bits"))


def fill(s):
    s.a, s.b, s.c, s.e, s.f, s.g, s.h = 5, 21, 0x5A5A5A5A, -3, 0xFEDC, -9, 1


memory = bytearray(t.sizeof("struct bits"))
fill(uctypes.struct(uctypes.addressof(memory), t.layout("struct bits"), uctypes.LITTLE_ENDIAN))
other = bytes(t.new("struct bits", d=0x123456789A))
memory = bytearray(a | b for a, b in zip(memory, other))
print("bits", func("i", "check_bits", "p")(memory))

memory, s = filled("units")
print(s.a, s.b, s.c, s.x, hex(s.y))


def fill(s):
    s.a, s.b, s.c, s.x, s.y = 1, 100, 300, 120, 0xABCDE


checked("units", fill)

# Three bytes have no room for uctypes' units, which have 1, 2 or 4 bytes, but for what is in two of them.
memory, s = filled("three")
print(s.a, hex(s.b))


def fill(s):
    s.a, s.b = 300, 0x5555


checked("three", fill)
t.cdef("struct __attribute__((packed)) whole { unsigned all : 24; };")
print(("all" in t.layout("struct whole")) == (t.sizeof("struct whole") == 4))

memory, s = filled("nested")
inner = getattr(s, "in")
print(s.tag, inner.x, [inner.y[i] for i in range(3)])
print([(item.x, [item.y[i] for i in range(3)]) for item in (s.list[0], s.list[1])])


def fill(s):
    s.tag = 116
    inner = getattr(s, "in")
    inner.x = 1
    for i in range(3):
        inner.y[i] = 2 + i
        s.list[0].y[i] = 6 + i
        s.list[1].y[i] = -10 - i
    s.list[0].x, s.list[1].x = 5, -9


checked("nested", fill)

memory, s = filled("anonymous")
print(s.kind, hex(s.number), hex(s.low), hex(s.high), s.end)


def fill(s):
    s.kind, s.low, s.high, s.end = 1, 0x1234, 0x5678, -1


checked("anonymous", fill)

memory, s = filled("tight")
print(s.c, hex(s.i), s.d, s.s)


def fill(s):
    s.c, s.i, s.d, s.s = 112, 0x12345678, 1.5, -2


checked("tight", fill)

# Arrays of arrays, and what uctypes has no number for: bytes. Characters are bytes, too.
memory, s = filled("grid")
print([[s.m[i][j] for j in range(3)] for i in range(2)], [bytes(s.names[i]) for i in range(2)])
print(s.p == uctypes.addressof(memory), type(s.wide).__name__, len(s.wide) == t.sizeof("long double"), s.x[0], s.x[1])

memory, s = filled("pairs")
print(s.first.re, s.first.im, [(s.all[i].re, s.all[i].im) for i in range(2)])

memory, s = filled("over")
print(s.c, s.x, s.end)

either = uctypes.struct(uctypes.addressof(bytearray(b"\0\0\0\0\0\0\xf8\x3f....")), t.layout("union either"), 0)
print(either.d, either.i, len(either.bytes))

# The elements of an array without a length are counted as none.
print(t.sizeof("struct flexible"), len(bytes(t.new("struct flexible", len=3))))

# One descriptor a type, whatever its name is.
t.cdef("typedef struct scalars scalars_t; typedef scalars_t again;")
print(t.layout("struct scalars") is t.layout("scalars_t"), t.layout("again") is t.layout("struct scalars"))
print(t.layout("int") == uctypes.INT32, t.layout("int[4]") == (uctypes.ARRAY, 4 | uctypes.INT32))
print(t.layout("char *") == uctypes.UINT64, t.layout("char[8]") == (uctypes.ARRAY, 8 | uctypes.UINT8))

raises("incomplete", ValueError, ("size is known", "struct unknown"), t.layout, "struct unknown")
raises("function", ValueError, ("size is known", "int(void)"), t.layout, "int (void)")
raises("void", ValueError, ("size is known", "void"), ffi.layout, "void")
raises("too large", ValueError, ("128 MiB",), t.layout, "char[1 << 28]")
raises("no str", TypeError, ("type", "int"), t.layout, 5)

# The module's functions look in the newest namespace that knows the type.
print(ffi.layout("struct scalars") is t.layout("struct scalars"), ffi.layout("long long") == uctypes.INT64)
newer = ffi.cdef("struct scalars { int only; };")
print(ffi.layout("struct scalars") is newer.layout("struct scalars"), ffi.sizeof("struct scalars"))
print(ffi.sizeof("struct tight"), ffi.alignof("pair"), ffi.sizeof("size_t"), ffi.sizeof("long") == (4 if is_windows else 8))
