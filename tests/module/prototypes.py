# Prototypes in C: of functions in libraries and at addresses, of callbacks and of variables; and C types where codes are.

import ffi
from support.peer import peer

echo = peer.func("double echo_double(double x)")
print(echo(1.5), echo(2))
print(peer.func("int echo_int(int);")(7), peer.func("int echo_int (int x) ;")(8))
print(peer.func(b"unsigned long long echo_ullong(unsigned long long)")(2**64 - 1))
print(peer.func("size_t echo_ullong(size_t n)")(5))
print(ffi.func("int (int, int)", peer.addr("add2"))(2, 3))
print(ffi.func("int named(int, int)", peer.addr("add2"))(2, 4))
print(ffi.func("int (void)", peer.addr("get_errno"))() == ffi.func("int ()", peer.addr("get_errno"))())

with ffi.callback("int (int, int)", lambda a, b: a * b) as callback:
    print(ffi.func("i", callback.cfun(), "ii")(6, 7))
with ffi.callback("double(double)", lambda x: x / 2) as callback:
    print(peer.func("double through_double(double (*f)(double), double x)")(callback, 3.0))

# C types where codes are.
print(peer.func("int", "echo_int", ["int"])(-4))
print(peer.func("int", "add2", ["i", "int"])(-4, 1))
print(peer.func("i", "add2", ("int", "int"))(-4, 2))
print(peer.func("size_t", "echo_ullong", "Q")(2**63))
print(peer.func("unsigned char", "echo_uchar", "B")(511))
print(peer.func("int", "add2", "ii")(2**32 + 1, None))
print(peer.func("const char *", "name_of_jewel", ["int"])(1), peer.func("const char *", "name_of_jewel", ["int"])(9))
print(peer.var("int", "wide_int").get())
for where in (lambda: peer.func("int", "echo_int", ["unsigned char"])(256), lambda: peer.func("int", "echo_int", "B")(256)):
    try:
        print(where())
    except OverflowError as error:
        print(error)

# What scripts wrote before means what it did.
print(peer.func("i", "add2", "ii")(1, 2), peer.func("ii", "add2", "ii")(1, 2), peer.func("int of some kind", "add2", "ii")(1, 2))

# How they are shown: the address is left out.
def shown(obj):
    words = repr(obj).split(" ")
    at = words.index("at")
    return " ".join(words[:at] + words[at + 2 :])


print(shown(echo))
print(shown(ffi.func("char *(*(int))(const void *, ...)", 1)))
print(shown(peer.func("i", "add2", ["int", "i"])))
print(shown(peer.var("int wide_int")))

# What is wrong is shown in the text.
for text in ("int f(int", "strukt s f(void)", "int", "int x", "", "i", "struct unknown f(struct unknown u)", "int f(int), g(int)", 7):
    try:
        peer.func(text)
        print("no error")
    except (TypeError, ValueError, OSError) as error:
        print(type(error).__name__, error)
for attempt in (
    lambda: peer.func("int there_is_no_such_function(void)"),
    lambda: peer.func("int %s(void)" % ("very" * 100 + "_long_name")),
    lambda: peer.func("int (int)"),
    lambda: peer.func("int", "echo_int"),
    lambda: peer.func("i", "echo_int", ["intt"]),
    lambda: ffi.callback("int (int, ...)", lambda x: x),
    lambda: ffi.callback("int (int)", 3),
    lambda: peer.var("int there_is_no_such_variable"),
    lambda: peer.var("void x"),
):
    try:
        attempt()
        print("no error")
    except (TypeError, ValueError, OSError) as error:
        print(type(error).__name__, error if not isinstance(error, OSError) else error.args[0])

# What a text declares for itself is no other text's, unless it is read in a namespace that it is given to.
t = ffi.cdef("typedef int number;")
print(ffi.func("number (number)", peer.addr("echo_int"))(3))
print(ffi.func("struct mine { number x; } *(void)", 1) is not None, ffi.func("enum mine2 { MINE = 3 } (void)", 1) is not None)
try:
    print(t.sizeof("enum mine2"))
except ValueError as error:
    print(error)
