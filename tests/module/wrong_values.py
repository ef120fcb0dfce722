# Every code, given every kind of wrong value and every wrong number of values, in calls, callbacks and variables: each
# ends in an exception. Each right value beside it does not.

import ffi
from array import array
from struct import calcsize
from support.peer import func, peer


class Plain:
    pass


class Own(int):
    pass


cb = ffi.callback("i", lambda a, b: a + b, "ii")
closed = ffi.callback("i", lambda: 0, "")
closed.close()
BUFFERS = (bytearray(16), b"bytes", "text", array("i", [1, 2, 3, 4]), memoryview(bytearray(16)))
NUMBERS = (0, 1, -1, 1 << 40, -(1 << 70), True, False)
FLOATS = (0.5, -1e300, float("nan"), float("inf"))
FUNCTIONS = (cb, func("i", "add2", "ii"))
ALWAYS_WRONG = (
    [],
    [1],
    (),
    (1, 2),
    {},
    set(),
    print,
    lambda: 0,
    Plain,
    Plain(),
    Own(3),
    object(),
    range(3),
    iter([]),
    (x for x in ()),
    Ellipsis,
    NotImplemented,
    1j,
    ValueError("x"),
    ffi,
    peer,
    closed,
    slice,
    int,
)

RIGHT = {}
ADDRESSES = BUFFERS + FUNCTIONS + (None,)
for code in "bBhHiIlLqQ":
    RIGHT[code] = NUMBERS + (ADDRESSES if calcsize(code) == calcsize("P") else (None,))
for code in "fd":
    RIGHT[code] = NUMBERS + FLOATS
for code in "pPsSC":
    RIGHT[code] = NUMBERS + ADDRESSES
ALL = NUMBERS + FLOATS + BUFFERS + FUNCTIONS + (None,) + ALWAYS_WRONG

tried = 0


def must_raise(kinds, f, *args, **kwargs):
    global tried
    tried += 1
    try:
        value = f(*args, **kwargs)
    except kinds:
        return
    except Exception as e:
        print("another exception", f, args, repr(e))
        return
    print("nothing raised", f, args, value)


def is_right(code, value):
    return any(value is x for x in RIGHT[code])


# A function that takes anything and does nothing with it.
for code in RIGHT:
    for count in range(1, 10):
        f = func("v", "nothing", code * count)
        good = RIGHT[code][0]
        for value in ALL:
            for position in range(count):
                args = [good] * count
                args[position] = value
                if is_right(code, value):
                    f(*args)
                else:
                    must_raise((TypeError, ValueError), f, *args)
        for wrong in range(12):
            if wrong != count:
                must_raise(TypeError, f, *([good] * wrong))
        must_raise(TypeError, f, *([good] * count), x=good)
        must_raise(TypeError, f, *([good] * (count - 1)), x=good)
print("calls")

for code in RIGHT:
    passed = "p" if code in "PsSC" else code
    for value in ALL:
        with ffi.callback(code, lambda: value, "") as back:
            f = ffi.func(passed, back.cfun(), "")
            is_buffer = any(value is x for x in BUFFERS)
            is_function = any(value is x for x in FUNCTIONS)
            if is_right(code, value) and not (is_buffer and code not in "pPsS" or is_function and code not in "pPsSC"):
                f()
            else:
                must_raise((TypeError, ValueError), f)
    for count in range(4):
        for given in range(4):
            if count != given:
                names = ", ".join("abcd"[:count])
                with ffi.callback(code, eval("lambda %s: 0" % names), passed * given) as back:
                    must_raise(TypeError, ffi.func(passed, back.cfun(), passed * given), *([0] * given))
print("callbacks")

for code in RIGHT:
    name = "var_" + ("p" if code in "PC" else "s" if code == "S" else code)
    var = peer.var(code, name)
    old = var.get()
    for value in ALL:
        is_stored = any(value is x for x in NUMBERS + (FUNCTIONS + (None,) if code in "pPsSC" else ()))
        # What has a value as an int is none as an argument, but may be stored.
        is_stored = is_stored or isinstance(value, Own)
        if code in "fd" and not is_right(code, value) or code not in "fd" and not is_stored:
            must_raise((TypeError, ValueError), var.set, value)
            if var.get() != old:
                print("changed", var, value)
    must_raise(TypeError, var.set)
    must_raise(TypeError, var.set, 1, 2)
    must_raise(TypeError, var.get, 1)
print("variables")

# The module's own functions, with anything anywhere.
for value in ALL:
    if not isinstance(value, (str, bytes)) and value is not None:
        must_raise(TypeError, ffi.open, value)
        must_raise(TypeError, type(peer), value)
    if not isinstance(value, (str, bytes)):
        must_raise(TypeError, ffi.func, value, 1, "")
        must_raise(TypeError, ffi.callback, value, print, "")
        must_raise(TypeError, peer.func, value, "answer", "")
        must_raise(TypeError, peer.var, value, "var_i")
        must_raise(TypeError, peer.addr, value)
        must_raise(TypeError, peer.func, "i", value, "")
    if type(value) is not int:
        must_raise(TypeError, ffi.func, "i", value, "")
        must_raise(TypeError, ffi.as_bytearray, value, 1)
    if not isinstance(value, (int, bool)):
        must_raise((TypeError, OverflowError, ValueError), ffi.as_bytearray, 4096, value)
    if not callable(value):
        must_raise(TypeError, ffi.callback, "i", value, "")
print("the module", tried > 10000)
