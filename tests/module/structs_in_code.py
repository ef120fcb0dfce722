# Structures by value, often enough that machine code passes them: it takes and gives what the first calls do, and leaves all that does not
# fit to them.

import ffi
import gc
import uctypes
from support.peer import func, peer, raises

t = ffi.cdef(func("s", "by_value_text", "")())
dot = peer.func("double by_value_dot(struct by_value_point a, struct by_value_point b)")
turned = peer.func("struct by_value_point by_value_turned(struct by_value_point a)")
length = peer.func("int64_t by_value_length(struct by_value_range a)")
new_range = peer.func("struct by_value_range by_value_range(int32_t low, int32_t high)")
mixed = peer.func("struct by_value_mixed by_value_mixed(struct by_value_mixed a, _Bool negative)")
total = peer.func(
    "int32_t by_value_sum(uint8_t first, struct by_value_three a, struct by_value_large b, struct by_value_floats c, int16_t last)"
)

OFTEN = 200

a = t.new("struct by_value_point", x=1.5, y=2)
b = bytearray(16)
view = uctypes.struct(uctypes.addressof(b), t.layout("struct by_value_point"), uctypes.LITTLE_ENDIAN)
view.x, view.y = 4.0, 0.5
own = uctypes.struct(uctypes.addressof(b), {"first": uctypes.FLOAT64 | 0, "second": uctypes.FLOAT64 | 8})
seen = set()
for i in range(OFTEN):
    for other in (view, b, bytes(b), memoryview(b), own):
        seen.add(dot(a, other))
print(seen)

seen = set()
for i in range(OFTEN):
    c = turned(a)
    seen.add((c.x, c.y))
    if i % 50 == 0:
        gc.collect()
print(seen)

seen = set()
for i in range(OFTEN):
    r = new_range(-i, 0x7FFF_FFFF)
    seen.add(r.low == -i and r.high == 0x7FFF_FFFF)
    seen.add(length(r) == 0x7FFF_FFFF + i)
print(seen)

m = t.new("struct by_value_mixed", n=1 << 40, d=0.25)
seen = set()
for i in range(OFTEN):
    for negative in (True, False, 1, 0):
        r = mixed(m, negative)
        seen.add((bool(negative), r.n, r.d))
print(sorted(seen))

three = t.new("struct by_value_three")
large = t.new("struct by_value_large")
floats = t.new("struct by_value_floats")
for i in range(3):
    three.bytes[i] = -i
    floats.parts[i] = i * 10
for i in range(5):
    large.words[i] = 100 * i
print({total(255, three, large, floats, -32768) for i in range(OFTEN)})


# What does not fit, once there is code.
def wrong(what, kind, *args, f=total):
    raises(what, kind, (), f, *args)


wrong("too large a byte", OverflowError, 256, three, large, floats, 0)
wrong("too low a byte", OverflowError, -1, three, large, floats, 0)
wrong("too low a short", OverflowError, 0, three, large, floats, -32769)
wrong("no structure", TypeError, 0, None, large, floats, 0)
wrong("a text", TypeError, 0, "abc", large, floats, 0)
wrong("too few bytes", ValueError, 0, b"ab", large, floats, 0)
wrong("another structure", ValueError, 0, three, three, floats, 0)
wrong("too many", TypeError, 0, three, large, floats, 0, 0)
wrong("no truth", OverflowError, m, 2, f=mixed)
wrong("none", TypeError, m, None, f=mixed)
print(total(0, b"\x01\x02\x03", large, floats, True))
