# How long a callback lives: for good, or until it is closed.

import ffi
import gc
from support.peer import func, libc, raises, resident, stderr_of

sum_calls = func("i", "sum_calls", "Ci")
keep = func("v", "keep", "C")
call_kept = func("i", "call_kept", "i")


def churn():
    for _ in range(50):
        [bytearray(100) for _ in range(100)]
        gc.collect()


# Only C holds them: a function, a bound method, a closure.
keep(ffi.callback("i", lambda x: x * 2, "i"))
churn()
print(call_kept(21))


class Counter:
    def __init__(self):
        self.count = 0

    def add(self, x):
        self.count += x
        return self.count


keep(ffi.callback("i", Counter().add, "i"))
churn()
print(call_kept(1), call_kept(2), call_kept(3))


def adder(n):
    def add(x):
        return x + n

    return add


def keep_adders():
    for n in range(100):
        keep(ffi.callback("i", adder(n), "i"))


keep_adders()
churn()
print(call_kept(1))

# By address.
address = ffi.callback("i", adder(1000), "i").cfun()
churn()
print(ffi.func("i", address, "i")(1), type(address))


# Closing.
def double(x):
    return 2 * x


cb = ffi.callback("i", double, "i")
print(sum_calls(cb, 3))
print(cb.close(), cb.close())
raises("as an argument", ValueError, ("argument 1", "sum_calls", "double", "closed"), sum_calls, cb, 3)
raises("as a pointer", ValueError, ("argument 1", "double", "closed"), func("p", "pass_p", "p"), cb)
raises("its address", ValueError, ("double", "closed"), cb.cfun)
with ffi.callback("p", lambda: cb, "") as other:
    raises("as a result", ValueError, ("result", "double", "closed"), ffi.func("p", other.cfun(), ""))
with ffi.callback("i", double, "i") as cb:
    print(sum_calls(cb, 2))
raises("after with", ValueError, ("closed",), sum_calls, cb, 2)
try:
    with ffi.callback("i", double, "i") as cb:
        raise KeyError("in with")
except KeyError as e:
    print(e)
raises("after an exception in with", ValueError, ("closed",), sum_calls, cb, 2)

# C calls one that is closed: it says so, and gets zero.
cb = ffi.callback("i", double, "i")
keep(cb)
cb.close()
result = []
text = stderr_of(lambda: result.append(call_kept(21)))
print(result, "closed" in text, text.count("\n"))


# It closes itself, in the middle of a call.
def close_at_2(x):
    if x == 2:
        cb.close()
        cb.close()
        churn()
    return 1


cb = ffi.callback("i", close_at_2, "i")
result = []
text = stderr_of(lambda: result.append(sum_calls(cb, 5)))
print(result, "closed" in text)


# It closes itself and raises.
def close_and_raise(x):
    cb.close()
    raise KeyError(x)


cb = ffi.callback("i", close_and_raise, "i")
raises("closes and raises", KeyError, (0,), sum_calls, cb, 1)


# One callback closes another, which C calls next; and makes new ones meanwhile.
def close_other(x):
    first.close()
    for _ in range(100):
        ffi.callback("i", double, "i").close()
    churn()
    return x


first = ffi.callback("i", lambda x: sum_calls(second, 3), "i")
second = ffi.callback("i", close_other, "i")
print(sum_calls(first, 1))


# It closes the library that C is in.
def close_library(x):
    own.close()
    churn()
    return 1


import support.peer

own = ffi.open(support.peer.path)
own_sum = own.func("i", "sum_calls", "Ci")
own.close()
raises("before", ValueError, ("sum_calls", support.peer.path, "closed"), own_sum, None, 1)
c = libc()
qsort = c.func("v", "qsort", "piiC")
with ffi.callback("i", lambda a, b: c.close() or 0, "pp") as cb:
    qsort(bytearray(5), 5, 1, cb)
raises("its library", ValueError, ("qsort", "closed"), qsort, bytearray(5), 5, 1, None)

# Many, with flat memory: of the heap and of the process.
def many(n):
    for _ in range(n):
        ffi.callback("i", double, "iiii").close()


many(20000)
gc.collect()
heap, process = gc.mem_alloc(), resident()
many(100000)
gc.collect()
print("heap grew", gc.mem_alloc() - heap > 1000, "process grew", resident() - process > 1000)

# Many at a time.
callbacks = [ffi.callback("i", adder(n), "i") for n in range(5000)]
print(sum(ffi.func("i", cb.cfun(), "i")(1) for cb in callbacks) == sum(range(1, 5001)))
for cb in callbacks[::2]:
    cb.close()
callbacks = callbacks[1::2]
churn()
print(sum(ffi.func("i", cb.cfun(), "i")(1) for cb in callbacks) == sum(range(2, 5001, 2)))
for cb in reversed(callbacks):
    cb.close()
