# Structs by value: of declarations and of braces, as arguments, as results and through callbacks, however they travel.

import struct
import ffi
from support.peer import peer, tried

t = ffi.cdef(
    """
    typedef struct { int x, y; } point_t;
    typedef struct { float x, y; } spot_t;
    typedef struct { double x; int n; } mixed_t;
    typedef struct { char tag; short v[3]; } odd_t;
    typedef struct { long long v[5]; } big_t;
    typedef struct { double x, y, z; } space_t;
    typedef union { int i; float f; } either_t;
    struct tiny { unsigned char b; };
    struct line { point_t from, to; };
    """
)


def bytes_of(value):
    return bytes(memoryview(value))


CASES = (
    ("point_t", "point", "ii", (1, -2), (-2, 1)),
    ("spot_t", "spot", "ff", (0.5, -2.0), (-2.0, 0.5)),
    ("mixed_t", "mixed", "di4x", (1.25, 6), (2.5, 7)),
    ("odd_t", "odd", "bxhhh", (1, 2, 3, 4), (2, 4, 3, 2)),
    ("big_t", "big", "qqqqq", (1, 2, 3, 4, 5), (5, 4, 3, 2, 1)),
    ("space_t", "space", "ddd", (1.0, 2.0, 3.0), (3.0, 2.0, 1.0)),
    ("either_t", "either", "i", (41,), (42,)),
    ("struct tiny", "tiny", "B", (1,), (254,)),
    ("struct line", "line", "iiii", (1, 2, 3, 4), (3, 4, 1, 2)),
)
for text, name, layout, before, after in CASES:
    turn = peer.func("%s turn_%s(%s value)" % (text, name, text))
    before = struct.pack("<" + layout, *before)
    # Often enough for machine code to serve it.
    for _ in range(20):
        result = turn(before)
    same = bytes_of(turn(turn(before))) == before if name not in ("mixed", "odd", "either") else True
    # Bytes between members mean nothing.
    print(text, struct.unpack("<" + layout, bytes_of(result)) == after, same)

# What an argument takes.
turn = peer.func("point_t turn_point(point_t p)")
p = turn(struct.pack("<ii", 3, 4))
print(p.x, p.y, turn(p).x, turn(bytearray(p)).y)
print(tried(turn, b"1234567"), "|", tried(turn, b"123456789"), "|", tried(turn, None), "|", tried(turn, 5), "|", tried(turn, "12345678"))

# Braces: their results are bytes.
turn = peer.func("{ii}", "turn_point", "{ii}")
print(turn(struct.pack("<ii", 5, 6)) == struct.pack("<ii", 6, 5), tried(turn, b"12"), tried(turn, 1))
turn = peer.func("{5q}", "turn_big", ["{5q}"])
print(struct.unpack("<qqqqq", turn(struct.pack("<qqqqq", 1, 2, 3, 4, 5))))
print(repr(turn).split(" ")[-1])

# Among many others.
total = peer.func(
    "double sum_structs(int a, point_t p, double b, big_t g, spot_t s, int c, int d, int e, int f, point_t q, space_t t)"
)
point, big, spot, space = (struct.pack("<" + codes, *values) for codes, values in (
    ("ii", (1, 2)),
    ("qqqqq", (0, 0, 0, 0, 100)),
    ("ff", (0.25, 0.5)),
    ("ddd", (0, 0, 1000)),
))
for _ in range(20):
    got = total(1, point, 0.125, big, spot, 1, 1, 1, 1, point, space)
print(got)
codes = "i{ii}d{5q}{ff}iiii{ii}{ddd}"
print(peer.func("d", "sum_structs", codes)(1, point, 0.125, big, spot, 1, 1, 1, 1, point, space))

# Through callbacks, both ways.
through = peer.func("point_t through_point(point_t (*f)(point_t), point_t p)")
print(tuple(getattr(through(lambda p: struct.pack("<ii", p.x * 2, p.y * 3), point), name) for name in "xy"))
kept = []
through(lambda p: kept.append(p) or p, point)
print(kept[0].x, kept[0].y)
through = peer.func("big_t through_big(big_t (*f)(big_t b, int n), big_t b, int n)")
for _ in range(20):
    got = through(lambda b, n: struct.pack("<5q", *(b.v[i] + n for i in range(5))), big, 7)
print([got.v[i] for i in range(5)])
through = peer.func("mixed_t through_mixed(mixed_t (*f)(int, mixed_t, double), mixed_t)")
got = through(lambda a, m, b: struct.pack("<di4x", m.x + b, m.n + a), struct.pack("<di4x", 1, 2))
print(got.x, got.n)
print(peer.func("int through_tiny(int (*f)(struct tiny), int)")(lambda tiny: tiny.b + 1, 41))
with ffi.callback("{ii}", lambda p: bytes(reversed(p)), "{ii}") as callback:
    print(peer.func("{ii}", "through_point", "C{ii}")(callback, b"abcdefgh"))

# An exception gives C zeros, and is raised when the call is over.
def fail(b, n):
    raise ValueError("mine")


through = peer.func("big_t through_big(big_t (*f)(big_t b, int n), big_t b, int n)")
print(tried(through, fail, big, 7))
print(tried(through, lambda b, n: b"short", big, 7))
print(tried(through, lambda b, n: None, big, 7))

# Without a name in C the result is bytes.
print(ffi.func("struct { int x, y; } (struct { int x, y; })", peer.addr("turn_point"))(point) == struct.pack("<ii", 2, 1))

# Variables: get() is a view of the variable, set() copies.
variable = peer.var("point_t var_point")
view = variable.get()
print(view.x, view.y)
view.x = 10
print(variable.get().x)
variable.set(struct.pack("<ii", 7, 8))
print(view.x, view.y, tried(variable.set, b"short"), tried(variable.set, 5))
numbers = peer.var("int var_numbers[4]")
print([numbers.get()[i] for i in range(4)])
numbers.get()[1] = 20
numbers.set(struct.pack("<4i", *(numbers.get()[i] + 1 for i in range(4))))
print([numbers.get()[i] for i in range(4)], tried(numbers.set, b"1234"))
print(tried(peer.var("int var_numbers[]").get))
print(peer.var("char *var_text").get(), peer.var("const char *var_text").get(), type(peer.var("unsigned char *var_text").get()))
