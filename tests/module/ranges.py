# Conversions of C types: an integer is one of its type or an OverflowError, and there are bool, char and enumerations.

import ffi
from support.peer import peer

LONG = ffi.sizeof("long") * 8
TYPES = (
    ("schar", "signed char", 8, True),
    ("uchar", "unsigned char", 8, False),
    ("short", "short", 16, True),
    ("ushort", "unsigned short", 16, False),
    ("int", "int", 32, True),
    ("uint", "unsigned int", 32, False),
    ("long", "long", LONG, True),
    ("ulong", "unsigned long", LONG, False),
    ("llong", "long long", 64, True),
    ("ullong", "unsigned long long", 64, False),
)


def tried(f, *args):
    try:
        return f(*args)
    except (OverflowError, TypeError, ValueError) as error:
        return type(error).__name__


wrong = []
for name, text, bits, signed in TYPES:
    least = -(1 << bits - 1) if signed else 0
    most = (1 << bits - signed) - 1
    f = peer.func("%s echo_%s(%s x)" % (text, name, text))
    through = peer.func("%s through_%s(%s (*f)(%s), %s x)" % (text, name, text, text, text))
    variable = peer.var("%s wide_%s" % (text, name))
    # Often enough for machine code to serve it.
    for _ in range(20):
        for value in (least, most, 0, 1, most // 2, True, False):
            if tried(f, value) != int(value) or type(f(value)) is not int:
                wrong.append((name, value, tried(f, value)))
        for value in (least - 1, most + 1, 1 << 62, -(1 << 62), 1 << 64, -(1 << 64), 1 << 100):
            if not least <= value <= most and tried(f, value) != "OverflowError":
                wrong.append((name, value, tried(f, value)))
        for value in (None, "1", 1.0, b"1", [], lambda: 1):
            if tried(f, value) != "TypeError":
                wrong.append((name, value, tried(f, value)))
    for value in (least, most, 0, 1):
        if tried(through, lambda x: x, value) != value:
            wrong.append((name, "callback", value))
        variable.set(value)
        if variable.get() != value:
            wrong.append((name, "variable", value))
    for value in (least - 1, most + 1):
        if tried(through, lambda x: value, 1) != "OverflowError" or tried(variable.set, value) != "OverflowError":
            wrong.append((name, "callback's result", value))
    for value in (None, "x", 1.5):
        if tried(through, lambda x: value, 1) != "TypeError" or tried(variable.set, value) != "TypeError":
            wrong.append((name, "callback's result", value))
print(wrong)

# bool
f = peer.func("_Bool echo_bool(_Bool b)")
for _ in range(20):
    got = [f(True), f(False), f(1), f(0)] + [tried(f, value) for value in (2, -1, None, 1.0, "x", 1 << 70)]
print(got)
print(peer.func("bool through_bool(bool (*f)(bool), bool x)")(lambda x: print(x) or not x, True))
variable = peer.var("bool wide_bool")
variable.set(False)
print(variable.get(), tried(variable.set, 3))

# char is an int, of the platform's sign.
f = peer.func("char echo_char(char c)")
print(f(65), tried(f, "A"), tried(f, 256), tried(f, -129), [tried(f, -1), tried(f, 255)].count("OverflowError"))

# Enumerations take their names.
f = peer.func("enum jewel { RUBY = 1, LEAF = 2, SKY = 40 } echo_jewel(enum jewel c)")
print(f("RUBY"), f("SKY"), f(2), f(7), tried(f, "PINK"), tried(f, 1 << 33), tried(f, None), tried(f, b"RUBY"))
variable = peer.var("enum shade { LIGHT = 1, DARK } var_jewel")
print(variable.get(), variable.set("LIGHT"), variable.get(), tried(variable.set, "RUBY"))

# Pointers are signed, and are taken with a sign and without.
f = peer.func("void *echo_llong(void *)")
print(f(None), f(-1), f(2**64 - 1), f(-(2**63)), tried(f, 2**64), tried(f, -(2**63) - 1), tried(f, 1.0), tried(f, []))
