# Every code as a callback's argument and as its result.

import ffi
from support.peer import ascii_repr, fixed, func

VALUES = {
    "b": (-128, 127, 0, -1),
    "B": (0, 255, 128),
    "h": (-32768, 32767),
    "H": (65535, 0),
    "i": (-2147483648, 2147483647),
    "I": (4294967295, 2147483648),
    "l": (-2147483648, 2147483647),
    "L": (4294967295,),
    "q": (-9223372036854775808, 9223372036854775807, -3),
    "Q": (18446744073709551615, 9223372036854775808),
    "f": (0.5, -1.25, float("inf")),
    "d": (0.1, -1e300, 5e-324),
}

for code, values in sorted(VALUES.items()):
    came = []

    def back(x):
        came.append(x)
        return x

    call = func(code, "call_" + code, "C" + code)
    cb = ffi.callback(code, back, code)
    result = [call(cb, x) for x in values]
    print(code, tuple(came) == values, tuple(result) == values)

# Results are cut like arguments, bools are ints, and None is 0. A long is what the type of its width is.
every = {}
for code in "bBhHiIqQlL":
    call = func(code, "call_" + code, "C" + code)
    results = []
    for x in (0x1FF, -0x181, (1 << 70) + 5, True, False, None):
        with ffi.callback(code, lambda _: x, code) as cb:
            results.append(call(cb, 1))
    every[code] = results
    print(code, results if code == fixed(code) else results == every[fixed(code)])

for code in "fd":
    call = func(code, "call_" + code, "C" + code)
    for x in (3, True, 0.5):
        with ffi.callback(code, lambda _: x, code) as cb:
            print(code, call(cb, 0))

# A caller may leave anything in the bits above a narrow argument.
for code in "bBhHiIqQlL":
    came = []

    def take(*args):
        came.append(args)
        return args[0]

    cb = ffi.callback(code, take, 8 * code)
    result = func(code, "call_dirty_" + code, "CQ")(cb, 0x8182838485868788)
    every[code] = result
    print(code, result if code == fixed(code) else result == every[fixed(code)], came[0] == 8 * (result,))

# Pointers: an int, and NULL is 0.
call = func("p", "call_p", "Cp")
for code in "pP":
    for result in (None, 0, 0x1234, (1 << 64) - 1, False):
        came = []

        def pointer(x):
            came.append(x)
            return result

        with ffi.callback(code, pointer, code) as cb:
            print(code, call(cb, (1 << 64) - 16), call(cb, None), came)

# Strings: a copy, and NULL is None.
for code in "sS":
    came = []

    def string(x):
        came.append(x)
        return x

    with ffi.callback(code, string, code) as cb:
        call = func(code, "call_p", "Cs")
        results = [call(cb, x) for x in ("w\u00f6rld", "", None, b"bytes", bytearray(b"array\0more"))]
        print(code, ascii_repr(results), ascii_repr(came))

# Whatever a pointer code takes as an argument is a result too.
buffer = bytearray(b"buffer\0")
for result in ("text", b"bytes", buffer, memoryview(buffer)[3:], None, func("p", "greeting", "")()):
    with ffi.callback("s", lambda: result, "") as cb:
        print(func("s", "copy_of", "C")(cb))

# Functions as results.
add2 = func("i", "add2", "ii")
apply = func("i", "apply", "pii")
sub = ffi.callback("i", lambda a, b: a - b, "ii")
for result in (add2, sub, sub.cfun(), None):
    for code in "Cp":
        with ffi.callback(code, lambda x: result, "p") as cb:
            print(code, apply(func("p", "call_p", "Cp")(cb, 0), 30, 12))

# Objects come as they were.
for thing in (1, "text", [1, 2], None, 1.5, True, print):
    with ffi.callback("O", lambda x: x, "O") as cb:
        print(func("O", "call_p", "CO")(cb, thing) is thing, end=" ")
print()

# No result.
with ffi.callback("v", lambda: "ignored", "") as cb:
    print(ffi.func("v", cb.cfun(), "")())
