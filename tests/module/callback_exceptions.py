# An exception in a callback waits until C has returned, and is then raised by the call that C was in.

import ffi
from support.peer import func, libc, raises

qsort = libc().func("v", "qsort", "piiC")
data = bytearray(b"foobar")


class Own(Exception):
    pass


# A comparator that raises at its third call is not called again.
calls = []


def cmp(a, b):
    calls.append(1)
    if len(calls) == 3:
        raise Own("third")
    return ffi.as_bytearray(a, 1)[0] - ffi.as_bytearray(b, 1)[0]


with ffi.callback("i", cmp, "pp") as cb:
    raises("comparator", Own, ("third",), qsort, data, len(data), 1, cb)
    print(len(calls), sorted(data) == sorted(b"foobar"))
    qsort(data, len(data), 1, cb)
    print(data, len(calls) > 3)

# C gets zero, of every type, and goes on.
sum_calls = func("i", "sum_calls", "Ci")
came = []


def fail_at_2(x):
    came.append(x)
    if x == 2:
        raise Own(x)
    return 10


with ffi.callback("i", fail_at_2, "i") as cb:
    raises("in the middle", Own, (2,), sum_calls, cb, 5)
    print(came)
    print(sum_calls(cb, 2))
for code in "bBhHiIlLqQfdp":
    with ffi.callback(code, lambda x: 1 // 0, code) as cb:
        raises(code, ZeroDivisionError, (), func(code, "call_" + code, "C" + code), cb, 1)

# The result of another kind than the code's is such an exception.
for code in "bBhHiIlLqQfdpPsSC":
    passed = "p" if code in "PsSC" else code
    call = func(passed, "call_" + passed, "C" + passed)
    for value in ([], {}, object(), print):
        with ffi.callback(code, lambda x: value, passed) as cb:
            parts = ("result of callback <lambda>", "'" + code + "'", type(value).__name__)
            raises(code, TypeError, parts, call, cb, 1)
for code, value in (("i", "1"), ("i", 1.5), ("q", b"1"), ("f", "1"), ("d", None), ("f", None), ("p", 1.5), ("C", "f")):
    passed = "p" if code == "C" else code
    call = func(passed, "call_" + passed, "C" + passed)
    with ffi.callback(code, lambda x: value, passed) as cb:
        raises(code, TypeError, ("result of callback", "'" + code + "'", type(value).__name__), call, cb, 1)

# So is a wrong number of arguments.
with ffi.callback("i", lambda: 0, "i") as cb:
    raises("arguments", TypeError, (), sum_calls, cb, 3)

# Exceptions that end programs or threads are none of C's business either.
for kind in (SystemExit, KeyboardInterrupt, StopIteration, GeneratorExit):

    def end(x):
        raise kind(7)

    with ffi.callback("i", end, "i") as cb:
        try:
            sum_calls(cb, 3)
            print("nothing raised")
        except kind as e:
            print(kind.__name__, e.args)

# Nested: the inner call raises in the callback that made it, which may handle the exception.
log = []


def inner(x):
    log.append("inner %d" % x)
    raise Own("inner")


def outer(x):
    log.append("outer %d" % x)
    try:
        sum_calls(inner_cb, 2)
    except Own as e:
        log.append("caught " + e.args[0])
        if x == 1:
            raise Own("outer")
    return 5


inner_cb = ffi.callback("i", inner, "i")
outer_cb = ffi.callback("i", outer, "i")
raises("nested", Own, ("outer",), sum_calls, outer_cb, 4)
print(log)
log.clear()
print(sum_calls(outer_cb, 1), log)


# Through all levels, when nobody handles it.
def deep(x):
    if x == 0:
        raise Own("bottom")
    return sum_calls(deep_cb, 1) if x == 1 else relay(deep_cb, x - 1)


relay = func("i", "call_i", "Ci")
deep_cb = ffi.callback("i", deep, "i")
raises("through five calls", Own, ("bottom",), relay, deep_cb, 5)


# The traceback names both sides.
def where(x):
    raise Own("here")


def caller():
    sum_calls(ffi.callback("i", where, "i"), 1)


import io
import sys

try:
    caller()
except Own as e:
    text = io.StringIO()
    sys.print_exception(e, text)
    print([word in text.getvalue() for word in ("in where", "in caller", "Own: here")])

# lock=True: printed, and the call knows nothing of it.
locked = ffi.callback("i", lambda x: x // 0, "i", lock=True)
print(sum_calls(locked, 2))
fine = ffi.callback("i", lambda x: x + 1, "i", lock=True)
print(sum_calls(fine, 4))

# It runs even while another callback's exception waits, on the interpreter as it was ahead of that.
latest = 0


def note(x):
    global latest
    latest = x
    return deeper(x, 3)


def deeper(x, depth):
    return deeper(x, depth - 1) if depth else x


def fail(x):
    return deeper(x, 3) // 0


noting = ffi.callback("i", note, "i", lock=True)
failing = ffi.callback("i", fail, "i")
try:
    func("i", "call_both", "CC")(failing, noting)
except ZeroDivisionError:
    print("waited", latest)


class Unprintable(Exception):
    def __str__(self):
        raise Own("and this has none")

    __repr__ = __str__


ready = Unprintable()


def unprintable(x):
    raise ready


print(sum_calls(ffi.callback("i", unprintable, "i", lock=True), 1))

# C has its registers back whatever the interpreter had in them: here the two numbers, up to the exception.
import array
import math

kept = array.array("d", [0])
keep_double = func("v", "keep_double", "CdS")
for args in ("i", "id"):
    interrupted = ffi.callback("v", lambda *_: math.pow(-1.5, 0.5), args)
    try:
        keep_double(interrupted, 2.5, kept)
    except ValueError:
        print(args, kept[0])

# Afterwards everything is as before.
print(sum_calls(ffi.callback("i", lambda x: x, "i"), 5))
