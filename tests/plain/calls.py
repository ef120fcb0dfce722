# Calls of the C library and errors, with nothing but ints and strs: what the smallest MicroPython can do.

import ffi

libc = None
for name in (None, "libc.so.6", "libc.so"):
    try:
        libc = ffi.open(name)
        libc.addr("labs")
        break
    except OSError:
        libc = None
if libc is None:
    print("SKIP")
    raise SystemExit

# Ints of every width, and strings.
labs = libc.func("l", "labs", "l")
print([labs(x) for x in (0, 1, -1, 2147483648, -4611686018427387903)])
print(libc.func("i", "abs", "i")(-7), libc.func("B", "abs", "i")(-300), libc.func("b", "abs", "i")(200))
strlen = libc.func("L", "strlen", "s")
print(strlen("seven seas"), strlen(""))
print(libc.func("s", "strchr", "si")("a text", ord("t")), libc.func("s", "strchr", "si")("a text", ord("z")))
print(libc.func("i", "memcmp", "ppL")("abcd", "abxx", 2), libc.func("i", "strcmp", "ss")("a", "b") < 0)

# A function with ellipsis.
malloc = libc.func("p", "malloc", "L")
free = libc.func("v", "free", "p")
memory = malloc(64)
print(libc.func("i", "snprintf", "pLs.isq")(memory, 64, "%d %s %lld", -3, "text", -5000000000))
print(ffi.func("s", libc.addr("strchr"), "pi")(memory, ord("-")))

# An exception passes through C.
def fail(a, b):
    raise ValueError("from a callback")


libc.func("v", "memset", "piL")(memory, 0, 64)
failing = ffi.callback("i", fail, "pp")
qsort = libc.func("v", "qsort", "pLLC")
try:
    qsort(memory, 4, 4, failing)
    print("nothing raised")
except ValueError as e:
    print("ValueError", e.args)
failing.close()
free(memory)

# What is wrong is an exception.
for wrong in (
    lambda: labs(),
    lambda: labs([]),
    lambda: libc.func("?", "labs", "l"),
    lambda: libc.func("l", "no_such_function", "l"),
    lambda: ffi.open("no-such-library.so"),
    lambda: ffi.callback("i", 5, "i"),
):
    try:
        wrong()
        print("nothing raised")
    except (TypeError, ValueError, OSError) as e:
        print([kind for kind in (TypeError, ValueError, OSError) if isinstance(e, kind)])
