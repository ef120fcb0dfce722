# From Python into C, into Python, into C, and so on: it ends in MicroPython's own error, at any depth and again.

import ffi
import micropython
from support.peer import func, raises

# Ports with a stack of their own for Python's frames come to its end, unless calls take more of C's.
has_pystack = hasattr(micropython, "pystack_use")

call_i = func("i", "call_i", "Ci")
depths = []


def down(x):
    depths.append(x)
    return call_i(cb, x + 1)


cb = ffi.callback("i", down, "i")
for _ in range(3):
    raises("no end", RuntimeError, ("recursion",), call_i, cb, 0)
    print(max(depths) > 10)
    depths.clear()


# As deep as is asked for.
def down_to(x):
    return call_i(limited, x - 1) + 1 if x else 0


limited = ffi.callback("i", down_to, "i")
print(call_i(limited, 20))


# With signatures of many arguments, different at each level. None is in use long enough to get code, so calls take more of C's stack.
def many(*args):
    n = len(args) + 1
    with ffi.callback("q", many, "q" * n) as inner:
        return ffi.func("q", inner.cfun(), "q" * n)(*range(n))


raises("many arguments", RuntimeError, ("recursion",), many)


# The error may be handled on the way up.
def handled(x):
    try:
        return call_i(handling, x + 1)
    except RuntimeError:
        return x


handling = ffi.callback("i", handled, "i")
print(call_i(handling, 0) > 10)
print(call_i(limited, 5))

# More arguments than the stack has room for.
n = 200 if has_pystack else 1000
with ffi.callback("q", lambda *args: sum(args), "q" * n) as cb:
    print(ffi.func("q", cb.cfun(), "q" * n)(*range(n)) == sum(range(n)))
