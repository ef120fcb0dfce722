# Errors of arity, kind and range name the function, the parameter and its C type.

import ffi
from support.peer import peer


def tried(f, *args, **keywords):
    try:
        print(f(*args, **keywords))
    except (OverflowError, TypeError, ValueError) as error:
        print(type(error).__name__, error)


f = peer.func("int length_by(int (*f)(const char *text, void *data), const char *text, void *)")
tried(f)
tried(f, 1, 2, 3, 4)
tried(f, 1, 2, data=3)
tried(f, 1.5, "x", None)
tried(f, None, 1.5, None)
tried(f, None, "x", [])
tried(f, None, "x", 1 << 64)
f = peer.func("unsigned char echo_uchar(unsigned char x)")
tried(f, 256)
tried(f, -1)
tried(f, "x")
tried(f, 1 << 200)
tried(peer.func("unsigned char echo_uchar(unsigned char)"), 256)
tried(peer.func("bool echo_bool(bool)"), 2)
tried(peer.func("long long echo_llong(long long n)"), 1 << 63)
tried(peer.func("float echo_float(float number)"), "x")
tried(peer.func("enum jewel { RUBY = 1, LEAF } echo_jewel(enum jewel c)"), "PINK")
tried(peer.func("enum jewel { RUBY = 1, LEAF } echo_jewel(enum jewel c)"), 1.5)
tried(peer.func("__int128 echo_i128(__int128 n)"), 1 << 127)
tried(peer.func("int", "add2", ["short", "i"]), 1 << 15, 0)
tried(peer.func("int add2(int a, int b)"), 1)
tried(peer.func("struct pair { int x, y; } turn_point(struct pair p)"), b"1")
tried(peer.func("{ii}", "turn_point", "{ii}"), b"1")
tried(peer.func("{ii}", "turn_point", "{ii}"))
tried(peer.var("unsigned char wide_uchar").set, 256)
tried(peer.var("void (*var_C)(int)").set, b"text")
tried(peer.var("const char *var_text").set, "text")
